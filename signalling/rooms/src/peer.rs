//! One peer.

use std::time::Duration;

use serde_json::Value;
use weir_protocol::{EndReason, Participant, ProtocolVersion, Role, ServerMessage};

use crate::bucket::TokenBucket;
use crate::{Limits, PeerId};

/// What is known of a connected peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) status: Status,
    /// The version that it chose, if it did.
    chosen_version: Option<ProtocolVersion>,
    messages: TokenBucket,
    bytes: TokenBucket,
    requests: TokenBucket,
}

/// What a peer says of itself.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// Without duplicates, in the order in which the peer gave them.
    pub(crate) roles: Vec<Role>,
    pub(crate) meta: Option<Value>,
    /// Whether the peer has set a status at all.
    is_set: bool,
}

impl Peer {
    pub(crate) fn new(id: PeerId, limits: &Limits, now: Duration) -> Self {
        Self {
            id,
            status: Status::default(),
            chosen_version: None,
            messages: TokenBucket::new(limits.messages, now),
            bytes: TokenBucket::new(limits.bytes, now),
            requests: TokenBucket::new(limits.requests, now),
        }
    }

    /// Accounts for a message of so many bytes; false if it is one too many.
    pub(crate) fn may_send(&mut self, bytes: usize, now: Duration) -> bool {
        self.messages.take(1, now) && self.bytes.take(bytes, now)
    }

    /// Accounts for a list or a status change; false if it is one too many.
    pub(crate) fn may_request(&mut self, now: Duration) -> bool {
        self.requests.take(1, now)
    }

    /// Sets the version, the first time; false if it was chosen before.
    pub(crate) fn choose_version(&mut self, version: ProtocolVersion) -> bool {
        let first = self.chosen_version.is_none();
        if first {
            self.chosen_version = Some(version);
        }
        first
    }

    pub(crate) fn version(&self) -> ProtocolVersion {
        self.chosen_version.unwrap_or_default()
    }

    pub(crate) fn has(&self, role: Role) -> bool {
        self.status.roles.contains(&role)
    }

    /// Whether a new status is the one that the peer has. It must name the peer to count as the same: the
    /// protocol's first server compares the messages with its own record, which does, and clients that leave
    /// their id out rely on hearing an echo each time.
    pub(crate) fn has_status(&self, roles: &[Role], meta: Option<&Value>, peer_id: Option<&str>) -> bool {
        let named_alike = match peer_id {
            Some(peer_id) => self.status.is_set && peer_id == self.id.to_string(),
            None => !self.status.is_set,
        };
        named_alike && self.status.roles == roles && self.status.meta.as_ref() == meta
    }

    pub(crate) fn set_status(&mut self, roles: Vec<Role>, meta: Option<Value>) {
        self.status = Status {
            roles,
            meta,
            is_set: true,
        };
    }

    /// The peer as listeners are told of it.
    pub(crate) fn status_changed(&self) -> ServerMessage {
        ServerMessage::PeerStatusChanged {
            roles: self.status.roles.clone(),
            meta: self.status.meta.clone(),
            peer_id: self.id.to_string(),
        }
    }

    /// The peer as listeners are told that it is gone.
    pub(crate) fn into_left(self) -> ServerMessage {
        ServerMessage::PeerStatusChanged {
            roles: Vec::new(),
            meta: self.status.meta,
            peer_id: self.id.to_string(),
        }
    }

    /// The peer in a list.
    pub(crate) fn as_participant(&self) -> Participant {
        Participant {
            id: self.id.to_string(),
            meta: self.status.meta.clone(),
        }
    }

    /// What tells this peer, in the version that it speaks, that a session is over. Version 1.0 has no place
    /// for a reason.
    pub(crate) fn session_ended(&self, session_id: String, error: Option<String>) -> ServerMessage {
        match self.version() {
            ProtocolVersion::V1_0 => ServerMessage::EndSession { session_id },
            ProtocolVersion::V1_1 => ServerMessage::EndSessionV1_1 { session_id, error },
        }
    }
}

/// Why the server itself ends a session, as version 1.1 carries it. An end in good order has no error.
pub(crate) fn lost() -> Option<String> {
    Some(EndReason::peer_lost().to_string())
}
