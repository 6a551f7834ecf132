#[test]
fn dump() {
    let options = super::OfferOptions {
        rtx: true,
        send_only: true,
        feedback: super::Feedback {
            nack: true,
            pli: true,
            fir: true,
            transport_cc: true,
        },
        formats: vec![],
    };
    let o = super::complete_offer(include_str!("../../fixtures/webrtcbin-offer.sdp"), &options).unwrap();
    std::fs::write("/tmp/corefix/completed.sdp", o).unwrap();
}
