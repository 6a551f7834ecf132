//! The signaller interface and its WebSocket implementation, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

#[path = "signaller/server.rs"]
mod server;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use async_tungstenite::tungstenite::Message;
use gst::glib;
use gst::prelude::*;
use gst_webrtc::{WebRTCSDPType, WebRTCSessionDescription};
use gstweir::signaller::{Signallable, SignallableExt, Signaller, SignallerRole};
use serde_json::json;

use server::{PATIENCE, Peer, Server};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";

/// What a signaller told its element.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    ClientId(Option<String>),
    SessionRequested(String, String, bool),
    SessionStarted(String, String),
    Description(String, WebRTCSDPType),
    Ice(String, u32, Option<String>, String),
    SessionEnded(String, Option<String>),
    Lost(String),
    Restored,
    Warning(String),
    Error(String),
    ProducerAdded(String, Option<String>, bool),
    ProducerRemoved(String),
}

/// A signaller, and what it tells.
struct Bench {
    signaller: Signaller,
    told: Receiver<Told>,
}

impl Bench {
    fn new(role: SignallerRole, uri: &str) -> Self {
        gst::init().unwrap();
        let signaller = Signaller::new(role);
        signaller.set_property("uri", uri);
        let told = record(&signaller);
        Self { signaller, told }
    }

    /// A producer that has registered as `id`.
    fn producer(server: &Server, id: &str) -> (Self, Peer) {
        let bench = Self::new(SignallerRole::Producer, &server.uri());
        bench.signaller.start();
        let mut peer = server.accept();
        peer.welcome(id);
        assert_eq!(bench.next(), Told::ClientId(Some(id.to_owned())));
        (bench, peer)
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    /// The next thing told that `wanted` picks; what comes before it is passed over.
    fn wait_for<T>(&self, wanted: impl Fn(&Told) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(&self.next()) {
                return found;
            }
        }
    }
}

fn record(signaller: &Signaller) -> Receiver<Told> {
    let (sender, told) = channel();
    let tell = move || -> Sender<Told> { sender.clone() };
    let (to, owned) = (tell(), str::to_owned);
    signaller.connect_notify(Some("client-id"), move |signaller, _| {
        let _ = to.send(Told::ClientId(signaller.property("client-id")));
    });
    let to = tell();
    signaller.connect_session_requested(move |_, session, peer, offer| {
        let _ = to.send(Told::SessionRequested(
            owned(session),
            owned(peer),
            offer.is_some(),
        ));
    });
    let to = tell();
    signaller.connect_session_started(move |_, session, peer| {
        let _ = to.send(Told::SessionStarted(owned(session), owned(peer)));
    });
    let to = tell();
    signaller.connect_session_description(move |_, session, description| {
        let _ = to.send(Told::Description(owned(session), description.type_()));
    });
    let to = tell();
    signaller.connect_handle_ice(move |_, session, m_line, mid, candidate| {
        let _ = to.send(Told::Ice(
            owned(session),
            m_line,
            mid.map(owned),
            owned(candidate),
        ));
    });
    let to = tell();
    signaller.connect_session_ended(move |_, session, error| {
        let _ = to.send(Told::SessionEnded(owned(session), error.map(owned)));
        true
    });
    let to = tell();
    signaller.connect_connection_lost(move |_, sentence| {
        let _ = to.send(Told::Lost(owned(sentence)));
    });
    let to = tell();
    signaller.connect_connection_restored(move |_| {
        let _ = to.send(Told::Restored);
    });
    let to = tell();
    signaller.connect_warning(move |_, sentence| {
        let _ = to.send(Told::Warning(owned(sentence)));
    });
    let to = tell();
    signaller.connect_error(move |_, sentence| {
        let _ = to.send(Told::Error(owned(sentence)));
    });
    let to = tell();
    signaller.connect_producer_added(move |_, peer, meta, new| {
        let name = meta.and_then(|meta| meta.get("name").ok());
        let _ = to.send(Told::ProducerAdded(owned(peer), name, new));
    });
    let to = tell();
    signaller.connect_producer_removed(move |_, peer, _| {
        let _ = to.send(Told::ProducerRemoved(owned(peer)));
    });
    told
}

fn description(kind: WebRTCSDPType) -> WebRTCSessionDescription {
    let sdp = gst_sdp::SDPMessage::parse_buffer(SDP.as_bytes()).unwrap();
    WebRTCSessionDescription::new(kind, sdp)
}

fn start_session(session: &str) -> serde_json::Value {
    json!({"type": "startSession", "peerId": "c", "sessionId": session, "offer": null})
}

#[test]
fn a_producer_registers_with_its_metadata_and_serves_a_session() {
    let server = Server::start();
    let bench = Bench::new(SignallerRole::Producer, &server.uri());
    bench.signaller.connect_request_meta(|_| {
        Some(
            gst::Structure::builder("meta")
                .field("display-name", "camera")
                .field("fps", 30u32)
                .build(),
        )
    });
    bench.signaller.start();
    let mut peer = server.accept();
    let status = peer.welcome("p");
    assert_eq!(
        status,
        json!({
            "type": "setPeerStatus", "roles": ["producer"], "meta": {"display-name": "camera", "fps": 30}, "peerId": "p",
        })
    );
    assert_eq!(bench.next(), Told::ClientId(Some("p".to_owned())));

    peer.send(start_session("s"));
    assert_eq!(
        bench.next(),
        Told::SessionRequested("s".to_owned(), "c".to_owned(), false)
    );
    bench
        .signaller
        .send_session_description("s", &description(WebRTCSDPType::Offer));
    bench.signaller.send_ice("s", "candidate:1", 0, Some("video0"));
    let offer = peer.receive();
    assert_eq!(offer["sdp"]["type"], "offer");
    assert!(
        offer["sdp"]["sdp"].as_str().unwrap().contains("m=video 9"),
        "{offer}"
    );
    assert_eq!(peer.receive()["ice"]["sdpMid"], "video0");

    peer.send(json!({"type": "peer", "sessionId": "s", "sdp": {"type": "answer", "sdp": SDP}}));
    peer.send(
        json!({"type": "peer", "sessionId": "s", "ice": {"candidate": "candidate:2", "sdpMLineIndex": 1}}),
    );
    peer.send(json!({"type": "endSessionV1_1", "sessionId": "s", "error": "bored: nothing to see"}));
    let session = || "s".to_owned();
    assert_eq!(bench.next(), Told::Description(session(), WebRTCSDPType::Answer));
    assert_eq!(
        bench.next(),
        Told::Ice(session(), 1, None, "candidate:2".to_owned())
    );
    assert_eq!(
        bench.next(),
        Told::SessionEnded(session(), Some("bored: nothing to see".to_owned()))
    );
}

#[test]
fn messages_leave_in_the_order_in_which_they_were_asked_for() {
    for _ in 0..12 {
        let server = Server::start();
        let bench = Bench::new(SignallerRole::Consumer, &format!("{}?peer-id=p", server.uri()));
        bench.signaller.start();
        let mut peer = server.accept();
        let status = peer.welcome("me");
        assert_eq!(status["type"], "setPeerStatus");
        assert_eq!(status["roles"], json!([]));
        assert_eq!(peer.receive(), json!({"type": "startSession", "peerId": "p"}));
        peer.send(json!({"type": "sessionStarted", "peerId": "p", "sessionId": "s"}));
        bench.wait_for(|told| matches!(told, Told::SessionStarted(..)).then_some(()));

        bench
            .signaller
            .send_session_description("s", &description(WebRTCSDPType::Answer));
        for index in 0..100 {
            bench
                .signaller
                .send_ice("s", &format!("candidate:{index}"), 0, None);
        }
        bench.signaller.end_session("s", None);
        assert_eq!(peer.receive()["sdp"]["type"], "answer");
        for index in 0..100 {
            assert_eq!(peer.receive()["ice"]["candidate"], format!("candidate:{index}"));
        }
        assert_eq!(peer.receive(), json!({"type": "endSession", "sessionId": "s"}));
    }
}

#[test]
fn a_server_that_dies_and_comes_back_finds_the_producer_registered_again() {
    let server = Server::start();
    let address = server.address();
    let (bench, mut peer) = Bench::producer(&server, "first");
    peer.send(start_session("s"));
    assert_eq!(
        bench.next(),
        Told::SessionRequested("s".to_owned(), "c".to_owned(), false)
    );

    drop((peer, server));
    assert!(matches!(bench.next(), Told::Lost(_)));
    // What the element still has to say about the session has no addressee.
    bench.signaller.send_ice("s", "candidate:1", 0, None);

    let server = Server::listen_at(address);
    let mut peer = server.accept();
    assert_eq!(peer.welcome("second")["roles"], json!(["producer"]));
    assert_eq!(
        bench.next(),
        Told::ClientId(Some("second".to_owned())),
        "the session did not end"
    );
    assert_eq!(bench.next(), Told::Restored);
    bench.signaller.send_ice("s", "candidate:2", 0, None);
    peer.send(start_session("t"));
    assert_eq!(
        bench.next(),
        Told::SessionRequested("t".to_owned(), "c".to_owned(), false)
    );
    bench.signaller.send_ice("t", "candidate:3", 0, None);
    assert_eq!(
        peer.receive()["sessionId"],
        "t",
        "nothing was sent for the session that the server does not know"
    );
}

#[test]
fn a_server_that_is_not_there_yet_is_a_warning_and_is_found_later() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = Bench::new(SignallerRole::Producer, &format!("ws://{address}"));
    bench.signaller.start();
    assert!(matches!(bench.next(), Told::Lost(sentence) if sentence.contains("refused")));
    let server = Server::listen_at(address);
    server.accept().welcome("p");
    assert_eq!(bench.next(), Told::ClientId(Some("p".to_owned())));
    assert_eq!(bench.next(), Told::Restored);
}

#[test]
fn a_polite_close_by_the_server_is_followed_by_a_redial_too() {
    let server = Server::start();
    let (bench, mut peer) = Bench::producer(&server, "first");
    peer.send_raw(Message::Close(None));
    assert!(matches!(bench.next(), Told::Lost(_)));
    server.accept().welcome("second");
    assert_eq!(bench.next(), Told::ClientId(Some("second".to_owned())));
}

#[test]
fn without_reconnect_a_lost_server_is_an_error() {
    let server = Server::start();
    let bench = Bench::new(SignallerRole::Producer, &server.uri());
    bench.signaller.set_property("reconnect", false);
    bench.signaller.start();
    let mut peer = server.accept();
    peer.welcome("p");
    bench.next();
    drop(peer);
    assert!(matches!(bench.next(), Told::Error(_)));
}

#[test]
fn settings_that_cannot_work_are_errors() {
    let of = |prepare: &dyn Fn(&Signaller)| {
        let bench = Bench::new(SignallerRole::Producer, "wss://127.0.0.1:1");
        prepare(&bench.signaller);
        bench.signaller.start();
        match bench.next() {
            Told::Error(sentence) => sentence,
            other => panic!("{other:?} instead of an error"),
        }
    };
    let sentence = of(&|signaller| signaller.set_property("uri", "http://example.org"));
    assert!(sentence.contains("http"), "{sentence}");
    let sentence = of(&|signaller| signaller.set_property("cafile", "/does/not/exist.pem"));
    assert!(sentence.contains("/does/not/exist.pem"), "{sentence}");
    let headers = gst::Structure::builder("headers")
        .field("bad header", "x")
        .build();
    let sentence = of(&|signaller| signaller.set_property("headers", &headers));
    assert!(sentence.contains("bad header"), "{sentence}");
}

#[test]
fn headers_reach_the_server() {
    let server = Server::start();
    let bench = Bench::new(SignallerRole::Producer, &server.uri());
    let headers = gst::Structure::builder("headers")
        .field("authorization", "Bearer token")
        .build();
    bench.signaller.set_property("headers", &headers);
    bench.signaller.start();
    assert_eq!(server.accept().authorization.as_deref(), Some("Bearer token"));
}

#[test]
fn starting_and_stopping_twice_is_starting_and_stopping_once_and_both_can_be_repeated() {
    let server = Server::start();
    let bench = Bench::new(SignallerRole::Producer, &server.uri());
    for id in ["first", "second", "third"] {
        bench.signaller.start();
        bench.signaller.start();
        let mut peer = server.accept();
        peer.welcome(id);
        assert_eq!(bench.next(), Told::ClientId(Some(id.to_owned())));
        peer.send(start_session("s"));
        bench.next();
        let farewell = std::thread::spawn(move || peer.receive_until_closed());
        bench.signaller.stop();
        bench.signaller.stop();
        assert_eq!(bench.next(), Told::ClientId(None));
        assert_eq!(
            farewell.join().unwrap(),
            [json!({"type": "endSession", "sessionId": "s"})]
        );
    }
}

#[test]
fn stopping_is_quick_whatever_state_the_network_is_in() {
    let took = |bench: &Bench| {
        let start = Instant::now();
        bench.signaller.stop();
        start.elapsed()
    };
    let server = Server::start();

    // Accepts, and never answers.
    let bench = Bench::new(SignallerRole::Producer, &server.uri());
    bench.signaller.start();
    let stuck = server.accept_tcp();
    assert!(took(&bench) < Duration::from_millis(700));
    drop(stuck);

    // Has welcomed us, and reads nothing any more.
    let (bench, mut peer) = Bench::producer(&server, "p");
    peer.send(start_session("s"));
    bench.next();
    for index in 0..20 {
        bench
            .signaller
            .send_ice("s", &format!("candidate:{index}"), 0, None);
    }
    assert!(took(&bench) < Duration::from_millis(700));

    // Is away.
    let (bench, peer) = Bench::producer(&server, "p");
    drop((peer, server));
    bench.wait_for(|told| matches!(told, Told::Lost(_)).then_some(()));
    assert!(took(&bench) < Duration::from_millis(700));
}

#[test]
fn stopping_in_a_signal_handler_works_and_nothing_is_told_afterwards() {
    let server = Server::start();
    let (bench, mut peer) = Bench::producer(&server, "p");
    bench
        .signaller
        .connect_session_requested(|signaller, _, _, _| signaller.stop());
    for session in ["a", "b", "c"] {
        peer.send(start_session(session));
    }
    assert_eq!(
        bench.next(),
        Told::SessionRequested("a".to_owned(), "c".to_owned(), false)
    );
    assert_eq!(bench.next(), Told::ClientId(None));
    peer.receive_until_closed();
    bench.signaller.start();
    server.accept().welcome("again");
    assert_eq!(
        bench.next(),
        Told::ClientId(Some("again".to_owned())),
        "sessions b and c are not told"
    );
}

#[test]
fn a_signaller_that_is_dropped_hangs_up() {
    let server = Server::start();
    let (bench, mut peer) = Bench::producer(&server, "p");
    let weak = bench.signaller.downgrade();
    drop(bench);
    peer.receive_until_closed();
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_handler_that_takes_its_time_delays_neither_what_is_sent_nor_other_signallers() {
    let server = Server::start();
    let mut blocked = Vec::new();
    // More of them than the runtime has threads.
    for _ in 0..4 {
        let (bench, mut peer) = Bench::producer(&server, "slow");
        let (release, released) = channel::<()>();
        let released = std::sync::Mutex::new(released);
        bench.signaller.connect_session_requested(move |_, _, _, _| {
            let _ = released.lock().unwrap().recv();
        });
        peer.send(start_session("s"));
        bench.next();
        bench.signaller.send_ice("s", "candidate:1", 0, None);
        assert_eq!(peer.receive()["ice"]["candidate"], "candidate:1");
        blocked.push((bench, peer, release));
    }
    Bench::producer(&server, "quick");
}

#[test]
fn nothing_that_a_server_sends_ends_more_than_it_may() {
    let server = Server::start();
    let (bench, mut peer) = Bench::producer(&server, "p");
    for index in 0..2000 {
        let text = match index % 8 {
            0 => "{".repeat(5000),
            1 => "\u{0}\u{1}\u{feff}".to_owned(),
            2 => json!({"type": "dance", "with": [1, 2, 3]}).to_string(),
            3 => json!({"type": "peer", "sessionId": "no", "sdp": {"type": "offer", "sdp": ""}}).to_string(),
            4 => json!({"type": "startSession", "peerId": "c", "sessionId": "\u{0}", "offer": null})
                .to_string(),
            5 => json!({"type": "peerStatusChanged", "roles": ["producer"], "meta": {"": 1}, "peerId": "x"})
                .to_string(),
            6 => {
                json!({"type": "list", "producers": vec![json!({"id": "x", "meta": null}); 100]}).to_string()
            }
            _ => json!({"type": "welcome", "peerId": index.to_string()}).to_string(),
        };
        peer.send_raw(Message::text(text));
        peer.send_raw(Message::binary(vec![0; 100]));
    }
    for (session, offer) in [
        ("empty", ""),
        ("nothing", "v=0\r\n"),
        ("noise", "\u{0}\u{7f}m=m=m="),
        ("text", "hello"),
    ] {
        peer.send(json!({"type": "startSession", "peerId": "c", "sessionId": session, "offer": offer}));
        let end = peer.receive();
        assert_eq!(end["sessionId"], session);
        assert!(
            end["error"].as_str().unwrap().starts_with("bad-description: "),
            "{end}"
        );
        assert_eq!(peer.receive()["type"], "endSession");
    }
    peer.send(start_session("good"));
    assert_eq!(
        bench.next(),
        Told::SessionRequested("good".to_owned(), "c".to_owned(), false),
        "and nothing before"
    );
    peer.send(json!({"type": "peer", "sessionId": "good", "sdp": {"type": "answer", "sdp": "v=0\r\n"}}));
    assert!(matches!(bench.next(), Told::SessionEnded(session, Some(_)) if session == "good"));

    // More than a megabyte is more than anybody has to say.
    peer.send_as_far_as_it_goes(Message::text("x".repeat(1 << 21)));
    assert!(matches!(bench.next(), Told::Lost(_)));
    server.accept().welcome("again");
    assert_eq!(bench.next(), Told::ClientId(Some("again".to_owned())));
}

#[test]
fn a_listener_tells_which_producers_there_are() {
    let server = Server::start();
    let bench = Bench::new(SignallerRole::Listener, &server.uri());
    bench.signaller.start();
    let mut peer = server.accept();
    assert_eq!(peer.welcome("me")["roles"], json!(["listener"]));
    assert_eq!(peer.receive(), json!({"type": "list"}));
    peer.send(json!({"type": "list", "producers": [{"id": "a", "meta": {"name": "camera"}}]}));
    peer.send(json!({"type": "peerStatusChanged", "roles": ["producer"], "meta": null, "peerId": "b"}));
    peer.send(json!({"type": "peerStatusChanged", "roles": [], "meta": null, "peerId": "a"}));
    bench.next();
    assert_eq!(
        bench.next(),
        Told::ProducerAdded("a".to_owned(), Some("camera".to_owned()), false)
    );
    assert_eq!(bench.next(), Told::ProducerAdded("b".to_owned(), None, true));
    assert_eq!(bench.next(), Told::ProducerRemoved("a".to_owned()));
}

#[test]
fn a_consumer_waits_for_its_producer() {
    let server = Server::start();
    let bench = Bench::new(SignallerRole::Consumer, &server.uri());
    bench.signaller.set_property("producer-peer-id", "p");
    bench.signaller.start();
    let mut peer = server.accept();
    peer.welcome("me");
    assert_eq!(peer.receive(), json!({"type": "startSession", "peerId": "p"}));
    peer.send(json!({"type": "error", "details": "Peer with ID 'p' not found"}));
    assert!(bench.wait_for(|told| match told {
        Told::Warning(sentence) => Some(sentence.contains("waiting")),
        _ => None,
    }));
    assert_eq!(peer.receive()["roles"], json!(["listener"]));
    assert_eq!(peer.receive(), json!({"type": "list"}));
    peer.send(json!({"type": "list", "producers": []}));
    peer.send(json!({"type": "peerStatusChanged", "roles": ["producer"], "meta": null, "peerId": "p"}));
    assert_eq!(peer.receive(), json!({"type": "startSession", "peerId": "p"}));
}

/// A certificate and its key for these names, in PEM.
fn certificate(names: &[&str], is_ca: bool) -> (String, String) {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut parameters = rcgen::CertificateParams::new(names).unwrap();
    if is_ca {
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    }
    let key = rcgen::KeyPair::generate().unwrap();
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Connects by TLS to a server with this certificate; returns the server's view and the signaller.
fn over_tls(certificate: &(String, String), prepare: impl Fn(&Signaller)) -> (Option<Peer>, Bench) {
    let server = Server::start_with_tls(&certificate.0, &certificate.1);
    let bench = Bench::new(
        SignallerRole::Producer,
        &format!("wss://localhost:{}", server.address().port()),
    );
    prepare(&bench.signaller);
    bench.signaller.start();
    let peer = server.try_accept();
    (peer, bench)
}

#[test]
fn a_self_signed_certificate_is_refused() {
    let (peer, bench) = over_tls(&certificate(&["localhost"], false), |_| {});
    assert!(peer.is_none());
    assert!(matches!(bench.next(), Told::Lost(sentence) if sentence.contains("certificate")));
}

#[test]
fn a_self_signed_certificate_is_accepted_if_it_is_in_cafile() {
    for is_ca in [false, true] {
        let certificate = certificate(&["localhost"], is_ca);
        let cafile = file(&format!("self-signed-{is_ca}.pem"), &certificate.0);
        let (peer, bench) = over_tls(&certificate, |signaller| {
            signaller.set_property("cafile", &cafile)
        });
        peer.unwrap().welcome("p");
        assert_eq!(
            bench.next(),
            Told::ClientId(Some("p".to_owned())),
            "with CA:{is_ca}"
        );
    }
}

#[test]
fn a_certificate_of_another_host_is_refused_even_if_it_is_in_cafile() {
    for is_ca in [false, true] {
        let certificate = certificate(&["example.org"], is_ca);
        let cafile = file(&format!("other-host-{is_ca}.pem"), &certificate.0);
        let (peer, bench) = over_tls(&certificate, |signaller| {
            signaller.set_property("cafile", &cafile)
        });
        assert!(peer.is_none());
        assert!(
            matches!(bench.next(), Told::Lost(sentence) if sentence.contains("another host name")),
            "with CA:{is_ca}"
        );
    }
}

#[test]
fn a_certificate_that_only_resembles_the_one_in_cafile_is_refused() {
    let trusted = certificate(&["localhost"], true);
    let cafile = file("trusted.pem", &trusted.0);
    let (peer, bench) = over_tls(&certificate(&["localhost"], true), |signaller| {
        signaller.set_property("cafile", &cafile);
    });
    assert!(peer.is_none());
    assert!(matches!(bench.next(), Told::Lost(sentence) if sentence.contains("certificate")));
}

#[test]
fn any_certificate_is_accepted_with_insecure_tls_and_the_user_is_warned_once() {
    let (peer, bench) = over_tls(&certificate(&["example.org"], false), |signaller| {
        signaller.set_property("insecure-tls", true);
    });
    peer.unwrap().welcome("p");
    assert!(matches!(bench.next(), Told::Warning(sentence) if sentence.contains("insecure-tls")));
    assert_eq!(bench.next(), Told::ClientId(Some("p".to_owned())));
}

#[test]
fn whoever_connects_to_a_signal_of_the_elements_replaces_what_the_signaller_would_do() {
    gst::init().unwrap();
    let signaller = Signaller::new(SignallerRole::Producer);
    signaller.set_property("uri", "not a URI: starting would be an error");
    let (sender, asked) = channel();
    for name in [
        "start",
        "stop",
        "send-session-description",
        "send-ice",
        "end-session",
    ] {
        for handler in [1, 2] {
            let sender = sender.clone();
            signaller.connect(name, false, move |_| {
                sender.send((name, handler)).unwrap();
                Some(true.to_value())
            });
        }
    }
    signaller.connect_error(|_, sentence| panic!("the default ran: {sentence}"));
    signaller.start();
    signaller.send_session_description("s", &description(WebRTCSDPType::Offer));
    signaller.send_ice("s", "candidate:1", 0, None);
    signaller.end_session("s", None);
    signaller.end_session("s", Some("code: sentence"));
    signaller.stop();
    drop((signaller, sender));
    assert_eq!(
        asked.iter().collect::<Vec<_>>(),
        [
            ("start", 1),
            ("send-session-description", 1),
            ("send-ice", 1),
            ("end-session", 1),
            ("end-session", 1),
            ("stop", 1),
        ],
        "of two handlers only the first is called"
    );
}

#[test]
fn descriptions_and_metadata_come_from_the_first_handler() {
    gst::init().unwrap();
    let signaller = Signaller::default();
    let offer = description(WebRTCSDPType::Offer);
    assert_eq!(
        signaller.munge_session_description("s", &offer).type_(),
        WebRTCSDPType::Offer
    );
    assert!(signaller.request_meta().is_none());
    for (kind, name) in [
        (WebRTCSDPType::Answer, "first"),
        (WebRTCSDPType::Rollback, "second"),
    ] {
        signaller.connect("munge-session-description", false, move |_| {
            Some(description(kind).to_value())
        });
        signaller.connect_request_meta(move |_| Some(gst::Structure::new_empty(name)));
    }
    assert_eq!(
        signaller.munge_session_description("s", &offer).type_(),
        WebRTCSDPType::Answer
    );
    assert_eq!(signaller.request_meta().unwrap().name(), "first");
}

#[test]
fn every_handler_hears_of_the_end_of_a_session_and_one_that_knew_it_is_enough() {
    gst::init().unwrap();
    let signaller = Signaller::default();
    assert!(!signaller.emit_session_ended("s", None));
    let (sender, heard) = channel();
    for knows in [false, true, false] {
        let sender = sender.clone();
        signaller.connect_session_ended(move |_, session, error| {
            sender
                .send((session.to_owned(), error.map(str::to_owned)))
                .unwrap();
            knows
        });
    }
    assert!(signaller.emit_session_ended("s", None));
    assert!(signaller.emit_session_ended("s", Some("code: sentence")));
    drop((signaller, sender));
    assert_eq!(heard.iter().count(), 6);
}

#[test]
fn the_interface_is_the_one_that_applications_know() {
    gst::init().unwrap();
    let signaller = Signaller::default();
    assert_eq!(Signallable::static_type().name(), "WeirSignallableIface");
    assert_eq!(SignallerRole::static_type().name(), "WeirSignallerRole");
    let string = || glib::Type::STRING;
    let description = WebRTCSessionDescription::static_type;
    let structure = gst::Structure::static_type;
    let element = gst::Element::static_type;
    let (boolean, uint, unit) = (glib::Type::BOOL, glib::Type::U32, glib::Type::UNIT);
    for (name, args, result) in [
        ("start", vec![], boolean),
        ("stop", vec![], boolean),
        ("send-session-description", vec![string(), description()], boolean),
        ("send-ice", vec![string(), string(), uint, string()], boolean),
        ("end-session", vec![string()], boolean),
        ("end-session-with-error", vec![string(), string()], boolean),
        (
            "munge-session-description",
            vec![string(), description()],
            description(),
        ),
        ("request-meta", vec![], structure()),
        ("session-requested", vec![string(), string(), description()], unit),
        ("session-started", vec![string(), string()], unit),
        ("session-description", vec![string(), description()], unit),
        ("handle-ice", vec![string(), uint, string(), string()], unit),
        ("session-ended", vec![string()], boolean),
        ("session-ended-with-error", vec![string(), string()], boolean),
        ("shutdown", vec![], unit),
        ("error", vec![string()], unit),
        ("producer-added", vec![string(), structure(), boolean], unit),
        ("producer-removed", vec![string(), structure()], unit),
        ("webrtcbin-ready", vec![string(), element()], unit),
        ("consumer-added", vec![string(), element()], unit),
        ("consumer-removed", vec![string(), element()], unit),
    ] {
        let id = glib::subclass::SignalId::lookup(name, signaller.type_())
            .unwrap_or_else(|| panic!("no signal {name}"));
        let query = id.query();
        let types: Vec<_> = query.param_types().iter().map(|type_| type_.type_()).collect();
        assert_eq!((types, query.return_type().type_()), (args, result), "{name}");
        let is_action = query.flags().contains(glib::SignalFlags::ACTION);
        assert_eq!(
            is_action,
            ["session-description", "handle-ice", "shutdown"].contains(&name),
            "{name}"
        );
    }
}
