//! The protocol as one would explain it: lists that are searched from front to back, JSON in and out.

use serde_json::{Value, json};
use weir_rooms::Limits;

/// What happens on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// A connection is sent a message. Errors are compared by code.
    Hears(u64, Value),
    Closed(u64),
}

pub(crate) struct Model {
    limits: Limits,
    peers: Vec<Peer>,
    sessions: Vec<Session>,
    peers_made: usize,
    sessions_made: usize,
}

#[derive(Clone)]
struct Peer {
    connection: u64,
    id: String,
    /// The stored `setPeerStatus`: roles, metadata and, once there was one, the peer's id.
    status: (Vec<String>, Value, Value),
    version: Option<String>,
}

#[derive(Clone)]
struct Session {
    id: String,
    producer: String,
    consumer: String,
    started_by: String,
}

impl Session {
    fn has(&self, peer: &str) -> bool {
        self.producer == peer || self.consumer == peer
    }

    fn other(&self, peer: &str) -> String {
        if self.producer == peer {
            self.consumer.clone()
        } else {
            self.producer.clone()
        }
    }
}

impl Model {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            peers: vec![],
            sessions: vec![],
            peers_made: 0,
            sessions_made: 0,
        }
    }

    pub(crate) fn peer_count(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn session_count(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn peers_made(&self) -> usize {
        self.peers_made
    }

    pub(crate) fn sessions_made(&self) -> usize {
        self.sessions_made
    }

    pub(crate) fn peer_of(&self, connection: u64) -> Option<String> {
        self.peers
            .iter()
            .find(|peer| peer.connection == connection)
            .map(|peer| peer.id.clone())
    }

    pub(crate) fn connect(&mut self, connection: u64) -> Vec<Effect> {
        if self.peers.len() == self.limits.peers {
            return vec![error(connection, "server-full"), Effect::Closed(connection)];
        }
        self.peers_made += 1;
        let id = format!("peer-{}", self.peers_made);
        let status = (vec![], Value::Null, Value::Null);
        self.peers.push(Peer {
            connection,
            id: id.clone(),
            status,
            version: None,
        });
        vec![Effect::Hears(
            connection,
            json!({"type": "welcome", "peerId": id}),
        )]
    }

    pub(crate) fn disconnect(&mut self, connection: u64, lost: bool) -> Vec<Effect> {
        let Some(position) = self.peers.iter().position(|peer| peer.connection == connection) else {
            return vec![];
        };
        let gone = self.peers.remove(position);
        let reason = if lost {
            json!("peer-lost: The connection to the other peer was lost")
        } else {
            Value::Null
        };
        let mut effects = self.end_where(&gone.id, |session| session.has(&gone.id), &reason);
        effects.extend(self.to_listeners(json!({
            "type": "peerStatusChanged", "roles": [], "meta": gone.status.1, "peerId": gone.id
        })));
        effects
    }

    pub(crate) fn message(&mut self, connection: u64, message: &Value) -> Vec<Effect> {
        let Some(me) = self
            .peers
            .iter()
            .find(|peer| peer.connection == connection)
            .cloned()
        else {
            return vec![];
        };
        let refused = |code| vec![error(connection, code)];
        match message["type"].as_str().unwrap() {
            "setProtocolVersion" => {
                if me.version.is_some() || self.sessions.iter().any(|session| session.has(&me.id)) {
                    return refused("version-too-late");
                }
                self.peer_mut(&me.id).version = Some(message["version"].as_str().unwrap().to_owned());
                vec![]
            }
            "setPeerStatus" => self.set_status(&me, message),
            "startSession" => self.start_session(&me, message),
            kind @ ("endSession" | "endSessionV1_1" | "peer") => {
                if kind == "endSessionV1_1" && me.version.as_deref() != Some("v1_1") {
                    return refused("version-too-low");
                }
                let id = message["sessionId"].as_str().unwrap();
                let Some(session) = self.sessions.iter().find(|session| session.id == id).cloned() else {
                    return vec![];
                };
                if !session.has(&me.id) {
                    return refused("not-a-session-member");
                }
                if kind != "peer" {
                    return self.end_where(&me.id, |session| session.id == id, &message["error"]);
                }
                if message["sdp"]["type"] == "offer" && session.consumer == me.id {
                    return refused("offer-from-consumer");
                }
                vec![Effect::Hears(
                    self.connection_of(&session.other(&me.id)),
                    message.clone(),
                )]
            }
            "list" => {
                let producers = self.participants("producer");
                vec![Effect::Hears(
                    connection,
                    json!({"type": "list", "producers": producers}),
                )]
            }
            "listConsumers" => {
                let consumers = self.participants("consumer");
                vec![Effect::Hears(
                    connection,
                    json!({"type": "listConsumers", "consumers": consumers}),
                )]
            }
            "newPeer" | "welcome" => refused("not-a-client-message"),
            _ => refused("unknown-message"),
        }
    }

    fn set_status(&mut self, me: &Peer, message: &Value) -> Vec<Effect> {
        let mut roles: Vec<String> = vec![];
        for role in message["roles"].as_array().unwrap() {
            let role = role.as_str().unwrap().to_owned();
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        let meta = message["meta"].clone();
        if me.status == (roles.clone(), meta.clone(), message["peerId"].clone()) {
            return vec![];
        }
        let has = |role: &str| roles.iter().any(|r| r == role);
        let had = |role: &str| me.status.0.iter().any(|r| r == role);
        if has("producer") && has("consumer") {
            return vec![error(me.connection, "conflicting-roles")];
        }
        if !meta.is_null() && meta.to_string().len() > self.limits.meta_bytes {
            return vec![error(me.connection, "meta-too-large")];
        }
        let mut effects = vec![];
        if had("producer") && !has("producer") {
            effects.extend(self.end_where(&me.id, |session| session.producer == me.id, &Value::Null));
        }
        if had("consumer") && !has("consumer") {
            effects.extend(self.end_where(&me.id, |session| session.consumer == me.id, &Value::Null));
        }
        self.peer_mut(&me.id).status = (roles.clone(), meta.clone(), json!(me.id));
        effects.extend(self.to_listeners(
            json!({"type": "peerStatusChanged", "roles": roles, "meta": meta, "peerId": me.id}),
        ));
        effects
    }

    fn start_session(&mut self, me: &Peer, message: &Value) -> Vec<Effect> {
        let refused = |code| vec![error(me.connection, code)];
        let Some(target) = self
            .peers
            .iter()
            .find(|peer| peer.id == message["peerId"])
            .cloned()
        else {
            return refused("peer-not-found");
        };
        let is = |role: &str| target.status.0.iter().any(|r| r == role);
        let (producer, consumer) = if is("producer") {
            (&target, me)
        } else if is("consumer") {
            (me, &target)
        } else {
            return refused("no-producer-or-consumer");
        };
        let count = |test: &dyn Fn(&Session) -> bool| self.sessions.iter().filter(|s| test(s)).count();
        if count(&|s| s.started_by == me.id) >= self.limits.sessions_started_per_peer
            || count(&|s| s.has(&me.id)) >= self.limits.sessions_per_peer
            || count(&|s| s.has(&target.id)) >= self.limits.sessions_per_peer
        {
            return refused("too-many-sessions");
        }
        self.sessions_made += 1;
        let id = format!("session-{}", self.sessions_made);
        self.sessions.push(Session {
            id: id.clone(),
            producer: producer.id.clone(),
            consumer: consumer.id.clone(),
            started_by: me.id.clone(),
        });
        vec![
            Effect::Hears(
                consumer.connection,
                json!({"type": "sessionStarted", "peerId": producer.id, "sessionId": id}),
            ),
            Effect::Hears(
                producer.connection,
                json!({
                    "type": "startSession", "peerId": consumer.id, "sessionId": id, "offer": message["offer"]
                }),
            ),
        ]
    }

    /// Ends sessions of a peer and tells the other members that are still here.
    fn end_where(&mut self, by: &str, which: impl Fn(&Session) -> bool, reason: &Value) -> Vec<Effect> {
        let (ended, kept): (Vec<_>, Vec<_>) = self.sessions.drain(..).partition(|session| which(session));
        self.sessions = kept;
        let mut effects = vec![];
        for session in ended {
            let other = session.other(by);
            if let Some(peer) = self.peers.iter().find(|peer| peer.id == other) {
                let message = if peer.version.as_deref() == Some("v1_1") {
                    json!({"type": "endSessionV1_1", "sessionId": session.id, "error": reason})
                } else {
                    json!({"type": "endSession", "sessionId": session.id})
                };
                effects.push(Effect::Hears(peer.connection, message));
            }
        }
        effects
    }

    fn to_listeners(&self, message: Value) -> Vec<Effect> {
        let listeners = self
            .peers
            .iter()
            .filter(|peer| peer.status.0.iter().any(|role| role == "listener"));
        listeners
            .map(|peer| Effect::Hears(peer.connection, message.clone()))
            .collect()
    }

    fn participants(&self, role: &str) -> Vec<Value> {
        let peers = self
            .peers
            .iter()
            .filter(|peer| peer.status.0.iter().any(|r| r == role));
        peers
            .map(|peer| json!({"id": peer.id, "meta": peer.status.1}))
            .collect()
    }

    fn connection_of(&self, id: &str) -> u64 {
        self.peers.iter().find(|peer| peer.id == id).unwrap().connection
    }

    fn peer_mut(&mut self, id: &str) -> &mut Peer {
        self.peers.iter_mut().find(|peer| peer.id == id).unwrap()
    }
}

/// Sentences are tested elsewhere.
pub(crate) fn without_details(message: &Value) -> Value {
    let mut message = message.clone();
    if message["type"] == "error" {
        message.as_object_mut().unwrap().remove("details");
    }
    message
}

fn error(connection: u64, code: &str) -> Effect {
    Effect::Hears(connection, json!({"type": "error", "code": code}))
}
