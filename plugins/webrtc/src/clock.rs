//! The one place where the plugin reads the time that it tells the pure machines.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use weir_units::Timestamp;

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time since the first call, monotonic.
pub(crate) fn now() -> Timestamp {
    Timestamp::new(EPOCH.elapsed())
}

/// How long it is until `at`.
pub(crate) fn until(at: Timestamp) -> Duration {
    at.saturating_since(now())
}

/// An instant as a timestamp.
pub(crate) fn at(instant: Instant) -> Timestamp {
    Timestamp::new(instant.saturating_duration_since(*EPOCH))
}
