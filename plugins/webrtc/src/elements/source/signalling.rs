//! The signaller's signals, as facts for the coordinator; and its handlers' lifetime.

use gst::glib;
use gst::prelude::*;

use super::BaseWebRTCSrc;
use super::coordinator::{Fact, Mailbox};
use super::imp;
use crate::signaller::{Signallable, SignallableExt};

/// A signaller, listened to until this is dropped.
#[derive(Debug)]
pub(super) struct Signalling {
    signaller: Signallable,
    handlers: Vec<glib::SignalHandlerId>,
}

impl Signalling {
    /// Listens to `signaller`. Its handlers only queue, so it may emit on any thread.
    pub(super) fn listen(signaller: &Signallable, mailbox: &Mailbox, element: &BaseWebRTCSrc) -> Self {
        let element = element.downgrade();
        let mut handlers = vec![signaller.connect_request_meta({
            let element = element.clone();
            move |_| element.upgrade().and_then(|element| imp::meta_of(&element))
        })];
        handlers.push(signaller.connect_session_started({
            let to = mailbox.clone();
            move |_, session, peer| {
                to.post_from_network(Fact::SessionStarted {
                    session_id: session.to_owned(),
                    peer_id: peer.to_owned(),
                });
            }
        }));
        handlers.push(signaller.connect_session_requested({
            let to = mailbox.clone();
            move |_, session, peer, offer| {
                to.post_from_network(Fact::SessionRequested {
                    session_id: session.to_owned(),
                    peer_id: peer.to_owned(),
                    offer,
                });
            }
        }));
        handlers.push(signaller.connect_session_description({
            let to = mailbox.clone();
            move |_, session, description| {
                to.post_from_network(Fact::Description {
                    session_id: session.to_owned(),
                    description,
                });
            }
        }));
        handlers.push(signaller.connect_handle_ice({
            let to = mailbox.clone();
            move |_, session, mline, _mid, candidate| {
                to.post_from_network(Fact::Candidate {
                    session_id: session.to_owned(),
                    mline,
                    candidate: candidate.to_owned(),
                });
            }
        }));
        handlers.extend(signaller.connect_session_ended({
            let (to, element) = (mailbox.clone(), element.clone());
            move |_, session, error| {
                let known = element
                    .upgrade()
                    .is_some_and(|element| imp::knows_session(&element, session));
                to.post(Fact::SessionEnded {
                    session_id: session.to_owned(),
                    error: error.map(str::to_owned),
                });
                known
            }
        }));
        handlers.push(signaller.connect_error({
            let to = mailbox.clone();
            move |_, sentence| to.post(Fact::SignallingFailed(sentence.to_owned()))
        }));
        for connect in [
            SignallableExt::connect_connection_lost,
            SignallableExt::connect_warning,
        ] {
            let to = mailbox.clone();
            handlers.push(connect(signaller, move |_: &Signallable, sentence: &str| {
                to.post_from_network(Fact::SignallingWarning(sentence.to_owned()));
            }));
        }
        handlers.push(signaller.connect_shutdown({
            let to = mailbox.clone();
            move |_| to.post(Fact::Shutdown)
        }));
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
