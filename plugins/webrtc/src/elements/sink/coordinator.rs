//! Routes facts to viewers and streams, and carries out what they decide.
//!
//! One thread per element owns all state below. Everybody else, on whatever thread, posts facts to its mailbox
//! and goes on; so no handler of the application's, of the signaller's or of webrtcbin's ever waits for another,
//! and no lock can be held across a call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use weir_forwarding::RenditionId;
use weir_negotiation::EndReason;
use weir_units::Timestamp;

use super::imp;
use super::input::{Input, InputEvent};
use super::negotiation::Formats;
use super::pad::WebRTCSinkPad;
use super::settings::Settings;
use super::signalling::Signalling;
use super::stats::Snapshot;
use super::stream::Stream;
use super::viewer::Viewer;
use super::{BaseWebRTCSink, properties};
use crate::clock;
use crate::fanout::{Hub, HubEvent};
use crate::session::{ConnectionEvent, PipelineEvent};
use crate::signaller::SignallableExt;

/// What happened.
#[derive(Debug)]
pub(super) enum Fact {
    /// READY to PAUSED.
    Start,
    /// The pipeline plays, on this base time.
    Playing,
    /// PAUSED to READY: reply when all is down.
    Stop(mpsc::Sender<()>),
    /// The element is gone.
    Quit,

    /// A sink pad was requested.
    PadAdded {
        stream: u32,
        pad: WebRTCSinkPad,
        input: Input,
    },
    /// A sink pad was released.
    PadReleased { stream: u32 },
    /// Something came in by a sink pad.
    Input { stream: u32, event: InputEvent },

    /// The signaller: a viewer wants a session.
    SessionRequested {
        session_id: String,
        peer_id: String,
        offer: Option<gst_webrtc::WebRTCSessionDescription>,
    },
    /// The signaller: a viewer's description.
    Description {
        session_id: String,
        description: gst_webrtc::WebRTCSessionDescription,
    },
    /// The signaller: a viewer's candidate.
    Candidate {
        session_id: String,
        mline: u32,
        candidate: String,
    },
    /// The signaller: a session is over.
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

    /// A viewer's webrtcbin has something to say.
    Connection { viewer: u64, event: ConnectionEvent },
    /// A viewer's pipeline has something to say.
    Pipeline { viewer: u64, event: PipelineEvent },
    /// A viewer's session was taken down.
    TornDown {
        peer_id: String,
        webrtcbin: gst::Element,
    },

    /// The hub has something to say.
    Hub(HubEvent),
    /// An element of a rendition failed.
    RenditionFailed { rendition: RenditionId, message: String },
    /// A rendition has put out its last frame.
    RenditionEnded { rendition: RenditionId },

    /// Somebody reads the statistics: fetch newer ones.
    RefreshStats,
}

/// Where facts are posted. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    sender: mpsc::Sender<Fact>,
    waiting: Arc<AtomicUsize>,
    is_stopping: Arc<AtomicBool>,
}

/// Facts from strangers that may wait; what comes while there are more is dropped.
const WAITING_LIMIT: usize = 8192;

impl Mailbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<Fact>) {
        let (sender, receiver) = mpsc::channel();
        (
            Self {
                sender,
                waiting: Arc::default(),
                is_stopping: Arc::default(),
            },
            receiver,
        )
    }

    /// Posts a fact. Never waits.
    pub(super) fn post(&self, fact: Fact) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Nobody listens once the element is gone.
        let _ = self.sender.send(fact);
    }

    /// Posts a fact that a stranger can cause as often as it likes. Returns false if it was dropped, as there is
    /// too much to do.
    pub(super) fn post_from_network(&self, fact: Fact) -> bool {
        let is_room = self.waiting.load(Ordering::Relaxed) < WAITING_LIMIT;
        if is_room {
            self.post(fact);
        }
        is_room
    }

    /// Asks for everything to be taken down; what came before it need not be begun any more.
    pub(super) fn post_stop(&self) -> mpsc::Receiver<()> {
        let (done, is_done) = mpsc::channel();
        self.is_stopping.store(true, Ordering::Relaxed);
        self.post(Fact::Stop(done));
        is_done
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the element serves viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not started, or stopped.
    Stopped,
    /// Viewers are served.
    Started,
    /// All streams have ended: what is left is being sent.
    Draining,
}

/// The state behind the element.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) element: glib::WeakRef<BaseWebRTCSink>,
    pub(super) mailbox: Mailbox,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) phase: Phase,
    /// As they were when the element started.
    pub(super) settings: Settings,
    pub(super) formats: Formats,
    /// The properties without effect that the application was told of: once each.
    warned_of: BTreeSet<&'static str>,
    pub(super) streams: BTreeMap<u32, Stream>,
    pub(super) viewers: BTreeMap<u64, Viewer>,
    pub(super) sessions: BTreeMap<String, u64>,
    pub(super) hub: Option<Arc<Hub>>,
    pub(super) signalling: Option<Signalling>,
    /// When to register although some pad is silent.
    register_at: Option<Timestamp>,
    is_registered: bool,
    /// When to stop waiting for renditions that do not end.
    drained_by: Option<Timestamp>,
    pub(super) next_viewer: u64,
    pub(super) next_rendition: u32,
    /// Sessions that are being taken down.
    pub(super) tearing_down: usize,
    /// Facts that came while sessions were being taken down, and wait for that.
    deferred: VecDeque<Fact>,
    /// The application knows that the process may open too few files.
    pub(super) has_warned_of_files: bool,
}

/// A pad that stays silent holds up the others no longer than this.
const SILENT_PAD_PATIENCE: Duration = Duration::from_millis(500);
/// What a rendition may take to put out what is inside it.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);
/// What taking all sessions down may take before the state change goes on without them.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

impl Coordinator {
    /// Starts the thread. It ends with [`Fact::Quit`].
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn spawn(
        element: &BaseWebRTCSink,
        mailbox: Mailbox,
        facts: mpsc::Receiver<Fact>,
        snapshot: Arc<Snapshot>,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let coordinator = Self {
            element: element.downgrade(),
            mailbox,
            snapshot,
            phase: Phase::Stopped,
            settings: Settings::default(),
            formats: Formats::default(),
            warned_of: BTreeSet::new(),
            streams: BTreeMap::new(),
            viewers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            hub: None,
            signalling: None,
            register_at: None,
            is_registered: false,
            drained_by: None,
            next_viewer: 0,
            next_rendition: 0,
            tearing_down: 0,
            deferred: VecDeque::new(),
            has_warned_of_files: false,
        };
        std::thread::Builder::new()
            .name("weir-sink".to_owned())
            .spawn(move || coordinator.run(&facts))
    }

    fn run(mut self, facts: &mpsc::Receiver<Fact>) {
        loop {
            match self.next_fact(facts) {
                Ok(Fact::Quit) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Fact::Stop(done)) => {
                    self.stop(facts);
                    self.mailbox.is_stopping.store(false, Ordering::Relaxed);
                    let _ = done.send(());
                }
                Ok(fact) => self.handle(fact),
                Err(RecvTimeoutError::Timeout) => (),
            }
            self.handle_timeouts(clock::now());
        }
    }

    fn next_fact(&mut self, facts: &mpsc::Receiver<Fact>) -> Result<Fact, RecvTimeoutError> {
        if let Some(fact) = self.deferred.pop_front() {
            return Ok(fact);
        }
        let fact = match self.next_deadline() {
            Some(at) => facts.recv_timeout(clock::until(at)),
            None => facts.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }?;
        self.mailbox.taken();
        Ok(fact)
    }

    fn handle(&mut self, fact: Fact) {
        match fact {
            Fact::Start => self.start(),
            Fact::Playing => self.follow_clock(),
            Fact::Stop(_) | Fact::Quit => (),
            Fact::PadAdded { stream, pad, input } => self.handle_pad_added(stream, pad, input),
            Fact::PadReleased { stream } => self.handle_pad_released(stream),
            Fact::Input {
                stream,
                event: InputEvent::Caps(caps),
            } => self.handle_caps(stream, caps),
            Fact::Input {
                stream,
                event: InputEvent::Eos,
            } => self.handle_eos(stream),
            Fact::SessionRequested {
                session_id,
                peer_id,
                offer,
            } => {
                self.handle_session_requested(session_id, peer_id, offer);
            }
            Fact::Description {
                session_id,
                description,
            } => self.handle_description(&session_id, &description),
            Fact::Candidate {
                session_id,
                mline,
                candidate,
            } => {
                self.handle_candidate(&session_id, mline, &candidate);
            }
            Fact::SessionEnded { session_id, error } => {
                self.handle_session_ended(&session_id, error.as_deref())
            }
            Fact::Shutdown => self.begin_draining(),
            Fact::SignallingFailed(sentence) => self.post_error(&format!("Signalling error: {sentence}")),
            Fact::SignallingWarning(sentence) => self.post_warning(&format!("Signalling: {sentence}")),
            Fact::Connection { viewer, event } => self.handle_connection_event(viewer, event),
            Fact::Pipeline { viewer, event } => self.handle_pipeline_event(viewer, event),
            Fact::TornDown { peer_id, webrtcbin } => self.handle_torn_down(&peer_id, &webrtcbin),
            Fact::Hub(event) => self.handle_hub_event(event),
            Fact::RenditionFailed { rendition, message } => self.handle_rendition_failed(rendition, &message),
            Fact::RenditionEnded { rendition } => self.handle_rendition_ended(rendition),
            Fact::RefreshStats => self.viewers.values().for_each(Viewer::request_stats),
        }
    }

    fn start(&mut self) {
        let Some(element) = self.element.upgrade() else {
            return;
        };
        self.settings = imp::settings_of(&element);
        self.formats = Formats::new(&self.settings);
        let ineffective: Vec<_> = properties::without_effect(&self.settings)
            .into_iter()
            .filter(|name| self.warned_of.insert(name))
            .collect();
        if !ineffective.is_empty() {
            self.post_warning(&format!(
                "these properties have no effect yet: {}",
                ineffective.join(", ")
            ));
        }
        let mailbox = self.mailbox.clone();
        let hub = Arc::new(Hub::new(move |event| mailbox.post(Fact::Hub(event))));
        self.snapshot.start(&hub, self.settings.fec_percentage());
        self.hub = Some(hub);
        self.phase = Phase::Started;
        self.has_warned_of_files = false;
        for stream in self.streams.values_mut() {
            stream.restart();
        }
        let signaller = imp::signaller_of(&element);
        self.signalling = Some(Signalling::listen(&signaller, &self.mailbox, &element));
        self.register_when_ready();
    }

    /// Registers once every pad's media is known or, so that a silent pad holds up nobody, some time after the
    /// first one's is.
    pub(super) fn register_when_ready(&mut self) {
        if self.is_registered || self.phase != Phase::Started {
            return;
        }
        let known = self.streams.values().filter(|stream| stream.is_known()).count();
        if known == 0 {
            return;
        }
        if known == self.streams.len() {
            self.register();
        } else if self.register_at.is_none() {
            self.register_at = Some(clock::now() + SILENT_PAD_PATIENCE);
        }
    }

    fn register(&mut self) {
        self.register_at = None;
        self.is_registered = true;
        if let Some(signalling) = &self.signalling {
            signalling.signaller().start();
        }
    }

    /// All streams have ended: has everything inside sent, then ends the sessions, then posts EOS.
    pub(super) fn begin_draining(&mut self) {
        if self.phase != Phase::Started {
            return;
        }
        self.phase = Phase::Draining;
        self.drained_by = Some(clock::now() + DRAIN_PATIENCE);
        for stream in self.streams.values() {
            stream.end();
        }
        self.drain_if_renditions_ended();
    }

    pub(super) fn drain_if_renditions_ended(&mut self) {
        if self.phase == Phase::Draining
            && self.streams.values().all(Stream::has_drained)
            && let Some(hub) = &self.hub
        {
            hub.drain();
        }
    }

    fn finish_draining(&mut self) {
        if self.phase != Phase::Draining || self.drained_by.take().is_none() {
            return;
        }
        self.end_all_viewers(EndReason::EndOfStream);
        let Some(element) = self.element.upgrade() else {
            return;
        };
        let _ = element.post_message(gst::message::Eos::builder().src(&element).build());
    }

    fn stop(&mut self, facts: &mpsc::Receiver<Fact>) {
        if self.phase == Phase::Stopped {
            return;
        }
        self.end_all_viewers(EndReason::Stopped);
        self.phase = Phase::Stopped;
        self.register_at = None;
        self.drained_by = None;
        if let Some(signalling) = self.signalling.take()
            && std::mem::take(&mut self.is_registered)
        {
            signalling.signaller().stop();
        }
        self.stop_all_renditions();
        self.snapshot.stop();
        self.hub = None;
        self.await_teardown(facts);
    }

    /// Waits until the sessions are down. Other facts of their last moments mean nothing any more; those of
    /// pads, inputs and the element do. The element may have been started again or be gone, for a handler that
    /// stops it does not wait.
    fn await_teardown(&mut self, facts: &mpsc::Receiver<Fact>) {
        let patience = clock::now() + STOP_PATIENCE;
        while self.tearing_down > 0 {
            let Ok(fact) = facts.recv_timeout(clock::until(patience)) else {
                self.tearing_down = 0;
                self.post_warning("some sessions did not end in time");
                return;
            };
            self.mailbox.taken();
            match fact {
                Fact::TornDown { .. }
                | Fact::PadAdded { .. }
                | Fact::PadReleased { .. }
                | Fact::Input { .. } => {
                    self.handle(fact);
                }
                Fact::Start | Fact::Playing | Fact::Stop(_) | Fact::Quit => self.deferred.push_back(fact),
                _ => (),
            }
        }
    }

    fn handle_hub_event(&mut self, event: HubEvent) {
        match event {
            HubEvent::KeyFrameWanted(rendition) => self.request_key_frame(rendition),
            HubEvent::Unresponsive(rendition) => self.handle_unresponsive(rendition),
            HubEvent::Stalled { viewer } => self.end_viewer(viewer, EndReason::Stalled, None),
            HubEvent::Drained => self.finish_draining(),
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let viewers = self.viewers.values().filter_map(Viewer::poll_timeout);
        let streams = self.streams.values().filter_map(Stream::poll_timeout);
        viewers
            .chain(streams)
            .chain(self.register_at)
            .chain(self.drained_by)
            .min()
    }

    fn handle_timeouts(&mut self, now: Timestamp) {
        if self.register_at.is_some_and(|at| at <= now) {
            self.register();
        }
        if self.drained_by.is_some_and(|at| at <= now) {
            self.finish_draining();
        }
        self.handle_viewer_timeouts(now);
        self.stop_idle_renditions(now);
    }

    pub(super) fn post_warning(&self, sentence: &str) {
        if let Some(element) = self.element.upgrade() {
            gst::element_warning!(element, gst::StreamError::Failed, ("{}", sentence));
        }
    }

    pub(super) fn post_error(&self, sentence: &str) {
        if let Some(element) = self.element.upgrade() {
            gst::element_error!(element, gst::StreamError::Failed, ("{}", sentence));
        }
    }
}
