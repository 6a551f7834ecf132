//! Media comes out, in the form that downstream accepts.

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
    consumer.assert_no_error();
}
