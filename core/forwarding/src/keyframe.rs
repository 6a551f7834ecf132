//! When may an encoder be asked for a key frame?

use std::time::Duration;

use weir_units::Timestamp;

/// A viewer, as the shell numbers them.
pub type ViewerId = u64;

/// Why a viewer wants a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// It has just come, or has been moved to this rendition.
    Join {
        /// The rendition's [`GopCache`](crate::GopCache) can serve it.
        cached: bool,
    },
    /// It lost packets: PLI or FIR.
    Loss,
}

/// What a viewer that wants a key frame gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Serve it from the GOP cache: the last key frame is recent enough, or the next one too far off.
    FromCache,
    /// A key frame is requested for it, or was for others: it waits.
    Coming,
    /// A key frame went out just before: the request was sent before it arrived. Nothing is done.
    JustSent,
    /// The viewer asks too often. Its wish is kept and becomes a request at this time, unless a key frame comes first.
    Deferred {
        /// When it may cause the next one.
        until: Timestamp,
    },
    /// The input makes no key frames on request, and nothing is cached: the viewer waits for the next natural one.
    WaitForNatural,
}

/// What the shell must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFrameCommand {
    /// Ask the rendition's encoder for a key frame.
    Request,
    /// The encoder was asked several times and delivered nothing: warn, once.
    Unresponsive,
}

/// The figures of a [`KeyFrameBudget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFrameConfig {
    /// Shortest distance between a key frame and the next request.
    pub min_interval: Duration,
    /// One request is earned per this time …
    pub refill: Duration,
    /// … and this many can be saved up.
    pub burst: u32,
    /// A viewer that loses packets can cause one request per this time.
    pub per_viewer: Duration,
    /// A key frame serves joiners from the cache, and settles losses, for this long after it.
    pub share: Duration,
    /// A joiner whose key frame cannot be requested within this time is served from the cache, however old.
    pub max_join_wait: Duration,
    /// The shortest time the encoder is given before it is asked again.
    pub retry: Duration,
    /// How often it is asked again before it is held to be unresponsive.
    pub max_retries: u32,
    /// An unresponsive encoder is tried again after this long, when a viewer asks.
    pub unresponsive_retry: Duration,
}

impl Default for KeyFrameConfig {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_millis(300),
            refill: Duration::from_secs(1),
            burst: 2,
            per_viewer: Duration::from_secs(2),
            share: Duration::from_millis(200),
            max_join_wait: Duration::from_millis(300),
            retry: Duration::from_millis(500),
            max_retries: 4,
            unresponsive_retry: Duration::from_secs(10),
        }
    }
}

/// The key-frame budget of one rendition: who may cause a key frame, and when.
#[derive(Clone, Debug)]
pub struct KeyFrameBudget {
    config: KeyFrameConfig,
}

impl KeyFrameBudget {
    /// A budget with its savings full.
    pub fn new(config: KeyFrameConfig) -> Self {
        Self { config }
    }

    /// A viewer wants a key frame. Drain [`KeyFrameBudget::poll_command`] afterwards.
    pub fn handle_request(&mut self, viewer: ViewerId, kind: RequestKind, now: Timestamp) -> Answer {
        let _ = (viewer, kind, now, self.config);
        Answer::Coming
    }

    /// The rendition has produced a key frame, asked for or not.
    pub fn handle_key_frame(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// A viewer has left or moved to another rendition: its wishes are void.
    pub fn handle_viewer_left(&mut self, viewer: ViewerId) {
        let _ = viewer;
    }

    /// The time of [`KeyFrameBudget::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// What to do next.
    pub fn poll_command(&mut self) -> Option<KeyFrameCommand> {
        None
    }

    /// When to call [`KeyFrameBudget::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}
