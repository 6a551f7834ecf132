//! The codes of refusals.

use serde::{Deserialize, Serialize};

/// Why the server refused something: the `code` of an `error` message. Codes are stable; their sentences are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The message is no JSON object of the shape that its `type` asks for.
    MalformedMessage,
    /// The message's `type` is unknown to this server.
    UnknownMessage,
    /// The message's `type` exists, but clients may not send it.
    NotAClientMessage,
    /// The message is longer than the server reads; the connection is closed.
    MessageTooLong,
    /// `startSession` named a peer that is not here.
    PeerNotFound,
    /// `startSession` named a peer that is neither a producer nor a passive consumer.
    NoProducerOrConsumer,
    /// `setPeerStatus` asked for the roles `producer` and `consumer` at once.
    ConflictingRoles,
    /// `peer` carried an offer from the session's consumer.
    OfferFromConsumer,
    /// The sender is no member of the session that it named.
    NotASessionMember,
    /// `setProtocolVersion` came twice, or while the peer has a session.
    VersionTooLate,
    /// The message belongs to a version of the wire that the peer did not choose.
    VersionTooLow,
    /// The peer's metadata is larger than the server keeps.
    MetaTooLarge,
    /// The peer, or the one that it wants a session with, has as many sessions as the server allows.
    TooManySessions,
    /// The peer asks for lists, or changes its status, too often; the request was not carried out.
    TooManyRequests,
    /// The peer sends too much; the connection is closed.
    TooManyMessages,
    /// The server has as many peers as it allows; the connection is closed.
    ServerFull,
}

impl ErrorCode {
    /// Every code there is.
    pub const ALL: [Self; 16] = [
        Self::MalformedMessage,
        Self::UnknownMessage,
        Self::NotAClientMessage,
        Self::MessageTooLong,
        Self::PeerNotFound,
        Self::NoProducerOrConsumer,
        Self::ConflictingRoles,
        Self::OfferFromConsumer,
        Self::NotASessionMember,
        Self::VersionTooLate,
        Self::VersionTooLow,
        Self::MetaTooLarge,
        Self::TooManySessions,
        Self::TooManyRequests,
        Self::TooManyMessages,
        Self::ServerFull,
    ];

    /// The code as the wire carries it: lower case with dashes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedMessage => "malformed-message",
            Self::UnknownMessage => "unknown-message",
            Self::NotAClientMessage => "not-a-client-message",
            Self::MessageTooLong => "message-too-long",
            Self::PeerNotFound => "peer-not-found",
            Self::NoProducerOrConsumer => "no-producer-or-consumer",
            Self::ConflictingRoles => "conflicting-roles",
            Self::OfferFromConsumer => "offer-from-consumer",
            Self::NotASessionMember => "not-a-session-member",
            Self::VersionTooLate => "version-too-late",
            Self::VersionTooLow => "version-too-low",
            Self::MetaTooLarge => "meta-too-large",
            Self::TooManySessions => "too-many-sessions",
            Self::TooManyRequests => "too-many-requests",
            Self::TooManyMessages => "too-many-messages",
            Self::ServerFull => "server-full",
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spelled_alike_by_serde_and_as_text() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
