//! Who is told what about whom.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Heard, Server};
use weir_rooms::Departure;

#[test]
fn each_connection_is_welcomed_with_an_id_of_its_own() {
    let mut server = Server::new();
    let (a, b) = (server.connect(), server.connect());
    assert_ne!(a.id, b.id);
    assert_eq!(a.id.len(), 36);
    assert_eq!(&a.id[14..15], "4", "a UUID of version 4");
}

#[test]
fn a_producer_is_announced_to_every_listener_and_to_nobody_else() {
    let mut server = Server::new();
    let first = server.connect_as(&["listener"]);
    let _bystander = server.connect_as(&[]);
    let second = server.connect_as(&["listener"]);
    let producer = server.connect();

    let changed = json!({
        "type": "peerStatusChanged", "roles": ["producer"], "meta": {"display-name": "x"}, "peerId": producer.id
    });
    assert_eq!(
        server.register(&producer, &["producer"], json!({"display-name": "x"})),
        [first.hears(changed.clone()), second.hears(changed)]
    );
}

#[test]
fn a_new_listener_hears_about_itself_and_gets_no_snapshot_of_the_others() {
    let mut server = Server::new();
    server.connect_as(&["producer"]);
    let listener = server.connect();
    assert_eq!(
        server.register(&listener, &["listener"], Value::Null),
        [listener.hears(json!({
            "type": "peerStatusChanged", "roles": ["listener"], "meta": null, "peerId": listener.id
        }))]
    );
}

#[test]
fn listeners_hear_about_consumers_and_other_listeners_too() {
    let mut server = Server::new();
    let listener = server.connect_as(&["listener"]);
    for roles in [&["consumer"][..], &["listener"], &[]] {
        let peer = server.connect();
        let heard = server.register(&peer, roles, json!(1));
        assert!(heard.contains(&listener.hears(json!({
            "type": "peerStatusChanged", "roles": roles, "meta": 1, "peerId": peer.id
        }))));
    }
}

#[test]
fn the_same_status_again_is_ignored_if_it_names_the_peer_and_told_again_if_it_does_not() {
    let mut server = Server::new();
    let peer = server.connect_as(&["listener"]);
    assert_eq!(server.register(&peer, &["listener"], Value::Null), []);

    let unnamed = json!({"type": "setPeerStatus", "roles": ["listener"]});
    let echo = peer.hears(json!({
        "type": "peerStatusChanged", "roles": ["listener"], "meta": null, "peerId": peer.id
    }));
    assert_eq!(server.say(&peer, unnamed.clone()), std::slice::from_ref(&echo));
    assert_eq!(server.say(&peer, unnamed), [echo]);
}

#[test]
fn a_peer_can_only_speak_of_itself() {
    let mut server = Server::new();
    let listener = server.connect_as(&["listener"]);
    let victim = server.connect_as(&["producer"]);
    let liar = server.connect();

    let heard = server.say(
        &liar,
        json!({"type": "setPeerStatus", "roles": ["consumer"], "peerId": victim.id}),
    );
    assert_eq!(
        heard,
        [listener.hears(json!({
            "type": "peerStatusChanged", "roles": ["consumer"], "meta": null, "peerId": liar.id
        }))]
    );
}

#[test]
fn nobody_is_producer_and_passive_consumer_at_once() {
    let mut server = Server::new();
    let peer = server.connect_as(&["producer"]);
    assert_eq!(
        server.register(&peer, &["producer", "consumer"], Value::Null),
        [peer.is_refused(
            "conflicting-roles",
            format!(
                "Cannot register peer {} as both producer and passive consumer",
                peer.id
            )
        )]
    );
    let list = server.say(&peer, json!({"type": "list"}));
    assert_eq!(
        list,
        [peer.hears(json!({"type": "list", "producers": [{"id": peer.id, "meta": null}]}))],
        "what the peer was before, it still is"
    );
}

#[test]
fn a_role_named_twice_is_one_role() {
    let mut server = Server::new();
    let peer = server.connect();
    assert_eq!(
        server.register(&peer, &["listener", "listener"], Value::Null),
        [peer.hears(json!({
            "type": "peerStatusChanged", "roles": ["listener"], "meta": null, "peerId": peer.id
        }))]
    );
}

#[test]
fn lists_need_no_registration_and_are_in_the_order_of_arrival() {
    let mut server = Server::new();
    let guest = server.connect();
    let producers: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for (index, producer) in producers.iter().enumerate().rev() {
        server.register(producer, &["producer"], json!(index));
    }
    let consumer = server.connect_as(&["consumer"]);

    let expected: Vec<_> = producers
        .iter()
        .enumerate()
        .map(|(index, peer)| json!({"id": peer.id, "meta": index}))
        .collect();
    assert_eq!(
        server.say(&guest, json!({"type": "list"})),
        [guest.hears(json!({"type": "list", "producers": expected}))]
    );
    assert_eq!(
        server.say(&guest, json!({"type": "listConsumers"})),
        [guest.hears(json!({"type": "listConsumers", "consumers": [{"id": consumer.id, "meta": null}]}))]
    );
}

#[test]
fn a_peer_that_leaves_is_announced_without_roles_and_with_its_last_metadata() {
    let mut server = Server::new();
    let listener = server.connect_as(&["listener"]);
    let producer = server.connect();
    server.register(&producer, &["producer"], json!({"name": "x"}));

    assert_eq!(
        server.disconnect(&producer, Departure::InOrder),
        [listener.hears(json!({
            "type": "peerStatusChanged", "roles": [], "meta": {"name": "x"}, "peerId": producer.id
        }))]
    );
    assert_eq!(
        server.disconnect(&producer, Departure::Lost),
        [],
        "a peer leaves once"
    );
    assert_eq!(
        server.say(&listener, json!({"type": "list"})),
        [listener.hears(json!({"type": "list", "producers": []}))]
    );
}

#[test]
fn what_cannot_be_read_is_answered_with_an_error_and_changes_nothing() {
    let mut server = Server::new();
    let listener = server.connect_as(&["listener"]);
    let peer = server.connect_as(&["producer"]);
    for (text, code) in [
        ("hello", "malformed-message"),
        (r#"{"type":"setPeerStatus"}"#, "malformed-message"),
        (
            r#"{"type":"setPeerStatus","roles":["king"]}"#,
            "malformed-message",
        ),
        (r#"{"type":"joinRoom"}"#, "unknown-message"),
        (r#"{"type":"newPeer"}"#, "not-a-client-message"),
        (r#"{"type":"welcome","peerId":"x"}"#, "not-a-client-message"),
    ] {
        match &server.say_text(&peer, text)[..] {
            [Heard::Message(to, error)] => {
                assert_eq!((*to, &error["code"]), (peer.connection, &json!(code)), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(
        server.say(&listener, json!({"type": "list"})),
        [listener.hears(json!({"type": "list", "producers": [{"id": peer.id, "meta": null}]}))]
    );
}

#[test]
fn a_connection_that_nobody_announced_is_not_listened_to() {
    let mut server = Server::new();
    let mut stranger = server.connect();
    stranger.connection.0 += 1;
    assert_eq!(server.say(&stranger, json!({"type": "list"})), []);
    assert_eq!(server.disconnect(&stranger, Departure::Lost), []);
}
