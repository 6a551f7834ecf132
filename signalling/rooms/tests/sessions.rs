//! How sessions begin, what passes through them, and how they end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Heard, Peer, Server};
use weir_rooms::Departure;

#[test]
fn a_consumer_starts_a_session_with_a_producer_and_both_are_told_the_consumer_first() {
    let mut server = Server::new();
    let producer = server.connect_as(&["producer"]);
    let consumer = server.connect();

    let heard = server.say(&consumer, json!({"type": "startSession", "peerId": producer.id}));
    let session = session_in(&heard);
    assert_eq!(
        heard,
        [
            consumer.hears(json!({"type": "sessionStarted", "peerId": producer.id, "sessionId": session})),
            producer.hears(
                json!({"type": "startSession", "peerId": consumer.id, "sessionId": session, "offer": null})
            ),
        ]
    );
}

#[test]
fn a_session_may_start_before_its_consumer_has_registered() {
    let mut server = Server::new();
    let producer = server.connect_as(&["producer"]);
    let consumer = server.connect();
    let session = server.start_session(&consumer, &producer);
    assert_eq!(
        server.register(&consumer, &[], Value::Null),
        [],
        "the late registration ends nothing"
    );
    assert_eq!(
        server.say(&consumer, candidate(&session)),
        [producer.hears(candidate(&session))],
        "and candidates may come before any description"
    );
}

#[test]
fn an_offer_that_comes_with_the_request_reaches_the_producer() {
    let mut server = Server::new();
    let producer = server.connect_as(&["producer"]);
    let consumer = server.connect();
    let heard = server.say(
        &consumer,
        json!({"type": "startSession", "peerId": producer.id, "offer": "v=0"}),
    );
    assert_eq!(
        heard[1],
        producer.hears(json!({
            "type": "startSession", "peerId": consumer.id, "sessionId": session_in(&heard), "offer": "v=0"
        }))
    );
}

#[test]
fn a_passive_consumer_is_called_by_the_peer_that_becomes_the_producer() {
    let mut server = Server::new();
    let passive = server.connect_as(&["consumer"]);
    let caller = server.connect();
    let heard = server.say(&caller, json!({"type": "startSession", "peerId": passive.id}));
    let session = session_in(&heard);
    assert_eq!(
        heard,
        [
            passive.hears(json!({"type": "sessionStarted", "peerId": caller.id, "sessionId": session})),
            caller.hears(
                json!({"type": "startSession", "peerId": passive.id, "sessionId": session, "offer": null})
            ),
        ]
    );
    assert_eq!(
        server.say(&caller, offer(&session)),
        [passive.hears(offer(&session))]
    );
}

#[test]
fn a_session_needs_a_peer_that_is_here() {
    let mut server = Server::new();
    let peer = server.connect();
    let gone = server.connect_as(&["producer"]);
    server.disconnect(&gone, Departure::InOrder);
    for id in ["nobody", "", gone.id.as_str(), &peer.id.to_uppercase()] {
        assert_eq!(
            server.say(&peer, json!({"type": "startSession", "peerId": id})),
            [peer.is_refused("peer-not-found", format!("Peer with ID '{id}' not found"))]
        );
    }
}

#[test]
fn an_id_of_any_length_is_quoted_only_in_part() {
    let mut server = Server::new();
    let peer = server.connect();
    match &server.say(
        &peer,
        json!({"type": "startSession", "peerId": "x".repeat(100_000)}),
    )[..]
    {
        [Heard::Message(_, error)] => assert!(error.to_string().len() < 300),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_needs_a_producer_or_a_passive_consumer() {
    let mut server = Server::new();
    let peer = server.connect_as(&["listener", "producer"]);
    let other = server.connect_as(&["listener"]);
    assert_eq!(
        server.say(&peer, json!({"type": "startSession", "peerId": other.id})),
        [peer.is_refused(
            "no-producer-or-consumer",
            format!(
                "Missing a producer or a consumer: id {} roles [Listener, Producer], id {} roles [Listener]",
                peer.id, other.id
            )
        )]
    );
}

#[test]
fn descriptions_and_candidates_pass_both_ways_with_all_that_they_carry() {
    let mut server = Server::new();
    let (producer, consumer, session) = pair(&mut server);
    let answer =
        json!({"type": "peer", "sessionId": session, "sdp": {"type": "answer", "sdp": "v=0 answer"}});
    let with_mid = json!({"type": "peer", "sessionId": session, "ice": {
        "candidate": "candidate:1", "sdpMLineIndex": 2, "sdpMid": "video0", "usernameFragment": "Yv3e"
    }});
    assert_eq!(
        server.say(&producer, offer(&session)),
        [consumer.hears(offer(&session))]
    );
    assert_eq!(
        server.say(&consumer, answer.clone()),
        [producer.hears(answer.clone())]
    );
    assert_eq!(server.say(&producer, answer.clone()), [consumer.hears(answer)]);
    assert_eq!(
        server.say(&consumer, candidate(&session)),
        [producer.hears(candidate(&session))]
    );
    assert_eq!(
        server.say(&producer, with_mid.clone()),
        [consumer.hears(with_mid)]
    );
}

#[test]
fn only_the_producer_offers_inside_a_session() {
    let mut server = Server::new();
    let (producer, consumer, session) = pair(&mut server);
    assert_eq!(
        server.say(&consumer, offer(&session)),
        [consumer.is_refused(
            "offer-from-consumer",
            format!(
                "cannot forward offer from \"{c}\" to \"{p}\" as \"{c}\" is not the producer",
                c = consumer.id,
                p = producer.id
            )
        )]
    );
}

#[test]
fn a_third_peer_that_knows_a_session_can_neither_speak_in_it_nor_end_it() {
    let mut server = Server::new();
    let (producer, consumer, session) = pair(&mut server);
    let stranger = server.connect();
    server.say(
        &stranger,
        json!({"type": "setProtocolVersion", "version": "v1_1"}),
    );
    let refusal = stranger.is_refused(
        "not-a-session-member",
        format!("Peer {} is not part of {session}", stranger.id),
    );
    for message in [
        json!({"type": "endSession", "sessionId": session}),
        json!({"type": "endSessionV1_1", "sessionId": session, "error": "x"}),
        candidate(&session),
        offer(&session),
    ] {
        assert_eq!(server.say(&stranger, message), std::slice::from_ref(&refusal));
    }
    assert_eq!(
        server.say(&producer, offer(&session)),
        [consumer.hears(offer(&session))]
    );
}

#[test]
fn who_ends_a_session_hears_nothing_and_the_other_is_told_once() {
    let mut server = Server::new();
    let (producer, consumer, session) = pair(&mut server);
    let end = json!({"type": "endSession", "sessionId": session});
    assert_eq!(server.say(&consumer, end.clone()), [producer.hears(end.clone())]);
    assert_eq!(server.say(&producer, end), []);
}

#[test]
fn messages_for_a_session_that_is_gone_are_met_with_silence_and_counted() {
    let mut server = Server::new();
    let (producer, consumer, session) = pair(&mut server);
    server.say(&consumer, json!({"type": "endSession", "sessionId": session}));
    for message in [
        candidate(&session),
        offer(&session),
        json!({"type": "endSession", "sessionId": session}),
        json!({"type": "endSession", "sessionId": "never was"}),
    ] {
        assert_eq!(server.say(&producer, message), []);
    }
    assert_eq!(server.rooms.counters().late_messages, 4);
    assert!(server.rooms.counters().refusals.is_empty());
}

#[test]
fn a_peer_that_leaves_ends_its_sessions_oldest_first_before_listeners_hear_of_it() {
    let mut server = Server::new();
    let listener = server.connect_as(&["listener"]);
    let producer = server.connect_as(&["producer"]);
    let consumers: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let mut expected: Vec<_> = consumers
        .iter()
        .map(|consumer| {
            let session = server.start_session(consumer, &producer);
            consumer.hears(json!({"type": "endSession", "sessionId": session}))
        })
        .collect();
    expected.push(
        listener
            .hears(json!({"type": "peerStatusChanged", "roles": [], "meta": null, "peerId": producer.id})),
    );
    assert_eq!(server.disconnect(&producer, Departure::InOrder), expected);
    assert_eq!(server.rooms.session_count(), 0);
}

#[test]
fn a_peer_that_is_no_producer_any_more_ends_the_sessions_in_which_it_was_one_and_only_those() {
    let mut server = Server::new();
    let (producer, consumer, session) = pair(&mut server);
    let other = server.connect_as(&["producer"]);
    let kept = server.start_session(&producer, &other);
    assert_eq!(
        server.register(&producer, &[], Value::Null),
        [consumer.hears(json!({"type": "endSession", "sessionId": session}))]
    );
    assert_eq!(server.say(&other, offer(&kept)), [producer.hears(offer(&kept))]);
}

#[test]
fn a_peer_that_is_no_passive_consumer_any_more_ends_the_sessions_in_which_it_consumed() {
    let mut server = Server::new();
    let passive = server.connect_as(&["consumer"]);
    let caller = server.connect();
    let heard = server.say(&caller, json!({"type": "startSession", "peerId": passive.id}));
    let session = session_in(&heard);
    assert_eq!(
        server.register(&passive, &["listener"], Value::Null)[0],
        caller.hears(json!({"type": "endSession", "sessionId": session}))
    );
}

#[test]
fn two_peers_may_have_several_sessions_each_ending_by_itself() {
    let mut server = Server::new();
    let (producer, consumer, first) = pair(&mut server);
    let second = server.start_session(&consumer, &producer);
    assert_ne!(first, second);
    server.say(&consumer, json!({"type": "endSession", "sessionId": first}));
    assert_eq!(
        server.say(&producer, offer(&second)),
        [consumer.hears(offer(&second))]
    );
}

#[test]
fn a_producer_may_watch_itself() {
    let mut server = Server::new();
    let peer = server.connect_as(&["producer"]);
    let session = server.start_session(&peer, &peer);
    assert_eq!(
        server.say(&peer, candidate(&session)),
        [peer.hears(candidate(&session))]
    );
    let end = json!({"type": "endSession", "sessionId": session});
    assert_eq!(server.say(&peer, end.clone()), [peer.hears(end)]);
    assert_eq!(server.rooms.session_count(), 0);
}

#[test]
fn nothing_is_kept_of_a_thousand_sessions_and_peers_that_are_gone() {
    let mut server = Server::new();
    let producer = server.connect_as(&["producer"]);
    let before = server.rooms.footprint();
    for round in 0..1000 {
        server.now += std::time::Duration::from_secs(1);
        let consumer = server.connect();
        let session = server.start_session(&consumer, &producer);
        match round % 3 {
            0 => drop(server.say(&consumer, json!({"type": "endSession", "sessionId": session}))),
            1 => drop(server.say(&producer, json!({"type": "endSession", "sessionId": session}))),
            _ => {}
        }
        server.disconnect(&consumer, Departure::Lost);
    }
    assert_eq!(server.rooms.footprint(), before);
    assert_eq!((server.rooms.peer_count(), server.rooms.session_count()), (1, 0));
    assert_eq!(server.rooms.counters().sessions, 1000, "there were sessions");
}

/// A producer, its consumer and their session.
fn pair(server: &mut Server) -> (Peer, Peer, String) {
    let producer = server.connect_as(&["producer"]);
    let consumer = server.connect();
    let session = server.start_session(&consumer, &producer);
    (producer, consumer, session)
}

fn offer(session: &str) -> Value {
    json!({"type": "peer", "sessionId": session, "sdp": {"type": "offer", "sdp": "v=0 offer"}})
}

fn candidate(session: &str) -> Value {
    json!({"type": "peer", "sessionId": session, "ice": {"candidate": "candidate:1", "sdpMLineIndex": 0}})
}

fn session_in(heard: &[Heard]) -> String {
    match heard.first() {
        Some(Heard::Message(_, message)) => message["sessionId"].as_str().unwrap().to_owned(),
        other => panic!("no session in {other:?}"),
    }
}
