//! What the client is told to be, and what it wants done.

use serde_json::Value;
use weir_protocol::{ClientMessage, Ice, Sdp};

/// What the client is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Part {
    /// Serves whoever starts a session with it.
    Producer,
    /// Watches a producer.
    Consumer(Target),
    /// Wants to know which producers there are.
    Listener,
}

/// Whom a consumer watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Target {
    /// Whichever producer starts a session with it (a passive consumer).
    Caller,
    /// The producer with this id.
    Peer(String),
    /// The first producer that there is.
    First,
}

/// What does not change while the client runs.
#[derive(Clone, Debug)]
pub(in super::super) struct Config {
    pub(in super::super) part: Part,
    /// Whether to dial again when the connection is lost; if not, losing it is an error.
    pub(in super::super) reconnect: bool,
    /// Whether a consumer whose session ended waits for the producer, or the next one, and watches again.
    pub(in super::super) keep_watching: bool,
}

/// What the caller has to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Command {
    /// Open a connection and report `handle_connected` or `handle_closed`. There is no other.
    Dial,
    /// Let go of the connection, or of the attempt to open one, at once. Nothing of it may be reported any more.
    HangUp,
    /// Send this message after those before it.
    Send(ClientMessage),
    /// Send a WebSocket ping.
    Ping,
    /// Tell the element. What it says to [`Event::RequestMeta`] comes back as `handle_meta`.
    Emit(Event),
    /// Send what is left, close the connection and forget this machine.
    Finish,
}

/// What the element is told.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Event {
    ClientId(String),
    RequestMeta,
    SessionRequested {
        session: String,
        peer: String,
        offer: Option<String>,
    },
    SessionStarted {
        session: String,
        peer: String,
    },
    Description {
        session: String,
        sdp: Sdp,
    },
    Candidate {
        session: String,
        ice: Ice,
    },
    SessionEnded {
        session: String,
        error: Option<String>,
    },
    ConnectionLost(String),
    ConnectionRestored,
    Warning(String),
    Error(String),
    ProducerAdded {
        peer: String,
        meta: Option<Value>,
        new: bool,
    },
    ProducerRemoved {
        peer: String,
        meta: Option<Value>,
    },
}
