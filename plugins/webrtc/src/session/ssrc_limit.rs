//! Bounds what a peer can have this side build by inventing SSRCs.
//!
//! rtpbin makes a jitter buffer, with a thread, and a chain of elements for every SSRC that packets come with.

use std::sync::Mutex;

use gst::prelude::*;

use crate::lock;

/// So many SSRCs may send to one connection: more than the largest simulcast with retransmission of several m-lines.
const MAX_SSRCS: usize = 64;

/// Drops the packets of all SSRCs that come after the first [`MAX_SSRCS`], before webrtcbin's rtpbin sees them.
pub(super) fn limit_ssrcs(webrtcbin: &gst::Element) {
    let rtpbin = webrtcbin
        .downcast_ref::<gst::Bin>()
        .and_then(|bin| bin.by_name("rtpbin"));
    let Some(rtpbin) = rtpbin else { return };
    rtpbin.connect_pad_added(|_, pad| {
        if !pad.name().starts_with("recv_rtp_sink") {
            return;
        }
        let known = Mutex::new(Known::default());
        let admits = move |packet: &gst::BufferRef| {
            // Shorter than an RTP header, or one too many.
            ssrc_of(packet).is_some_and(|ssrc| lock(&known).admits(ssrc))
        };
        let data = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(data, move |_, info| {
            let passes = match &info.data {
                Some(gst::PadProbeData::Buffer(packet)) => admits(packet),
                Some(gst::PadProbeData::BufferList(list)) => list.iter().all(&admits),
                _ => true,
            };
            if passes {
                gst::PadProbeReturn::Ok
            } else {
                // Not `Drop`: the bindings have let go of the packet themselves, and GStreamer would complain that
                // there is none.
                gst::PadProbeReturn::Handled
            }
        });
    });
}

/// The SSRC of an RTP packet (RFC 3550, section 5.1).
fn ssrc_of(packet: &gst::BufferRef) -> Option<u32> {
    let mut ssrc = [0; 4];
    if packet.size() < 12 {
        return None;
    }
    packet.copy_to_slice(8, &mut ssrc).ok()?;
    Some(u32::from_be_bytes(ssrc))
}

/// The SSRCs that were let in, the one that was heard last in front.
#[derive(Debug, Default)]
struct Known(Vec<u32>);

impl Known {
    fn admits(&mut self, ssrc: u32) -> bool {
        match self.0.iter().position(|known| *known == ssrc) {
            Some(position) => self.0.swap(0, position),
            None if self.0.len() < MAX_SSRCS => self.0.push(ssrc),
            None => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventing_ssrcs_leads_nowhere_and_the_known_ones_go_on() {
        let mut known = Known::default();
        let admitted = (0..10_000).filter(|ssrc| known.admits(*ssrc)).count();
        assert_eq!(admitted, MAX_SSRCS);
        assert!(known.admits(0) && known.admits(63) && !known.admits(10_001));
        assert_eq!(known.0.len(), MAX_SSRCS);
    }

    #[test]
    fn the_ssrc_is_read_from_the_header_and_what_has_none_is_no_packet() {
        gst::init().unwrap();
        let packet = gst::Buffer::from_slice([0x80, 96, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 9]);
        assert_eq!(ssrc_of(&packet), Some(0x0102_0304));
        assert_eq!(ssrc_of(&gst::Buffer::from_slice([0x80; 11])), None);
    }
}
