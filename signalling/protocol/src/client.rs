//! What a client says to the server.

use serde::{Deserialize, Serialize};

use crate::{PeerMessage, ProtocolVersion, Role};

/// A message from a client to the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClientMessage {
    /// Chooses the version of the wire: once, and before the peer has a session. Meant to be the first message.
    SetProtocolVersion {
        /// The version.
        version: ProtocolVersion,
    },
    /// Replaces the peer's roles and metadata.
    SetPeerStatus {
        /// The roles; may be empty.
        roles: Vec<Role>,
        /// Free-form metadata, shown to listeners.
        #[serde(default)]
        #[cfg_attr(feature = "ts", ts(optional, type = "unknown"))]
        meta: Option<serde_json::Value>,
        /// Ignored: a peer can only speak of itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        peer_id: Option<String>,
    },
    /// Opens a session with another peer.
    StartSession {
        /// The other peer.
        peer_id: String,
        /// An SDP offer, where the consumer offers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional = nullable))]
        offer: Option<String>,
    },
    /// Ends a session.
    EndSession {
        /// The session.
        session_id: String,
    },
    /// Ends a session with a reason (version 1.1).
    #[serde(rename = "endSessionV1_1")]
    EndSessionV1_1 {
        /// The session.
        session_id: String,
        /// What went wrong, if anything did: a sentence, after a code, a colon and a space where there is a code.
        #[serde(default)]
        #[cfg_attr(feature = "ts", ts(optional = nullable))]
        error: Option<String>,
    },
    /// Passes a description or a candidate to the session's other member.
    Peer(PeerMessage),
    /// Asks for the producers.
    List,
    /// Asks for the passive consumers.
    ListConsumers,
}

impl ClientMessage {
    /// Every `type` that a client may send.
    pub const KINDS: [&'static str; 8] = [
        "setProtocolVersion",
        "setPeerStatus",
        "startSession",
        "endSession",
        "endSessionV1_1",
        "peer",
        "list",
        "listConsumers",
    ];

    /// The message's `type` on the wire. Fit for logs, unlike the message itself.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SetProtocolVersion { .. } => "setProtocolVersion",
            Self::SetPeerStatus { .. } => "setPeerStatus",
            Self::StartSession { .. } => "startSession",
            Self::EndSession { .. } => "endSession",
            Self::EndSessionV1_1 { .. } => "endSessionV1_1",
            Self::Peer(_) => "peer",
            Self::List => "list",
            Self::ListConsumers => "listConsumers",
        }
    }
}
