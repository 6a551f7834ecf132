use proptest::prelude::*;

use super::*;

const fn s(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000 * seconds)
}

fn session() -> SessionLifecycle {
    SessionLifecycle::new(LifecycleConfig::default())
}

fn commands(session: &mut SessionLifecycle) -> Vec<SessionCommand> {
    std::iter::from_fn(|| session.poll_command()).collect()
}

/// Offered at 0 s, answered at 1 s, connected at 2 s; the commands so far are taken.
fn watching() -> SessionLifecycle {
    let mut session = session();
    session.handle_offer_sent(s(0));
    session.handle_answer_accepted(true, s(1));
    session.handle_connection_state(ConnectionState::Connecting, s(1));
    session.handle_connection_state(ConnectionState::Connected, s(2));
    assert_eq!(
        commands(&mut session),
        [SessionCommand::Joined, SessionCommand::Connected]
    );
    session
}

/// Lets the session's next deadline pass; what it ended with, and when.
fn expire(session: &mut SessionLifecycle) -> Option<(Timestamp, EndReason)> {
    let due = session.poll_timeout()?;
    session.handle_timeout(due - Duration::from_millis(1));
    assert_eq!(session.end_reason(), None, "not a millisecond early");
    session.handle_timeout(due);
    let reason = session.end_reason().expect("its deadline has come");
    assert_eq!(commands(session).last(), Some(&SessionCommand::End { reason }));
    Some((due, reason))
}

#[test]
fn a_session_of_which_nothing_is_known_waits_for_nothing() {
    assert_eq!(session().poll_timeout(), None);
}

#[test]
fn a_session_in_which_nothing_can_be_offered_does_not_wait_for_ever() {
    let mut session = session();
    session.handle_requested(s(3));
    assert_eq!(expire(&mut session), Some((s(33), EndReason::NoConnection)));
}

#[test]
fn no_answer_in_15_s_ends_it() {
    let mut session = session();
    session.handle_offer_sent(s(3));
    assert_eq!(expire(&mut session), Some((s(18), EndReason::NoAnswer)));
}

#[test]
fn no_connection_in_30_s_ends_it_though_it_answered() {
    let mut session = session();
    session.handle_offer_sent(s(0));
    session.handle_answer_accepted(true, s(14));
    session.handle_connection_state(ConnectionState::Connecting, s(15));
    session.handle_connection_state(ConnectionState::Disconnected, s(20));
    assert_eq!(expire(&mut session), Some((s(30), EndReason::NoConnection)));
}

#[test]
fn a_viewer_that_offered_itself_has_30_s_from_our_answer() {
    let mut session = session();
    session.handle_answer_accepted(true, s(5));
    assert_eq!(commands(&mut session), [SessionCommand::Joined]);
    assert_eq!(expire(&mut session), Some((s(35), EndReason::NoConnection)));
}

#[test]
fn joined_comes_before_connected_in_whichever_order_they_are_learnt() {
    let mut session = session();
    session.handle_offer_sent(s(0));
    session.handle_connection_state(ConnectionState::Connected, s(1));
    assert_eq!(commands(&mut session), []);
    session.handle_answer_accepted(true, s(1));
    assert_eq!(
        commands(&mut session),
        [SessionCommand::Joined, SessionCommand::Connected]
    );
    assert!(session.is_connected());
}

#[test]
fn a_viewer_that_vanishes_is_found_out_by_12_s_of_silence() {
    let mut session = watching();
    assert_eq!(session.poll_timeout(), Some(s(14)), "12 s from the connection on");
    session.handle_rtcp(s(10));
    session.handle_rtcp(s(9));
    assert_eq!(expire(&mut session), Some((s(22), EndReason::Vanished)));
}

#[test]
fn who_gets_nothing_may_be_silent() {
    let mut session = session();
    session.handle_offer_sent(s(0));
    session.handle_answer_accepted(false, s(1));
    session.handle_connection_state(ConnectionState::Connected, s(2));
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn silence_counts_from_when_media_starts_again() {
    let mut session = watching();
    session.handle_sending(false, s(5));
    assert_eq!(session.poll_timeout(), None);
    session.handle_sending(true, s(100));
    session.handle_sending(true, s(105));
    assert_eq!(expire(&mut session), Some((s(112), EndReason::Vanished)));
}

#[test]
fn an_interrupted_connection_may_come_back_and_is_announced_once() {
    let mut session = watching();
    session.handle_connection_state(ConnectionState::Disconnected, s(5));
    assert!(!session.is_connected());
    session.handle_connection_state(ConnectionState::Connected, s(13));
    assert!(session.is_connected());
    assert_eq!(commands(&mut session), []);
    assert_eq!(session.poll_timeout(), Some(s(25)));
}

#[test]
fn an_interrupted_connection_that_does_not_come_back_ends_even_if_nothing_is_sent() {
    let mut session = watching();
    session.handle_sending(false, s(3));
    session.handle_connection_state(ConnectionState::Disconnected, s(50));
    assert_eq!(expire(&mut session), Some((s(62), EndReason::Vanished)));
}

#[test]
fn a_failed_connection_ends_it_at_once() {
    let mut session = watching();
    session.handle_connection_state(ConnectionState::Failed, s(5));
    assert_eq!(
        commands(&mut session),
        [SessionCommand::End {
            reason: EndReason::ConnectionFailed
        }]
    );
}

#[test]
fn a_connection_closed_by_the_viewer_is_the_viewers_leaving() {
    let mut session = watching();
    session.handle_connection_state(ConnectionState::Closed, s(5));
    assert_eq!(session.end_reason(), Some(EndReason::ViewerLeft));
    let mut never_connected = self::session();
    never_connected.handle_offer_sent(s(0));
    never_connected.handle_connection_state(ConnectionState::Closed, s(1));
    assert_eq!(never_connected.end_reason(), Some(EndReason::ConnectionFailed));
}

#[test]
fn a_renewed_offer_must_be_answered_in_time_too() {
    let mut session = watching();
    session.handle_offer_sent(s(4));
    session.handle_offer_sent(s(9));
    session.handle_rtcp(s(18));
    assert_eq!(
        session.poll_timeout(),
        Some(s(19)),
        "the first offer's deadline stands"
    );
    assert_eq!(expire(&mut session), Some((s(19), EndReason::NoAnswer)));
}

#[test]
fn a_renewed_offer_that_is_answered_is_no_second_joining() {
    let mut session = watching();
    session.handle_offer_sent(s(4));
    session.handle_answer_accepted(true, s(5));
    assert_eq!(commands(&mut session), []);
}

#[test]
fn of_several_deadlines_that_passed_the_first_is_the_reason() {
    let mut session = session();
    session.handle_offer_sent(s(0));
    session.handle_timeout(s(500));
    assert_eq!(session.end_reason(), Some(EndReason::NoAnswer));
}

#[test]
fn a_session_ends_once_and_then_nothing_matters() {
    let mut session = watching();
    session.handle_end(EndReason::EndOfStream);
    session.handle_end(EndReason::Stopped);
    session.handle_offer_sent(s(6));
    session.handle_answer_accepted(true, s(6));
    session.handle_connection_state(ConnectionState::Connected, s(6));
    session.handle_connection_state(ConnectionState::Failed, s(6));
    session.handle_rtcp(s(6));
    session.handle_timeout(s(1_000));
    assert_eq!(
        commands(&mut session),
        [SessionCommand::End {
            reason: EndReason::EndOfStream
        }]
    );
    assert_eq!(session.poll_timeout(), None);
    assert!(!session.is_connected());
}

#[test]
fn reasons_have_distinct_codes_in_kebab_case_and_sentences() {
    let mut codes: Vec<_> = EndReason::ALL.iter().map(|reason| reason.code()).collect();
    assert!(
        codes
            .iter()
            .all(|code| code.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'))
    );
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), EndReason::ALL.len());
    assert!(
        EndReason::ALL
            .iter()
            .all(|reason| reason.to_string().contains(' '))
    );
    assert_eq!(EndReason::TooManyBadCandidates.code(), "too-many-bad-candidates");
}

#[derive(Clone, Debug)]
enum Fact {
    Offer,
    Answer(bool),
    Sending(bool),
    State(ConnectionState),
    Rtcp,
    End,
    Timeout,
}

fn facts() -> impl Strategy<Value = Vec<(u64, Fact)>> {
    let state = prop_oneof![
        1 => Just(ConnectionState::New),
        1 => Just(ConnectionState::Connecting),
        3 => Just(ConnectionState::Connected),
        1 => Just(ConnectionState::Disconnected),
        1 => Just(ConnectionState::Failed),
        1 => Just(ConnectionState::Closed),
    ];
    let fact = prop_oneof![
        3 => Just(Fact::Offer),
        3 => any::<bool>().prop_map(Fact::Answer),
        2 => any::<bool>().prop_map(Fact::Sending),
        3 => state.prop_map(Fact::State),
        3 => Just(Fact::Rtcp),
        1 => Just(Fact::End),
        3 => Just(Fact::Timeout),
    ];
    prop::collection::vec((0_u64..20_000, fact), 0..60)
}

proptest! {
    #[test]
    fn in_any_order_of_facts_the_story_makes_sense(facts in facts()) {
        let mut session = session();
        let mut now = Timestamp::ZERO;
        let mut told = Vec::new();
        let mut is_connected_now = false;
        for (pause, fact) in facts {
            now += Duration::from_millis(pause);
            match fact {
                Fact::Offer => session.handle_offer_sent(now),
                Fact::Answer(sending) => session.handle_answer_accepted(sending, now),
                Fact::Sending(sending) => session.handle_sending(sending, now),
                Fact::State(state) => {
                    is_connected_now = match state {
                        ConnectionState::Connected => true,
                        ConnectionState::New | ConnectionState::Connecting => is_connected_now,
                        _ => false,
                    };
                    session.handle_connection_state(state, now);
                }
                Fact::Rtcp => session.handle_rtcp(now),
                Fact::End => session.handle_end(EndReason::Stopped),
                Fact::Timeout => {
                    session.handle_timeout(now);
                    if let Some(due) = session.poll_timeout() {
                        prop_assert!(due > now, "a deadline that has passed has its effect");
                    }
                }
            }
            told.extend(commands(&mut session));
            prop_assert_eq!(session.is_connected(), is_connected_now && session.end_reason().is_none());
        }
        let end = session.end_reason().map(|reason| SessionCommand::End { reason });
        let expected_order = [Some(SessionCommand::Joined), Some(SessionCommand::Connected), end];
        let mut order = expected_order.into_iter().flatten();
        for command in &told {
            prop_assert!(order.any(|next| next == *command), "each at most once and in order: {told:?}");
        }
        prop_assert_eq!(told.last().copied().filter(|last| matches!(last, SessionCommand::End { .. })), end);
    }
}
