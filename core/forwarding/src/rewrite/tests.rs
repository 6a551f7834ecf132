//! What a receiver sees of a rewritten stream: first single headers, then whole streams against a model receiver.

use proptest::prelude::*;

use super::*;
use crate::{
    Frame, FrameAssembler, PayloadFormat, RenditionId, RenditionSwitch, Verdict,
    testing::{RtpPacket, Vp8Payload},
};

fn stream() -> OutgoingStream {
    OutgoingStream {
        ssrc: Ssrc(0xaabb_ccdd),
        payload_type: PayloadType::new(102).unwrap(),
        first_seq: SeqNo(65_535),
        timestamp_offset: 1_000,
        extensions: Extensions::default(),
        first_picture_id: 32_767,
    }
}

fn with_extensions(extensions: Extensions) -> Vec<u8> {
    let mut rewriter = Rewriter::new(OutgoingStream {
        extensions,
        ..stream()
    });
    let rewritten = rewriter.rewrite(&RtpPacket::default().parse(PayloadFormat::Other));
    rewritten.head[12..].to_vec()
}

fn mid(name: &str) -> Mid {
    Mid::new(name).unwrap()
}

#[test]
fn the_header_is_the_viewers_own_and_the_payload_the_sources() {
    let source = RtpPacket {
        timestamp: 5,
        marker: true,
        csrcs: vec![9, 9],
        ..RtpPacket::default()
    };
    let rewritten = Rewriter::new(stream()).rewrite(&source.parse(PayloadFormat::Other));
    assert_eq!(
        rewritten.head.as_slice(),
        [
            0x80,
            0x80 | 102,
            0xff,
            0xff,
            0,
            0,
            0x03,
            0xed,
            0xaa,
            0xbb,
            0xcc,
            0xdd
        ],
        "version 2, no extensions, no contributing sources"
    );
    assert_eq!((rewritten.payload_offset, rewritten.payload_len), (20, 10));
    assert_eq!(
        (rewritten.seq, rewritten.timestamp),
        (SeqNo(65_535), RtpTimestamp(1_005))
    );
}

#[test]
fn short_extensions_take_the_one_byte_form() {
    let extensions = Extensions {
        mid: Some((1, mid("v0"))),
        rid: Some((2, "h".parse().unwrap())),
        twcc: Some(14),
    };
    assert_eq!(
        with_extensions(extensions),
        [
            0xbe, 0xde, 0, 2, //
            0x11, b'v', b'0', 0x20, b'h', 0xe1, 0, 0
        ]
    );
}

#[test]
fn an_id_above_14_takes_the_two_byte_form_for_all() {
    let extensions = Extensions {
        mid: Some((1, mid("0"))),
        rid: None,
        twcc: Some(15),
    };
    assert_eq!(
        with_extensions(extensions),
        [0x10, 0, 0, 2, 1, 1, b'0', 15, 2, 0, 0, 0]
    );
}

#[test]
fn a_value_longer_than_16_bytes_takes_the_two_byte_form() {
    let just_fits = Extensions {
        mid: Some((3, mid(&"m".repeat(16)))),
        ..Extensions::default()
    };
    assert_eq!(with_extensions(just_fits)[..6], [0xbe, 0xde, 0, 5, 0x3f, b'm']);
    let too_long = Extensions {
        mid: Some((3, mid(&"m".repeat(17)))),
        ..Extensions::default()
    };
    assert_eq!(with_extensions(too_long)[..7], [0x10, 0, 0, 5, 3, 17, b'm']);
}

#[test]
fn an_extension_with_id_0_is_none() {
    let extensions = Extensions {
        twcc: Some(0),
        ..Extensions::default()
    };
    assert_eq!(with_extensions(extensions), [0_u8; 0]);
}

#[test]
fn the_longest_head_fits() {
    let extensions = Extensions {
        mid: Some((255, mid(&"m".repeat(Mid::MAX_LEN)))),
        rid: Some((254, Rid::new(&"r".repeat(Rid::MAX_LEN)).unwrap())),
        twcc: Some(253),
    };
    let payload = Vp8Payload {
        picture_id: Some(1),
        layer: Some((1, 0)),
        key_idx: Some(1),
        ..Vp8Payload::default()
    };
    let source = RtpPacket::with_payload(&payload.to_bytes()).parse(PayloadFormat::Vp8);
    let rewritten = Rewriter::new(OutgoingStream {
        extensions,
        ..stream()
    })
    .rewrite(&source);
    assert_eq!(rewritten.head.len(), 12 + 4 + 34 + 18 + 4 + 6);
    assert!(rewritten.head.len() <= MAX_HEAD);
}

#[test]
fn a_vp8_picture_id_has_15_bits_whatever_the_source_has() {
    for (picture_id, wide) in [(None, false), (Some(5), false), (Some(5), true)] {
        let payload = Vp8Payload {
            starts: true,
            key: true,
            picture_id,
            wide,
            content: vec![7; 9],
            ..Vp8Payload::default()
        };
        let source = RtpPacket::with_payload(&payload.to_bytes());
        let rewritten = Rewriter::new(stream()).rewrite(&source.parse(PayloadFormat::Vp8));
        assert_eq!(rewritten.head[12..], [0x90, 0x80, 0xff, 0xff], "picture id 32767");
        let shared = &source.to_bytes()[rewritten.payload_offset..][..rewritten.payload_len];
        assert_eq!(shared, [0, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
    }
}

#[test]
fn a_15_bit_source_keeps_the_length_of_its_descriptor() {
    let payload = Vp8Payload {
        picture_id: Some(900),
        wide: true,
        layer: Some((3, 1)),
        key_idx: Some(4),
        ..Vp8Payload::default()
    };
    let source = RtpPacket::with_payload(&payload.to_bytes()).parse(PayloadFormat::Vp8);
    let rewritten = Rewriter::new(stream()).rewrite(&source);
    assert_eq!(
        rewritten.head.len() + rewritten.payload_len,
        12 + source.payload_len()
    );
}

#[test]
fn vp8_layer_indices_count_base_layer_frames_and_key_frames() {
    let mut rewriter = Rewriter::new(stream());
    let mut indices = Vec::new();
    for (number, (key, tid)) in [(true, 0), (false, 2), (false, 1), (false, 0), (true, 0)]
        .into_iter()
        .enumerate()
    {
        let payload = Vp8Payload {
            starts: true,
            key,
            picture_id: Some(0),
            layer: Some((99, tid)),
            key_idx: Some(31),
            ..Vp8Payload::default()
        };
        let source = RtpPacket::with_payload(&payload.to_bytes()).parse(PayloadFormat::Vp8);
        rewriter.begin_frame(RtpTimestamp(number as u32), key);
        let head = rewriter.rewrite(&source).head;
        rewriter.end_frame();
        indices.push((head[16], head[17] >> 6, head[17] & 0x1f));
    }
    assert_eq!(
        indices,
        [(1, 0, 1), (1, 2, 1), (1, 1, 1), (2, 0, 1), (3, 0, 2)],
        "TL0PICIDX, TID, KEYIDX: ours, with the source's layers"
    );
}

#[test]
fn every_number_goes_round_in_its_own_width() {
    let payload = Vp8Payload {
        starts: true,
        key: true,
        layer: Some((0, 0)),
        key_idx: Some(0),
        ..Vp8Payload::default()
    };
    let packet = RtpPacket::with_payload(&payload.to_bytes()).parse(PayloadFormat::Vp8);
    let mut rewriter = Rewriter::new(OutgoingStream {
        first_picture_id: 0,
        first_seq: SeqNo(0),
        ..stream()
    });
    for number in 0..140_000_u32 {
        rewriter.begin_frame(RtpTimestamp(number.wrapping_mul(90_000)), true);
        let head = rewriter.rewrite(&packet).head;
        rewriter.end_frame();
        assert_eq!(head[2..4], (number as u16).to_be_bytes(), "sequence number");
        assert_eq!(
            head[14..16],
            (number as u16 | 0x8000).to_be_bytes(),
            "picture id of 15 bits, marked as such"
        );
        assert_eq!(head[16], (number + 1) as u8, "TL0PICIDX");
        assert_eq!(head[17] & 0x1f, (number + 1) as u8 & 0x1f, "KEYIDX");
    }
}

#[test]
fn a_vp9_picture_id_is_rewritten_and_what_follows_is_shared() {
    let payload = [0x80 | 0x20 | 0x08, 0x05, (1 << 5) | 1, 200, 0xab, 0xcd];
    let source = RtpPacket::with_payload(&payload);
    let rewritten = Rewriter::new(stream()).rewrite(&source.parse(PayloadFormat::Vp9));
    assert_eq!(rewritten.head[12..], [0xa8, 0xff, 0xff, 0x21, 0]);
    assert_eq!(source.to_bytes()[rewritten.payload_offset..], [0xab, 0xcd]);
}

#[test]
fn a_cut_frame_leaves_a_hole_of_one_sequence_number() {
    let mut rewriter = Rewriter::new(stream());
    let packet = RtpPacket::default().parse(PayloadFormat::H264);
    rewriter.begin_frame(RtpTimestamp(0), true);
    assert_eq!(rewriter.rewrite(&packet).seq, SeqNo(65_535));
    rewriter.begin_frame(RtpTimestamp(3_000), true);
    assert_eq!(rewriter.rewrite(&packet).seq, SeqNo(1), "0 is the hole");
    rewriter.end_frame();
    rewriter.begin_frame(RtpTimestamp(6_000), false);
    rewriter.cut_frame();
    rewriter.begin_frame(RtpTimestamp(9_000), false);
    assert_eq!(
        rewriter.rewrite(&packet).seq,
        SeqNo(2),
        "nothing was sent of the third, so nothing is missing"
    );
    assert_eq!(rewriter.counters().cut_frames, 1);
}

#[test]
fn a_timestamp_that_goes_back_is_moved_just_past_the_last_one() {
    let mut rewriter = Rewriter::new(stream());
    let packet = RtpPacket::default().parse(PayloadFormat::H264);
    let timestamps = [9_000, 9_000, 3_000, 12_000].map(|timestamp| {
        rewriter.begin_frame(RtpTimestamp(timestamp), false);
        let sent = rewriter.rewrite(&packet).timestamp;
        rewriter.end_frame();
        sent.0 - 1_000
    });
    assert_eq!(timestamps, [9_000, 9_001, 9_002, 12_000]);
}

#[test]
fn renegotiation_changes_ids_and_keeps_the_numbers_going() {
    let mut rewriter = Rewriter::new(stream());
    let packet = RtpPacket::default().parse(PayloadFormat::Other);
    rewriter.rewrite(&packet);
    rewriter.end_frame();
    let extensions = Extensions {
        twcc: Some(3),
        ..Extensions::default()
    };
    rewriter.set_negotiated(PayloadType::new(45).unwrap(), extensions);
    rewriter.begin_frame(RtpTimestamp(960), true);
    let head = rewriter.rewrite(&packet).head;
    assert_eq!(head[0], 0x90, "with extensions");
    assert_eq!(head[1], 45);
    assert_eq!(head[2..4], [0, 0], "65535 and on");
    assert_eq!(rewriter.stream().extensions, extensions);
}

#[test]
fn what_goes_out_is_counted() {
    let mut rewriter = Rewriter::new(stream());
    let packet = RtpPacket::default().parse(PayloadFormat::H264);
    for (number, key) in [(0, true), (1, false)] {
        rewriter.begin_frame(RtpTimestamp(number * 3_000), key);
        rewriter.rewrite(&packet);
        rewriter.rewrite(&packet);
        rewriter.end_frame();
    }
    rewriter.count_dropped_frame();
    assert_eq!(
        rewriter.counters(),
        Counters {
            packets: 4,
            bytes: DataSize::from_bytes(4 * 22),
            frames: 2,
            key_frames: 1,
            dropped_frames: 1,
            cut_frames: 0
        }
    );
}

/// One rendition's encoder and payloader.
struct Encoder {
    seq: u16,
    picture_id: u16,
    wide: bool,
    layers: bool,
    tl0_pic_idx: u8,
    key_wanted: bool,
    assembler: FrameAssembler<Vec<u8>>,
}

impl Encoder {
    fn new(seq: u16, picture_id: u16, wide: bool, layers: bool) -> Self {
        Self {
            seq,
            picture_id,
            wide,
            layers,
            tl0_pic_idx: 250,
            key_wanted: true,
            assembler: FrameAssembler::new(PayloadFormat::Vp8),
        }
    }

    /// Comes back with numbers of its own choice.
    fn restart(&mut self, seq: u16, picture_id: u16) {
        self.assembler.handle_end();
        self.seq = seq;
        self.picture_id = picture_id & 0x7fff;
        self.key_wanted = true;
    }

    fn encode(&mut self, timestamp: u32, packets: u8, upper_layer: bool, content: u8) -> Frame<Vec<u8>> {
        let key = std::mem::take(&mut self.key_wanted);
        let tid = u8::from(upper_layer && !key);
        if tid == 0 {
            self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        }
        for number in 0..packets {
            let payload = Vp8Payload {
                starts: number == 0,
                key,
                picture_id: Some(self.picture_id),
                wide: self.wide,
                layer: self.layers.then_some((self.tl0_pic_idx, tid)),
                key_idx: None,
                content: vec![content; 1 + usize::from(number)],
            };
            let packet = RtpPacket {
                marker: number + 1 == packets,
                seq: self.seq,
                timestamp,
                payload: payload.to_bytes(),
                ..RtpPacket::default()
            };
            let bytes = packet.to_bytes();
            self.assembler
                .handle_packet(packet.parse(PayloadFormat::Vp8), bytes, None);
            self.seq = self.seq.wrapping_add(1);
        }
        self.picture_id = (self.picture_id + 1) & if self.wide { 0x7fff } else { 0x7f };
        self.assembler.poll_frame().expect("the marker ended it")
    }
}

/// What a receiver knows and insists on.
#[derive(Default)]
struct Receiver {
    last_seq: Option<u16>,
    last_frame: Option<ReceivedFrame>,
    frames: usize,
}

#[derive(Clone, Copy)]
struct ReceivedFrame {
    timestamp: u32,
    picture_id: u16,
    tl0_pic_idx: Option<u8>,
    is_whole: bool,
}

impl Receiver {
    fn receive(&mut self, head: &[u8], payload: &[u8], after_cut: bool) -> Result<Vec<u8>, TestCaseError> {
        let bytes = [head, payload].concat();
        let packet = SourcePacket::parse(PayloadFormat::Vp8, &bytes).expect("a well-formed packet");
        let vp8 = *packet.vp8().unwrap();
        prop_assert_eq!(packet.ssrc(), Ssrc(0xaabb_ccdd));
        prop_assert_eq!(packet.payload_type().number(), 102);
        if let Some(last) = self.last_seq {
            let step = if after_cut { 2 } else { 1 };
            prop_assert_eq!(
                packet.seq().0,
                last.wrapping_add(step),
                "no gap but after a cut, no repeat"
            );
        }
        self.last_seq = Some(packet.seq().0);

        let picture_id = vp8.picture_id.unwrap();
        prop_assert!(vp8.wide_picture_id);
        match &mut self.last_frame {
            Some(last) if packet.timestamp().0 == last.timestamp => {
                prop_assert_eq!(picture_id, last.picture_id, "one picture, one id");
                prop_assert!(!last.is_whole, "nothing comes after the marker");
                last.is_whole = packet.marker();
            }
            last => {
                if let Some(last) = last {
                    prop_assert!(packet.timestamp().is_newer_than(RtpTimestamp(last.timestamp)));
                    prop_assert_eq!(picture_id, (last.picture_id + 1) & 0x7fff);
                    prop_assert_eq!(
                        last.is_whole,
                        !after_cut,
                        "the marker is missing only where it was cut"
                    );
                }
                prop_assert!(vp8.starts_partition, "a frame begins at its beginning");
                let last_tl0 = last.and_then(|last| last.tl0_pic_idx);
                if let (Some(tl0), Some(last_tl0)) = (vp8.tl0_pic_idx, last_tl0) {
                    let expected = last_tl0.wrapping_add(u8::from(vp8.temporal_id == Some(0)));
                    prop_assert_eq!(tl0, expected);
                }
                self.frames += 1;
                self.last_frame = Some(ReceivedFrame {
                    timestamp: packet.timestamp().0,
                    picture_id,
                    tl0_pic_idx: vp8.tl0_pic_idx.or(last_tl0),
                    is_whole: packet.marker(),
                });
            }
        }
        Ok(bytes[packet.header_len() + vp8.len..].to_vec())
    }
}

/// What happens at one frame instant.
#[derive(Clone, Debug)]
enum Step {
    Frame {
        packets: [u8; 3],
        upper_layer: bool,
    },
    Target(u32),
    KeyFrame(usize),
    Restart(usize, u16, u16),
    /// A frame is not sent to this viewer.
    Drop,
    /// A frame is broken off.
    Cut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let frame = (prop::array::uniform3(1_u8..5), any::<bool>())
        .prop_map(|(packets, upper_layer)| Step::Frame { packets, upper_layer });
    let step = prop_oneof![
        12 => frame,
        2 => (0_u32..3).prop_map(Step::Target),
        2 => (0_usize..3).prop_map(Step::KeyFrame),
        1 => (0_usize..3, any::<u16>(), any::<u16>()).prop_map(|(r, seq, id)| Step::Restart(r, seq, id)),
        1 => Just(Step::Drop),
        1 => Just(Step::Cut),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    /// Three renditions of different shapes, switched, restarted, dropped and cut at random, with every number close
    /// to its wrap.
    #[test]
    fn a_receiver_sees_one_continuous_stream(
        steps in steps(),
        first_seq in 65_400_u16..,
        start_timestamp in (u32::MAX - 300_000)..,
        timestamp_offset: u32,
        first_picture_id in 32_700_u16..32_768,
    ) {
        let mut encoders = [
            Encoder::new(65_500, 32_760, true, true),
            Encoder::new(10, 120, false, false),
            Encoder::new(30_000, 5, true, false),
        ];
        let mut switch = RenditionSwitch::new();
        switch.set_target(Some(RenditionId(0)));
        let mut rewriter = Rewriter::new(OutgoingStream {
            first_seq: SeqNo(first_seq), timestamp_offset, first_picture_id, ..stream()
        });
        let mut receiver = Receiver::default();
        let mut timestamp = start_timestamp;
        let mut sent = 0;
        let (mut drop_next, mut cut_next, mut was_cut) = (false, false, false);

        for step in steps {
            let (packets, upper_layer) = match step {
                Step::Frame { packets, upper_layer } => (packets, upper_layer),
                Step::Target(rendition) => {
                    switch.set_target(Some(RenditionId(rendition)));
                    continue;
                }
                Step::KeyFrame(rendition) => {
                    encoders[rendition].key_wanted = true;
                    continue;
                }
                Step::Restart(rendition, seq, picture_id) => {
                    encoders[rendition].restart(seq, picture_id);
                    continue;
                }
                Step::Drop => {
                    drop_next = true;
                    continue;
                }
                Step::Cut => {
                    cut_next = true;
                    continue;
                }
            };
            for (rendition, encoder) in encoders.iter_mut().enumerate() {
                let content = 10 * rendition as u8;
                let frame = encoder.encode(timestamp, packets[rendition], upper_layer, content);
                prop_assert!(frame.intact);
                let is_current = switch.current() == Some(RenditionId(rendition as u32));
                if is_current && std::mem::take(&mut drop_next) {
                    switch.handle_loss();
                    rewriter.count_dropped_frame();
                }
                match switch.handle_frame(RenditionId(rendition as u32), frame.key, frame.timestamp) {
                    Verdict::Drop => continue,
                    Verdict::Forward { switched } => prop_assert!(!switched || frame.key),
                }
                sent += 1;
                rewriter.begin_frame(frame.timestamp, frame.key);
                let cut_here = frame.packets.len() > 1 && std::mem::take(&mut cut_next);
                let cut_at = if cut_here { frame.packets.len() - 1 } else { frame.packets.len() };
                for (packet, source) in &frame.packets[..cut_at] {
                    let rewritten = rewriter.rewrite(packet);
                    let payload = &source[rewritten.payload_offset..][..rewritten.payload_len];
                    let received = receiver.receive(&rewritten.head, payload, std::mem::take(&mut was_cut))?;
                    let original = &source[packet.header_len() + packet.vp8().unwrap().len..];
                    prop_assert_eq!(&received[..], original, "payload bytes are unchanged");
                }
                if cut_at < frame.packets.len() {
                    rewriter.cut_frame();
                    switch.handle_loss();
                    was_cut = true;
                } else {
                    rewriter.end_frame();
                }
            }
            timestamp = timestamp.wrapping_add(3_000);
        }
        prop_assert_eq!(receiver.frames, sent);
        prop_assert_eq!(rewriter.counters().frames, sent as u64);
    }
}
