//! Opens a file or a camera and finds the elementary streams in it, each parsed and none decoded.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use gst::glib;
use gst::prelude::*;

use super::{Input, Media};

/// How long a camera's packets are held to be put in order.
const CAMERA_LATENCY_MS: u32 = 200;
/// How long a camera may take to answer.
const CAMERA_TIMEOUT_US: u64 = 5_000_000;

/// What a medium turns out to hold, as it is opened. Arrives on streaming threads.
pub(super) enum Discovery<'a> {
    /// The pad of a parsed stream. It has to be linked at once.
    Stream(&'a gst::Pad, StreamKind),
    /// So many groups of streams will be found in all.
    Groups(usize),
    /// One group of streams is complete.
    GroupComplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamKind {
    Video,
    Audio,
    /// Subtitles and whatever else.
    Other,
}

/// Fills the pipeline with what opens the medium.
pub(super) fn open(
    media: &Media,
    pipeline: &gst::Pipeline,
    found: impl Fn(Discovery<'_>) + Send + Sync + 'static,
) -> Result<()> {
    let found = Arc::new(found);
    match media {
        Media::File(path) => {
            let source = element("filesrc")?;
            source.set_property(
                "location",
                path.to_str()
                    .ok_or_else(|| anyhow!("{media} is no valid Unicode"))?,
            );
            let parser = parser(&found)?;
            let to = found.clone();
            parser.connect_no_more_pads(move |_| to(Discovery::GroupComplete));
            pipeline.add_many([&source, &parser])?;
            source.link(&parser)?;
            found(Discovery::Groups(1));
        }
        Media::Rtsp(url) => {
            let source = element("rtspsrc")?;
            source.set_property("location", url.as_str());
            source.set_property("latency", CAMERA_LATENCY_MS);
            source.set_property("tcp-timeout", CAMERA_TIMEOUT_US);
            pipeline.add(&source)?;
            receive_from_camera(&source, pipeline, found);
        }
    }
    Ok(())
}

fn receive_from_camera(
    source: &gst::Element,
    pipeline: &gst::Pipeline,
    found: Arc<impl Fn(Discovery<'_>) + Send + Sync + 'static>,
) {
    let weak = pipeline.downgrade();
    let to = found.clone();
    source.connect_pad_added(move |source, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        // Cameras also send what they think of the picture.
        let media = pad
            .current_caps()
            .and_then(|caps| caps.structure(0)?.get::<String>("media").ok());
        let result = match media.as_deref() {
            Some("video" | "audio") => parse_from_camera(&pipeline, pad, &to),
            _ => discard(&pipeline, pad),
        };
        report(source, result);
    });
    source.connect_no_more_pads(move |source| {
        let media = |pad: &gst::Pad| pad.current_caps()?.structure(0)?.get::<String>("media").ok();
        let streams = source
            .src_pads()
            .iter()
            .filter_map(media)
            .filter(|it| it == "video" || it == "audio")
            .count();
        found(Discovery::Groups(streams));
    });
}

fn parse_from_camera(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    found: &Arc<impl Fn(Discovery<'_>) + Send + Sync + 'static>,
) -> Result<()> {
    let parser = parser(found)?;
    // An RTP stream holds one stream of media, and the parser does not say that no other comes.
    let to = found.clone();
    parser.connect_pad_added(move |_, _| to(Discovery::GroupComplete));
    attach(pipeline, pad, &parser)
}

/// Links a pad that just appeared to an element that was just made.
pub(super) fn attach(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    element: &impl IsA<gst::Element>,
) -> Result<()> {
    let element = element.upcast_ref();
    pipeline.add(element)?;
    element.sync_state_with_parent()?;
    let sink = element
        .static_pad("sink")
        .ok_or_else(|| anyhow!("{} has no sink pad", element.name()))?;
    pad.link(&sink)?;
    Ok(())
}

/// Takes what comes out of a pad and throws it away.
pub(super) fn discard(pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<()> {
    let sink = element("fakesink")?;
    // It may have nothing to show for hours, as subtitles do.
    sink.set_property("async", false);
    sink.set_property("sync", false);
    attach(pipeline, pad, &sink)
}

/// A failure on a streaming thread becomes an error on the pipeline's bus.
pub(super) fn report(element: &impl IsA<gst::Element>, result: Result<()>) {
    if let Err(error) = result {
        gst::element_error!(
            element.upcast_ref::<gst::Element>(),
            gst::CoreError::Failed,
            ("{error:#}")
        );
    }
}

pub(super) fn element(name: &str) -> Result<gst::Element> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|_| anyhow!("GStreamer's element {name} is not installed"))
}

fn parser(found: &Arc<impl Fn(Discovery<'_>) + Send + Sync + 'static>) -> Result<gst::Element> {
    let parser = element("parsebin")?;
    let to = found.clone();
    parser.connect_pad_added(move |_, pad| to(Discovery::Stream(pad, kind_of(pad))));
    Ok(parser)
}

fn kind_of(pad: &gst::Pad) -> StreamKind {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let name = caps
        .structure(0)
        .map_or("", |structure| structure.name().as_str());
    if name.starts_with("video/") || name.starts_with("image/") {
        StreamKind::Video
    } else if name.starts_with("audio/") {
        StreamKind::Audio
    } else {
        StreamKind::Other
    }
}

/// A sentence for people about an error that opening or playing the medium ended with.
pub(super) fn sentence(media: &Media, error: &glib::Error) -> String {
    let input = Input::Media(media.clone());
    let words = error.message().trim_end_matches('.');
    match media {
        Media::Rtsp(_) => match error.kind::<gst::ResourceError>() {
            Some(gst::ResourceError::NotAuthorized) => format!("{input} wants another name or password"),
            Some(gst::ResourceError::NotFound) => format!("{input} is not there: {words}"),
            Some(_) => format!("{input} cannot be reached: {words}"),
            None => format!("{input} sends nothing that can be played: {words}"),
        },
        Media::File(_) => match error.kind::<gst::StreamError>() {
            Some(gst::StreamError::TypeNotFound | gst::StreamError::WrongType) => {
                format!("{input} is no media file")
            }
            Some(gst::StreamError::CodecNotFound) => format!("{input} cannot be decoded here: {words}"),
            _ => format!("{input} cannot be played: {words}"),
        },
    }
}
