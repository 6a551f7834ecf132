//! A payloader's buffers, parsed once and cut into what is shared and what is rewritten per viewer.

use std::sync::OnceLock;

use weir_forwarding::{ParseError, PayloadFormat, Rewritten, SourcePacket};

/// One RTP packet of a rendition, shared by all viewers.
#[derive(Debug)]
pub(crate) struct Packet {
    buffer: gst::Buffer,
    /// The payload's memory from the offset at which every viewer's head ends.
    body: OnceLock<(usize, gst::Buffer)>,
}

impl Packet {
    /// Parses a payloader's buffer.
    ///
    /// # Errors
    /// It is no RTP packet of this format.
    pub(super) fn parse(
        format: PayloadFormat,
        buffer: gst::Buffer,
    ) -> Result<(SourcePacket, Self), ParseError> {
        let packet = {
            let map = buffer.map_readable().map_err(|_| ParseError::Header)?;
            SourcePacket::parse(format, &map)?
        };
        Ok((
            packet,
            Self {
                buffer,
                body: OnceLock::new(),
            },
        ))
    }

    /// A viewer's packet: its head in memory of its own, the payload's memory shared with all others.
    pub(super) fn assemble(&self, rewritten: &Rewritten, pts: Option<gst::ClockTime>) -> Option<gst::Buffer> {
        let mut buffer = gst::Buffer::with_size(rewritten.head.len()).ok()?;
        {
            let buffer = buffer.get_mut()?;
            buffer.copy_from_slice(0, &rewritten.head).ok()?;
            if rewritten.payload_len > 0 {
                let body = self.body(rewritten.payload_offset)?;
                for memory in body.iter_memories_owned() {
                    buffer.append_memory(memory);
                }
            }
            buffer.set_pts(pts);
        }
        Some(buffer)
    }

    fn body(&self, offset: usize) -> Option<gst::Buffer> {
        let region = || {
            self.buffer
                .copy_region(gst::BufferCopyFlags::MEMORY, offset..)
                .ok()
        };
        let (cut_at, body) = match self.body.get() {
            Some(cut) => cut,
            None => {
                let body = region()?;
                self.body.get_or_init(|| (offset, body))
            }
        };
        // The head's end depends on the source packet alone; should that change, cutting anew is right, if slow.
        if *cut_at == offset {
            Some(body.clone())
        } else {
            region()
        }
    }
}
