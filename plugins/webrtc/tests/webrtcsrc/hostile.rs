//! Producers that mean harm: whatever they send, the process lives, and the next session plays.

use std::sync::{Arc, Mutex};

use gstweir::signaller::SignallableExt;

use crate::consumer::{Consumer, Taste, init};
use crate::producer::{Producer, Stream};

/// Every offer that `offer` becomes by one change to one of its lines.
fn mutations(offer: &str) -> Vec<String> {
    let lines: Vec<&str> = offer.lines().collect();
    let join = |lines: Vec<&str>| lines.iter().flat_map(|line| [*line, "\r\n"]).collect::<String>();
    let mut mutations = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let with = |replacement: &[&str]| {
            let mut changed = lines.clone();
            changed.splice(index..=index, replacement.iter().copied());
            join(changed)
        };
        mutations.push(with(&[]));
        mutations.push(with(&[line, line]));
        let key = line.split_inclusive([':', '=']).next().unwrap_or_default();
        mutations.push(with(&[key]));
        mutations.push(with(&[&format!("{key}-1 4294967295 x=y;z")]));
        mutations.push(with(&[&line.replace(|c: char| c.is_ascii_digit(), "9")]));
    }
    mutations
}

#[test]
fn offers_with_a_line_that_is_wrong_end_at_most_their_own_session() {
    init();
    let offers = Arc::new(Mutex::new(Vec::new()));
    let seen = offers.clone();
    let producer = Producer::munging(&[Stream::Vp8, Stream::Opus], move |offer| {
        seen.lock().unwrap().push(offer.clone());
        offer
    });
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    producer.leave();
    consumer.wait_for_session("ended");

    let offer = offers.lock().unwrap()[0].clone();
    let mutations = mutations(&offer);
    assert!(mutations.len() > 200, "{} offers", mutations.len());
    for (number, text) in mutations.iter().enumerate() {
        let Ok(sdp) = gst_sdp::SDPMessage::parse_buffer(text.as_bytes()) else {
            continue;
        };
        let session = format!("hostile-{number}");
        let kind = gst_webrtc::WebRTCSDPType::Offer;
        producer.signaller().emit_session_started(&session, "somebody");
        let description = gst_webrtc::WebRTCSessionDescription::new(kind, sdp);
        producer
            .signaller()
            .emit_session_description(&session, &description);
        // A second one, upon whatever came of the first.
        producer
            .signaller()
            .emit_session_description(&session, &description);
        producer.settle(&session);
        producer.signaller().emit_session_ended(&session, None);
        consumer.wait_for_session("ended");
    }
    consumer.forget();
    producer.begin();
    consumer.wait_for_media("video_0");
    consumer.assert_no_error();
}

#[test]
fn packets_of_invented_ssrcs_are_not_taken_without_end() {
    use gst::prelude::*;
    init();
    let producer = Producer::new(&[Stream::Vp8]);
    let consumer = Consumer::new(producer.signaller(), Taste::default());
    consumer.play();
    consumer.wait_for_media("video_0");
    // Before encryption, each packet of some is given an SSRC of its own.
    let webrtcbin = producer.webrtcbin();
    let bin = webrtcbin.downcast_ref::<gst::Bin>().unwrap();
    let rtpbin = bin.by_name("rtpbin").unwrap();
    let pad = rtpbin.static_pad("send_rtp_src_0").unwrap();
    let sent = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = sent.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let Some(buffer) = info.buffer_mut() else {
            return gst::PadProbeReturn::Ok;
        };
        if number % 2 == 1 {
            let buffer = buffer.make_mut();
            let mut map = buffer.map_writable().unwrap();
            map[8..12].copy_from_slice(&(0x5000_0000 + number).to_be_bytes());
        }
        gst::PadProbeReturn::Ok
    });
    while sent.load(std::sync::atomic::Ordering::Relaxed) < 400 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let source = consumer.source.downcast_ref::<gst::Bin>().unwrap();
    let buffers = source
        .iterate_all_by_element_factory_name("rtpjitterbuffer")
        .into_iter()
        .flatten()
        .count();
    assert!(buffers <= 64, "{buffers} jitter buffers");
    producer.leave();
    consumer.wait_for_session("ended");
    consumer.assert_no_error();
}
