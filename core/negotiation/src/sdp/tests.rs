//! Reading descriptions: limits, and what the attributes of an m-line mean. Through `read_offer`, as callers do.

use proptest::prelude::*;

use super::*;
use crate::{
    MediaOffer, read_offer,
    testing::{CHROMIUM_VIEWER_OFFER, WEBRTCBIN_OFFER, description},
};

fn read_one(media: &str) -> MediaOffer {
    let mut media = read_offer(&description(&[media])).expect("a good description");
    assert_eq!(media.len(), 1);
    media.remove(0)
}

fn error(sdp: &str) -> SdpError {
    read_offer(sdp).expect_err("a bad description")
}

#[test]
fn a_viewers_offer_is_read() {
    let media = read_offer(CHROMIUM_VIEWER_OFFER).unwrap();
    let [video, audio] = media.as_slice() else {
        panic!("two m-lines");
    };
    assert_eq!(
        (video.kind, video.direction),
        (MediaKind::Video, Direction::RecvOnly)
    );
    assert_eq!(video.mid.unwrap().as_str(), "0");
    let codecs: Vec<_> = video.formats.iter().map(|offered| offered.format.codec).collect();
    assert_eq!(
        codecs.iter().filter(|codec| **codec == Codec::H264).count(),
        8,
        "one for each profile and mode"
    );
    assert!(codecs.contains(&Codec::Vp8) && codecs.contains(&Codec::Vp9) && codecs.contains(&Codec::Av1));
    for offered in &video.formats {
        assert!(offered.format.rtx.is_some() && offered.nack && offered.pli && offered.fir);
        assert!(offered.transport_cc);
    }
    assert_eq!(
        video.extensions,
        ExtensionIds {
            mid: Some(9),
            rid: Some(10),
            repaired_rid: Some(11),
            twcc: Some(4),
            abs_send_time: Some(2),
            audio_level: None
        }
    );
    assert_eq!(audio.extensions.audio_level, Some(14));
    assert_eq!(
        audio.formats.len(),
        1,
        "red and comfort noise are no codecs of ours"
    );
    assert_eq!(audio.formats[0].format.fmtp.value("useinbandfec"), Some("1"));
}

#[test]
fn an_m_line_that_is_merely_bundled_is_not_rejected() {
    let media = read_offer(WEBRTCBIN_OFFER).unwrap();
    assert!(!media[1].rejected, "port 0, with bundle-only");
    assert!(read_one("m=audio 0 UDP/TLS/RTP/SAVPF 111\na=rtpmap:111 opus/48000/2").rejected);
}

#[test]
fn emptiness_is_named() {
    for empty in ["", " \r\n \n"] {
        assert_eq!(error(empty), SdpError::Empty);
    }
    assert_eq!(error(&description(&[])), SdpError::NoMedia);
}

#[test]
fn what_is_too_much_is_not_read() {
    let long = description(&[&format!("m=video 9 RTP/AVP 96\na=x:{}", "y".repeat(MAX_SDP_LEN))]);
    assert_eq!(error(&long), SdpError::TooLong);
    let media = ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel"; MAX_MEDIA + 1];
    assert_eq!(read_offer(&description(&media[1..])).unwrap().len(), MAX_MEDIA);
    assert_eq!(error(&description(&media)), SdpError::TooManyMedia);
}

#[test]
fn text_that_is_no_description_is_unparsable() {
    for text in [
        "hello",
        "v=1\r\n",
        "v=0\r\nm=video\r\n",
        "{\"type\":\"offer\"}",
        "m=video 9 RTP/AVP 96\r\n",
    ] {
        assert_eq!(error(text).code(), "sdp-unparsable", "{text:?}");
    }
}

#[test]
fn errors_do_not_repeat_what_the_peer_sent() {
    for text in [
        "v=secret\r\n",
        "v=0\r\nm=secret x y z\r\n",
        "secret",
        "v=0\r\no=secret\r\n",
    ] {
        assert!(!error(text).to_string().contains("secret"), "{}", error(text));
    }
}

#[test]
fn without_credentials_or_fingerprint_nobody_can_connect() {
    let good = description(&["m=video 9 UDP/TLS/RTP/SAVPF 96"]);
    for (line, code) in [
        ("a=ice-ufrag:u\r\n", "sdp-no-ice-credentials"),
        ("a=ice-pwd:p\r\n", "sdp-no-ice-credentials"),
        ("a=fingerprint:sha-256 AA\r\n", "sdp-no-fingerprint"),
    ] {
        assert_eq!(error(&good.replace(line, "")).code(), code);
        let empty = format!("{}:\r\n", line.split(':').next().unwrap());
        assert_eq!(
            error(&good.replace(line, &empty)).code(),
            code,
            "an empty value is none"
        );
    }
}

#[test]
fn a_rejected_m_line_needs_no_transport() {
    let sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\n";
    assert!(read_offer(sdp).unwrap()[0].rejected);
}

#[test]
fn the_transport_of_a_bundle_may_stand_in_one_of_its_m_lines() {
    let transport = "a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 AA\r\n";
    let sdp = |group: &str| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {group}\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\n{transport}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\n"
        )
    };
    assert_eq!(read_offer(&sdp("v a")).unwrap().len(), 2);
    assert_eq!(error(&sdp("v")), SdpError::NoIceCredentials { index: 1 });
}

#[test]
fn mids_are_tokens_and_each_is_there_once() {
    let media = |mid: &str| format!("m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:{mid}");
    assert_eq!(
        error(&description(&[&media("a"), &media("b"), &media("a")])),
        SdpError::BadMid { index: 2 }
    );
    assert_eq!(
        error(&description(&[&media("a b")])),
        SdpError::BadMid { index: 0 }
    );
    assert_eq!(
        error(&description(&[&media(&"m".repeat(33))])),
        SdpError::BadMid { index: 0 }
    );
    assert_eq!(
        read_one("m=video 9 UDP/TLS/RTP/SAVPF 96").mid,
        None,
        "peers of before bundling have none"
    );
}

#[test]
fn the_direction_is_the_m_lines_then_the_sessions_then_both_ways() {
    assert_eq!(read_one("m=video 9 X 96").direction, Direction::SendRecv);
    assert_eq!(
        read_one("m=video 9 X 96\na=inactive").direction,
        Direction::Inactive
    );
    let session = description(&["m=video 9 X 96"]).replace("a=ice-ufrag:u", "a=recvonly\r\na=ice-ufrag:u");
    assert_eq!(read_offer(&session).unwrap()[0].direction, Direction::RecvOnly);
    assert!(Direction::SendOnly.sends() && !Direction::SendOnly.receives());
    assert!(!Direction::RecvOnly.sends() && Direction::RecvOnly.receives());
}

#[test]
fn formats_come_in_the_order_of_the_m_line_each_once() {
    let media = read_one(
        "m=video 9 UDP/TLS/RTP/SAVPF 98 96 98 200 x
         a=rtpmap:96 vp8/90000
         a=rtpmap:98 h264/90000
         a=rtpmap:99 VP9/90000",
    );
    let formats: Vec<_> = media
        .formats
        .iter()
        .map(|offered| (offered.format.codec, offered.format.payload_type.number()))
        .collect();
    assert_eq!(
        formats,
        [(Codec::H264, 98), (Codec::Vp8, 96)],
        "99 is described and not offered"
    );
}

#[test]
fn a_codec_at_another_clock_rate_or_in_an_m_line_of_another_kind_is_another_codec() {
    let video = read_one("m=video 9 X 96 97 98\na=rtpmap:96 VP8/48000\na=rtpmap:97 opus/48000/2");
    assert_eq!(video.formats, []);
    let audio = read_one("m=audio 9 X 96 97\na=rtpmap:96 opus/48000\na=rtpmap:97 opus/48000/2");
    assert_eq!(audio.formats.len(), 1, "Opus always has two channels");
}

#[test]
fn retransmissions_belong_to_the_format_they_name() {
    let media = read_one(
        "m=video 9 X 96 97 98 99 100
         a=rtpmap:96 VP8/90000
         a=rtpmap:97 rtx/90000
         a=fmtp:97 apt=98
         a=rtpmap:98 VP9/90000
         a=rtpmap:99 RTX/90000
         a=fmtp:99 rtx-time=3000; APT=96
         a=rtpmap:100 rtx/90000",
    );
    let rtx: Vec<_> = media
        .formats
        .iter()
        .map(|offered| offered.format.rtx.map(PayloadType::number))
        .collect();
    assert_eq!(rtx, [Some(99), Some(97)]);
}

#[test]
fn feedback_is_that_of_the_format_or_of_all() {
    let media = read_one(
        "m=video 9 X 96 98
         a=rtpmap:96 VP8/90000
         a=rtpmap:98 VP9/90000
         a=rtcp-fb:* transport-cc
         a=rtcp-fb:96 nack
         a=rtcp-fb:98 nack pli
         a=rtcp-fb:98 ccm fir
         a=rtcp-fb:98 goog-remb",
    );
    let feedback: Vec<_> = media
        .formats
        .iter()
        .map(|offered| (offered.nack, offered.pli, offered.fir, offered.transport_cc))
        .collect();
    assert_eq!(feedback, [(true, false, false, true), (false, true, true, true)]);
}

#[test]
fn extensions_of_the_session_count_and_the_m_lines_go_first() {
    let sdp = description(&[
        "m=video 9 X 96\na=extmap:5/sendonly urn:ietf:params:rtp-hdrext:sdes:mid\na=extmap:0 urn:x\na=extmap:junk",
    ])
    .replace(
        "a=ice-ufrag:u",
        "a=extmap:7 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:8 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\na=ice-ufrag:u",
    );
    let extensions = read_offer(&sdp).unwrap()[0].extensions;
    assert_eq!((extensions.mid, extensions.rid), (Some(5), Some(8)));
}

#[test]
fn the_stream_of_an_m_line_is_told_unless_there_is_none() {
    assert_eq!(
        read_one("m=video 9 X 96\na=msid:camera track")
            .stream_id
            .as_deref(),
        Some("camera")
    );
    assert_eq!(read_one("m=video 9 X 96\na=msid:- track").stream_id, None);
}

#[test]
fn data_channels_are_an_m_line_without_formats() {
    let media = read_one("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=sctp-port:5000");
    assert_eq!((media.kind, media.formats), (MediaKind::Application, vec![]));
}

/// Lines that a description may have, with numbers that collide.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("m=video 9 UDP/TLS/RTP/SAVPF 96 97 98".to_owned()),
        Just("m=audio 0 UDP/TLS/RTP/SAVPF 111".to_owned()),
        Just("a=bundle-only".to_owned()),
        Just("a=group:BUNDLE 0 1 2".to_owned()),
        "a=mid:[0-2]",
        "a=rtpmap:9[6-9] (VP8|H264|rtx|opus|red)/90000",
        "a=fmtp:9[6-9] apt=9[6-9]",
        "a=rtcp-fb:(\\*|9[6-9]) (nack|nack pli|ccm fir|transport-cc|ccm|trr-int)",
        "a=(sendrecv|sendonly|recvonly|inactive)",
        "a=extmap:[0-9]{1,3} urn:ietf:params:rtp-hdrext:sdes:mid",
        "[a-z]=[ -~]{0,30}",
        ".{0,20}",
    ]
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text: String, lines in prop::collection::vec(line(), 0..40)) {
        let _ = read_offer(&text);
        let _ = read_offer(&description(&[&lines.join("\n")]));
        let _ = read_offer(&format!("v=0\r\n{}", lines.join("\r\n")));
    }

    #[test]
    fn damaged_descriptions_never_panic_and_errors_have_a_code(at in 0_usize..6_000, byte in 0_u8..128, cut: bool) {
        let mut bytes = CHROMIUM_VIEWER_OFFER.as_bytes().to_vec();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if let Err(error) = read_offer(&String::from_utf8(bytes).unwrap()) {
            prop_assert!(error.code().starts_with("sdp-"));
        }
    }
}

#[test]
fn fingerprints_are_read_and_what_is_none_is_left_out() {
    let sdp = "v=0\r\na=fingerprint:SHA-256 AB:0c:FF\r\nm=audio 9 X 0\r\na=fingerprint:sha-256 ab:0C:ff\r\n\
               a=fingerprint:sha-512 00\r\na=fingerprint:sha-256 no\r\na=fingerprint:sha-256\r\na=fingerprint:sha-1 +1\r\n";
    let expected = [("sha-256", vec![0xab, 0x0c, 0xff]), ("sha-512", vec![0])];
    let expected = expected.map(|(function, hash)| Fingerprint {
        function: function.to_owned(),
        hash,
    });
    assert_eq!(fingerprints(sdp), expected);
}
