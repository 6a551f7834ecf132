use proptest::prelude::*;

use super::*;
use crate::{
    Codec, Feedback, OfferOptions, complete_offer,
    testing::{CHROMIUM_ANSWER, WEBRTCBIN_OFFER, description},
};

fn completed_offer() -> String {
    let feedback = Feedback {
        nack: true,
        pli: true,
        fir: true,
        transport_cc: true,
    };
    let options = OfferOptions {
        rtx: true,
        formats: Vec::new(),
        feedback,
        send_only: true,
    };
    complete_offer(WEBRTCBIN_OFFER, &options).unwrap()
}

fn read(offer: &str, answer: &str) -> Vec<MediaAnswer> {
    read_answer(&description(&[offer]), &description(&[answer])).expect("a good answer")
}

fn error(offer: &[&str], answer: &[&str]) -> AnswerError {
    read_answer(&description(offer), &description(answer)).expect_err("a bad answer")
}

fn numbers(media: &MediaAnswer) -> Vec<(Codec, u8, Option<u8>)> {
    let formats = media.formats.iter().map(|accepted| &accepted.format);
    formats
        .map(|format| {
            (
                format.codec,
                format.payload_type.number(),
                format.rtx.map(PayloadType::number),
            )
        })
        .collect()
}

#[test]
fn chromium_takes_all_that_is_offered_with_retransmissions_for_each() {
    let media = read_answer(&completed_offer(), CHROMIUM_ANSWER).unwrap();
    let [video, audio] = media.as_slice() else {
        panic!("two m-lines");
    };
    assert_eq!(
        numbers(video),
        [
            (Codec::Vp8, 96, Some(97)),
            (Codec::H264, 98, Some(99)),
            (Codec::Vp9, 100, Some(101))
        ]
    );
    assert!(video.may_send && !video.rejected);
    assert_eq!(video.direction, Direction::RecvOnly);
    assert_eq!(video.mid.unwrap().as_str(), "video0");
    assert_eq!((video.extensions.mid, video.extensions.twcc), (Some(1), Some(3)));
    for accepted in &video.formats {
        assert!(accepted.nack && accepted.pli && accepted.fir && accepted.transport_cc);
        assert_eq!(accepted.offered, accepted.format.payload_type);
    }
    assert_eq!(numbers(audio), [(Codec::Opus, 102, None)]);
    assert!(audio.may_send);
}

#[test]
fn formats_come_in_the_viewers_order() {
    let media = read(
        "m=video 9 X 96 98\na=rtpmap:96 VP8/90000\na=rtpmap:98 VP9/90000",
        "m=video 9 X 98 96\na=rtpmap:96 VP8/90000\na=rtpmap:98 VP9/90000",
    );
    assert_eq!(
        numbers(&media[0]),
        [(Codec::Vp9, 98, None), (Codec::Vp8, 96, None)]
    );
}

#[test]
fn a_rejected_m_line_has_no_formats_and_nothing_may_be_sent() {
    let media = read(
        "m=video 9 X 96\na=rtpmap:96 VP8/90000",
        "m=video 0 X 96\na=rtpmap:96 VP8/90000",
    );
    assert!(media[0].rejected && !media[0].may_send);
    assert_eq!(media[0].formats, []);
}

#[test]
fn who_does_not_receive_is_not_sent_to() {
    let offer = "m=video 9 X 96\na=rtpmap:96 VP8/90000";
    for (direction, may_send) in [
        ("recvonly", true),
        ("sendrecv", true),
        ("inactive", false),
        ("sendonly", false),
    ] {
        let media = read(offer, &format!("{offer}\na={direction}"));
        assert_eq!(media[0].may_send, may_send, "{direction}");
    }
    let media = read(&format!("{offer}\na=inactive"), &format!("{offer}\na=recvonly"));
    assert!(
        !media[0].may_send,
        "nor is anything sent that was not offered to be sent"
    );
}

#[test]
fn what_was_not_offered_is_not_accepted() {
    let media = read(
        "m=video 9 X 96\na=rtpmap:96 VP8/90000\na=rtcp-fb:96 nack",
        "m=video 9 X 96 98\na=rtpmap:96 VP8/90000\na=rtpmap:98 VP9/90000\na=rtcp-fb:96 nack pli\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
    );
    assert_eq!(numbers(&media[0]), [(Codec::Vp8, 96, None)]);
    let accepted = &media[0].formats[0];
    assert!(
        !accepted.nack && !accepted.pli,
        "feedback is what both sides said"
    );
    assert_eq!(media[0].extensions.mid, None);
}

#[test]
fn a_viewer_may_number_its_formats_as_it_likes() {
    let media = read(
        "m=video 9 X 96 97 98
         a=rtpmap:96 H264/90000
         a=fmtp:96 packetization-mode=1;profile-level-id=4d001f
         a=rtpmap:97 VP8/90000
         a=rtpmap:98 H264/90000
         a=fmtp:98 packetization-mode=1;profile-level-id=42e01f",
        "m=video 9 X 120 97
         a=rtpmap:120 H264/90000
         a=fmtp:120 profile-level-id=42e01f;packetization-mode=1
         a=rtpmap:97 rtx/90000
         a=fmtp:97 apt=120",
    );
    assert_eq!(numbers(&media[0]), [(Codec::H264, 120, Some(97))]);
    assert_eq!(
        media[0].formats[0].offered.number(),
        98,
        "the profile tells which one is meant"
    );
}

#[test]
fn the_same_number_is_meant_before_a_better_match() {
    let h264 = |number, profile| {
        format!(
            "a=rtpmap:{number} H264/90000\na=fmtp:{number} packetization-mode=1;profile-level-id={profile}"
        )
    };
    let offer = format!(
        "m=video 9 X 96 98\n{}\n{}",
        h264(96, "42e01f"),
        h264(98, "4d001f")
    );
    let media = read(&offer, &format!("m=video 9 X 96\n{}", h264(96, "4d001f")));
    assert_eq!(media[0].formats[0].offered.number(), 96);
}

#[test]
fn of_formats_that_match_alike_the_first_one_offered_is_meant() {
    let media = read(
        "m=video 9 X 96 98\na=rtpmap:96 VP8/90000\na=rtpmap:98 VP8/90000",
        "m=video 9 X 120\na=rtpmap:120 VP8/90000",
    );
    assert_eq!(media[0].formats[0].offered.number(), 96);
}

#[test]
fn a_format_whose_parameters_do_not_match_is_not_accepted() {
    let media = read(
        "m=video 9 X 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1;profile-level-id=42e01f",
        "m=video 9 X 96\na=rtpmap:96 H264/90000\na=fmtp:96 profile-level-id=42e01f",
    );
    assert_eq!(media[0].formats, []);
}

#[test]
fn an_answer_without_mids_is_read_by_the_offers() {
    let media = read("m=video 9 X 96\na=mid:v", "m=video 9 X 96");
    assert_eq!(media[0].mid.unwrap().as_str(), "v");
}

#[test]
fn m_lines_must_be_as_many_and_of_the_same_kinds_as_offered() {
    let (video, audio) = ("m=video 9 X 96", "m=audio 9 X 111");
    assert_eq!(
        error(&[video, audio], &[video]),
        AnswerError::MediaCount {
            offered: 2,
            answered: 1
        }
    );
    assert_eq!(
        error(&[video, audio], &[audio, video]),
        AnswerError::MediaKind {
            index: 0,
            offered: MediaKind::Video,
            answered: MediaKind::Audio
        }
    );
    assert_eq!(
        error(&["m=video 9 X 96\na=mid:a"], &["m=video 9 X 96\na=mid:b"]),
        AnswerError::Mid { index: 0 }
    );
}

#[test]
fn an_m_line_that_was_not_offered_for_use_cannot_be_taken() {
    assert_eq!(
        error(&["m=video 0 X 96"], &["m=video 9 X 96"]),
        AnswerError::NotOffered { index: 0 }
    );
    assert!(read("m=video 0 X 96", "m=video 0 X 96")[0].rejected);
}

#[test]
fn broken_answers_are_told_apart_by_their_codes() {
    let offer = completed_offer();
    let code = |answer: &str| read_answer(&offer, answer).unwrap_err().code();
    assert_eq!(code(""), "sdp-empty");
    assert_eq!(code("v=0"), "sdp-no-media");
    assert_eq!(code("{}"), "sdp-unparsable");
    assert_eq!(code(&"x".repeat(300_000)), "sdp-too-long");
    assert_eq!(
        code(&CHROMIUM_ANSWER.replace("a=ice-pwd", "a=x-pwd")),
        "sdp-no-ice-credentials"
    );
    assert_eq!(
        code(&CHROMIUM_ANSWER.replace("a=fingerprint", "a=x")),
        "sdp-no-fingerprint"
    );
    assert_eq!(
        code(&CHROMIUM_ANSWER.replace("a=mid:video0", "a=mid:x y")),
        "sdp-bad-mid"
    );
    assert_eq!(
        code(&CHROMIUM_ANSWER.replace("a=mid:video0", "a=mid:x")),
        "answer-mid"
    );
    assert_eq!(
        code(&CHROMIUM_ANSWER.replace("m=video", "m=audio")),
        "answer-media-kind"
    );
    assert_eq!(
        code(&CHROMIUM_ANSWER.replace("m=audio", "a=x")),
        "answer-media-count"
    );
}

#[test]
fn a_bad_offer_is_our_own_mistake() {
    let error = read_answer("", CHROMIUM_ANSWER).unwrap_err();
    assert_eq!(error.code(), "answer-to-bad-offer");
    assert_eq!(error.to_string(), "bad offer: the session description is empty");
}

proptest! {
    #[test]
    fn arbitrary_answers_never_panic(text: String) {
        let _ = read_answer(WEBRTCBIN_OFFER, &text);
        let _ = read_answer(&text, CHROMIUM_ANSWER);
    }

    #[test]
    fn damaged_answers_never_panic_and_nothing_is_accepted_that_was_not_offered(
        damage in prop::collection::vec((0_usize..4_000, 0_u8..128), 1..8),
    ) {
        let offer = completed_offer();
        let mut bytes = CHROMIUM_ANSWER.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        match read_answer(&offer, &String::from_utf8(bytes).unwrap()) {
            Ok(media) => {
                let offered = crate::read_offer(&offer).unwrap();
                for (answered, offered) in media.iter().zip(&offered) {
                    for accepted in &answered.formats {
                        let codec = accepted.format.codec;
                        prop_assert!(offered.formats.iter().any(|ours| ours.format.codec == codec));
                    }
                }
            }
            Err(error) => prop_assert!(error.code().bytes().all(|c| c.is_ascii_lowercase() || c == b'-')),
        }
    }
}
