//! Which of the offered formats of an m-line is answered.

use gst_sdp::SDPMediaRef;

use super::output::format::PayloadFormat;

/// A format to answer with.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// RTP caps that the offered format, and no other, matches.
    pub(super) caps: gst::Caps,
    /// Whether ULPFEC in RED (RFC 5109, RFC 2198) is offered with it.
    pub(super) fec: bool,
}

/// The first of `codecs` that is offered and that can be depayloaded here. Of several formats of it, the one that suits
/// every decoder: for H.264 packetization mode 1, for VP9 profile 0.
pub(super) fn choose(media: &SDPMediaRef, codecs: &[&'static PayloadFormat]) -> Option<Choice> {
    let offered: Vec<Offered> = media
        .formats()
        .filter_map(|format| Offered::read(media, format))
        .collect();
    let has = |name: &str| offered.iter().any(|format| format.encoding_name == name);
    let fec = has("RED") && has("ULPFEC");
    codecs
        .iter()
        .filter(|codec| codec.depayloader().is_some())
        .find_map(|codec| {
            let mut formats: Vec<&Offered> = offered
                .iter()
                .filter(|format| format.encoding_name == codec.encoding_name)
                .collect();
            // Stable: the producer's order decides among equals.
            formats.sort_by_key(|format| !format.suits_all);
            formats.first().map(|format| Choice {
                caps: format.caps.clone(),
                fec: fec && codec.video,
            })
        })
}

/// Some format of the m-line: for one that nothing is wanted of, and that is answered all the same.
pub(super) fn any(media: &SDPMediaRef) -> Option<Choice> {
    let format = media.formats().find_map(|format| Offered::read(media, format))?;
    Some(Choice {
        caps: format.caps,
        fec: false,
    })
}

/// RTP caps to offer `codecs` with, with payload types taken from `payload`.
pub(super) fn offered_caps(
    codecs: &[&'static PayloadFormat],
    payload: &mut impl Iterator<Item = i32>,
) -> gst::Caps {
    let mut caps = gst::Caps::new_empty();
    for codec in codecs.iter().filter(|codec| codec.depayloader().is_some()) {
        let (Some(clock_rate), Some(payload)) = (codec.clock_rate(), payload.next()) else {
            continue;
        };
        let mut structure = gst::Structure::builder("application/x-rtp")
            .field("media", if codec.video { "video" } else { "audio" })
            .field("payload", payload)
            .field("clock-rate", clock_rate)
            .field("encoding-name", codec.encoding_name)
            .build();
        for (name, value) in codec.offered_parameters() {
            structure.set(*name, *value);
        }
        caps.make_mut().append_structure(structure);
    }
    caps
}

struct Offered {
    encoding_name: String,
    caps: gst::Caps,
    suits_all: bool,
}

impl Offered {
    fn read(media: &SDPMediaRef, format: &str) -> Option<Self> {
        let payload: u8 = format.parse().ok().filter(|payload| *payload < 128)?;
        let caps = media.caps_from_media(payload.into())?;
        let structure = caps.structure(0)?;
        let encoding_name = structure.get::<&str>("encoding-name").ok()?.to_ascii_uppercase();
        let clock_rate = structure.get::<i32>("clock-rate").ok().filter(|rate| *rate > 0)?;
        let parameter = |name: &str| structure.get::<&str>(name).ok();
        let suits_all = match encoding_name.as_str() {
            "H264" => parameter("packetization-mode") == Some("1"),
            "VP9" => parameter("profile-id").is_none_or(|profile| profile == "0"),
            _ => true,
        };
        let caps = gst::Caps::builder("application/x-rtp")
            .field("media", media.media()?)
            .field("payload", i32::from(payload))
            .field("clock-rate", clock_rate)
            .field("encoding-name", structure.get::<&str>("encoding-name").ok()?)
            .build();
        Some(Self {
            encoding_name,
            caps,
            suits_all,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elements::source::settings::codecs;

    fn media(lines: &str) -> gst_sdp::SDPMessage {
        gst::init().unwrap();
        let text = format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{lines}");
        gst_sdp::SDPMessage::parse_buffer(text.as_bytes()).unwrap()
    }

    fn payload(sdp: &gst_sdp::SDPMessage, names: &[&str]) -> Option<i32> {
        let media = sdp.media(0).unwrap();
        let choice = choose(media, &codecs(names.iter().copied(), true))?;
        Some(choice.caps.structure(0).unwrap().get("payload").unwrap())
    }

    const BROWSER: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101 102 103\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
        a=rtpmap:98 H264/90000\r\na=fmtp:98 packetization-mode=0;profile-level-id=42e01f\r\n\
        a=rtpmap:99 H264/90000\r\na=fmtp:99 packetization-mode=1;profile-level-id=42e01f\r\n\
        a=rtpmap:100 VP9/90000\r\na=fmtp:100 profile-id=2\r\na=rtpmap:101 VP9/90000\r\n\
        a=rtpmap:102 red/90000\r\na=rtpmap:103 ulpfec/90000\r\n";

    #[test]
    fn the_applications_order_decides_not_the_producers() {
        let sdp = media(BROWSER);
        assert_eq!(payload(&sdp, &["VP8", "H264"]), Some(96));
        assert_eq!(
            payload(&sdp, &["H264", "VP8"]),
            Some(99),
            "and packetization mode 1 goes first"
        );
        assert_eq!(payload(&sdp, &["VP9"]), Some(101), "profile 0 goes first");
    }

    #[test]
    fn a_codec_that_is_not_offered_or_not_wanted_is_not_chosen() {
        let sdp = media(BROWSER);
        assert_eq!(payload(&sdp, &["H265"]), None);
        assert_eq!(payload(&sdp, &[]), None);
    }

    #[test]
    fn forward_error_correction_is_taken_where_it_is_offered() {
        let sdp = media(BROWSER);
        let choice = choose(sdp.media(0).unwrap(), &codecs(["VP8"].into_iter(), true)).unwrap();
        assert!(choice.fec);
    }

    #[test]
    fn formats_that_make_no_sense_are_skipped() {
        let sdp = media(
            "m=video 9 UDP/TLS/RTP/SAVPF x 300 -1 120 121\r\na=rtpmap:300 VP8/90000\r\na=rtpmap:121 VP8/90000\r\n",
        );
        assert_eq!(payload(&sdp, &["VP8"]), Some(121));
        assert!(any(sdp.media(0).unwrap()).is_some());
    }
}
