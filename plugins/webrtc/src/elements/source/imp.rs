//! GObject glue of the base class: properties, pads, states, messages.

use std::ops::ControlFlow;
use std::sync::{LazyLock, Mutex, OnceLock};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use weir_negotiation::MediaKind;

use super::coordinator::{Fact, Worker};
use super::pad::WebRTCSrcPad;
use super::settings::Settings;
use super::signalling::Signalling;
use super::{messages, properties};
use crate::lock;
use crate::signaller::{Signallable, SignallableExt, Signaller, SignallerRole};

/// No lock is held across a call.
#[derive(Default)]
pub struct BaseWebRTCSrc {
    settings: Mutex<Settings>,
    signaller: OnceLock<Signallable>,
    state: Mutex<State>,
    /// Tells this element's streams from those of others in the pipeline.
    instance_id: OnceLock<String>,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// In the order of their creation; a released one leaves its place empty.
    request_pads: Vec<Option<WebRTCSrcPad>>,
    /// How many pads of each kind were requested so far: they are numbered by it.
    video_requests: u32,
    audio_requests: u32,
    session_id: Option<String>,
    stats: Option<gst::Structure>,
}

/// What lives from READY to PAUSED and back.
struct Running {
    worker: Worker,
    signalling: Signalling,
    /// The signaller was asked to start.
    is_signalling: bool,
}

#[glib::object_subclass]
impl ObjectSubclass for BaseWebRTCSrc {
    const NAME: &'static str = "WeirBaseWebRTCSrc";
    type Type = super::BaseWebRTCSrc;
    type ParentType = gst::Bin;
    type Interfaces = (gst::ChildProxy,);
}

impl ObjectImpl for BaseWebRTCSrc {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties::table);
        &PROPERTIES
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            vec![
                // The application's filter for encoded media, between depayloader and decoder.
                glib::subclass::Signal::builder("request-encoded-filter")
                    .param_types([
                        Option::<String>::static_type(),
                        String::static_type(),
                        Option::<gst::Caps>::static_type(),
                    ])
                    .return_type::<gst::Element>()
                    .accumulator(|_hint, _accumulated, value| {
                        if value
                            .get::<Option<gst::Element>>()
                            .is_ok_and(|filter| filter.is_some())
                        {
                            ControlFlow::Break(value.clone())
                        } else {
                            ControlFlow::Continue(value.clone())
                        }
                    })
                    .build(),
            ]
        });
        &SIGNALS
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        obj.set_suppressed_flags(gst::ElementFlags::SINK | gst::ElementFlags::SOURCE);
        obj.set_element_flags(gst::ElementFlags::SOURCE);
        let _ = self.instance_id.set(uuid::Uuid::new_v4().simple().to_string());
        self.signaller
            .get_or_init(|| Signaller::new(SignallerRole::Consumer).upcast());
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "signaller" {
            if let Ok(Some(signaller)) = value.get::<Option<Signallable>>() {
                let _ = self.signaller.set(signaller);
            }
            return;
        }
        properties::set(&mut lock(&self.settings), value, pspec.name());
        if pspec.name() == "latency" {
            let latency = lock(&self.settings).latency;
            self.post(Fact::Latency(latency));
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "signaller" => self.signaller.get().to_value(),
            "stats" => {
                let stats = lock(&self.state).stats.clone();
                stats
                    .unwrap_or_else(|| gst::Structure::new_empty(STATS_NAME))
                    .to_value()
            }
            name => properties::get(&lock(&self.settings), name),
        }
    }
}

const STATS_NAME: &str = "application/x-webrtcsrc-stats";

impl GstObjectImpl for BaseWebRTCSrc {}

impl ElementImpl for BaseWebRTCSrc {
    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(pad_templates);
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::ReadyToPaused => self.start()?,
            gst::StateChange::PausedToReady => self.stop(),
            _ => (),
        }
        let success = self.parent_change_state(transition)?;
        match transition {
            gst::StateChange::ReadyToPaused | gst::StateChange::PlayingToPaused => {
                Ok(gst::StateChangeSuccess::NoPreroll)
            }
            gst::StateChange::PausedToPlaying => {
                self.signal();
                Ok(success)
            }
            _ => Ok(success),
        }
    }

    fn send_event(&self, event: gst::Event) -> bool {
        if event.type_() != gst::EventType::Eos {
            return self.parent_send_event(event);
        }
        // Nobody else in here would take it: every stream ends, and no other session is begun.
        self.post(Fact::Shutdown);
        self.signaller().stop();
        true
    }

    fn request_new_pad(
        &self,
        templ: &gst::PadTemplate,
        _name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        let is_video = templ.name_template() == "req_video_%u";
        let number = {
            let mut state = lock(&self.state);
            let requested = if is_video {
                &mut state.video_requests
            } else {
                &mut state.audio_requests
            };
            let number = *requested;
            *requested += 1;
            number
        };
        let kind = if is_video { "video" } else { "audio" };
        let pad = self.new_pad(templ, &format!("req_{kind}_{number}"));
        lock(&self.state).request_pads.push(Some(pad.clone()));
        let _ = pad.set_active(true);
        if let Err(error) = self.obj().add_pad(&pad) {
            gst::error!(crate::CAT, imp = self, "cannot add {}: {error}", pad.name());
            return None;
        }
        Some(pad.upcast())
    }

    fn release_pad(&self, pad: &gst::Pad) {
        {
            let mut state = lock(&self.state);
            for entry in &mut state.request_pads {
                if entry
                    .as_ref()
                    .is_some_and(|entry| entry.upcast_ref::<gst::Pad>() == pad)
                {
                    *entry = None;
                }
            }
        }
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        let gst::QueryViewMut::Latency(answer) = query.view_mut() else {
            return self.parent_query(query);
        };
        // A bin asks its sinks, and there is none inside.
        let mut latency = self.latency();
        for pad in self.obj().src_pads() {
            let mut of_pad = gst::query::Latency::new();
            if pad.query(&mut of_pad) {
                latency = latency.max(of_pad.result().1);
            }
        }
        answer.set(true, latency, gst::ClockTime::NONE);
        true
    }
}

impl BinImpl for BaseWebRTCSrc {
    fn handle_message(&self, message: gst::Message) {
        match message.view() {
            // What one stream or one session suffers ends neither the element nor its pipeline.
            gst::MessageView::Error(error) => {
                if let Some(child) = error.src() {
                    let message = error.error().message().to_owned();
                    self.post(Fact::ChildFailed {
                        child: child.clone(),
                        message,
                    });
                }
            }
            _ => self.parent_handle_message(message),
        }
    }
}

impl ChildProxyImpl for BaseWebRTCSrc {
    fn child_by_index(&self, index: u32) -> Option<glib::Object> {
        (index == 0).then(|| self.signaller().upcast())
    }

    fn children_count(&self) -> u32 {
        1
    }

    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        if name == "signaller" {
            return Some(self.signaller().upcast());
        }
        self.obj().static_pad(name).map(Cast::upcast)
    }
}

impl BaseWebRTCSrc {
    pub(super) fn signaller(&self) -> Signallable {
        self.signaller
            .get_or_init(|| Signaller::new(SignallerRole::Consumer).upcast())
            .clone()
    }

    fn start(&self) -> Result<(), gst::StateChangeError> {
        let settings = lock(&self.settings).clone();
        for name in properties::without_effect(&settings) {
            messages::warning(self.obj().upcast_ref(), &format!("{name} has no effect yet"));
        }
        let signaller = self.signaller();
        let worker = Worker::start(&self.obj(), &signaller).map_err(|error| {
            gst::error!(crate::CAT, imp = self, "no thread: {error}");
            gst::StateChangeError
        })?;
        let signalling = Signalling::listen(&signaller, worker.mailbox(), &self.obj());
        lock(&self.state).running = Some(Running {
            worker,
            signalling,
            is_signalling: false,
        });
        Ok(())
    }

    /// Has the signaller start, once.
    fn signal(&self) {
        let signaller = {
            let mut state = lock(&self.state);
            state.running.as_mut().and_then(|running| {
                let first = !std::mem::replace(&mut running.is_signalling, true);
                first.then(|| running.signalling.signaller().clone())
            })
        };
        if let Some(signaller) = signaller {
            signaller.start();
        }
    }

    fn stop(&self) {
        let running = lock(&self.state).running.take();
        let Some(Running {
            worker,
            signalling,
            is_signalling,
        }) = running
        else {
            return;
        };
        worker.stop();
        if is_signalling {
            signalling.signaller().stop();
        }
    }

    fn post(&self, fact: Fact) {
        let mailbox = lock(&self.state)
            .running
            .as_ref()
            .map(|running| running.worker.mailbox().clone());
        if let Some(mailbox) = mailbox {
            mailbox.post(fact);
        }
    }

    fn latency(&self) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(lock(&self.settings).latency.into())
    }

    fn new_pad(&self, template: &gst::PadTemplate, name: &str) -> WebRTCSrcPad {
        let element = self.obj().downgrade();
        WebRTCSrcPad::new(template, name, move || {
            element
                .upgrade()
                .map_or(gst::ClockTime::ZERO, |element| element.imp().latency())
        })
    }
}

pub(super) fn settings_of(element: &super::BaseWebRTCSrc) -> Settings {
    lock(&element.imp().settings).clone()
}

pub(super) fn meta_of(element: &super::BaseWebRTCSrc) -> Option<gst::Structure> {
    lock(&element.imp().settings).meta.clone()
}

/// What tells this element's streams from those of others.
pub(super) fn instance_id(element: &super::BaseWebRTCSrc) -> &str {
    element.imp().instance_id.get().map_or("", String::as_str)
}

/// Takes note of the session that there is.
pub(super) fn set_session(element: &super::BaseWebRTCSrc, session_id: Option<&str>) {
    lock(&element.imp().state).session_id = session_id.map(str::to_owned);
}

/// Whether there is a session with this id.
pub(super) fn knows_session(element: &super::BaseWebRTCSrc, session_id: &str) -> bool {
    lock(&element.imp().state).session_id.as_deref() == Some(session_id)
}

/// Takes webrtcbin's statistics over, for whoever reads `stats`.
pub(super) fn set_stats(
    element: &super::BaseWebRTCSrc,
    session_id: &str,
    mut session: gst::Structure,
    candidates_ignored: u32,
) {
    session.set(
        "source-stats",
        gst::Structure::builder("application/x-webrtcsrc-source-stats")
            .field("candidates-ignored", candidates_ignored)
            .build(),
    );
    let stats = gst::Structure::builder(STATS_NAME)
        .field(session_id, session)
        .build();
    lock(&element.imp().state).stats = Some(stats);
}

/// The pad that was requested for the m-line of this index.
pub(super) fn request_pad(element: &super::BaseWebRTCSrc, index: usize) -> Option<WebRTCSrcPad> {
    lock(&element.imp().state)
        .request_pads
        .get(index)
        .cloned()
        .flatten()
}

/// The requested pads, and the m-lines that they are for.
pub(super) fn request_pads(element: &super::BaseWebRTCSrc) -> Vec<(usize, WebRTCSrcPad)> {
    let state = lock(&element.imp().state);
    state
        .request_pads
        .iter()
        .enumerate()
        .filter_map(|(index, pad)| Some((index, pad.clone()?)))
        .collect()
}

/// A new pad, not added yet.
pub(super) fn sometimes_pad(element: &super::BaseWebRTCSrc, kind: MediaKind, name: &str) -> WebRTCSrcPad {
    let template = element.pad_template(&format!("{kind}_%u"));
    let Some(template) = template else {
        unreachable!("there are templates for audio and video")
    };
    element.imp().new_pad(&template, name)
}

/// Asks the application for a filter for encoded media.
pub(super) fn encoded_filter(
    element: &super::BaseWebRTCSrc,
    producer_id: &str,
    pad_name: &str,
    caps: &gst::Caps,
) -> Option<gst::Element> {
    element.emit_by_name(
        "request-encoded-filter",
        &[&Some(producer_id), &pad_name, &Some(caps)],
    )
}

fn pad_templates() -> Vec<gst::PadTemplate> {
    let encoded = |names: &[&str], raw: &str| {
        let mut caps = gst::Caps::builder(raw).any_features().build();
        for name in names.iter().chain(&["application/x-rtp"]) {
            caps.merge(gst::Caps::new_empty_simple(*name));
        }
        caps
    };
    let video = encoded(
        &[
            "video/x-vp8",
            "video/x-h264",
            "video/x-vp9",
            "video/x-h265",
            "video/x-av1",
        ],
        "video/x-raw",
    );
    let audio = encoded(&["audio/x-opus"], "audio/x-raw");
    let mut templates = Vec::new();
    for (kind, caps) in [("video", video), ("audio", audio)] {
        for (name, presence) in [
            (format!("{kind}_%u"), gst::PadPresence::Sometimes),
            (format!("req_{kind}_%u"), gst::PadPresence::Request),
        ] {
            let template = gst::PadTemplate::with_gtype(
                &name,
                gst::PadDirection::Src,
                presence,
                &caps,
                WebRTCSrcPad::static_type(),
            );
            match template {
                Ok(template) => templates.push(template),
                Err(error) => unreachable!("a constant template: {error}"),
            }
        }
    }
    templates
}
