//! The embedded servers, with the real signalling server, and signallers that meet on it.
#![cfg(feature = "embedded-server")]
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_webrtc::{WebRTCSDPType, WebRTCSessionDescription};
use gstweir::embedded::{EmbeddedServers, Settings, SignallingServer, WebServer};
use gstweir::signaller::{SignallableExt, Signaller, SignallerRole};

/// Nothing in these tests takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";

fn signalling() -> SignallingServer {
    SignallingServer {
        port: 0,
        ..SignallingServer::default()
    }
}

fn web() -> WebServer {
    WebServer {
        host_addr: "http://127.0.0.1:0".to_owned(),
        ..WebServer::default()
    }
}

/// Starts a signalling server, on a port of the system's choice if it is 0.
fn serve(port: u16) -> EmbeddedServers {
    gst::init().unwrap();
    let signalling = SignallingServer {
        port,
        ..SignallingServer::default()
    };
    EmbeddedServers::start(&Settings {
        signalling: Some(signalling),
        ..Settings::default()
    })
    .unwrap()
}

fn port_of(uri: &str) -> u16 {
    url::Url::parse(uri).unwrap().port().unwrap()
}

fn description(kind: WebRTCSDPType) -> WebRTCSessionDescription {
    WebRTCSessionDescription::new(kind, gst_sdp::SDPMessage::parse_buffer(SDP.as_bytes()).unwrap())
}

/// A signaller that has registered with the server at `uri`, and the ids that it is given from then on.
fn registered(role: SignallerRole, uri: &str) -> (Signaller, String, Receiver<String>) {
    let signaller = Signaller::new(role);
    signaller.set_property("uri", uri);
    let ids = ids(&signaller);
    signaller.start();
    let id = ids.recv_timeout(PATIENCE).unwrap();
    (signaller, id, ids)
}

fn ids(signaller: &Signaller) -> Receiver<String> {
    let (sender, ids) = channel();
    signaller.connect_notify(Some("client-id"), move |signaller, _| {
        if let Some(id) = signaller.property::<Option<String>>("client-id") {
            let _ = sender.send(id);
        }
    });
    ids
}

/// What `connect` tells, as sentences.
fn told<T: Send + 'static>(connect: impl FnOnce(std::sync::mpsc::Sender<T>)) -> Receiver<T> {
    let (sender, told) = channel();
    connect(sender);
    told
}

/// Has a consumer watch the producer until both have heard of their session.
fn meet(producer: &Signaller, id: &str, uri: &str) -> (Signaller, String) {
    let requested = told(|to| {
        producer.connect_session_requested(move |_, session, _, _| {
            let _ = to.send(session.to_owned());
        });
    });
    let consumer = Signaller::new(SignallerRole::Consumer);
    consumer.set_property("uri", format!("{uri}?peer-id={id}"));
    let started = told(|to| {
        consumer.connect_session_started(move |_, session, _| {
            let _ = to.send(session.to_owned());
        });
    });
    consumer.start();
    let session = started.recv_timeout(PATIENCE).unwrap();
    assert_eq!(requested.recv_timeout(PATIENCE).unwrap(), session);
    (consumer, session)
}

#[test]
fn a_session_goes_through_the_embedded_server_from_start_to_end() {
    let servers = serve(0);
    let uri = servers.signaller_uri().unwrap();
    let (producer, id, _) = registered(SignallerRole::Producer, uri);
    let (consumer, session) = meet(&producer, &id, uri);

    let described = |signaller: &Signaller| {
        told(|to| {
            signaller.connect_session_description(move |_, _, description| {
                let _ = to.send(description.type_());
            });
        })
    };
    let (offers, answers) = (described(&consumer), described(&producer));
    let candidates = told(|to| {
        producer.connect_handle_ice(move |_, _, m_line, mid, candidate| {
            let _ = to.send((m_line, mid.map(str::to_owned), candidate.to_owned()));
        });
    });
    let ends = told(|to| {
        producer.connect_session_ended(move |_, session, error| {
            to.send((session.to_owned(), error.map(str::to_owned))).is_ok()
        });
    });

    producer.send_session_description(&session, &description(WebRTCSDPType::Offer));
    assert_eq!(offers.recv_timeout(PATIENCE).unwrap(), WebRTCSDPType::Offer);
    consumer.send_session_description(&session, &description(WebRTCSDPType::Answer));
    consumer.send_ice(&session, "candidate:1", 3, Some("v"));
    consumer.end_session(&session, Some("bored: nothing to see"));
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), WebRTCSDPType::Answer);
    let candidate = candidates.recv_timeout(PATIENCE).unwrap();
    assert_eq!(candidate, (3, Some("v".to_owned()), "candidate:1".to_owned()));
    assert_eq!(
        ends.recv_timeout(PATIENCE).unwrap(),
        (session, Some("bored: nothing to see".to_owned()))
    );
    servers.stop();
}

#[test]
fn a_consumer_that_is_early_finds_its_producer_when_it_comes() {
    let servers = serve(0);
    let uri = servers.signaller_uri().unwrap();
    let consumer = Signaller::new(SignallerRole::Consumer);
    consumer.set_property("uri", uri);
    consumer.set_property("connect-to-first-producer", true);
    let ids = ids(&consumer);
    let started = told(|to| {
        consumer.connect_session_started(move |_, _, peer| {
            let _ = to.send(peer.to_owned());
        });
    });
    consumer.start();
    ids.recv_timeout(PATIENCE).unwrap();
    let (_producer, id, _) = registered(SignallerRole::Producer, uri);
    assert_eq!(started.recv_timeout(PATIENCE).unwrap(), id);
}

#[test]
fn signallers_come_back_to_a_server_that_was_stopped_and_started() {
    let servers = serve(0);
    let uri = servers.signaller_uri().unwrap().to_owned();
    let (producer, first, ids) = registered(SignallerRole::Producer, &uri);
    let lost = told(|to| {
        producer.connect_connection_lost(move |_, _| {
            let _ = to.send(());
        });
    });
    let (_consumer, session) = meet(&producer, &first, &uri);

    servers.stop();
    lost.recv_timeout(PATIENCE).unwrap();
    let _servers = serve(port_of(&uri));
    let second = ids.recv_timeout(PATIENCE).unwrap();
    assert_ne!(first, second);
    let (_consumer, another) = meet(&producer, &second, &uri);
    assert_ne!(session, another);
}

#[test]
fn servers_start_and_stop_again_and_again_on_the_same_port() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for _ in 0..20 {
        let servers = serve(port);
        let (_producer, ..) = registered(SignallerRole::Producer, servers.signaller_uri().unwrap());
        let start = Instant::now();
        servers.stop();
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "stopping took {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn what_stands_in_the_way_of_a_server_is_said_in_one_sentence() {
    gst::init().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let because = |settings: Settings| EmbeddedServers::start(&settings).unwrap_err().to_string();
    let signalling_because = |server| {
        because(Settings {
            signalling: Some(server),
            ..Settings::default()
        })
    };
    let web_because = |server| {
        because(Settings {
            web: Some(server),
            ..Settings::default()
        })
    };

    let sentence = signalling_because(SignallingServer { port, ..signalling() });
    assert!(
        sentence.starts_with("The signalling server cannot start: port ") && sentence.contains("taken"),
        "{sentence}"
    );
    let sentence = signalling_because(SignallingServer {
        cert: Some(PathBuf::from("cert.pem")),
        ..signalling()
    });
    assert!(sentence.contains("both a certificate and a key"), "{sentence}");
    let sentence = web_because(WebServer {
        host_addr: format!("http://127.0.0.1:{port}/"),
        ..web()
    });
    assert!(
        sentence.starts_with("The web server cannot start: port "),
        "{sentence}"
    );
    let sentence = web_because(WebServer {
        host_addr: "https://127.0.0.1:0/".to_owned(),
        ..web()
    });
    assert!(sentence.contains("certificate"), "{sentence}");
    let sentence = web_because(WebServer {
        host_addr: "127.0.0.1:8080".to_owned(),
        ..web()
    });
    assert!(sentence.contains("127.0.0.1:8080"), "{sentence}");
    let sentence = web_because(WebServer {
        directory: Some(PathBuf::from("/does/not/exist")),
        ..web()
    });
    assert!(sentence.contains("/does/not/exist"), "{sentence}");
}

#[test]
fn when_one_server_cannot_start_the_other_does_not_stay() {
    gst::init().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let settings = Settings {
        signalling: Some(SignallingServer {
            port: free,
            ..signalling()
        }),
        web: Some(WebServer {
            host_addr: format!("http://{}", taken.local_addr().unwrap()),
            ..web()
        }),
        ..Settings::default()
    };
    EmbeddedServers::start(&settings).unwrap_err();
    TcpListener::bind(("127.0.0.1", free)).unwrap();
}

/// What a GET of this URL's path says.
fn get(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let mut stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        url.path()
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn whoever_connects_through_the_web_servers_port_meets_those_on_the_signalling_servers() {
    gst::init().unwrap();
    let settings = Settings {
        signalling: Some(signalling()),
        web: Some(web()),
        ..Settings::default()
    };
    let servers = EmbeddedServers::start(&settings).unwrap();
    let page = servers.page_url().unwrap();
    assert!(get(page).to_lowercase().contains("<!doctype html>"));

    let (producer, id, _) = registered(SignallerRole::Producer, servers.signaller_uri().unwrap());
    meet(&producer, &id, &page.replace("http:", "ws:"));
}

#[test]
fn one_listener_does_for_both_servers_at_one_address() {
    gst::init().unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let settings = Settings {
        signalling: Some(SignallingServer { port, ..signalling() }),
        web: Some(WebServer {
            host_addr: format!("http://127.0.0.1:{port}/"),
            path: Some("/watch".to_owned()),
            ..web()
        }),
        ..Settings::default()
    };
    let servers = EmbeddedServers::start(&settings).unwrap();
    assert_eq!(
        servers.page_url().unwrap(),
        format!("http://127.0.0.1:{port}/watch/")
    );
    assert!(
        get(servers.page_url().unwrap())
            .to_lowercase()
            .contains("<!doctype html>")
    );
    registered(SignallerRole::Producer, servers.signaller_uri().unwrap());
}

#[test]
fn a_folder_is_served_and_its_pages_are_told_where_the_signaller_connects_to() {
    gst::init().unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("hello.txt"), "hello from the folder").unwrap();
    let settings = Settings {
        web: Some(WebServer {
            directory: Some(folder),
            ..web()
        }),
        signaller_uri: Some("ws://example.org:8443/".to_owned()),
        ..Settings::default()
    };
    let servers = EmbeddedServers::start(&settings).unwrap();
    assert_eq!(servers.signaller_uri(), None);
    let page = servers.page_url().unwrap();
    assert!(get(&format!("{page}hello.txt")).contains("hello from the folder"));
    assert!(get(&format!("{page}config.json")).contains("ws://example.org:8443/"));
}

#[test]
fn with_tls_the_sinks_own_signaller_trusts_the_certificate_whatever_its_names_and_nobody_else_does() {
    gst::init().unwrap();
    let file = |name: &str, text: String| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["example.org".to_owned()]).unwrap();
    let cert = file("embedded-cert.pem", parameters.self_signed(&key).unwrap().pem());
    let key = file("embedded-key.pem", key.serialize_pem());
    let settings = Settings {
        signalling: Some(SignallingServer {
            cert: Some(cert.clone()),
            key: Some(key),
            ..signalling()
        }),
        ..Settings::default()
    };
    let servers = EmbeddedServers::start(&settings).unwrap();
    assert!(servers.signaller_uri().unwrap().starts_with("wss://"));

    let own = Signaller::new(SignallerRole::Producer);
    servers.point(own.upcast_ref());
    let ids = ids(&own);
    own.start();
    ids.recv_timeout(PATIENCE).unwrap();

    let other = Signaller::new(SignallerRole::Producer);
    other.set_property("uri", servers.signaller_uri().unwrap());
    other.set_property("cafile", cert.to_str().unwrap());
    let lost = told(|to| {
        other.connect_connection_lost(move |_, sentence| {
            let _ = to.send(sentence.to_owned());
        });
    });
    other.start();
    let sentence = lost.recv_timeout(PATIENCE).unwrap();
    assert!(sentence.contains("another host name"), "{sentence}");
}
