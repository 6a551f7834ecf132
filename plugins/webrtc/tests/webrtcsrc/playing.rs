//! Media comes out, in the form that downstream accepts.

use gst::prelude::*;

use crate::consumer::{Consumer, Taste, init};
use crate::producer::{Producer, Stream};

#[test]
fn video_and_audio_are_decoded_for_who_takes_anything() {
    init();
    let producer = Producer::new(&[Stream::Vp8, Stream::Opus]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    let video = consumer.wait_for_media("video_0");
    let audio = consumer.wait_for_media("audio_0");
    assert!(video.caps.unwrap().starts_with("video/x-raw"));
    assert!(audio.caps.unwrap().starts_with("audio/x-raw"));
    assert_eq!(consumer.no_more_pads(), 1);
    producer.wait_for_connected();
    consumer.assert_no_error();
}

#[test]
fn every_video_codec_is_decoded() {
    init();
    for stream in [Stream::H264, Stream::Vp9] {
        let producer = Producer::new(&[stream]);
        let consumer = Consumer::new(
            producer.signaller(),
            Taste {
                video: "video/x-raw",
                audio: "",
            },
        );
        consumer.play();
        let video = consumer.wait_for_media("video_0");
        assert!(video.caps.unwrap().contains("width=(int)320"), "{stream:?}");
        consumer.assert_no_error();
    }
}

#[test]
fn encoded_media_goes_to_who_names_the_codec() {
    init();
    let producer = Producer::new(&[Stream::H264, Stream::Opus]);
    let taste = Taste {
        video: "video/x-h264,stream-format=avc,alignment=au",
        audio: "audio/x-opus",
    };
    let consumer = Consumer::new(producer.signaller(), taste);
    consumer.play();
    let video = consumer.wait_for_media("video_0").caps.unwrap();
    assert!(
        video.starts_with("video/x-h264") && video.contains("stream-format=(string)avc"),
        "{video}"
    );
    assert!(
        consumer
            .wait_for_media("audio_0")
            .caps
            .unwrap()
            .starts_with("audio/x-opus")
    );
    consumer.assert_no_error();
}

#[test]
fn rtp_goes_to_who_asks_for_rtp() {
    init();
    let producer = Producer::new(&[Stream::Vp8, Stream::Opus]);
    let taste = Taste {
        video: "application/x-rtp",
        audio: "application/x-rtp",
    };
    let consumer = Consumer::new(producer.signaller(), taste);
    consumer.play();
    let video = consumer.wait_for_media("video_0").caps.unwrap();
    assert!(
        video.starts_with("application/x-rtp") && video.contains("VP8"),
        "{video}"
    );
    assert!(consumer.wait_for_media("audio_0").caps.unwrap().contains("OPUS"));
    consumer.assert_no_error();
}

#[test]
fn raw_formats_that_no_decoder_makes_are_converted_to() {
    init();
    let producer = Producer::new(&[Stream::Vp8, Stream::Opus]);
    let taste = Taste {
        video: "video/x-raw,format=RGBA",
        audio: "audio/x-raw,format=F32LE,rate=44100,channels=1",
    };
    let consumer = Consumer::new(producer.signaller(), taste);
    consumer.play();
    assert!(consumer.wait_for_media("video_0").caps.unwrap().contains("RGBA"));
    assert!(
        consumer
            .wait_for_media("audio_0")
            .caps
            .unwrap()
            .contains("rate=(int)44100")
    );
    consumer.assert_no_error();
}

#[test]
fn the_applications_order_of_codecs_decides() {
    init();
    // One m-line with two codecs, as a browser offers.
    let producer = Producer::munging(&[Stream::H264], |offer| {
        offer
            .replace("SAVPF 98", "SAVPF 96 98")
            .replace("a=rtpmap:98", "a=rtpmap:96 VP8/90000\r\na=rtpmap:98")
    });
    let consumer = Consumer::new(
        producer.signaller(),
        Taste {
            video: "application/x-rtp",
            audio: "",
        },
    );
    consumer
        .source
        .set_property("video-codecs", gst::Array::new(["H264", "VP8"]));
    consumer.play();
    let answer = producer.wait_for_answer(0);
    assert!(
        answer.contains("a=rtpmap:98 H264/90000") && !answer.contains("VP8"),
        "{answer}"
    );
    consumer.wait_for_media("video_0");
}

#[test]
fn a_pad_that_is_linked_late_gets_media_from_a_key_frame_on() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let source = gst::ElementFactory::make("webrtcsrc")
        .property("signaller", producer.signaller())
        .build()
        .unwrap();
    let pipeline = gst::Pipeline::new();
    pipeline.add(&source).unwrap();
    let (to, pads) = std::sync::mpsc::channel();
    source.connect_pad_added(move |_, pad| to.send(pad.clone()).unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let pad = pads.recv_timeout(crate::PATIENCE).unwrap();
    producer.wait_for_connected();
    // Long after the first key frame: there is one in 3000.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let consumer = Consumer::around(&pipeline, &source);
    consumer.link(&pad, "video/x-vp8");
    let video = consumer.wait_for_media("video_0");
    assert!(video.key_frames >= 1, "{video:?}");
    assert!(producer.key_frame_requests() >= 1);
    consumer.stop();
}

#[test]
fn what_downstream_takes_may_change_while_media_flows() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(
        producer.signaller(),
        Taste {
            video: "video/x-raw",
            audio: "",
        },
    );
    consumer.play();
    assert!(
        consumer
            .wait_for_media("video_0")
            .caps
            .unwrap()
            .starts_with("video/x-raw")
    );

    let pad = consumer.source.static_pad("video_0").unwrap();
    let old = pad.peer().unwrap();
    pad.unlink(&old).unwrap();
    consumer.forget();
    consumer.link(&pad, "video/x-vp8");
    let video = consumer.wait_for_media("video_0");
    assert!(video.caps.unwrap().starts_with("video/x-vp8"));
    consumer.assert_no_error();
}

#[test]
fn a_form_that_we_do_not_have_is_a_warning_and_the_rest_plays() {
    init();
    let producer = Producer::new(&[Stream::Vp8, Stream::Opus]);
    let consumer = Consumer::new(
        producer.signaller(),
        Taste {
            video: "video/x-h264",
            audio: "",
        },
    );
    consumer.play();
    consumer.wait_for_media("audio_0");
    let warning = consumer.wait_for_warning();
    assert!(warning.contains("does not accept VP8"), "{warning}");
}

#[test]
fn a_key_frame_that_downstream_wants_is_asked_of_the_producer() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    let before = producer.key_frame_requests();
    let pad = consumer.source.static_pad("video_0").unwrap();
    pad.send_event(
        gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build(),
    );
    producer.wait_for_key_frame_requests(before + 1);
}

#[test]
fn the_applications_filter_for_encoded_media_is_used() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    let (to, asked) = std::sync::mpsc::channel();
    consumer
        .source
        .connect("request-encoded-filter", false, move |values| {
            let caps = values[3]
                .get::<Option<gst::Caps>>()
                .unwrap()
                .map(|caps| caps.to_string());
            to.send((
                values[1].get::<String>().unwrap(),
                values[2].get::<String>().unwrap(),
                caps,
            ))
            .unwrap();
            let filter = gst::ElementFactory::make("identity")
                .name("the-filter")
                .build()
                .unwrap();
            Some(Some(filter).to_value())
        });
    consumer.play();
    consumer.wait_for_media("video_0");
    let asked = asked.try_recv().unwrap();
    assert_eq!(
        asked,
        ("producer".into(), "video_0".into(), Some("video/x-vp8".into()))
    );
    let bin = consumer.source.downcast_ref::<gst::Bin>().unwrap();
    assert!(bin.by_name("the-filter").is_some());
}

#[test]
fn two_sources_in_one_pipeline_have_different_stream_ids() {
    init();
    let producers = [Producer::new(&[Stream::Vp8]), Producer::new(&[Stream::Vp8])];
    let ids = producers.map(|producer| {
        let consumer = Consumer::new(producer.signaller(), Taste::default());
        consumer.play();
        consumer.wait_for_media("video_0").stream_id.unwrap()
    });
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn the_latency_is_that_of_the_jitter_buffer_and_can_be_changed_while_playing() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.source.set_property("latency", 80u32);
    consumer.play();
    consumer.wait_for_media("video_0");
    let latency = || {
        let mut query = gst::query::Latency::new();
        let pad = consumer.source.static_pad("video_0").unwrap();
        assert!(pad.query(&mut query));
        let (live, min, _) = query.result();
        assert!(live);
        min.mseconds()
    };
    assert_eq!(latency(), 80);
    let mut query = gst::query::Latency::new();
    assert!(consumer.source.query(&mut query));
    assert!(query.result().0);
    assert_eq!(query.result().1.mseconds(), 80);
    consumer.source.set_property("latency", 150u32);
    let bin = consumer.source.downcast_ref::<gst::Bin>().unwrap();
    let webrtcbin = bin
        .iterate_all_by_element_factory_name("webrtcbin")
        .next()
        .unwrap()
        .unwrap();
    let deadline = std::time::Instant::now() + crate::PATIENCE;
    while webrtcbin.property::<u32>("latency") != 150 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(latency(), 150);
}

#[test]
fn lost_video_packets_are_asked_for_again_next_to_audio_too() {
    init();
    let producer = Producer::new(&[Stream::Vp8, Stream::Opus]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    let answer = producer.wait_for_answer(0);
    assert!(
        answer.contains("a=rtcp-fb:96 nack\r\n") && answer.contains("rtx/90000"),
        "{answer}"
    );
    consumer.wait_for_media("video_0");
    consumer.wait_for_media("audio_0");
    let bin = consumer.source.downcast_ref::<gst::Bin>().unwrap();
    let buffers = bin
        .iterate_all_by_element_factory_name("rtpjitterbuffer")
        .into_iter()
        .flatten();
    let asking = buffers
        .filter(|buffer| buffer.property::<bool>("do-retransmission"))
        .count();
    assert_eq!(asking, 1, "video's, and not audio's");
}

#[test]
fn statistics_are_those_of_the_session_and_of_webrtcbin() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    assert_eq!(consumer.source.property::<gst::Structure>("stats").n_fields(), 0);
    consumer.play();
    consumer.wait_for_media("video_0");
    let deadline = std::time::Instant::now() + crate::PATIENCE;
    loop {
        let stats = consumer.source.property::<gst::Structure>("stats");
        if let Ok(session) = stats.get::<gst::Structure>(&producer.session()) {
            assert_eq!(session.name(), "application/x-webrtc-stats");
            assert!(session.has_field("source-stats"));
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{stats}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn forward_error_correction_is_taken_and_media_plays_through_it() {
    init();
    let producer = Producer::with_fec(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    let answer = producer.wait_for_answer(0);
    assert!(
        answer.contains("ulpfec/90000") && answer.contains("red/90000"),
        "{answer}"
    );
    consumer.wait_for_media("video_0");
    consumer.assert_no_error();
}

#[test]
fn what_is_lost_on_the_way_ends_nothing() {
    init();
    for stream in [Stream::Vp8, Stream::H264] {
        let producer = Producer::new(&[stream, Stream::Opus]);
        let consumer = Consumer::new(producer.signaller(), Taste::default());
        consumer.play();
        consumer.wait_for_media("video_0");
        producer.lose_one_in(5);
        for pad in ["video_0", "audio_0"] {
            let before = consumer.received(pad).unwrap().buffers;
            consumer.wait(pad, "media in spite of loss", |received| {
                received.buffers > before + 30
            });
        }
        consumer.assert_no_error();
    }
}

#[test]
fn a_decoder_that_fails_is_replaced_and_a_warning() {
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    // Stands before the decoder, and fails like one.
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let once = broken.clone();
    consumer
        .source
        .connect("request-encoded-filter", false, move |_| {
            let breaks = once.swap(false, std::sync::atomic::Ordering::SeqCst);
            let filter = gst::ElementFactory::make("identity")
                .property("error-after", if breaks { 5i32 } else { -1 })
                .build()
                .unwrap();
            Some(Some(filter).to_value())
        });
    consumer.play();
    let video = consumer.wait_for_media("video_0");
    assert!(!video.eos);
    consumer.wait_for_warning();
    consumer.assert_no_error();
    assert!(!broken.load(std::sync::atomic::Ordering::SeqCst));
}

#[test]
fn a_source_that_is_asked_for_an_offer_makes_one() {
    use crate::answerer::Answerer;
    init();
    let answerer = Answerer::new();
    let consumer = Consumer::new(answerer.signaller(), Taste::default());
    consumer
        .source
        .set_property("video-codecs", gst::Array::new(["VP8"]));
    consumer.play();
    let video = consumer.wait_for_media("video_0");
    assert!(video.caps.unwrap().starts_with("video/x-raw"));
    consumer.assert_no_error();
}
