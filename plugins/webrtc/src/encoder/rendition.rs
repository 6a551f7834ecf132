//! One rendition's chain as a bin: appsrc to payloader, and the pad at its end.

use gst::prelude::*;
use weir_forwarding::RenditionId;
use weir_negotiation::{Codec, MediaKind};
use weir_units::Bitrate;

use super::{factory, tuning};

/// What one rendition is to be.
#[derive(Clone, Debug)]
pub(crate) struct RenditionSpec {
    /// Its identity among all renditions that the element ever had.
    pub(crate) id: RenditionId,
    /// The name of the sink pad whose stream it encodes.
    pub(crate) pad_name: String,
    /// What it encodes to, or what comes in encoded.
    pub(crate) codec: Codec,
    /// The caps of what comes in.
    pub(crate) input: gst::Caps,
    /// The encoder's bitrate at the start.
    pub(crate) bitrate: Bitrate,
    /// The RTP timestamp of running time zero: one for all renditions of a stream, so that a viewer can be
    /// switched between them without arithmetic.
    pub(crate) timestamp_offset: u32,
}

impl RenditionSpec {
    /// Whether an encoder is needed.
    pub(crate) fn is_raw(&self) -> bool {
        self.input
            .structure(0)
            .is_some_and(|s| s.name().ends_with("/x-raw"))
    }
}

/// What the application has a say in while a rendition is built.
pub(crate) trait Hooks {
    /// The application set up the encoder itself (`encoder-setup` was answered with TRUE).
    fn encoder_setup(&self, encoder: &gst::Element) -> bool;
    /// The application set up the payloader itself (`payloader-setup` was answered with TRUE).
    fn payloader_setup(&self, payloader: &gst::Element) -> bool;
    /// A filter between encoder and payloader (`request-encoded-filter`).
    fn encoded_filter(&self, caps: &gst::Caps) -> Option<gst::Element>;
    /// The chain is built, and about to start: messages of its elements may come from here on.
    fn built(&self, bin: &gst::Bin);
}

/// A rendition could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenditionError {
    /// No encoder for the codec is installed, or none could be started.
    #[error("no {0} encoder could be started: {1}")]
    NoEncoder(&'static str, String),
    /// An element is missing.
    #[error("{0}")]
    Missing(#[from] gst::glib::BoolError),
    /// The chain would not start.
    #[error("the encoding chain did not start: {0}")]
    Start(#[from] gst::StateChangeError),
    /// The chain's end could not be linked.
    #[error("the encoding chain could not be linked: {0:?}")]
    Link(#[from] gst::PadLinkError),
}

/// A running rendition.
#[derive(Debug)]
pub(crate) struct Rendition {
    bin: gst::Bin,
    appsrc: gst_app::AppSrc,
    encoder: Option<gst::Element>,
    payloader: gst::Element,
    output: gst::Pad,
}

impl Rendition {
    /// Builds the chain, adds it to `parent` and starts it; RTP packets leave at `output`, a sink pad of no element.
    ///
    /// # Errors
    /// When an element is missing or does not start; nothing is left in `parent` then.
    pub(crate) fn start(
        spec: &RenditionSpec,
        parent: &gst::Bin,
        hooks: &dyn Hooks,
        output: gst::Pad,
    ) -> Result<Self, RenditionError> {
        let bin = gst::Bin::builder()
            .name(format!("{}-rendition-{}", spec.pad_name, spec.id.0))
            .build();
        let appsrc = make_appsrc(spec);
        let encoder = if spec.is_raw() {
            Some(make_encoder(spec, hooks)?)
        } else {
            None
        };
        let payloader = make_payloader(spec, hooks)?;

        let mut chain: Vec<gst::Element> = vec![appsrc.clone().upcast()];
        if let Some(encoder) = &encoder {
            chain.extend(converters(spec)?);
            chain.push(encoder.clone());
            chain.extend(profile_filter(spec.codec)?);
        }
        if let Some(parser) = factory::parser(spec.codec) {
            chain.push(gst::ElementFactory::make(parser).build()?);
        }
        chain.extend(hooks.encoded_filter(&gst::Caps::new_empty_simple(spec.codec.caps_name())));
        chain.push(payloader.clone());
        bin.add_many(&chain)?;
        gst::Element::link_many(&chain)?;

        let end = payloader
            .static_pad("src")
            .ok_or_else(|| gst::glib::bool_error!("a payloader without src pad"))?;
        let ghost = gst::GhostPad::with_target(&end)?;
        ghost.set_active(true)?;
        bin.add_pad(&ghost)?;
        output.set_active(true)?;

        let rendition = Self {
            bin,
            appsrc,
            encoder,
            payloader,
            output,
        };
        hooks.built(&rendition.bin);
        parent.add(&rendition.bin)?;
        // Only now: adding an element to a bin unlinks its pads.
        if let Err(error) = ghost.link(&rendition.output) {
            rendition.stop();
            return Err(error.into());
        }
        if let Err(error) = rendition.bin.sync_state_with_parent() {
            gst::warning!(crate::CAT, obj = rendition.bin, "did not start: {error}");
            rendition.stop();
            return Err(RenditionError::Start(gst::StateChangeError));
        }
        Ok(rendition)
    }

    /// The handle by which media comes in.
    pub(crate) fn input(&self) -> RenditionInput {
        RenditionInput {
            appsrc: self.appsrc.clone(),
        }
    }

    /// The bin, to tell whose a message on the bus is.
    pub(crate) fn bin(&self) -> &gst::Bin {
        &self.bin
    }

    /// Asks the encoder for a key frame. Returns false where there is no encoder.
    pub(crate) fn force_key_frame(&self) -> bool {
        if self.encoder.is_none() {
            return false;
        }
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        self.payloader.send_event(event)
    }

    /// Stops the chain and takes it out of its parent. Joins threads: never called from a thread of the chain.
    pub(crate) fn stop(&self) {
        self.bin.set_locked_state(true);
        if self.bin.set_state(gst::State::Null).is_err() {
            gst::warning!(crate::CAT, obj = self.bin, "a rendition did not stop cleanly");
        }
        let _ = self.output.set_active(false);
        if let Some(parent) = self.bin.parent().and_downcast::<gst::Bin>() {
            let _ = parent.remove(&self.bin);
        }
    }
}

/// Where media goes into a rendition. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RenditionInput {
    appsrc: gst_app::AppSrc,
}

impl RenditionInput {
    /// Hands over new caps; they apply to the buffers that follow.
    pub(crate) fn set_caps(&self, caps: &gst::Caps) {
        self.appsrc.set_caps(Some(caps));
    }

    /// Hands over a buffer whose timestamps are running times. One that comes while the rendition is behind
    /// pushes out an older one.
    pub(crate) fn push(&self, buffer: gst::Buffer) {
        // Refused only while the rendition stops.
        let _ = self.appsrc.push_buffer(buffer);
    }

    /// Ends the stream: what is inside is still sent.
    pub(crate) fn end(&self) {
        let _ = self.appsrc.end_of_stream();
    }
}

/// How much may wait in front of an encoder. More would only add delay to what is late already.
const RAW_FRAMES_WAITING: u64 = 3;
/// How much encoded media may wait: a frame that is left out breaks those that refer to it.
const ENCODED_TIME_WAITING: gst::ClockTime = gst::ClockTime::from_seconds(2);
/// Leaves room for mid, rid, transport-wide sequence number, original sequence number and SRTP's tag in
/// packets of 1200 bytes, which every path carries.
const MTU: u32 = 1120;

fn make_appsrc(spec: &RenditionSpec) -> gst_app::AppSrc {
    let builder = gst_app::AppSrc::builder()
        .caps(&spec.input)
        .format(gst::Format::Time)
        .is_live(true)
        .max_bytes(0)
        .leaky_type(gst_app::AppLeakyType::Downstream);
    let is_raw_video = spec.is_raw() && spec.codec.kind() == MediaKind::Video;
    if is_raw_video {
        builder.max_buffers(RAW_FRAMES_WAITING).build()
    } else {
        builder.max_time(ENCODED_TIME_WAITING).build()
    }
}

/// The first encoder by rank that can be made ready: a hardware encoder may be installed and yet be busy.
fn make_encoder(spec: &RenditionSpec, hooks: &dyn Hooks) -> Result<gst::Element, RenditionError> {
    let mut refusals = Vec::new();
    for factory in factory::encoders(spec.codec) {
        let encoder = match factory.create().build() {
            Ok(encoder) => encoder,
            Err(error) => {
                refusals.push(format!("{}: {error}", factory.name()));
                continue;
            }
        };
        if !hooks.encoder_setup(&encoder) {
            tuning::tune(&encoder);
            tuning::set_bitrate(&encoder, spec.bitrate);
        }
        if encoder.set_state(gst::State::Ready).is_ok() {
            return Ok(encoder);
        }
        let _ = encoder.set_state(gst::State::Null);
        refusals.push(format!("{} did not become ready", factory.name()));
    }
    if refusals.is_empty() {
        refusals.push("none is installed".to_owned());
    }
    Err(RenditionError::NoEncoder(
        spec.codec.encoding_name(),
        refusals.join(", "),
    ))
}

fn make_payloader(spec: &RenditionSpec, hooks: &dyn Hooks) -> Result<gst::Element, RenditionError> {
    let payloader = gst::ElementFactory::make(factory::payloader(spec.codec)).build()?;
    if !hooks.payloader_setup(&payloader) {
        payloader.set_property("mtu", MTU);
        match spec.codec {
            Codec::Vp8 | Codec::Vp9 => payloader.set_property_from_str("picture-id-mode", "15-bit"),
            Codec::H264 | Codec::H265 => {
                payloader.set_property("config-interval", -1);
                payloader.set_property_from_str("aggregate-mode", "zero-latency");
            }
            Codec::Av1 | Codec::Opus => (),
        }
    }
    payloader.set_property("timestamp-offset", spec.timestamp_offset);
    Ok(payloader)
}

fn converters(spec: &RenditionSpec) -> Result<Vec<gst::Element>, gst::glib::BoolError> {
    if spec.codec.kind() == MediaKind::Audio {
        return ["audioconvert", "audioresample"]
            .iter()
            .map(|name| gst::ElementFactory::make(name).build())
            .collect();
    }
    let features = spec.input.features(0);
    let feature = features
        .and_then(|features| features.nth(0))
        .map_or("", |feature| feature.as_str());
    let mut elements: Vec<_> = factory::converter(feature)
        .iter()
        .map(|name| gst::ElementFactory::make(name).build())
        .collect::<Result<_, _>>()?;
    if elements
        .last()
        .and_then(|e| e.factory())
        .is_some_and(|factory| factory.name() == "videoconvert")
    {
        // 4:2:0 is what every browser decodes; left alone, encoders would follow a source that has more.
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", gst::List::new(["I420", "NV12"]))
            .build();
        elements.push(
            gst::ElementFactory::make("capsfilter")
                .property("caps", &caps)
                .build()?,
        );
    }
    Ok(elements)
}

/// Holds an encoder to the profile that is offered.
fn profile_filter(codec: Codec) -> Result<Option<gst::Element>, gst::glib::BoolError> {
    let caps = match codec {
        Codec::H264 => gst::Caps::builder("video/x-h264")
            .field("profile", "constrained-baseline")
            .build(),
        Codec::H265 => gst::Caps::builder("video/x-h265")
            .field("profile", "main")
            .build(),
        Codec::Vp8 | Codec::Vp9 | Codec::Av1 | Codec::Opus => return Ok(None),
    };
    gst::ElementFactory::make("capsfilter")
        .property("caps", &caps)
        .build()
        .map(Some)
}
