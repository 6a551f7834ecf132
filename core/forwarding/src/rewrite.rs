//! The outgoing side of one (viewer, m-line, rid): new headers for shared payloads.

use arrayvec::ArrayVec;
use weir_units::{DataSize, Mid, PayloadType, Rid, RtpTimestamp, SeqNo, Ssrc};

use crate::SourcePacket;

/// Longest head there can be: RTP header 12, two-byte extensions mid 2+32, rid 2+16, TWCC 2+2, their own header 4 and
/// padding 3; VP8 descriptor 6 or VP9 start 5.
pub const MAX_HEAD: usize = 84;

/// The bytes in front of a shared payload.
pub type Head = ArrayVec<u8, MAX_HEAD>;

/// Header extensions of an outgoing stream: ids (1 to 255, as negotiated) and values.
///
/// Written in the one-byte form of RFC 8285 §4.2, or in the two-byte form (§4.3) if an id is above 14 or a value is
/// longer than 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The m-line's identification tag (RFC 8843 §15).
    pub mid: Option<(u8, Mid)>,
    /// The encoding's identifier (RFC 8852 §3.1).
    pub rid: Option<(u8, Rid)>,
    /// Room for a transport-wide sequence number, which the RTP session writes.
    pub twcc: Option<u8>,
}

/// What an outgoing stream looks like and where its numbers begin.
///
/// The starting numbers should be random (RFC 3550 §5.1): the shell draws them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingStream {
    /// The one synchronisation source that the viewer sees.
    pub ssrc: Ssrc,
    /// As negotiated with the viewer.
    pub payload_type: PayloadType,
    /// Of the first packet.
    pub first_seq: SeqNo,
    /// Ticks added to each timestamp, the same for all renditions of the stream.
    pub timestamp_offset: u32,
    /// Header extensions.
    pub extensions: Extensions,
    /// Picture id of the first frame; the lower 15 bits count.
    pub first_picture_id: u16,
}

/// What went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes of header, extensions and payload.
    pub bytes: DataSize,
    /// Frames begun.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Frames that were not sent to this viewer.
    pub dropped_frames: u64,
    /// Frames that were cut: the receiver saw a hole in the sequence numbers.
    pub cut_frames: u64,
}

/// A packet ready for one viewer: `head`, then `payload_len` bytes of the source packet from `payload_offset`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// RTP header, extensions and the rewritten start of the payload.
    pub head: Head,
    /// Where in the source packet the rest of the payload begins.
    pub payload_offset: usize,
    /// How many bytes that is; 0 if the head is all there is.
    pub payload_len: usize,
    /// The sequence number given.
    pub seq: SeqNo,
    /// The timestamp given.
    pub timestamp: RtpTimestamp,
}

/// The outgoing state of one (viewer, m-line, rid).
///
/// For each frame: [`Rewriter::begin_frame`], [`Rewriter::rewrite`] for each packet, [`Rewriter::end_frame`].
/// Whatever the frames come from (another rendition, a restarted encoder, a cache), the viewer sees one
/// continuous stream.
#[derive(Clone, Debug)]
pub struct Rewriter {
    stream: OutgoingStream,
    next_seq: SeqNo,
    counters: Counters,
}

impl Rewriter {
    /// A stream of which nothing was sent yet.
    pub fn new(stream: OutgoingStream) -> Self {
        Self {
            stream,
            next_seq: stream.first_seq,
            counters: Counters::default(),
        }
    }

    /// A frame begins, with this timestamp on the stream's time base (that of the frame, or the one that
    /// [`CatchUp`](crate::CatchUp) gave it).
    ///
    /// A timestamp that is not newer than the last one is moved to one tick after it. If the last frame was not
    /// ended, it is cut.
    pub fn begin_frame(&mut self, timestamp: RtpTimestamp, key: bool) {
        let _ = (timestamp, key);
    }

    /// The header of the next packet of the frame. `source` are the bytes `packet` was parsed from; only its header
    /// and descriptor are looked at, so a first part of the packet is enough.
    pub fn rewrite(&mut self, packet: &SourcePacket, source: &[u8]) -> Rewritten {
        let _ = (packet, source);
        Rewritten {
            head: Head::new(),
            payload_offset: 0,
            payload_len: 0,
            seq: self.next_seq,
            timestamp: RtpTimestamp(self.stream.timestamp_offset),
        }
    }

    /// The frame is complete.
    pub fn end_frame(&mut self) {}

    /// The frame ends before its end: the next packet skips a sequence number, so that the receiver sees the hole.
    pub fn cut_frame(&mut self) {}

    /// A frame was not sent to this viewer; the next one it gets should be a key frame.
    pub fn count_dropped_frame(&mut self) {
        self.counters.dropped_frames += 1;
    }

    /// Changes what was negotiated; numbers go on.
    pub fn set_negotiated(&mut self, payload_type: PayloadType, extensions: Extensions) {
        self.stream.payload_type = payload_type;
        self.stream.extensions = extensions;
    }

    /// What went out.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The stream as it was configured.
    pub fn stream(&self) -> &OutgoingStream {
        &self.stream
    }
}
