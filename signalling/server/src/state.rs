//! Who is connected: the shell around [`Rooms`], shared by all listeners and sockets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use weir_protocol::{ClientMessage, ParseError};
use weir_rooms::{Command, ConnectionId, Counters, Departure, Keepalive, Rooms};

use crate::SignallingConfig;
use crate::metrics::Metrics;
use crate::outbox::{Budget, Item, Outbox, Outgoing, Queue, outbox};

/// Who is connected and who has a session with whom. A handle: clones are the same state.
#[derive(Clone, Debug)]
pub struct SignallingState {
    shared: Arc<Shared>,
}

/// How many there are right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Peers.
    pub peers: usize,
    /// Sessions.
    pub sessions: usize,
}

#[derive(Debug)]
struct Shared {
    config: SignallingConfig,
    epoch: Instant,
    metrics: Metrics,
    budget: Arc<Budget>,
    /// Locked to feed one fact and to queue what follows from it; never while anything is waited for.
    core: Mutex<Core>,
}

#[derive(Debug)]
struct Core {
    rooms: Rooms<StdRng>,
    outboxes: HashMap<ConnectionId, Outbox>,
    last_connection: u64,
}

/// A message and whom it was queued for.
type Queued = (Arc<Outgoing>, Vec<Outbox>);

impl Default for SignallingState {
    fn default() -> Self {
        Self::new(SignallingConfig::default())
    }
}

impl SignallingState {
    /// A state without peers.
    pub fn new(config: SignallingConfig) -> Self {
        let rooms = Rooms::new(config.limits.clone(), StdRng::from_os_rng());
        let core = Core {
            rooms,
            outboxes: HashMap::new(),
            last_connection: 0,
        };
        Self {
            shared: Arc::new(Shared {
                budget: Budget::new(config.queued_bytes_in_total),
                config,
                epoch: Instant::now(),
                metrics: Metrics::default(),
                core: Mutex::new(core),
            }),
        }
    }

    /// How many peers and sessions there are.
    pub fn counts(&self) -> Counts {
        let core = self.lock();
        Counts {
            peers: core.rooms.peer_count(),
            sessions: core.rooms.session_count(),
        }
    }

    /// How long the state has existed.
    pub fn uptime(&self) -> Duration {
        self.shared.epoch.elapsed()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.lock().rooms.counters().clone()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn keepalive(&self) -> Keepalive {
        Keepalive::new(self.shared.config.ping_interval, self.now())
    }

    /// The time as [`Rooms`] and [`Keepalive`] are told it.
    pub(crate) fn now(&self) -> Duration {
        self.shared.epoch.elapsed()
    }

    /// That time as tokio's timers want it.
    pub(crate) fn instant(&self, time: Duration) -> tokio::time::Instant {
        let far_away = Duration::from_secs(86_400 * 365);
        let instant = self
            .shared
            .epoch
            .checked_add(time)
            .unwrap_or(self.shared.epoch + far_away);
        tokio::time::Instant::from_std(instant)
    }

    /// A socket is open. Gives its number, its peer's name for the log, and what to write to it.
    pub(crate) fn connect(&self) -> (ConnectionId, String, Queue) {
        let config = &self.shared.config;
        let (outbox, queue) = outbox(config.queued_messages, config.queued_bytes, &self.shared.budget);
        let (connection, peer) = self.feed(|core, now| {
            core.last_connection += 1;
            let connection = ConnectionId(core.last_connection);
            core.outboxes.insert(connection, outbox);
            core.rooms.handle_connected(connection, now);
            (connection, core.rooms.peer_id(connection))
        });
        let name = peer.map_or_else(|| connection.to_string(), |id| id.to_string());
        (connection, name, queue)
    }

    /// A frame of so many bytes arrived, readable or not.
    pub(crate) fn receive(
        &self,
        from: ConnectionId,
        message: Result<ClientMessage, ParseError>,
        bytes: usize,
    ) {
        self.feed(|core, now| core.rooms.handle_message(from, message, bytes, now));
    }

    /// A socket is gone, or as good as gone: nothing more will be written to it.
    pub(crate) fn disconnect(&self, connection: ConnectionId, departure: Departure) {
        self.feed(|core, _| {
            core.outboxes.remove(&connection);
            core.rooms.handle_disconnected(connection, departure);
        });
    }

    /// Feeds one fact and queues what follows from it. Queueing does not wait, and belongs under the lock: a
    /// peer must hear of a session's start before it hears of its end, whichever sockets the two facts came from.
    /// Serialising does not: it is left to after the lock.
    fn feed<T>(&self, fact: impl FnOnce(&mut Core, Duration) -> T) -> T {
        let mut core = self.lock();
        let now = self.now();
        let result = fact(&mut core, now);
        let queued = core.queue_commands();
        drop(core);
        for (message, outboxes) in queued {
            message.log();
            for outbox in outboxes {
                outbox.account_for(&message);
            }
        }
        result
    }

    /// A panic elsewhere while the lock was held must not take every other peer with it.
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.shared.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    fn queue_commands(&mut self) -> Vec<Queued> {
        let mut queued = Vec::new();
        while let Some(command) = self.rooms.poll_command() {
            match command {
                Command::Send { to, message } => {
                    let message = Outgoing::new(message);
                    let outboxes: Vec<Outbox> = to
                        .iter()
                        .filter_map(|to| self.outboxes.get(to))
                        .cloned()
                        .collect();
                    for outbox in &outboxes {
                        outbox.push(Item::Message(message.clone()));
                    }
                    queued.push((message, outboxes));
                }
                Command::Close { connection, reason } => {
                    if let Some(outbox) = self.outboxes.get(&connection) {
                        outbox.push(Item::Close(reason));
                    }
                }
            }
        }
        queued
    }
}
