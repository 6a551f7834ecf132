//! Sessions that end, and what is left of them.

use gst::prelude::*;

use crate::consumer::{Consumer, Taste, init};
use crate::producer::{Producer, Stream};

#[test]
fn when_the_producer_leaves_every_pad_has_eos_and_goes() {
    init();
    let producer = Producer::new(&[Stream::Vp8, Stream::Opus]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    for pad in ["video_0", "audio_0"] {
        consumer.wait_for_media(pad);
    }
    producer.leave();
    for pad in ["video_0", "audio_0"] {
        let gone = consumer.wait(pad, "EOS and removal", |received| {
            received.eos && received.removed
        });
        assert!(!gone.flushed, "what has come in is played to its end");
    }
    let ended = consumer.wait_for_session("ended");
    assert_eq!(ended.get::<&str>("reason").unwrap(), "producer-left");
    consumer.assert_no_error();
    assert!(consumer.source.src_pads().is_empty());
    let bin = consumer.source.downcast_ref::<gst::Bin>().unwrap();
    assert_eq!(bin.children().len(), 0);
}

#[test]
fn the_next_session_plays_like_the_first() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    producer.leave();
    consumer.wait_for_session("ended");
    consumer.forget();
    producer.begin();
    consumer.wait_for_media("video_0");
    assert_eq!(producer.sessions(), 2);
}

#[test]
fn ready_and_playing_again_and_again() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    for round in 1..=3 {
        consumer.play();
        consumer.wait_for_media("video_0");
        consumer.pipeline.set_state(gst::State::Ready).unwrap();
        assert!(consumer.source.src_pads().is_empty());
        assert_eq!(producer.sessions(), round);
        assert_eq!(
            producer.wait_for_end(),
            None,
            "the producer is told, without a complaint"
        );
        consumer.forget();
    }
}

#[test]
fn sessions_leave_no_thread_behind() {
    init();
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let round = || {
        let producer = Producer::new(&[Stream::Vp8, Stream::Opus]);
        let consumer = Consumer::new(producer.signaller(), Taste::default());
        consumer.play();
        consumer.wait_for_media("video_0");
        producer.leave();
        consumer.wait_for_session("ended");
    };
    // The first starts what lives as long as the process: thread pools, GLib's main context of the resolver.
    round();
    let deadline = std::time::Instant::now() + crate::PATIENCE;
    let base = threads();
    for _ in 0..3 {
        round();
    }
    while threads() > base {
        assert!(
            std::time::Instant::now() < deadline,
            "{} threads, {base} after the first session",
            threads()
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn an_offer_that_cannot_be_used_ends_the_session_with_a_warning() {
    init();
    let broken: [fn(String) -> String; 6] = [
        |_| String::new(),
        |offer| offer.replace("a=mid:", "a=dim:"),
        |offer| offer.replace("a=ice-ufrag", "a=nothing"),
        |offer| offer.replace("a=fingerprint", "a=nothing"),
        |offer| offer.replace("BUNDLE ", "BUNDLE nobody "),
        |offer| format!("{offer}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"),
    ];
    for (number, munge) in broken.into_iter().enumerate() {
        let producer = Producer::munging(&[Stream::Vp8], munge);
        let consumer = Consumer::new(producer.signaller(), Taste::default());
        consumer.play();
        let warning = consumer.wait_for_warning();
        assert!(warning.contains("offer cannot be used"), "{number}: {warning}");
        let told = producer.wait_for_end().unwrap();
        assert!(told.starts_with("bad-offer:"), "{number}: {told}");
        consumer.assert_no_error();
    }
}

#[test]
fn a_producer_with_none_of_the_codecs_is_told_so() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer
        .source
        .set_property("video-codecs", gst::Array::new(["H264"]));
    consumer.play();
    let told = producer.wait_for_end().unwrap();
    assert!(told.starts_with("no-common-codec:"), "{told}");
}

#[test]
fn useless_candidates_are_ignored_until_there_are_too_many() {
    use gstweir::signaller::SignallableExt;
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    let session = producer.session();
    for _ in 0..200 {
        producer
            .signaller()
            .emit_handle_ice(&session, 99, None, "candidate:nonsense");
    }
    consumer.forget();
    consumer.wait_for_media("video_0");
    producer
        .signaller()
        .emit_handle_ice(&session, 0, None, "candidate:once too often");
    let told = producer.wait_for_end().unwrap();
    assert!(told.starts_with("too-many-bad-candidates:"), "{told}");
}

#[test]
fn a_second_session_is_not_begun_while_there_is_one() {
    use gstweir::signaller::SignallableExt;
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    producer.signaller().emit_session_started("another", "somebody");
    assert!(!producer.signaller().emit_session_ended("another", None));
    consumer.forget();
    consumer.wait_for_media("video_0");
}

#[test]
fn signalling_that_is_lost_is_a_warning_and_media_goes_on() {
    use gstweir::signaller::SignallableExt;
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    producer.signaller().emit_connection_lost("the server is gone");
    let warning = consumer.wait_for_warning();
    assert!(warning.contains("the server is gone"), "{warning}");
    consumer.forget();
    consumer.wait_for_media("video_0");
}

#[test]
fn a_producer_that_vanishes_is_found_out_by_its_silence() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    producer.wait_for_connected();
    let since = std::time::Instant::now();
    producer.vanish();
    let ended = consumer.wait_for_session("ended");
    assert_eq!(ended.get::<&str>("reason").unwrap(), "vanished");
    assert!(
        since.elapsed() < std::time::Duration::from_secs(15),
        "{:?}",
        since.elapsed()
    );
    consumer.wait("video_0", "EOS and removal", |received| {
        received.eos && received.removed
    });
    let told = producer.wait_for_end().unwrap();
    assert!(told.starts_with("vanished:"), "{told}");
}
