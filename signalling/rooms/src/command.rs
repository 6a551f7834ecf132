//! What the machine asks of its shell.

use weir_protocol::ServerMessage;

use crate::ConnectionId;

/// An effect. The shell carries commands out in the order in which it is given them.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Queue the message for each of these connections, behind what was queued before. Serialise it once.
    ///
    /// A connection that is gone already, or whose queue is full, is not the machine's business: the shell drops
    /// the message, and reports the end of that connection as it reports every other.
    Send {
        /// Whom it goes to, in the order of arrival; never empty.
        to: Vec<ConnectionId>,
        /// The message.
        message: ServerMessage,
    },
    /// Write what is queued for the connection, then close it. The machine has forgotten it already: reporting
    /// its end is harmless and changes nothing.
    Close {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
}

/// Why the machine closes a connection. An `error` message with the same meaning was sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// There are as many peers as the limits allow.
    ServerFull,
    /// A message was too long.
    MessageTooLong,
    /// The peer sent too much in too short a time.
    TooManyMessages,
}

impl CloseReason {
    /// The status code of the WebSocket's close frame (RFC 6455, section 7.4.1, and the IANA registry).
    pub fn websocket_code(self) -> u16 {
        match self {
            Self::ServerFull => 1013,
            Self::MessageTooLong => 1009,
            Self::TooManyMessages => 1008,
        }
    }

    /// A few words for the close frame.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerFull => "server full",
            Self::MessageTooLong => "message too long",
            Self::TooManyMessages => "too many messages",
        }
    }
}
