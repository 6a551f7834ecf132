use proptest::prelude::*;

use super::*;
use crate::testing::frame;

const fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const FRAME_TICKS: u32 = 3_000;

fn shared(number: u64, key: bool, size: u64) -> Arc<Frame<()>> {
    Arc::new(frame(number, key, number as u32 * FRAME_TICKS, size))
}

/// A cache of a key frame of 40 kB and `deltas` frames of 5 kB, 30 a second.
fn cache(deltas: u64) -> GopCache<()> {
    let mut cache = GopCache::new(GopCache::<()>::DEFAULT_LIMIT);
    cache.handle_frame(&shared(0, true, 40_000));
    for number in 1..=deltas {
        cache.handle_frame(&shared(number, false, 5_000));
    }
    cache
}

fn numbers(cache: &GopCache<()>) -> Vec<u64> {
    cache.frames().map(|frame| frame.number).collect()
}

#[test]
fn the_cache_holds_what_came_since_the_last_key_frame() {
    let mut cache = cache(2);
    assert_eq!(numbers(&cache), [0, 1, 2]);
    assert_eq!(cache.size(), DataSize::from_bytes(50_000));
    cache.handle_frame(&shared(3, true, 7));
    cache.handle_frame(&shared(4, false, 8));
    assert_eq!(numbers(&cache), [3, 4]);
    assert_eq!(cache.size(), DataSize::from_bytes(15));
}

#[test]
fn without_a_key_frame_there_is_nothing_to_join() {
    let mut cache = GopCache::new(GopCache::<()>::DEFAULT_LIMIT);
    cache.handle_frame(&shared(0, false, 10));
    assert!(!cache.is_usable());
    assert!(cache.catch_up(CatchUpConfig::default(), ms(0)).is_none());
}

#[test]
fn a_cache_that_is_full_is_empty_until_the_next_key_frame() {
    let mut cache = GopCache::new(DataSize::from_bytes(100));
    for number in 0..5 {
        cache.handle_frame(&shared(number, number == 0, 40));
    }
    assert_eq!((numbers(&cache), cache.size()), (vec![], DataSize::ZERO));
    cache.handle_frame(&shared(5, true, 101));
    assert!(!cache.is_usable(), "a key frame alone can be too much");
    cache.handle_frame(&shared(6, true, 100));
    assert_eq!(numbers(&cache), [6]);
}

#[test]
fn a_gap_or_a_broken_frame_makes_the_cache_useless() {
    let mut gap = cache(1);
    gap.handle_frame(&shared(3, false, 1));
    assert!(!gap.is_usable());
    let mut broken = cache(1);
    broken.handle_frame(&Arc::new(Frame {
        intact: false,
        ..frame(2, false, 6_000, 1)
    }));
    broken.handle_frame(&shared(3, false, 1));
    assert!(!broken.is_usable());
    broken.handle_frame(&Arc::new(Frame {
        intact: false,
        ..frame(4, true, 12_000, 1)
    }));
    assert!(!broken.is_usable(), "nor does a broken key frame help");
    broken.handle_frame(&shared(5, true, 1));
    assert!(broken.is_usable());
}

#[test]
fn a_cleared_cache_waits_for_a_key_frame() {
    let mut cache = cache(3);
    cache.clear();
    cache.handle_frame(&shared(4, false, 1));
    assert!(!cache.is_usable());
    assert_eq!(cache.size(), DataSize::ZERO);
}

#[test]
fn a_joiner_gets_the_key_frame_at_once_and_the_rest_paced() {
    // A second of 40 kB + 29 × 5 kB is 1.48 Mbit; four times that is 5.92 Mbit/s.
    let cache = cache(30);
    let mut joiner = cache.catch_up(CatchUpConfig::default(), ms(1_000)).unwrap();
    let first = joiner.poll_frame(ms(1_000)).unwrap();
    assert!(first.frame.key);
    assert_eq!(joiner.poll_frame(ms(1_000)), None, "40 kB take their time");
    let due = joiner.poll_timeout().unwrap();
    assert_eq!((due - ms(1_000)).as_millis(), 54, "40 kB at 5.92 Mbit/s");
    assert_eq!(joiner.poll_frame(due).unwrap().frame.number, 1);
}

#[test]
fn a_stream_of_low_rate_is_caught_up_with_at_the_floor() {
    let mut cache = GopCache::new(GopCache::<()>::DEFAULT_LIMIT);
    cache.handle_frame(&shared(0, true, 5_000));
    cache.handle_frame(&shared(1, false, 10));
    let config = CatchUpConfig {
        min_rate: Bitrate::from_kbps(400),
        ..CatchUpConfig::default()
    };
    let mut joiner = cache
        .catch_up(CatchUpConfig { pace: 1, ..config }, ms(0))
        .unwrap();
    joiner.poll_frame(ms(0)).unwrap();
    let due = joiner.poll_timeout().unwrap();
    assert_eq!(
        due - ms(0),
        Duration::from_micros(33_333) + Duration::from_nanos(334),
        "1.2 Mbit/s is its own"
    );
    let mut alone = GopCache::new(GopCache::<()>::DEFAULT_LIMIT);
    alone.handle_frame(&shared(0, true, 5_000));
    let mut joiner = alone.catch_up(config, ms(0)).unwrap();
    joiner.poll_frame(ms(0)).unwrap();
    joiner.handle_live_frame(&shared(1, false, 10));
    assert_eq!(joiner.poll_timeout(), Some(ms(100)), "5 kB at 400 kbit/s");
}

#[test]
fn cached_frames_are_dated_just_before_the_newest() {
    let cache = cache(10);
    let mut joiner = cache.catch_up(CatchUpConfig::default(), ms(0)).unwrap();
    let mut dated = Vec::new();
    while let Some(due) = joiner.poll_timeout() {
        let sent = joiner.poll_frame(due).unwrap();
        let moved = Duration::from_nanos(u64::from(sent.timestamp.0 - sent.frame.timestamp.0) * 100_000 / 9);
        assert_eq!(
            sent.pts_shift, moved,
            "the presentation time moves as the timestamp does"
        );
        dated.push(sent.timestamp.0);
    }
    let newest = 10 * FRAME_TICKS;
    assert_eq!(
        dated,
        (0..=10)
            .rev()
            .map(|behind| newest - behind * 90)
            .collect::<Vec<_>>(),
        "1 ms apart"
    );
    assert_eq!(joiner.state(), CatchUpState::Live);
}

#[test]
fn frames_closer_than_the_spacing_keep_their_own_dates() {
    let mut cache = GopCache::new(GopCache::<()>::DEFAULT_LIMIT);
    for number in 0..5_u64 {
        cache.handle_frame(&Arc::new(frame(number, number == 0, 7 * number as u32, 100)));
    }
    let mut joiner = cache.catch_up(CatchUpConfig::default(), ms(0)).unwrap();
    let dated: Vec<_> = std::iter::from_fn(|| joiner.poll_frame(joiner.poll_timeout()?))
        .map(|sent| sent.timestamp.0)
        .collect();
    assert_eq!(dated, [0, 7, 14, 21, 28]);
}

#[test]
fn dates_increase_also_when_live_frames_come_closer_than_the_spacing() {
    let cache = cache(1);
    let mut joiner = cache.catch_up(CatchUpConfig::default(), ms(0)).unwrap();
    let first = joiner.poll_frame(ms(0)).unwrap().timestamp;
    assert_eq!(first, RtpTimestamp(FRAME_TICKS - 90));
    for number in 2..102_u64 {
        let timestamp = FRAME_TICKS + number as u32;
        joiner.handle_live_frame(&Arc::new(frame(number, false, timestamp, 10)));
    }
    let mut last = first;
    while let Some(sent) = joiner.poll_timeout().and_then(|due| joiner.poll_frame(due)) {
        assert!(
            sent.timestamp.is_newer_than(last),
            "{} after {last}",
            sent.timestamp
        );
        last = sent.timestamp;
    }
    assert_eq!(
        last,
        RtpTimestamp(FRAME_TICKS + 101),
        "the newest keeps its own date"
    );
}

#[test]
fn a_source_whose_time_stands_still_is_not_dated_into_the_future() {
    let mut cache = GopCache::new(GopCache::<()>::DEFAULT_LIMIT);
    for number in 0..5_u64 {
        cache.handle_frame(&Arc::new(frame(number, number == 0, 700, 100)));
    }
    let mut joiner = cache.catch_up(CatchUpConfig::default(), ms(0)).unwrap();
    while let Some(sent) = joiner.poll_timeout().and_then(|due| joiner.poll_frame(due)) {
        assert_eq!(sent.timestamp, RtpTimestamp(700));
    }
}

#[test]
fn a_key_frame_that_comes_meanwhile_is_jumped_to() {
    let cache = cache(60);
    let mut joiner = cache.catch_up(CatchUpConfig::default(), ms(0)).unwrap();
    joiner.poll_frame(ms(0)).unwrap();
    joiner.handle_live_frame(&shared(61, true, 40_000));
    let sent = joiner.poll_frame(joiner.poll_timeout().unwrap()).unwrap();
    assert_eq!((sent.frame.number, sent.pts_shift), (61, Duration::ZERO));
    assert_eq!(joiner.state(), CatchUpState::Live);
}

#[test]
fn a_joiner_that_falls_too_far_behind_is_lost() {
    let cache = cache(3);
    let config = CatchUpConfig {
        limit: DataSize::from_bytes(60_000),
        ..CatchUpConfig::default()
    };
    let mut joiner = cache.catch_up(config, ms(0)).unwrap();
    joiner.handle_live_frame(&shared(4, false, 5_000));
    assert_eq!(joiner.state(), CatchUpState::Behind);
    joiner.handle_live_frame(&shared(5, false, 5_000));
    assert_eq!(joiner.state(), CatchUpState::Lost);
    joiner.handle_live_frame(&shared(6, true, 1));
    assert_eq!(
        (joiner.poll_timeout(), joiner.poll_frame(ms(99_999))),
        (None, None)
    );
}

#[test]
fn a_joiner_to_whom_a_frame_is_missing_is_lost_unless_a_key_frame_follows() {
    let cache = cache(3);
    let mut joiner = cache.catch_up(CatchUpConfig::default(), ms(0)).unwrap();
    joiner.handle_live_frame(&shared(6, true, 1));
    assert_eq!(joiner.state(), CatchUpState::Behind);
    joiner.handle_live_frame(&shared(8, false, 1));
    assert_eq!(joiner.state(), CatchUpState::Lost);
    let mut joiner = cache.catch_up(CatchUpConfig::default(), ms(0)).unwrap();
    joiner.handle_live_frame(&Arc::new(Frame {
        intact: false,
        ..frame(4, false, 12_000, 1)
    }));
    assert_eq!(joiner.state(), CatchUpState::Lost);
}

#[test]
fn with_no_rate_known_and_no_floor_there_is_no_pacing() {
    let cache = cache(0);
    let config = CatchUpConfig {
        min_rate: Bitrate::ZERO,
        ..CatchUpConfig::default()
    };
    let mut joiner = cache.catch_up(config, ms(5)).unwrap();
    joiner.poll_frame(ms(5)).unwrap();
    joiner.handle_live_frame(&shared(1, false, 10));
    assert_eq!(joiner.poll_timeout(), Some(ms(5)));
}

proptest! {
    /// A joiner catches up with a live stream of random frame sizes and intervals, polled with random delays.
    #[test]
    fn a_joiner_arrives_in_order_on_time_and_within_its_pace(
        cached in prop::collection::vec((1_u64..20_000, 1_u32..9_000), 1..120),
        live in prop::collection::vec((1_u64..20_000, 1_u32..9_000, prop::bool::weighted(0.03)), 0..200),
        key_size in 1_u64..200_000,
        first_timestamp: u32,
        poll_delay_us in 0_u64..20_000,
        spacing_us in 0_u64..3_000,
        pace in 2_u32..8,
    ) {
        let config = CatchUpConfig {
            pace,
            min_rate: Bitrate::from_kbps(4_000),
            spacing: Duration::from_micros(spacing_us),
            ..CatchUpConfig::default()
        };
        let mut cache = GopCache::new(GopCache::<()>::DEFAULT_LIMIT);
        let mut timestamp = first_timestamp;
        cache.handle_frame(&Arc::new(frame(0, true, timestamp, key_size)));
        let mut number = 0;
        for (size, ticks) in &cached {
            number += 1;
            timestamp = timestamp.wrapping_add(*ticks);
            cache.handle_frame(&Arc::new(frame(number, false, timestamp, *size)));
        }
        let start = ms(1_000);
        let mut joiner = cache.catch_up(config, start).unwrap();
        let rate = joiner.rate;
        let mut newest = timestamp;
        let mut live = live.into_iter();
        let mut next_live_at = start;
        let mut now = start;
        let mut sent: Vec<(Timestamp, CatchUpFrame<()>)> = Vec::new();
        let mut last_given: Option<RtpTimestamp> = None;

        while joiner.state() == CatchUpState::Behind {
            let due = joiner.poll_timeout().unwrap().max(now) + Duration::from_micros(poll_delay_us);
            if next_live_at <= due && let Some((size, ticks, key)) = live.next() {
                now = now.max(next_live_at);
                next_live_at += Duration::from_nanos(u64::from(ticks) * 100_000 / 9);
                number += 1;
                timestamp = timestamp.wrapping_add(ticks);
                newest = timestamp;
                joiner.handle_live_frame(&Arc::new(frame(number, key, timestamp, size)));
                prop_assert!(joiner.waiting_size <= config.limit);
                continue;
            }
            now = due;
            let next = joiner.poll_frame(now).expect("it is due");
            if let Some(last) = last_given {
                prop_assert!(next.timestamp.is_newer_than(last), "timestamps increase strictly");
            }
            prop_assert!(RtpTimestamp(newest).distance(next.timestamp) >= 0, "never later than live");
            prop_assert!(next.timestamp.distance(next.frame.timestamp) >= 0, "moved forward only");
            last_given = Some(next.timestamp);
            if let Some((_, before)) = sent.last() {
                let follows = next.frame.number == before.frame.number + 1;
                prop_assert!(follows || next.frame.key, "in order, and skipping only to a key frame");
            }
            sent.push((now, next));
        }

        if joiner.state() == CatchUpState::Live {
            let (_, last) = sent.last().unwrap();
            prop_assert_eq!(last.frame.number, number, "the next live frame follows without a gap");
            prop_assert_eq!(last.pts_shift, Duration::ZERO, "and so does its timestamp");
        }
        for (first, (begin, _)) in sent.iter().enumerate() {
            let mut size = DataSize::ZERO;
            for (end, next) in &sent[first..] {
                // Before each frame, no more was sent since `begin` than the pace allows.
                prop_assert!(size <= rate * (*end - *begin) + DataSize::from_bytes(1));
                size += next.frame.size;
            }
        }
    }
}
