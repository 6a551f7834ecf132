//! What a client says to the server.

use serde::{Deserialize, Serialize};

use crate::{PeerMessage, ProtocolVersion, Role};

/// A message from a client to the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClientMessage {
    /// Chooses the version of the wire; only as the first message, and once.
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
        #[cfg_attr(feature = "ts", ts(optional))]
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
        /// What went wrong, if anything did.
        #[serde(default)]
        error: Option<String>,
    },
    /// Passes a description or a candidate to the session's other member.
    Peer(PeerMessage),
    /// Asks for the producers.
    List,
    /// Asks for the passive consumers.
    ListConsumers,
}
