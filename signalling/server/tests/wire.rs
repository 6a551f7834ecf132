//! The wire over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Client, Ended, start, start_with};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use weir_signalling_server::{Config, Pages, Routes, Server, SignallingConfig, SignallingState};

#[tokio::test]
async fn a_session_of_version_1_0_goes_from_the_welcome_to_its_end() {
    let (server, _) = start_with(SignallingConfig::default()).await;
    let mut listener = Client::connect_as(server.local_addr(), &["listener"]).await;
    let mut producer = Client::connect(server.local_addr()).await;
    let mut consumer = Client::connect(server.local_addr()).await;

    let status = json!({
        "type": "setPeerStatus", "roles": ["producer"], "meta": {"display-name": "x"}, "peerId": producer.id
    });
    producer.say(status).await;
    assert_eq!(
        listener.hear().await,
        json!({
            "type": "peerStatusChanged", "roles": ["producer"], "meta": {"display-name": "x"},
            "peerId": producer.id
        })
    );

    consumer
        .say(json!({"type": "startSession", "peerId": producer.id}))
        .await;
    let started = consumer.hear().await;
    let session = started["sessionId"].clone();
    assert_eq!(
        started,
        json!({"type": "sessionStarted", "peerId": producer.id, "sessionId": session})
    );
    assert_eq!(
        producer.hear().await,
        json!({"type": "startSession", "peerId": consumer.id, "sessionId": session, "offer": null})
    );

    let offer = json!({"type": "peer", "sessionId": session, "sdp": {"type": "offer", "sdp": "v=0 offer"}});
    let answer =
        json!({"type": "peer", "sessionId": session, "sdp": {"type": "answer", "sdp": "v=0 answer"}});
    let candidate = json!({
        "type": "peer", "sessionId": session, "ice": {"candidate": "candidate:1", "sdpMLineIndex": 0}
    });
    producer.say(offer.clone()).await;
    assert_eq!(consumer.hear().await, offer);
    consumer.say(answer.clone()).await;
    consumer.say(candidate.clone()).await;
    assert_eq!(producer.hear().await, answer);
    assert_eq!(producer.hear().await, candidate);

    let end = json!({"type": "endSession", "sessionId": session});
    consumer.say(end.clone()).await;
    assert_eq!(producer.hear().await, end);
    assert_eq!(
        consumer.ask("list").await,
        json!({"type": "list", "producers": [{"id": producer.id, "meta": {"display-name": "x"}}]}),
        "the consumer hears nothing of the end, only what it asks for next"
    );
}

#[tokio::test]
async fn a_peer_that_leaves_ends_its_sessions_and_is_announced_as_gone() {
    let (server, state) = start_with(SignallingConfig::default()).await;
    let mut listener = Client::connect_as(server.local_addr(), &["listener"]).await;
    let mut producer = Client::connect_as(server.local_addr(), &["producer"]).await;
    assert_eq!(listener.hear().await["roles"], json!(["producer"]));
    let mut consumer = Client::connect(server.local_addr()).await;
    let session = consumer.watch(&mut producer).await;

    let id = producer.id.clone();
    producer.close().await;
    assert_eq!(
        consumer.hear().await,
        json!({"type": "endSession", "sessionId": session})
    );
    assert_eq!(
        listener.hear().await,
        json!({"type": "peerStatusChanged", "roles": [], "meta": null, "peerId": id})
    );
    assert_eq!((state.counts().peers, state.counts().sessions), (2, 0));
}

#[tokio::test]
async fn a_peer_of_version_1_1_learns_that_the_other_vanished() {
    let (server, _) = start_with(SignallingConfig::default()).await;
    let mut producer = Client::connect_as(server.local_addr(), &["producer"]).await;
    let mut consumer = Client::connect(server.local_addr()).await;
    consumer
        .say(json!({"type": "setProtocolVersion", "version": "v1_1"}))
        .await;
    let session = consumer.watch(&mut producer).await;
    drop(producer);
    assert_eq!(
        consumer.hear().await,
        json!({
            "type": "endSessionV1_1", "sessionId": session,
            "error": "peer-lost: The connection to the other peer was lost"
        })
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_and_the_connection_stays() {
    let (server, _) = start_with(SignallingConfig::default()).await;
    let mut client = Client::connect(server.local_addr()).await;
    for (text, code) in [
        ("hello", "malformed-message"),
        (r#"{"type":"startSession"}"#, "malformed-message"),
        (r#"{"type":"joinRoom"}"#, "unknown-message"),
        (r#"{"type":"newPeer"}"#, "not-a-client-message"),
    ] {
        client.say_text(text).await;
        let error = client.hear().await;
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("error"), &json!(code)),
            "{text}"
        );
    }
    client.socket.send(vec![0xff, 0x00].into()).await.unwrap();
    assert_eq!(client.hear().await["code"], "malformed-message", "a binary frame");
    assert_eq!(client.ask("list").await["type"], "list");
}

#[tokio::test]
async fn a_message_of_the_greatest_length_passes_and_a_longer_one_closes_with_code_1009() {
    let (server, _) = start_with(SignallingConfig::default()).await;
    let mut producer = Client::connect_as(server.local_addr(), &["producer"]).await;
    let mut consumer = Client::connect(server.local_addr()).await;
    let session = consumer.watch(&mut producer).await;
    let message = |sdp: &str| {
        json!({"type": "peer", "sessionId": session, "sdp": {"type": "offer", "sdp": sdp}}).to_string()
    };
    let room = 256 * 1024 - message("").len();

    producer.say_text(&message(&"x".repeat(room))).await;
    assert_eq!(consumer.hear().await["sdp"]["sdp"].as_str().unwrap().len(), room);

    for size in [room + 1, 4_000_000] {
        let mut intruder = Client::connect(server.local_addr()).await;
        // The server may have closed before all of it was sent.
        let _ = intruder.socket.send(message(&"x".repeat(size)).into()).await;
        assert_eq!(intruder.hear().await["code"], "message-too-long");
        assert_eq!(intruder.end().await, Ended::Frame(1009));
    }
    assert_eq!(consumer.ask("list").await["type"], "list", "the others stay");
}

#[tokio::test]
async fn what_is_no_valid_text_closes_with_code_1007() {
    let (server, _) = start_with(SignallingConfig::default()).await;
    let mut client = Client::connect(server.local_addr()).await;
    // A final text frame of two bytes, masked with zeros, that are no UTF-8.
    let frame = [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28];
    client.socket.get_mut().get_mut().write_all(&frame).await.unwrap();
    assert_eq!(client.end().await, Ended::Frame(1007));
}

#[tokio::test]
async fn websockets_are_accepted_on_any_path_with_the_headers_that_were_asked_for() {
    let config = Config {
        handshake_headers: vec![("X-Served-By".to_owned(), "weir".to_owned())],
        ..Config::new(SignallingState::default())
    };
    let server = start(config).await;
    for path in ["", "/", "/ws", "/a/b?c=d", "/health", "/index.html"] {
        let stream = TcpStream::connect(server.local_addr()).await.unwrap();
        let (_, response) = async_tungstenite::tokio::client_async(format!("ws://localhost{path}"), stream)
            .await
            .unwrap();
        assert_eq!(response.headers()["x-served-by"], "weir", "{path}");
    }
}

#[tokio::test]
async fn headers_that_the_handshake_needs_itself_are_refused() {
    for name in ["Sec-WebSocket-Accept", "Connection", "no header"] {
        let config = Config {
            port: 0,
            handshake_headers: vec![(name.to_owned(), "x".to_owned())],
            ..Config::new(SignallingState::default())
        };
        let error = Server::bind(config).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("'{name}' cannot be a header of the WebSocket handshake")
        );
    }
}

#[tokio::test]
async fn peers_of_two_listeners_meet_if_these_share_their_state() {
    let state = SignallingState::default();
    let signalling = start(Config::new(state.clone())).await;
    let routes = Routes {
        signalling: true,
        pages: Some(Pages::embedded()),
    };
    let web = start(Config {
        routes,
        ..Config::new(state)
    })
    .await;

    let mut producer = Client::connect_as(signalling.local_addr(), &["producer"]).await;
    let mut consumer = Client::connect(web.local_addr()).await;
    consumer.watch(&mut producer).await;

    let stopping = tokio::spawn(web.shutdown());
    assert_eq!(consumer.end().await, Ended::Frame(1001));
    stopping.await.unwrap();
    assert_eq!(
        producer.ask("list").await["producers"].as_array().map(Vec::len),
        Some(1),
        "the other listener serves on, and has told of no session's end: its media flows"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_peers_at_once_all_get_their_sessions_and_starts_come_before_ends() {
    let (server, state) = start_with(SignallingConfig::default()).await;
    let mut producer = Client::connect_as(server.local_addr(), &["producer"]).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (address, producer) = (server.local_addr(), producer.id.clone());
            tokio::spawn(async move {
                let mut consumer = Client::connect(address).await;
                for _ in 0..5 {
                    consumer
                        .say(json!({"type": "startSession", "peerId": producer}))
                        .await;
                    let started = consumer.hear().await;
                    assert_eq!(started["type"], "sessionStarted");
                    consumer
                        .say(json!({"type": "endSession", "sessionId": started["sessionId"]}))
                        .await;
                }
                consumer.close().await;
            })
        })
        .collect();

    let mut open: Vec<Value> = Vec::new();
    for _ in 0..2 * 50 * 5 {
        let message = producer.hear().await;
        let session = message["sessionId"].clone();
        match message["type"].as_str().unwrap() {
            "startSession" => open.push(session),
            "endSession" => {
                let position = open
                    .iter()
                    .position(|id| *id == session)
                    .expect("its start came first");
                open.swap_remove(position);
            }
            other => panic!("{other}"),
        }
    }
    assert!(open.is_empty());
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((state.counts().peers, state.counts().sessions), (1, 0));
}
