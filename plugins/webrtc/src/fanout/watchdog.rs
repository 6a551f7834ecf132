//! Notices a push that blocks.
//!
//! One thread for all hubs of the process; it sleeps while no hub has a viewer. A thread that waits for a
//! processor is not blocked: only one that sleeps inside its push is, so a busy machine ends nobody's session.

use std::sync::{Condvar, LazyLock, Mutex, Weak};
use std::time::Duration;

use crate::lock;

/// What the watchdog looks after.
pub(super) trait Watched: Send + Sync {
    /// Looks for a push that blocks. Returns whether there is anything to look after.
    fn check(&self) -> bool;
}

/// Starts looking after `watched`, until it is dropped.
pub(super) fn watch(watched: Weak<dyn Watched>) {
    let watchdog = &*WATCHDOG;
    lock(&watchdog.watched).push(watched);
    watchdog.wake.notify_one();
}

/// Has the watchdog look again: somebody has something to look after.
pub(super) fn wake() {
    WATCHDOG.wake.notify_one();
}

/// Whether a thread of this process sleeps (rather than running, or waiting for a processor).
pub(super) fn is_asleep(thread: ThreadId) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/self/task/{}/stat", thread.0)) else {
        // Where the system does not tell, time alone decides.
        return true;
    };
    // The state is the first field after the name, which may itself hold spaces and parentheses (proc(5)).
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.trim_start().chars().next());
    state != Some('R')
}

/// A thread, as the system knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadId(u32);

impl ThreadId {
    /// The calling thread.
    pub(super) fn current() -> Self {
        let link = std::fs::read_link("/proc/thread-self").ok();
        let id = link
            .as_deref()
            .and_then(|path| path.file_name()?.to_str()?.parse().ok());
        Self(id.unwrap_or_default())
    }
}

/// Short against the 50 ms after which a push counts as blocked.
const PERIOD: Duration = Duration::from_millis(20);

struct Watchdog {
    watched: Mutex<Vec<Weak<dyn Watched>>>,
    wake: Condvar,
}

static WATCHDOG: LazyLock<&'static Watchdog> = LazyLock::new(|| {
    let watchdog: &'static Watchdog = Box::leak(Box::new(Watchdog {
        watched: Mutex::default(),
        wake: Condvar::new(),
    }));
    let spawned = std::thread::Builder::new()
        .name("weir-watchdog".to_owned())
        .spawn(move || run(watchdog));
    if let Err(error) = spawned {
        gst::warning!(
            crate::CAT,
            "without a watchdog, a viewer that blocks is not noticed: {error}"
        );
    }
    watchdog
});

fn run(watchdog: &'static Watchdog) {
    loop {
        let watched: Vec<_> = {
            let mut watched = lock(&watchdog.watched);
            watched.retain(|one| one.strong_count() > 0);
            watched.iter().filter_map(Weak::upgrade).collect()
        };
        let mut anything = false;
        for one in &watched {
            anything |= one.check();
        }
        drop(watched);
        let guard = lock(&watchdog.watched);
        let (guard, _) = if anything {
            watchdog
                .wake
                .wait_timeout(guard, PERIOD)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        } else {
            // A wake-up that came before this wait is made up for by the next look.
            watchdog
                .wake
                .wait_timeout(guard, Duration::from_secs(1))
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        };
        drop(guard);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_waits_is_asleep_and_one_that_works_is_not() {
        let (tell, told) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let waiter = std::thread::spawn(move || {
            tell.send(ThreadId::current()).expect("the test listens");
            let _ = released.recv();
        });
        let id = told.recv().expect("the thread tells its id");
        while !is_asleep(id) {
            std::thread::yield_now();
        }
        assert!(!is_asleep(ThreadId::current()), "the thread that asks is running");
        drop(release);
        waiter.join().expect("the thread ends");
    }
}
