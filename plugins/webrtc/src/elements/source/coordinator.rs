//! Routes facts to the session, and keeps its time.
//!
//! One thread owns the session while the element is PAUSED or PLAYING. Everybody else, on whatever thread, posts facts
//! to its mailbox and goes on; so no handler of the application's, of the signaller's or of webrtcbin's waits for
//! another, and no lock is held across a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_webrtc::{WebRTCSDPType, WebRTCSessionDescription};
use weir_negotiation::EndReason;
use weir_units::Timestamp;

use super::session::{Session, SessionEnd};
use super::{BaseWebRTCSrc, imp, messages};
use crate::session::ConnectionEvent;
use crate::signaller::{Signallable, SignallableExt};

/// What happened.
#[derive(Debug)]
pub(super) enum Fact {
    /// The signaller: the session that was asked for exists.
    SessionStarted { session_id: String, peer_id: String },
    /// The signaller: a peer wants a session, with its offer or with one of ours.
    SessionRequested {
        session_id: String,
        peer_id: String,
        offer: Option<WebRTCSessionDescription>,
    },
    /// The signaller: the producer's description.
    Description {
        session_id: String,
        description: WebRTCSessionDescription,
    },
    /// The signaller: a candidate of the producer's.
    Candidate {
        session_id: String,
        mline: u32,
        candidate: String,
    },
    /// The signaller: the session is over.
    SessionEnded {
        session_id: String,
        error: Option<String>,
    },
    /// The signaller: the element shall send EOS.
    Shutdown,
    /// The signaller: it cannot go on.
    SignallingFailed(String),
    /// The signaller: something is wrong that ends nothing.
    SignallingWarning(String),

    /// A webrtcbin has something to say.
    Connection { generation: u64, event: ConnectionEvent },
    /// An element of ours failed.
    ChildFailed { child: gst::Object, message: String },
    /// An output has something to warn of.
    Trouble(String),
    /// Another `latency` was set, in milliseconds.
    Latency(u32),
    /// PAUSED to READY.
    Stop,
}

/// Where facts are posted. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    sender: mpsc::Sender<Fact>,
    waiting: Arc<AtomicUsize>,
}

/// Facts from strangers that may wait; what comes while there are more is dropped.
const WAITING_LIMIT: usize = 4096;

impl Mailbox {
    /// Posts a fact. Never waits.
    pub(super) fn post(&self, fact: Fact) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Nobody listens once the element has stopped.
        let _ = self.sender.send(fact);
    }

    /// Posts a fact that a stranger can cause as often as it likes.
    pub(super) fn post_from_network(&self, fact: Fact) {
        if self.waiting.load(Ordering::Relaxed) < WAITING_LIMIT {
            self.post(fact);
        }
    }
}

/// The coordinator's thread, from outside.
#[derive(Debug)]
pub(super) struct Worker {
    mailbox: Mailbox,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread. `signaller` carries what it has to say.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(element: &BaseWebRTCSrc, signaller: &Signallable) -> std::io::Result<Self> {
        let (sender, facts) = mpsc::channel();
        let mailbox = Mailbox {
            sender,
            waiting: Arc::default(),
        };
        let coordinator = Coordinator {
            element: element.clone(),
            signaller: signaller.clone(),
            mailbox: mailbox.clone(),
            epoch: Instant::now(),
            generation: 0,
            session: None,
            next_look: Timestamp::ZERO,
            last_trouble: None,
        };
        let thread = std::thread::Builder::new()
            .name("weir-source".to_owned())
            .spawn(move || coordinator.run(&facts))?;
        Ok(Self { mailbox, thread })
    }

    /// Where to post facts.
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Ends the session and the thread, and waits for both; unless called from the thread itself, by a handler of the
    /// application's: then it ends when that handler has returned.
    pub(super) fn stop(self) {
        self.mailbox.post(Fact::Stop);
        if self.thread.thread().id() != std::thread::current().id() && self.thread.join().is_err() {
            gst::error!(crate::CAT, "a source's coordinator had panicked");
        }
    }
}

struct Coordinator {
    element: BaseWebRTCSrc,
    signaller: Signallable,
    mailbox: Mailbox,
    epoch: Instant,
    /// Counts sessions: what an earlier one's webrtcbin says late is told apart by it.
    generation: u64,
    session: Option<Session>,
    /// When to look after RTCP and statistics.
    next_look: Timestamp,
    /// When the application was last told of trouble with the media.
    last_trouble: Option<Timestamp>,
}

/// The application is told of trouble with the media at most this often: every packet may cause some.
const TROUBLE_INTERVAL: Duration = Duration::from_secs(1);

/// How often RTCP and statistics are looked after.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Coordinator {
    fn run(mut self, facts: &mpsc::Receiver<Fact>) {
        loop {
            let fact = match self.time_to_wait() {
                Some(wait) => facts.recv_timeout(wait),
                None => facts.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match fact {
                Ok(Fact::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(fact) => {
                    self.mailbox.waiting.fetch_sub(1, Ordering::Relaxed);
                    let outcome = self.handle(fact);
                    self.settle(outcome);
                }
                Err(RecvTimeoutError::Timeout) => (),
            }
            let outcome = self.look_after_time();
            self.settle(outcome);
        }
        if let Some(session) = self.session.take() {
            let names = session.names();
            self.signaller.end_session(&names.session_id, None);
            self.finish(session, &SessionEnd::new(EndReason::Stopped), false);
        }
    }

    fn handle(&mut self, fact: Fact) -> Result<(), SessionEnd> {
        let now = self.now();
        match fact {
            Fact::SessionStarted { session_id, peer_id } => {
                self.begin(&session_id, &peer_id, now);
                Ok(())
            }
            Fact::SessionRequested {
                session_id,
                peer_id,
                offer,
            } => {
                self.begin(&session_id, &peer_id, now);
                let Some(session) = self.session_named(&session_id) else {
                    return Ok(());
                };
                match offer {
                    Some(offer) => session.handle_offer(offer),
                    None => session.make_offer(),
                }
            }
            Fact::Description {
                session_id,
                description,
            } => {
                let Some(session) = self.session_named(&session_id) else {
                    return Ok(());
                };
                match description.type_() {
                    WebRTCSDPType::Offer => session.handle_offer(description),
                    WebRTCSDPType::Answer => session.handle_answer(&description),
                    _ => Ok(()),
                }
            }
            Fact::Candidate {
                session_id,
                mline,
                candidate,
            } => {
                let Some(session) = self.session_named(&session_id) else {
                    return Ok(());
                };
                session.handle_candidate(mline, &candidate)
            }
            Fact::SessionEnded { session_id, error } => {
                let Some(_) = self.session_named(&session_id) else {
                    return Ok(());
                };
                Err(SessionEnd {
                    reason: EndReason::ProducerLeft,
                    detail: error,
                    told_peer: true,
                })
            }
            Fact::Shutdown => {
                let Some(_) = &self.session else { return Ok(()) };
                Err(SessionEnd::new(EndReason::EndOfStream))
            }
            Fact::SignallingFailed(sentence) => {
                messages::error(
                    self.element.upcast_ref(),
                    &format!("Signalling error: {sentence}"),
                );
                Ok(())
            }
            Fact::SignallingWarning(sentence) => {
                messages::warning(self.element.upcast_ref(), &format!("Signalling: {sentence}"));
                Ok(())
            }
            Fact::Connection { generation, event } => match &mut self.session {
                Some(session) if generation == self.generation => session.handle_connection(event, now),
                _ => Ok(()),
            },
            Fact::ChildFailed { child, message } => {
                let Some(session) = &mut self.session else {
                    return Ok(());
                };
                session.handle_child_failure(&child, &message)?;
                // What does not decode is started over by its output.
                self.tell_of_trouble(&format!("{}: {message}", child.name()), now);
                Ok(())
            }
            Fact::Trouble(sentence) => {
                self.tell_of_trouble(&sentence, now);
                Ok(())
            }
            Fact::Latency(millis) => {
                if let Some(session) = &self.session {
                    session.set_latency(millis);
                }
                Ok(())
            }
            Fact::Stop => Ok(()),
        }
    }

    fn begin(&mut self, session_id: &str, peer_id: &str, now: Timestamp) {
        if self.session.is_some() {
            gst::info!(crate::CAT, obj = self.element, "refused a second session");
            return;
        }
        self.generation += 1;
        let generation = self.generation;
        let mailbox = self.mailbox.clone();
        let events = move |event| mailbox.post(Fact::Connection { generation, event });
        let started = Session::start(
            &self.element,
            &self.signaller,
            &self.mailbox,
            (session_id, peer_id),
            events,
            now,
        );
        match started {
            Ok(session) => {
                imp::set_session(&self.element, Some(session_id));
                self.session = Some(session);
            }
            Err(error) => {
                // What is missing will be missing next time too.
                messages::error(
                    self.element.upcast_ref(),
                    &format!("No session can be started: {error}"),
                );
                self.signaller
                    .end_session(session_id, Some(&wire_reason(EndReason::Internal)));
            }
        }
    }

    fn tell_of_trouble(&mut self, sentence: &str, now: Timestamp) {
        if self
            .last_trouble
            .is_none_or(|last| now.saturating_since(last) >= TROUBLE_INTERVAL)
        {
            self.last_trouble = Some(now);
            messages::warning(self.element.upcast_ref(), sentence);
        } else {
            gst::info!(crate::CAT, obj = self.element, "{sentence}");
        }
    }

    fn session_named(&mut self, session_id: &str) -> Option<&mut Session> {
        self.session
            .as_mut()
            .filter(|session| session.names().session_id == session_id)
    }

    fn look_after_time(&mut self) -> Result<(), SessionEnd> {
        let now = self.now();
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        if now >= self.next_look {
            self.next_look = now + LOOK_INTERVAL;
            session.look_after_peer(now);
        }
        session.settle_lifecycle(now)
    }

    /// How long to wait for a fact; for ever, if there is nothing to do at any time.
    fn time_to_wait(&self) -> Option<Duration> {
        let session = self.session.as_ref()?;
        let deadline = session
            .next_deadline()
            .map_or(self.next_look, |next| next.min(self.next_look));
        Some(deadline.saturating_since(self.now()))
    }

    /// Ends the session if it is to end.
    fn settle(&mut self, outcome: Result<(), SessionEnd>) {
        let Err(mut end) = outcome else { return };
        if end.reason == EndReason::ViewerLeft {
            // The lifecycle speaks of the other side; here that is the producer.
            end.reason = EndReason::ProducerLeft;
        }
        let Some(session) = self.session.take() else {
            return;
        };
        if !end.told_peer {
            let error = match end.reason {
                EndReason::EndOfStream | EndReason::Stopped => None,
                reason => Some(wire_reason(reason)),
            };
            self.signaller
                .end_session(&session.names().session_id, error.as_deref());
        }
        self.finish(session, &end, true);
    }

    fn finish(&self, session: Session, end: &SessionEnd, with_eos: bool) {
        imp::set_session(&self.element, None);
        let names = session.names().clone();
        gst::info!(
            crate::CAT,
            obj = self.element,
            "session {} ends: {end:?}",
            names.session_id
        );
        session.tear_down(with_eos);
        messages::ended(
            self.element.upcast_ref(),
            names.as_message_names(),
            end.reason,
            end.detail.as_deref(),
        );
    }

    fn now(&self) -> Timestamp {
        Timestamp::new(self.epoch.elapsed())
    }
}

/// A stable code and a sentence, for the peer.
fn wire_reason(reason: EndReason) -> String {
    format!("{}: {}", reason.code(), messages::sentence(reason))
}
