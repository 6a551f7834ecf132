//! Instants without a clock.

use std::{
    fmt,
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

/// An instant: the time since an arbitrary, monotonic epoch that the shell chose.
///
/// Timestamps of different epochs must not meet; a process has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The epoch itself.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The instant `since_epoch` after the epoch.
    pub const fn new(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The time since the epoch.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is in fact later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<Duration> for Timestamp {
    fn from(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the end of time, some 584 thousand million years after the epoch.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the epoch.
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    /// [`Timestamp::saturating_since`].
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_added_is_the_span_between() {
        let start = Timestamp::from_millis(1_500);
        let end = start + Duration::from_millis(250);
        assert_eq!(end - start, Duration::from_millis(250));
        assert_eq!(end - Duration::from_millis(250), start);
        assert_eq!(end.since_epoch(), Duration::from_millis(1_750));
    }

    #[test]
    fn arithmetic_saturates_at_both_ends_of_time() {
        let early = Timestamp::from_millis(5);
        let late = Timestamp::from_millis(9);
        assert_eq!(
            early - late,
            Duration::ZERO,
            "a clock that stood still is no reason to panic"
        );
        assert_eq!(early - Duration::from_secs(1), Timestamp::ZERO);
        assert_eq!(
            Timestamp::new(Duration::MAX) + Duration::from_secs(1),
            Timestamp::new(Duration::MAX)
        );
    }

    #[test]
    fn an_instant_reads_as_seconds() {
        assert_eq!(
            Timestamp::from(Duration::from_micros(1_500_001)).to_string(),
            "1.500001 s"
        );
    }

    #[test]
    fn a_deadline_can_be_moved_in_place() {
        let mut deadline = Timestamp::ZERO;
        deadline += Duration::from_secs(2);
        assert_eq!(deadline, Timestamp::from_millis(2_000));
        assert!(deadline > Timestamp::ZERO);
    }

    #[test]
    fn the_earlier_of_two_deadlines_comes_first() {
        let deadlines = [
            Some(Timestamp::from_millis(30)),
            None,
            Some(Timestamp::from_millis(20)),
        ];
        assert_eq!(
            deadlines.into_iter().flatten().min(),
            Some(Timestamp::from_millis(20))
        );
    }

    proptest::proptest! {
        #[test]
        fn spans_add_up(start_ms in 0_u64..1 << 40, first_ms in 0_u64..1 << 30, second_ms in 0_u64..1 << 30) {
            let (first, second) = (Duration::from_millis(first_ms), Duration::from_millis(second_ms));
            let start = Timestamp::from_millis(start_ms);
            proptest::prop_assert_eq!(start + first + second - start, first + second);
            proptest::prop_assert_eq!((start + first + second).saturating_since(start + first), second);
            proptest::prop_assert_eq!(start + first - first, start);
        }
    }
}
