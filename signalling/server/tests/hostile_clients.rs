//! Clients that say nothing, read nothing, or come in numbers: each is its own problem and nobody else's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Client, Ended, PATIENCE, closed, start, start_with};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use weir_signalling_server::{Config, Limits, Rate, SignallingConfig, SignallingState, TimeOuts};

const PLENTY: Rate = Rate {
    burst: u32::MAX,
    per_second: u32::MAX,
};

#[tokio::test]
async fn a_client_that_connects_and_says_nothing_is_closed_and_stops_nobody() {
    let time_outs = TimeOuts {
        handshake: Duration::from_millis(300),
        ..TimeOuts::default()
    };
    let server = start(Config {
        time_outs,
        ..Config::new(SignallingState::default())
    })
    .await;
    let mut mute = TcpStream::connect(server.local_addr()).await.unwrap();
    let mut stammerer = TcpStream::connect(server.local_addr()).await.unwrap();
    stammerer.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();

    let mut satisfied = TcpStream::connect(server.local_addr()).await.unwrap();
    satisfied
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();

    let mut client = Client::connect_as(server.local_addr(), &["producer"]).await;
    closed(&mut mute).await;
    closed(&mut stammerer).await;
    closed(&mut satisfied).await;
    assert_eq!(
        client.ask("list").await["type"],
        "list",
        "a WebSocket outlives the handshake's time-out"
    );
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_lost_and_one_that_does_stays() {
    let ping_interval = Duration::from_millis(300);
    let (server, _) = start_with(SignallingConfig {
        ping_interval,
        ..SignallingConfig::default()
    })
    .await;
    let mut listener = Client::connect_as(server.local_addr(), &["listener"]).await;
    // A socket that is not polled answers nothing.
    let silent = Client::connect(server.local_addr()).await;
    assert_eq!(
        listener.hear().await,
        json!({"type": "peerStatusChanged", "roles": [], "meta": null, "peerId": silent.id})
    );
    assert_eq!(listener.ask("list").await["type"], "list");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_closed_and_the_others_go_on_meanwhile() {
    let limits = Limits {
        bytes: PLENTY,
        messages: PLENTY,
        requests: PLENTY,
        ..Limits::default()
    };
    let config = SignallingConfig {
        limits,
        queued_bytes: 1024 * 1024,
        ..SignallingConfig::default()
    };
    let (server, _) = start_with(config).await;
    let mut bystander = Client::connect(server.local_addr()).await;
    let mut slow = Client::connect_as(server.local_addr(), &["producer"]).await;
    let mut talker = Client::connect(server.local_addr()).await;
    let session = talker.watch(&mut slow).await;

    let long = json!({
        "type": "peer", "sessionId": session, "sdp": {"type": "answer", "sdp": "x".repeat(200_000)}
    })
    .to_string();
    let mut rounds = 0;
    let end = loop {
        rounds += 1;
        assert!(rounds < 1000, "200 MB wait for a peer that reads nothing");
        talker.say_text(&long).await;
        assert_eq!(bystander.ask("list").await["type"], "list");
        if let Some(message) = talker.overhear() {
            break message;
        }
    };
    assert_eq!(end, json!({"type": "endSession", "sessionId": session}));
}

#[tokio::test]
async fn a_peer_that_talks_too_fast_is_told_so_and_closed_with_code_1008() {
    let limits = Limits {
        messages: Rate {
            burst: 20,
            per_second: 1,
        },
        ..Limits::default()
    };
    let (server, _) = start_with(SignallingConfig {
        limits,
        ..SignallingConfig::default()
    })
    .await;
    let mut client = Client::connect(server.local_addr()).await;
    for _ in 0..30 {
        client
            .say(json!({"type": "endSession", "sessionId": "none"}))
            .await;
    }
    assert_eq!(client.hear().await["code"], "too-many-messages");
    assert_eq!(client.end().await, Ended::Frame(1008));
}

#[tokio::test]
async fn a_full_server_says_so_and_closes_with_code_1013() {
    let limits = Limits {
        peers: 1,
        ..Limits::default()
    };
    let (server, state) = start_with(SignallingConfig {
        limits,
        ..SignallingConfig::default()
    })
    .await;
    let first = Client::connect(server.local_addr()).await;
    let stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let mut second = Client::unwelcomed(Box::new(stream), "ws://localhost/").await;
    assert_eq!(second.hear().await["code"], "server-full");
    assert_eq!(second.end().await, Ended::Frame(1013));

    first.close().await;
    assert_eq!(state.counts().peers, 0);
    Client::connect(server.local_addr()).await;
}

#[tokio::test]
async fn connections_over_the_total_are_closed_at_once_and_places_become_free_again() {
    let config = Config {
        max_connections: 2,
        ..Config::new(SignallingState::default())
    };
    let server = start(config).await;
    let first = Client::connect(server.local_addr()).await;
    let _second = Client::connect(server.local_addr()).await;
    closed(&mut TcpStream::connect(server.local_addr()).await.unwrap()).await;

    first.close().await;
    // The place is free once the server's side of the connection is gone, a moment after the client's.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stream = TcpStream::connect(server.local_addr()).await.unwrap();
        match async_tungstenite::tokio::client_async("ws://localhost/", stream).await {
            Ok(_) => break,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_closes_with_code_1001_and_frees_its_port() {
    let (server, state) = start_with(SignallingConfig::default()).await;
    let address = server.local_addr();
    let mut polite = Client::connect(address).await;
    let rude = Client::connect(address).await;
    let idle = TcpStream::connect(address).await.unwrap();

    let stopping = tokio::spawn(server.shutdown());
    assert_eq!(polite.end().await, Ended::Frame(1001));
    timeout(PATIENCE, stopping).await.unwrap().unwrap();
    assert_eq!(state.counts().peers, 0, "those that do not answer are gone too");
    TcpListener::bind(address).await.unwrap();
    drop((rude, idle));
}

#[tokio::test]
async fn a_server_whose_handle_is_dropped_stops_at_once() {
    let (server, _) = start_with(SignallingConfig::default()).await;
    let address = server.local_addr();
    let mut client = Client::connect(address).await;
    drop(server);
    client.end().await;
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = TcpListener::bind(address).await {
        assert!(Instant::now() < deadline, "{error}");
        yield_now().await;
    }
}
