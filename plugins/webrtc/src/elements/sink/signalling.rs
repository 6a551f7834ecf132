//! The signaller's signals, as facts for the coordinator; and its handlers' lifetime.

use gst::glib;
use gst::prelude::*;
use weir_negotiation::EndReason;

use super::coordinator::{Fact, Mailbox};
use super::imp;
use crate::signaller::{Signallable, SignallableExt};

/// A session's end, as its peer is told: the code and a sentence.
pub(super) fn reason_text(reason: EndReason) -> String {
    format!("{}: {reason}", reason.code())
}

/// A signaller, listened to. Dropping it disconnects every handler, so that a signaller that was replaced no
/// longer reaches the element.
#[derive(Debug)]
pub(super) struct Signalling {
    signaller: Signallable,
    handlers: Vec<glib::SignalHandlerId>,
}

impl Signalling {
    /// Listens to `signaller`, and passes on what it says as facts. Its handlers only queue, so it may emit on
    /// any thread.
    pub(super) fn listen(
        signaller: &Signallable,
        mailbox: &Mailbox,
        element: &super::BaseWebRTCSink,
    ) -> Self {
        let mut handlers = Vec::new();
        let element = element.downgrade();
        handlers.push(signaller.connect_request_meta(move |_| {
            element
                .upgrade()
                .and_then(|element| imp::settings_of(&element).meta)
        }));
        let to = mailbox.clone();
        handlers.push(
            signaller.connect_session_requested(move |signaller, session, peer, offer| {
                let is_posted = to.post_from_network(Fact::SessionRequested {
                    session_id: session.to_owned(),
                    peer_id: peer.to_owned(),
                    offer,
                });
                if !is_posted {
                    signaller.end_session(session, Some(&reason_text(EndReason::Busy)));
                }
            }),
        );
        let to = mailbox.clone();
        handlers.push(
            signaller.connect_session_description(move |_, session, description| {
                to.post_from_network(Fact::Description {
                    session_id: session.to_owned(),
                    description,
                });
            }),
        );
        let to = mailbox.clone();
        handlers.push(
            signaller.connect_handle_ice(move |_, session, mline, _mid, candidate| {
                to.post_from_network(Fact::Candidate {
                    session_id: session.to_owned(),
                    mline,
                    candidate: candidate.to_owned(),
                });
            }),
        );
        let to = mailbox.clone();
        handlers.extend(signaller.connect_session_ended(move |_, session, error| {
            to.post(Fact::SessionEnded {
                session_id: session.to_owned(),
                error: error.map(str::to_owned),
            });
            false
        }));
        let to = mailbox.clone();
        handlers.push(signaller.connect_shutdown(move |_| to.post(Fact::Shutdown)));
        let to = mailbox.clone();
        handlers.push(
            signaller.connect_error(move |_, sentence| to.post(Fact::SignallingFailed(sentence.to_owned()))),
        );
        for connect in [
            SignallableExt::connect_connection_lost,
            SignallableExt::connect_warning,
        ] {
            let to = mailbox.clone();
            handlers.push(connect(signaller, move |_: &Signallable, sentence: &str| {
                to.post(Fact::SignallingWarning(sentence.to_owned()));
            }));
        }
        Self {
            signaller: signaller.clone(),
            handlers,
        }
    }

    /// The signaller.
    pub(super) fn signaller(&self) -> &Signallable {
        &self.signaller
    }
}

impl Drop for Signalling {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            self.signaller.disconnect(handler);
        }
    }
}
