//! Session descriptions for the tests.

/// What webrtcbin 1.22 offers for VP8, H.264 and VP9, sending, and Opus, both ways: one retransmission format.
pub(crate) const WEBRTCBIN_OFFER: &str = include_str!("../fixtures/webrtcbin-offer.sdp");

/// What Chromium answers to that offer, completed.
pub(crate) const CHROMIUM_ANSWER: &str = include_str!("../fixtures/chromium-answer.sdp");

/// What Chromium offers to watch one video and one audio.
pub(crate) const CHROMIUM_VIEWER_OFFER: &str = include_str!("../fixtures/chromium-viewer-offer.sdp");

/// A description with these m-lines, each with its attributes, under session attributes that suffice to connect.
pub(crate) fn description(media: &[&str]) -> String {
    let session = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 AA\r\n";
    let media: String = media
        .iter()
        .flat_map(|media| media.lines())
        .map(|line| format!("{}\r\n", line.trim()))
        .collect();
    format!("{session}{media}")
}

/// The lines of a description that begin with `prefix`.
pub(crate) fn lines<'a>(sdp: &'a str, prefix: &str) -> Vec<&'a str> {
    sdp.lines().filter(|line| line.starts_with(prefix)).collect()
}
