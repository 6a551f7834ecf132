//! A signalling server that says exactly what a test tells it to say.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::tungstenite::handshake::server::{Request, Response};
use async_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

/// Nothing in these tests takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

pub(crate) struct Server {
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Server {
    /// Listens on a port of the system's choice.
    pub(crate) fn start() -> Self {
        Self::listen_at("127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn listen_at(address: SocketAddr) -> Self {
        Self {
            listener: TcpListener::bind(address).unwrap(),
            tls: None,
        }
    }

    pub(crate) fn start_with_tls(certificate: &str, key: &str) -> Self {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self {
            tls: Some(Arc::new(config)),
            ..Self::start()
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn uri(&self) -> String {
        format!("ws://{}", self.address())
    }

    /// The next connection, as far as TCP.
    pub(crate) fn accept_tcp(&self) -> TcpStream {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The next connection that gets as far as a WebSocket. Those that a client breaks off are passed over.
    pub(crate) fn accept(&self) -> Peer {
        loop {
            if let Some(peer) = self.try_accept() {
                return peer;
            }
        }
    }

    /// The next connection, if it gets as far as a WebSocket.
    pub(crate) fn try_accept(&self) -> Option<Peer> {
        let stream = self.accept_tcp();
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let connection = rustls::ServerConnection::new(config.clone()).unwrap();
                Box::new(rustls::StreamOwned::new(connection, stream))
            }
        };
        let mut authorization = None;
        #[expect(clippy::result_large_err, reason = "the signature is the library's")]
        let callback = |request: &Request, response: Response| {
            let header = request.headers().get("authorization");
            authorization = header.map(|value| value.to_str().unwrap().to_owned());
            Ok(response)
        };
        let socket = accept_hdr(stream, callback).ok()?;
        Some(Peer {
            socket,
            authorization,
        })
    }
}

/// A client, seen from the server.
pub(crate) struct Peer {
    socket: WebSocket<Box<dyn Stream>>,
    pub(crate) authorization: Option<String>,
}

impl Peer {
    pub(crate) fn send(&mut self, message: Value) {
        self.send_raw(Message::text(message.to_string()));
    }

    pub(crate) fn send_raw(&mut self, message: Message) {
        self.socket.send(message).unwrap();
    }

    /// Sends what the client may hang up at.
    pub(crate) fn send_as_far_as_it_goes(&mut self, message: Message) {
        let _ = self.socket.send(message);
    }

    /// The next message of the client's; pings are answered on the way.
    pub(crate) fn receive(&mut self) -> Value {
        loop {
            match self.socket.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => panic!("the client closed the connection: {frame:?}"),
                _ => {}
            }
        }
    }

    /// What the client still says until it has closed the connection politely.
    pub(crate) fn receive_until_closed(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            match self.socket.read().unwrap() {
                Message::Text(text) => messages.push(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return messages,
                _ => {}
            }
        }
    }

    /// Gives the client an id and takes its registration: version and status.
    pub(crate) fn welcome(&mut self, id: &str) -> Value {
        self.send(json!({"type": "welcome", "peerId": id}));
        assert_eq!(
            self.receive(),
            json!({"type": "setProtocolVersion", "version": "v1_1"})
        );
        self.receive()
    }
}
