//! One viewer's session, told with the public parts as a shell would put them together.

use std::time::Duration;

use weir_negotiation::*;
use weir_units::Timestamp;

const OFFER: &str = include_str!("../fixtures/webrtcbin-offer.sdp");
const ANSWER: &str = include_str!("../fixtures/chromium-answer.sdp");
const PREFERENCES: [Codec; 3] = [Codec::Vp8, Codec::H264, Codec::Vp9];

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000 * seconds)
}

fn completed_offer() -> String {
    let options = OfferOptions {
        rtx: true,
        formats: assign_payload_types(&PREFERENCES, true).unwrap(),
        feedback: Feedback {
            nack: true,
            pli: true,
            fir: true,
            transport_cc: true,
        },
        send_only: true,
    };
    complete_offer(OFFER, &options).unwrap()
}

fn choose(answer: &str, running: &[Codec], encoders_left: usize) -> Result<Format, EndReason> {
    let media = read_answer(&completed_offer(), answer).map_err(|_| EndReason::BadAnswer)?;
    let video = media
        .iter()
        .find(|media| media.kind == MediaKind::Video)
        .ok_or(EndReason::BadAnswer)?;
    let accepted: Vec<_> = video
        .formats
        .iter()
        .map(|accepted| accepted.format.clone())
        .collect();
    choose_codec(&PREFERENCES, &accepted, running, encoders_left).map_err(Refusal::end_reason)
}

/// Chromium's answer, as if it took only one of the codecs.
fn answer_with_only(payload_type: &str, rtx: &str) -> String {
    let kept = format!("m=video 9 UDP/TLS/RTP/SAVPF {payload_type} {rtx}");
    ANSWER.replace("m=video 9 UDP/TLS/RTP/SAVPF 96 98 99 100 101 97", &kept)
}

fn commands(session: &mut SessionLifecycle) -> Vec<SessionCommand> {
    std::iter::from_fn(|| session.poll_command()).collect()
}

#[test]
fn a_viewer_that_does_as_it_should_joins_and_is_connected() {
    let mut session = SessionLifecycle::new(LifecycleConfig::default());
    let mut gate = CandidateGate::new(GateLimits::default());
    session.handle_offer_sent(at(0));

    let format = choose(ANSWER, &[], 3).unwrap();
    assert_eq!((format.codec, format.payload_type.number()), (Codec::Vp8, 96));
    session.handle_answer_accepted(true, at(1));

    let candidate = "candidate:1 1 udp 2113937151 192.0.2.7 54400 typ host generation 0";
    let GateVerdict::Add(candidate) = gate.handle_candidate(candidate) else {
        panic!("a good candidate");
    };
    assert_eq!(candidate.kind.to_string(), "host");
    session.handle_connection_state(ConnectionState::Connected, at(2));
    assert_eq!(
        commands(&mut session),
        [SessionCommand::Joined, SessionCommand::Connected]
    );

    for second in 3..600 {
        session.handle_rtcp(at(second));
        session.handle_timeout(at(second));
    }
    assert_eq!(commands(&mut session), [], "ten minutes in which nothing happens");
}

#[test]
fn retransmissions_work_for_whichever_codec_is_chosen() {
    for (payload_type, rtx, codec) in [
        ("96", "97", Codec::Vp8),
        ("98", "99", Codec::H264),
        ("100", "101", Codec::Vp9),
    ] {
        let format = choose(&answer_with_only(payload_type, rtx), &[], 3).unwrap();
        assert_eq!(format.codec, codec);
        assert_eq!(format.rtx.map(|rtx| rtx.to_string()).as_deref(), Some(rtx));
    }
}

#[test]
fn a_second_viewer_gets_the_codec_that_runs_unless_it_cannot_take_it() {
    assert_eq!(choose(ANSWER, &[Codec::H264], 2).unwrap().codec, Codec::H264);
    let only_vp9 = answer_with_only("100", "101");
    assert_eq!(choose(&only_vp9, &[Codec::H264], 2).unwrap().codec, Codec::Vp9);
    assert_eq!(choose(&only_vp9, &[Codec::H264], 0), Err(EndReason::EncoderLimit));
}

#[test]
fn every_kind_of_bad_viewer_ends_its_own_session_with_a_reason() {
    let refusals = [
        (choose("", &[], 3), "bad-answer"),
        (
            choose(&ANSWER.replace("a=ice-ufrag", "a=x"), &[], 3),
            "bad-answer",
        ),
        (choose(&answer_with_only("", ""), &[], 3), "no-common-codec"),
        (
            choose(&answer_with_only("98", "99"), &[Codec::Vp8], 0),
            "encoder-limit",
        ),
    ];
    for (refusal, code) in refusals {
        let mut session = SessionLifecycle::new(LifecycleConfig::default());
        session.handle_offer_sent(at(0));
        session.handle_end(refusal.expect_err(code));
        let [SessionCommand::End { reason }] = commands(&mut session)[..] else {
            panic!("{code}: the end, and nothing else");
        };
        assert_eq!(reason.code(), code);
    }
}

#[test]
fn a_flood_of_nonsense_ends_in_a_reason_rather_than_in_memory() {
    let mut gate = CandidateGate::new(GateLimits::default());
    let end = (0..100_000).find_map(|_| match gate.handle_candidate(&"x".repeat(5_000)) {
        GateVerdict::End(reason) => Some(reason),
        GateVerdict::Ignore(fault) => {
            assert_eq!(fault, CandidateFault::TooLong);
            None
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(end, Some(EndReason::TooManyBadCandidates));
    assert_eq!(gate.unusable(), 201);
}

#[test]
fn a_viewer_of_which_nothing_is_heard_goes_through_every_deadline() {
    let mut silent = SessionLifecycle::new(LifecycleConfig::default());
    silent.handle_offer_sent(at(0));
    let mut answered = silent.clone();
    answered.handle_answer_accepted(true, at(10));
    let mut connected = answered.clone();
    connected.handle_connection_state(ConnectionState::Connected, at(11));
    let ends = [silent, answered, connected].map(|mut session| {
        let due = session.poll_timeout().unwrap();
        session.handle_timeout(due);
        (due - at(0), session.end_reason().unwrap().code())
    });
    assert_eq!(
        ends,
        [
            (Duration::from_secs(15), "no-answer"),
            (Duration::from_secs(30), "no-connection"),
            (Duration::from_secs(23), "vanished"),
        ]
    );
}

#[test]
fn a_large_description_is_read_in_no_time_worth_mentioning() {
    let lines: String = (0..6_000)
        .map(|line| format!("a=rtcp-fb:{} nack x{line}\r\n", line % 128))
        .collect();
    let numbers: Vec<_> = (0..128).map(|number| number.to_string()).collect();
    let session = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:x\r\n";
    let sdp = format!("{session}m=video 9 X {}\r\n{lines}", numbers.join(" "));
    assert!(sdp.len() < MAX_SDP_LEN);
    assert_eq!(read_offer(&sdp).unwrap().len(), 1);
    assert!(
        complete_offer(
            &sdp,
            &OfferOptions {
                rtx: true,
                ..OfferOptions::default()
            }
        )
        .is_ok()
    );
}
