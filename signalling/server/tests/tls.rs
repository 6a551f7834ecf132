//! TLS: `wss` and `https` on one port.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use support::{Client, PATIENCE, closed, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use weir_signalling_server::{Config, Handle, Pages, Routes, Server, SignallingState, TimeOuts, Tls};

#[tokio::test]
async fn peers_meet_over_tls_and_pages_come_over_https() {
    let (server, connector) = start_tls("meet", TimeOuts::default()).await;
    assert!(server.url().starts_with("wss://127.0.0.1:"), "{}", server.url());
    let mut producer = connect(&server, &connector).await;
    producer.register(&["producer"]).await;
    let mut consumer = connect(&server, &connector).await;
    consumer.watch(&mut producer).await;

    let mut stream = secure(&server, &connector).await;
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[tokio::test]
async fn clients_that_never_begin_their_handshake_stop_nobody_and_are_closed() {
    let time_outs = TimeOuts {
        handshake: Duration::from_millis(500),
        ..TimeOuts::default()
    };
    let (server, connector) = start_tls("idle", time_outs).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(TcpStream::connect(server.local_addr()).await.unwrap());
    }
    let mut peer = connect(&server, &connector).await;
    assert_eq!(peer.ask("list").await["type"], "list");
    for stream in &mut idle {
        closed(stream).await;
    }
    assert_eq!(peer.ask("list").await["type"], "list");
}

#[tokio::test]
async fn a_client_that_shakes_hands_and_says_nothing_more_is_closed() {
    let time_outs = TimeOuts {
        handshake: Duration::from_millis(500),
        ..TimeOuts::default()
    };
    let (server, connector) = start_tls("mute", time_outs).await;
    let mut stream = secure(&server, &connector).await;
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("closed in time");
}

#[tokio::test]
async fn handshakes_that_fail_do_not_stop_the_listener() {
    let (server, connector) = start_tls("fail", TimeOuts::default()).await;
    let distrustful = connector_trusting(RootCertStore::empty());
    for _ in 0..20 {
        let mut plain = TcpStream::connect(server.local_addr()).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        closed(&mut plain).await;
        let stream = TcpStream::connect(server.local_addr()).await.unwrap();
        distrustful
            .connect(ServerName::try_from("localhost").unwrap(), stream)
            .await
            .unwrap_err();
    }
    connect(&server, &connector).await;
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_explained_in_a_sentence() {
    let (certificate, key, _) = make_certificate("explained");
    let (_, other_key, _) = make_certificate("explained-other");
    let missing = certificate.with_file_name("missing.pem");
    let empty = certificate.with_file_name("empty.pem");
    fs::write(&empty, "").unwrap();

    assert_eq!(bind_error(&certificate, &key).await, None);
    for (certificate, key, words) in [
        (
            &missing,
            &key,
            &["certificate", "missing.pem", "No such file"][..],
        ),
        (
            &empty,
            &key,
            &["certificate", "empty.pem", "there is no certificate in it"],
        ),
        (&certificate, &missing, &["key", "missing.pem"]),
        (
            &certificate,
            &empty,
            &["key", "empty.pem", "there is no key in it"],
        ),
        (
            &certificate,
            &other_key,
            &["The certificate and key cannot be used"],
        ),
    ] {
        let sentence = bind_error(certificate, key).await.expect("a refusal");
        assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
    }
}

async fn bind_error(certificate: &Path, key: &Path) -> Option<String> {
    let tls = Some(Tls {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    });
    let config = Config {
        port: 0,
        tls,
        ..Config::new(SignallingState::default())
    };
    Server::bind(config).await.err().map(|error| error.to_string())
}

async fn start_tls(name: &str, time_outs: TimeOuts) -> (Handle, TlsConnector) {
    let (certificate, key, roots) = make_certificate(name);
    let config = Config {
        tls: Some(Tls { certificate, key }),
        time_outs,
        routes: Routes {
            signalling: true,
            pages: Some(Pages::embedded()),
        },
        ..Config::new(SignallingState::default())
    };
    (start(config).await, connector_trusting(roots))
}

/// A self-signed certificate for `localhost`: its file, its key's file, and a store that trusts it.
fn make_certificate(name: &str) -> (PathBuf, PathBuf, RootCertStore) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tls").join(name);
    fs::create_dir_all(&folder).unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificate, cert.pem()).unwrap();
    fs::write(&key, signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    (certificate, key, roots)
}

fn connector_trusting(roots: RootCertStore) -> TlsConnector {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn connect(server: &Handle, connector: &TlsConnector) -> Client {
    Client::over(Box::new(secure(server, connector).await), "wss://localhost/").await
}

async fn secure(server: &Handle, connector: &TlsConnector) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(server.local_addr()).await.unwrap();
    connector
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
        .unwrap()
}
