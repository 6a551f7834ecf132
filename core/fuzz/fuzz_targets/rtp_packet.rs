//! Any bytes as a packet of any format, and on through assembling and rewriting.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_forwarding::{Extensions, FrameAssembler, OutgoingStream, PayloadFormat, Rewriter, SourcePacket};
use weir_units::{PayloadType, SeqNo, Ssrc};

const FORMATS: [PayloadFormat; 7] = [
    PayloadFormat::Vp8,
    PayloadFormat::Vp9,
    PayloadFormat::H264,
    PayloadFormat::H265,
    PayloadFormat::Av1,
    PayloadFormat::Opus,
    PayloadFormat::Other,
];

fuzz_target!(|input: (u8, Vec<Vec<u8>>)| {
    let (format, packets) = input;
    let format = FORMATS[usize::from(format) % FORMATS.len()];
    let mut assembler = FrameAssembler::new(format);
    let mut rewriter = Rewriter::new(OutgoingStream {
        ssrc: Ssrc(1),
        payload_type: PayloadType::MAX,
        first_seq: SeqNo(65_535),
        timestamp_offset: u32::MAX,
        extensions: Extensions {
            mid: Some((255, "0".parse().unwrap())),
            rid: None,
            twcc: Some(3),
        },
        first_picture_id: u16::MAX,
    });
    for bytes in packets {
        let Ok(packet) = SourcePacket::parse(format, &bytes) else {
            continue;
        };
        assert!(packet.header_len() + packet.payload_len() <= bytes.len());
        assembler.handle_packet(packet, bytes, None);
        while let Some(frame) = assembler.poll_frame() {
            rewriter.begin_frame(frame.timestamp, frame.key);
            for (packet, bytes) in &frame.packets {
                let rewritten = rewriter.rewrite(packet);
                let payload = &bytes[rewritten.payload_offset..][..rewritten.payload_len];
                let outgoing = [&rewritten.head, payload].concat();
                let read = SourcePacket::parse(format, &outgoing).expect("what goes out is well-formed");
                assert_eq!(read.ssrc(), Ssrc(1));
            }
            rewriter.end_frame();
        }
    }
});
