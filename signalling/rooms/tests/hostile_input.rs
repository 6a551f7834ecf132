//! Whatever strangers send, nothing panics and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use support::{Heard, Peer, Server};
use weir_rooms::Departure;

/// Words of the protocol and what breaks parsers, to be put together at random.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"",
            "\\u0000",
            "\\ud800",
            "null",
            "-1",
            "1e999",
            "18446744073709551616",
            "{\"type\":",
            "\"list\"}",
            "\"setPeerStatus\",",
            "\"roles\":[\"producer\"]",
            "\"meta\":",
            "\"peerId\":",
            "\"startSession\",",
            "\"peer\",",
            "\"sessionId\":\"x\",",
            "\"sdp\":{\"type\":\"offer\",\"sdp\":\"\"}",
            "\"ice\":{\"candidate\":\"\",\"sdpMLineIndex\":4294967296}",
            "\"endSessionV1_1\",",
            "\"newPeer\"}",
        ])
        .prop_map(str::to_owned),
        ".{0,20}",
    ]
}

proptest! {
    #[test]
    fn any_text_is_answered_with_at_most_one_short_error_or_carried_out(
        texts in prop::collection::vec(prop::collection::vec(fragment(), 0..12), 1..20)
    ) {
        let mut server = Server::new();
        let peers = [server.connect_as(&["producer"]), server.connect_as(&["listener"]), server.connect()];
        for (index, fragments) in texts.iter().enumerate() {
            check(&mut server, &peers[index % peers.len()], &fragments.concat());
        }
        for peer in &peers {
            server.disconnect(peer, Departure::Lost);
        }
        prop_assert_eq!(server.rooms.footprint(), 0);
    }

    #[test]
    fn any_bytes_that_are_text_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut server = Server::new();
        let peer = server.connect();
        check(&mut server, &peer, &String::from_utf8_lossy(&bytes));
    }
}

fn check(server: &mut Server, from: &Peer, text: &str) {
    let errors = server
        .say_text(from, text)
        .into_iter()
        .filter_map(|heard| match heard {
            Heard::Message(to, message) if message["type"] == "error" => Some((to, message.to_string())),
            Heard::Message(..) => None,
            Heard::Closed(..) => panic!("closed by {text:?}"),
        });
    for (count, (to, error)) in errors.enumerate() {
        assert_eq!((count, to), (0, from.connection), "{error} after {text:?}");
        assert!(error.len() < 1000, "{error}");
    }
}
