//! Amounts of data and their rates.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Div, Mul, Sub, SubAssign},
    time::Duration,
};

/// An amount of data in bytes. Arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataSize(u64);

impl DataSize {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// `bytes` bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The amount in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The amount of a buffer of `len` bytes.
    pub const fn from_len(len: usize) -> Self {
        Self(len as u64)
    }
}

impl Add for DataSize {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for DataSize {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for DataSize {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for DataSize {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for DataSize {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::ZERO, Add::add)
    }
}

impl Div<Duration> for DataSize {
    type Output = Bitrate;

    /// The rate at which this much arrives within `span`; zero for an empty span.
    fn div(self, span: Duration) -> Bitrate {
        let nanos = span.as_nanos();
        if nanos == 0 {
            return Bitrate::ZERO;
        }
        Bitrate(clamp(u128::from(self.0) * 8 * NANOS_PER_SECOND / nanos))
    }
}

impl Div<Bitrate> for DataSize {
    type Output = Duration;

    /// How long this much takes at `rate`; the longest span there is at a rate of zero.
    fn div(self, rate: Bitrate) -> Duration {
        if rate.0 == 0 {
            return if self.0 == 0 {
                Duration::ZERO
            } else {
                Duration::MAX
            };
        }
        Duration::from_nanos(clamp(
            (u128::from(self.0) * 8 * NANOS_PER_SECOND).div_ceil(u128::from(rate.0)),
        ))
    }
}

impl fmt::Display for DataSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}

/// A rate of data in bits per second. Arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bitrate(u64);

impl Bitrate {
    /// Nothing ever arrives.
    pub const ZERO: Self = Self(0);

    /// `bps` bits per second.
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// `kbps` thousand bits per second.
    pub const fn from_kbps(kbps: u64) -> Self {
        Self(kbps.saturating_mul(1_000))
    }

    /// The rate in bits per second.
    pub const fn bps(self) -> u64 {
        self.0
    }
}

impl Mul<Duration> for Bitrate {
    type Output = DataSize;

    /// What arrives within `span`, in whole bytes.
    fn mul(self, span: Duration) -> DataSize {
        DataSize(clamp(
            u128::from(self.0).saturating_mul(span.as_nanos()) / (8 * NANOS_PER_SECOND),
        ))
    }
}

impl Mul<u32> for Bitrate {
    type Output = Self;

    fn mul(self, times: u32) -> Self {
        Self(self.0.saturating_mul(u64::from(times)))
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} kbit/s", self.0 / 1_000, self.0 % 1_000)
    }
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

fn clamp(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn size_over_time_is_a_rate_and_back() {
        let size = DataSize::from_bytes(125_000);
        let rate = size / Duration::from_secs(1);
        assert_eq!(rate, Bitrate::from_kbps(1_000));
        assert_eq!(rate * Duration::from_secs(1), size);
        assert_eq!(size / rate, Duration::from_secs(1));
    }

    #[test]
    fn divisions_by_zero_have_an_answer() {
        assert_eq!(DataSize::from_bytes(1) / Duration::ZERO, Bitrate::ZERO);
        assert_eq!(DataSize::from_bytes(1) / Bitrate::ZERO, Duration::MAX);
        assert_eq!(DataSize::ZERO / Bitrate::ZERO, Duration::ZERO);
    }

    #[test]
    fn amounts_saturate_rather_than_wrap() {
        let all = DataSize::from_bytes(u64::MAX);
        assert_eq!(all + DataSize::from_bytes(1), all);
        assert_eq!(DataSize::from_bytes(1) - DataSize::from_bytes(2), DataSize::ZERO);
        assert_eq!(Bitrate::from_bps(u64::MAX) * 2, Bitrate::from_bps(u64::MAX));
        assert_eq!(Bitrate::from_bps(u64::MAX) * Duration::MAX, all);
    }

    #[test]
    fn sizes_add_up() {
        let mut total: DataSize = [3_usize, 4].into_iter().map(DataSize::from_len).sum();
        total += DataSize::from_bytes(5);
        total -= DataSize::from_bytes(2);
        assert_eq!(total.bytes(), 10);
    }

    #[test]
    fn amounts_read_with_their_units() {
        assert_eq!(DataSize::from_bytes(1_200).to_string(), "1200 B");
        assert_eq!(Bitrate::from_bps(2_500_042).to_string(), "2500.042 kbit/s");
    }

    #[test]
    fn a_rate_of_kilobits_is_a_thousand_bits() {
        assert_eq!(Bitrate::from_kbps(2).bps(), 2_000);
        assert_eq!(Bitrate::from_kbps(u64::MAX).bps(), u64::MAX, "saturating");
        assert_eq!(Bitrate::from_kbps(300) * 4, Bitrate::from_kbps(1_200));
    }

    #[test]
    fn a_frame_takes_its_time_at_a_rate() {
        let frame = DataSize::from_bytes(10_350);
        assert_eq!(
            frame / Bitrate::from_kbps(2_484),
            Duration::from_nanos(33_333_334),
            "rounded up"
        );
        assert_eq!(
            Bitrate::from_kbps(2_484) * Duration::from_millis(1),
            DataSize::from_bytes(310),
            "rounded down"
        );
    }

    #[test]
    fn sizes_and_rates_compare() {
        assert!(DataSize::from_bytes(1) > DataSize::ZERO);
        assert!(Bitrate::from_bps(999) < Bitrate::from_kbps(1));
        assert_eq!(
            Bitrate::from_kbps(4).max(Bitrate::from_kbps(3)),
            Bitrate::from_kbps(4)
        );
    }

    proptest! {
        #[test]
        fn no_arithmetic_panics(a: u64, b: u64, nanos: u64, times: u32) {
            let (size, rate, span) = (DataSize::from_bytes(a), Bitrate::from_bps(b), Duration::from_nanos(nanos));
            let _ = (size + DataSize::from_bytes(b), size - DataSize::from_bytes(b));
            let _ = (size / span, size / rate, rate * span, rate * times);
            let _ = (size / Duration::MAX, rate * Duration::MAX);
        }

        #[test]
        fn measuring_what_was_sent_at_a_rate_gives_about_that_rate(bps in 10_000_u64..1_000_000_000, millis in 100_u64..10_000) {
            let span = Duration::from_millis(millis);
            let measured = (Bitrate::from_bps(bps) * span / span).bps();
            prop_assert!(measured <= bps);
            prop_assert!(bps - measured <= 80 + 8_000 / millis, "a byte is all that rounding takes");
        }

        #[test]
        fn sending_at_a_rate_never_exceeds_that_rate(bytes in 1_u64..100_000_000, bps in 1_u64..10_000_000_000) {
            let rate = Bitrate::from_bps(bps);
            let size = DataSize::from_bytes(bytes);
            let span = size / rate;
            prop_assert!(rate * span >= size, "the time computed is enough for the data");
            if let Some(less) = span.checked_sub(Duration::from_nanos(1 + 8_000_000_000 / bps)) {
                prop_assert!(rate * less < size, "and no more than that");
            }
        }
    }
}
