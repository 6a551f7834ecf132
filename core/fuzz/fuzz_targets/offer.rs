//! Any text as an offer: read, and completed, which must come to rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_negotiation::{Feedback, OfferOptions, complete_offer, read_offer};

fuzz_target!(|sdp: &str| {
    let _ = read_offer(sdp);
    let feedback = Feedback {
        nack: true,
        pli: true,
        fir: true,
        transport_cc: true,
    };
    let options = OfferOptions {
        rtx: true,
        formats: Vec::new(),
        feedback,
        send_only: true,
    };
    if let Ok(once) = complete_offer(sdp, &options)
        && let Ok(twice) = complete_offer(&once, &options)
    {
        assert_eq!(once, twice);
    }
});
