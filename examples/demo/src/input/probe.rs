//! Looks at the first seconds of a file or camera: what is in it, and can it be sent as it is?

use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use gst::glib;
use gst::prelude::*;

use super::facts::{AudioFacts, Frame, VideoCodec, VideoObserver};
use super::h264;
use super::plan::{self, LONGEST_GOP, Plan};
use super::streams::{self, Discovery, StreamKind};
use super::timeline::Timeline;
use super::{Input, Media};

/// What is in a medium, and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its first video stream.
    pub video: Option<Stream>,
    /// Its first audio stream.
    pub audio: Option<Stream>,
}

/// One of a medium's streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The caps' name, such as `video/x-h264`.
    pub format: String,
    /// What is done with it.
    pub plan: Plan,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format, self.plan)
    }
}

/// How much is looked at, and how long that may take.
struct Limits {
    /// Of the medium's own time.
    span: Duration,
    /// After this, what is known has to do.
    patience: Duration,
    /// So many key frames, none too far from the next, are enough.
    key_frames: usize,
}

impl Limits {
    fn of(media: &Media) -> Self {
        match media {
            // A file is read as fast as it can be. Encoders move key frames to where scenes change: a few close ones say little.
            Media::File(_) => Self {
                span: Duration::from_secs(120),
                patience: Duration::from_secs(10),
                key_frames: usize::MAX,
            },
            // A camera is as slow as time, and its encoder as regular as a clock.
            Media::Rtsp(_) => Self {
                span: LONGEST_GOP + Duration::from_secs(1),
                patience: Duration::from_secs(20),
                key_frames: 3,
            },
        }
    }
}

/// Opens the medium, looks at it and closes it again.
///
/// # Errors
///
/// A sentence for people if it cannot be reached, is no medium, or holds neither video nor audio.
pub fn probe(media: &Media) -> Result<Contents> {
    let pipeline = gst::Pipeline::new();
    let (to, observations) = mpsc::channel();
    let bus = pipeline.bus().ok_or_else(|| anyhow!("the pipeline has no bus"))?;
    let errors = to.clone();
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => drop(errors.send(Observation::Failed(error.error()))),
            gst::MessageView::Eos(_) => drop(errors.send(Observation::Ended)),
            _ => (),
        }
        gst::BusSyncReply::Drop
    });
    let weak = pipeline.downgrade();
    streams::open(media, &pipeline, move |discovery| {
        let Some(pipeline) = weak.upgrade() else { return };
        observe_discovery(&pipeline, discovery, &to);
    })?;
    let contents = match pipeline.set_state(gst::State::Playing) {
        Ok(_) => look(media, &observations),
        // The reason is on the bus.
        Err(_) => Err(first_failure(media, &observations)),
    };
    // Streaming threads may be waiting for room that nobody makes any more.
    drop(observations);
    pipeline.set_state(gst::State::Null)?;
    bus.unset_sync_handler();
    contents
}

/// What streaming threads tell the one that decides.
enum Observation {
    Groups(usize),
    GroupComplete,
    Found(StreamKind),
    Video { caps: gst::Caps, frame: Frame },
    Audio { caps: gst::Caps },
    Ended,
    Failed(glib::Error),
}

fn observe_discovery(pipeline: &gst::Pipeline, discovery: Discovery<'_>, to: &Sender<Observation>) {
    // Nobody listens any more once enough is known.
    match discovery {
        Discovery::Groups(count) => drop(to.send(Observation::Groups(count))),
        Discovery::GroupComplete => drop(to.send(Observation::GroupComplete)),
        Discovery::Stream(pad, kind) => {
            let result = match kind {
                StreamKind::Other => streams::discard(pipeline, pad),
                StreamKind::Video | StreamKind::Audio => observe_stream(pipeline, pad, kind, to),
            };
            let _ = to.send(Observation::Found(kind));
            streams::report(pipeline, result);
        }
    }
}

fn observe_stream(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    kind: StreamKind,
    to: &Sender<Observation>,
) -> Result<()> {
    let to = to.clone();
    let mut timeline = Timeline::default();
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .max_buffers(16)
        .build();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let Some(observation) = observe_sample(&sample, kind, &mut timeline) else {
                    return Ok(gst::FlowSuccess::Ok);
                };
                // Nobody listens any more once enough is known.
                to.send(observation)
                    .map(|()| gst::FlowSuccess::Ok)
                    .map_err(|_| gst::FlowError::Eos)
            })
            .build(),
    );
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    if codec_of(&caps) == VideoCodec::H264 {
        // Slices are read from a byte stream, a picture at a time.
        sink.set_caps(Some(&byte_stream()));
        pipeline.add(&sink)?;
        sink.sync_state_with_parent()?;
        let parser = streams::element("h264parse")?;
        streams::attach(pipeline, pad, &parser)?;
        parser.link(&sink)?;
        Ok(())
    } else {
        streams::attach(pipeline, pad, &sink)
    }
}

/// H.264 with start codes, one picture in each buffer.
pub(super) fn byte_stream() -> gst::Caps {
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .build()
}

fn observe_sample(sample: &gst::SampleRef, kind: StreamKind, timeline: &mut Timeline) -> Option<Observation> {
    let caps = sample.caps_owned()?;
    let shown_at = timeline.handle_sample(sample);
    if kind == StreamKind::Audio {
        return Some(Observation::Audio { caps });
    }
    let buffer = sample.buffer()?;
    let bidirectional = codec_of(&caps) == VideoCodec::H264
        && buffer
            .map_readable()
            .is_ok_and(|access_unit| h264::has_b_slice(&access_unit));
    let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
    Some(Observation::Video {
        caps,
        frame: Frame {
            shown_at,
            key,
            bidirectional,
        },
    })
}

/// Takes observations until enough is known.
fn look(media: &Media, observations: &Receiver<Observation>) -> Result<Contents> {
    let limits = Limits::of(media);
    let deadline = Instant::now() + limits.patience;
    let mut seen = Seen::default();
    while !seen.is_enough(&limits) {
        match observations.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Observation::Failed(error)) => bail!("{}", streams::sentence(media, &error)),
            Ok(Observation::Ended) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            Ok(observation) => seen.handle_observation(observation),
        }
    }
    let contents = seen.contents();
    if contents.video.is_none() && contents.audio.is_none() {
        bail!(
            "{} holds neither video nor audio that can be played",
            Input::Media(media.clone())
        );
    }
    Ok(contents)
}

fn first_failure(media: &Media, observations: &Receiver<Observation>) -> anyhow::Error {
    let failure = observations.try_iter().find_map(|observation| match observation {
        Observation::Failed(error) => Some(streams::sentence(media, &error)),
        _ => None,
    });
    anyhow!(failure.unwrap_or_else(|| format!("{} cannot be opened", Input::Media(media.clone()))))
}

/// What was observed so far.
#[derive(Default)]
struct Seen {
    groups: Option<usize>,
    complete: usize,
    video_found: bool,
    audio_found: bool,
    video_caps: Option<gst::Caps>,
    video: VideoObserver,
    audio_caps: Option<gst::Caps>,
}

impl Seen {
    fn handle_observation(&mut self, observation: Observation) {
        match observation {
            Observation::Groups(count) => self.groups = Some(count),
            Observation::GroupComplete => self.complete += 1,
            Observation::Found(StreamKind::Video) => self.video_found = true,
            Observation::Found(StreamKind::Audio) => self.audio_found = true,
            Observation::Video { caps, frame } => {
                self.video_caps.get_or_insert(caps);
                self.video.handle_frame(frame);
            }
            Observation::Audio { caps } => drop(self.audio_caps.get_or_insert(caps)),
            Observation::Found(StreamKind::Other) | Observation::Ended | Observation::Failed(_) => (),
        }
    }

    fn is_enough(&self, limits: &Limits) -> bool {
        let all_found = self.groups.is_some_and(|groups| self.complete >= groups);
        let video = !self.video_found || self.video_is_enough(limits);
        let audio = !self.audio_found || self.audio_caps.is_some();
        all_found && video && audio
    }

    fn video_is_enough(&self, limits: &Limits) -> bool {
        let Some(plan) = self.video_plan() else {
            return false;
        };
        let final_refusal = !matches!(
            plan,
            Plan::PassThrough | Plan::Transcode(plan::Reason::NoKeyFrame)
        );
        let key_frames = self
            .video_facts()
            .is_some_and(|facts| facts.key_frames >= limits.key_frames);
        final_refusal || key_frames || self.video.span() >= limits.span
    }

    fn video_facts(&self) -> Option<super::facts::VideoFacts> {
        let caps = self.video_caps.as_ref()?;
        let structure = caps.structure(0)?;
        let profile = structure.get::<String>("profile").ok();
        let is_or_unsaid =
            |field: &str, value: &str| structure.get::<&str>(field).map_or(true, |it| it == value);
        let progressive =
            is_or_unsaid("interlace-mode", "progressive") && is_or_unsaid("coded-picture-structure", "frame");
        Some(self.video.facts(codec_of(caps), profile, progressive))
    }

    fn video_plan(&self) -> Option<Plan> {
        self.video_facts().map(|facts| plan::plan_video(&facts))
    }

    fn contents(&self) -> Contents {
        let stream = |caps: &Option<gst::Caps>, plan: Option<Plan>| {
            let format = caps.as_ref()?.structure(0)?.name().to_string();
            Some(Stream { format, plan: plan? })
        };
        let audio = self
            .audio_caps
            .as_ref()
            .map(|caps| plan::plan_audio(audio_facts(caps)));
        Contents {
            video: stream(&self.video_caps, self.video_plan()),
            audio: stream(&self.audio_caps, audio),
        }
    }
}

fn codec_of(caps: &gst::CapsRef) -> VideoCodec {
    match caps.structure(0).map(|structure| structure.name().as_str()) {
        Some("video/x-h264") => VideoCodec::H264,
        Some("video/x-vp8") => VideoCodec::Vp8,
        Some("video/x-vp9") => VideoCodec::Vp9,
        _ => VideoCodec::Other,
    }
}

fn audio_facts(caps: &gst::CapsRef) -> AudioFacts {
    let plain = |structure: &gst::StructureRef| {
        let channels = structure.get::<i32>("channels").unwrap_or(2);
        let family = structure.get::<i32>("channel-mapping-family").unwrap_or(0);
        structure.name() == "audio/x-opus" && channels <= 2 && family == 0
    };
    AudioFacts {
        plain_opus: caps.structure(0).is_some_and(plain),
    }
}
