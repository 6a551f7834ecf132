//! One viewer's copy of one stream: which frames it gets, and with what headers.

use std::sync::{Arc, Mutex};

use weir_forwarding::{
    CatchUp, CatchUpState, Counters, Frame, OutgoingStream, RenditionId, RenditionSwitch, Rewriter, Verdict,
};
use weir_units::{RtpTimestamp, Timestamp};

use super::packets::Packet;
use super::viewer_pad::ViewerPad;
use crate::lock;

/// One viewer's copy of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OutputId {
    /// The viewer, as the element numbers them.
    pub(crate) viewer: u64,
    /// The stream, as the element numbers them.
    pub(crate) stream: u32,
}

/// What is to be done for an output after a frame.
#[derive(Debug)]
pub(super) enum Delivery {
    /// Push this list.
    Push(gst::BufferList),
    /// Nothing: the frame is not for this viewer.
    Nothing,
    /// Nothing, and the viewer needs a key frame of this rendition, for it missed a frame.
    KeyFrameNeeded(RenditionId),
}

#[derive(Debug)]
pub(super) struct Output {
    id: OutputId,
    pad: ViewerPad,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rewriter: Rewriter,
    switch: RenditionSwitch,
    catch_up: Option<CatchUp<Packet>>,
    /// Number of the frame that comes next in the rendition, to notice one that was lost on the way here.
    next_number: Option<(RenditionId, u64)>,
    /// A push of this viewer's blocks: it gets nothing until that returns.
    suspended: bool,
}

impl Output {
    pub(super) fn new(id: OutputId, pad: ViewerPad, stream: OutgoingStream, target: RenditionId) -> Self {
        let mut switch = RenditionSwitch::new();
        switch.set_target(Some(target));
        Self {
            id,
            pad,
            state: Mutex::new(State {
                rewriter: Rewriter::new(stream),
                switch,
                catch_up: None,
                next_number: None,
                suspended: false,
            }),
        }
    }

    pub(super) fn id(&self) -> OutputId {
        self.id
    }

    pub(super) fn pad(&self) -> &ViewerPad {
        &self.pad
    }

    /// The rendition that the viewer should be on.
    pub(super) fn target(&self) -> Option<RenditionId> {
        lock(&self.state).switch.target()
    }

    /// Moves the viewer to another rendition at its next key frame.
    pub(super) fn set_target(&self, target: RenditionId) {
        lock(&self.state).switch.set_target(Some(target));
    }

    /// Starts with cached frames.
    pub(super) fn start_catch_up(&self, catch_up: CatchUp<Packet>) {
        lock(&self.state).catch_up = Some(catch_up);
    }

    /// When the next cached frame is due.
    pub(super) fn catch_up_timeout(&self) -> Option<Timestamp> {
        lock(&self.state)
            .catch_up
            .as_ref()
            .and_then(CatchUp::poll_timeout)
    }

    pub(super) fn counters(&self) -> Counters {
        lock(&self.state).rewriter.counters()
    }

    /// Stops everything for this viewer until [`Self::resume`].
    pub(super) fn suspend(&self) {
        lock(&self.state).suspended = true;
    }

    /// Goes on after [`Self::suspend`]. Frames were missed: the rendition of which a key frame is needed.
    pub(super) fn resume(&self) -> Option<RenditionId> {
        let mut state = lock(&self.state);
        state.suspended = false;
        state.catch_up = None;
        state.switch.handle_loss();
        state.switch.wants_key_frame()
    }

    /// A live frame of a rendition: what this viewer gets of it.
    pub(super) fn handle_live(&self, rendition: RenditionId, frame: &Arc<Frame<Packet>>) -> Delivery {
        let mut state = lock(&self.state);
        let state = &mut *state;
        if state.suspended {
            state.rewriter.count_dropped_frame();
            return Delivery::Nothing;
        }
        if let Some(catch_up) = &mut state.catch_up {
            if state.switch.target() == Some(rendition) {
                catch_up.handle_live_frame(frame);
            }
            return Delivery::Nothing;
        }
        let missed = state.missed_a_frame(rendition, frame) || !frame.intact;
        if missed {
            state.switch.handle_loss();
        }
        let timestamp = frame.timestamp;
        match state.switch.handle_frame(rendition, frame.key, timestamp) {
            Verdict::Forward { .. } => match state.rewrite(frame, timestamp, std::time::Duration::ZERO) {
                Some(list) => Delivery::Push(list),
                None => Delivery::Nothing,
            },
            Verdict::Drop => {
                if state.switch.target() == Some(rendition) {
                    state.rewriter.count_dropped_frame();
                }
                if missed {
                    Delivery::KeyFrameNeeded(rendition)
                } else {
                    Delivery::Nothing
                }
            }
        }
    }

    /// A cached frame that is due, if there is one.
    pub(super) fn handle_due(&self, now: Timestamp) -> Delivery {
        let mut state = lock(&self.state);
        if state.suspended {
            return Delivery::Nothing;
        }
        let Some(target) = state.switch.target() else {
            return Delivery::Nothing;
        };
        let Some(catch_up) = &mut state.catch_up else {
            return Delivery::Nothing;
        };
        let due = catch_up.poll_frame(now);
        let progress = catch_up.state();
        let delivery = match due {
            Some(due) => {
                state.next_number = Some((target, due.frame.number + 1));
                match state.switch.handle_frame(target, due.frame.key, due.timestamp) {
                    Verdict::Forward { .. } => state
                        .rewrite(&due.frame, due.timestamp, due.pts_shift)
                        .map_or(Delivery::Nothing, Delivery::Push),
                    Verdict::Drop => Delivery::Nothing,
                }
            }
            None => Delivery::Nothing,
        };
        match progress {
            CatchUpState::Behind => delivery,
            CatchUpState::Live => {
                state.catch_up = None;
                delivery
            }
            CatchUpState::Lost => {
                state.catch_up = None;
                state.switch.handle_loss();
                Delivery::KeyFrameNeeded(target)
            }
        }
    }
}

impl State {
    fn missed_a_frame(&mut self, rendition: RenditionId, frame: &Frame<Packet>) -> bool {
        let expected = self.next_number.replace((rendition, frame.number + 1));
        let is_current = self.switch.current() == Some(rendition);
        is_current && expected.is_some_and(|(of, number)| of == rendition && number != frame.number)
    }

    fn rewrite(
        &mut self,
        frame: &Frame<Packet>,
        timestamp: RtpTimestamp,
        pts_shift: std::time::Duration,
    ) -> Option<gst::BufferList> {
        let pts = frame
            .pts
            .and_then(|pts| gst::ClockTime::try_from(pts + pts_shift).ok());
        let mut list = gst::BufferList::new_sized(frame.packets.len());
        {
            let list = list.get_mut()?;
            self.rewriter.begin_frame(timestamp, frame.key);
            for (packet, payload) in &frame.packets {
                let rewritten = self.rewriter.rewrite(packet);
                if let Some(buffer) = payload.assemble(&rewritten, pts) {
                    list.add(buffer);
                }
            }
            self.rewriter.end_frame();
        }
        Some(list)
    }
}
