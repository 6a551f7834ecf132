//! The budget in simulated time.

use proptest::prelude::*;

use super::*;

const fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const CACHED: RequestKind = RequestKind::Join { cached: true };
const UNCACHED: RequestKind = RequestKind::Join { cached: false };

fn budget() -> KeyFrameBudget {
    KeyFrameBudget::new(KeyFrameConfig::default())
}

fn commands(budget: &mut KeyFrameBudget) -> Vec<KeyFrameCommand> {
    std::iter::from_fn(|| budget.poll_command()).collect()
}

/// A rendition: an encoder that answers after a while, and the clock.
struct Rendition {
    budget: KeyFrameBudget,
    now: Timestamp,
    /// `None`: the encoder ignores requests.
    latency: Option<Duration>,
    due: Option<Timestamp>,
    requests: Vec<Timestamp>,
    key_frames: Vec<Timestamp>,
    warnings: usize,
}

impl Rendition {
    fn new(latency: Option<u64>) -> Self {
        Self {
            budget: budget(),
            now: ms(10_000),
            latency: latency.map(Duration::from_millis),
            due: None,
            requests: Vec::new(),
            key_frames: Vec::new(),
            warnings: 0,
        }
    }

    fn request(&mut self, viewer: ViewerId, kind: RequestKind) -> Answer {
        let answer = self.budget.handle_request(viewer, kind, self.now);
        self.execute();
        answer
    }

    /// Lets time pass, from event to event.
    fn run_until(&mut self, until: Timestamp) {
        loop {
            let next = [self.due, self.budget.poll_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            if self.due.take_if(|due| *due <= self.now).is_some() {
                self.key_frames.push(self.now);
                self.budget.handle_key_frame(self.now);
            } else {
                self.budget.handle_timeout(self.now);
            }
            self.execute();
        }
    }

    fn run_for(&mut self, millis: u64) {
        self.run_until(self.now + Duration::from_millis(millis));
    }

    fn execute(&mut self) {
        for command in commands(&mut self.budget) {
            match command {
                KeyFrameCommand::Request => {
                    self.requests.push(self.now);
                    self.due = self.due.or(self.latency.map(|latency| self.now + latency));
                }
                KeyFrameCommand::Unresponsive => self.warnings += 1,
            }
        }
    }

    fn assert_budget_kept(&self) {
        for pair in self.requests.windows(2) {
            assert!(
                pair[1] - pair[0] >= Duration::from_millis(300),
                "at least 300 ms apart: {pair:?}"
            );
        }
        for (first, start) in self.requests.iter().enumerate() {
            for (last, end) in self.requests.iter().enumerate().skip(first) {
                let allowed = 2 + (*end - *start).as_secs() as usize;
                assert!(
                    last - first < allowed,
                    "1/s with a burst of 2: {:?}",
                    &self.requests[first..=last]
                );
            }
        }
    }
}

#[test]
fn the_first_request_is_made_at_once() {
    let mut budget = budget();
    assert_eq!(budget.handle_request(1, UNCACHED, ms(0)), Answer::Coming);
    assert_eq!(commands(&mut budget), [KeyFrameCommand::Request]);
}

#[test]
fn requests_while_one_is_pending_share_it() {
    let mut rendition = Rendition::new(Some(100));
    for viewer in 0..20 {
        let kind = if viewer % 2 == 0 {
            UNCACHED
        } else {
            RequestKind::Loss
        };
        assert_eq!(rendition.request(viewer, kind), Answer::Coming);
        rendition.run_for(4);
    }
    rendition.run_for(5_000);
    assert_eq!(rendition.requests.len(), 1);
}

#[test]
fn joiners_within_200_ms_share_a_key_frame_from_the_cache() {
    let mut rendition = Rendition::new(Some(50));
    rendition.request(1, UNCACHED);
    rendition.run_for(250);
    assert_eq!(
        rendition.request(2, CACHED),
        Answer::FromCache,
        "200 ms after the key frame"
    );
    assert_eq!(
        rendition.request(3, UNCACHED),
        Answer::Coming,
        "without a cache there is nothing to share"
    );
    rendition.run_for(1_000);
    assert_eq!(rendition.requests.len(), 2);
}

#[test]
fn key_frames_are_at_least_300_ms_apart() {
    let mut rendition = Rendition::new(Some(0));
    rendition.request(1, UNCACHED);
    rendition.run_for(1);
    rendition.request(2, UNCACHED);
    rendition.run_for(5_000);
    assert_eq!(rendition.requests, [ms(10_000), ms(10_300)]);
}

#[test]
fn a_natural_key_frame_serves_those_who_wait_and_counts_for_the_distance() {
    let mut budget = budget();
    budget.handle_key_frame(ms(1_000));
    assert_eq!(budget.handle_request(1, UNCACHED, ms(1_100)), Answer::Coming);
    assert_eq!(budget.poll_timeout(), Some(ms(1_300)), "300 ms after it");
    budget.handle_key_frame(ms(1_200));
    assert_eq!(budget.poll_timeout(), None, "nobody waits any more");
    assert_eq!(budget.poll_command(), None);
}

#[test]
fn a_viewer_that_floods_pli_causes_one_key_frame_per_2_s() {
    let mut rendition = Rendition::new(Some(60));
    for _ in 0..2_000 {
        rendition.request(7, RequestKind::Loss);
        rendition.run_for(10);
    }
    rendition.assert_budget_kept();
    let per_viewer = rendition
        .requests
        .windows(2)
        .all(|pair| pair[1] - pair[0] >= Duration::from_secs(2));
    assert!(per_viewer, "{:?}", rendition.requests);
    assert_eq!(
        rendition.requests.len(),
        11,
        "at 0, 2 … 20 s: it is served as often as it may be"
    );
}

#[test]
fn many_viewers_that_flood_pli_cannot_exceed_the_rate_of_the_rendition() {
    let mut rendition = Rendition::new(Some(60));
    for round in 0..1_000 {
        rendition.request(round % 40, RequestKind::Loss);
        rendition.run_for(20);
    }
    rendition.assert_budget_kept();
    assert!(
        (20..=22).contains(&rendition.requests.len()),
        "20 s at 1/s: {}",
        rendition.requests.len()
    );
}

#[test]
fn a_request_that_crossed_the_key_frame_on_its_way_is_not_answered_with_another() {
    let mut rendition = Rendition::new(Some(50));
    rendition.request(1, RequestKind::Loss);
    rendition.run_for(100);
    assert_eq!(rendition.request(1, RequestKind::Loss), Answer::JustSent);
    rendition.run_for(10_000);
    assert_eq!(rendition.requests.len(), 1);
}

#[test]
fn a_viewer_that_asks_too_soon_is_served_when_its_time_has_come() {
    let mut rendition = Rendition::new(Some(50));
    rendition.request(1, RequestKind::Loss);
    rendition.run_for(500);
    assert_eq!(
        rendition.request(1, RequestKind::Loss),
        Answer::Deferred { until: ms(12_000) }
    );
    assert_eq!(
        rendition.request(1, RequestKind::Loss),
        Answer::Deferred { until: ms(12_000) }
    );
    rendition.run_for(10_000);
    assert_eq!(rendition.requests, [ms(10_000), ms(12_000)]);
}

#[test]
fn a_deferred_wish_is_settled_by_a_key_frame_that_others_caused() {
    let mut rendition = Rendition::new(Some(50));
    rendition.request(1, RequestKind::Loss);
    rendition.run_for(500);
    rendition.request(1, RequestKind::Loss);
    rendition.request(2, RequestKind::Loss);
    rendition.run_for(10_000);
    assert_eq!(rendition.requests, [ms(10_000), ms(10_500)]);
}

#[test]
fn a_joiner_that_loses_its_first_key_frame_need_not_wait_2_s() {
    let mut rendition = Rendition::new(Some(50));
    rendition.request(1, UNCACHED);
    rendition.run_for(400);
    assert_eq!(rendition.request(1, RequestKind::Loss), Answer::Coming);
    assert_eq!(rendition.requests.len(), 2);
}

#[test]
fn joining_again_and_again_is_no_way_around_the_rule_for_a_viewer() {
    let mut rendition = Rendition::new(Some(50));
    for _ in 0..1_000 {
        rendition.request(1, UNCACHED);
        rendition.run_for(10);
    }
    assert_eq!(rendition.requests.len(), 6, "at 0, 2 … 10 s");
}

#[test]
fn fifty_joiners_within_5_s_each_have_a_key_frame_within_500_ms() {
    let mut rendition = Rendition::new(Some(80));
    let mut waiting: Vec<(ViewerId, Timestamp)> = Vec::new();
    for viewer in 0..50 {
        let cached = !rendition.key_frames.is_empty();
        match rendition.request(viewer, RequestKind::Join { cached }) {
            Answer::FromCache => assert!(cached),
            Answer::Coming => waiting.push((viewer, rendition.now)),
            other => panic!("a joiner must not hear {other:?}"),
        }
        rendition.run_for(100);
    }
    rendition.run_for(5_000);
    rendition.assert_budget_kept();
    assert!(
        rendition.requests.len() <= 7,
        "a burst of 2 and 1/s: {:?}",
        rendition.requests
    );
    for (viewer, since) in waiting {
        let key_frame = rendition
            .key_frames
            .iter()
            .find(|at| **at >= since)
            .expect("one comes");
        let waited = *key_frame - since;
        assert!(
            waited <= Duration::from_millis(500),
            "viewer {viewer} waited {waited:?}"
        );
    }
}

#[test]
fn fifty_joiners_without_a_cache_still_keep_the_budget() {
    let mut rendition = Rendition::new(Some(80));
    for viewer in 0..50 {
        rendition.request(viewer, UNCACHED);
        rendition.run_for(100);
    }
    rendition.run_for(5_000);
    rendition.assert_budget_kept();
    let last_joined = ms(10_000 + 49 * 100);
    assert!(
        *rendition.key_frames.last().unwrap() > last_joined,
        "nobody is forgotten"
    );
}

#[test]
fn an_encoder_that_missed_a_request_is_asked_again() {
    let mut rendition = Rendition::new(None);
    rendition.request(1, UNCACHED);
    rendition.run_for(500);
    assert_eq!(rendition.requests, [ms(10_000), ms(10_500)]);
    rendition.latency = Some(Duration::from_millis(30));
    rendition.run_for(60_000);
    assert_eq!(rendition.requests.len(), 3);
    assert_eq!((rendition.key_frames.len(), rendition.warnings), (1, 0));
}

#[test]
fn a_slow_encoder_gets_twice_the_time_it_took_last() {
    let mut rendition = Rendition::new(Some(490));
    rendition.request(1, UNCACHED);
    rendition.run_for(10_000);
    rendition.latency = None;
    let start = rendition.now;
    rendition.request(2, UNCACHED);
    rendition.run_for(1_000);
    assert_eq!(
        rendition.requests[1..],
        [start, start + Duration::from_millis(980)]
    );
}

#[test]
fn patience_with_a_slow_encoder_has_an_end() {
    let mut rendition = Rendition::new(None);
    rendition.request(1, UNCACHED);
    rendition.run_for(2_400);
    rendition.budget.handle_key_frame(rendition.now);
    rendition.run_for(10_000);
    let start = rendition.now;
    rendition.request(1, UNCACHED);
    rendition.run_for(2_000);
    assert_eq!(
        *rendition.requests.last().unwrap() - start,
        Duration::from_secs(2),
        "not 4.8 s"
    );
}

#[test]
fn input_that_makes_no_key_frames_is_found_out_and_left_alone() {
    let mut rendition = Rendition::new(None);
    assert_eq!(rendition.request(1, UNCACHED), Answer::Coming);
    rendition.run_for(2_500);
    assert_eq!(rendition.requests.len(), 5, "the first and four more");
    assert_eq!(rendition.warnings, 1);
    assert_eq!(rendition.budget.poll_timeout(), None);
    assert_eq!(rendition.request(2, CACHED), Answer::FromCache);
    assert_eq!(rendition.request(3, UNCACHED), Answer::WaitForNatural);
    assert_eq!(rendition.request(3, RequestKind::Loss), Answer::WaitForNatural);
    assert_eq!(rendition.requests.len(), 5);
}

#[test]
fn input_that_makes_no_key_frames_is_tried_again_now_and_then_without_a_second_warning() {
    let mut rendition = Rendition::new(None);
    for _ in 0..6_000 {
        rendition.request(1, RequestKind::Loss);
        rendition.run_for(10);
    }
    assert_eq!(rendition.warnings, 1);
    assert!(
        (9..=11).contains(&rendition.requests.len()),
        "5, then one per 10.5 s: {:?}",
        rendition.requests
    );
    rendition.latency = Some(Duration::from_millis(40));
    rendition.run_for(10_000);
    rendition.request(2, UNCACHED);
    rendition.run_for(3_000);
    assert_eq!(
        rendition.request(3, UNCACHED),
        Answer::Coming,
        "it delivers, so it is asked as any other"
    );
    assert_eq!(rendition.requests.last(), Some(&rendition.now));
}

#[test]
fn the_wish_of_a_viewer_that_left_is_void() {
    let mut rendition = Rendition::new(Some(50));
    rendition.request(1, RequestKind::Loss);
    rendition.run_for(500);
    rendition.request(1, RequestKind::Loss);
    rendition.budget.handle_viewer_left(1);
    assert_eq!(rendition.budget.poll_timeout(), None);
    rendition.run_for(10_000);
    assert_eq!(rendition.requests.len(), 1);
}

#[test]
fn viewers_that_have_been_quiet_are_forgotten() {
    let mut rendition = Rendition::new(Some(10));
    for viewer in 0..1_000 {
        rendition.request(viewer, RequestKind::Loss);
    }
    rendition.run_for(100);
    assert!(
        rendition.budget.viewers.len() <= 1,
        "only who caused the key frame is remembered"
    );
    rendition.run_for(5_000);
    rendition.request(5_000, RequestKind::Loss);
    rendition.run_for(100);
    assert!(rendition.budget.viewers.len() <= 1);
}

#[derive(Clone, Debug)]
enum Fact {
    Request(ViewerId, RequestKind),
    Natural,
    Left(ViewerId),
    Latency(Option<u64>),
}

fn facts() -> impl Strategy<Value = Vec<(u64, Fact)>> {
    let kind = prop_oneof![Just(RequestKind::Loss), Just(CACHED), Just(UNCACHED)];
    let fact = prop_oneof![
        12 => (0_u64..8, kind).prop_map(|(viewer, kind)| Fact::Request(viewer, kind)),
        1 => Just(Fact::Natural),
        1 => (0_u64..8).prop_map(Fact::Left),
        1 => prop::option::weighted(0.8, 0_u64..900).prop_map(Fact::Latency),
    ];
    prop::collection::vec((0_u64..400, fact), 0..150)
}

proptest! {
    #[test]
    fn whatever_happens_nobody_waits_for_ever_and_memory_is_bounded(facts in facts()) {
        let mut rendition = Rendition::new(Some(50));
        for (pause, fact) in facts {
            rendition.run_for(pause);
            match fact {
                Fact::Request(viewer, kind) => {
                    let answer = rendition.request(viewer, kind);
                    if matches!(answer, Answer::Coming | Answer::Deferred { .. }) {
                        prop_assert!(rendition.budget.poll_timeout().is_some(), "{answer:?} is a promise");
                    }
                    if let Answer::Deferred { until } = answer {
                        prop_assert!(until > rendition.now);
                        prop_assert!(until - rendition.now <= Duration::from_secs(2));
                    }
                }
                Fact::Natural => rendition.budget.handle_key_frame(rendition.now),
                Fact::Left(viewer) => rendition.budget.handle_viewer_left(viewer),
                Fact::Latency(latency) => rendition.latency = latency.map(Duration::from_millis),
            }
            prop_assert!(rendition.budget.viewers.len() <= 8);
            prop_assert!(rendition.budget.commands.is_empty());
        }
        rendition.run_for(60_000);
        prop_assert_eq!(rendition.budget.poll_timeout(), None, "everything comes to rest");
    }

    #[test]
    fn an_encoder_that_delivers_is_never_asked_beyond_the_budget(
        requests in prop::collection::vec((0_u64..300, 0_u64..10, any::<bool>(), any::<bool>()), 0..200),
        latency in 0_u64..400,
    ) {
        let mut rendition = Rendition::new(Some(latency));
        for (pause, viewer, is_loss, cached) in requests {
            rendition.run_for(pause);
            rendition.request(viewer, if is_loss { RequestKind::Loss } else { RequestKind::Join { cached } });
        }
        rendition.run_for(10_000);
        rendition.assert_budget_kept();
        prop_assert_eq!(rendition.warnings, 0);
    }
}
