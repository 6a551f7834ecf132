//! What the server says to a client.

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, PeerMessage, Role};

/// A peer as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct Participant {
    /// The peer.
    pub id: String,
    /// Its metadata, null if it has none.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(type = "unknown"))]
    pub meta: Option<serde_json::Value>,
}

/// A message from the server to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ServerMessage {
    /// The first message of a connection.
    Welcome {
        /// The id that the server gave this peer.
        peer_id: String,
    },
    /// A peer's roles or metadata changed; sent to listeners, the peer itself included if it is one.
    PeerStatusChanged {
        /// Its roles now; empty when it left.
        roles: Vec<Role>,
        /// Its metadata, null if it has none.
        #[serde(default)]
        #[cfg_attr(feature = "ts", ts(type = "unknown"))]
        meta: Option<serde_json::Value>,
        /// The peer.
        peer_id: String,
    },
    /// To the consumer: a session with a producer exists, whichever of the two asked for it.
    SessionStarted {
        /// The producer.
        peer_id: String,
        /// The session.
        session_id: String,
    },
    /// To the producer: a session with a consumer exists, whichever of the two asked for it.
    StartSession {
        /// The consumer.
        peer_id: String,
        /// The session.
        session_id: String,
        /// The SDP offer that came with the request, null where the producer shall offer.
        #[serde(default)]
        offer: Option<String>,
    },
    /// The session is over.
    EndSession {
        /// The session.
        session_id: String,
    },
    /// The session is over, with a reason (only to peers that chose version 1.1).
    #[serde(rename = "endSessionV1_1")]
    EndSessionV1_1 {
        /// The session.
        session_id: String,
        /// What went wrong, if anything did: a sentence, after a code, a colon and a space where there is a code.
        #[serde(default)]
        error: Option<String>,
    },
    /// From the session's other member.
    Peer(PeerMessage),
    /// The producers.
    List {
        /// Every peer with the role `producer`.
        producers: Vec<Participant>,
    },
    /// The passive consumers.
    ListConsumers {
        /// Every peer with the role `consumer`.
        consumers: Vec<Participant>,
    },
    /// A request was refused.
    Error {
        /// A sentence for people. Existing clients know some of these texts.
        details: String,
        /// What a program decides by: one of [`ErrorCode`]. Absent from servers that know no codes, and text
        /// rather than the type because a newer server may know more of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        code: Option<String>,
    },
}

impl ServerMessage {
    /// Every `type` that the server may send.
    pub const KINDS: [&'static str; 10] = [
        "welcome",
        "peerStatusChanged",
        "sessionStarted",
        "startSession",
        "endSession",
        "endSessionV1_1",
        "peer",
        "list",
        "listConsumers",
        "error",
    ];

    /// A refusal.
    pub fn error(code: ErrorCode, details: impl Into<String>) -> Self {
        Self::Error {
            details: details.into(),
            code: Some(code.as_str().to_owned()),
        }
    }

    /// The message's `type` on the wire. Fit for logs, unlike the message itself.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Welcome { .. } => "welcome",
            Self::PeerStatusChanged { .. } => "peerStatusChanged",
            Self::SessionStarted { .. } => "sessionStarted",
            Self::StartSession { .. } => "startSession",
            Self::EndSession { .. } => "endSession",
            Self::EndSessionV1_1 { .. } => "endSessionV1_1",
            Self::Peer(_) => "peer",
            Self::List { .. } => "list",
            Self::ListConsumers { .. } => "listConsumers",
            Self::Error { .. } => "error",
        }
    }
}
