//! A server in a test: JSON in, JSON out.

#![allow(dead_code, reason = "each test file uses its share")]

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use weir_protocol::parse_client_message;
use weir_rooms::{CloseReason, Command, ConnectionId, Departure, Limits, Rooms};

/// A server and its clock.
pub(crate) struct Server {
    pub(crate) rooms: Rooms<StdRng>,
    pub(crate) now: Duration,
    connections: u64,
}

/// A connected peer, as a test speaks of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Peer {
    pub(crate) connection: ConnectionId,
    pub(crate) id: String,
}

/// What a peer notices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Message(ConnectionId, Value),
    Closed(ConnectionId, CloseReason),
}

impl Peer {
    /// Expects this peer to be sent a message.
    pub(crate) fn hears(&self, message: Value) -> Heard {
        Heard::Message(self.connection, message)
    }

    pub(crate) fn is_closed(&self, reason: CloseReason) -> Heard {
        Heard::Closed(self.connection, reason)
    }

    /// Expects this peer to be refused something, in so many words.
    pub(crate) fn is_refused(&self, code: &str, details: impl Into<String>) -> Heard {
        self.hears(json!({"type": "error", "code": code, "details": details.into()}))
    }
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self {
            rooms: Rooms::new(limits, StdRng::seed_from_u64(7)),
            now: Duration::ZERO,
            connections: 0,
        }
    }

    pub(crate) fn connect(&mut self) -> Peer {
        let (connection, heard) = self.try_connect();
        match &heard[..] {
            [Heard::Message(_, message)] if message["type"] == "welcome" => Peer {
                connection,
                id: message["peerId"].as_str().unwrap().to_owned(),
            },
            other => panic!("no welcome but {other:?}"),
        }
    }

    pub(crate) fn try_connect(&mut self) -> (ConnectionId, Vec<Heard>) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.rooms.handle_connected(connection, self.now);
        (connection, self.drain())
    }

    /// A peer with these roles, whose registration nobody watches.
    pub(crate) fn connect_as(&mut self, roles: &[&str]) -> Peer {
        let peer = self.connect();
        self.register(&peer, roles, Value::Null);
        peer
    }

    /// Registers the way most clients do, with their id.
    pub(crate) fn register(&mut self, peer: &Peer, roles: &[&str], meta: Value) -> Vec<Heard> {
        self.say(
            peer,
            json!({"type": "setPeerStatus", "roles": roles, "meta": meta, "peerId": peer.id}),
        )
    }

    pub(crate) fn say(&mut self, peer: &Peer, message: Value) -> Vec<Heard> {
        self.say_text(peer, &message.to_string())
    }

    pub(crate) fn say_text(&mut self, peer: &Peer, text: &str) -> Vec<Heard> {
        self.rooms
            .handle_message(peer.connection, parse_client_message(text), text.len(), self.now);
        self.drain()
    }

    /// Starts a session and gives its id.
    pub(crate) fn start_session(&mut self, consumer: &Peer, producer: &Peer) -> String {
        let heard = self.say(consumer, json!({"type": "startSession", "peerId": producer.id}));
        match &heard[..] {
            [Heard::Message(_, started), Heard::Message(..)] if started["type"] == "sessionStarted" => {
                started["sessionId"].as_str().unwrap().to_owned()
            }
            other => panic!("no session but {other:?}"),
        }
    }

    pub(crate) fn disconnect(&mut self, peer: &Peer, departure: Departure) -> Vec<Heard> {
        self.rooms.handle_disconnected(peer.connection, departure);
        self.drain()
    }

    /// The commands, a line for each recipient. The typed messages are read back from the JSON that would be sent.
    fn drain(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        while let Some(command) = self.rooms.poll_command() {
            match command {
                Command::Send { to, message } => {
                    assert!(!to.is_empty(), "nobody to send {message:?} to");
                    let message = serde_json::to_value(message).unwrap();
                    heard.extend(to.into_iter().map(|to| Heard::Message(to, message.clone())));
                }
                Command::Close { connection, reason } => heard.push(Heard::Closed(connection, reason)),
            }
        }
        heard
    }
}
