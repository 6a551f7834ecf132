//! The numbers of an RTP header.

use std::fmt;

/// A synchronisation source (RFC 3550 §3): who sends this RTP stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// A 16-bit RTP sequence number, which wraps (RFC 3550 §5.1).
///
/// It has no `Ord`: order on a circle exists only between neighbours, see [`SeqNo::is_newer_than`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// The number `steps` further.
    #[must_use]
    pub const fn wrapping_add(self, steps: u16) -> Self {
        Self(self.0.wrapping_add(steps))
    }

    /// The number `steps` back.
    #[must_use]
    pub const fn wrapping_sub(self, steps: u16) -> Self {
        Self(self.0.wrapping_sub(steps))
    }

    /// How many steps `self` is ahead of `reference` by the shorter way round; negative if it is behind.
    ///
    /// Exactly half the circle counts as behind (-32768).
    pub const fn distance(self, reference: Self) -> i16 {
        self.0.wrapping_sub(reference.0).cast_signed()
    }

    /// Whether `self` comes after `other` by serial number arithmetic (RFC 1982 §3.2).
    pub const fn is_newer_than(self, other: Self) -> bool {
        self.distance(other) > 0
    }
}

impl fmt::Display for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A 32-bit RTP media timestamp in ticks of the codec's clock rate, which wraps (RFC 3550 §5.1).
///
/// It has no `Ord`, for the same reason as [`SeqNo`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpTimestamp(pub u32);

impl RtpTimestamp {
    /// The timestamp `ticks` later.
    #[must_use]
    pub const fn wrapping_add(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// The timestamp `ticks` earlier.
    #[must_use]
    pub const fn wrapping_sub(self, ticks: u32) -> Self {
        Self(self.0.wrapping_sub(ticks))
    }

    /// How many ticks `self` is ahead of `reference` by the shorter way round; negative if it is behind.
    ///
    /// Exactly half the circle counts as behind.
    pub const fn distance(self, reference: Self) -> i32 {
        self.0.wrapping_sub(reference.0).cast_signed()
    }

    /// Whether `self` comes after `other` by serial number arithmetic (RFC 1982 §3.2).
    pub const fn is_newer_than(self, other: Self) -> bool {
        self.distance(other) > 0
    }
}

impl fmt::Display for RtpTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An RTP payload type, 0 to 127 (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadType(u8);

impl PayloadType {
    /// The highest number that fits the header's seven bits.
    pub const MAX: Self = Self(127);

    /// The payload type `number`, or none above 127.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::MAX.0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for PayloadType {
    type Error = PayloadTypeError;

    fn try_from(number: u8) -> Result<Self, PayloadTypeError> {
        Self::new(number).ok_or(PayloadTypeError(number))
    }
}

impl fmt::Display for PayloadType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that is no payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("payload type {0} does not fit seven bits")]
pub struct PayloadTypeError(pub u8);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        assert!(SeqNo(2).is_newer_than(SeqNo(65_534)));
        assert!(!SeqNo(65_534).is_newer_than(SeqNo(2)));
        assert_eq!(SeqNo(2).distance(SeqNo(65_534)), 4);
        assert_eq!(SeqNo(65_534).distance(SeqNo(2)), -4);
        assert!(RtpTimestamp(10).is_newer_than(RtpTimestamp(u32::MAX)));
        assert_eq!(RtpTimestamp(10).distance(RtpTimestamp(u32::MAX)), 11);
    }

    #[test]
    fn nothing_is_newer_than_itself() {
        assert!(!SeqNo(7).is_newer_than(SeqNo(7)));
        assert!(!RtpTimestamp(7).is_newer_than(RtpTimestamp(7)));
    }

    #[test]
    fn exactly_half_the_circle_apart_neither_is_newer() {
        assert!(!SeqNo(0x8000).is_newer_than(SeqNo(0)));
        assert!(!SeqNo(0).is_newer_than(SeqNo(0x8000)));
        assert!(!RtpTimestamp(0x8000_0000).is_newer_than(RtpTimestamp(0)));
    }

    #[test]
    fn a_payload_type_has_seven_bits() {
        assert_eq!(PayloadType::new(127), Some(PayloadType::MAX));
        assert_eq!(PayloadType::new(128), None);
        assert_eq!(PayloadType::try_from(200), Err(PayloadTypeError(200)));
        assert_eq!(
            PayloadTypeError(200).to_string(),
            "payload type 200 does not fit seven bits"
        );
        assert_eq!(PayloadType::try_from(96).unwrap().number(), 96);
    }

    #[test]
    fn numbers_read_as_the_field_writes_them() {
        assert_eq!(Ssrc(0xbeef).to_string(), "0x0000beef");
        assert_eq!(SeqNo(65_535).to_string(), "65535");
        assert_eq!(RtpTimestamp(90_000).to_string(), "90000");
        assert_eq!(PayloadType::MAX.to_string(), "127");
    }

    #[test]
    fn identifiers_can_be_sorted_and_looked_up() {
        let streams = std::collections::BTreeMap::from([(Ssrc(2), "audio"), (Ssrc(1), "video")]);
        assert_eq!(streams.values().copied().collect::<Vec<_>>(), ["video", "audio"]);
        assert!(PayloadType::new(96) < PayloadType::new(97));
    }

    #[test]
    fn a_gap_is_the_distance_to_the_number_that_was_expected() {
        let expected = SeqNo(65_535).wrapping_add(1);
        assert_eq!(expected, SeqNo(0));
        assert_eq!(SeqNo(3).distance(expected), 3, "three packets are missing");
        assert_eq!(SeqNo(65_535).distance(expected), -1, "a repeat");
    }

    #[test]
    fn a_frame_interval_is_the_distance_of_timestamps_across_the_wrap() {
        let first = RtpTimestamp(u32::MAX - 1_499);
        let second = first.wrapping_add(3_000);
        assert_eq!(second, RtpTimestamp(1_500));
        assert_eq!(second.distance(first), 3_000);
        assert_eq!(first, second.wrapping_sub(3_000));
    }

    proptest! {
        #[test]
        fn of_two_numbers_at_most_one_is_newer(a: u16, b: u16, c: u32, d: u32) {
            let (a, b) = (SeqNo(a), SeqNo(b));
            prop_assert!(!(a.is_newer_than(b) && b.is_newer_than(a)));
            prop_assert_eq!(a.wrapping_add(b.distance(a).cast_unsigned()), b, "the distance leads there");
            let (c, d) = (RtpTimestamp(c), RtpTimestamp(d));
            prop_assert!(!(c.is_newer_than(d) && d.is_newer_than(c)));
            prop_assert_eq!(c.wrapping_add(d.distance(c).cast_unsigned()), d);
        }

        #[test]
        fn payload_types_are_exactly_those_of_seven_bits(number: u8) {
            match PayloadType::try_from(number) {
                Ok(payload_type) => {
                    prop_assert!(number < 128);
                    prop_assert_eq!(payload_type.number(), number);
                }
                Err(error) => {
                    prop_assert!(number >= 128);
                    prop_assert_eq!(error, PayloadTypeError(number));
                }
            }
        }

        #[test]
        fn steps_forward_and_back_cancel_out(start: u16, ts: u32, steps: u16, ticks: u32) {
            prop_assert_eq!(SeqNo(start).wrapping_add(steps).wrapping_sub(steps), SeqNo(start));
            prop_assert_eq!(RtpTimestamp(ts).wrapping_add(ticks).wrapping_sub(ticks), RtpTimestamp(ts));
        }

        #[test]
        fn a_step_of_less_than_half_the_circle_is_newer_by_that_step(start: u16, steps in 1_u16..0x8000) {
            let later = SeqNo(start).wrapping_add(steps);
            prop_assert!(later.is_newer_than(SeqNo(start)));
            prop_assert!(!SeqNo(start).is_newer_than(later));
            prop_assert_eq!(i32::from(later.distance(SeqNo(start))), i32::from(steps));
        }

        #[test]
        fn timestamps_less_than_half_the_circle_apart_are_ordered(start: u32, ticks in 1_u32..0x8000_0000) {
            let later = RtpTimestamp(start).wrapping_add(ticks);
            prop_assert!(later.is_newer_than(RtpTimestamp(start)));
            prop_assert_eq!(i64::from(RtpTimestamp(start).distance(later)), -i64::from(ticks));
        }
    }
}
