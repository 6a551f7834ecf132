//! Any text as an answer to webrtcbin's offer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_negotiation::{Codec, choose_codec, read_answer};

const OFFER: &str = include_str!("../../negotiation/fixtures/webrtcbin-offer.sdp");

fuzz_target!(|answer: &str| match read_answer(OFFER, answer) {
    Ok(media) => {
        for media in media {
            let accepted: Vec<_> = media
                .formats
                .into_iter()
                .map(|accepted| accepted.format)
                .collect();
            let _ = choose_codec(&Codec::ALL, &accepted, &[Codec::H264], 1);
        }
    }
    Err(error) => assert!(!error.code().is_empty()),
});
