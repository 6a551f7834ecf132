//! With the real signalling server between, and by URI.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstweir::embedded::{EmbeddedServers, Settings, SignallingServer};

use crate::consumer::{Consumer, Taste, init};
use crate::producer::{Producer, Stream};

/// A signalling server on a port of the system's choice, and its `host:port`.
fn serve() -> (EmbeddedServers, String) {
    let signalling = SignallingServer {
        port: 0,
        ..SignallingServer::default()
    };
    let settings = Settings {
        signalling: Some(signalling),
        ..Settings::default()
    };
    let servers = EmbeddedServers::start(&settings).unwrap();
    let uri = servers.signaller_uri().unwrap().to_owned();
    let authority = uri
        .strip_prefix("ws://")
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    (servers, authority)
}

fn source(uri: &str) -> gst::Element {
    gst::Element::make_from_uri(gst::URIType::Src, uri, None).unwrap()
}

#[test]
fn the_first_producer_is_waited_for_and_so_is_the_next() {
    init();
    let (servers, authority) = serve();
    let consumer = Consumer::with_source(
        source(&format!("gstwebrtc://{authority}?connect-to-first-producer=true")),
        Taste::default(),
    );
    consumer.play();
    let uri = format!("ws://{authority}");
    {
        let producer = Producer::served(&uri, &[Stream::Vp8]);
        consumer.wait_for_media("video_0");
        drop(producer);
    }
    consumer.wait_for_session("ended");
    consumer.forget();
    let _producer = Producer::served(&uri, &[Stream::Vp8]);
    consumer.wait_for_media("video_0");
    consumer.stop();
    servers.stop();
}

#[test]
fn a_producer_is_found_by_its_id() {
    init();
    let (servers, authority) = serve();
    let uri = format!("ws://{authority}");
    let _other = Producer::served(&uri, &[Stream::Opus]);
    let producer = Producer::served(&uri, &[Stream::Vp8]);
    let id = producer.wait_for_id();
    let consumer = Consumer::with_source(
        source(&format!("gstwebrtc://{authority}/?peer-id={id}")),
        Taste::default(),
    );
    consumer.play();
    consumer.wait_for_media("video_0");
    assert!(consumer.received("audio_0").is_none());
    consumer.stop();
    servers.stop();
}

#[test]
fn the_signaller_is_reached_as_a_child() {
    init();
    let source = gst::ElementFactory::make("webrtcsrc").build().unwrap();
    let proxy = source.dynamic_cast_ref::<gst::ChildProxy>().unwrap();
    proxy.set_child_property("signaller::uri", "ws://10.0.0.1:1234");
    proxy.set_child_property("signaller::producer-peer-id", "somebody");
    let signaller = source.property::<gstweir::signaller::Signallable>("signaller");
    assert_eq!(signaller.property::<String>("uri"), "ws://10.0.0.1:1234");
    assert_eq!(signaller.property::<String>("producer-peer-id"), "somebody");
}

#[test]
fn playbin3_plays_a_uri() {
    init();
    let (servers, authority) = serve();
    // One stream: with two, playsink 1.22 now and then leaves the second one's sink in PAUSED on a busy machine.
    let _producer = Producer::served(&format!("ws://{authority}"), &[Stream::Vp8]);
    let sink = gst::ElementFactory::make("fakesink")
        .property("sync", true)
        .build()
        .unwrap();
    let playbin = gst::ElementFactory::make("playbin3")
        .property(
            "uri",
            format!("gstwebrtc://{authority}?connect-to-first-producer=true"),
        )
        .property("video-sink", &sink)
        .build()
        .unwrap();
    let (to, played) = std::sync::mpsc::channel();
    sink.static_pad("sink")
        .unwrap()
        .add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
            let caps = pad.current_caps().unwrap();
            let _ = to.send(caps.structure(0).unwrap().name().to_string());
            gst::PadProbeReturn::Ok
        });
    playbin.set_state(gst::State::Playing).unwrap();
    for _ in 0..10 {
        assert_eq!(played.recv_timeout(crate::PATIENCE).unwrap(), "video/x-raw");
    }
    playbin.set_state(gst::State::Null).unwrap();
    servers.stop();
}

#[test]
fn the_server_may_die_while_media_flows() {
    init();
    let (_servers, authority) = serve();
    let wire = Wire::to(&authority);
    let uri = format!("gstwebrtc://{}?connect-to-first-producer=true", wire.address);
    let _producer = Producer::served(&format!("ws://{}", wire.address), &[Stream::Vp8]);
    let consumer = Consumer::with_source(source(&uri), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    consumer.wait_for_session("connected");
    consumer.forget();
    consumer.wait_for_media("video_0");
    wire.cut();
    let warning = consumer.wait_for_warning();
    assert!(warning.starts_with("Signalling: "), "{warning}");
    consumer.forget();
    consumer.wait_for_media("video_0");
    consumer.assert_no_error();
}

/// A wire to the server that can be cut: nobody hears a farewell.
struct Wire {
    address: SocketAddr,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let (kept, server) = (ends.clone(), server.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(&server) else {
                    return;
                };
                kept.lock().unwrap().push(client.try_clone().unwrap());
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { address, ends }
    }

    fn cut(&self) {
        for end in self.ends.lock().unwrap().iter() {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}
