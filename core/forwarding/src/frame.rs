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
