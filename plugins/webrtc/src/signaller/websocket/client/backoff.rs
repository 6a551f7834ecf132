//! How long to wait before the next attempt.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);

/// Delays that double from half a second to 15 s. Each is shortened at random, by up to a half, so that clients that
/// lost the same server do not come back at the same moment.
pub(super) struct Backoff {
    rng: SmallRng,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            next: FIRST,
        }
    }

    pub(super) fn next_delay(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(LONGEST);
        full.mul_f64(self.rng.random_range(0.5..=1.0))
    }

    /// Things went well: the next delay is a short one.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_fifteen_seconds_and_are_spread() {
        let mut backoff = Backoff::new(1);
        let mut full = FIRST;
        for _ in 0..12 {
            let delay = backoff.next_delay();
            assert!(
                (full / 2..=full).contains(&delay),
                "{delay:?} should be between half of {full:?} and all of it"
            );
            full = (full * 2).min(LONGEST);
        }
        assert_eq!(full, LONGEST);
        backoff.reset();
        assert!(backoff.next_delay() <= FIRST);
    }

    #[test]
    fn two_clients_do_not_come_back_together() {
        let delays = |seed| {
            let mut backoff = Backoff::new(seed);
            [(); 4].map(|()| backoff.next_delay())
        };
        assert_ne!(delays(1), delays(2));
        assert_eq!(delays(1), delays(1), "the seed alone decides");
    }
}
