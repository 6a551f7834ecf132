//! The machine: routes each fact to the peers and sessions that it concerns.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use rand::RngCore;
use serde_json::Value;
use weir_protocol::{
    ClientMessage, ParseError, PeerMessage, PeerPayload, ProtocolVersion, Role, SdpType, ServerMessage,
};

use crate::peer::{Peer, lost};
use crate::refusal::Refusal;
use crate::session::Sessions;
use crate::{CloseReason, Command, ConnectionId, Counters, Limits, PeerId, SessionId};

/// How a connection ended, as far as the sessions of its peer are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The peer closed it, or the server did because it stops.
    InOrder,
    /// It broke, fell silent, or was closed because of what the peer did. Peers that speak version 1.1 are told.
    Lost,
}

/// The state of one server.
///
/// The shell reports each fact through one of the `handle_…` methods and then carries out what
/// [`poll_command`](Self::poll_command) gives, in that order, before another fact's commands. Nothing happens by
/// time alone, so there is no time-out to wait for; `now` is what rates are measured with.
#[derive(Debug)]
pub struct Rooms<R> {
    limits: Limits,
    rng: R,
    /// In the order of arrival.
    peers: BTreeMap<ConnectionId, Peer>,
    connections: BTreeMap<PeerId, ConnectionId>,
    sessions: Sessions,
    commands: VecDeque<Command>,
    counters: Counters,
}

impl<R: RngCore> Rooms<R> {
    /// A server without peers. Ids are drawn from `rng`: seed it unpredictably outside of tests.
    pub fn new(limits: Limits, rng: R) -> Self {
        Self {
            limits,
            rng,
            peers: BTreeMap::new(),
            connections: BTreeMap::new(),
            sessions: Sessions::default(),
            commands: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// A connection was made. The numbers of connections must be unique and should ascend.
    ///
    /// The peer is welcomed, or turned away if the server is full.
    pub fn handle_connected(&mut self, connection: ConnectionId, now: Duration) {
        if self.peers.len() >= self.limits.peers {
            self.refuse(
                connection,
                &Refusal::ServerFull {
                    limit: self.limits.peers,
                },
            );
            self.commands.push_back(Command::Close {
                connection,
                reason: CloseReason::ServerFull,
            });
            return;
        }
        let id = PeerId::random(&mut self.rng);
        self.peers.insert(connection, Peer::new(id, &self.limits, now));
        self.connections.insert(id, connection);
        self.counters.peers += 1;
        self.send(
            connection,
            ServerMessage::Welcome {
                peer_id: id.to_string(),
            },
        );
    }

    /// Something came from a connection: `bytes` of it, readable or not.
    ///
    /// Connections that were told to close, and those that never were, are not listened to.
    pub fn handle_message(
        &mut self,
        from: ConnectionId,
        message: Result<ClientMessage, ParseError>,
        bytes: usize,
        now: Duration,
    ) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        self.counters.messages += 1;
        if !peer.may_send(bytes, now) {
            return self.expel(from, &Refusal::TooManyMessages, CloseReason::TooManyMessages);
        }
        let message = match message {
            Ok(message) => message,
            Err(error @ ParseError::TooLong) => {
                return self.expel(from, &error.into(), CloseReason::MessageTooLong);
            }
            Err(error) => return self.refuse(from, &error.into()),
        };
        if let Err(refusal) = self.carry_out(from, message, now) {
            self.refuse(from, &refusal);
        }
    }

    /// A connection is gone: so are its peer and its peer's sessions.
    pub fn handle_disconnected(&mut self, connection: ConnectionId, departure: Departure) {
        let Some(peer) = self.peers.remove(&connection) else {
            return;
        };
        self.connections.remove(&peer.id);
        let error = match departure {
            Departure::InOrder => None,
            Departure::Lost => lost(),
        };
        for session in self.sessions.of(connection) {
            self.end_session(connection, session, error.clone());
        }
        self.tell_listeners(peer.into_left());
    }

    /// The next thing to do.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The id of a connection's peer, for logs.
    pub fn peer_id(&self, connection: ConnectionId) -> Option<PeerId> {
        self.peers.get(&connection).map(|peer| peer.id)
    }

    /// How many peers there are.
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The entries of all collections together, commands included: what a leak would show in.
    pub fn footprint(&self) -> usize {
        self.peers.len() + self.connections.len() + self.sessions.footprint() + self.commands.len()
    }

    fn carry_out(
        &mut self,
        from: ConnectionId,
        message: ClientMessage,
        now: Duration,
    ) -> Result<(), Refusal> {
        match message {
            ClientMessage::SetProtocolVersion { version } => self.set_version(from, version),
            ClientMessage::SetPeerStatus { roles, meta, peer_id } => {
                self.set_status(from, roles, meta, peer_id.as_deref(), now)
            }
            ClientMessage::StartSession { peer_id, offer } => self.start_session(from, &peer_id, offer),
            ClientMessage::EndSession { session_id } => self.leave_session(from, &session_id, None),
            ClientMessage::EndSessionV1_1 { session_id, error } => {
                self.require_version(from, ProtocolVersion::V1_1)?;
                self.leave_session(from, &session_id, error)
            }
            ClientMessage::Peer(message) => self.forward(from, message),
            ClientMessage::List => {
                let producers = self.list(from, Role::Producer, now)?;
                self.send(from, ServerMessage::List { producers });
                Ok(())
            }
            ClientMessage::ListConsumers => {
                let consumers = self.list(from, Role::Consumer, now)?;
                self.send(from, ServerMessage::ListConsumers { consumers });
                Ok(())
            }
        }
    }

    /// Clients in the field do not keep the order of their first messages, so the choice need not be the first
    /// to arrive; it must only come before anything that depends on it.
    fn set_version(&mut self, from: ConnectionId, version: ProtocolVersion) -> Result<(), Refusal> {
        let has_session = self.sessions.count(from) > 0;
        let Some(peer) = self.peers.get_mut(&from) else {
            return Ok(());
        };
        if has_session || !peer.choose_version(version) {
            return Err(Refusal::VersionTooLate(peer.id));
        }
        Ok(())
    }

    fn require_version(&self, from: ConnectionId, least: ProtocolVersion) -> Result<(), Refusal> {
        match self.peers.get(&from) {
            Some(peer) if peer.version() < least => Err(Refusal::VersionTooLow(peer.id)),
            Some(_) | None => Ok(()),
        }
    }

    fn set_status(
        &mut self,
        from: ConnectionId,
        roles: Vec<Role>,
        meta: Option<Value>,
        peer_id: Option<&str>,
        now: Duration,
    ) -> Result<(), Refusal> {
        let Some(peer) = self.peers.get_mut(&from) else {
            return Ok(());
        };
        let roles = without_duplicates(roles);
        if peer.has_status(&roles, meta.as_ref(), peer_id) {
            return Ok(());
        }
        if roles.contains(&Role::Producer) && roles.contains(&Role::Consumer) {
            return Err(Refusal::ConflictingRoles(peer.id));
        }
        let size = meta.as_ref().map_or(0, json_size);
        if size > self.limits.meta_bytes {
            return Err(Refusal::MetaTooLarge {
                size,
                limit: self.limits.meta_bytes,
            });
        }
        if !peer.may_request(now) {
            return Err(Refusal::TooManyRequests);
        }
        let dropped = [Role::Producer, Role::Consumer]
            .into_iter()
            .filter(|role| peer.has(*role) && !roles.contains(role))
            .collect::<Vec<_>>();
        peer.set_status(roles, meta);
        let message = peer.status_changed();
        for role in dropped {
            self.end_sessions_in_role(from, role);
        }
        self.tell_listeners(message);
        Ok(())
    }

    fn start_session(&mut self, from: ConnectionId, to: &str, offer: Option<String>) -> Result<(), Refusal> {
        let target = PeerId::from_wire(to)
            .and_then(|id| self.connections.get(&id))
            .copied();
        let found = target.and_then(|target| Some((target, self.peers.get(&target)?)));
        let (Some(sender), Some((target, other))) = (self.peers.get(&from), found) else {
            return Err(Refusal::PeerNotFound(to.into()));
        };
        let ((producer, producer_id), (consumer, consumer_id)) = if other.has(Role::Producer) {
            ((target, other.id), (from, sender.id))
        } else if other.has(Role::Consumer) {
            ((from, sender.id), (target, other.id))
        } else {
            return Err(Refusal::NoProducerOrConsumer {
                from: sender.id,
                from_roles: sender.status.roles.clone(),
                to: other.id,
                to_roles: other.status.roles.clone(),
            });
        };
        self.check_session_limits(from, sender.id, target, other.id)?;

        let session = SessionId::random(&mut self.rng);
        self.sessions.start(session, producer, consumer, from);
        self.counters.sessions += 1;
        let session_id = session.to_string();
        self.send(
            consumer,
            ServerMessage::SessionStarted {
                peer_id: producer_id.to_string(),
                session_id: session_id.clone(),
            },
        );
        self.send(
            producer,
            ServerMessage::StartSession {
                peer_id: consumer_id.to_string(),
                session_id,
                offer,
            },
        );
        Ok(())
    }

    fn check_session_limits(
        &self,
        from: ConnectionId,
        from_id: PeerId,
        to: ConnectionId,
        to_id: PeerId,
    ) -> Result<(), Refusal> {
        let limit = self.limits.sessions_started_per_peer;
        if self.sessions.count_started(from) >= limit {
            return Err(Refusal::TooManySessions { peer: from_id, limit });
        }
        let limit = self.limits.sessions_per_peer;
        for (connection, peer) in [(from, from_id), (to, to_id)] {
            if self.sessions.count(connection) >= limit {
                return Err(Refusal::TooManySessions { peer, limit });
            }
        }
        Ok(())
    }

    /// A member's own end of a session: the other is told, the member is not.
    fn leave_session(
        &mut self,
        from: ConnectionId,
        session_id: &str,
        error: Option<String>,
    ) -> Result<(), Refusal> {
        let Some((session, _)) = self.session_and_other(from, session_id)? else {
            return Ok(());
        };
        self.end_session(from, session, error);
        Ok(())
    }

    fn forward(&mut self, from: ConnectionId, message: PeerMessage) -> Result<(), Refusal> {
        let Some((session, other)) = self.session_and_other(from, &message.session_id)? else {
            return Ok(());
        };
        let is_offer = match &message.payload {
            PeerPayload::Sdp(sdp) => sdp.kind == SdpType::Offer,
            PeerPayload::Ice(_) => false,
        };
        let is_consumer = self
            .sessions
            .get(session)
            .is_some_and(|session| session.consumer == from);
        if is_offer && is_consumer {
            let ids = self.peers.get(&from).zip(self.peers.get(&other));
            return match ids {
                Some((sender, other)) => Err(Refusal::OfferFromConsumer {
                    from: sender.id,
                    to: other.id,
                }),
                None => Ok(()),
            };
        }
        self.send(other, ServerMessage::Peer(message));
        Ok(())
    }

    /// The session that a message names, and its other member. None if there is no such session: the message
    /// crossed its end on the wire, which is nobody's fault.
    fn session_and_other(
        &mut self,
        from: ConnectionId,
        session_id: &str,
    ) -> Result<Option<(SessionId, ConnectionId)>, Refusal> {
        let found = SessionId::from_wire(session_id).and_then(|id| Some((id, self.sessions.get(id)?)));
        let (Some((id, session)), Some(peer)) = (found, self.peers.get(&from)) else {
            self.counters.late_messages += 1;
            return Ok(None);
        };
        match session.other(from) {
            Some(other) => Ok(Some((id, other))),
            None => Err(Refusal::NotASessionMember {
                peer: peer.id,
                session: session_id.into(),
            }),
        }
    }

    fn end_sessions_in_role(&mut self, member: ConnectionId, role: Role) {
        for id in self.sessions.of(member) {
            let Some(session) = self.sessions.get(id) else {
                continue;
            };
            let in_role = match role {
                Role::Producer => session.producer == member,
                Role::Consumer => session.consumer == member,
                Role::Listener => false,
            };
            if in_role {
                self.end_session(member, id, None);
            }
        }
    }

    /// Ends a session on behalf of one member and tells the other, if it is still there.
    fn end_session(&mut self, by: ConnectionId, id: SessionId, error: Option<String>) {
        let Some(other) = self.sessions.end(id).and_then(|session| session.other(by)) else {
            return;
        };
        let Some(peer) = self.peers.get(&other) else {
            return;
        };
        let message = peer.session_ended(id.to_string(), error);
        self.send(other, message);
    }

    fn list(
        &mut self,
        from: ConnectionId,
        role: Role,
        now: Duration,
    ) -> Result<Vec<weir_protocol::Participant>, Refusal> {
        if self
            .peers
            .get_mut(&from)
            .is_some_and(|peer| !peer.may_request(now))
        {
            return Err(Refusal::TooManyRequests);
        }
        Ok(self
            .peers
            .values()
            .filter(|peer| peer.has(role))
            .map(Peer::as_participant)
            .collect())
    }

    /// Refuses and closes. The peer is gone at once: what else it has sent is not listened to.
    fn expel(&mut self, connection: ConnectionId, refusal: &Refusal, reason: CloseReason) {
        self.refuse(connection, refusal);
        self.handle_disconnected(connection, Departure::Lost);
        self.commands.push_back(Command::Close { connection, reason });
    }

    fn refuse(&mut self, connection: ConnectionId, refusal: &Refusal) {
        *self.counters.refusals.entry(refusal.code()).or_default() += 1;
        self.send(connection, refusal.to_message());
    }

    fn tell_listeners(&mut self, message: ServerMessage) {
        let listeners = self.peers.iter().filter(|(_, peer)| peer.has(Role::Listener));
        let to: Vec<ConnectionId> = listeners.map(|(&connection, _)| connection).collect();
        if !to.is_empty() {
            self.commands.push_back(Command::Send { to, message });
        }
    }

    fn send(&mut self, to: ConnectionId, message: ServerMessage) {
        self.commands.push_back(Command::Send {
            to: vec![to],
            message,
        });
    }
}

fn without_duplicates(roles: Vec<Role>) -> Vec<Role> {
    let mut seen = Vec::new();
    for role in roles {
        if !seen.contains(&role) {
            seen.push(role);
        }
    }
    seen
}

/// The size of a value as JSON, in bytes.
fn json_size(value: &Value) -> usize {
    /// Counts what is written.
    struct Count(usize);

    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}
