//! Keeps buffer lists whole on their way through webrtcbin.
//!
//! Between its sink pad and its RTP funnel, webrtcbin 1.22 puts a clocksync, which may sleep in the thread
//! that pushes, and a bin with the FEC encoders, which is built even without FEC and takes lists apart into
//! single packets. Both are bypassed: the sink pad's ghost is pointed at the funnel.

use gst::prelude::*;

/// Points webrtcbin's `sink_pad` straight at the RTP funnel, if it is connected to it.
///
/// To be called once the pad's stream is connected (its caps were pushed after the answer) and before the
/// first buffer. Returns false, and changes nothing, where webrtcbin is built in another way.
pub(crate) fn bypass_fec(webrtcbin: &gst::Element, sink_pad: &gst::Pad) -> bool {
    let Some(ghost) = sink_pad.downcast_ref::<gst::GhostPad>() else {
        return false;
    };
    let Some(clocksync) = ghost.target().and_then(|pad| pad.parent_element()) else {
        return false;
    };
    if clocksync
        .factory()
        .is_none_or(|factory| factory.name() != "clocksync")
    {
        return false;
    }
    let Some(fec) = peer_of(&clocksync, "src").and_then(|pad| pad.parent_element()) else {
        return false;
    };
    let Some(funnel_pad) = peer_of(&fec, "src") else {
        return false;
    };
    let is_funnel = funnel_pad
        .parent_element()
        .and_then(|element| element.factory())
        .is_some_and(|factory| factory.name() == "rtpfunnel");
    let Some(fec_src) = fec.static_pad("src") else {
        return false;
    };
    if !is_funnel || fec_src.unlink(&funnel_pad).is_err() {
        return false;
    }
    if ghost.set_target(Some(&funnel_pad)).is_err() {
        gst::warning!(
            crate::CAT,
            obj = webrtcbin,
            "could not bypass the FEC bin of {}",
            sink_pad.name()
        );
        return false;
    }
    // The ghost's sticky events reached the old target: the funnel has them already through it.
    true
}

fn peer_of(element: &gst::Element, pad: &str) -> Option<gst::Pad> {
    element.static_pad(pad)?.peer()
}
