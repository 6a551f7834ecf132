//! What a viewer is offered, as caps for webrtcbin.

use weir_forwarding::Extensions;
use weir_negotiation::{Codec, Feedback, Format, MediaKind, OfferOptions, assign_payload_types};
use weir_units::Mid;

use super::settings::Settings;

/// The payload types of every codec: the same for all viewers and all streams, whatever is offered in what order.
#[derive(Clone, Debug, Default)]
pub(super) struct Formats(Vec<Format>);

/// The ids of the header extensions that are offered.
const MID_ID: u8 = 1;
const TWCC_ID: u8 = 2;
const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const TWCC_URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

impl Formats {
    pub(super) fn new(settings: &Settings) -> Self {
        Self(assign_payload_types(&Codec::ALL, settings.do_retransmission).unwrap_or_default())
    }

    /// The formats of `codecs`, in their order.
    pub(super) fn of(&self, codecs: &[Codec]) -> Vec<Format> {
        codecs.iter().filter_map(|codec| self.0.iter().find(|format| format.codec == *codec)).cloned().collect()
    }

    /// How an offer of webrtcbin's is completed.
    pub(super) fn offer_options(&self, settings: &Settings) -> OfferOptions {
        OfferOptions {
            rtx: settings.do_retransmission,
            formats: self.0.clone(),
            feedback: Feedback { nack: settings.do_retransmission, pli: true, fir: true, transport_cc: true },
            send_only: true,
        }
    }
}

/// The caps of a transceiver that offers `formats`, best first, all on one SSRC.
pub(super) fn transceiver_caps(formats: &[Format], ssrc: u32) -> gst::Caps {
    let mut caps = gst::Caps::new_empty();
    {
        let caps = caps.make_mut();
        for (index, format) in formats.iter().enumerate() {
            let mut structure = format_caps(format);
            if index == 0 {
                // Said once: webrtcbin writes what it finds in each structure into the m-line.
                structure.set("ssrc", ssrc);
                structure.set(extmap(MID_ID), MID_URI);
                structure.set(extmap(TWCC_ID), TWCC_URI);
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
pub(super) fn extensions(ids: &weir_negotiation::ExtensionIds, mid: Option<Mid>) -> Extensions {
    Extensions { mid: ids.mid.zip(mid), rid: None, twcc: ids.twcc }
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
