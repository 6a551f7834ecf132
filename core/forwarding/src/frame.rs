//! From packets to whole frames.

use std::{collections::VecDeque, time::Duration};

use weir_units::{DataSize, RtpTimestamp, SeqNo};

use crate::{PayloadFormat, SourcePacket};

/// A complete access unit of a rendition, in packets.
///
/// `P` is the shell's handle of a packet's bytes. The shell shares a frame as `Arc` among all viewers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<P> {
    /// Number of the frame in its rendition, from 0. A number that was skipped is a frame that got lost.
    pub number: u64,
    /// RTP timestamp, on the time base that all renditions of the stream share.
    pub timestamp: RtpTimestamp,
    /// Presentation time of its first packet, if the shell knows one.
    pub pts: Option<Duration>,
    /// Whether decoding can start here.
    pub key: bool,
    /// Whether no packet is missing inside it.
    pub intact: bool,
    /// The packets in order, at least one. The last one of a video frame carries the marker, also if the source's did not.
    pub packets: Vec<(SourcePacket, P)>,
    /// Size of all packets with their headers.
    pub size: DataSize,
}

/// How large a frame may get before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// Most packets of one frame.
    pub packets: usize,
    /// Most bytes of one frame, headers included.
    pub size: DataSize,
}

impl Default for FrameLimits {
    /// 8192 packets, 8 MB: a key frame of 8K video at a rate that nobody forwards.
    fn default() -> Self {
        Self {
            packets: 8_192,
            size: DataSize::from_bytes(8_000_000),
        }
    }
}

/// Collects the packets of one rendition into frames.
///
/// A video frame ends at its marker bit or, without one, when the timestamp changes. Each packet of any other
/// format is a frame.
#[derive(Debug)]
pub struct FrameAssembler<P> {
    format: PayloadFormat,
    limits: FrameLimits,
    next_number: u64,
    last_seq: Option<SeqNo>,
    pending: Option<Frame<P>>,
    /// Timestamp of a frame that outgrew the limits: the rest of it is thrown away.
    oversized: Option<RtpTimestamp>,
    complete: VecDeque<Frame<P>>,
    dropped: u64,
}

impl<P> FrameAssembler<P> {
    /// An assembler with the default limits.
    pub fn new(format: PayloadFormat) -> Self {
        Self::with_limits(format, FrameLimits::default())
    }

    /// An assembler with limits of the caller's.
    pub fn with_limits(format: PayloadFormat, limits: FrameLimits) -> Self {
        Self {
            format,
            limits,
            next_number: 0,
            last_seq: None,
            pending: None,
            oversized: None,
            complete: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Takes the next packet of the rendition. Drain [`FrameAssembler::poll_frame`] afterwards.
    pub fn handle_packet(&mut self, packet: SourcePacket, payload: P, pts: Option<Duration>) {
        let follows = self
            .last_seq
            .is_none_or(|last| packet.seq == last.wrapping_add(1));
        self.last_seq = Some(packet.seq);
        if packet.payload_len == 0 {
            // Padding: it only fills a sequence number.
            return;
        }
        if self
            .pending
            .as_ref()
            .is_some_and(|frame| frame.timestamp != packet.timestamp)
        {
            self.complete_pending(follows);
        }
        if self.oversized == Some(packet.timestamp) {
            return;
        }
        self.oversized = None;

        let alone = self.format.is_packet_a_frame();
        let next_number = &mut self.next_number;
        let frame = self.pending.get_or_insert_with(|| Frame {
            number: post_increment(next_number),
            timestamp: packet.timestamp,
            pts,
            key: false,
            intact: true,
            packets: Vec::new(),
            size: DataSize::ZERO,
        });
        // What starts a key frame is the start of its frame, whatever came before: a restarted source numbers anew.
        let starts = frame.packets.is_empty() && packet.starts_key_frame;
        frame.intact &= follows || starts || alone;
        frame.key |= packet.starts_key_frame;
        frame.size += packet.size();
        frame.packets.push((packet, payload));
        if frame.packets.len() > self.limits.packets || frame.size > self.limits.size {
            self.oversized = Some(packet.timestamp);
            self.pending = None;
            self.dropped += 1;
        } else if packet.marker || alone {
            self.complete_pending(true);
        }
    }

    /// The source has ended or is about to start anew: whatever is there of the last frame is a frame.
    pub fn handle_end(&mut self) {
        self.complete_pending(true);
        self.last_seq = None;
        self.oversized = None;
    }

    /// The next complete frame.
    pub fn poll_frame(&mut self) -> Option<Frame<P>> {
        self.complete.pop_front()
    }

    /// How many frames were given up because they outgrew the limits.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// `ends_whole`: what came next followed without a gap, or the marker was there.
    fn complete_pending(&mut self, ends_whole: bool) {
        let Some(mut frame) = self.pending.take() else {
            return;
        };
        frame.intact &= ends_whole;
        if !self.format.is_packet_a_frame()
            && let Some((packet, _)) = frame.packets.last_mut()
        {
            packet.marker = true;
        }
        self.complete.push_back(frame);
    }
}

fn post_increment(number: &mut u64) -> u64 {
    let current = *number;
    *number += 1;
    current
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::RtpPacket;

    const DELTA: &[u8] = &[0x41, 0];
    const IDR: &[u8] = &[0x65, 0];

    fn feed(assembler: &mut FrameAssembler<u16>, seq: u16, timestamp: u32, marker: bool, payload: &[u8]) {
        let packet = RtpPacket {
            seq,
            timestamp,
            marker,
            payload: payload.to_vec(),
            ..RtpPacket::default()
        };
        let pts = Duration::from_millis(u64::from(timestamp) / 90);
        assembler.handle_packet(packet.parse(assembler.format), seq, Some(pts));
    }

    fn frames(assembler: &mut FrameAssembler<u16>) -> Vec<(u64, Vec<u16>, bool)> {
        std::iter::from_fn(|| assembler.poll_frame())
            .map(|frame| {
                let handles = frame.packets.iter().map(|(_, handle)| *handle).collect();
                (frame.number, handles, frame.intact)
            })
            .collect()
    }

    #[test]
    fn a_frame_is_complete_with_its_marker() {
        let mut assembler = FrameAssembler::new(PayloadFormat::H264);
        feed(&mut assembler, 1, 9_000, false, IDR);
        assert_eq!(assembler.poll_frame(), None);
        feed(&mut assembler, 2, 9_000, true, DELTA);
        let frame = assembler.poll_frame().unwrap();
        assert_eq!(frame.timestamp, RtpTimestamp(9_000));
        assert_eq!(frame.pts, Some(Duration::from_millis(100)));
        assert_eq!(frame.size, DataSize::from_bytes(2 * 14));
        assert!(frame.key && frame.intact);
        assert_eq!(frame.packets.len(), 2);
    }

    #[test]
    fn without_markers_a_new_timestamp_ends_a_frame_which_then_has_one() {
        let mut assembler = FrameAssembler::new(PayloadFormat::H264);
        feed(&mut assembler, 1, 0, false, IDR);
        feed(&mut assembler, 2, 0, false, DELTA);
        feed(&mut assembler, 3, 3_000, false, DELTA);
        let frame = assembler.poll_frame().unwrap();
        assert!(frame.intact, "what followed, followed without a gap");
        assert_eq!(
            frame
                .packets
                .iter()
                .map(|(packet, _)| packet.marker())
                .collect::<Vec<_>>(),
            [false, true]
        );
        assert_eq!(assembler.poll_frame(), None);
    }

    #[test]
    fn each_packet_of_audio_is_a_frame_and_keeps_its_marker() {
        let mut assembler = FrameAssembler::new(PayloadFormat::Opus);
        feed(&mut assembler, 1, 0, true, &[1]);
        feed(&mut assembler, 2, 960, false, &[1]);
        let markers: Vec<_> = std::iter::from_fn(|| assembler.poll_frame())
            .inspect(|frame| assert!(frame.key && frame.intact))
            .map(|frame| frame.packets[0].0.marker())
            .collect();
        assert_eq!(markers, [true, false], "in audio the marker means a talk spurt");
    }

    #[test]
    fn a_packet_missing_within_a_frame_breaks_that_frame_only() {
        let mut assembler = FrameAssembler::new(PayloadFormat::H264);
        feed(&mut assembler, 1, 0, false, IDR);
        feed(&mut assembler, 3, 0, true, DELTA);
        feed(&mut assembler, 4, 3_000, true, DELTA);
        assert_eq!(
            frames(&mut assembler),
            [(0, vec![1, 3], false), (1, vec![4], true)]
        );
    }

    #[test]
    fn a_missing_end_and_a_missing_start_break_both_frames() {
        let mut assembler = FrameAssembler::new(PayloadFormat::H264);
        feed(&mut assembler, 1, 0, false, IDR);
        feed(&mut assembler, 3, 3_000, true, DELTA);
        assert_eq!(frames(&mut assembler), [(0, vec![1], false), (1, vec![3], false)]);
    }

    #[test]
    fn a_key_frame_after_a_gap_is_intact() {
        let mut assembler = FrameAssembler::new(PayloadFormat::H264);
        feed(&mut assembler, 1, 0, true, DELTA);
        feed(&mut assembler, 40_000, 3_000, true, IDR);
        assert_eq!(
            frames(&mut assembler),
            [(0, vec![1], true), (1, vec![40_000], true)]
        );
    }

    #[test]
    fn padding_fills_a_sequence_number_and_is_no_frame() {
        let mut assembler = FrameAssembler::new(PayloadFormat::H264);
        feed(&mut assembler, 65_535, 0, false, IDR);
        feed(&mut assembler, 0, 0, false, &[]);
        feed(&mut assembler, 1, 0, true, DELTA);
        assert_eq!(frames(&mut assembler), [(0, vec![65_535, 1], true)]);
    }

    #[test]
    fn the_end_of_the_source_ends_the_frame_and_another_source_may_follow() {
        let mut assembler = FrameAssembler::new(PayloadFormat::H264);
        feed(&mut assembler, 1, 0, false, IDR);
        assembler.handle_end();
        feed(&mut assembler, 700, 3_000, true, DELTA);
        assembler.handle_end();
        assert_eq!(frames(&mut assembler), [(0, vec![1], true), (1, vec![700], true)]);
    }

    #[test]
    fn a_frame_that_outgrows_the_limits_is_given_up_as_a_whole() {
        let limits = FrameLimits {
            packets: 2,
            size: DataSize::from_bytes(1_000),
        };
        let mut assembler = FrameAssembler::with_limits(PayloadFormat::H264, limits);
        for seq in 0..5 {
            feed(&mut assembler, seq, 0, seq == 4, IDR);
        }
        feed(&mut assembler, 5, 3_000, true, DELTA);
        assert_eq!(
            frames(&mut assembler),
            [(1, vec![5], true)],
            "its number is skipped, so the gap is seen"
        );
        assert_eq!(assembler.dropped(), 1);
    }

    #[test]
    fn a_single_packet_may_be_too_much() {
        let limits = FrameLimits {
            packets: 10,
            size: DataSize::from_bytes(100),
        };
        let mut assembler = FrameAssembler::with_limits(PayloadFormat::H264, limits);
        feed(&mut assembler, 0, 0, true, &[0x65; 200]);
        feed(&mut assembler, 1, 3_000, true, IDR);
        assert_eq!(frames(&mut assembler), [(1, vec![1], true)]);
    }

    proptest! {
        #[test]
        fn every_packet_with_a_payload_ends_up_in_exactly_one_frame(
            lens in prop::collection::vec((1_usize..6, any::<bool>()), 1..40),
            first_seq: u16,
        ) {
            let mut assembler = FrameAssembler::new(PayloadFormat::H264);
            let mut seq = first_seq;
            let mut fed = Vec::new();
            let mut seen = Vec::new();
            for (frame, (len, marker)) in lens.iter().enumerate() {
                for number in 1..=*len {
                    feed(&mut assembler, seq, frame as u32 * 3_000, *marker && number == *len, DELTA);
                    fed.push(seq);
                    seq = seq.wrapping_add(1);
                }
                seen.extend(frames(&mut assembler));
            }
            assembler.handle_end();
            seen.extend(frames(&mut assembler));
            prop_assert_eq!(seen.iter().map(|(_, packets, _)| packets.len()).collect::<Vec<_>>(),
                lens.iter().map(|(len, _)| *len).collect::<Vec<_>>());
            prop_assert!(seen.iter().enumerate().all(|(index, (number, _, intact))| *number == index as u64 && *intact));
            prop_assert_eq!(seen.into_iter().flat_map(|(_, packets, _)| packets).collect::<Vec<_>>(), fed);
        }
    }
}
