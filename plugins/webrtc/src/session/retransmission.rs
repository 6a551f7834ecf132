//! Has lost packets asked for again where that was negotiated.
//!
//! When an SSRC comes up, webrtcbin 1.22 sets its jitter buffer's `do-retransmission` by every SSRC of the transport in
//! turn, and the last one wins: next to an audio stream, video is never asked for again.

use std::sync::{Arc, Mutex};

use gst::glib;
use gst::prelude::*;

use crate::lock;

/// The jitter buffers that there are, by SSRC. `ssrc_limit` bounds how many.
type JitterBuffers = Arc<Mutex<Vec<(u32, glib::WeakRef<gst::Element>)>>>;

/// Sets `do-retransmission` of every jitter buffer to its transceiver's `do-nack`.
///
/// To be called before the first packet comes in.
pub(super) fn follow_transceivers(webrtcbin: &gst::Element) {
    let rtpbin = webrtcbin
        .downcast_ref::<gst::Bin>()
        .and_then(|bin| bin.by_name("rtpbin"));
    let Some(rtpbin) = rtpbin else { return };
    let buffers = JitterBuffers::default();
    let known = buffers.clone();
    rtpbin.connect("new-jitterbuffer", false, move |values| {
        let buffer = values[1].get::<gst::Element>().ok()?;
        let ssrc = values[3].get::<u32>().ok()?;
        // Which m-line it belongs to is known when its first packet leaves; until then nothing shall be missed.
        buffer.set_property("do-retransmission", true);
        let mut known = lock(&known);
        known.retain(|(_, buffer)| buffer.upgrade().is_some());
        known.push((ssrc, buffer.downgrade()));
        None
    });
    webrtcbin.connect_pad_added(move |_, pad| {
        let transceiver = pad.property::<Option<gst_webrtc::WebRTCRTPTransceiver>>("transceiver");
        let ssrc = pad
            .current_caps()
            .and_then(|caps| caps.structure(0)?.get::<u32>("ssrc").ok());
        let (Some(transceiver), Some(ssrc)) = (transceiver, ssrc) else {
            return;
        };
        let buffer = lock(&buffers)
            .iter()
            .rev()
            .find(|(of, _)| *of == ssrc)
            .and_then(|(_, buffer)| buffer.upgrade());
        if let Some(buffer) = buffer {
            buffer.set_property("do-retransmission", transceiver.property::<bool>("do-nack"));
        }
    });
}
