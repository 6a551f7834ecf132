//! A stream with two renditions and viewers that come and go, told with the public parts as a shell would put them
//! together, in simulated time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use weir_forwarding::*;
use weir_units::{DataSize, PayloadType, RtpTimestamp, SeqNo, Ssrc, Timestamp};

const FRAME: Duration = Duration::from_nanos(33_333_333);
const LOW: RenditionId = RenditionId(0);
const HIGH: RenditionId = RenditionId(1);

/// An H.264 encoder and payloader that makes a key frame when it is told to, and what is kept once per rendition.
struct Rendition {
    seq: u16,
    key_frame_in: Option<u32>,
    assembler: FrameAssembler<Vec<u8>>,
    cache: GopCache<Vec<u8>>,
    budget: KeyFrameBudget,
    packets_per_frame: usize,
    key_frames: usize,
}

impl Rendition {
    fn new(packets_per_frame: usize) -> Self {
        Self {
            seq: 65_000,
            key_frame_in: None,
            assembler: FrameAssembler::new(PayloadFormat::H264),
            cache: GopCache::new(GopCache::<Vec<u8>>::DEFAULT_LIMIT),
            budget: KeyFrameBudget::new(KeyFrameConfig::default()),
            packets_per_frame,
            key_frames: 0,
        }
    }

    /// The encoder is asked as the budget says; it delivers two frames later.
    fn execute_commands(&mut self) {
        while let Some(command) = self.budget.poll_command() {
            assert_eq!(command, KeyFrameCommand::Request);
            self.key_frame_in.get_or_insert(2);
        }
    }

    fn encode(&mut self, number: u32, now: Timestamp) -> Arc<Frame<Vec<u8>>> {
        let key = self.key_frame_in == Some(0);
        self.key_frame_in = self.key_frame_in.and_then(|frames| frames.checked_sub(1));
        let packets = if key {
            5 * self.packets_per_frame
        } else {
            self.packets_per_frame
        };
        for index in 0..packets {
            let marker = u8::from(index + 1 == packets) << 7;
            let mut bytes = vec![0x80, marker | 96];
            bytes.extend(self.seq.to_be_bytes());
            bytes.extend((number * 3_000).to_be_bytes());
            bytes.extend(7_u32.to_be_bytes());
            bytes.push(if key { 0x65 } else { 0x41 });
            // Which frame of which rendition, so that the viewer can check what it sees.
            bytes.extend(number.to_be_bytes());
            bytes.push(self.packets_per_frame as u8);
            bytes.resize(1_000, 0);
            let packet = SourcePacket::parse(PayloadFormat::H264, &bytes).unwrap();
            self.assembler.handle_packet(packet, bytes, None);
            self.seq = self.seq.wrapping_add(1);
        }
        let frame = Arc::new(self.assembler.poll_frame().unwrap());
        assert_eq!(frame.key, key);
        self.cache.handle_frame(&frame);
        if key {
            self.key_frames += 1;
            self.budget.handle_key_frame(now);
        }
        frame
    }
}

/// A viewer: what is kept for it, and what its decoder makes of what it gets.
struct Viewer {
    switch: RenditionSwitch,
    rewriter: Rewriter,
    catch_up: Option<CatchUp<Vec<u8>>>,
    joined_at: Timestamp,
    first_picture_at: Option<Timestamp>,
    pictures: u32,
    last_seq: Option<SeqNo>,
    last_timestamp: Option<RtpTimestamp>,
    /// The last picture: its rendition and its frame number there.
    decoded: Option<(u8, u32)>,
}

impl Viewer {
    fn new(now: Timestamp) -> Self {
        let rewriter = Rewriter::new(OutgoingStream {
            ssrc: Ssrc(1),
            payload_type: PayloadType::new(100).unwrap(),
            first_seq: SeqNo(60_000),
            timestamp_offset: 12_345,
            extensions: Extensions {
                twcc: Some(3),
                ..Extensions::default()
            },
            first_picture_id: 0,
        });
        Self {
            switch: RenditionSwitch::new(),
            rewriter,
            catch_up: None,
            joined_at: now,
            first_picture_at: None,
            pictures: 0,
            last_seq: None,
            last_timestamp: None,
            decoded: None,
        }
    }

    fn handle_frame(&mut self, rendition: RenditionId, frame: &Arc<Frame<Vec<u8>>>, now: Timestamp) {
        match &mut self.catch_up {
            Some(catch_up) if self.switch.target() == Some(rendition) => catch_up.handle_live_frame(frame),
            Some(_) | None => self.send(rendition, frame, frame.timestamp, now),
        }
    }

    fn handle_timeout(&mut self, rendition: RenditionId, now: Timestamp) {
        while let Some(catch_up) = &mut self.catch_up {
            let Some(next) = catch_up.poll_frame(now) else {
                return;
            };
            let is_done = catch_up.state() != CatchUpState::Behind;
            self.send(rendition, &next.frame, next.timestamp, now);
            if is_done {
                self.catch_up = None;
            }
        }
    }

    fn send(
        &mut self,
        rendition: RenditionId,
        frame: &Frame<Vec<u8>>,
        timestamp: RtpTimestamp,
        now: Timestamp,
    ) {
        if self.switch.handle_frame(rendition, frame.key, timestamp) == Verdict::Drop {
            return;
        }
        self.rewriter.begin_frame(timestamp, frame.key);
        for (packet, bytes) in &frame.packets {
            let rewritten = self.rewriter.rewrite(packet);
            let payload = &bytes[rewritten.payload_offset..][..rewritten.payload_len];
            self.decode(&[&rewritten.head, payload].concat());
        }
        self.rewriter.end_frame();
        self.first_picture_at.get_or_insert(now);
    }

    /// A strict decoder: no hole, no repeat, no picture before the one it builds on.
    fn decode(&mut self, bytes: &[u8]) {
        let packet = SourcePacket::parse(PayloadFormat::H264, bytes).unwrap();
        if let Some(last) = self.last_seq.replace(packet.seq()) {
            assert_eq!(packet.seq(), last.wrapping_add(1));
        }
        let is_new = self
            .last_timestamp
            .replace(packet.timestamp())
            .is_none_or(|last| {
                assert!(packet.timestamp() == last || packet.timestamp().is_newer_than(last));
                packet.timestamp() != last
            });
        if !is_new {
            return;
        }
        let payload = &bytes[packet.header_len()..];
        let number = u32::from_be_bytes(payload[1..5].try_into().unwrap());
        let rendition = payload[5];
        if !packet.starts_key_frame() {
            let before = self.decoded.expect("decoding starts with a key frame");
            assert_eq!(
                (rendition, number),
                (before.0, before.1 + 1),
                "the picture it builds on is there"
            );
        }
        self.decoded = Some((rendition, number));
        self.pictures += 1;
    }
}

/// Everything, and the clock.
struct Stream {
    now: Timestamp,
    number: u32,
    renditions: BTreeMap<RenditionId, Rendition>,
    viewers: BTreeMap<ViewerId, Viewer>,
}

impl Stream {
    fn new() -> Self {
        let renditions = BTreeMap::from([(LOW, Rendition::new(2)), (HIGH, Rendition::new(6))]);
        Self {
            now: Timestamp::from_millis(5_000),
            number: 0,
            renditions,
            viewers: BTreeMap::new(),
        }
    }

    fn join(&mut self, id: ViewerId, target: RenditionId) {
        self.viewers.insert(id, Viewer::new(self.now));
        self.move_to(id, target);
    }

    fn move_to(&mut self, id: ViewerId, target: RenditionId) {
        let viewer = self.viewers.get_mut(&id).unwrap();
        viewer.switch.set_target(Some(target));
        let rendition = self.renditions.get_mut(&target).unwrap();
        // Only who has no picture at all is better off with an old one.
        let cached = viewer.decoded.is_none() && rendition.cache.is_usable();
        match rendition
            .budget
            .handle_request(id, RequestKind::Join { cached }, self.now)
        {
            Answer::FromCache => {
                viewer.catch_up = rendition.cache.catch_up(CatchUpConfig::default(), self.now);
            }
            Answer::Coming => {}
            other => panic!("{other:?}"),
        }
        rendition.execute_commands();
    }

    fn lose(&mut self, id: ViewerId) -> Answer {
        let viewer = self.viewers.get_mut(&id).unwrap();
        viewer.switch.handle_loss();
        let wanted = viewer.switch.wants_key_frame().unwrap();
        let rendition = self.renditions.get_mut(&wanted).unwrap();
        let answer = rendition.budget.handle_request(id, RequestKind::Loss, self.now);
        rendition.execute_commands();
        answer
    }

    fn run(&mut self, frames: u32) {
        for _ in 0..frames {
            for (id, rendition) in &mut self.renditions {
                if rendition.budget.poll_timeout().is_some_and(|due| due <= self.now) {
                    rendition.budget.handle_timeout(self.now);
                    rendition.execute_commands();
                }
                let frame = rendition.encode(self.number, self.now);
                for viewer in self.viewers.values_mut() {
                    viewer.handle_frame(*id, &frame, self.now);
                }
            }
            // The fan-out's timer runs every 5 ms.
            for tick in 1..=6 {
                let at = self.now + Duration::from_millis(5 * tick);
                for viewer in self.viewers.values_mut() {
                    if let Some(target) = viewer.switch.target() {
                        viewer.handle_timeout(target, at);
                    }
                }
            }
            self.number += 1;
            self.now += FRAME;
        }
    }

    fn viewer(&self, id: ViewerId) -> &Viewer {
        &self.viewers[&id]
    }
}

#[test]
fn viewers_that_join_together_share_one_key_frame() {
    let mut stream = Stream::new();
    stream.run(10);
    for id in 0..10 {
        stream.join(id, LOW);
    }
    stream.run(30);
    assert_eq!(stream.renditions[&LOW].key_frames, 1);
    for viewer in stream.viewers.values() {
        assert_eq!(viewer.pictures, 28, "from the key frame on, every frame");
        assert_eq!(viewer.rewriter.counters().key_frames, 1);
    }
}

#[test]
fn a_late_joiner_sees_a_picture_at_once_and_goes_on_live() {
    let mut stream = Stream::new();
    stream.join(1, HIGH);
    stream.run(6);
    stream.join(2, HIGH);
    stream.run(60);
    let late = stream.viewer(2);
    let waited = late.first_picture_at.unwrap() - late.joined_at;
    assert!(waited <= Duration::from_millis(5), "from the cache: {waited:?}");
    assert!(late.catch_up.is_none(), "it has caught up");
    assert_eq!(
        late.decoded,
        stream.viewer(1).decoded,
        "both see the same picture"
    );
    assert_eq!(
        stream.renditions[&HIGH].key_frames, 1,
        "and the encoder was not bothered"
    );
}

#[test]
fn twenty_joiners_in_four_seconds_wait_half_a_second_at_most() {
    let mut stream = Stream::new();
    for id in 0..20 {
        stream.join(id, LOW);
        stream.run(6);
    }
    stream.run(30);
    for (id, viewer) in &stream.viewers {
        let waited = viewer.first_picture_at.unwrap() - viewer.joined_at;
        assert!(
            waited <= Duration::from_millis(500),
            "viewer {id} waited {waited:?}"
        );
    }
    assert!(
        stream.renditions[&LOW].key_frames <= 6,
        "{}",
        stream.renditions[&LOW].key_frames
    );
}

#[test]
fn a_viewer_that_is_moved_up_and_down_misses_no_picture() {
    let mut stream = Stream::new();
    stream.join(1, LOW);
    stream.run(30);
    let before = stream.viewer(1).pictures;
    for target in [HIGH, LOW, HIGH] {
        stream.move_to(1, target);
        stream.run(90);
        assert_eq!(stream.viewer(1).switch.current(), Some(target));
    }
    // HIGH is encoded after LOW: on the way up an instant is seen twice, the second time better.
    assert_eq!(
        stream.viewer(1).pictures - before,
        3 * 90 + 2,
        "each frame interval has its picture throughout"
    );
    assert_eq!(
        stream.renditions[&HIGH].key_frames, 2,
        "a switch costs one key frame"
    );
}

#[test]
fn a_viewer_that_loses_pictures_is_helped_and_costs_the_others_nothing_but_a_key_frame() {
    let mut stream = Stream::new();
    stream.join(1, LOW);
    stream.join(2, LOW);
    stream.run(30);
    assert_eq!(stream.lose(1), Answer::Coming);
    stream.run(10);
    assert_eq!(stream.viewer(1).decoded, stream.viewer(2).decoded);
    assert_eq!(
        stream.viewer(2).pictures,
        38,
        "from the second frame on, every one"
    );
    assert_eq!(stream.viewer(2).rewriter.counters().key_frames, 2);
}

#[test]
fn what_a_viewer_was_sent_adds_up() {
    let mut stream = Stream::new();
    stream.join(1, LOW);
    stream.run(12);
    let counters = stream.viewer(1).rewriter.counters();
    assert_eq!(
        (counters.frames, counters.key_frames, counters.cut_frames),
        (10, 1, 0)
    );
    assert_eq!(counters.packets, 5 * 2 + 9 * 2);
    assert_eq!(
        counters.bytes,
        DataSize::from_bytes(28 * (1_000 + 8)),
        "with 8 bytes of extensions each"
    );
}
