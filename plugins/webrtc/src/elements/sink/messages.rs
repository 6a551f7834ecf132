//! What the application is told on the bus.
//!
//! Each change of a viewer is an element message with a structure named `weir-viewer`: `event` (`joined`,
//! `connected` or `left`), `session-id` and `peer-id`; `connected` adds `local-candidate-type` and
//! `remote-candidate-type` (`host`, `srflx`, `prflx` or `relay`), `left` adds `reason` (a stable code) and
//! `message` (a sentence).

use gst::prelude::*;
use weir_negotiation::EndReason;

/// Who a message is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewerNames<'a> {
    pub(super) session_id: &'a str,
    pub(super) peer_id: &'a str,
}

/// A session was accepted.
pub(super) fn joined(element: &gst::Element, names: ViewerNames<'_>) {
    post(element, viewer("joined", names).build());
}

/// A viewer's media flows, over candidates of these kinds.
pub(super) fn connected(element: &gst::Element, names: ViewerNames<'_>, pair: &CandidatePair) {
    post(
        element,
        viewer("connected", names)
            .field("local-candidate-type", &pair.local)
            .field("remote-candidate-type", &pair.remote)
            .build(),
    );
}

/// A session is over.
pub(super) fn left(element: &gst::Element, names: ViewerNames<'_>, reason: &EndReason) {
    post(
        element,
        viewer("left", names)
            .field("reason", reason.code())
            .field("message", reason.to_string())
            .build(),
    );
}

/// The kinds of the candidates that media flows over; `unknown` where webrtcbin does not tell.
#[derive(Clone, Debug)]
pub(super) struct CandidatePair {
    pub(super) local: String,
    pub(super) remote: String,
}

impl CandidatePair {
    /// Reads the selected pair out of webrtcbin's statistics.
    ///
    /// By the ids in the pair: webrtcbin 1.22 calls local candidates remote ones by their `type`, and the other way
    /// round.
    pub(super) fn from_stats(stats: &gst::StructureRef) -> Self {
        let entries = || {
            stats
                .iter()
                .filter_map(|(_, value)| value.get::<gst::Structure>().ok())
        };
        let pair = entries().find(|entry| {
            entry.get::<gst_webrtc::WebRTCStatsType>("type") == Ok(gst_webrtc::WebRTCStatsType::CandidatePair)
        });
        let kind = |end: &str| {
            let id = pair.as_ref()?.get::<String>(end).ok()?;
            let candidate = entries().find(|entry| entry.get::<&str>("id") == Ok(id.as_str()))?;
            candidate.get::<&str>("candidate-type").ok().map(short)
        };
        Self {
            local: kind("local-candidate-id").unwrap_or_else(|| "unknown".to_owned()),
            remote: kind("remote-candidate-id").unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

fn short(kind: &str) -> String {
    match kind {
        "server-reflexive" => "srflx".to_owned(),
        "peer-reflexive" => "prflx".to_owned(),
        "relayed" => "relay".to_owned(),
        other => other.to_owned(),
    }
}

fn viewer(event: &str, names: ViewerNames<'_>) -> gst::structure::Builder {
    gst::Structure::builder("weir-viewer")
        .field("event", event)
        .field("session-id", names.session_id)
        .field("peer-id", names.peer_id)
}

fn post(element: &gst::Element, structure: gst::Structure) {
    let _ = element.post_message(gst::message::Element::builder(structure).src(element).build());
}
