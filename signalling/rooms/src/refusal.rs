//! Why a request is not carried out.

use thiserror::Error;
use weir_protocol::{ErrorCode, ParseError, Role, ServerMessage};

use crate::PeerId;

/// The most characters of an id that a refusal repeats: a UUID has 36.
const MAX_QUOTED_CHARS: usize = 64;

/// A refusal. Where the protocol's first servers refuse too, the sentences are theirs, to the letter: clients in
/// the field know them.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Unreadable(#[from] ParseError),
    #[error("Peer with ID '{0}' not found")]
    PeerNotFound(Quoted),
    #[error("Missing a producer or a consumer: id {from} roles {from_roles:?}, id {to} roles {to_roles:?}")]
    NoProducerOrConsumer {
        from: PeerId,
        from_roles: Vec<Role>,
        to: PeerId,
        to_roles: Vec<Role>,
    },
    #[error("Cannot register peer {0} as both producer and passive consumer")]
    ConflictingRoles(PeerId),
    #[error("cannot forward offer from \"{from}\" to \"{to}\" as \"{from}\" is not the producer")]
    OfferFromConsumer { from: PeerId, to: PeerId },
    #[error("Peer {peer} is not part of {session}")]
    NotASessionMember { peer: PeerId, session: Quoted },
    #[error("Protocol version selection for peer '{0}' must be first message")]
    VersionTooLate(PeerId),
    #[error("Invalid end session message with error from peer '{0}', minimum protocol version is 1.1")]
    VersionTooLow(PeerId),
    #[error("The metadata has {size} bytes of JSON, at most {limit} are kept")]
    MetaTooLarge { size: usize, limit: usize },
    #[error("Peer {peer} has {limit} sessions, more are not allowed")]
    TooManySessions { peer: PeerId, limit: usize },
    #[error("Too many lists and status changes, try again in a second")]
    TooManyRequests,
    #[error("Too many messages in too short a time")]
    TooManyMessages,
    #[error("The server has {limit} peers, more are not allowed")]
    ServerFull { limit: usize },
}

impl Refusal {
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Unreadable(error) => error.code(),
            Self::PeerNotFound(_) => ErrorCode::PeerNotFound,
            Self::NoProducerOrConsumer { .. } => ErrorCode::NoProducerOrConsumer,
            Self::ConflictingRoles(_) => ErrorCode::ConflictingRoles,
            Self::OfferFromConsumer { .. } => ErrorCode::OfferFromConsumer,
            Self::NotASessionMember { .. } => ErrorCode::NotASessionMember,
            Self::VersionTooLate(_) => ErrorCode::VersionTooLate,
            Self::VersionTooLow(_) => ErrorCode::VersionTooLow,
            Self::MetaTooLarge { .. } => ErrorCode::MetaTooLarge,
            Self::TooManySessions { .. } => ErrorCode::TooManySessions,
            Self::TooManyRequests => ErrorCode::TooManyRequests,
            Self::TooManyMessages => ErrorCode::TooManyMessages,
            Self::ServerFull { .. } => ErrorCode::ServerFull,
        }
    }

    pub(crate) fn to_message(&self) -> ServerMessage {
        ServerMessage::error(self.code(), self.to_string())
    }
}

/// An id as a peer spelled it, no longer than an answer may repeat it.
#[derive(Debug)]
pub(crate) struct Quoted(String);

impl From<&str> for Quoted {
    fn from(text: &str) -> Self {
        Self(text.chars().take(MAX_QUOTED_CHARS).collect())
    }
}

impl std::fmt::Display for Quoted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
