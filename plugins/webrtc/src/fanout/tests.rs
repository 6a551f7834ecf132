//! The hub between real pads.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use gst::prelude::*;
use weir_forwarding::{Extensions, OutgoingStream, PayloadFormat, RenditionId};
use weir_units::{PayloadType, SeqNo, Ssrc};

use super::{Hub, HubEvent, Joining, OutputId, OutputSpec, ViewerPad};

const RENDITION: RenditionId = RenditionId(0);
const STREAM: u32 = 0;
/// Far longer than anything here takes: reached only where a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn every_viewer_gets_every_frame_under_its_own_ssrc() {
    let mut stage = Stage::new(Joining::OnRequest);
    let viewers = [stage.join(1), stage.join(2)];
    for _ in 0..3 {
        stage.frame(2);
    }
    for viewer in viewers {
        for number in 0..6u16 {
            let packet = viewer.next();
            assert_eq!(ssrc_of(&packet), viewer.ssrc);
            assert_eq!(seq_of(&packet), 1000 + number, "sequence numbers run through");
        }
    }
}

#[test]
fn the_payload_is_one_memory_for_all_viewers() {
    let mut stage = Stage::new(Joining::OnRequest);
    let (a, b) = (stage.join(1), stage.join(2));
    stage.frame(1);
    let (a, b) = (a.next(), b.next());
    assert!(a.n_memory() > 1, "head and payload are apart");
    assert_eq!(
        a.peek_memory(1).as_ptr(),
        b.peek_memory(1).as_ptr(),
        "the payload was copied for a viewer"
    );
    assert_ne!(
        a.peek_memory(0).as_ptr(),
        b.peek_memory(0).as_ptr(),
        "heads are the viewers' own"
    );
}

#[test]
fn a_viewer_whose_push_blocks_for_good_is_given_up_and_the_others_go_on() {
    let mut stage = Stage::new(Joining::OnRequest);
    let (release, released) = mpsc::channel::<()>();
    let _stuck = stage.join_blocking(1, released);
    let other = stage.join(2);
    for _ in 0..5 {
        stage.frame(1);
    }
    for _ in 0..5 {
        other.next();
    }
    assert_eq!(
        stage.event(|event| matches!(event, HubEvent::Stalled { .. })),
        HubEvent::Stalled { viewer: 1 }
    );
    stage.frame(1);
    other.next();
    drop(release);
}

#[test]
fn a_viewer_whose_push_returns_late_goes_on_with_a_key_frame() {
    let mut stage = Stage::new(Joining::OnRequest);
    let (release, released) = mpsc::channel::<()>();
    let late = stage.join_blocking(1, released);
    let other = stage.join(2);
    stage.frame(1);
    stage.frame(1);
    // Frames reach the other one only once the thread that blocks has been replaced.
    other.next();
    other.next();
    drop(release);
    stage.event(|event| event == HubEvent::KeyFrameWanted(RENDITION));
    stage.key_frame(1);
    late.next();
    let packet = late.next();
    assert_eq!(
        seq_of(&packet),
        1001,
        "what it missed left no hole that it would ask for"
    );
    other.next();
}

#[test]
fn a_joiner_of_encoded_input_starts_with_the_cached_key_frame_at_once() {
    let mut stage = Stage::new(Joining::FromCache);
    let first = stage.join(1);
    for _ in 0..4 {
        stage.frame(1);
    }
    for _ in 0..4 {
        first.next();
    }
    let joiner = stage.join(2);
    for _ in 0..4 {
        joiner.next();
    }
    stage.frame(1);
    assert_eq!(seq_of(&joiner.next()), 1004, "it follows live, without a hole");
}

#[test]
fn drained_comes_after_the_last_frame() {
    let mut stage = Stage::new(Joining::OnRequest);
    let viewer = stage.join(1);
    stage.frame(1);
    stage.hub.drain();
    stage.event(|event| event == HubEvent::Drained);
    assert!(
        viewer.packets.try_recv().is_ok(),
        "drained was told before the frame had been pushed"
    );
}

#[test]
fn a_viewer_that_was_detached_gets_nothing_more() {
    let mut stage = Stage::new(Joining::OnRequest);
    let (gone, stays) = (stage.join(1), stage.join(2));
    stage.frame(1);
    gone.next();
    stays.next();
    stage.hub.detach(1);
    stage.frame(1);
    stays.next();
    assert!(gone.packets.try_recv().is_err());
}

#[test]
fn who_waits_for_an_encoders_first_frame_costs_no_key_frame() {
    let mut stage = Stage::new(Joining::OnRequest);
    stage.hub.expect(1, RENDITION);
    let viewer = stage.join(1);
    stage.frame(1);
    viewer.next();
    stage.hub.drain();
    assert_eq!(stage.event(|_| true), HubEvent::Drained);
}

#[test]
fn requests_that_crossed_with_a_key_frame_cost_no_other() {
    let mut stage = Stage::new(Joining::OnRequest);
    let viewer = stage.join(1);
    stage.frame(1);
    viewer.next();
    for _ in 0..50 {
        viewer
            .sink
            .push_event(gst_video::UpstreamForceKeyUnitEvent::builder().build());
    }
    stage.hub.drain();
    let mut asked_again = false;
    stage.event(|event| {
        asked_again |= event == HubEvent::KeyFrameWanted(RENDITION);
        event == HubEvent::Drained
    });
    assert!(!asked_again);
}

/// A hub with one rendition, whose packets the test makes.
struct Stage {
    hub: Hub,
    rendition: gst::Pad,
    /// A link keeps neither of its pads.
    _end: gst::Pad,
    events: Receiver<HubEvent>,
    seq: u16,
    frames: u32,
}

/// What arrives at a viewer's webrtcbin.
struct Viewer {
    ssrc: u32,
    sink: gst::Pad,
    packets: Receiver<gst::Buffer>,
}

impl Stage {
    fn new(joining: Joining) -> Self {
        gst::init().expect("GStreamer");
        let (tell, events) = mpsc::channel();
        let hub = Hub::new(move |event| {
            let _ = tell.send(event);
        });
        let end = hub.add_rendition(RENDITION, STREAM, PayloadFormat::Vp8, 90_000, joining, || ());
        end.set_active(true).expect("the pad activates");
        let rendition = gst::Pad::builder(gst::PadDirection::Src).build();
        rendition.set_active(true).expect("the pad activates");
        rendition.link(&end).expect("the pads link");
        start(&rendition);
        Self {
            hub,
            rendition,
            _end: end,
            events,
            seq: 0,
            frames: 0,
        }
    }

    fn join(&mut self, viewer: u64) -> Viewer {
        let (tell, packets) = mpsc::channel();
        self.join_with(viewer, packets, move |list| {
            for buffer in list.iter_owned() {
                let _ = tell.send(buffer);
            }
        })
    }

    /// A viewer whose first push blocks until `released` is.
    fn join_blocking(&mut self, viewer: u64, released: Receiver<()>) -> Viewer {
        let (tell, packets) = mpsc::channel();
        let released = std::sync::Mutex::new(released);
        self.join_with(viewer, packets, move |list| {
            let _ = crate::lock(&released).recv();
            for buffer in list.iter_owned() {
                let _ = tell.send(buffer);
            }
        })
    }

    fn join_with(
        &mut self,
        viewer: u64,
        packets: Receiver<gst::Buffer>,
        take: impl Fn(gst::BufferList) + Send + Sync + 'static,
    ) -> Viewer {
        let sink = gst::Pad::builder(gst::PadDirection::Sink)
            .chain_list_function(move |_, _, list| {
                take(list);
                Ok(gst::FlowSuccess::Ok)
            })
            .build();
        sink.set_active(true).expect("the pad activates");
        let id = OutputId {
            viewer,
            stream: STREAM,
        };
        let request = self.hub.requester();
        let pad = ViewerPad::link_to(&sink, move || request(id)).expect("the pads link");
        pad.announce("viewer", &gst::Caps::new_empty_simple("application/x-rtp"));
        let ssrc = 0x5000 + u32::try_from(viewer).expect("a small number");
        self.hub.attach(OutputSpec {
            id,
            pad,
            outgoing: OutgoingStream {
                ssrc: Ssrc(ssrc),
                payload_type: PayloadType::new(96).expect("a payload type"),
                first_seq: SeqNo(1000),
                timestamp_offset: 0,
                extensions: Extensions::default(),
                first_picture_id: 0,
            },
            rendition: RENDITION,
        });
        Viewer { ssrc, sink, packets }
    }

    /// The rendition's next frame; the first one is a key frame.
    fn frame(&mut self, packets: u16) {
        let is_key = self.frames == 0;
        self.push(packets, is_key);
    }

    fn key_frame(&mut self, packets: u16) {
        self.push(packets, true);
    }

    fn push(&mut self, packets: u16, is_key: bool) {
        let mut list = gst::BufferList::new();
        for index in 0..packets {
            let is_last = index + 1 == packets;
            let buffer = vp8_packet(
                self.seq,
                self.frames * 3000,
                index == 0,
                is_last,
                is_key,
                self.frames as u16,
            );
            list.get_mut().expect("a new list").add(buffer);
            self.seq += 1;
        }
        self.frames += 1;
        self.rendition.push_list(list).expect("the hub takes it");
    }

    /// Waits for an event.
    fn event(&self, mut wanted: impl FnMut(HubEvent) -> bool) -> HubEvent {
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("the event comes");
            if wanted(event) {
                return event;
            }
        }
    }
}

impl Viewer {
    fn next(&self) -> gst::Buffer {
        self.packets.recv_timeout(PATIENCE).expect("the packet comes")
    }
}

fn start(pad: &gst::Pad) {
    pad.push_event(gst::event::StreamStart::new("test"));
    pad.push_event(gst::event::Caps::new(&gst::Caps::new_empty_simple(
        "application/x-rtp",
    )));
    pad.push_event(gst::event::Segment::new(
        &gst::FormattedSegment::<gst::ClockTime>::new(),
    ));
}

/// RTP (RFC 3550, section 5.1) with a VP8 payload descriptor of a 15-bit picture id (RFC 7741, section 4.2).
fn vp8_packet(
    seq: u16,
    timestamp: u32,
    is_first: bool,
    is_last: bool,
    is_key: bool,
    picture: u16,
) -> gst::Buffer {
    let mut bytes = vec![0x80, 96 | if is_last { 0x80 } else { 0 }];
    bytes.extend(seq.to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend(0xdead_beef_u32.to_be_bytes());
    bytes.push(0x80 | if is_first { 0x10 } else { 0 });
    bytes.push(0x80);
    bytes.extend((0x8000 | picture).to_be_bytes());
    let head = gst::Memory::from_slice(bytes);
    let payload = gst::Memory::from_slice(vec![u8::from(!is_key); 100]);
    let mut buffer = gst::Buffer::new();
    {
        let buffer = buffer.get_mut().expect("a new buffer");
        buffer.append_memory(head);
        buffer.append_memory(payload);
        buffer.set_pts(gst::ClockTime::from_mseconds(u64::from(timestamp) / 90));
    }
    buffer
}

fn ssrc_of(packet: &gst::Buffer) -> u32 {
    let mut bytes = [0; 4];
    packet.copy_to_slice(8, &mut bytes).expect("a header");
    u32::from_be_bytes(bytes)
}

fn seq_of(packet: &gst::Buffer) -> u16 {
    let mut bytes = [0; 2];
    packet.copy_to_slice(2, &mut bytes).expect("a header");
    u16::from_be_bytes(bytes)
}
