//! A consumer's search for the producer that it watches, and its session with it.
//!
//! ```text
//!   registering ─► Starting ── sessionStarted ─► Watching ── ended ─► Idle, or Searching (keep-watching)
//!                   ▲    │ refused, no reply
//!                   │    ▼
//!                  Searching   (a listener: asks for the list, then waits for the producer to appear)
//! ```
//!
//! A producer that is not there yet is waited for. While it searches, the client is a listener; else it has no role.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use weir_protocol::Role;

use super::{Config, Part, Target};

/// How long the server may take to answer a request for a session.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The codes by which a server refuses a session that it may grant later.
const REFUSALS: [&str; 3] = ["peer-not-found", "no-producer-or-consumer", "too-many-sessions"];
/// After a refused session the list is asked for again, at first this soon, then ever more rarely.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    SetRoles {
        roles: Vec<Role>,
        meta: Option<Value>,
    },
    List,
    Start {
        peer_id: String,
    },
    /// The session can never be connected: tell the element that it is over.
    Abandon {
        session: String,
    },
    Warn(String),
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Not registered yet, or nothing to do (any more).
    Idle,
    /// A session was asked for.
    Starting { peer: String, deadline: Duration },
    /// No producer; with `retry_at`, the list will be asked for again.
    Searching { retry_at: Option<Duration> },
    /// There is a session. `connected`: its media flows. It may outlive the connection that it was made on.
    Watching { session: String, connected: bool },
}

pub(super) struct Watch {
    /// `None` for whoever starts no sessions.
    target: Option<Target>,
    keep_watching: bool,
    state: State,
    /// Whether the wanted session came, and went: without `keep_watching` that was all.
    done: bool,
    /// What the server was last told, on this connection.
    roles: Option<Vec<Role>>,
    meta: Option<Value>,
    retry: Duration,
    /// Whether the user knows that the producer is missing.
    warned: bool,
    commands: VecDeque<Command>,
}

impl Watch {
    pub(super) fn new(config: &Config) -> Self {
        let target = match &config.part {
            Part::Consumer(target) => Some(target.clone()),
            Part::Producer | Part::Listener => None,
        };
        Self {
            target,
            keep_watching: config.keep_watching,
            state: State::Idle,
            done: false,
            roles: None,
            meta: None,
            retry: FIRST_RETRY,
            warned: false,
            commands: VecDeque::new(),
        }
    }

    /// The connection is up, for the first time or again; the consumer has to register.
    pub(super) fn handle_registering(&mut self, meta: Option<Value>, now: Duration) {
        self.meta = meta;
        self.roles = None;
        if let State::Watching {
            session,
            connected: false,
        } = &self.state
        {
            self.commands.push_back(Command::Abandon {
                session: session.clone(),
            });
            self.state = State::Idle;
        }
        let watching = matches!(self.state, State::Watching { .. });
        match self.target.clone() {
            None => {}
            Some(Target::Caller) => self.set_roles(vec![Role::Consumer]),
            Some(_) if watching || self.done => self.set_roles(Vec::new()),
            Some(Target::Peer(peer)) => {
                self.set_roles(Vec::new());
                self.start(peer, now);
            }
            Some(Target::First) => {
                self.listen();
                self.list(now);
            }
        }
    }

    /// The connection is gone, and with it what the server knew.
    pub(super) fn handle_lost(&mut self) {
        self.roles = None;
        if matches!(self.state, State::Starting { .. } | State::Searching { .. }) {
            self.state = State::Idle;
        }
    }

    /// Whether the session that started is ours to have.
    pub(super) fn accept(&mut self, session: &str) -> bool {
        match (&self.target, &self.state) {
            (None, _) => false,
            // A passive consumer takes whoever calls; the element says which of them it wants.
            (Some(Target::Caller), State::Idle) => {
                self.watching(session);
                true
            }
            (Some(Target::Caller), _) => true,
            // While searching: the answer came after we had stopped waiting for it.
            (Some(_), State::Starting { .. } | State::Searching { .. }) => {
                self.watching(session);
                self.set_roles(Vec::new());
                true
            }
            (Some(_), State::Idle | State::Watching { .. }) => false,
        }
    }

    /// The session's media flows.
    pub(super) fn handle_media(&mut self, ours: &str) {
        if let State::Watching { session, connected } = &mut self.state
            && session == ours
        {
            *connected = true;
            self.retry = FIRST_RETRY;
        }
    }

    /// A session ended, whoever ended it.
    pub(super) fn handle_ended(&mut self, ended: &str, now: Duration) {
        if !matches!(&self.state, State::Watching { session, .. } if session == ended) {
            return;
        }
        self.state = State::Idle;
        if self.target == Some(Target::Caller) {
            return;
        }
        if !self.keep_watching {
            self.done = true;
        } else if self.roles.is_some() {
            // Not at once: a producer that refuses us would do so again and again.
            self.listen();
            self.retry_later(now);
        }
    }

    /// A producer is there.
    pub(super) fn handle_producer(&mut self, peer: &str, now: Duration) {
        if matches!(self.state, State::Searching { .. }) && self.wants(peer) {
            self.start(peer.to_owned(), now);
        }
    }

    /// These producers are there.
    pub(super) fn handle_list(&mut self, producers: &[String], now: Duration) {
        if !matches!(self.state, State::Searching { .. }) {
            return;
        }
        match producers.iter().find(|peer| self.wants(peer)) {
            Some(peer) => self.start(peer.clone(), now),
            None => self.state = State::Searching { retry_at: None },
        }
    }

    /// The server refused something. Returns whether it was the session that we asked for.
    pub(super) fn handle_complaint(&mut self, details: &str, code: Option<&str>, now: Duration) -> bool {
        let State::Starting { peer, .. } = &self.state else {
            return false;
        };
        let missing = details.contains(peer.as_str()) && details.contains("not found");
        let idle = details.starts_with("Missing a producer");
        if !missing && !idle && code.is_none_or(|code| !REFUSALS.contains(&code)) {
            return false;
        }
        if !self.warned {
            self.warned = true;
            let sentence = format!(
                "The producer {peer:?} cannot be watched yet: {}; waiting for it",
                super::quoted(details)
            );
            self.commands.push_back(Command::Warn(sentence));
        }
        self.listen();
        if missing {
            // It may have appeared between the refusal and our listening.
            self.list(now);
        } else {
            self.retry_later(now);
        }
        true
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        match &self.state {
            State::Starting { deadline, .. } if *deadline <= now => {
                self.listen();
                self.retry_later(now);
            }
            State::Searching { retry_at: Some(at) } if *at <= now => {
                self.list(now);
            }
            State::Idle | State::Starting { .. } | State::Searching { .. } | State::Watching { .. } => {}
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Starting { deadline, .. } => Some(*deadline),
            State::Searching { retry_at } => *retry_at,
            State::Idle | State::Watching { .. } => None,
        }
    }

    pub(super) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    fn wants(&self, peer: &str) -> bool {
        match &self.target {
            Some(Target::First) => true,
            Some(Target::Peer(wanted)) => wanted == peer,
            Some(Target::Caller) | None => false,
        }
    }

    fn start(&mut self, peer: String, now: Duration) {
        self.commands.push_back(Command::Start {
            peer_id: peer.clone(),
        });
        self.state = State::Starting {
            peer,
            deadline: now + START_TIMEOUT,
        };
    }

    fn watching(&mut self, session: &str) {
        self.warned = false;
        self.state = State::Watching {
            session: session.to_owned(),
            connected: false,
        };
    }

    fn listen(&mut self) {
        self.set_roles(vec![Role::Listener]);
        self.state = State::Searching { retry_at: None };
    }

    /// A listener learns of those that come; the list says who is there already. A list that the server owes us for
    /// too long is asked for again.
    fn list(&mut self, now: Duration) {
        self.state = State::Searching {
            retry_at: Some(now + LONGEST_RETRY),
        };
        self.commands.push_back(Command::List);
    }

    fn retry_later(&mut self, now: Duration) {
        self.state = State::Searching {
            retry_at: Some(now + self.retry),
        };
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
    }

    fn set_roles(&mut self, roles: Vec<Role>) {
        if self.roles.as_ref() != Some(&roles) {
            self.roles = Some(roles.clone());
            self.commands.push_back(Command::SetRoles {
                roles,
                meta: self.meta.clone(),
            });
        }
    }
}
