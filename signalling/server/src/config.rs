//! What a caller chooses.

use std::path::PathBuf;
use std::time::Duration;

use weir_rooms::Limits;

use crate::SignallingState;

/// What one listener serves, where, and to whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on, or a name that resolves to one. `0.0.0.0` is every IPv4 address of the machine,
    /// `::` every address.
    pub host: String,
    /// The port; 0 takes any that is free.
    pub port: u16,
    /// Makes it `wss` and `https`.
    pub tls: Option<Tls>,
    /// What is served.
    pub routes: Routes,
    /// Header fields added to the response that makes a WebSocket, as names and values.
    pub handshake_headers: Vec<(String, String)>,
    /// TCP connections at once, idle ones and those of pages included.
    pub max_connections: usize,
    /// TCP connections at once from one IPv4 address or one IPv6 network of 64 bits. The machine itself is
    /// exempt: a proxy that runs here speaks for everybody.
    pub max_connections_per_address: usize,
    /// How long clients may take.
    pub time_outs: TimeOuts,
    /// Who is connected; may be shared with other listeners.
    pub state: SignallingState,
}

impl Config {
    /// Signalling alone, in the clear, on `127.0.0.1:8443`.
    pub fn new(state: SignallingState) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8443,
            tls: None,
            routes: Routes {
                signalling: true,
                pages: None,
            },
            handshake_headers: Vec::new(),
            max_connections: 8192,
            max_connections_per_address: 256,
            time_outs: TimeOuts::default(),
            state,
        }
    }
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// A PEM file with the certificate and those between it and the root, in that order.
    pub certificate: PathBuf,
    /// A PEM file with the key.
    pub key: PathBuf,
}

/// What a listener serves. `/health` and `/metrics` are always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    /// Whether WebSockets are accepted, on any path.
    pub signalling: bool,
    /// The pages, if any.
    pub pages: Option<Pages>,
}

/// Pages for browsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    /// Where they come from.
    pub source: PagesSource,
    /// The path under which they are served, such as `/weir`; empty for the root.
    pub path: String,
    /// Where the pages shall connect to, told to them by `config.json`. None for where they came from.
    pub signalling_url: Option<String>,
}

/// Where pages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PagesSource {
    /// The pages that were built into this library.
    Embedded,
    /// A folder. All of it is served, links that lead out of it included.
    Folder(PathBuf),
}

impl Pages {
    /// The pages that were built into this library, at the root, connecting to where they came from.
    pub fn embedded() -> Self {
        Self {
            source: PagesSource::Embedded,
            path: String::new(),
            signalling_url: None,
        }
    }

    /// A folder's files, at the root.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            source: PagesSource::Folder(folder.into()),
            ..Self::embedded()
        }
    }
}

/// How long a client may take before it is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeOuts {
    /// For the TLS handshake, and again for each HTTP request's head. Bounds those that connect and say nothing.
    pub handshake: Duration,
    /// For an HTTP connection as a whole, until it becomes a WebSocket. Bounds those that read no pages.
    pub http: Duration,
    /// For a peer to take one message, when it does not read.
    pub write: Duration,
    /// For a WebSocket to close in good order.
    pub closing: Duration,
}

impl Default for TimeOuts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            http: Duration::from_secs(300),
            write: Duration::from_secs(60),
            closing: Duration::from_secs(2),
        }
    }
}

/// How peers are treated, on whichever listener they arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignallingConfig {
    /// What a peer may have and do.
    pub limits: Limits,
    /// After how long a silence a peer is pinged. One that answers nothing for twice as long is closed.
    pub ping_interval: Duration,
    /// Messages that may wait for a peer that reads slowly. One more, and it is closed.
    pub queued_messages: usize,
    /// Bytes that may wait for a peer that reads slowly. One more, and it is closed.
    pub queued_bytes: usize,
    /// Bytes that may wait for all peers together. Beyond it, peers for which more than one long message waits
    /// are closed.
    pub queued_bytes_in_total: usize,
}

impl Default for SignallingConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            ping_interval: Duration::from_secs(30),
            queued_messages: 8192,
            queued_bytes: 16 * 1024 * 1024,
            queued_bytes_in_total: 256 * 1024 * 1024,
        }
    }
}
