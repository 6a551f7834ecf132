//! Token buckets.

use std::time::Duration;

use crate::Rate;

/// One token, in the unit in which a bucket counts: what a rate of 1/s adds in a microsecond is one.
const TOKEN: u128 = 1_000_000;

/// What is left of a [`Rate`].
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    rate: Rate,
    /// In millionths of a token; never more than the burst.
    level: u128,
    /// When `level` was right.
    at: Duration,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(rate: Rate, now: Duration) -> Self {
        Self {
            rate,
            level: u128::from(rate.burst) * TOKEN,
            at: now,
        }
    }

    /// Takes `amount` tokens, or none if there are not as many.
    pub(crate) fn take(&mut self, amount: usize, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.at).as_micros();
        self.at = self.at.max(now);
        self.level = (self.level + elapsed * u128::from(self.rate.per_second))
            .min(u128::from(self.rate.burst) * TOKEN);
        match self.level.checked_sub(amount as u128 * TOKEN) {
            Some(rest) => {
                self.level = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        per_second: 2,
    };

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let mut bucket = TokenBucket::new(RATE, at(0));
        assert!((0..3).all(|_| bucket.take(1, at(0))));
        assert!(!bucket.take(1, at(499)));
        assert!(bucket.take(1, at(500)));
        assert!(!bucket.take(1, at(501)));
    }

    #[test]
    fn a_rest_however_long_fills_it_no_higher_than_the_burst() {
        let mut bucket = TokenBucket::new(RATE, at(0));
        assert!(!bucket.take(4, Duration::MAX));
        assert!(bucket.take(3, Duration::MAX));
    }

    #[test]
    fn time_that_goes_backwards_gives_nothing() {
        let mut bucket = TokenBucket::new(RATE, at(1000));
        assert!(bucket.take(3, at(1000)));
        assert!(!bucket.take(1, at(0)));
        assert!(!bucket.take(1, at(1000)));
        assert!(bucket.take(1, at(1500)));
    }
}
