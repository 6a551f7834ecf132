//! What the application is told on the bus.
//!
//! Each change of the session is an element message with a structure named `weir-session`: `event` (`started`,
//! `connected` or `ended`), `session-id` and `peer-id`; `ended` adds `reason` (a stable code) and `message` (a
//! sentence).

use gst::prelude::*;
use weir_negotiation::EndReason;

/// Which session a message is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionNames<'a> {
    pub(super) session_id: &'a str,
    pub(super) peer_id: &'a str,
}

/// The producer's offer was answered.
pub(super) fn started(element: &gst::Element, names: SessionNames<'_>) {
    post(element, session("started", names).build());
}

/// Media flows.
pub(super) fn connected(element: &gst::Element, names: SessionNames<'_>) {
    post(element, session("connected", names).build());
}

/// The session is over; `detail` is what the producer or webrtcbin said.
pub(super) fn ended(
    element: &gst::Element,
    names: SessionNames<'_>,
    reason: EndReason,
    detail: Option<&str>,
) {
    let mut message = sentence(reason).to_owned();
    if let Some(detail) = detail {
        message += ": ";
        message += detail;
    }
    post(
        element,
        session("ended", names)
            .field("reason", reason.code())
            .field("message", &message)
            .build(),
    );
    if !is_expected(reason) {
        gst::element_warning!(element, gst::StreamError::Failed, ("Session ended: {}", message));
    }
}

/// Something went wrong that ends nothing.
pub(super) fn warning(element: &gst::Element, sentence: &str) {
    gst::element_warning!(element, gst::StreamError::Failed, ("{}", sentence));
}

/// Something went wrong that ends everything.
pub(super) fn error(element: &gst::Element, sentence: &str) {
    gst::element_error!(element, gst::StreamError::Failed, ("{}", sentence));
}

/// Whether a session may end in this way with nothing being wrong.
fn is_expected(reason: EndReason) -> bool {
    matches!(
        reason,
        EndReason::ProducerLeft | EndReason::EndOfStream | EndReason::ViewerLeft | EndReason::Stopped
    )
}

/// The reason as a consumer sees it.
pub(super) fn sentence(reason: EndReason) -> &'static str {
    match reason {
        EndReason::NoAnswer => "the producer made no offer in time",
        EndReason::NoConnection => "no connection to the producer came about in time",
        EndReason::ConnectionFailed => "the connection to the producer failed",
        EndReason::Vanished => "nothing has been heard of the producer",
        EndReason::BadOffer => "the producer's offer cannot be used",
        EndReason::BadAnswer => "the producer's answer cannot be used",
        EndReason::NoCommonCodec => "the producer offers none of the codecs",
        EndReason::TooManyBadCandidates => "the producer sent too many candidates that cannot be used",
        EndReason::ProducerLeft => "the producer ended it",
        EndReason::EndOfStream => "the stream has ended",
        EndReason::Stopped | EndReason::ViewerLeft => "it was stopped here",
        _ => "something went wrong on this side",
    }
}

fn session(event: &str, names: SessionNames<'_>) -> gst::structure::Builder {
    gst::Structure::builder("weir-session")
        .field("event", event)
        .field("session-id", names.session_id)
        .field("peer-id", names.peer_id)
}

fn post(element: &gst::Element, structure: gst::Structure) {
    let _ = element.post_message(gst::message::Element::builder(structure).src(element).build());
}
