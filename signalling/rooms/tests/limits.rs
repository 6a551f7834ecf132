//! What a stranger may not do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Heard, Server};
use weir_protocol::{ErrorCode, MAX_MESSAGE_BYTES};
use weir_rooms::{CloseReason, Limits, Rate};

#[test]
fn a_full_server_turns_the_next_peer_away_and_takes_it_once_another_has_left() {
    let mut server = Server::with(Limits {
        peers: 2,
        ..Limits::default()
    });
    let first = server.connect();
    server.connect();
    let (refused, heard) = server.try_connect();
    assert_eq!(
        heard,
        [
            Heard::Message(
                refused,
                json!({"type": "error", "code": "server-full", "details": "The server has 2 peers, more are not allowed"})
            ),
            Heard::Closed(refused, CloseReason::ServerFull)
        ]
    );
    server.disconnect(&first, weir_rooms::Departure::InOrder);
    server.connect();
}

#[test]
fn a_peer_starts_only_so_many_sessions_at_once() {
    let mut server = Server::with(Limits {
        sessions_started_per_peer: 2,
        ..Limits::default()
    });
    let producer = server.connect_as(&["producer"]);
    let consumer = server.connect();
    let first = server.start_session(&consumer, &producer);
    server.start_session(&consumer, &producer);
    let start = json!({"type": "startSession", "peerId": producer.id});
    assert_eq!(
        server.say(&consumer, start),
        [consumer.is_refused(
            "too-many-sessions",
            format!("Peer {} has 2 sessions, more are not allowed", consumer.id)
        )]
    );
    server.say(&consumer, json!({"type": "endSession", "sessionId": first}));
    server.start_session(&consumer, &producer);
}

#[test]
fn a_producer_that_is_full_refuses_the_next_viewer_and_names_itself() {
    let mut server = Server::with(Limits {
        sessions_per_peer: 3,
        ..Limits::default()
    });
    let producer = server.connect_as(&["producer"]);
    for _ in 0..3 {
        let consumer = server.connect();
        server.start_session(&consumer, &producer);
    }
    let consumer = server.connect();
    assert_eq!(
        server.say(&consumer, json!({"type": "startSession", "peerId": producer.id})),
        [consumer.is_refused(
            "too-many-sessions",
            format!("Peer {} has 3 sessions, more are not allowed", producer.id)
        )]
    );
}

#[test]
fn metadata_over_the_limit_is_refused_and_the_old_kept() {
    let mut server = Server::with(Limits {
        meta_bytes: 10,
        ..Limits::default()
    });
    let peer = server.connect();
    server.register(&peer, &["producer"], json!("12345678"));
    assert_eq!(
        server.register(&peer, &["producer"], json!("123456789")),
        [peer.is_refused(
            "meta-too-large",
            "The metadata has 11 bytes of JSON, at most 10 are kept"
        )]
    );
    assert_eq!(
        server.say(&peer, json!({"type": "list"})),
        [peer.hears(json!({"type": "list", "producers": [{"id": peer.id, "meta": "12345678"}]}))]
    );
}

#[test]
fn a_peer_that_talks_too_fast_is_refused_announced_as_gone_and_closed() {
    let messages = Rate {
        burst: 10,
        per_second: 1,
    };
    let mut server = Server::with(Limits {
        messages,
        ..Limits::default()
    });
    let listener = server.connect_as(&["listener"]);
    let producer = server.connect_as(&["producer"]);
    let consumer = server.connect();
    let session = server.start_session(&consumer, &producer);
    let nothing = json!({"type": "endSession", "sessionId": "none"});
    for _ in 0..9 {
        assert_eq!(server.say(&consumer, nothing.clone()), []);
    }
    assert_eq!(
        server.say(&consumer, nothing.clone()),
        [
            consumer.is_refused("too-many-messages", "Too many messages in too short a time"),
            producer.hears(json!({"type": "endSession", "sessionId": session})),
            listener.hears(
                json!({"type": "peerStatusChanged", "roles": [], "meta": null, "peerId": consumer.id})
            ),
            consumer.is_closed(CloseReason::TooManyMessages),
        ]
    );
    assert_eq!(
        server.say(&consumer, nothing),
        [],
        "what it sent besides is not listened to"
    );
}

#[test]
fn a_peer_that_keeps_to_the_rate_is_never_closed() {
    let messages = Rate {
        burst: 2,
        per_second: 10,
    };
    let mut server = Server::with(Limits {
        messages,
        ..Limits::default()
    });
    let peer = server.connect();
    for _ in 0..1000 {
        server.now += Duration::from_millis(100);
        assert_eq!(
            server.say(&peer, json!({"type": "endSession", "sessionId": "none"})),
            []
        );
    }
}

#[test]
fn bytes_are_counted_beside_messages() {
    let bytes = Rate {
        burst: 1000,
        per_second: 10,
    };
    let mut server = Server::with(Limits {
        bytes,
        ..Limits::default()
    });
    let peer = server.connect();
    let long = json!({"type": "endSession", "sessionId": "x".repeat(600)});
    assert_eq!(server.say(&peer, long.clone()), []);
    assert_eq!(
        server.say(&peer, long),
        [
            peer.is_refused("too-many-messages", "Too many messages in too short a time"),
            peer.is_closed(CloseReason::TooManyMessages),
        ]
    );
}

#[test]
fn lists_and_status_changes_are_refused_when_they_come_too_fast_and_the_connection_stays() {
    let requests = Rate {
        burst: 2,
        per_second: 1,
    };
    let mut server = Server::with(Limits {
        requests,
        ..Limits::default()
    });
    let peer = server.connect();
    server.say(&peer, json!({"type": "list"}));
    server.say(&peer, json!({"type": "listConsumers"}));
    let refused = peer.is_refused(
        "too-many-requests",
        "Too many lists and status changes, try again in a second",
    );
    assert_eq!(
        server.say(&peer, json!({"type": "list"})),
        std::slice::from_ref(&refused)
    );
    assert_eq!(server.register(&peer, &["producer"], json!(null)), [refused]);
    server.now += Duration::from_secs(1);
    assert_eq!(
        server.say(&peer, json!({"type": "list"})),
        [peer.hears(json!({"type": "list", "producers": []}))]
    );
}

#[test]
fn a_message_over_the_length_is_refused_and_the_connection_closed() {
    let mut server = Server::new();
    let peer = server.connect();
    let heard = server.say_text(&peer, &"x".repeat(MAX_MESSAGE_BYTES + 1));
    assert_eq!(
        heard,
        [
            peer.is_refused("message-too-long", "The message is longer than 262144 bytes"),
            peer.is_closed(CloseReason::MessageTooLong),
        ]
    );
    assert_eq!(server.rooms.counters().refusals[&ErrorCode::MessageTooLong], 1);
    assert_eq!(server.rooms.footprint(), 0);
}
