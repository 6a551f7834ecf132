//! What the server says to a client.

use serde::{Deserialize, Serialize};

use crate::{PeerMessage, Role};

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
    /// To who asked for a session: it exists.
    SessionStarted {
        /// The other peer.
        peer_id: String,
        /// The session.
        session_id: String,
    },
    /// To the producer: somebody opened a session with it.
    StartSession {
        /// The consumer.
        peer_id: String,
        /// The session.
        session_id: String,
        /// The consumer's SDP offer, null where the producer shall offer.
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
        /// What went wrong, if anything did.
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
        /// A stable identifier: what a program decides by. Absent from servers that know no codes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        code: Option<String>,
    },
}
