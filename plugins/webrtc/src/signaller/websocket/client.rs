//! The client's side of the signalling wire, as a pure machine: it dials, registers, keeps sessions and redials.
//!
//! Facts and wishes go in (`handle_…`, and the wishes of [`Client`]'s second block), [`Command`]s come out. It knows
//! no sockets and no GLib; time is told to it, as a duration since an epoch of the caller's choice.
//!
//! ```text
//!              ┌──────────────── lost: wait (back-off), dial again ───────────────┐
//!              ▼                                                                  │
//!   start ─► Dialling ─ connected ─► Greeting ─ welcome ─► Registering ─ meta ─► Registered ─ stop ─► Ended
//! ```
//!
//! **A connection's sessions end with it on the server, but not here.** Media flows from peer to peer and outlives
//! the server, so losing the connection ends nothing: the machine forgets the sessions' ids (what the element still
//! has to say about them goes nowhere, for nobody is left to pass it on) and registers again. Only a server that
//! says `endSession` ends a session. The exception is a consumer's session that was still being negotiated: it can
//! never finish, so it is ended and asked for anew once the connection is back. Which of the two it is, only the
//! element knows: it says so with `session-connected`.

mod backoff;
mod command;
mod directory;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::Value;
use weir_protocol::{
    ClientMessage, Ice, Participant, PeerMessage, PeerPayload, ProtocolVersion, Role, Sdp, ServerMessage,
};

use backoff::Backoff;
pub(super) use command::{Command, Config, Event, Part, Target};
use directory::Directory;
use watch::Watch;

/// How long dialling may take: name, TCP, TLS and the HTTP upgrade.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may take to welcome us.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// After this much silence the server is pinged. It pings us every 30 s, so a healthy one answers one of the two.
const PING_AFTER: Duration = Duration::from_secs(15);
/// After this much silence the server is taken for dead.
const DEAD_AFTER: Duration = Duration::from_secs(40);
/// A connection that lived this long makes the next redial a quick one again.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// How many sessions may be open at once; what the server asks for beyond is refused.
const MAX_SESSIONS: usize = 4096;
/// The longest id of a peer or a session, in bytes.
const MAX_ID: usize = 256;
/// The longest candidate or mid, in bytes.
const MAX_CANDIDATE: usize = 2048;
/// The longest description, in bytes; with JSON's escapes it has to fit into the 256 KiB that servers read.
const MAX_DESCRIPTION: usize = 200 * 1024;
/// The server's complaints are passed on at most this often.
const WARNING_INTERVAL: Duration = Duration::from_secs(1);
/// How much of a complaint is passed on, in characters.
const MAX_COMPLAINT: usize = 300;

/// What the next wake-up is for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    /// Nothing is open; the next attempt is due.
    Waiting {
        until: Duration,
    },
    Dialling {
        deadline: Duration,
    },
    /// Connected, not welcomed yet.
    Greeting {
        deadline: Duration,
    },
    /// Welcomed; the element's metadata was asked for.
    Registering {
        since: Duration,
    },
    Registered {
        since: Duration,
    },
    Ended,
}

pub(super) struct Client {
    config: Config,
    link: Link,
    backoff: Backoff,
    /// Whether the element knows that there is no connection.
    outage: bool,
    /// The id that the server gave us for this connection.
    own_id: Option<String>,
    last_heard: Duration,
    /// Whether a ping is out that nothing has followed.
    pinged: bool,
    /// When the server may be quoted again.
    quote_at: Duration,
    /// The sessions that this connection knows.
    sessions: BTreeSet<String>,
    watch: Watch,
    directory: Directory,
    commands: VecDeque<Command>,
}

impl Client {
    /// A client that wants to connect; `seed` spreads its redials.
    pub(super) fn new(config: Config, seed: u64, now: Duration) -> Self {
        let watch = Watch::new(&config);
        let mut client = Self {
            config,
            link: Link::Ended,
            backoff: Backoff::new(seed),
            outage: false,
            own_id: None,
            last_heard: now,
            pinged: false,
            quote_at: now,
            sessions: BTreeSet::new(),
            watch,
            directory: Directory::default(),
            commands: VecDeque::new(),
        };
        client.dial(now);
        client
    }

    /// The connection is open; the server's welcome is next.
    pub(super) fn handle_connected(&mut self, now: Duration) {
        if matches!(self.link, Link::Dialling { .. }) {
            self.link = Link::Greeting {
                deadline: now + WELCOME_TIMEOUT,
            };
            self.last_heard = now;
            self.pinged = false;
        }
    }

    /// The connection could not be opened, or it is gone.
    pub(super) fn handle_closed(&mut self, reason: &str, now: Duration) {
        if !matches!(self.link, Link::Waiting { .. } | Link::Ended) {
            self.lose(reason, now);
        }
    }

    /// Something in the settings makes every attempt futile.
    pub(super) fn handle_misconfigured(&mut self, reason: &str) {
        if self.link != Link::Ended {
            self.give_up(reason.to_owned());
        }
    }

    /// Something arrived, if only a pong.
    pub(super) fn handle_traffic(&mut self, now: Duration) {
        self.last_heard = now;
        self.pinged = false;
    }

    /// A text frame arrived.
    pub(super) fn handle_text(&mut self, text: &str, now: Duration) {
        self.handle_traffic(now);
        match serde_json::from_str(text) {
            Ok(message) => self.handle_message(message, now),
            Err(error) => tracing::debug!(%error, "ignored a message of the server's"),
        }
    }

    /// The element's answer to [`Event::RequestMeta`].
    pub(super) fn handle_meta(&mut self, meta: Option<Value>, now: Duration) {
        if let Link::Registering { since } = self.link {
            self.link = Link::Registered { since };
            self.register(meta, now);
            if std::mem::take(&mut self.outage) {
                self.emit(Event::ConnectionRestored);
            }
        }
    }

    /// What arrived as a session's offer or answer is none. `announced` tells whether the element knows the session.
    pub(super) fn handle_bad_description(&mut self, session: &str, announced: bool, now: Duration) {
        let reason = "bad-description: the session description cannot be parsed";
        match (self.sessions.contains(session), announced) {
            (false, _) => {}
            (true, true) => self.fail_session(session, reason, now),
            (true, false) => self.end_session(session, Some(reason), now),
        }
    }

    /// Time has come, or may have.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        match self.link {
            Link::Waiting { until } if until <= now => self.dial(now),
            Link::Dialling { deadline } if deadline <= now => {
                self.drop_dead("the server does not answer", now)
            }
            Link::Greeting { deadline } if deadline <= now => {
                self.drop_dead("the server says nothing; is it a signalling server?", now);
            }
            Link::Registering { .. } | Link::Registered { .. } => self.keep_alive(now),
            Link::Waiting { .. } | Link::Dialling { .. } | Link::Greeting { .. } | Link::Ended => {}
        }
        if matches!(self.link, Link::Registered { .. }) {
            self.watch.handle_timeout(now);
            self.drain_watch();
        }
    }

    /// When to call [`Self::handle_timeout`] next.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match self.link {
            Link::Waiting { until: at }
            | Link::Dialling { deadline: at }
            | Link::Greeting { deadline: at } => Some(at),
            Link::Registering { .. } => Some(self.keep_alive_at()),
            Link::Registered { .. } => Some(
                self.watch
                    .poll_timeout()
                    .map_or(self.keep_alive_at(), |at| at.min(self.keep_alive_at())),
            ),
            Link::Ended => None,
        }
    }

    /// The next thing to do.
    pub(super) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }
}

/// What the element wishes.
impl Client {
    /// Ends all sessions and finishes.
    pub(super) fn stop(&mut self) {
        for session_id in std::mem::take(&mut self.sessions) {
            self.send(ClientMessage::EndSession { session_id });
        }
        if self.link != Link::Ended {
            self.link = Link::Ended;
            self.commands.push_back(Command::Finish);
        }
    }

    /// Sends an offer or an answer. One that no server would read ends the session, not the connection.
    pub(super) fn send_description(&mut self, session: &str, sdp: Sdp, now: Duration) {
        if sdp.sdp.len() <= MAX_DESCRIPTION {
            self.send_to_peer(session, PeerPayload::Sdp(sdp));
        } else if self.sessions.contains(session) {
            let reason = "description-too-long: the session description is longer than servers accept";
            self.fail_session(session, reason, now);
        }
    }

    pub(super) fn send_candidate(&mut self, session: &str, ice: Ice) {
        self.send_to_peer(session, PeerPayload::Ice(ice));
    }

    /// A reason goes out in version 1.1's form and the plain form after it, which a server of version 1.0 needs
    /// and one of version 1.1 ignores, for by then the session is gone.
    pub(super) fn end_session(&mut self, session: &str, error: Option<&str>, now: Duration) {
        if self.sessions.remove(session) {
            self.send_end(session, error);
        }
        self.watch.handle_ended(session, now);
        self.drain_watch();
    }

    pub(super) fn session_connected(&mut self, session: &str) {
        self.watch.handle_media(session);
    }
}

/// The server's messages.
impl Client {
    fn handle_message(&mut self, message: ServerMessage, now: Duration) {
        if let ServerMessage::Welcome { peer_id } = message {
            self.handle_welcome(peer_id, now);
            return;
        }
        if !matches!(self.link, Link::Registering { .. } | Link::Registered { .. }) {
            tracing::debug!("ignored a message before the welcome");
            return;
        }
        match message {
            ServerMessage::Welcome { .. } => {}
            ServerMessage::PeerStatusChanged { roles, meta, peer_id } => {
                self.handle_peer_status(peer_id, &roles, meta, now);
            }
            ServerMessage::SessionStarted { peer_id, session_id } => {
                self.handle_session_started(peer_id, session_id)
            }
            ServerMessage::StartSession {
                peer_id,
                session_id,
                offer,
            } => {
                self.handle_start_session(peer_id, session_id, offer);
            }
            ServerMessage::EndSession { session_id } => self.handle_end_session(session_id, None, now),
            ServerMessage::EndSessionV1_1 { session_id, error } => {
                self.handle_end_session(session_id, error, now)
            }
            ServerMessage::Peer(PeerMessage { session_id, payload }) => self.handle_peer(session_id, payload),
            ServerMessage::List { producers } => self.handle_list(producers, now),
            ServerMessage::ListConsumers { .. } => {}
            ServerMessage::Error { details, code } => self.handle_complaint(&details, code.as_deref(), now),
        }
    }

    fn handle_welcome(&mut self, peer_id: String, now: Duration) {
        if !matches!(self.link, Link::Greeting { .. }) || !is_id(&peer_id) {
            tracing::debug!("ignored a welcome");
            return;
        }
        self.link = Link::Registering { since: now };
        self.own_id = Some(peer_id.clone());
        self.emit(Event::ClientId(peer_id));
        // The version has to be chosen before anything else is said; a server that knows only 1.0 drops it.
        self.send(ClientMessage::SetProtocolVersion {
            version: ProtocolVersion::V1_1,
        });
        self.emit(Event::RequestMeta);
    }

    fn handle_peer_status(&mut self, peer: String, roles: &[Role], meta: Option<Value>, now: Duration) {
        if self.own_id.as_ref() == Some(&peer) || !is_id(&peer) {
            return;
        }
        let produces = roles.contains(&Role::Producer);
        if self.config.part == Part::Listener {
            let event = self.directory.handle_status(peer, meta, produces);
            event.into_iter().for_each(|event| self.emit(event));
        } else if produces {
            self.watch.handle_producer(&peer, now);
            self.drain_watch();
        }
    }

    fn handle_list(&mut self, producers: Vec<Participant>, now: Duration) {
        let own_id = self.own_id.clone();
        let others = producers
            .into_iter()
            .filter(|one| is_id(&one.id) && own_id.as_ref() != Some(&one.id));
        if self.config.part == Part::Listener {
            let events = self.directory.handle_list(others);
            events.into_iter().for_each(|event| self.emit(event));
        } else {
            let ids: Vec<_> = others.map(|one| one.id).collect();
            self.watch.handle_list(&ids, now);
            self.drain_watch();
        }
    }

    fn handle_start_session(&mut self, peer: String, session: String, offer: Option<String>) {
        if self.config.part != Part::Producer || !is_id(&peer) || !is_id(&session) {
            tracing::debug!("ignored a request for a session");
        } else if self.sessions.len() >= MAX_SESSIONS {
            self.send_end(
                &session,
                Some("too-many-sessions: this producer has no room for another session"),
            );
        } else if self.sessions.insert(session.clone()) {
            self.emit(Event::SessionRequested { session, peer, offer });
        }
    }

    fn handle_session_started(&mut self, peer: String, session: String) {
        if !is_id(&peer) || !is_id(&session) || self.sessions.contains(&session) {
            return;
        }
        if self.sessions.len() < MAX_SESSIONS && self.watch.accept(&session) {
            self.sessions.insert(session.clone());
            self.drain_watch();
            self.emit(Event::SessionStarted { session, peer });
        } else if matches!(self.config.part, Part::Consumer(_)) {
            self.send_end(&session, Some("not-wanted: this consumer has a session already"));
        }
    }

    fn handle_peer(&mut self, session: String, payload: PeerPayload) {
        if !self.sessions.contains(&session) {
            tracing::debug!("ignored a message for a session that is not open");
            return;
        }
        match payload {
            PeerPayload::Sdp(sdp) => self.emit(Event::Description { session, sdp }),
            PeerPayload::Ice(ice) if is_candidate(&ice) => self.emit(Event::Candidate { session, ice }),
            PeerPayload::Ice(_) => tracing::debug!("ignored a candidate that cannot be one"),
        }
    }

    fn handle_end_session(&mut self, session: String, error: Option<String>, now: Duration) {
        if self.sessions.remove(&session) {
            self.emit(Event::SessionEnded {
                session: session.clone(),
                error: error.as_deref().map(quoted),
            });
            self.watch.handle_ended(&session, now);
            self.drain_watch();
        }
    }

    fn handle_complaint(&mut self, details: &str, code: Option<&str>, now: Duration) {
        if self.watch.handle_complaint(details, code, now) {
            self.drain_watch();
        } else if self.quote_at <= now {
            self.quote_at = now + WARNING_INTERVAL;
            self.emit(Event::Warning(format!(
                "The signalling server says: {}",
                quoted(details)
            )));
        } else {
            tracing::debug!("the signalling server complains too often");
        }
    }
}

/// The connection.
impl Client {
    fn dial(&mut self, now: Duration) {
        self.link = Link::Dialling {
            deadline: now + DIAL_TIMEOUT,
        };
        self.commands.push_back(Command::Dial);
    }

    fn register(&mut self, meta: Option<Value>, now: Duration) {
        match self.config.part {
            Part::Producer => self.send_status(vec![Role::Producer], meta),
            Part::Listener => {
                self.send_status(vec![Role::Listener], meta);
                self.send(ClientMessage::List);
            }
            Part::Consumer(_) => {
                self.watch.handle_registering(meta, now);
                self.drain_watch();
            }
        }
    }

    fn keep_alive_at(&self) -> Duration {
        self.last_heard + if self.pinged { DEAD_AFTER } else { PING_AFTER }
    }

    fn keep_alive(&mut self, now: Duration) {
        if self.last_heard + DEAD_AFTER <= now {
            self.drop_dead("the server has gone silent", now);
        } else if self.keep_alive_at() <= now {
            self.pinged = true;
            self.commands.push_back(Command::Ping);
        }
    }

    fn drop_dead(&mut self, reason: &str, now: Duration) {
        self.commands.push_back(Command::HangUp);
        self.lose(reason, now);
    }

    fn lose(&mut self, reason: &str, now: Duration) {
        if !self.config.reconnect {
            self.give_up(format!("The signalling server cannot be reached: {reason}"));
            return;
        }
        if let Link::Registering { since } | Link::Registered { since } = self.link
            && since + STABLE_AFTER <= now
        {
            self.backoff.reset();
        }
        self.link = Link::Waiting {
            until: now + self.backoff.next_delay(),
        };
        self.own_id = None;
        self.sessions.clear();
        self.watch.handle_lost();
        if std::mem::replace(&mut self.outage, true) {
            tracing::debug!(reason, "the signalling server still cannot be reached");
        } else {
            self.emit(Event::ConnectionLost(format!(
                "The signalling server cannot be reached: {reason}; trying again"
            )));
        }
    }

    fn give_up(&mut self, reason: String) {
        self.link = Link::Ended;
        self.sessions.clear();
        self.emit(Event::Error(reason));
        self.commands.push_back(Command::Finish);
    }

    fn send_status(&mut self, roles: Vec<Role>, meta: Option<Value>) {
        let peer_id = self.own_id.clone();
        self.send(ClientMessage::SetPeerStatus { roles, meta, peer_id });
    }

    fn send_end(&mut self, session: &str, error: Option<&str>) {
        let session_id = session.to_owned();
        if let Some(error) = error {
            let error = Some(error.to_owned());
            self.send(ClientMessage::EndSessionV1_1 {
                session_id: session_id.clone(),
                error,
            });
        }
        self.send(ClientMessage::EndSession { session_id });
    }

    /// Ends a session at both ends.
    fn fail_session(&mut self, session: &str, reason: &str, now: Duration) {
        self.end_session(session, Some(reason), now);
        self.emit(Event::SessionEnded {
            session: session.to_owned(),
            error: Some(reason.to_owned()),
        });
    }

    fn send_to_peer(&mut self, session: &str, payload: PeerPayload) {
        if self.sessions.contains(session) {
            let session_id = session.to_owned();
            self.send(ClientMessage::Peer(PeerMessage { session_id, payload }));
        } else {
            tracing::debug!("nothing was sent for a session that the server does not know");
        }
    }

    /// Carries out what the consumer's watch wants.
    fn drain_watch(&mut self) {
        while let Some(command) = self.watch.poll_command() {
            match command {
                watch::Command::SetRoles { roles, meta } => self.send_status(roles, meta),
                watch::Command::List => self.send(ClientMessage::List),
                watch::Command::Start { peer_id } => {
                    self.send(ClientMessage::StartSession { peer_id, offer: None })
                }
                watch::Command::Abandon { session } => {
                    let error = Some(
                        "connection-lost: the server was lost before the session was connected".to_owned(),
                    );
                    self.emit(Event::SessionEnded { session, error });
                }
                watch::Command::Warn(sentence) => self.emit(Event::Warning(sentence)),
            }
        }
    }

    fn send(&mut self, message: ClientMessage) {
        self.commands.push_back(Command::Send(message));
    }

    fn emit(&mut self, event: Event) {
        self.commands.push_back(Command::Emit(event));
    }
}

/// Whether this can be an id: GLib's strings end at a NUL, and logs should stay readable.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID && !text.contains(char::is_control)
}

fn is_candidate(ice: &Ice) -> bool {
    let mid = ice.sdp_mid.as_deref().unwrap_or_default();
    [&ice.candidate, mid]
        .iter()
        .all(|text| text.len() <= MAX_CANDIDATE && !text.contains('\0'))
}

/// A stranger's sentence, short and on one line.
fn quoted(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .take(MAX_COMPLAINT)
        .collect()
}
