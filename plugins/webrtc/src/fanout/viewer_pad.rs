//! The pad by which a viewer's packets leave the hub for its webrtcbin.

use gst::prelude::*;

/// A source pad of no element, linked to a sink pad of a viewer's webrtcbin.
///
/// What comes up it (key-frame requests) arrives on threads of the viewer's rtpsession, possibly while the hub
/// pushes down it: the callback takes note and returns.
#[derive(Clone, Debug)]
pub(crate) struct ViewerPad {
    pad: gst::Pad,
}

impl ViewerPad {
    /// Makes the pad and links it to `sink`. `on_key_frame_request` runs for each PLI or FIR of the viewer.
    ///
    /// # Errors
    /// When `sink` is linked already.
    pub(crate) fn link_to(
        sink: &gst::Pad,
        on_key_frame_request: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, gst::PadLinkError> {
        let pad = gst::Pad::builder(gst::PadDirection::Src)
            .event_function(move |_, _, event| {
                if gst_video::UpstreamForceKeyUnitEvent::parse(&event).is_ok() {
                    on_key_frame_request();
                }
                true
            })
            .query_function(|pad, parent, query| {
                if let gst::QueryViewMut::Latency(latency) = query.view_mut() {
                    latency.set(true, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                    return true;
                }
                gst::Pad::query_default(pad, parent, query)
            })
            .build();
        // Without a parent there is nobody else to activate it.
        let _ = pad.set_active(true);
        pad.link(sink)?;
        Ok(Self { pad })
    }

    /// Tells webrtcbin what will come: to be called once the codec is known, and before the first packet.
    /// Calls into webrtcbin, which connects its input stream on this occasion.
    pub(crate) fn announce(&self, stream_id: &str, caps: &gst::Caps) {
        self.pad.push_event(
            gst::event::StreamStart::builder(stream_id)
                .group_id(gst::GroupId::next())
                .build(),
        );
        self.pad.push_event(gst::event::Caps::new(caps));
        self.pad.push_event(gst::event::Segment::new(
            &gst::FormattedSegment::<gst::ClockTime>::new(),
        ));
    }

    /// Pushes a frame's packets. May block where webrtcbin does.
    pub(super) fn push(&self, list: gst::BufferList) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.pad.push_list(list)
    }

    /// Lets go of a push that blocks, and of all that follow: also of the viewer's other streams, for they share
    /// what comes after webrtcbin's RTP funnel. Only for a viewer that leaves.
    pub(crate) fn flush(&self) {
        self.pad.push_event(gst::event::FlushStart::new());
    }

    /// Takes the pad off its webrtcbin. Waits for a push that is under way, unless [`Self::flush`] was called before:
    /// for a thread that may wait.
    pub(crate) fn unlink(&self) {
        let _ = self.pad.set_active(false);
        if let Some(peer) = self.pad.peer() {
            let _ = self.pad.unlink(&peer);
        }
    }
}
