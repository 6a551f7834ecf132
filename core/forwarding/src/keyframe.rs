//! When may an encoder be asked for a key frame?

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

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
    /// The time the encoder is given before it is asked again: this, or twice what it took for its last key frame, up
    /// to four times this.
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
///
/// Requests that cannot be made at once wait; those that wait, and those that come while the encoder is at it, share
/// one key frame. What is kept of a viewer is forgotten when it leaves or has been quiet for a while.
#[derive(Clone, Debug)]
pub struct KeyFrameBudget {
    config: KeyFrameConfig,
    /// When the savings are full again: the theoretical arrival time of a leaky bucket.
    full_at: Timestamp,
    /// No request before this time, by the distance to the last request or key frame.
    next_at: Timestamp,
    last_key_frame: Option<Timestamp>,
    pending: Option<Pending>,
    /// How long the encoder took for the last key frame.
    delivery: Duration,
    /// Since when it has been known to ignore requests.
    unresponsive: Option<Timestamp>,
    viewers: BTreeMap<ViewerId, Viewer>,
    commands: VecDeque<KeyFrameCommand>,
}

/// A request that the encoder has not answered.
#[derive(Clone, Copy, Debug)]
struct Pending {
    requested_at: Timestamp,
    retry_at: Timestamp,
    retries_left: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Viewer {
    /// When it last caused a request by losing packets.
    loss_at: Option<Timestamp>,
    /// When it last caused a request by joining.
    joined_at: Option<Timestamp>,
    wish: Option<Wish>,
}

/// A request that waits for its time.
#[derive(Clone, Copy, Debug)]
struct Wish {
    kind: RequestKind,
    /// Not before this time, by the rule for the viewer.
    from: Timestamp,
}

impl KeyFrameBudget {
    /// A budget with its savings full.
    pub fn new(config: KeyFrameConfig) -> Self {
        Self {
            config,
            full_at: Timestamp::ZERO,
            next_at: Timestamp::ZERO,
            last_key_frame: None,
            pending: None,
            delivery: Duration::ZERO,
            unresponsive: None,
            viewers: BTreeMap::new(),
            commands: VecDeque::new(),
        }
    }

    /// A viewer wants a key frame. Drain [`KeyFrameBudget::poll_command`] afterwards.
    pub fn handle_request(&mut self, viewer: ViewerId, kind: RequestKind, now: Timestamp) -> Answer {
        let cached = kind == RequestKind::Join { cached: true };
        let just_sent = self
            .last_key_frame
            .is_some_and(|last| now - last <= self.config.share);
        if just_sent && cached {
            return Answer::FromCache;
        }
        if just_sent && kind == RequestKind::Loss {
            return Answer::JustSent;
        }
        if self.pending.is_some() {
            return Answer::Coming;
        }
        if let Some(since) = self.unresponsive
            && now < since + self.config.unresponsive_retry
        {
            return if cached {
                Answer::FromCache
            } else {
                Answer::WaitForNatural
            };
        }
        let until = self
            .viewers
            .entry(viewer)
            .or_default()
            .may_cause_at(kind, self.config.per_viewer);
        if cached && self.earliest().max(until) > now + self.config.max_join_wait {
            return Answer::FromCache;
        }
        let entry = self.viewers.entry(viewer).or_default();
        let wish = Wish {
            kind,
            from: until.max(now),
        };
        entry.wish = Some(
            entry
                .wish
                .filter(|earlier| earlier.from <= wish.from)
                .unwrap_or(wish),
        );
        self.request_if_allowed(now);
        if until > now && self.pending.is_none() {
            Answer::Deferred { until }
        } else {
            Answer::Coming
        }
    }

    /// The rendition has produced a key frame, asked for or not.
    pub fn handle_key_frame(&mut self, now: Timestamp) {
        if let Some(pending) = self.pending.take() {
            self.delivery = now - pending.requested_at;
            self.unresponsive = None;
        }
        self.last_key_frame = Some(now);
        self.next_at = self.next_at.max(now + self.config.min_interval);
        // A request that was not executed yet is served by this key frame.
        self.commands
            .retain(|command| *command != KeyFrameCommand::Request);
        self.settle_wishes(now);
    }

    /// A viewer has left or moved to another rendition: its wishes are void.
    pub fn handle_viewer_left(&mut self, viewer: ViewerId) {
        self.viewers.remove(&viewer);
    }

    /// The time of [`KeyFrameBudget::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let patience = self.patience();
        match &mut self.pending {
            Some(pending) if pending.retry_at > now => {}
            Some(pending) if pending.retries_left > 0 => {
                pending.retries_left -= 1;
                pending.retry_at = now + patience;
                self.commands.push_back(KeyFrameCommand::Request);
            }
            Some(_) => {
                self.pending = None;
                if self.unresponsive.replace(now).is_none() {
                    self.commands.push_back(KeyFrameCommand::Unresponsive);
                }
                self.settle_wishes(now);
            }
            None => self.request_if_allowed(now),
        }
    }

    /// What to do next.
    pub fn poll_command(&mut self) -> Option<KeyFrameCommand> {
        self.commands.pop_front()
    }

    /// When to call [`KeyFrameBudget::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.pending {
            Some(pending) => Some(pending.retry_at),
            None => self
                .wishes()
                .map(|wish| wish.from)
                .min()
                .map(|from| from.max(self.earliest())),
        }
    }

    /// The first time at which a request may be made, whoever wishes for it.
    fn earliest(&self) -> Timestamp {
        let saved = self.config.refill * self.config.burst.saturating_sub(1);
        self.next_at.max(self.full_at - saved)
    }

    fn patience(&self) -> Duration {
        (2 * self.delivery).clamp(self.config.retry, 4 * self.config.retry)
    }

    fn wishes(&self) -> impl Iterator<Item = Wish> {
        self.viewers.values().filter_map(|viewer| viewer.wish)
    }

    fn request_if_allowed(&mut self, now: Timestamp) {
        let is_due = self.wishes().any(|wish| wish.from <= now);
        if self.pending.is_some() || !is_due || self.earliest() > now {
            return;
        }
        self.full_at = self.full_at.max(now) + self.config.refill;
        self.next_at = now + self.config.min_interval;
        for viewer in self.viewers.values_mut() {
            viewer.charge_due_wish(now);
        }
        self.pending = Some(Pending {
            requested_at: now,
            retry_at: now + self.patience(),
            // One that is known to ignore requests gets a single chance.
            retries_left: if self.unresponsive.is_some() {
                0
            } else {
                self.config.max_retries
            },
        });
        self.commands.push_back(KeyFrameCommand::Request);
    }

    /// Nobody waits any more; what no rule needs is forgotten.
    fn settle_wishes(&mut self, now: Timestamp) {
        let per_viewer = self.config.per_viewer;
        self.viewers.retain(|_, viewer| {
            viewer.wish = None;
            let is_recent = |at: Option<Timestamp>| at.is_some_and(|at| at + per_viewer > now);
            is_recent(viewer.loss_at) || is_recent(viewer.joined_at)
        });
    }
}

impl Viewer {
    /// Joining and losing are counted apart: a joiner that loses its first key frame may ask once more.
    fn may_cause_at(&self, kind: RequestKind, distance: Duration) -> Timestamp {
        let last = match kind {
            RequestKind::Join { .. } => self.joined_at,
            RequestKind::Loss => self.loss_at,
        };
        last.map_or(Timestamp::ZERO, |last| last + distance)
    }

    fn charge_due_wish(&mut self, now: Timestamp) {
        let Some(wish) = self.wish.take_if(|wish| wish.from <= now) else {
            return;
        };
        match wish.kind {
            RequestKind::Join { .. } => self.joined_at = Some(now),
            RequestKind::Loss => self.loss_at = Some(now),
        }
    }
}

#[cfg(test)]
mod tests;
