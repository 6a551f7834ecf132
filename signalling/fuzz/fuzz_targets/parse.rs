//! Any text is a message or a short error, and a message that is written can be read again.
//!
//! `signalling/protocol/golden` makes a good corpus.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_protocol::parse_client_message;

fuzz_target!(|text: &str| {
    match parse_client_message(text) {
        Ok(message) => {
            let written = serde_json::to_string(&message).expect("every message can be written");
            // Fractions in metadata may differ in their last digit.
            assert_eq!(parse_client_message(&written).map(|message| message.kind()), Ok(message.kind()));
        }
        Err(error) => assert!(error.to_string().len() < 1000),
    }
});
