use proptest::prelude::*;

use super::*;
use crate::testing::{RtpPacket, Vp8Payload};

const FORMATS: [PayloadFormat; 7] = [
    PayloadFormat::Vp8,
    PayloadFormat::Vp9,
    PayloadFormat::H264,
    PayloadFormat::H265,
    PayloadFormat::Av1,
    PayloadFormat::Opus,
    PayloadFormat::Other,
];

fn starts_key_frame(format: PayloadFormat, payload: &[u8]) -> bool {
    RtpPacket::with_payload(payload).parse(format).starts_key_frame()
}

#[test]
fn the_fields_of_the_header_are_read() {
    let packet = RtpPacket {
        marker: true,
        payload_type: 111,
        seq: 0xfffe,
        timestamp: 0xdead_beef,
        ssrc: 0xcafe_f00d,
        ..RtpPacket::default()
    }
    .parse(PayloadFormat::Other);
    assert!(packet.marker());
    assert_eq!(packet.payload_type().number(), 111);
    assert_eq!(packet.seq(), SeqNo(0xfffe));
    assert_eq!(packet.timestamp(), RtpTimestamp(0xdead_beef));
    assert_eq!(packet.ssrc(), Ssrc(0xcafe_f00d));
    assert_eq!((packet.header_len(), packet.payload_len()), (12, 10));
    assert_eq!(packet.size(), DataSize::from_bytes(22));
}

#[test]
fn contributing_sources_extensions_and_padding_are_not_payload() {
    let packet = RtpPacket {
        csrcs: vec![1, 2, 3],
        extension: Some((0xbede, vec![0x10, 0xaa, 0, 0, 0x20, 0xbb, 0, 0])),
        padding: 7,
        ..RtpPacket::default()
    }
    .parse(PayloadFormat::Other);
    assert_eq!(packet.header_len(), 12 + 3 * 4 + 4 + 8);
    assert_eq!(packet.payload_len(), 10);
}

#[test]
fn a_packet_of_nothing_but_padding_has_no_payload_and_starts_nothing() {
    for format in FORMATS {
        let packet = RtpPacket {
            payload: Vec::new(),
            padding: 255,
            ..RtpPacket::default()
        }
        .parse(format);
        assert_eq!(packet.payload_len(), 0);
        assert!(!packet.starts_key_frame(), "{format:?}");
    }
}

#[test]
fn what_is_not_rtp_is_refused_with_the_reason() {
    let parse = |bytes: &[u8]| SourcePacket::parse(PayloadFormat::Other, bytes).unwrap_err();
    let whole = RtpPacket {
        extension: Some((0xbede, vec![0; 4])),
        csrcs: vec![1],
        ..RtpPacket::default()
    };
    let whole = whole.to_bytes();
    assert_eq!(parse(&[]), ParseError::Version);
    assert_eq!(parse(b"\x16\xfe\xfd a DTLS record"), ParseError::Version);
    assert_eq!(parse(&whole[..11]), ParseError::Header, "within the fixed header");
    assert_eq!(
        parse(&whole[..14]),
        ParseError::Header,
        "within the contributing sources"
    );
    assert_eq!(
        parse(&whole[..18]),
        ParseError::Header,
        "within the extension's header"
    );
    assert_eq!(parse(&whole[..22]), ParseError::Header, "within the extension");
}

#[test]
fn padding_that_does_not_fit_is_refused() {
    let mut bytes = RtpPacket {
        padding: 4,
        ..RtpPacket::default()
    }
    .to_bytes();
    for wrong in [0, 15, 255] {
        *bytes.last_mut().unwrap() = wrong;
        assert_eq!(
            SourcePacket::parse(PayloadFormat::Other, &bytes),
            Err(ParseError::Padding),
            "{wrong} bytes of padding in 14"
        );
    }
    *bytes.last_mut().unwrap() = 14;
    assert_eq!(
        SourcePacket::parse(PayloadFormat::Other, &bytes)
            .unwrap()
            .payload_len(),
        0
    );
}

#[test]
fn a_full_vp8_descriptor_is_read() {
    let payload = [
        0x80 | 0x20 | 0x10 | 3,
        0xf0,
        0x80 | 0x12,
        0x34,
        200,
        (2 << 6) | 0x20 | 17,
        0xff,
    ];
    let packet = RtpPacket::with_payload(&payload).parse(PayloadFormat::Vp8);
    assert_eq!(
        packet.vp8(),
        Some(&Vp8Descriptor {
            len: 6,
            non_reference: true,
            starts_partition: true,
            partition: 3,
            picture_id: Some(0x1234),
            wide_picture_id: true,
            tl0_pic_idx: Some(200),
            temporal_id: Some(2),
            layer_sync: true,
            key_idx: Some(17),
        })
    );
    assert_eq!(packet.vp9(), None);
}

#[test]
fn vp8_descriptors_of_every_shape_have_their_length() {
    for (payload, len) in [
        (&[0x10, 0][..], 1),
        (&[0x90, 0x00, 0], 2),
        (&[0x90, 0x80, 0x7f, 0], 3),
        (&[0x90, 0x80, 0x80, 0x01, 0], 4),
        (&[0x90, 0x10, 0x01, 0], 3),
        (&[0x90, 0x20, 0x40, 0], 3),
        (&[0x90, 0xe0, 0x05, 9, 0x40, 0], 5),
    ] {
        let packet = RtpPacket::with_payload(payload).parse(PayloadFormat::Vp8);
        assert_eq!(packet.vp8().unwrap().len, len, "{payload:x?}");
    }
}

#[test]
fn fields_that_are_absent_from_a_vp8_descriptor_are_none() {
    let packet = RtpPacket::with_payload(&[0x90, 0x10, 0xff, 0]).parse(PayloadFormat::Vp8);
    let vp8 = packet.vp8().unwrap();
    assert_eq!(vp8.key_idx, Some(0x1f));
    assert_eq!(
        (vp8.picture_id, vp8.tl0_pic_idx, vp8.temporal_id),
        (None, None, None)
    );
    assert!(!vp8.layer_sync, "Y means nothing without T");
}

#[test]
fn a_descriptor_cut_short_is_refused() {
    for payload in [
        &[0x80][..],
        &[0x80, 0x80],
        &[0x80, 0x80, 0x80],
        &[0x80, 0x40],
        &[0x80, 0x20],
    ] {
        let bytes = RtpPacket::with_payload(payload).to_bytes();
        assert_eq!(
            SourcePacket::parse(PayloadFormat::Vp8, &bytes),
            Err(ParseError::Descriptor),
            "{payload:x?}"
        );
    }
    let bytes = RtpPacket::with_payload(&[0xa0, 0x80, 0x01]).to_bytes();
    assert_eq!(
        SourcePacket::parse(PayloadFormat::Vp9, &bytes),
        Err(ParseError::Descriptor)
    );
}

#[test]
fn a_vp8_key_frame_starts_in_its_first_partition_only() {
    let payload = |starts, key| {
        Vp8Payload {
            starts,
            key,
            ..Vp8Payload::default()
        }
        .to_bytes()
    };
    assert!(starts_key_frame(PayloadFormat::Vp8, &payload(true, true)));
    assert!(
        !starts_key_frame(PayloadFormat::Vp8, &payload(true, false)),
        "an inter frame"
    );
    assert!(
        !starts_key_frame(PayloadFormat::Vp8, &payload(false, true)),
        "the middle of a frame"
    );
    assert!(
        !starts_key_frame(PayloadFormat::Vp8, &[0x11, 0]),
        "the start of another partition"
    );
    assert!(
        !starts_key_frame(PayloadFormat::Vp8, &[0x10]),
        "nothing behind the descriptor"
    );
}

#[test]
fn a_vp9_descriptor_is_read_up_to_what_is_rewritten() {
    // I, L, B, E; 15-bit picture id; TID 3, SID 1; TL0PICIDX 77.
    let payload = [
        0x80 | 0x20 | 0x08 | 0x04,
        0x81,
        0x02,
        (3 << 5) | (1 << 1),
        77,
        0xff,
    ];
    let packet = RtpPacket::with_payload(&payload).parse(PayloadFormat::Vp9);
    let vp9 = packet.vp9().unwrap();
    assert_eq!((vp9.picture_id, vp9.wide_picture_id), (Some(0x102), true));
    assert_eq!(
        (vp9.temporal_id, vp9.spatial_id, vp9.tl0_pic_idx),
        (Some(3), Some(1), Some(77))
    );
    assert_eq!(vp9.len, 5);
    assert_eq!(packet.vp8(), None);
}

#[test]
fn a_vp9_key_frame_starts_where_a_base_layer_that_predicts_from_nothing_starts() {
    for (payload, starts, why) in [
        (&[0x88, 5, 0][..], true, "not inter-predicted, start of the frame"),
        (&[0x80, 5, 0], false, "not its start"),
        (&[0xc8, 5, 0], false, "inter-predicted"),
        (&[0xa8, 5, 0x00, 9], true, "the lowest spatial layer"),
        (
            &[0xa8, 5, 0x02, 9],
            false,
            "a higher spatial layer of a key picture",
        ),
    ] {
        assert_eq!(starts_key_frame(PayloadFormat::Vp9, payload), starts, "{why}");
    }
}

#[test]
fn an_h264_key_frame_starts_with_an_idr_slice_or_its_parameter_sets() {
    for (payload, starts, why) in [
        (&[0x65, 1, 2][..], true, "an IDR slice"),
        (&[0x41, 1, 2], false, "another slice"),
        (&[0x67, 1, 2], true, "a sequence parameter set"),
        (
            &[0x68, 1, 2],
            false,
            "a picture parameter set does not come first",
        ),
        (
            &[0x78, 0, 1, 0x67, 0, 1, 0x68],
            true,
            "STAP-A with a sequence parameter set",
        ),
        (
            &[0x78, 0, 1, 0x09, 0, 2, 0x65, 1],
            true,
            "STAP-A with a delimiter and an IDR slice",
        ),
        (&[0x78, 0, 1, 0x41], false, "STAP-A with another slice"),
        (&[0x78, 0, 9, 0x65], false, "STAP-A cut short"),
        (
            &[0x78, 0, 0, 0, 1, 0x65],
            true,
            "STAP-A with an empty unit in front",
        ),
        (&[0x7c, 0x85, 1], true, "FU-A, start of an IDR slice"),
        (&[0x7c, 0x05, 1], false, "FU-A, middle of an IDR slice"),
        (&[0x7c, 0x81, 1], false, "FU-A, start of another slice"),
        (&[0x7c], false, "FU-A without its header"),
    ] {
        assert_eq!(starts_key_frame(PayloadFormat::H264, payload), starts, "{why}");
    }
}

#[test]
fn an_h265_key_frame_starts_with_a_random_access_point_or_its_parameter_sets() {
    let unit = |unit_type: u8| unit_type << 1;
    for (payload, starts, why) in [
        (&[unit(19), 1, 0][..], true, "IDR"),
        (&[unit(21), 1, 0], true, "CRA"),
        (&[unit(16), 1, 0], true, "BLA"),
        (&[unit(1), 1, 0], false, "a trailing picture"),
        (&[unit(32), 1, 0], true, "a video parameter set"),
        (&[unit(33), 1, 0], true, "a sequence parameter set"),
        (
            &[unit(34), 1, 0],
            false,
            "a picture parameter set does not come first",
        ),
        (
            &[unit(48), 1, 0, 2, unit(35), 1, 0, 2, unit(32), 1],
            true,
            "aggregated behind a delimiter",
        ),
        (
            &[unit(48), 1, 0, 2, unit(1), 1],
            false,
            "aggregated, but a trailing picture",
        ),
        (&[unit(49), 1, 0x80 | 19], true, "the first fragment of an IDR"),
        (&[unit(49), 1, 19], false, "a later fragment"),
        (&[unit(49), 1], false, "a fragment without its header"),
        (&[unit(19)], false, "half a unit header"),
    ] {
        assert_eq!(starts_key_frame(PayloadFormat::H265, payload), starts, "{why}");
    }
}

#[test]
fn an_av1_key_frame_starts_with_a_new_coded_video_sequence() {
    assert!(starts_key_frame(PayloadFormat::Av1, &[0x18, 0x0a]));
    assert!(
        !starts_key_frame(PayloadFormat::Av1, &[0x10, 0x0a]),
        "the sequence goes on"
    );
    assert!(
        !starts_key_frame(PayloadFormat::Av1, &[0x98, 0x0a]),
        "an element goes on"
    );
}

#[test]
fn every_packet_of_audio_can_be_decoded_by_itself() {
    assert!(starts_key_frame(PayloadFormat::Opus, &[0x78]));
    assert!(starts_key_frame(PayloadFormat::Other, &[0xff]));
    assert!(PayloadFormat::Opus.is_packet_a_frame());
    assert!(!PayloadFormat::Vp8.is_packet_a_frame());
}

#[test]
fn errors_are_sentences() {
    assert_eq!(
        ParseError::Padding.to_string(),
        "the padding does not fit the packet"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_lengths_stay_within_them(
        mut bytes in prop::collection::vec(any::<u8>(), 0..64),
        looks_like_rtp: bool,
        format in 0..FORMATS.len(),
    ) {
        if let (true, Some(first)) = (looks_like_rtp, bytes.first_mut()) {
            *first = 0x80 | (*first & 0x3f);
        }
        if let Ok(packet) = SourcePacket::parse(FORMATS[format], &bytes) {
            prop_assert!(packet.header_len() >= 12);
            prop_assert!(packet.header_len() + packet.payload_len() <= bytes.len());
            if let Some(vp8) = packet.vp8() {
                prop_assert!(vp8.len <= packet.payload_len());
            }
            if let Some(vp9) = packet.vp9() {
                prop_assert!(vp9.len <= packet.payload_len());
            }
        }
    }

    #[test]
    fn whatever_was_written_is_read(
        seq: u16, timestamp: u32, ssrc: u32, marker: bool,
        csrcs in prop::collection::vec(any::<u32>(), 0..=15),
        words in prop::option::of(0_usize..6),
        payload in prop::collection::vec(any::<u8>(), 0..50),
        padding: u8,
    ) {
        let extension = words.map(|words| (0x1000, vec![0; 4 * words]));
        let written = RtpPacket { seq, timestamp, ssrc, marker, csrcs, extension, payload, padding, payload_type: 127 };
        let read = written.parse(PayloadFormat::Other);
        prop_assert_eq!(read.seq(), SeqNo(seq));
        prop_assert_eq!(read.timestamp(), RtpTimestamp(timestamp));
        prop_assert_eq!(read.ssrc(), Ssrc(ssrc));
        prop_assert_eq!(read.marker(), marker);
        let bytes = written.to_bytes();
        prop_assert_eq!(&bytes[read.header_len()..][..read.payload_len()], &written.payload[..]);
    }
}
