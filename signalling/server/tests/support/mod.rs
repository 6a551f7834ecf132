//! Servers on free ports, and clients that speak JSON.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its share")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{TokioAdapter, client_async};
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::{Error, Message};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use weir_signalling_server::{Config, Handle, Server, SignallingConfig, SignallingState};

/// How long anything may take before a test has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free port of this machine.
pub async fn start(config: Config) -> Handle {
    Server::bind(Config { port: 0, ..config }).await.unwrap().spawn()
}

pub async fn start_with(config: SignallingConfig) -> (Handle, SignallingState) {
    let state = SignallingState::new(config);
    (start(Config::new(state.clone())).await, state)
}

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A peer.
pub struct Client {
    pub socket: WebSocketStream<TokioAdapter<Box<dyn Io>>>,
    pub id: String,
}

/// How a connection ended for a client.
#[derive(Debug, PartialEq)]
pub enum Ended {
    Frame(u16),
    WithoutFrame,
}

impl Client {
    /// Connects and takes the welcome.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(
            Box::new(TcpStream::connect(address).await.unwrap()),
            "ws://localhost/",
        )
        .await
    }

    pub async fn connect_as(address: SocketAddr, roles: &[&str]) -> Self {
        let mut client = Self::connect(address).await;
        client.register(roles).await;
        client
    }

    pub async fn over(stream: Box<dyn Io>, url: &str) -> Self {
        let mut client = Self::unwelcomed(stream, url).await;
        let welcome = client.hear().await;
        assert_eq!(welcome["type"], "welcome");
        client.id = welcome["peerId"].as_str().unwrap().to_owned();
        client
    }

    pub async fn unwelcomed(stream: Box<dyn Io>, url: &str) -> Self {
        let (socket, _) = timeout(PATIENCE, client_async(url, stream))
            .await
            .unwrap()
            .unwrap();
        Self {
            socket,
            id: String::new(),
        }
    }

    /// Sets roles and waits until they are set.
    pub async fn register(&mut self, roles: &[&str]) {
        self.say(json!({"type": "setPeerStatus", "roles": roles, "peerId": self.id}))
            .await;
        if roles.contains(&"listener") {
            let echo = self.hear().await;
            assert_eq!(
                (&echo["type"], &echo["peerId"]),
                (&json!("peerStatusChanged"), &json!(self.id))
            );
        } else {
            // The answer shows that what came before it was carried out.
            assert_eq!(self.ask("list").await["type"], "list");
        }
    }

    pub async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        timeout(PATIENCE, self.socket.send(Message::text(text)))
            .await
            .unwrap()
            .unwrap();
    }

    /// The next message; pings are answered on the way.
    pub async fn hear(&mut self) -> Value {
        loop {
            let message = timeout(PATIENCE, self.socket.next())
                .await
                .expect("a message in time");
            match message.expect("an open connection").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a text but {other:?}"),
            }
        }
    }

    /// A message that is there already.
    pub fn overhear(&mut self) -> Option<Value> {
        match self.socket.next().now_or_never()?? {
            Ok(Message::Text(text)) => Some(serde_json::from_str(&text).unwrap()),
            Ok(_) => None,
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn ask(&mut self, kind: &str) -> Value {
        self.say(json!({"type": kind})).await;
        self.hear().await
    }

    /// Opens a session as the consumer and gives its id.
    pub async fn watch(&mut self, producer: &mut Self) -> String {
        self.say(json!({"type": "startSession", "peerId": producer.id}))
            .await;
        let started = self.hear().await;
        assert_eq!(started["type"], "sessionStarted", "{started}");
        assert_eq!(producer.hear().await["type"], "startSession");
        started["sessionId"].as_str().unwrap().to_owned()
    }

    /// Waits for the end, answers the server's goodbye, and says how the end came.
    pub async fn end(&mut self) -> Ended {
        let mut ended = Ended::WithoutFrame;
        loop {
            match timeout(PATIENCE, self.socket.next())
                .await
                .expect("the end in time")
            {
                Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => ended = Ended::Frame(code.into()),
                Some(Ok(_)) => {}
                Some(Err(Error::Protocol(_) | Error::Io(_))) | None => return ended,
                Some(Err(error)) => panic!("{error}"),
            }
        }
    }

    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        self.end().await;
    }
}

/// An HTTP request as it stands, and all of the response: the head and the body.
pub async fn http(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut response))
        .await
        .unwrap()
        .unwrap();
    let response = String::from_utf8(response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let (head, body) = http(address, &format!("GET {path} HTTP/1.1")).await;
    (status(&head), body)
}

pub fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Waits until the other side closes a connection on which nothing useful arrives.
pub async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("closed in time");
}
