//! What a viewer is offered, as caps for webrtcbin.

use weir_forwarding::Extensions;
use weir_negotiation::{
    Codec, ExtensionIds, Feedback, Format, MediaKind, OfferOptions, assign_payload_types,
};
use weir_units::Mid;

use super::settings::Settings;

/// The payload types of every codec: the same for all viewers and all streams, whatever is offered in what order.
#[derive(Clone, Debug, Default)]
pub(super) struct Formats(Vec<Format>);

/// The ids of the header extensions that are offered.
const EXTENSION_IDS: ExtensionIds = ExtensionIds {
    mid: Some(1),
    rid: None,
    repaired_rid: None,
    twcc: Some(2),
    abs_send_time: None,
    audio_level: None,
};
const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const TWCC_URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

impl Formats {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut formats = assign_payload_types(&Codec::ALL, settings.do_retransmission).unwrap_or_default();
        for format in &mut formats {
            for (name, value) in parameters(format.codec) {
                format.fmtp.set(name, value);
            }
        }
        Self(formats)
    }

    /// The formats of `codecs`, in their order. `encoded` are the caps of media that comes in encoded.
    pub(super) fn of(&self, codecs: &[Codec], encoded: Option<&gst::CapsRef>) -> Vec<Format> {
        let mut formats: Vec<_> = codecs
            .iter()
            .filter_map(|codec| self.0.iter().find(|format| format.codec == *codec))
            .cloned()
            .collect();
        let profile = encoded
            .and_then(|caps| caps.structure(0))
            .and_then(h264_profile_level_id);
        if let Some(profile) = profile {
            for format in formats.iter_mut().filter(|format| format.codec == Codec::H264) {
                format.fmtp.set("profile-level-id", &profile);
            }
        }
        formats
    }

    /// How an offer of webrtcbin's is completed.
    pub(super) fn offer_options(&self, settings: &Settings) -> OfferOptions {
        OfferOptions {
            rtx: settings.do_retransmission,
            formats: self.0.clone(),
            feedback: Feedback {
                nack: settings.do_retransmission,
                pli: true,
                fir: true,
                transport_cc: true,
            },
            send_only: true,
        }
    }
}

/// What our encoders and payloaders make, as format parameters.
fn parameters(codec: Codec) -> &'static [(&'static str, &'static str)] {
    match codec {
        // Constrained baseline at level 3.1, which every browser takes; with asymmetry allowed the level binds
        // nobody (RFC 6184, section 8.1).
        Codec::H264 => &[
            ("level-asymmetry-allowed", "1"),
            ("packetization-mode", "1"),
            ("profile-level-id", "42e01f"),
        ],
        Codec::Vp9 => &[("profile-id", "0")],
        Codec::Opus => &[("minptime", "10"), ("useinbandfec", "1")],
        Codec::Vp8 | Codec::H265 | Codec::Av1 => &[],
    }
}

/// The `profile-level-id` (RFC 6184, section 8.1) of H.264 caps that tell their profile; none for those of other codecs.
fn h264_profile_level_id(caps: &gst::StructureRef) -> Option<String> {
    if caps.name() != Codec::H264.caps_name() {
        return None;
    }
    let profile = match caps.get::<&str>("profile").ok()? {
        "constrained-baseline" => "42e0",
        "baseline" => "4200",
        "main" => "4d00",
        "constrained-high" => "640c",
        "high" => "6400",
        _ => return None,
    };
    let level = caps.get::<&str>("level").ok().and_then(|level| {
        let (major, minor) = level.split_once('.').unwrap_or((level, "0"));
        Some(
            major
                .parse::<u8>()
                .ok()?
                .checked_mul(10)?
                .saturating_add(minor.parse().ok()?),
        )
    });
    Some(format!("{profile}{:02x}", level.unwrap_or(31)))
}

/// The caps of a transceiver for `formats`, best first, all on one SSRC. `theirs` are the header extensions of the
/// viewer's offer, if it made one: an answer keeps to their ids (RFC 8285, section 6).
pub(super) fn transceiver_caps(formats: &[Format], ssrc: u32, theirs: Option<ExtensionIds>) -> gst::Caps {
    let ids = theirs.unwrap_or(EXTENSION_IDS);
    let mut caps = gst::Caps::new_empty();
    {
        let caps = caps.make_mut();
        for (index, format) in formats.iter().enumerate() {
            let mut structure = format_caps(format);
            if index == 0 {
                // Said once: webrtcbin writes what it finds in each structure into the m-line.
                structure.set("ssrc", ssrc);
                for (id, uri) in [(ids.mid, MID_URI), (ids.twcc, TWCC_URI)] {
                    if let Some(id) = id {
                        structure.set(extmap(id), uri);
                    }
                }
            }
            caps.append_structure(structure);
        }
    }
    caps
}

/// The caps of the packets that a viewer will get.
pub(super) fn packet_caps(format: &Format, ssrc: u32, extensions: &Extensions) -> gst::Caps {
    let mut structure = format_caps(format);
    structure.set("ssrc", ssrc);
    if let Some((id, _)) = extensions.mid {
        structure.set(extmap(id), MID_URI);
    }
    if let Some(id) = extensions.twcc {
        structure.set(extmap(id), TWCC_URI);
    }
    gst::Caps::builder_full().structure(structure).build()
}

/// The header extensions that are written for a viewer who answered with these.
pub(super) fn extensions(ids: &ExtensionIds, mid: Option<Mid>) -> Extensions {
    Extensions {
        mid: ids.mid.zip(mid),
        rid: None,
        twcc: ids.twcc,
    }
}

fn format_caps(format: &Format) -> gst::Structure {
    let media = match format.codec.kind() {
        MediaKind::Audio => "audio",
        MediaKind::Video | MediaKind::Application | MediaKind::Other => "video",
    };
    let clock_rate = i32::try_from(format.codec.clock_rate()).unwrap_or_default();
    let mut structure = gst::Structure::builder("application/x-rtp")
        .field("media", media)
        .field("encoding-name", format.codec.encoding_name())
        .field("payload", i32::from(format.payload_type.number()))
        .field("clock-rate", clock_rate)
        .build();
    if let Some(channels) = format.codec.channels() {
        structure.set("encoding-params", channels.to_string());
    }
    for (name, value) in format.fmtp.iter() {
        structure.set(name, value);
    }
    structure
}

fn extmap(id: u8) -> String {
    format!("extmap-{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h264(fields: &str) -> Option<String> {
        gst::init().expect("GStreamer");
        let caps: gst::Caps = format!("video/x-h264{fields}").parse().expect("caps");
        h264_profile_level_id(caps.structure(0)?)
    }

    #[test]
    fn encoded_h264_is_offered_with_its_own_profile_and_level() {
        assert_eq!(
            h264(",profile=constrained-baseline,level=(string)3.1").as_deref(),
            Some("42e01f")
        );
        assert_eq!(h264(",profile=main,level=(string)4").as_deref(), Some("4d0028"));
        assert_eq!(h264(",profile=high").as_deref(), Some("64001f"));
        assert_eq!(
            h264(""),
            None,
            "what is not known is offered as what our encoders make"
        );
    }

    #[test]
    fn all_codecs_have_payload_types_of_their_own() {
        gst::init().expect("GStreamer");
        let formats = Formats::new(&Settings::default()).0;
        let mut numbers: Vec<_> = formats
            .iter()
            .flat_map(|format| [Some(format.payload_type), format.rtx])
            .flatten()
            .collect();
        let count = numbers.len();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
        assert_eq!(formats.len(), Codec::ALL.len());
    }
}
