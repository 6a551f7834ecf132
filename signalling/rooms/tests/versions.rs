//! Peers of version 1.0 and 1.1 with each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::{Peer, Server};
use weir_rooms::Departure;

#[test]
fn a_reason_reaches_a_peer_of_version_1_1_and_is_left_out_for_one_of_1_0() {
    for (version, expected) in [
        ("v1_0", json!({"type": "endSession"})),
        (
            "v1_1",
            json!({"type": "endSessionV1_1", "error": "no-answer: No answer in 15 s"}),
        ),
    ] {
        let mut server = Server::new();
        let producer = connect_speaking(&mut server, "v1_1");
        server.register(&producer, &["producer"], json!(null));
        let consumer = connect_speaking(&mut server, version);
        let session = server.start_session(&consumer, &producer);
        let mut expected = expected;
        expected["sessionId"] = json!(session);
        let end = json!({
            "type": "endSessionV1_1", "sessionId": session, "error": "no-answer: No answer in 15 s"
        });
        assert_eq!(
            server.say(&producer, end),
            [consumer.hears(expected)],
            "to a peer of {version}"
        );
    }
}

#[test]
fn an_end_without_a_reason_reaches_a_peer_of_version_1_1_as_one_without_error() {
    let mut server = Server::new();
    let producer = server.connect_as(&["producer"]);
    let consumer = connect_speaking(&mut server, "v1_1");
    let session = server.start_session(&consumer, &producer);
    assert_eq!(
        server.say(&producer, json!({"type": "endSession", "sessionId": session})),
        [consumer.hears(json!({"type": "endSessionV1_1", "sessionId": session, "error": null}))]
    );
}

#[test]
fn a_peer_of_version_1_1_learns_whether_the_other_left_or_was_lost() {
    for (departure, error) in [
        (Departure::InOrder, json!(null)),
        (
            Departure::Lost,
            json!("peer-lost: The connection to the other peer was lost"),
        ),
    ] {
        let mut server = Server::new();
        let producer = server.connect_as(&["producer"]);
        let consumer = connect_speaking(&mut server, "v1_1");
        let session = server.start_session(&consumer, &producer);
        assert_eq!(
            server.disconnect(&producer, departure),
            [consumer.hears(json!({"type": "endSessionV1_1", "sessionId": session, "error": error}))]
        );
    }
}

#[test]
fn a_peer_of_version_1_0_cannot_give_a_reason_and_its_session_goes_on() {
    let mut server = Server::new();
    let producer = server.connect_as(&["producer"]);
    let consumer = server.connect();
    let session = server.start_session(&consumer, &producer);
    assert_eq!(
        server.say(
            &consumer,
            json!({"type": "endSessionV1_1", "sessionId": session, "error": "x"})
        ),
        [consumer.is_refused(
            "version-too-low",
            format!(
                "Invalid end session message with error from peer '{}', minimum protocol version is 1.1",
                consumer.id
            )
        )]
    );
    assert_eq!(server.rooms.session_count(), 1);
}

#[test]
fn the_version_is_chosen_once() {
    let mut server = Server::new();
    let peer = connect_speaking(&mut server, "v1_1");
    assert_eq!(
        server.say(&peer, json!({"type": "setProtocolVersion", "version": "v1_0"})),
        [too_late(&peer)]
    );
}

#[test]
fn the_version_may_overtake_or_follow_the_registration_but_not_the_first_session() {
    let mut server = Server::new();
    let producer = server.connect_as(&["producer"]);
    assert_eq!(
        server.say(
            &producer,
            json!({"type": "setProtocolVersion", "version": "v1_1"})
        ),
        []
    );

    let consumer = server.connect();
    server.start_session(&consumer, &producer);
    assert_eq!(
        server.say(
            &consumer,
            json!({"type": "setProtocolVersion", "version": "v1_1"})
        ),
        [too_late(&consumer)]
    );
}

fn connect_speaking(server: &mut Server, version: &str) -> Peer {
    let peer = server.connect();
    assert_eq!(
        server.say(&peer, json!({"type": "setProtocolVersion", "version": version})),
        []
    );
    peer
}

fn too_late(peer: &Peer) -> support::Heard {
    peer.is_refused(
        "version-too-late",
        format!(
            "Protocol version selection for peer '{}' must be first message",
            peer.id
        ),
    )
}
