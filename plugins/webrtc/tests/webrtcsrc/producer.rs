//! A producer made of a plain webrtcbin, so that what is tested is the source alone.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst_webrtc::{
    WebRTCRTPTransceiver, WebRTCRTPTransceiverDirection, WebRTCSDPType, WebRTCSessionDescription,
};
use gstweir::signaller::{Signallable, SignallableExt, Signaller, SignallerRole};

use crate::signaller::{Ask, InProcess};

/// How a producer reaches its consumer.
#[derive(Clone)]
enum Wire {
    /// It is the consumer's signaller.
    Direct(InProcess),
    /// Both are clients of a signalling server.
    Served(Signaller),
}

impl Wire {
    fn begin(&self, session: &str) {
        match self {
            Self::Direct(signaller) => signaller.emit_session_started(session, "producer"),
            Self::Served(_) => (),
        }
    }

    fn describe(&self, session: &str, description: &WebRTCSessionDescription) {
        match self {
            Self::Direct(signaller) => signaller.emit_session_description(session, description),
            Self::Served(signaller) => signaller.send_session_description(session, description),
        }
    }

    fn candidate(&self, session: &str, mline: u32, candidate: &str) {
        match self {
            Self::Direct(signaller) => signaller.emit_handle_ice(session, mline, None, candidate),
            Self::Served(signaller) => signaller.send_ice(session, candidate, mline, None),
        }
    }

    fn end(&self, session: &str) {
        match self {
            Self::Direct(signaller) => {
                signaller.emit_session_ended(session, None);
            }
            Self::Served(signaller) => signaller.end_session(session, None),
        }
    }
}

/// A stream that a producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Vp8,
    Vp9,
    H264,
    Opus,
}

impl Stream {
    fn branch(self) -> &'static str {
        match self {
            Self::Vp8 => {
                "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! \
                 vp8enc deadline=1 cpu-used=8 keyframe-max-dist=3000 ! rtpvp8pay picture-id-mode=15-bit ! \
                 capsfilter caps=application/x-rtp,payload=96"
            }
            Self::Vp9 => {
                "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! \
                 vp9enc deadline=1 cpu-used=8 keyframe-max-dist=3000 ! rtpvp9pay picture-id-mode=15-bit ! \
                 capsfilter caps=application/x-rtp,payload=97"
            }
            Self::H264 => {
                "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1,format=I420 ! \
                 x264enc tune=zerolatency speed-preset=ultrafast key-int-max=3000 ! \
                 video/x-h264,profile=constrained-baseline ! \
                 rtph264pay config-interval=-1 aggregate-mode=zero-latency ! capsfilter caps=application/x-rtp,payload=98"
            }
            Self::Opus => {
                "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay ! \
                 capsfilter caps=application/x-rtp,payload=111"
            }
        }
    }
}

/// Changes an offer before it is sent.
pub(crate) type Munge = Box<dyn Fn(String) -> String + Send + Sync>;

#[derive(Default)]
struct State {
    session: Option<String>,
    running: Option<Running>,
    sessions: u32,
    ended: Vec<Option<String>>,
    connected: bool,
    key_frames_asked: u32,
    answers: Vec<String>,
    /// The sessions that the consumer answered in or ended.
    heard: Vec<String>,
}

struct Running {
    pipeline: gst::Pipeline,
    webrtcbin: gst::Element,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Serves one consumer at a time with `streams`, anew whenever it starts.
pub(crate) struct Producer {
    wire: Wire,
    inner: Arc<Inner>,
}

struct Inner {
    streams: Vec<Stream>,
    /// Whether to offer forward error correction.
    fec: bool,
    munge: Option<Munge>,
    state: Mutex<State>,
    changed: std::sync::Condvar,
}

impl Producer {
    pub(crate) fn new(streams: &[Stream]) -> Self {
        Self::with(streams, false, None)
    }

    /// A producer that sends ULPFEC in RED.
    pub(crate) fn with_fec(streams: &[Stream]) -> Self {
        Self::with(streams, true, None)
    }

    /// A producer whose offers are changed by `munge`.
    pub(crate) fn munging(
        streams: &[Stream],
        munge: impl Fn(String) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::with(streams, false, Some(Box::new(munge)))
    }

    fn with(streams: &[Stream], fec: bool, munge: Option<Munge>) -> Self {
        let inner = Arc::new(Inner {
            streams: streams.to_vec(),
            fec,
            munge,
            state: Mutex::default(),
            changed: std::sync::Condvar::new(),
        });
        let asked = inner.clone();
        let signaller = InProcess::new(move |signaller, ask| asked.handle(signaller, ask));
        Self {
            wire: Wire::Direct(signaller),
            inner,
        }
    }

    /// A producer that registers with the signalling server at `uri`.
    pub(crate) fn served(uri: &str, streams: &[Stream]) -> Self {
        let inner = Self::with(streams, false, None).inner.clone();
        let signaller = Signaller::new(SignallerRole::Producer);
        signaller.set_property("uri", uri);
        let to = inner.clone();
        signaller.connect_session_requested(move |signaller, session, _peer, _offer| {
            let (inner, wire, session) = (to.clone(), Wire::Served(signaller.clone()), session.to_owned());
            std::thread::spawn(move || inner.begin(&wire, &session));
        });
        let to = inner.clone();
        signaller.connect_session_description(move |_, _session, answer| to.answered(&answer));
        let to = inner.clone();
        signaller
            .connect_handle_ice(move |_, _session, mline, _mid, candidate| to.candidate(mline, candidate));
        let to = inner.clone();
        signaller.connect_session_ended(move |_, _session, error| {
            to.ended(error.map(str::to_owned));
            true
        });
        signaller.start();
        Self {
            wire: Wire::Served(signaller),
            inner,
        }
    }

    /// The consumer's signaller.
    pub(crate) fn signaller(&self) -> &Signallable {
        match &self.wire {
            Wire::Direct(signaller) => signaller.upcast_ref(),
            Wire::Served(signaller) => signaller.upcast_ref(),
        }
    }

    /// The id that the signalling server knows it by.
    pub(crate) fn wait_for_id(&self) -> String {
        let deadline = std::time::Instant::now() + crate::PATIENCE;
        loop {
            if let Some(id) = self.signaller().property::<Option<String>>("client-id") {
                return id;
            }
            assert!(std::time::Instant::now() < deadline, "the server gave no id");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Starts a session with the consumer; what it does by itself when the consumer starts.
    pub(crate) fn begin(&self) {
        self.inner.begin_next(&self.wire);
    }

    /// Ends the session, as one does who leaves.
    pub(crate) fn leave(&self) {
        self.wire.end(&self.session());
        self.inner.stop();
    }

    /// Sends nothing more, as one does whose network is gone.
    pub(crate) fn vanish(&self) {
        let webrtcbin = self.webrtcbin();
        let bin = webrtcbin.downcast_ref::<gst::Bin>().unwrap();
        for sink in bin
            .iterate_all_by_element_factory_name("nicesink")
            .into_iter()
            .flatten()
        {
            let pad = sink.static_pad("sink").unwrap();
            pad.add_probe(
                gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST,
                |_, _| gst::PadProbeReturn::Handled,
            );
        }
    }

    /// Has its packets lost, one in `n`.
    pub(crate) fn lose_one_in(&self, n: u32) {
        let webrtcbin = self.webrtcbin();
        let bin = webrtcbin.downcast_ref::<gst::Bin>().unwrap();
        for sink in bin
            .iterate_all_by_element_factory_name("nicesink")
            .into_iter()
            .flatten()
        {
            let pad = sink.static_pad("sink").unwrap();
            let count = std::sync::atomic::AtomicU32::new(0);
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % n == n - 1 {
                    gst::PadProbeReturn::Handled
                } else {
                    gst::PadProbeReturn::Ok
                }
            });
        }
    }

    /// Adds a stream, and offers it.
    pub(crate) fn add(&self, stream: Stream) {
        let webrtcbin = {
            let state = self.inner.state.lock().unwrap();
            let running = state.running.as_ref().unwrap();
            add_branch(&running.pipeline, &running.webrtcbin, stream);
            running.webrtcbin.clone()
        };
        self.inner.offer(&self.wire, &webrtcbin);
    }

    /// Takes the stream of an m-line out of use, and offers that.
    pub(crate) fn remove(&self, mline: i32) {
        let webrtcbin = self.webrtcbin();
        webrtcbin
            .emit_by_name::<WebRTCRTPTransceiver>("get-transceiver", &[&mline])
            .set_direction(WebRTCRTPTransceiverDirection::Inactive);
        self.inner.offer(&self.wire, &webrtcbin);
    }

    /// Offers what it has offered before.
    pub(crate) fn offer_again(&self) {
        self.inner.offer(&self.wire, &self.webrtcbin());
    }

    pub(crate) fn webrtcbin(&self) -> gst::Element {
        self.inner
            .state
            .lock()
            .unwrap()
            .running
            .as_ref()
            .unwrap()
            .webrtcbin
            .clone()
    }

    pub(crate) fn session(&self) -> String {
        self.inner.state.lock().unwrap().session.clone().unwrap()
    }

    /// What the consumer said when it ended sessions.
    pub(crate) fn wait_for_end(&self) -> Option<String> {
        self.inner.wait(|state| state.ended.last().cloned())
    }

    pub(crate) fn wait_for_connected(&self) {
        self.inner.wait(|state| state.connected.then_some(()));
    }

    /// How many sessions there have been.
    pub(crate) fn sessions(&self) -> u32 {
        self.inner.state.lock().unwrap().sessions
    }

    pub(crate) fn wait_for_answer(&self, number: usize) -> String {
        self.inner.wait(|state| state.answers.get(number).cloned())
    }

    /// Waits until the consumer has answered in this session, or ended it.
    pub(crate) fn settle(&self, session: &str) {
        self.inner
            .wait(|state| state.heard.iter().any(|heard| heard == session).then_some(()));
    }

    pub(crate) fn wait_for_key_frame_requests(&self, number: u32) {
        self.inner
            .wait(|state| (state.key_frames_asked >= number).then_some(()));
    }

    pub(crate) fn key_frame_requests(&self) -> u32 {
        self.inner.state.lock().unwrap().key_frames_asked
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if let Wire::Served(signaller) = &self.wire {
            signaller.stop();
        }
        self.inner.stop();
    }
}

impl Inner {
    fn handle(self: &Arc<Self>, signaller: &InProcess, ask: Ask) {
        match ask {
            Ask::Start => {
                // As a real signaller would: on another thread.
                let (inner, wire) = (self.clone(), Wire::Direct(signaller.clone()));
                std::thread::spawn(move || inner.begin_next(&wire));
            }
            Ask::Stop => self.stop(),
            Ask::Description(session, description) => {
                self.answered(&description);
                self.state.lock().unwrap().heard.push(session);
            }
            Ask::Candidate(mline, candidate) => self.candidate(mline, &candidate),
            Ask::EndSession(session, error) => {
                self.ended(error);
                self.state.lock().unwrap().heard.push(session);
            }
            Ask::Connected => self.state.lock().unwrap().connected = true,
        }
        self.changed.notify_all();
    }

    fn answered(&self, answer: &WebRTCSessionDescription) {
        self.state
            .lock()
            .unwrap()
            .answers
            .push(answer.sdp().as_text().unwrap());
        self.changed.notify_all();
        if let Some(webrtcbin) = self.webrtcbin() {
            webrtcbin.emit_by_name::<()>("set-remote-description", &[answer, &None::<gst::Promise>]);
        }
    }

    fn candidate(&self, mline: u32, candidate: &str) {
        if let Some(webrtcbin) = self.webrtcbin() {
            webrtcbin.emit_by_name::<()>("add-ice-candidate", &[&mline, &candidate]);
        }
    }

    fn ended(&self, error: Option<String>) {
        self.state.lock().unwrap().ended.push(error);
        self.changed.notify_all();
        self.stop();
    }

    fn webrtcbin(&self) -> Option<gst::Element> {
        self.state
            .lock()
            .unwrap()
            .running
            .as_ref()
            .map(|running| running.webrtcbin.clone())
    }

    fn begin_next(self: &Arc<Self>, wire: &Wire) {
        let number = self.state.lock().unwrap().sessions + 1;
        self.begin(wire, &format!("session-{number}"));
    }

    fn begin(self: &Arc<Self>, wire: &Wire, session: &str) {
        let pipeline = gst::Pipeline::new();
        let webrtcbin = gst::ElementFactory::make("webrtcbin")
            .property_from_str("bundle-policy", "max-bundle")
            .build()
            .unwrap();
        pipeline.add(&webrtcbin).unwrap();
        for stream in &self.streams {
            add_branch(&pipeline, &webrtcbin, *stream);
            if self.fec {
                let last = webrtcbin
                    .sink_pads()
                    .last()
                    .unwrap()
                    .property::<WebRTCRTPTransceiver>("transceiver");
                last.set_property("fec-type", gst_webrtc::WebRTCFECType::UlpRed);
                last.set_property("fec-percentage", 50u32);
            }
        }
        {
            let mut state = self.state.lock().unwrap();
            state.sessions += 1;
            state.connected = false;
        }
        let (to, of) = (wire.clone(), session.to_owned());
        webrtcbin.connect("on-ice-candidate", false, move |values| {
            to.candidate(&of, values[1].get().unwrap(), values[2].get().unwrap());
            None
        });
        let counter = Arc::downgrade(self);
        for pad in webrtcbin.sink_pads() {
            let counter = counter.clone();
            pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
                if info
                    .event()
                    .is_some_and(|event| gst_video::ForceKeyUnitEvent::is(event))
                    && let Some(inner) = counter.upgrade()
                {
                    inner.state.lock().unwrap().key_frames_asked += 1;
                    inner.changed.notify_all();
                }
                gst::PadProbeReturn::Ok
            });
        }
        let clock = gst::SystemClock::obtain();
        pipeline.use_clock(Some(&clock));
        wire.begin(session);
        {
            let mut state = self.state.lock().unwrap();
            state.session = Some(session.to_owned());
            state.running = Some(Running {
                pipeline: pipeline.clone(),
                webrtcbin: webrtcbin.clone(),
            });
        }
        pipeline.set_state(gst::State::Playing).unwrap();
        // The offer needs caps on every pad.
        for pad in webrtcbin.sink_pads() {
            while pad.current_caps().is_none() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        self.offer(wire, &webrtcbin);
    }

    fn offer(self: &Arc<Self>, wire: &Wire, webrtcbin: &gst::Element) {
        for pad in webrtcbin.sink_pads() {
            while pad.current_caps().is_none() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        let (inner, wire, sender) = (self.clone(), wire.clone(), webrtcbin.clone());
        let promise = gst::Promise::with_change_func(move |reply| {
            let offer = reply
                .unwrap()
                .unwrap()
                .get::<WebRTCSessionDescription>("offer")
                .unwrap();
            sender.emit_by_name::<()>("set-local-description", &[&offer, &None::<gst::Promise>]);
            let mut text = offer.sdp().as_text().unwrap();
            if let Some(munge) = &inner.munge {
                text = munge(text);
            }
            let session = inner.state.lock().unwrap().session.clone().unwrap();
            let sdp = gst_sdp::SDPMessage::parse_buffer(text.as_bytes());
            let sdp = sdp.unwrap_or_else(|_| gst_sdp::SDPMessage::new());
            wire.describe(
                &session,
                &WebRTCSessionDescription::new(WebRTCSDPType::Offer, sdp),
            );
        });
        webrtcbin.emit_by_name::<()>("create-offer", &[&None::<gst::Structure>, &promise]);
    }

    fn stop(&self) {
        let running = self.state.lock().unwrap().running.take();
        drop(running);
    }

    fn wait<T>(&self, until: impl Fn(&State) -> Option<T>) -> T {
        let deadline = std::time::Instant::now() + crate::PATIENCE;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(value) = until(&state) {
                return value;
            }
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            assert!(!left.is_zero(), "nothing happened at the producer");
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

fn add_branch(pipeline: &gst::Pipeline, webrtcbin: &gst::Element, stream: Stream) {
    let branch = gst::parse::bin_from_description(stream.branch(), true).unwrap();
    pipeline.add(&branch).unwrap();
    let pad = webrtcbin.request_pad_simple("sink_%u").unwrap();
    branch.static_pad("src").unwrap().link(&pad).unwrap();
    let transceiver = pad.property::<WebRTCRTPTransceiver>("transceiver");
    transceiver.set_direction(WebRTCRTPTransceiverDirection::Sendonly);
    transceiver.set_property("do-nack", true);
    branch.sync_state_with_parent().unwrap();
}
