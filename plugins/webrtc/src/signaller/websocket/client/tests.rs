use std::time::Duration;

use serde_json::{Value, json};
use weir_protocol::{Ice, Sdp, SdpType};

use super::*;

/// A client in simulated time, and what it wanted.
struct Bench {
    client: Client,
    now: Duration,
}

/// What came out: what goes to the server, as JSON, and the rest.
#[derive(Clone, Debug, PartialEq)]
enum Out {
    Sent(Value),
    Did(Command),
}

impl Bench {
    fn new(part: Part) -> Self {
        Self::with(Config {
            part,
            reconnect: true,
            keep_watching: false,
        })
    }

    fn with(config: Config) -> Self {
        let now = Duration::from_secs(1000);
        Self {
            client: Client::new(config, 7, now),
            now,
        }
    }

    fn drain(&mut self) -> Vec<Out> {
        std::iter::from_fn(|| self.client.poll_command())
            .map(|command| match command {
                Command::Send(message) => Out::Sent(serde_json::to_value(message).unwrap()),
                other => Out::Did(other),
            })
            .collect()
    }

    /// The events that came out, in their order.
    fn events(&mut self) -> Vec<Event> {
        let out = self.drain().into_iter();
        out.filter_map(|out| {
            if let Out::Did(Command::Emit(event)) = out {
                Some(event)
            } else {
                None
            }
        })
        .collect()
    }

    /// The messages that came out, in their order.
    fn sent(&mut self) -> Vec<Value> {
        let out = self.drain().into_iter();
        out.filter_map(|out| {
            if let Out::Sent(message) = out {
                Some(message)
            } else {
                None
            }
        })
        .collect()
    }

    fn receive(&mut self, message: Value) {
        self.client.handle_text(&message.to_string(), self.now);
    }

    /// Lets time pass, stopping wherever the client wants to be woken.
    fn pass(&mut self, time: Duration) -> Vec<Out> {
        let end = self.now + time;
        let mut out = Vec::new();
        while let Some(at) = self.client.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.client.handle_timeout(self.now);
            out.extend(self.drain());
        }
        self.now = end;
        out
    }

    /// Dials, connects and is welcomed as `id`; leaves the commands to be looked at.
    fn welcome(&mut self, id: &str) {
        self.client.handle_connected(self.now);
        self.receive(json!({"type": "welcome", "peerId": id}));
        self.client.handle_meta(None, self.now);
    }

    /// A client that has registered.
    fn registered(part: Part) -> Self {
        let mut bench = Self::new(part);
        bench.welcome("me");
        bench.drain();
        bench
    }

    /// Waits for as long as the client wants to, and lets it dial.
    fn redial(&mut self) {
        self.now = self.client.poll_timeout().unwrap();
        self.client.handle_timeout(self.now);
        assert_eq!(self.drain(), [Out::Did(Command::Dial)]);
    }

    fn lose_and_regain(&mut self, id: &str) {
        self.client.handle_closed("it is gone", self.now);
        self.drain();
        self.redial();
        self.welcome(id);
    }
}

fn sdp() -> Sdp {
    Sdp {
        kind: SdpType::Offer,
        sdp: "v=0".to_owned(),
    }
}

fn session_requested(session: &str) -> Event {
    Event::SessionRequested {
        session: session.to_owned(),
        peer: "c".to_owned(),
        offer: None,
    }
}

fn start_session(session: &str) -> Value {
    json!({"type": "startSession", "peerId": "c", "sessionId": session, "offer": null})
}

fn listening() -> Value {
    json!({"type": "setPeerStatus", "roles": ["listener"], "meta": null, "peerId": "me"})
}

fn without_role() -> Value {
    json!({"type": "setPeerStatus", "roles": [], "meta": null, "peerId": "me"})
}

fn asking_for(peer: &str) -> Value {
    json!({"type": "startSession", "peerId": peer})
}

fn not_found(peer: &str) -> Value {
    json!({"type": "error", "details": format!("Peer with ID '{peer}' not found")})
}

fn producer_came(peer: &str) -> Value {
    json!({"type": "peerStatusChanged", "roles": ["producer"], "meta": null, "peerId": peer})
}

fn watch(peer: &str) -> Part {
    Part::Consumer(Target::Peer(peer.to_owned()))
}

#[test]
fn a_producer_chooses_the_version_and_registers_with_its_metadata() {
    let mut bench = Bench::new(Part::Producer);
    assert_eq!(bench.drain(), [Out::Did(Command::Dial)]);
    bench.client.handle_connected(bench.now);
    bench.receive(json!({"type": "welcome", "peerId": "me"}));
    assert_eq!(
        bench.drain(),
        [
            Out::Did(Command::Emit(Event::ClientId("me".to_owned()))),
            Out::Sent(json!({"type": "setProtocolVersion", "version": "v1_1"})),
            Out::Did(Command::Emit(Event::RequestMeta)),
        ]
    );
    bench
        .client
        .handle_meta(Some(json!({"display-name": "x"})), bench.now);
    assert_eq!(
        bench.drain(),
        [Out::Sent(
            json!({"type": "setPeerStatus", "roles": ["producer"], "meta": {"display-name": "x"}, "peerId": "me"})
        )]
    );
}

#[test]
fn a_session_goes_from_request_to_end() {
    let mut bench = Bench::registered(Part::Producer);
    bench.receive(start_session("s"));
    assert_eq!(bench.events(), [session_requested("s")]);

    bench.client.send_description("s", sdp(), bench.now);
    let ice = Ice {
        candidate: "candidate:1".to_owned(),
        sdp_m_line_index: 0,
        sdp_mid: None,
        username_fragment: None,
    };
    bench.client.send_candidate("s", ice.clone());
    assert_eq!(
        bench.sent(),
        [
            json!({"type": "peer", "sessionId": "s", "sdp": {"type": "offer", "sdp": "v=0"}}),
            json!({"type": "peer", "sessionId": "s", "ice": {"candidate": "candidate:1", "sdpMLineIndex": 0}}),
        ]
    );

    bench.receive(json!({"type": "peer", "sessionId": "s", "sdp": {"type": "answer", "sdp": "v=0"}}));
    bench.receive(
        json!({"type": "peer", "sessionId": "s", "ice": {"candidate": "candidate:1", "sdpMLineIndex": 0}}),
    );
    bench.receive(json!({"type": "endSession", "sessionId": "s"}));
    let session = || "s".to_owned();
    assert_eq!(
        bench.events(),
        [
            Event::Description {
                session: session(),
                sdp: Sdp {
                    kind: SdpType::Answer,
                    sdp: "v=0".to_owned()
                }
            },
            Event::Candidate {
                session: session(),
                ice
            },
            Event::SessionEnded {
                session: session(),
                error: None
            },
        ]
    );
}

#[test]
fn a_session_that_ends_with_a_reason_ends_on_servers_of_both_versions() {
    let mut bench = Bench::registered(Part::Producer);
    bench.receive(start_session("s"));
    bench.drain();
    bench
        .client
        .end_session("s", Some("no-answer: gave up"), bench.now);
    assert_eq!(
        bench.sent(),
        [
            json!({"type": "endSessionV1_1", "sessionId": "s", "error": "no-answer: gave up"}),
            json!({"type": "endSession", "sessionId": "s"}),
        ]
    );
    bench.client.end_session("s", None, bench.now);
    assert_eq!(bench.drain(), [], "a session ends once");
}

#[test]
fn a_reason_that_the_server_gives_reaches_the_element() {
    let mut bench = Bench::registered(Part::Producer);
    bench.receive(start_session("s"));
    bench.drain();
    bench.receive(json!({"type": "endSessionV1_1", "sessionId": "s", "error": "peer-lost: gone"}));
    let error = Some("peer-lost: gone".to_owned());
    assert_eq!(
        bench.events(),
        [Event::SessionEnded {
            session: "s".to_owned(),
            error
        }]
    );
}

#[test]
fn losing_the_server_ends_no_session_and_is_told_once() {
    let mut bench = Bench::registered(Part::Producer);
    bench.receive(start_session("s"));
    bench.drain();
    bench.client.handle_closed("it is gone", bench.now);
    let events = bench.events();
    assert!(matches!(events[..], [Event::ConnectionLost(_)]), "{events:?}");

    for _ in 0..5 {
        bench.redial();
        bench.client.handle_closed("connection refused", bench.now);
        assert_eq!(bench.drain(), [], "it should not complain again");
    }

    bench.redial();
    bench.client.send_description("s", sdp(), bench.now);
    assert_eq!(bench.drain(), [], "there is nobody to send it to");
    bench.welcome("you");
    let events = bench.events();
    assert_eq!(
        events,
        [
            Event::ClientId("you".to_owned()),
            Event::RequestMeta,
            Event::ConnectionRestored
        ],
        "the new id and the recovery are told, and no session's end"
    );
    bench.client.send_description("s", sdp(), bench.now);
    bench.client.end_session("s", None, bench.now);
    assert_eq!(
        bench.drain(),
        [],
        "the server does not know that session any more"
    );
}

#[test]
fn redials_slow_down_while_the_server_is_away_and_start_quickly_after_a_stable_connection() {
    let mut bench = Bench::new(Part::Producer);
    bench.drain();
    let mut delays = Vec::new();
    for _ in 0..8 {
        bench.client.handle_closed("connection refused", bench.now);
        bench.drain();
        let lost = bench.now;
        bench.redial();
        delays.push(bench.now - lost);
    }
    assert!(delays[0] <= Duration::from_millis(500), "{delays:?}");
    assert!(
        delays[7] >= Duration::from_millis(7500) && delays[7] <= Duration::from_secs(15),
        "{delays:?}"
    );

    bench.welcome("me");
    bench.now += STABLE_AFTER;
    bench.client.handle_closed("it is gone", bench.now);
    assert!(bench.client.poll_timeout().unwrap() - bench.now <= Duration::from_millis(500));
}

#[test]
fn a_server_that_drops_us_right_after_the_welcome_is_not_dialled_in_a_tight_loop() {
    let mut bench = Bench::new(Part::Producer);
    let start = bench.now;
    for _ in 0..8 {
        bench.welcome("me");
        bench.client.handle_closed("it is full", bench.now);
        bench.now = bench.client.poll_timeout().unwrap();
        bench.client.handle_timeout(bench.now);
    }
    assert!(
        bench.now - start > Duration::from_secs(20),
        "eight attempts took {:?}",
        bench.now - start
    );
}

#[test]
fn a_silent_server_is_pinged_and_given_up_within_forty_five_seconds() {
    let mut bench = Bench::registered(Part::Producer);
    let out = bench.pass(Duration::from_secs(39));
    assert_eq!(out, [Out::Did(Command::Ping)]);
    let out = bench.pass(Duration::from_secs(6));
    assert_eq!(out[0], Out::Did(Command::HangUp));
    assert!(
        matches!(out[1], Out::Did(Command::Emit(Event::ConnectionLost(_)))),
        "{out:?}"
    );
}

#[test]
fn a_server_that_answers_pings_is_kept_for_hours() {
    let mut bench = Bench::registered(Part::Producer);
    for _ in 0..500 {
        assert_eq!(bench.pass(Duration::from_secs(16)), [Out::Did(Command::Ping)]);
        bench.client.handle_traffic(bench.now);
    }
}

#[test]
fn a_server_that_never_answers_or_never_welcomes_us_is_given_up() {
    let mut bench = Bench::new(Part::Producer);
    bench.drain();
    let out = bench.pass(DIAL_TIMEOUT);
    assert_eq!(out[0], Out::Did(Command::HangUp), "while dialling: {out:?}");

    let mut bench = Bench::new(Part::Producer);
    bench.drain();
    bench.client.handle_connected(bench.now);
    let out = bench.pass(WELCOME_TIMEOUT);
    assert_eq!(
        out[0],
        Out::Did(Command::HangUp),
        "while waiting for the welcome: {out:?}"
    );
}

#[test]
fn without_reconnect_losing_the_server_is_an_error() {
    let mut bench = Bench::with(Config {
        part: Part::Producer,
        reconnect: false,
        keep_watching: false,
    });
    bench.welcome("me");
    bench.drain();
    bench.client.handle_closed("it is gone", bench.now);
    let out = bench.drain();
    assert!(
        matches!(
            out[..],
            [
                Out::Did(Command::Emit(Event::Error(_))),
                Out::Did(Command::Finish)
            ]
        ),
        "{out:?}"
    );
    assert_eq!(bench.client.poll_timeout(), None);
}

#[test]
fn stopping_ends_the_sessions_first() {
    let mut bench = Bench::registered(Part::Producer);
    bench.receive(start_session("a"));
    bench.receive(start_session("b"));
    bench.drain();
    bench.client.stop();
    let ending = |session| Out::Sent(json!({"type": "endSession", "sessionId": session}));
    assert_eq!(
        bench.drain(),
        [ending("a"), ending("b"), Out::Did(Command::Finish)]
    );
    bench.client.stop();
    assert_eq!(bench.drain(), [], "stopping twice is stopping once");
}

#[test]
fn a_consumer_registers_before_it_asks_for_its_session() {
    let mut bench = Bench::new(watch("p"));
    bench.welcome("me");
    assert_eq!(bench.sent()[1..], [without_role(), asking_for("p")]);
    bench.receive(json!({"type": "sessionStarted", "peerId": "p", "sessionId": "s"}));
    assert_eq!(
        bench.events(),
        [Event::SessionStarted {
            session: "s".to_owned(),
            peer: "p".to_owned()
        }]
    );
}

#[test]
fn a_producer_that_is_not_there_yet_is_waited_for() {
    let mut bench = Bench::new(watch("p"));
    bench.welcome("me");
    bench.drain();
    bench.receive(not_found("p"));
    let out = bench.drain();
    assert!(
        matches!(out[0], Out::Did(Command::Emit(Event::Warning(_)))),
        "the user is told: {out:?}"
    );
    assert_eq!(
        out[1..],
        [Out::Sent(listening()), Out::Sent(json!({"type": "list"}))]
    );

    bench.receive(json!({"type": "list", "producers": [{"id": "other", "meta": null}]}));
    bench.receive(producer_came("another"));
    assert_eq!(bench.drain(), [], "those are not the one");
    bench.receive(producer_came("p"));
    assert_eq!(bench.sent(), [asking_for("p")]);
    bench.receive(json!({"type": "sessionStarted", "peerId": "p", "sessionId": "s"}));
    assert_eq!(
        bench.sent(),
        [without_role()],
        "whoever has found its producer listens no more"
    );
}

#[test]
fn a_producer_that_appears_between_the_refusal_and_the_list_is_found() {
    let mut bench = Bench::registered(watch("p"));
    bench.receive(not_found("p"));
    bench.drain();
    bench.receive(json!({"type": "list", "producers": [{"id": "p", "meta": null}]}));
    assert_eq!(bench.sent(), [asking_for("p")]);
}

#[test]
fn the_first_producer_is_taken_whether_it_is_there_or_comes_later() {
    let mut bench = Bench::new(Part::Consumer(Target::First));
    bench.welcome("me");
    assert_eq!(bench.sent()[1..], [listening(), json!({"type": "list"})]);
    bench.receive(json!({"type": "list", "producers": [{"id": "me", "meta": null}]}));
    assert_eq!(bench.drain(), [], "it does not watch itself");
    bench.receive(producer_came("q"));
    assert_eq!(bench.sent(), [asking_for("q")]);

    let mut bench = Bench::registered(Part::Consumer(Target::First));
    bench.receive(
        json!({"type": "list", "producers": [{"id": "p", "meta": null}, {"id": "q", "meta": null}]}),
    );
    assert_eq!(bench.sent(), [asking_for("p")]);
    bench.receive(producer_came("r"));
    assert_eq!(bench.drain(), [], "one is enough");
}

#[test]
fn a_producer_that_refuses_again_and_again_is_asked_ever_more_rarely() {
    let mut bench = Bench::registered(watch("p"));
    let start = bench.now;
    let mut asked = 0;
    while bench.now < start + Duration::from_secs(60) {
        bench.receive(json!({"type": "error", "details": "full", "code": "too-many-sessions"}));
        bench.pass(Duration::from_millis(100));
        bench.receive(json!({"type": "list", "producers": [{"id": "p", "meta": null}]}));
        asked += bench
            .sent()
            .iter()
            .filter(|message| **message == asking_for("p"))
            .count();
        bench.client.handle_traffic(bench.now);
    }
    assert!(asked > 2, "it should try again");
    assert!(asked < 700, "{asked} times in a minute");
}

#[test]
fn a_list_that_never_comes_is_asked_for_again() {
    let mut bench = Bench::registered(Part::Consumer(Target::First));
    let out = bench.pass(Duration::from_secs(15));
    assert!(out.contains(&Out::Sent(json!({"type": "list"}))), "{out:?}");
}

#[test]
fn after_the_session_a_consumer_rests_unless_it_keeps_watching() {
    let ended = json!({"type": "endSession", "sessionId": "s"});
    let started = json!({"type": "sessionStarted", "peerId": "p", "sessionId": "s"});

    let mut bench = Bench::registered(watch("p"));
    bench.receive(started.clone());
    bench.receive(ended.clone());
    bench.drain();
    bench.receive(producer_came("p"));
    assert_eq!(bench.drain(), []);
    bench.lose_and_regain("me");
    assert_eq!(bench.sent()[1..], [without_role()]);

    let mut bench = Bench::with(Config {
        part: watch("p"),
        reconnect: true,
        keep_watching: true,
    });
    bench.welcome("me");
    bench.receive(started);
    bench.drain();
    bench.receive(ended);
    assert_eq!(bench.sent(), [listening()]);
    bench.receive(producer_came("p"));
    assert_eq!(bench.sent(), [asking_for("p")]);
}

#[test]
fn a_session_whose_media_flows_survives_the_server() {
    let mut bench = Bench::registered(watch("p"));
    bench.receive(json!({"type": "sessionStarted", "peerId": "p", "sessionId": "s"}));
    bench.client.session_connected("s");
    bench.drain();
    bench.lose_and_regain("me");
    let out = bench.drain();
    assert!(
        !out.iter()
            .any(|out| matches!(out, Out::Did(Command::Emit(Event::SessionEnded { .. })))),
        "{out:?}"
    );
    assert!(
        !out.contains(&Out::Sent(asking_for("p"))),
        "it is watching already: {out:?}"
    );
}

#[test]
fn a_session_that_was_still_being_negotiated_is_started_anew() {
    let mut bench = Bench::registered(watch("p"));
    bench.receive(json!({"type": "sessionStarted", "peerId": "p", "sessionId": "s"}));
    bench.drain();
    bench.lose_and_regain("me");
    let out = bench.drain();
    let ended = out.iter().position(
        |out| matches!(out, Out::Did(Command::Emit(Event::SessionEnded { session, .. })) if session == "s"),
    );
    let asked = out.iter().position(|out| *out == Out::Sent(asking_for("p")));
    assert!(
        ended.is_some() && ended < asked,
        "the old one ends, then a new one is asked for: {out:?}"
    );
}

#[test]
fn a_session_that_outlived_its_server_and_then_ends_is_followed_by_another_if_wanted() {
    let mut bench = Bench::with(Config {
        part: watch("p"),
        reconnect: true,
        keep_watching: true,
    });
    bench.welcome("me");
    bench.receive(json!({"type": "sessionStarted", "peerId": "p", "sessionId": "s"}));
    bench.client.session_connected("s");
    bench.lose_and_regain("me");
    bench.drain();
    bench.client.end_session("s", None, bench.now);
    assert_eq!(
        bench.sent(),
        [listening()],
        "no endSession for a session that the server does not know"
    );
    let out = bench.pass(Duration::from_secs(2));
    assert!(out.contains(&Out::Sent(json!({"type": "list"}))), "{out:?}");
}

#[test]
fn a_surplus_session_is_sent_back() {
    let mut bench = Bench::registered(watch("p"));
    bench.receive(json!({"type": "sessionStarted", "peerId": "p", "sessionId": "s"}));
    bench.drain();
    bench.receive(json!({"type": "sessionStarted", "peerId": "p", "sessionId": "t"}));
    assert_eq!(bench.sent()[1], json!({"type": "endSession", "sessionId": "t"}));
}

#[test]
fn a_passive_consumer_waits_to_be_called() {
    let mut bench = Bench::new(Part::Consumer(Target::Caller));
    bench.welcome("me");
    assert_eq!(
        bench.sent()[1..],
        [json!({"type": "setPeerStatus", "roles": ["consumer"], "meta": null, "peerId": "me"})]
    );
    bench.receive(json!({"type": "sessionStarted", "peerId": "p", "sessionId": "s"}));
    assert_eq!(
        bench.events(),
        [Event::SessionStarted {
            session: "s".to_owned(),
            peer: "p".to_owned()
        }]
    );
}

#[test]
fn a_listener_hears_of_changes_only_also_across_connections() {
    let added = |peer: &str, new| Event::ProducerAdded {
        peer: peer.to_owned(),
        meta: None,
        new,
    };
    let removed = |peer: &str| Event::ProducerRemoved {
        peer: peer.to_owned(),
        meta: None,
    };
    let mut bench = Bench::registered(Part::Listener);
    bench.receive(
        json!({"type": "list", "producers": [{"id": "a", "meta": null}, {"id": "b", "meta": null}]}),
    );
    assert_eq!(bench.events(), [added("a", false), added("b", false)]);
    bench.receive(producer_came("b"));
    bench.receive(producer_came("c"));
    bench.receive(json!({"type": "peerStatusChanged", "roles": ["listener"], "meta": null, "peerId": "x"}));
    bench.receive(json!({"type": "peerStatusChanged", "roles": [], "meta": null, "peerId": "a"}));
    assert_eq!(bench.events(), [added("c", true), removed("a")]);

    bench.lose_and_regain("me");
    bench.drain();
    bench.receive(
        json!({"type": "list", "producers": [{"id": "c", "meta": null}, {"id": "d", "meta": null}]}),
    );
    assert_eq!(bench.events(), [removed("b"), added("d", false)]);
}

#[test]
fn the_servers_complaints_are_warnings_short_and_not_too_many() {
    let mut bench = Bench::registered(Part::Producer);
    for _ in 0..1000 {
        bench.receive(json!({"type": "error", "details": format!("line\n{}", "x".repeat(10_000))}));
    }
    let events = bench.events();
    let [Event::Warning(sentence)] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(sentence.len() < 400 && !sentence.contains('\n'), "{sentence}");
}

#[test]
fn a_broken_description_ends_its_own_session_with_a_reason() {
    let mut bench = Bench::registered(Part::Producer);
    bench.receive(start_session("bad"));
    bench.receive(start_session("good"));
    bench.drain();
    bench.client.handle_bad_description("bad", false, bench.now);
    let sent = bench.sent();
    assert!(
        sent[0]["error"]
            .as_str()
            .unwrap()
            .starts_with("bad-description: "),
        "{sent:?}"
    );
    bench.client.send_description("good", sdp(), bench.now);
    assert_eq!(bench.sent().len(), 1, "the other one goes on");
}

#[test]
fn a_description_that_no_server_reads_ends_its_session_and_not_the_connection() {
    let mut bench = Bench::registered(Part::Producer);
    bench.receive(start_session("s"));
    bench.drain();
    let long = Sdp {
        kind: SdpType::Offer,
        sdp: "v=0".repeat(100_000),
    };
    bench.client.send_description("s", long, bench.now);
    let events = bench.events();
    assert!(matches!(&events[..], [Event::SessionEnded { .. }]), "{events:?}");
}

#[test]
fn sessions_are_bounded_and_the_surplus_is_refused() {
    let mut bench = Bench::registered(Part::Producer);
    for index in 0..=MAX_SESSIONS {
        bench.receive(start_session(&format!("s{index}")));
    }
    let out = bench.drain();
    let requested = out.iter().filter(|out| matches!(out, Out::Did(_))).count();
    assert_eq!(requested, MAX_SESSIONS);
    assert!(out.contains(&Out::Sent(
        json!({"type": "endSession", "sessionId": format!("s{MAX_SESSIONS}")})
    )));
}

#[test]
fn garbage_is_met_with_silence() {
    let mut bench = Bench::registered(Part::Producer);
    let long = "x".repeat(300);
    for text in [
        "",
        "{",
        "null",
        "[]",
        r#"{"type":"dance"}"#,
        r#"{"type":"welcome","peerId":"again"}"#,
        r#"{"type":"startSession","peerId":"c","sessionId":""}"#,
        r#"{"type":"startSession","peerId":"c","sessionId":"nul\u0000"}"#,
        &format!(r#"{{"type":"startSession","peerId":"c","sessionId":"{long}"}}"#),
        r#"{"type":"peer","sessionId":"unknown","ice":{"candidate":"c","sdpMLineIndex":0}}"#,
        r#"{"type":"peer","sessionId":"unknown"}"#,
        r#"{"type":"endSession","sessionId":"unknown"}"#,
        r#"{"type":"sessionStarted","peerId":"p","sessionId":"s"}"#,
        r#"{"type":"list","producers":[{"id":"p"}]}"#,
    ] {
        bench.client.handle_text(text, bench.now);
        assert_eq!(bench.drain(), [], "{text:.80}");
    }
}
