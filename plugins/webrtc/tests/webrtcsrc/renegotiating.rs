//! Streams that come and go within a session.

use gst::prelude::*;

use crate::consumer::{Consumer, Taste, init};
use crate::producer::{Producer, Stream};

#[test]
fn a_stream_that_the_producer_adds_gets_a_pad_and_the_others_stay() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    let before = consumer.wait_for_media("video_0");
    producer.add(Stream::Opus);
    consumer.wait_for_media("audio_0");
    producer.add(Stream::Vp9);
    consumer.wait_for_media("video_1");
    let after = consumer.received("video_0").unwrap();
    assert_eq!(after.stream_id, before.stream_id);
    assert!(!after.eos && !after.removed && after.buffers > before.buffers);
    assert_eq!(consumer.no_more_pads(), 1);
    consumer.assert_no_error();
}

#[test]
fn eos_comes_on_exactly_the_stream_that_is_removed() {
    init();
    let producer = Producer::new(&[Stream::Vp8, Stream::Opus, Stream::Vp9]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    for pad in ["video_0", "audio_0", "video_1"] {
        consumer.wait_for_media(pad);
    }
    producer.remove(0);
    consumer.wait("video_0", "EOS and removal", |received| {
        received.eos && received.removed
    });
    let answer = producer.wait_for_answer(1);
    assert_eq!(answer.matches("a=inactive").count(), 1, "{answer}");
    for pad in ["audio_0", "video_1"] {
        let before = consumer.received(pad).unwrap().buffers;
        let after = consumer.wait(pad, "more media", |received| received.buffers > before + 20);
        assert!(!after.eos && !after.removed, "{pad}");
    }
    assert_eq!(consumer.source.src_pads().len(), 2);
    consumer.assert_no_error();
}

#[test]
fn requested_pads_are_those_of_the_m_lines_of_their_index() {
    init();
    let producer = Producer::new(&[Stream::Vp8, Stream::Opus]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    let video = consumer.source.request_pad_simple("req_video_%u").unwrap();
    let audio = consumer.source.request_pad_simple("req_audio_%u").unwrap();
    consumer.link(&video, "video/x-vp8");
    consumer.link(&audio, "");
    consumer.play();
    consumer.wait_for_media("req_video_0");
    consumer.wait_for_media("req_audio_0");
    assert_eq!(consumer.source.src_pads().len(), 2, "no further pads are added");
    producer.leave();
    for pad in ["req_video_0", "req_audio_0"] {
        let left = consumer.wait(pad, "EOS", |received| received.eos);
        assert!(!left.removed, "{pad} is the application's");
    }
    consumer.forget();
    producer.begin();
    consumer.wait_for_media("req_video_0");
    consumer.assert_no_error();
}

#[test]
fn a_requested_pad_of_the_wrong_kind_gets_eos_and_the_m_line_rests() {
    init();
    let producer = Producer::new(&[Stream::Vp8, Stream::Opus]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    let audio = consumer.source.request_pad_simple("req_audio_%u").unwrap();
    consumer.link(&audio, "");
    consumer.play();
    consumer.wait("req_audio_0", "EOS", |received| received.eos);
    consumer.wait_for_media("audio_0");
    let answer = producer.wait_for_answer(0);
    assert_eq!(answer.matches("a=inactive").count(), 1, "{answer}");
    assert!(consumer.received("video_0").is_none());
    consumer.source.release_request_pad(&audio);
}

#[test]
fn a_stream_may_rest_and_be_used_again() {
    init();
    // The producer's webrtcbin cannot do that itself: its offers are changed on their way.
    let rounds = std::sync::atomic::AtomicUsize::new(0);
    let producer = Producer::munging(&[Stream::Vp8, Stream::Opus], move |offer| {
        let round = rounds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if round == 1 {
            offer.replacen("a=sendonly", "a=inactive", 1)
        } else {
            offer
        }
    });
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    producer.offer_again();
    consumer.wait("video_0", "EOS and removal", |received| {
        received.eos && received.removed
    });
    producer.wait_for_answer(1);
    consumer.forget();
    producer.offer_again();
    consumer.wait_for_media("video_0");
    consumer.assert_no_error();
}
