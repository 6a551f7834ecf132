//! The outgoing side of one (viewer, m-line, rid): new headers for shared payloads.

use arrayvec::ArrayVec;
use weir_units::{DataSize, Mid, PayloadType, Rid, RtpTimestamp, SeqNo, Ssrc};

use crate::{SourcePacket, packet::Descriptor};

/// Longest head there can be, in bytes: RTP header, header extensions and the VP8 descriptor (the VP9 start is shorter).
pub const MAX_HEAD: usize = 12 + MAX_EXTENSIONS + 6;

/// The bytes in front of a shared payload.
pub type Head = ArrayVec<u8, MAX_HEAD>;

/// Header extensions of an outgoing stream: ids (1 to 255, as negotiated) and values.
///
/// Written in the one-byte form of RFC 8285 §4.2, or in the two-byte form (§4.3) if an id is above 14 or a value is
/// longer than 16 bytes. GStreamer's RTP session writes transport-wide sequence numbers into the one-byte form only: with
/// a long mid, or a TWCC id above 14, there is no feedback.
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
    /// The header extensions with their own header, the same in each packet.
    extensions: ExtensionBytes,
    next_seq: SeqNo,
    /// Of the last frame of which anything was sent, as the viewer sees it.
    last_timestamp: Option<RtpTimestamp>,
    frame: Option<OpenFrame>,
    next_picture_id: u16,
    tl0_pic_idx: u8,
    key_idx: u8,
    counters: Counters,
}

#[derive(Clone, Copy, Debug)]
struct OpenFrame {
    /// As the viewer sees it.
    timestamp: RtpTimestamp,
    key: bool,
    /// Of its packets, any was sent: then it has a picture id.
    picture_id: Option<u16>,
}

impl Rewriter {
    /// A stream of which nothing was sent yet.
    pub fn new(stream: OutgoingStream) -> Self {
        Self {
            stream,
            extensions: stream.extensions.to_bytes(),
            next_seq: stream.first_seq,
            last_timestamp: None,
            frame: None,
            next_picture_id: stream.first_picture_id & PICTURE_ID_MASK,
            tl0_pic_idx: 0,
            key_idx: 0,
            counters: Counters::default(),
        }
    }

    /// A frame begins, with this timestamp on the stream's time base (that of the frame, or the one that
    /// [`CatchUp`](crate::CatchUp) gave it).
    ///
    /// A timestamp that is not newer than the last one is moved to one tick after it. If the last frame was not
    /// ended, it is cut.
    pub fn begin_frame(&mut self, timestamp: RtpTimestamp, key: bool) {
        self.cut_frame();
        let timestamp = timestamp.wrapping_add(self.stream.timestamp_offset);
        let timestamp = match self.last_timestamp {
            Some(last) if !timestamp.is_newer_than(last) => last.wrapping_add(1),
            Some(_) | None => timestamp,
        };
        self.frame = Some(OpenFrame {
            timestamp,
            key,
            picture_id: None,
        });
    }

    /// The header of the next packet of the frame. Without [`Rewriter::begin_frame`], the packet begins one.
    ///
    /// Extensions and contributing sources of the source are not carried on: they are between it and us.
    pub fn rewrite(&mut self, packet: &SourcePacket) -> Rewritten {
        let (timestamp, picture_id) = self.continue_frame(packet);
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);

        let mut head = Head::new();
        head.push(0x80 | if self.extensions.is_empty() { 0 } else { 0x10 });
        head.push(self.stream.payload_type.number() | if packet.marker { 0x80 } else { 0 });
        head.extend(seq.0.to_be_bytes());
        head.extend(timestamp.0.to_be_bytes());
        head.extend(self.stream.ssrc.0.to_be_bytes());
        head.extend(self.extensions.iter().copied());
        let replaced = self.write_descriptor(&packet.descriptor, picture_id, &mut head);

        let payload_len = packet.payload_len - replaced;
        self.counters.packets += 1;
        self.counters.bytes += DataSize::from_len(head.len() + payload_len);
        Rewritten {
            head,
            payload_offset: packet.header_len + replaced,
            payload_len,
            seq,
            timestamp,
        }
    }

    /// The frame is complete.
    pub fn end_frame(&mut self) {
        self.frame = None;
    }

    /// The frame ends before its end: the next packet skips a sequence number, so that the receiver sees the hole.
    ///
    /// Nothing happens if no packet of it was sent.
    pub fn cut_frame(&mut self) {
        if self.frame.take().is_some_and(|frame| frame.picture_id.is_some()) {
            self.next_seq = self.next_seq.wrapping_add(1);
            self.counters.cut_frames += 1;
        }
    }

    /// A frame was not sent to this viewer; the next one it gets should be a key frame.
    pub fn count_dropped_frame(&mut self) {
        self.counters.dropped_frames += 1;
    }

    /// Changes what was negotiated; numbers go on.
    pub fn set_negotiated(&mut self, payload_type: PayloadType, extensions: Extensions) {
        self.stream.payload_type = payload_type;
        self.stream.extensions = extensions;
        self.extensions = extensions.to_bytes();
    }

    /// What went out.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The stream as it was configured.
    pub fn stream(&self) -> &OutgoingStream {
        &self.stream
    }

    fn new_frame(&self, timestamp: RtpTimestamp, key: bool) -> OpenFrame {
        let timestamp = timestamp.wrapping_add(self.stream.timestamp_offset);
        let timestamp = match self.last_timestamp {
            Some(last) if !timestamp.is_newer_than(last) => last.wrapping_add(1),
            Some(_) | None => timestamp,
        };
        OpenFrame {
            timestamp,
            key,
            picture_id: None,
        }
    }

    /// Timestamp and picture id of the frame the packet is of; they are drawn with its first packet.
    fn continue_frame(&mut self, packet: &SourcePacket) -> (RtpTimestamp, u16) {
        let implicit = self.new_frame(packet.timestamp, packet.starts_key_frame);
        let OpenFrame {
            timestamp,
            key,
            picture_id,
        } = self.frame.get_or_insert(implicit);
        if let Some(picture_id) = *picture_id {
            return (*timestamp, picture_id);
        }
        let drawn = (*timestamp, *picture_id.insert(self.next_picture_id));
        self.next_picture_id = (self.next_picture_id + 1) & PICTURE_ID_MASK;
        self.last_timestamp = Some(*timestamp);
        self.counters.frames += 1;
        if *key {
            self.counters.key_frames += 1;
            self.key_idx = (self.key_idx + 1) & KEY_IDX_MASK;
        }
        if packet.descriptor.is_base_layer() {
            self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        }
        drawn
    }

    /// Writes the descriptor with our picture ids; returns how many bytes of the source's payload that replaces.
    ///
    /// The picture id always has 15 bits, also if the source's has 7 or none: a switch must not change its width.
    fn write_descriptor(&self, descriptor: &Descriptor, picture_id: u16, head: &mut Head) -> usize {
        let picture_id = (picture_id | 0x8000).to_be_bytes();
        match descriptor {
            Descriptor::None => 0,
            Descriptor::Vp8(vp8) => {
                let has_layer = vp8.temporal_id.is_some();
                head.push(
                    0x80 | flag(vp8.non_reference, 0x20) | flag(vp8.starts_partition, 0x10) | vp8.partition,
                );
                head.push(
                    0x80 | flag(vp8.tl0_pic_idx.is_some(), 0x40)
                        | flag(has_layer, 0x20)
                        | flag(vp8.key_idx.is_some(), 0x10),
                );
                head.extend(picture_id);
                if vp8.tl0_pic_idx.is_some() {
                    head.push(self.tl0_pic_idx);
                }
                if has_layer || vp8.key_idx.is_some() {
                    head.push(
                        (vp8.temporal_id.unwrap_or(0) << 6)
                            | flag(vp8.layer_sync, 0x20)
                            | vp8.key_idx.map_or(0, |_| self.key_idx),
                    );
                }
                vp8.len
            }
            Descriptor::Vp9(vp9) => {
                head.push(0x80 | vp9.flags);
                head.extend(picture_id);
                head.extend(vp9.layers);
                head.extend(vp9.tl0_pic_idx.map(|_| self.tl0_pic_idx));
                vp9.len
            }
        }
    }
}

const PICTURE_ID_MASK: u16 = 0x7fff;
const KEY_IDX_MASK: u8 = 0x1f;

const fn flag(is_set: bool, bit: u8) -> u8 {
    if is_set { bit } else { 0 }
}

impl Descriptor {
    /// Whether the frame counts in TL0PICIDX.
    fn is_base_layer(&self) -> bool {
        match self {
            Self::None => false,
            Self::Vp8(vp8) => vp8.tl0_pic_idx.is_some() && vp8.temporal_id.unwrap_or(0) == 0,
            Self::Vp9(vp9) => vp9.tl0_pic_idx.is_some() && vp9.temporal_id.unwrap_or(0) == 0,
        }
    }
}

/// Longest header extensions: their header, two-byte forms of mid, rid and TWCC, padding.
const MAX_EXTENSIONS: usize = 4 + (2 + Mid::MAX_LEN) + (2 + Rid::MAX_LEN) + (2 + 2) + 3;

type ExtensionBytes = ArrayVec<u8, MAX_EXTENSIONS>;

impl Extensions {
    fn to_bytes(self) -> ExtensionBytes {
        let mid = self.mid.as_ref().map(|(id, mid)| (*id, mid.as_str().as_bytes()));
        let rid = self.rid.as_ref().map(|(id, rid)| (*id, rid.as_str().as_bytes()));
        let twcc = self.twcc.map(|id| (id, [0_u8; 2].as_slice()));
        // Id 0 is padding and names nothing.
        let elements = || [mid, rid, twcc].into_iter().flatten().filter(|(id, _)| *id != 0);

        let mut bytes = ExtensionBytes::new();
        if elements().next().is_none() {
            return bytes;
        }
        let is_one_byte = elements().all(|(id, value)| id <= 14 && value.len() <= 16);
        bytes.extend(if is_one_byte { [0xbe, 0xde] } else { [0x10, 0x00] });
        bytes.extend([0, 0]);
        for (id, value) in elements() {
            // Values have 1 to 32 bytes, so that neither length overflows.
            let len = value.len() as u8;
            if is_one_byte {
                bytes.push((id << 4) | (len - 1));
            } else {
                bytes.extend([id, len]);
            }
            bytes.extend(value.iter().copied());
        }
        while bytes.len() % 4 != 0 {
            bytes.push(0);
        }
        bytes[3] = (bytes.len() / 4 - 1) as u8;
        bytes
    }
}

#[cfg(test)]
mod tests;
