//! Packets and frames for the tests.

use std::time::Duration;

use weir_units::{DataSize, RtpTimestamp};

use crate::{Frame, PayloadFormat, SourcePacket};

/// An RTP packet to be written.
#[derive(Clone, Debug)]
pub(crate) struct RtpPacket {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) seq: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) csrcs: Vec<u32>,
    /// Profile and content, whose length is a multiple of 4.
    pub(crate) extension: Option<(u16, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
    pub(crate) padding: u8,
}

impl Default for RtpPacket {
    fn default() -> Self {
        Self {
            marker: false,
            payload_type: 96,
            seq: 1,
            timestamp: 0,
            ssrc: 0x1234_5678,
            csrcs: Vec::new(),
            extension: None,
            payload: vec![0; 10],
            padding: 0,
        }
    }
}

impl RtpPacket {
    pub(crate) fn with_payload(payload: &[u8]) -> Self {
        Self {
            payload: payload.to_vec(),
            ..Self::default()
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![
            0x80 | (u8::from(self.padding > 0) << 5)
                | (u8::from(self.extension.is_some()) << 4)
                | self.csrcs.len() as u8,
            (u8::from(self.marker) << 7) | self.payload_type,
        ];
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(self.csrcs.iter().flat_map(|csrc| csrc.to_be_bytes()));
        if let Some((profile, content)) = &self.extension {
            bytes.extend(profile.to_be_bytes());
            bytes.extend(((content.len() / 4) as u16).to_be_bytes());
            bytes.extend(content);
        }
        bytes.extend(&self.payload);
        if self.padding > 0 {
            bytes.extend(vec![0; usize::from(self.padding) - 1]);
            bytes.push(self.padding);
        }
        bytes
    }

    pub(crate) fn parse(&self, format: PayloadFormat) -> SourcePacket {
        SourcePacket::parse(format, &self.to_bytes()).expect("a well-formed packet")
    }
}

/// A VP8 payload: descriptor and content.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vp8Payload {
    pub(crate) starts: bool,
    pub(crate) key: bool,
    pub(crate) picture_id: Option<u16>,
    pub(crate) wide: bool,
    /// TL0PICIDX and TID.
    pub(crate) layer: Option<(u8, u8)>,
    pub(crate) key_idx: Option<u8>,
    pub(crate) content: Vec<u8>,
}

impl Vp8Payload {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.starts) << 4];
        let extensions = (u8::from(self.picture_id.is_some()) << 7)
            | (u8::from(self.layer.is_some()) * 0x60)
            | (u8::from(self.key_idx.is_some()) << 4);
        if extensions != 0 {
            bytes[0] |= 0x80;
            bytes.push(extensions);
        }
        match self.picture_id {
            Some(id) if self.wide => bytes.extend((id | 0x8000).to_be_bytes()),
            Some(id) => bytes.push(id as u8 & 0x7f),
            None => {}
        }
        if let Some((tl0_pic_idx, _)) = self.layer {
            bytes.push(tl0_pic_idx);
        }
        if self.layer.is_some() || self.key_idx.is_some() {
            bytes.push(self.layer.map_or(0, |(_, tid)| tid << 6) | self.key_idx.unwrap_or(0));
        }
        // The inverse key-frame bit of the payload header.
        bytes.push(u8::from(!self.key));
        bytes.extend(&self.content);
        bytes
    }
}

/// A frame of one packet, whose size is as told rather than that of its bytes.
pub(crate) fn frame(number: u64, key: bool, timestamp: u32, size: u64) -> Frame<()> {
    let packet = RtpPacket {
        timestamp,
        marker: true,
        ..RtpPacket::default()
    }
    .parse(PayloadFormat::Opus);
    Frame {
        number,
        timestamp: RtpTimestamp(timestamp),
        pts: Some(Duration::from_micros(u64::from(timestamp) * 100 / 9)),
        key,
        intact: true,
        packets: vec![(packet, ())],
        size: DataSize::from_bytes(size),
    }
}
