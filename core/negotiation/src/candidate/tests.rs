use proptest::prelude::*;

use super::*;

fn usable(candidate: &str) -> UsableCandidate {
    match Candidate::parse(candidate) {
        Candidate::Usable(candidate) => candidate,
        other => panic!("{candidate:?} is {other:?}"),
    }
}

fn fault(candidate: &str) -> CandidateFault {
    match Candidate::parse(candidate) {
        Candidate::Unusable(fault) => fault,
        other => panic!("{candidate:?} is {other:?}"),
    }
}

/// A host candidate with some fields of the test's.
fn with(transport: &str, address: &str, port: &str, kind: &str) -> String {
    format!("candidate:1 1 {transport} 2122260223 {address} {port} typ {kind}")
}

const HOST: &str =
    "candidate:2530088836 1 udp 2113937151 192.0.2.7 54400 typ host generation 0 ufrag EEtu network-cost 999";

#[test]
fn candidates_of_browsers_are_read() {
    let host = usable(HOST);
    assert_eq!(
        (host.kind, host.transport),
        (CandidateKind::Host, CandidateTransport::Udp)
    );
    assert_eq!(host.address, CandidateAddress::Ip("192.0.2.7".parse().unwrap()));
    assert_eq!((host.port, host.component), (54_400, 1));

    let reflexive = usable(
        "candidate:842163049 1 udp 1677729535 203.0.113.5 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0",
    );
    assert_eq!(reflexive.kind, CandidateKind::ServerReflexive);
    let relay = usable("candidate:3 1 UDP 92217343 2001:db8::1 50001 typ relay raddr f0f5.local rport 61665");
    assert_eq!(relay.kind, CandidateKind::Relay);
    assert_eq!(
        relay.address,
        CandidateAddress::Ip("2001:db8::1".parse().unwrap())
    );
    let tcp = usable("candidate:4 1 tcp 1518214911 192.0.2.7 9 typ host tcptype active");
    assert_eq!((tcp.transport, tcp.port), (CandidateTransport::Tcp, 9));
}

#[test]
fn a_name_of_multicast_dns_is_an_address() {
    let host = usable(&with(
        "udp",
        "6b2f1e3c-8a5d-4f0e-9d3e-0a1b2c3d4e5f.local",
        "50000",
        "host",
    ));
    assert_eq!(
        host.address,
        CandidateAddress::Mdns("6b2f1e3c-8a5d-4f0e-9d3e-0a1b2c3d4e5f.local".to_owned())
    );
}

#[test]
fn a_candidate_may_come_as_an_attribute_or_bare() {
    let expected = usable(HOST);
    assert_eq!(usable(&format!("a={HOST}\r\n")), expected);
    assert_eq!(usable(HOST.strip_prefix("candidate:").unwrap()), expected);
}

#[test]
fn nothing_is_the_end_of_candidates() {
    for end in ["", " ", "end-of-candidates", "a=end-of-candidates\r\n"] {
        assert_eq!(Candidate::parse(end), Candidate::EndOfCandidates, "{end:?}");
    }
}

#[test]
fn no_stranger_makes_us_ask_a_name_server() {
    for name in [
        "example.com",
        "evil.local.example",
        "a.b.local",
        ".local",
        "fe80::1%eth0",
        "under_score.local",
    ] {
        assert_eq!(
            fault(&with("udp", name, "5000", "host")),
            CandidateFault::HostName,
            "{name}"
        );
    }
    let long = format!("{}.local", "a".repeat(64));
    assert_eq!(
        fault(&with("udp", &long, "5000", "host")),
        CandidateFault::HostName
    );
}

#[test]
fn addresses_at_which_nobody_can_be_are_not_tried() {
    for address in [
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "::ffff:0.0.0.0",
    ] {
        assert_eq!(
            fault(&with("udp", address, "5000", "host")),
            CandidateFault::Address,
            "{address}"
        );
    }
    usable(&with("udp", "127.0.0.1", "5000", "host"));
    usable(&with("udp", "fe80::1", "5000", "host"));
}

#[test]
fn what_is_not_known_is_named() {
    assert_eq!(
        fault(&with("sctp", "192.0.2.1", "5000", "host")),
        CandidateFault::Transport
    );
    assert_eq!(
        fault(&with("udp", "192.0.2.1", "5000", "tunnel")),
        CandidateFault::Kind
    );
    assert_eq!(
        fault(&with("udp", "192.0.2.1", "0", "host")),
        CandidateFault::Port
    );
}

#[test]
fn what_is_not_in_the_grammar_is_refused() {
    for broken in [
        "candidate:",
        "candidate:1 1 udp",
        "candidate:1 1 udp 1 192.0.2.1 5000",
        "candidate:1 1 udp 1 192.0.2.1 5000 type host",
        "candidate:1 0 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 257 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 +1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp -1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host generation",
        "candidate:one,two 1 udp 1 192.0.2.1 5000 typ host",
        "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host x y\r\na=ice-pwd:z",
        "hello",
    ] {
        assert_eq!(fault(broken), CandidateFault::Unparsable, "{broken:?}");
    }
}

#[test]
fn a_candidate_of_more_than_1_kib_is_not_read() {
    let padded = |len: usize| format!("{HOST} x {}", "y".repeat(len - HOST.len() - 3));
    assert_eq!(padded(1_024).len(), 1_024);
    usable(&padded(1_024));
    assert_eq!(fault(&padded(1_025)), CandidateFault::TooLong);
}

#[test]
fn kinds_read_as_in_the_candidate() {
    for (kind, name) in CandidateKind::ALL {
        assert_eq!(kind.to_string(), name);
        assert_eq!(usable(&with("udp", "192.0.2.1", "1", name)).kind, kind);
    }
}

#[test]
fn two_hundred_unusable_candidates_are_ignored_and_one_more_ends_the_session() {
    let mut gate = CandidateGate::new(GateLimits::default());
    for _ in 0..200 {
        assert_eq!(
            gate.handle_candidate("nonsense"),
            GateVerdict::Ignore(CandidateFault::Unparsable)
        );
        assert!(
            matches!(gate.handle_candidate(HOST), GateVerdict::Add(_)),
            "usable ones are not held against it"
        );
    }
    assert_eq!(gate.unusable(), 200);
    assert_eq!(
        gate.handle_candidate("nonsense"),
        GateVerdict::End(EndReason::TooManyBadCandidates)
    );
}

#[test]
fn even_of_usable_candidates_there_can_be_too_many() {
    let mut gate = CandidateGate::new(GateLimits::default());
    for number in 0..1_000 {
        let verdict = gate.handle_candidate(if number % 2 == 0 { HOST } else { "" });
        assert!(!matches!(verdict, GateVerdict::End(_)), "candidate {number}");
    }
    assert_eq!(
        gate.handle_candidate(HOST),
        GateVerdict::End(EndReason::TooManyBadCandidates)
    );
    assert_eq!(
        gate.handle_candidate(HOST),
        GateVerdict::End(EndReason::TooManyBadCandidates)
    );
}

#[test]
fn the_default_gate_has_the_default_limits() {
    let mut gate = CandidateGate::default();
    assert!(matches!(gate.handle_candidate(HOST), GateVerdict::Add(_)));
    assert_eq!(gate.handle_candidate(""), GateVerdict::EndOfCandidates);
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}", control in any::<String>()) {
        let _ = Candidate::parse(&text);
        let _ = Candidate::parse(&control);
        let _ = Candidate::parse(&format!("candidate:{control}"));
    }

    #[test]
    fn whatever_is_usable_has_no_line_break_and_a_port(
        fields in prop::collection::vec(prop_oneof![
            Just("1".to_owned()), Just("udp".to_owned()), Just("typ".to_owned()), Just("host".to_owned()),
            Just("192.0.2.1".to_owned()), Just("\r\n".to_owned()), "[0-9]{1,6}", ".{0,5}",
        ], 0..12),
    ) {
        let text = fields.join(" ");
        if let Candidate::Usable(candidate) = Candidate::parse(&text) {
            prop_assert!(candidate.port > 0);
            prop_assert!(!text.trim().contains(['\r', '\n']));
        }
    }

    #[test]
    fn every_well_formed_candidate_is_usable(
        foundation in "[a-zA-Z0-9+/]{1,32}",
        priority: u32,
        address: std::net::Ipv4Addr,
        port in 1_u16..,
        kind in 0_usize..4,
    ) {
        prop_assume!(!address.is_multicast() && !address.is_broadcast() && !address.is_unspecified());
        let (kind, name) = CandidateKind::ALL[kind];
        let candidate = usable(&format!("candidate:{foundation} 1 udp {priority} {address} {port} typ {name}"));
        prop_assert_eq!(candidate.kind, kind);
        prop_assert_eq!(candidate.port, port);
        prop_assert_eq!(candidate.address, CandidateAddress::Ip(address.into()));
    }
}

#[test]
fn candidates_are_taken_out_of_a_description_with_their_media_and_everything_else_stays() {
    let sdp = "v=0\r\na=candidate:0\r\nm=audio 9 X 0\r\na=mid:a\r\nm=video 9 X 1\r\na=candidate:1 1 UDP\r\n\
               a=end-of-candidates\r\na=candidate:2\r\na=mid:v\r\n";
    let (rest, candidates) = take_candidates(sdp);
    assert_eq!(candidates, [(1, "candidate:1 1 UDP"), (1, "candidate:2")]);
    assert_eq!(
        rest,
        "v=0\r\na=candidate:0\r\nm=audio 9 X 0\r\na=mid:a\r\nm=video 9 X 1\r\na=end-of-candidates\r\na=mid:v\r\n"
    );
}
