//! Which rendition of a stream a viewer is on.

use weir_units::RtpTimestamp;

/// A rendition of a stream. The shell gives the numbers and never gives one twice within a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionId(pub u32);

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it to the viewer.
    Forward {
        /// It is the first one of another rendition than the last frame's (or the first of all).
        switched: bool,
    },
    /// Not for this viewer.
    Drop,
}

/// How far a switch may step back in time, in ticks: 100 ms of video.
const MAX_STEP_BACK: i32 = 9_000;

/// The rendition a viewer gets of one stream, and the one it should get.
///
/// It starts and switches at key frames of the target; until then the viewer keeps what it has.
///
/// A key frame of an instant that was sent already, or one shortly before, is taken too: renditions of one stream are
/// encoded side by side, and the larger one is usually later. The same instant is then seen twice, the second time
/// better, and the [`Rewriter`](crate::Rewriter) keeps the timestamps increasing. That is cheaper for everybody than a
/// second key frame, which would be as late as the first. Only one that is older than 100 ms is not switched to, once:
/// if the next one is as late, so is the encoder.
#[derive(Clone, Debug, Default)]
pub struct RenditionSwitch {
    target: Option<RenditionId>,
    current: Option<RenditionId>,
    /// Timestamp of the last frame forwarded.
    last: Option<RtpTimestamp>,
    /// A frame of the current rendition was lost to this viewer: only a key frame helps.
    broken: bool,
    /// A key frame of the target was too old.
    missed: bool,
}

impl RenditionSwitch {
    /// A viewer that gets nothing and wants nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rendition the viewer should be on from its next key frame; `None` stops the stream at once.
    pub fn set_target(&mut self, target: Option<RenditionId>) {
        if self.target != target {
            self.missed = false;
        }
        self.target = target;
        if target.is_none() {
            self.current = None;
            self.broken = false;
        }
    }

    /// Judges a frame, by the rendition it is of and the timestamp it would be sent with.
    ///
    /// Feed frames of the target and of the current rendition; those of others are dropped. After a key frame that
    /// was dropped, ask [`RenditionSwitch::wants_key_frame`] again.
    pub fn handle_frame(&mut self, rendition: RenditionId, key: bool, timestamp: RtpTimestamp) -> Verdict {
        let is_current = self.current == Some(rendition);
        if self.target.is_none() {
            return Verdict::Drop;
        }
        if is_current && !self.broken {
            self.last = Some(timestamp);
            return Verdict::Forward { switched: false };
        }
        let is_wanted = is_current || self.target == Some(rendition);
        if !key || !is_wanted {
            return Verdict::Drop;
        }
        let is_too_old = self
            .last
            .is_some_and(|last| last.distance(timestamp) > MAX_STEP_BACK);
        if is_too_old && !self.missed {
            self.missed = true;
            return Verdict::Drop;
        }
        self.missed = false;
        self.broken = false;
        self.current = Some(rendition);
        self.last = Some(timestamp);
        Verdict::Forward {
            switched: !is_current,
        }
    }

    /// A frame of the current rendition did not reach the viewer (the shell dropped it, or it never was complete):
    /// nothing more is forwarded until a key frame.
    pub fn handle_loss(&mut self) {
        self.broken = self.current.is_some();
    }

    /// A rendition has ended: the viewer is not on it any more, nor wants it.
    pub fn handle_rendition_gone(&mut self, rendition: RenditionId) {
        if self.current == Some(rendition) {
            self.current = None;
        }
        if self.target == Some(rendition) {
            self.target = None;
        }
    }

    /// The rendition whose key frame the viewer waits for.
    pub fn wants_key_frame(&self) -> Option<RenditionId> {
        self.target
            .filter(|target| self.broken || self.current != Some(*target))
    }

    /// The rendition whose frames the viewer gets.
    pub fn current(&self) -> Option<RenditionId> {
        self.current
    }

    /// The rendition the viewer should be on.
    pub fn target(&self) -> Option<RenditionId> {
        self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: RenditionId = RenditionId(1);
    const HIGH: RenditionId = RenditionId(2);
    const SENT: Verdict = Verdict::Forward { switched: false };
    const SWITCHED: Verdict = Verdict::Forward { switched: true };

    /// A viewer on LOW that was sent timestamp 3000.
    fn on_low() -> RenditionSwitch {
        let mut switch = RenditionSwitch::new();
        switch.set_target(Some(LOW));
        assert_eq!(switch.handle_frame(LOW, true, RtpTimestamp(3_000)), SWITCHED);
        switch
    }

    #[test]
    fn a_viewer_without_a_target_gets_and_wants_nothing() {
        let mut switch = RenditionSwitch::new();
        assert_eq!(switch.handle_frame(LOW, true, RtpTimestamp(0)), Verdict::Drop);
        assert_eq!(switch.wants_key_frame(), None);
    }

    #[test]
    fn a_viewer_starts_at_a_key_frame() {
        let mut switch = RenditionSwitch::new();
        switch.set_target(Some(LOW));
        assert_eq!(switch.wants_key_frame(), Some(LOW));
        assert_eq!(switch.handle_frame(LOW, false, RtpTimestamp(0)), Verdict::Drop);
        assert_eq!(switch.handle_frame(LOW, true, RtpTimestamp(3_000)), SWITCHED);
        assert_eq!(switch.handle_frame(LOW, false, RtpTimestamp(6_000)), SENT);
        assert_eq!(switch.wants_key_frame(), None);
        assert_eq!((switch.current(), switch.target()), (Some(LOW), Some(LOW)));
    }

    #[test]
    fn a_viewer_keeps_what_it_has_until_the_target_has_a_key_frame() {
        let mut switch = on_low();
        switch.set_target(Some(HIGH));
        assert_eq!(switch.wants_key_frame(), Some(HIGH));
        assert_eq!(
            switch.handle_frame(HIGH, false, RtpTimestamp(6_000)),
            Verdict::Drop
        );
        assert_eq!(switch.handle_frame(LOW, false, RtpTimestamp(6_000)), SENT);
        assert_eq!(switch.handle_frame(HIGH, true, RtpTimestamp(9_000)), SWITCHED);
        assert_eq!(
            switch.handle_frame(LOW, false, RtpTimestamp(9_000)),
            Verdict::Drop
        );
        assert_eq!(switch.handle_frame(HIGH, false, RtpTimestamp(12_000)), SENT);
        assert_eq!(switch.wants_key_frame(), None);
    }

    #[test]
    fn a_key_frame_of_an_instant_that_was_sent_already_is_switched_to() {
        let mut switch = on_low();
        switch.set_target(Some(HIGH));
        assert_eq!(switch.handle_frame(HIGH, true, RtpTimestamp(3_000)), SWITCHED);
        assert_eq!(
            switch.handle_frame(LOW, false, RtpTimestamp(6_000)),
            Verdict::Drop
        );
        assert_eq!(switch.handle_frame(HIGH, false, RtpTimestamp(6_000)), SENT);
    }

    #[test]
    fn a_switch_steps_back_by_100_ms_at_most() {
        for (sent, expected) in [(12_000, SWITCHED), (12_001, Verdict::Drop)] {
            let mut switch = on_low();
            switch.set_target(Some(HIGH));
            assert_eq!(switch.handle_frame(LOW, false, RtpTimestamp(sent)), SENT);
            assert_eq!(
                switch.handle_frame(HIGH, true, RtpTimestamp(3_000)),
                expected,
                "3000 after {sent}"
            );
        }
    }

    #[test]
    fn a_target_that_is_always_late_is_taken_at_its_second_key_frame() {
        let mut switch = on_low();
        switch.set_target(Some(HIGH));
        for (late, expected) in [(0, Verdict::Drop), (3_000, SWITCHED)] {
            assert_eq!(switch.handle_frame(LOW, false, RtpTimestamp(late + 20_000)), SENT);
            assert_eq!(switch.wants_key_frame(), Some(HIGH), "it may need another one");
            assert_eq!(switch.handle_frame(HIGH, true, RtpTimestamp(late)), expected);
        }
        assert_eq!(switch.current(), Some(HIGH));
    }

    #[test]
    fn another_target_has_its_first_chance_too() {
        let mut switch = on_low();
        switch.set_target(Some(HIGH));
        switch.handle_frame(LOW, false, RtpTimestamp(20_000));
        assert_eq!(switch.handle_frame(HIGH, true, RtpTimestamp(0)), Verdict::Drop);
        switch.set_target(Some(RenditionId(3)));
        assert_eq!(
            switch.handle_frame(RenditionId(3), true, RtpTimestamp(0)),
            Verdict::Drop
        );
    }

    #[test]
    fn time_goes_on_across_the_wrap() {
        let mut switch = RenditionSwitch::new();
        switch.set_target(Some(LOW));
        switch.handle_frame(LOW, true, RtpTimestamp(u32::MAX - 10));
        switch.set_target(Some(HIGH));
        assert_eq!(switch.handle_frame(HIGH, true, RtpTimestamp(2_989)), SWITCHED);
    }

    #[test]
    fn after_a_loss_only_a_key_frame_helps_of_either_rendition() {
        for rescuer in [LOW, HIGH] {
            let mut switch = on_low();
            switch.handle_loss();
            assert_eq!(switch.wants_key_frame(), Some(LOW));
            switch.set_target(Some(HIGH));
            assert_eq!(switch.wants_key_frame(), Some(HIGH));
            assert_eq!(
                switch.handle_frame(LOW, false, RtpTimestamp(6_000)),
                Verdict::Drop
            );
            let verdict = switch.handle_frame(rescuer, true, RtpTimestamp(9_000));
            assert_eq!(
                verdict,
                Verdict::Forward {
                    switched: rescuer == HIGH
                }
            );
            assert_eq!(switch.handle_frame(rescuer, false, RtpTimestamp(12_000)), SENT);
        }
    }

    #[test]
    fn going_back_on_a_switch_costs_no_key_frame() {
        let mut switch = on_low();
        switch.set_target(Some(HIGH));
        switch.set_target(Some(LOW));
        assert_eq!(switch.wants_key_frame(), None);
        assert_eq!(switch.handle_frame(LOW, false, RtpTimestamp(6_000)), SENT);
    }

    #[test]
    fn a_stream_that_was_stopped_starts_again_at_a_key_frame() {
        let mut switch = on_low();
        switch.set_target(None);
        assert_eq!(switch.handle_frame(LOW, true, RtpTimestamp(6_000)), Verdict::Drop);
        switch.set_target(Some(LOW));
        assert_eq!(
            switch.handle_frame(LOW, false, RtpTimestamp(9_000)),
            Verdict::Drop
        );
        assert_eq!(switch.handle_frame(LOW, true, RtpTimestamp(12_000)), SWITCHED);
    }

    #[test]
    fn a_rendition_that_is_gone_is_neither_current_nor_wanted() {
        let mut switch = on_low();
        switch.set_target(Some(HIGH));
        switch.handle_rendition_gone(LOW);
        assert_eq!((switch.current(), switch.wants_key_frame()), (None, Some(HIGH)));
        switch.handle_rendition_gone(HIGH);
        assert_eq!(switch.wants_key_frame(), None);
    }

    #[test]
    fn a_loss_before_the_first_frame_changes_nothing() {
        let mut switch = RenditionSwitch::new();
        switch.set_target(Some(LOW));
        switch.handle_loss();
        assert_eq!(switch.handle_frame(LOW, true, RtpTimestamp(0)), SWITCHED);
        assert_eq!(switch.handle_frame(LOW, false, RtpTimestamp(3_000)), SENT);
    }
}
