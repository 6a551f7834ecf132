//! Completing offers: that of the real webrtcbin, and ones with what it might do one day.

use proptest::prelude::*;

use super::*;
use crate::{
    Codec, assign_payload_types,
    testing::{WEBRTCBIN_OFFER, description, lines},
};

const FEEDBACK: Feedback = Feedback {
    nack: true,
    pli: true,
    fir: true,
    transport_cc: true,
};

fn options() -> OfferOptions {
    OfferOptions {
        rtx: true,
        formats: Vec::new(),
        feedback: FEEDBACK,
        send_only: true,
    }
}

fn complete(media: &[&str], options: &OfferOptions) -> String {
    complete_offer(&description(media), options).expect("a good offer")
}

fn rtx_of_all(sdp: &str) -> Vec<(u8, Option<u8>)> {
    let media = read_offer(sdp).expect("still a good offer");
    let formats = media.iter().flat_map(|media| &media.formats);
    formats
        .map(|offered| {
            (
                offered.format.payload_type.number(),
                offered.format.rtx.map(PayloadType::number),
            )
        })
        .collect()
}

#[test]
fn webrtcbins_offer_gets_a_retransmission_format_for_each_video_codec() {
    assert_eq!(
        rtx_of_all(WEBRTCBIN_OFFER),
        [(96, Some(97)), (98, None), (100, None), (102, None)],
        "what there is to be mended"
    );
    let completed = complete_offer(WEBRTCBIN_OFFER, &options()).unwrap();
    assert_eq!(
        rtx_of_all(&completed),
        [(96, Some(97)), (98, Some(99)), (100, Some(101)), (102, None)]
    );
    assert_eq!(
        lines(&completed, "m="),
        [
            "m=video 9 UDP/TLS/RTP/SAVPF 96 98 99 100 101 97",
            "m=audio 0 UDP/TLS/RTP/SAVPF 102"
        ]
    );
    assert_eq!(lines(&completed, "a=rtpmap:99"), ["a=rtpmap:99 rtx/90000"]);
    assert_eq!(lines(&completed, "a=fmtp:99"), ["a=fmtp:99 apt=98"]);
}

#[test]
fn nothing_is_lost_of_webrtcbins_offer() {
    let completed = complete_offer(WEBRTCBIN_OFFER, &options()).unwrap();
    let kept: Vec<_> = completed.lines().collect();
    for line in WEBRTCBIN_OFFER.lines() {
        let is_changed = line.starts_with("m=video") || line == "a=sendrecv";
        assert!(is_changed || kept.contains(&line), "{line}");
    }
    for attribute in [
        "a=ice-ufrag:",
        "a=ice-pwd:",
        "a=fingerprint:",
        "a=setup:",
        "a=mid:",
        "a=group:",
    ] {
        assert_eq!(lines(&completed, attribute), lines(WEBRTCBIN_OFFER, attribute));
    }
}

#[test]
fn m_lines_that_would_receive_only_send() {
    let completed = complete_offer(WEBRTCBIN_OFFER, &options()).unwrap();
    let directions: Vec<_> = read_offer(&completed)
        .unwrap()
        .into_iter()
        .map(|media| media.direction)
        .collect();
    assert_eq!(directions, [Direction::SendOnly, Direction::SendOnly]);
}

#[test]
fn directions_that_say_something_else_stay() {
    for direction in ["sendonly", "recvonly", "inactive"] {
        let sdp = complete(&[&format!("m=video 9 X 96\na={direction}")], &options());
        assert_eq!(lines(&sdp, &format!("a={direction}")).len(), 1);
    }
    let unsaid = complete(&["m=video 9 X 96"], &options());
    assert_eq!(
        lines(&unsaid, "a=sendonly").len(),
        1,
        "nothing said means both ways"
    );
    let data = complete(&["m=application 9 UDP/DTLS/SCTP webrtc-datachannel"], &options());
    assert_eq!(lines(&data, "a=sendonly").len(), 0);
}

#[test]
fn a_direction_of_the_whole_session_stays() {
    let sdp = description(&["m=video 9 X 96"]).replace("a=ice-ufrag:u", "a=inactive\r\na=ice-ufrag:u");
    let completed = complete_offer(&sdp, &options()).unwrap();
    assert_eq!(lines(&completed, "a=sendonly").len(), 0);
}

#[test]
fn only_what_is_asked_for_is_done() {
    let sdp = description(&["m=video 9 X 96\na=rtpmap:96 VP8/90000\na=sendrecv"]);
    assert_eq!(complete_offer(&sdp, &OfferOptions::default()).unwrap(), sdp);
}

#[test]
fn missing_feedback_is_offered_for_each_codec() {
    let sdp = complete(
        &[
            "m=video 9 X 96 98 99\na=rtpmap:96 VP8/90000\na=rtcp-fb:96 nack\na=rtpmap:98 H264/90000\na=rtpmap:99 red/90000",
            "m=audio 9 X 111\na=rtpmap:111 OPUS/48000/2",
        ],
        &OfferOptions {
            feedback: FEEDBACK,
            ..OfferOptions::default()
        },
    );
    assert_eq!(
        lines(&sdp, "a=rtcp-fb"),
        [
            "a=rtcp-fb:96 nack",
            "a=rtcp-fb:96 nack pli",
            "a=rtcp-fb:96 ccm fir",
            "a=rtcp-fb:96 transport-cc",
            "a=rtcp-fb:98 nack",
            "a=rtcp-fb:98 nack pli",
            "a=rtcp-fb:98 ccm fir",
            "a=rtcp-fb:98 transport-cc",
            "a=rtcp-fb:111 transport-cc",
        ],
        "for codecs only, and for audio only what congestion control needs"
    );
}

#[test]
fn feedback_for_all_formats_is_not_repeated_for_each() {
    let sdp = complete(
        &["m=video 9 X 96\na=rtpmap:96 VP8/90000\na=rtcp-fb:* nack\na=rtcp-fb:* nack pli"],
        &OfferOptions {
            feedback: Feedback {
                nack: true,
                pli: true,
                ..Feedback::default()
            },
            ..OfferOptions::default()
        },
    );
    assert_eq!(lines(&sdp, "a=rtcp-fb").len(), 2);
}

#[test]
fn the_numbers_we_assigned_are_preferred() {
    let formats = assign_payload_types(&[Codec::Vp8, Codec::H264], true).unwrap();
    let media = "m=video 9 X 96 98\na=rtpmap:96 VP8/90000\na=rtpmap:98 H264/90000";
    let sdp = complete(
        &[media],
        &OfferOptions {
            formats: formats.clone(),
            ..options()
        },
    );
    assert_eq!(rtx_of_all(&sdp), [(96, Some(97)), (98, Some(99))]);
    let mut elsewhere = formats;
    elsewhere[1].rtx = PayloadType::new(120);
    let sdp = complete(
        &[media],
        &OfferOptions {
            formats: elsewhere,
            ..options()
        },
    );
    assert_eq!(rtx_of_all(&sdp), [(96, Some(97)), (98, Some(120))]);
}

#[test]
fn a_number_in_use_anywhere_is_not_taken() {
    let sdp = complete(
        &[
            "m=video 9 X 96\na=rtpmap:96 VP8/90000",
            "m=audio 9 X 97\na=rtpmap:97 OPUS/48000/2",
        ],
        &options(),
    );
    assert_eq!(rtx_of_all(&sdp), [(96, Some(98)), (97, None)]);
}

#[test]
fn a_codec_in_two_m_lines_has_one_retransmission_format() {
    let video = "m=video 9 X 96 100\na=rtpmap:96 VP8/90000\na=rtpmap:100 VP9/90000";
    let sdp = complete(
        &[&format!("{video}\na=mid:a"), &format!("{video}\na=mid:b")],
        &options(),
    );
    assert_eq!(
        rtx_of_all(&sdp),
        [(96, Some(97)), (100, Some(101)), (96, Some(97)), (100, Some(101))]
    );
}

#[test]
fn a_number_that_is_merely_spoken_of_is_not_taken() {
    let sdp = complete(
        &["m=video 9 X 96\na=rtpmap:96 VP8/90000\na=fmtp:97 apt=30"],
        &options(),
    );
    assert_eq!(rtx_of_all(&sdp), [(96, Some(98))]);
}

#[test]
fn a_number_that_means_something_else_in_the_next_m_line_is_not_reused_there() {
    let sdp = complete(
        &[
            "m=video 9 X 96 97\na=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96",
            "m=video 9 X 96 97\na=rtpmap:96 VP8/90000\na=rtpmap:97 VP9/90000",
        ],
        &options(),
    );
    assert_eq!(rtx_of_all(&sdp), [(96, Some(97)), (96, Some(98)), (97, Some(99))]);
}

#[test]
fn retransmission_formats_that_repair_nothing_are_removed_with_all_they_say() {
    let sdp = complete(
        &["m=video 9 X 96 97 98 99 105
           a=rtpmap:96 VP8/90000
           a=rtpmap:97 rtx/90000
           a=fmtp:97 apt=96
           a=rtpmap:98 rtx/90000
           a=fmtp:98 apt=96
           a=rtpmap:99 rtx/90000
           a=fmtp:99 apt=50
           a=rtcp-fb:99 nack
           a=rtpmap:105 rtx/90000
           a=fmtp:105 apt=97"],
        &OfferOptions {
            rtx: true,
            ..OfferOptions::default()
        },
    );
    assert_eq!(lines(&sdp, "m="), ["m=video 9 X 96 97"]);
    for gone in ["98", "99", "105"] {
        for attribute in ["rtpmap", "fmtp", "rtcp-fb"] {
            assert_eq!(lines(&sdp, &format!("a={attribute}:{gone} ")).len(), 0);
        }
    }
}

#[test]
fn repair_formats_are_not_repaired() {
    let sdp = complete(
        &["m=video 9 X 96 116 117 118
           a=rtpmap:96 VP8/90000
           a=rtpmap:116 red/90000
           a=rtpmap:117 ulpfec/90000
           a=rtpmap:118 flexfec-03/90000"],
        &options(),
    );
    assert_eq!(lines(&sdp, "m="), ["m=video 9 X 96 97 116 117 118"]);
}

#[test]
fn rejected_m_lines_and_audio_get_no_retransmissions() {
    let sdp = complete(
        &[
            "m=video 0 X 96\na=rtpmap:96 VP8/90000",
            "m=audio 9 X 111\na=rtpmap:111 OPUS/48000/2",
        ],
        &options(),
    );
    assert_eq!(lines(&sdp, "m="), ["m=video 0 X 96", "m=audio 9 X 111"]);
}

#[test]
fn a_codec_that_is_not_known_here_is_repaired_at_its_clock_rate() {
    let sdp = complete(&["m=video 9 X 96\na=rtpmap:96 JPEG2000/27000000"], &options());
    assert_eq!(lines(&sdp, "a=rtpmap:97"), ["a=rtpmap:97 rtx/27000000"]);
}

#[test]
fn without_numbers_left_it_is_an_error() {
    let numbers: Vec<_> = (35..=63)
        .chain(96..=127)
        .map(|number| number.to_string())
        .collect();
    let media = format!("m=video 9 X {}\na=rtpmap:96 VP8/90000", numbers.join(" "));
    let error = complete_offer(&description(&[&media]), &options()).unwrap_err();
    assert_eq!(error.code(), "sdp-out-of-payload-types");
}

#[test]
fn what_is_no_offer_cannot_be_completed() {
    assert_eq!(complete_offer("", &options()), Err(SdpError::Empty));
    assert_eq!(
        complete_offer("v=x", &options()).unwrap_err().code(),
        "sdp-unparsable"
    );
}

fn media() -> impl Strategy<Value = String> {
    let numbers = prop::collection::vec(30_u8..130, 1..12);
    let line = prop_oneof![
        (30_u8..130, "(VP8|H264|VP9|rtx|red|OPUS)", "(90000|48000/2)")
            .prop_map(|(n, name, rate)| format!("a=rtpmap:{n} {name}/{rate}")),
        (30_u8..130, 30_u8..130).prop_map(|(n, apt)| format!("a=fmtp:{n} apt={apt}")),
        (30_u8..130, "(nack|nack pli|ccm fir|transport-cc)")
            .prop_map(|(n, value)| format!("a=rtcp-fb:{n} {value}")),
        "a=(sendrecv|sendonly|recvonly|inactive)".prop_map(|line| line),
        "a=[a-z]{1,8}(:[ -~]{0,12})?".prop_map(|line| line),
    ];
    ("(video|audio)", numbers, prop::collection::vec(line, 0..30)).prop_map(|(kind, numbers, lines)| {
        let numbers: Vec<_> = numbers.iter().map(u8::to_string).collect();
        format!(
            "m={kind} 9 UDP/TLS/RTP/SAVPF {}\n{}",
            numbers.join(" "),
            lines.join("\n")
        )
    })
}

proptest! {
    #[test]
    fn completing_twice_changes_nothing(media in prop::collection::vec(media(), 1..4)) {
        let media: Vec<_> = media.iter().map(String::as_str).collect();
        if let Ok(once) = complete_offer(&description(&media), &options()) {
            prop_assert_eq!(complete_offer(&once, &options()).unwrap(), once);
        }
    }

    #[test]
    fn after_completion_every_video_codec_is_repaired_by_a_number_of_its_own(media in prop::collection::vec(media(), 1..4)) {
        let media: Vec<_> = media.iter().map(String::as_str).collect();
        if let Ok(completed) = complete_offer(&description(&media), &options()) {
            for section in &sdp::read_sections(&sdp::parse(&completed).unwrap(), false).unwrap_or_default() {
                let video = section.formats.iter().filter(|_| section.kind == MediaKind::Video);
                let rtx: Vec<_> = video.map(|offered| offered.format.rtx).collect();
                prop_assert!(rtx.iter().all(Option::is_some));
                prop_assert_eq!(rtx.iter().collect::<BTreeSet<_>>().len(), rtx.len());
                prop_assert!(section.formats.iter().all(|offered| offered.transport_cc));
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text: String, at in 0_usize..4_000, byte in 0_u8..128) {
        let _ = complete_offer(&text, &options());
        let mut bytes = WEBRTCBIN_OFFER.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = complete_offer(&String::from_utf8(bytes).unwrap(), &options());
    }
}
