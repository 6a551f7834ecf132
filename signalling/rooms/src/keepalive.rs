//! Whether the other end of a connection still lives.

use std::time::Duration;

/// The pings of one connection.
///
/// A ping is due when for one interval nothing was sent (proxies close what is silent) or nothing was heard. A
/// peer from which nothing at all is heard for two intervals after a ping is given up.
#[derive(Clone, Debug)]
pub struct Keepalive {
    interval: Duration,
    last_heard: Duration,
    last_sent: Duration,
    last_ping: Option<Duration>,
    /// When the first ping went out since the peer was last heard.
    unanswered_since: Option<Duration>,
}

/// What a [`Keepalive`] asks of its shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepaliveAction {
    /// Send a ping.
    SendPing,
    /// The peer is gone: close the connection.
    GiveUp,
}

impl Keepalive {
    /// The keepalive of a connection that was made `now`. An interval of zero is taken for a millisecond.
    pub fn new(interval: Duration, now: Duration) -> Self {
        Self {
            interval: interval.max(Duration::from_millis(1)),
            last_heard: now,
            last_sent: now,
            last_ping: None,
            unanswered_since: None,
        }
    }

    /// Something came from the peer: a message, a pong, anything.
    pub fn handle_heard(&mut self, now: Duration) {
        self.last_heard = now;
        self.unanswered_since = None;
    }

    /// A message was written to the peer.
    pub fn handle_sent(&mut self, now: Duration) {
        self.last_sent = now;
    }

    /// Time has passed; to be called at [`poll_timeout`](Self::poll_timeout), harmless at any other time.
    pub fn handle_timeout(&mut self, now: Duration) -> Option<KeepaliveAction> {
        if self.give_up_at().is_some_and(|at| at <= now) {
            return Some(KeepaliveAction::GiveUp);
        }
        if self.ping_at() > now {
            return None;
        }
        self.last_ping = Some(now);
        self.unanswered_since.get_or_insert(now);
        Some(KeepaliveAction::SendPing)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Duration {
        self.give_up_at()
            .map_or(self.ping_at(), |at| at.min(self.ping_at()))
    }

    fn ping_at(&self) -> Duration {
        let silent_since = self.last_heard.min(self.last_sent);
        let since = self.last_ping.map_or(silent_since, |ping| ping.max(silent_since));
        since.saturating_add(self.interval)
    }

    fn give_up_at(&self) -> Option<Duration> {
        self.unanswered_since
            .map(|since| since.saturating_add(self.interval * 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Runs the keepalive until `until` and notes what it asked for and when.
    fn run(keepalive: &mut Keepalive, until: Duration) -> Vec<(Duration, KeepaliveAction)> {
        let mut seen = Vec::new();
        while keepalive.poll_timeout() <= until {
            let now = keepalive.poll_timeout();
            match keepalive.handle_timeout(now) {
                Some(KeepaliveAction::GiveUp) => {
                    seen.push((now, KeepaliveAction::GiveUp));
                    return seen;
                }
                Some(action) => seen.push((now, action)),
                None => panic!("woken at {now:?} for nothing"),
            }
        }
        seen
    }

    #[test]
    fn a_peer_that_never_answers_is_pinged_and_given_up_two_intervals_after_the_first_ping() {
        let mut keepalive = Keepalive::new(INTERVAL, s(0));
        assert_eq!(
            run(&mut keepalive, s(600)),
            [
                (s(30), KeepaliveAction::SendPing),
                (s(60), KeepaliveAction::SendPing),
                (s(90), KeepaliveAction::GiveUp)
            ]
        );
    }

    #[test]
    fn a_peer_that_answers_each_ping_is_kept_for_ever() {
        let mut keepalive = Keepalive::new(INTERVAL, s(0));
        for round in 1..100 {
            assert_eq!(
                run(&mut keepalive, s(30 * round)),
                [(s(30 * round), KeepaliveAction::SendPing)]
            );
            keepalive.handle_heard(s(30 * round));
        }
    }

    #[test]
    fn a_peer_that_only_listens_is_pinged_although_it_is_sent_to_all_the_time() {
        let mut keepalive = Keepalive::new(INTERVAL, s(0));
        keepalive.handle_sent(s(29));
        assert_eq!(run(&mut keepalive, s(30)), [(s(30), KeepaliveAction::SendPing)]);
    }

    #[test]
    fn a_peer_that_only_talks_is_pinged_so_that_proxies_see_traffic_both_ways() {
        let mut keepalive = Keepalive::new(INTERVAL, s(0));
        keepalive.handle_heard(s(29));
        assert_eq!(run(&mut keepalive, s(30)), [(s(30), KeepaliveAction::SendPing)]);
    }

    #[test]
    fn a_busy_connection_is_not_pinged() {
        let mut keepalive = Keepalive::new(INTERVAL, s(0));
        for second in 1..1000 {
            keepalive.handle_heard(s(second));
            keepalive.handle_sent(s(second));
            assert_eq!(keepalive.handle_timeout(s(second)), None);
        }
    }

    #[test]
    fn whatever_is_heard_takes_back_the_giving_up() {
        let mut keepalive = Keepalive::new(INTERVAL, s(0));
        assert_eq!(keepalive.handle_timeout(s(30)), Some(KeepaliveAction::SendPing));
        keepalive.handle_heard(s(89));
        assert_eq!(keepalive.handle_timeout(s(90)), Some(KeepaliveAction::SendPing));
        assert_eq!(keepalive.poll_timeout(), s(120));
    }
}
