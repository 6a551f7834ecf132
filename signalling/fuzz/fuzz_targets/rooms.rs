//! Whatever peers send, in whatever order they come and go: nobody panics and nothing is left behind.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use weir_protocol::parse_client_message;
use weir_rooms::{Command, ConnectionId, Departure, Limits, Rooms};

/// A fact about one of a few connections.
#[derive(Arbitrary, Debug)]
enum Fact {
    Connected(u8),
    Disconnected(u8, bool),
    /// Raw text.
    Text(u8, String),
    /// A message that names things that exist, so that the fuzzer need not guess ids.
    SetStatus(u8, u8),
    StartSession(u8, u8),
    InSession(u8, u8, u8),
    Wait(u8),
}

fuzz_target!(|facts: Vec<Fact>| {
    let mut server = Server {
        rooms: Rooms::new(Limits::default(), StdRng::seed_from_u64(1)),
        now: Duration::ZERO,
        peers: Vec::new(),
        sessions: Vec::new(),
    };
    for fact in facts {
        server.feed(fact);
    }
    for connection in 0..=255 {
        server
            .rooms
            .handle_disconnected(ConnectionId(connection), Departure::Lost);
        server.drain();
    }
    assert_eq!(server.rooms.footprint(), 0);
});

struct Server {
    rooms: Rooms<StdRng>,
    now: Duration,
    peers: Vec<Value>,
    sessions: Vec<Value>,
}

impl Server {
    fn feed(&mut self, fact: Fact) {
        match fact {
            Fact::Connected(connection) => {
                let connection = ConnectionId(connection.into());
                if self.rooms.peer_id(connection).is_none() {
                    self.rooms.handle_connected(connection, self.now);
                }
            }
            Fact::Disconnected(connection, lost) => {
                let departure = if lost { Departure::Lost } else { Departure::InOrder };
                self.rooms
                    .handle_disconnected(ConnectionId(connection.into()), departure);
            }
            Fact::Text(from, text) => self.say(from, &text),
            Fact::SetStatus(from, roles) => {
                let all = ["producer", "listener", "consumer"];
                let roles: Vec<_> = all
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| roles >> bit & 1 == 1)
                    .map(|(_, role)| role)
                    .collect();
                self.say(
                    from,
                    &json!({"type": "setPeerStatus", "roles": roles}).to_string(),
                );
            }
            Fact::StartSession(from, to) => {
                let to = pick(&self.peers, to);
                self.say(from, &json!({"type": "startSession", "peerId": to}).to_string());
            }
            Fact::InSession(from, session, kind) => {
                let session = pick(&self.sessions, session);
                let mut message = json!({"type": "peer", "sessionId": session});
                match kind % 5 {
                    0 => message["type"] = json!("endSession"),
                    1 => message["type"] = json!("endSessionV1_1"),
                    2 => message["sdp"] = json!({"type": "offer", "sdp": ""}),
                    3 => message["sdp"] = json!({"type": "answer", "sdp": ""}),
                    _ => message["ice"] = json!({"candidate": "", "sdpMLineIndex": 0}),
                }
                self.say(from, &message.to_string());
            }
            Fact::Wait(millis) => self.now += Duration::from_millis(millis.into()),
        }
        self.drain();
    }

    fn say(&mut self, from: u8, text: &str) {
        let from = ConnectionId(from.into());
        self.rooms
            .handle_message(from, parse_client_message(text), text.len(), self.now);
    }

    fn drain(&mut self) {
        while let Some(command) = self.rooms.poll_command() {
            let Command::Send { to, message } = command else {
                continue;
            };
            assert!(!to.is_empty());
            let message = serde_json::to_value(message).expect("every message can be written");
            match message["type"].as_str() {
                Some("welcome") => self.peers.push(message["peerId"].clone()),
                Some("sessionStarted") => self.sessions.push(message["sessionId"].clone()),
                _ => {}
            }
        }
    }
}

fn pick(ids: &[Value], index: u8) -> Value {
    ids.get(usize::from(index) % ids.len().max(1))
        .cloned()
        .unwrap_or_default()
}
