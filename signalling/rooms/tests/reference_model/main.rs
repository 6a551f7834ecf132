//! The machine against a naive model of the protocol: the same random facts to both, the same effects from both.
//!
//! The model (`model.rs`) knows no uuid: its ids are `peer-3` and `session-5`. Ids of the machine are renamed in
//! the order in which they first appear, which is the order in which both make them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Effect, Model};
use proptest::prelude::*;
use proptest::sample::Index;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use weir_protocol::parse_client_message;
use weir_rooms::{Command, ConnectionId, Departure, Limits, Rooms};

const LIMITS: Limits = Limits {
    peers: 6,
    sessions_per_peer: 5,
    sessions_started_per_peer: 3,
    meta_bytes: 8,
    // Rates have tests of their own; here they must not cut a run short.
    messages: weir_rooms::Rate {
        burst: 1_000_000,
        per_second: 1,
    },
    bytes: weir_rooms::Rate {
        burst: 1_000_000_000,
        per_second: 1,
    },
    requests: weir_rooms::Rate {
        burst: 1_000_000,
        per_second: 1,
    },
};

/// A fact. Peers and sessions are picked among those that there ever were, and some that never were.
#[derive(Clone, Debug)]
enum Transition {
    Connect,
    Disconnect(Index, bool),
    SetVersion(Index, &'static str),
    SetStatus {
        peer: Index,
        roles: Vec<&'static str>,
        meta: Value,
        named: Option<Index>,
    },
    StartSession {
        peer: Index,
        target: Index,
        offer: bool,
    },
    EndSession {
        peer: Index,
        session: Index,
    },
    EndSessionV1_1 {
        peer: Index,
        session: Index,
        error: Option<&'static str>,
    },
    Sdp {
        peer: Index,
        session: Index,
        kind: &'static str,
    },
    Ice {
        peer: Index,
        session: Index,
    },
    List(Index, &'static str),
    Nonsense(Index, &'static str),
}

fn transition() -> impl Strategy<Value = Transition> {
    use Transition::*;
    let i = any::<Index>;
    let roles = prop::collection::vec(
        prop::sample::select(vec!["producer", "listener", "consumer"]),
        0..3,
    );
    let meta = prop::sample::select(vec![
        json!(null),
        json!(1),
        json!({"a": 2}),
        json!("longer than eight"),
    ]);
    let named = prop::option::weighted(0.6, i());
    prop_oneof![
        3 => Just(Connect),
        1 => (i(), any::<bool>()).prop_map(|(peer, lost)| Disconnect(peer, lost)),
        2 => (i(), prop::sample::select(vec!["v1_0", "v1_1"])).prop_map(|(p, v)| SetVersion(p, v)),
        6 => (i(), roles, meta, named)
            .prop_map(|(peer, roles, meta, named)| SetStatus { peer, roles, meta, named }),
        8 => (i(), i(), any::<bool>())
            .prop_map(|(peer, target, offer)| StartSession { peer, target, offer }),
        2 => (i(), i()).prop_map(|(peer, session)| EndSession { peer, session }),
        2 => (i(), i(), prop::option::of(Just("broken: It broke")))
            .prop_map(|(peer, session, error)| EndSessionV1_1 { peer, session, error }),
        4 => (i(), i(), prop::sample::select(vec!["offer", "answer"]))
            .prop_map(|(peer, session, kind)| Sdp { peer, session, kind }),
        2 => (i(), i()).prop_map(|(peer, session)| Ice { peer, session }),
        2 => (i(), prop::sample::select(vec!["list", "listConsumers"])).prop_map(|(p, kind)| List(p, kind)),
        1 => (i(), prop::sample::select(vec!["newPeer", "welcome", "jump"])).prop_map(|(p, k)| Nonsense(p, k)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_model_does(
        transitions in prop::collection::vec(transition(), 1..120)
    ) {
        let mut pair = Pair::new();
        for transition in transitions {
            let (expected, actual) = pair.apply(&transition);
            prop_assert_eq!(expected, actual, "after {:?}", transition);
            prop_assert_eq!(pair.model.peer_count(), pair.rooms.peer_count());
            prop_assert_eq!(pair.model.session_count(), pair.rooms.session_count());
        }
        pair.disconnect_all();
        prop_assert_eq!(pair.rooms.footprint(), 0, "nothing is kept of who is gone");
    }
}

/// A story that goes through every kind of transition, so that a model and a machine that both do nothing
/// could not agree.
#[test]
fn the_transitions_reach_sessions_refusals_and_farewells() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..100 {
        let mut pair = Pair::new();
        let story = prop::collection::vec(transition(), 120)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        for transition in story {
            for effect in pair.apply(&transition).0 {
                let kind = match effect {
                    Effect::Hears(_, message) if message["type"] == "error" => message["code"].to_string(),
                    Effect::Hears(_, message) => message["type"].to_string(),
                    Effect::Closed(_) => "closed".to_owned(),
                };
                *seen.entry(kind).or_default() += 1;
            }
        }
    }
    for kind in [
        "welcome",
        "peerStatusChanged",
        "sessionStarted",
        "startSession",
        "endSession",
        "endSessionV1_1",
        "peer",
        "list",
        "listConsumers",
        "peer-not-found",
        "no-producer-or-consumer",
        "conflicting-roles",
        "offer-from-consumer",
        "not-a-session-member",
        "version-too-late",
        "version-too-low",
        "meta-too-large",
        "too-many-sessions",
        "server-full",
        "unknown-message",
        "not-a-client-message",
    ] {
        assert!(seen.contains_key(&format!("\"{kind}\"")), "no {kind} in {seen:?}");
    }
}

/// The model and the machine, kept in step.
struct Pair {
    model: Model,
    rooms: Rooms<StdRng>,
    connections: u64,
    names: Names,
}

impl Pair {
    fn new() -> Self {
        Self {
            model: Model::new(LIMITS),
            rooms: Rooms::new(LIMITS, StdRng::seed_from_u64(1)),
            connections: 0,
            names: Names::default(),
        }
    }

    /// Gives both the fact and returns the effects of both, the model's first.
    fn apply(&mut self, transition: &Transition) -> (Vec<Effect>, Vec<Effect>) {
        let expected = match transition {
            Transition::Connect => {
                self.connections += 1;
                self.rooms
                    .handle_connected(ConnectionId(self.connections), Duration::ZERO);
                self.model.connect(self.connections)
            }
            Transition::Disconnect(peer, lost) => {
                let connection = self.connection(peer);
                let departure = if *lost {
                    Departure::Lost
                } else {
                    Departure::InOrder
                };
                self.rooms
                    .handle_disconnected(ConnectionId(connection), departure);
                self.model.disconnect(connection, *lost)
            }
            message => {
                let (connection, message) = self.message(message);
                let text = self.names.to_machine(&message).to_string();
                let parsed = parse_client_message(&text);
                self.rooms
                    .handle_message(ConnectionId(connection), parsed, text.len(), Duration::ZERO);
                self.model.message(connection, &message)
            }
        };
        (expected, self.drain())
    }

    fn message(&self, transition: &Transition) -> (u64, Value) {
        match transition {
            Transition::Connect | Transition::Disconnect(..) => unreachable!("no message"),
            Transition::SetVersion(peer, version) => (
                self.connection(peer),
                json!({"type": "setProtocolVersion", "version": version}),
            ),
            Transition::SetStatus {
                peer,
                roles,
                meta,
                named,
            } => {
                let connection = self.connection(peer);
                let mut message = json!({"type": "setPeerStatus", "roles": roles, "meta": meta});
                if let Some(named) = named {
                    // Half of those that give an id give their own.
                    let own = self.model.peer_of(connection).filter(|_| named.index(2) == 0);
                    message["peerId"] = json!(own.unwrap_or_else(|| self.peer(named)));
                }
                (connection, message)
            }
            Transition::StartSession { peer, target, offer } => {
                let mut message = json!({"type": "startSession", "peerId": self.peer(target)});
                if *offer {
                    message["offer"] = json!("v=0");
                }
                (self.connection(peer), message)
            }
            Transition::EndSession { peer, session } => (
                self.connection(peer),
                json!({"type": "endSession", "sessionId": self.session(session)}),
            ),
            Transition::EndSessionV1_1 { peer, session, error } => (
                self.connection(peer),
                json!({"type": "endSessionV1_1", "sessionId": self.session(session), "error": error}),
            ),
            Transition::Sdp { peer, session, kind } => (
                self.connection(peer),
                json!({"type": "peer", "sessionId": self.session(session), "sdp": {"type": kind, "sdp": "v=0"}}),
            ),
            Transition::Ice { peer, session } => (
                self.connection(peer),
                json!({
                    "type": "peer", "sessionId": self.session(session),
                    "ice": {"candidate": "candidate:1", "sdpMLineIndex": 0}
                }),
            ),
            Transition::List(peer, kind) => (self.connection(peer), json!({"type": kind})),
            Transition::Nonsense(peer, kind) => (self.connection(peer), json!({"type": kind})),
        }
    }

    fn disconnect_all(&mut self) {
        for connection in 0..=self.connections {
            self.rooms
                .handle_disconnected(ConnectionId(connection), Departure::Lost);
        }
        self.drain();
    }

    /// Any connection, the next one (which does not exist yet) included.
    fn connection(&self, index: &Index) -> u64 {
        index.index(self.connections as usize + 1) as u64 + 1
    }

    fn peer(&self, index: &Index) -> String {
        format!("peer-{}", index.index(self.model.peers_made() + 1) + 1)
    }

    fn session(&self, index: &Index) -> String {
        format!("session-{}", index.index(self.model.sessions_made() + 1) + 1)
    }

    fn drain(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(command) = self.rooms.poll_command() {
            match command {
                Command::Send { to, message } => {
                    let message = self.names.rename(&serde_json::to_value(message).unwrap());
                    effects.extend(
                        to.iter()
                            .map(|to| Effect::Hears(to.0, model::without_details(&message))),
                    );
                }
                Command::Close { connection, .. } => effects.push(Effect::Closed(connection.0)),
            }
        }
        effects
    }
}

/// The names of the machine's ids in the model.
#[derive(Default)]
struct Names {
    to_model: BTreeMap<String, String>,
    to_machine: BTreeMap<String, String>,
    peers: usize,
    sessions: usize,
}

impl Names {
    fn rename(&mut self, message: &Value) -> Value {
        match message["type"].as_str() {
            Some("welcome") => {
                self.peers += 1;
                self.learn(&message["peerId"], format!("peer-{}", self.peers));
            }
            Some("sessionStarted") => {
                self.sessions += 1;
                self.learn(&message["sessionId"], format!("session-{}", self.sessions));
            }
            _ => {}
        }
        replace(message, &self.to_model)
    }

    fn to_machine(&self, message: &Value) -> Value {
        replace(message, &self.to_machine)
    }

    fn learn(&mut self, id: &Value, name: String) {
        let id = id.as_str().unwrap().to_owned();
        self.to_machine.insert(name.clone(), id.clone());
        assert_eq!(self.to_model.insert(id, name), None, "an id is given once");
    }
}

fn replace(value: &Value, names: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => json!(names.get(text).unwrap_or(text)),
        Value::Array(items) => items.iter().map(|item| replace(item, names)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), replace(value, names)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
