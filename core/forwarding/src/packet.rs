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
    /// The first byte: I, P, L, F, B, E, V, Z.
    pub(crate) flags: u8,
    /// The byte of layer indices.
    pub(crate) layers: Option<u8>,
    /// Length up to and including TL0PICIDX or what stands last of the fields above; what follows stays as it is.
    pub(crate) len: usize,
}

impl SourcePacket {
    /// Parses an RTP packet (RFC 3550 §5.1) and as much of its payload as forwarding needs.
    ///
    /// # Errors
    /// The bytes are no RTP version 2 packet, or end before the header, its extensions, the padding or the
    /// payload descriptor do.
    pub fn parse(format: PayloadFormat, bytes: &[u8]) -> Result<Self, ParseError> {
        let header = Header::parse(bytes)?;
        let payload = &bytes[header.len..header.len + header.payload_len];
        let (starts_key_frame, descriptor) = match format {
            _ if payload.is_empty() => (false, Descriptor::None),
            PayloadFormat::Vp8 => {
                let descriptor = Vp8Descriptor::parse(payload).ok_or(ParseError::Descriptor)?;
                (descriptor.starts_key_frame(payload), Descriptor::Vp8(descriptor))
            }
            PayloadFormat::Vp9 => {
                let descriptor = Vp9Descriptor::parse(payload).ok_or(ParseError::Descriptor)?;
                (descriptor.starts_key_frame(), Descriptor::Vp9(descriptor))
            }
            PayloadFormat::H264 => (h264_starts_key_frame(payload), Descriptor::None),
            PayloadFormat::H265 => (h265_starts_key_frame(payload), Descriptor::None),
            PayloadFormat::Av1 => (av1_starts_key_frame(payload), Descriptor::None),
            PayloadFormat::Opus | PayloadFormat::Other => (true, Descriptor::None),
        };
        Ok(Self {
            header_len: header.len,
            payload_len: header.payload_len,
            marker: header.marker,
            payload_type: header.payload_type,
            seq: header.seq,
            timestamp: header.timestamp,
            ssrc: header.ssrc,
            starts_key_frame,
            descriptor,
        })
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

struct Header {
    len: usize,
    payload_len: usize,
    marker: bool,
    payload_type: PayloadType,
    seq: SeqNo,
    timestamp: RtpTimestamp,
    ssrc: Ssrc,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let Some((fixed, _)) = bytes.split_first_chunk::<12>() else {
            return Err(if bytes.first().is_some_and(|first| first >> 6 == 2) {
                ParseError::Header
            } else {
                ParseError::Version
            });
        };
        if fixed[0] >> 6 != 2 {
            return Err(ParseError::Version);
        }
        let mut len = fixed.len() + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let words = bytes.get(len + 2..len + 4).ok_or(ParseError::Header)?;
            len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        let rest = bytes.len().checked_sub(len).ok_or(ParseError::Header)?;
        let padding = match bytes.last() {
            Some(&padding) if fixed[0] & 0x20 != 0 => {
                if padding == 0 || usize::from(padding) > rest {
                    return Err(ParseError::Padding);
                }
                usize::from(padding)
            }
            _ => 0,
        };
        Ok(Self {
            len,
            payload_len: rest - padding,
            marker: fixed[1] & 0x80 != 0,
            payload_type: PayloadType::new(fixed[1] & 0x7f).unwrap_or(PayloadType::MAX),
            seq: SeqNo(u16::from_be_bytes([fixed[2], fixed[3]])),
            timestamp: RtpTimestamp(u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]])),
            ssrc: Ssrc(u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]])),
        })
    }
}

impl Vp8Descriptor {
    fn parse(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(payload);
        let first = fields.byte()?;
        let extensions = if first & 0x80 != 0 { fields.byte()? } else { 0 };
        let picture_id = fields.picture_id_if(extensions & 0x80 != 0)?;
        let tl0_pic_idx = fields.byte_if(extensions & 0x40 != 0)?;
        let layer = fields.byte_if(extensions & 0x30 != 0)?;
        Some(Self {
            len: fields.read,
            non_reference: first & 0x20 != 0,
            starts_partition: first & 0x10 != 0,
            partition: first & 0x07,
            picture_id: picture_id.map(|(id, _)| id),
            wide_picture_id: picture_id.is_some_and(|(_, wide)| wide),
            tl0_pic_idx,
            temporal_id: layer.filter(|_| extensions & 0x20 != 0).map(|layer| layer >> 6),
            layer_sync: extensions & 0x20 != 0 && layer.is_some_and(|layer| layer & 0x20 != 0),
            key_idx: layer.filter(|_| extensions & 0x10 != 0).map(|layer| layer & 0x1f),
        })
    }

    /// The payload header that follows in the first packet of a frame has an inverse key-frame bit (RFC 7741 §4.3).
    fn starts_key_frame(&self, payload: &[u8]) -> bool {
        self.starts_partition
            && self.partition == 0
            && payload.get(self.len).is_some_and(|header| header & 0x01 == 0)
    }
}

impl Vp9Descriptor {
    const PICTURE_ID: u8 = 0x80;
    const INTER_PREDICTED: u8 = 0x40;
    const LAYERS: u8 = 0x20;
    const FLEXIBLE: u8 = 0x10;
    const STARTS_FRAME: u8 = 0x08;

    fn parse(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(payload);
        let flags = fields.byte()?;
        let picture_id = fields.picture_id_if(flags & Self::PICTURE_ID != 0)?;
        let layers = fields.byte_if(flags & Self::LAYERS != 0)?;
        let tl0_pic_idx = fields.byte_if(flags & Self::LAYERS != 0 && flags & Self::FLEXIBLE == 0)?;
        Some(Self {
            picture_id: picture_id.map(|(id, _)| id),
            wide_picture_id: picture_id.is_some_and(|(_, wide)| wide),
            temporal_id: layers.map(|layers| layers >> 5),
            spatial_id: layers.map(|layers| (layers >> 1) & 0x07),
            tl0_pic_idx,
            flags,
            layers,
            len: fields.read,
        })
    }

    fn starts_key_frame(&self) -> bool {
        self.flags & Self::INTER_PREDICTED == 0
            && self.flags & Self::STARTS_FRAME != 0
            && self.spatial_id.unwrap_or(0) == 0
    }
}

/// Reads a descriptor byte by byte.
struct Fields<'a> {
    bytes: &'a [u8],
    read: usize,
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, read: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.read)?;
        self.read += 1;
        Some(byte)
    }

    /// The outer option is whether the bytes suffice, the inner one whether the field is there.
    fn byte_if(&mut self, is_present: bool) -> Option<Option<u8>> {
        if is_present {
            self.byte().map(Some)
        } else {
            Some(None)
        }
    }

    /// A picture id of 7 or, if its first bit is set, 15 bits.
    fn picture_id_if(&mut self, is_present: bool) -> Option<Option<(u16, bool)>> {
        let Some(high) = self.byte_if(is_present)? else {
            return Some(None);
        };
        if high & 0x80 == 0 {
            return Some(Some((u16::from(high), false)));
        }
        let low = self.byte()?;
        Some(Some((u16::from_be_bytes([high & 0x7f, low]), true)))
    }
}

/// An IDR slice or the parameter sets in front of it: in a packet of its own, aggregated (STAP-A) or as the start
/// of a fragmented unit (FU-A).
fn h264_starts_key_frame(payload: &[u8]) -> bool {
    const IDR: u8 = 5;
    const SPS: u8 = 7;
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    let is_start = |header: u8| matches!(header & 0x1f, IDR | SPS);
    match payload {
        [header, units @ ..] if header & 0x1f == STAP_A => {
            aggregated(units).any(|unit| unit.first().is_some_and(|header| is_start(*header)))
        }
        [header, fragment, ..] if header & 0x1f == FU_A => fragment & 0x80 != 0 && is_start(*fragment),
        [header, ..] => is_start(*header),
        [] => false,
    }
}

/// A slice of an intra random access point or the parameter sets in front of it: in a packet of its own, aggregated
/// or as the start of a fragmented unit.
fn h265_starts_key_frame(payload: &[u8]) -> bool {
    const AGGREGATION: u8 = 48;
    const FRAGMENTATION: u8 = 49;
    // BLA, IDR and CRA are 16 to 21, VPS and SPS 32 and 33 (H.265 table 7-1).
    let is_start = |unit_type: u8| matches!(unit_type, 16..=21 | 32 | 33);
    let unit_type = |header: &u8| (header >> 1) & 0x3f;
    match payload {
        [header, _, units @ ..] if unit_type(header) == AGGREGATION => {
            aggregated(units).any(|unit| unit.first().is_some_and(|header| is_start(unit_type(header))))
        }
        [header, _, fragment, ..] if unit_type(header) == FRAGMENTATION => {
            fragment & 0x80 != 0 && is_start(fragment & 0x3f)
        }
        [header, _, ..] => is_start(unit_type(header)),
        [] | [_] => false,
    }
}

/// N in the aggregation header: the packet is the first one of a coded video sequence. A packet that goes on with an
/// element of the last one (Z) cannot be.
fn av1_starts_key_frame(payload: &[u8]) -> bool {
    payload
        .first()
        .is_some_and(|header| header & 0x08 != 0 && header & 0x80 == 0)
}

/// The units behind 16-bit lengths, up to the first one that is cut short.
fn aggregated(mut units: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = units.split_first_chunk::<2>()?;
        let (unit, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        units = rest;
        Some(unit)
    })
}

#[cfg(test)]
mod tests;
