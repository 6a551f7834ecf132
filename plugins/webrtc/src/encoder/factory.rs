//! Which elements of this installation encode, parse and pack a codec.

use gst::prelude::*;
use weir_negotiation::{Codec, MediaKind};

/// Whether raw media can be encoded to `codec` and sent.
pub(crate) fn can_encode(codec: Codec) -> bool {
    can_pay(codec) && !encoders(codec).is_empty()
}

/// Whether media that is encoded already can be sent.
pub(crate) fn can_pay(codec: Codec) -> bool {
    let parser_is_there = parser(codec).is_none_or(|name| gst::ElementFactory::find(name).is_some());
    parser_is_there && gst::ElementFactory::find(payloader(codec)).is_some()
}

/// The encoders of `codec`, best rank first; those of no rank are left out, as autoplugging does.
pub(super) fn encoders(codec: Codec) -> Vec<gst::ElementFactory> {
    let kind = match codec.kind() {
        MediaKind::Audio => gst::ElementFactoryType::AUDIO_ENCODER,
        MediaKind::Video | MediaKind::Application | MediaKind::Other => {
            gst::ElementFactoryType::VIDEO_ENCODER
        }
    };
    let caps = gst::Caps::new_empty_simple(codec.caps_name());
    let mut found: Vec<_> = gst::ElementFactory::factories_with_type(kind, gst::Rank::MARGINAL)
        .into_iter()
        .filter(|factory| factory.can_src_any_caps(&caps))
        .collect();
    found.sort_by(|a, b| b.rank().cmp(&a.rank()).then_with(|| a.name().cmp(&b.name())));
    found
}

/// The parser that makes a stream of `codec` ready for its payloader, if it needs one.
pub(super) fn parser(codec: Codec) -> Option<&'static str> {
    match codec {
        Codec::H264 => Some("h264parse"),
        Codec::H265 => Some("h265parse"),
        Codec::Vp9 => Some("vp9parse"),
        Codec::Av1 => Some("av1parse"),
        Codec::Opus => Some("opusparse"),
        Codec::Vp8 => None,
    }
}

/// The payloader of `codec`.
pub(super) fn payloader(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => "rtpvp8pay",
        Codec::Vp9 => "rtpvp9pay",
        Codec::H264 => "rtph264pay",
        Codec::H265 => "rtph265pay",
        Codec::Av1 => "rtpav1pay",
        Codec::Opus => "rtpopuspay",
    }
}

/// The element that brings media of a memory `feature` into system memory, or a form that encoders take.
pub(super) fn converter(feature: &str) -> &'static [&'static str] {
    match feature {
        "memory:GLMemory" => &["gldownload", "videoconvert"],
        "memory:CUDAMemory" => &["cudadownload", "videoconvert"],
        "memory:NVMM" => &["nvvideoconvert"],
        "memory:VAMemory" => &["vapostproc"],
        "memory:D3D11Memory" => &["d3d11download", "videoconvert"],
        _ => &["videoconvert"],
    }
}
