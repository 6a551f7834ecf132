//! The GObject: properties, signals, pads and states. It decides nothing: it posts facts to the coordinator.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::ThreadId;

use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;
use weir_negotiation::MediaKind;

use super::coordinator::{Coordinator, Fact, Mailbox};
use super::input::Input;
use super::pad::WebRTCSinkPad;
use super::properties;
use super::settings::{MitigationModes, Settings};
use super::stats::{Origin, Snapshot};
use crate::lock;
use crate::session;
use crate::signaller::{Signallable, Signaller, SignallerRole};

/// The element's own state; everything about streams and viewers is the coordinator's.
pub struct BaseWebRTCSink {
    settings: Mutex<Settings>,
    signaller: Mutex<Signallable>,
    snapshot: Arc<Snapshot>,
    mailbox: Mailbox,
    /// The coordinator's end of the mailbox, until its thread runs.
    facts: Mutex<Option<mpsc::Receiver<Fact>>>,
    coordinator: Mutex<Option<ThreadId>>,
    pads: Mutex<Vec<(WebRTCSinkPad, u32)>>,
    next_stream: AtomicU32,
    next_video: AtomicU32,
    next_audio: AtomicU32,
}

/// A copy of the element's settings.
pub(super) fn settings_of(element: &super::BaseWebRTCSink) -> Settings {
    lock(&element.imp().settings).clone()
}

/// The element's signaller.
pub(super) fn signaller_of(element: &super::BaseWebRTCSink) -> Signallable {
    lock(&element.imp().signaller).clone()
}

impl Default for BaseWebRTCSink {
    fn default() -> Self {
        let (mailbox, facts) = Mailbox::new();
        Self {
            settings: Mutex::default(),
            signaller: Mutex::new(Signaller::new(SignallerRole::Producer).upcast()),
            snapshot: Arc::default(),
            mailbox,
            facts: Mutex::new(Some(facts)),
            coordinator: Mutex::default(),
            pads: Mutex::default(),
            next_stream: AtomicU32::default(),
            next_video: AtomicU32::default(),
            next_audio: AtomicU32::default(),
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for BaseWebRTCSink {
    const NAME: &'static str = "WeirBaseWebRTCSink";
    type Type = super::BaseWebRTCSink;
    type ParentType = gst::Bin;
    type Interfaces = (gst::ChildProxy,);
}

impl ObjectImpl for BaseWebRTCSink {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties::table);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        match pspec.name() {
            "signaller" => {
                if let Ok(Some(signaller)) = value.get::<Option<Signallable>>() {
                    // The old one goes without the lock: its end may run the application's code.
                    let _old = std::mem::replace(&mut *lock(&self.signaller), signaller);
                }
            }
            name => properties::set(&mut lock(&self.settings), value, name),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "signaller" => lock(&self.signaller).to_value(),
            "stats" => {
                if self.snapshot.wants_refresh() {
                    self.mailbox.post(Fact::RefreshStats);
                }
                self.snapshot.to_structure().to_value()
            }
            name => properties::get_value(&lock(&self.settings), name),
        }
    }

    fn signals() -> &'static [Signal] {
        static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(signals);
        &SIGNALS
    }

    fn constructed(&self) {
        self.parent_constructed();
        let element = self.obj();
        element.set_suppressed_flags(gst::ElementFlags::SINK | gst::ElementFlags::SOURCE);
        element.set_element_flags(gst::ElementFlags::SINK);
    }

    fn dispose(&self) {
        self.mailbox.post(Fact::Quit);
    }
}

impl GstObjectImpl for BaseWebRTCSink {}

impl ElementImpl for BaseWebRTCSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "WebRTC sink (Weir)",
                "Sink/Network/WebRTC",
                "Sends streams to any number of WebRTC viewers, each stream encoded once",
                "The Weir authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| pad_templates().unwrap_or_default());
        &TEMPLATES
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        _name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        match self.add_stream(template) {
            Ok(pad) => Some(pad.upcast()),
            Err(error) => {
                gst::error!(crate::CAT, imp = self, "no pad: {error}");
                None
            }
        }
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let released = {
            let mut pads = lock(&self.pads);
            pads.iter()
                .position(|(own, _)| own.upcast_ref::<gst::Pad>() == pad)
                .map(|at| pads.remove(at))
        };
        let Some((pad, stream)) = released else { return };
        let _ = pad.set_active(false);
        let _ = pad.set_target(None::<&gst::Pad>);
        let _ = self.obj().remove_pad(&pad);
        self.mailbox.post(Fact::PadReleased { stream });
        self.obj().child_removed(&pad, &pad.name());
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::NullToReady => session::warm_up(),
            gst::StateChange::ReadyToPaused => {
                self.ensure_coordinator()?;
                self.mailbox.post(Fact::Start);
            }
            gst::StateChange::PausedToReady => self.stop(),
            _ => (),
        }
        let success = self.parent_change_state(transition)?;
        match transition {
            // Viewers are served in real time: there is nothing to preroll.
            gst::StateChange::ReadyToPaused | gst::StateChange::PlayingToPaused => {
                Ok(gst::StateChangeSuccess::NoPreroll)
            }
            gst::StateChange::PausedToPlaying => {
                self.mailbox.post(Fact::Playing);
                Ok(success)
            }
            _ => Ok(success),
        }
    }
}

impl BinImpl for BaseWebRTCSink {
    fn handle_message(&self, message: gst::Message) {
        match message.view() {
            // The element posts its own, once everything has been sent.
            gst::MessageView::Eos(_) => (),
            gst::MessageView::Error(error) => {
                let origin = message
                    .src()
                    .map_or(Origin::Elsewhere, |source| self.snapshot.origin_of(source));
                match origin {
                    // An encoder that fails is replaced, or costs its viewers: never the pipeline.
                    Origin::Rendition(rendition) => self.mailbox.post(Fact::RenditionFailed {
                        rendition,
                        message: error.error().message().to_owned(),
                    }),
                    Origin::RetiredRendition => (),
                    Origin::Elsewhere => self.parent_handle_message(message),
                }
            }
            _ => self.parent_handle_message(message),
        }
    }
}

impl ChildProxyImpl for BaseWebRTCSink {
    fn child_by_index(&self, _index: u32) -> Option<glib::Object> {
        None
    }

    fn children_count(&self) -> u32 {
        0
    }

    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        if name == "signaller" {
            return Some(lock(&self.signaller).clone().upcast());
        }
        self.obj().static_pad(name).map(Cast::upcast)
    }
}

impl BaseWebRTCSink {
    fn add_stream(&self, template: &gst::PadTemplate) -> Result<WebRTCSinkPad, glib::BoolError> {
        let element = self.obj();
        let (kind, counter) = if template.name().starts_with("audio") {
            (MediaKind::Audio, &self.next_audio)
        } else {
            (MediaKind::Video, &self.next_video)
        };
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let name = template.name().replace("%u", &number.to_string());
        let stream = self.next_stream.fetch_add(1, Ordering::Relaxed);

        self.ensure_coordinator()
            .map_err(|_| glib::bool_error!("no thread for the element"))?;
        let mailbox = self.mailbox.clone();
        let (input, target) = Input::new(element.upcast_ref(), kind, move |event| {
            mailbox.post(Fact::Input { stream, event });
        })?;
        let pad = gst::PadBuilder::<WebRTCSinkPad>::from_template(template)
            .name(name)
            .build();
        pad.set_target(Some(&target))?;
        // The coordinator knows the stream before its first caps.
        self.mailbox.post(Fact::PadAdded {
            stream,
            pad: pad.clone(),
            input,
        });
        lock(&self.pads).push((pad.clone(), stream));
        let _ = pad.set_active(true);
        element.add_pad(&pad)?;
        element.child_added(&pad, &pad.name());
        Ok(pad)
    }

    fn ensure_coordinator(&self) -> Result<(), gst::StateChangeError> {
        let Some(facts) = lock(&self.facts).take() else {
            return Ok(());
        };
        match Coordinator::spawn(&self.obj(), self.mailbox.clone(), facts, self.snapshot.clone()) {
            Ok(thread) => {
                *lock(&self.coordinator) = Some(thread.thread().id());
                Ok(())
            }
            Err(error) => {
                gst::element_imp_error!(
                    self,
                    gst::ResourceError::NoSpaceLeft,
                    ["no thread for the element: {error}"]
                );
                Err(gst::StateChangeError)
            }
        }
    }

    fn stop(&self) {
        let is_done = self.mailbox.post_stop();
        // A handler of the application's that stops the pipeline runs on the coordinator itself, which cannot
        // wait for itself.
        let is_own_thread = *lock(&self.coordinator) == Some(std::thread::current().id());
        if !is_own_thread {
            let _ = is_done.recv();
        }
    }
}

fn signals() -> Vec<Signal> {
    let string = String::static_type;
    let setup = |name| {
        Signal::builder(name)
            .param_types([string(), string(), gst::Element::static_type()])
            .return_type::<bool>()
            .accumulator(first_true_wins)
            .run_last()
            .class_handler(|_| Some(false.to_value()))
            .build()
    };
    vec![
        Signal::builder("consumer-pipeline-created")
            .param_types([string(), gst::Pipeline::static_type()])
            .build(),
        Signal::builder("consumer-added")
            .param_types([string(), gst::Element::static_type()])
            .build(),
        Signal::builder("consumer-removed")
            .param_types([string(), gst::Element::static_type()])
            .build(),
        setup("encoder-setup"),
        setup("payloader-setup"),
        Signal::builder("request-encoded-filter")
            .param_types([string(), string(), gst::Caps::static_type()])
            .return_type::<gst::Element>()
            .accumulator(first_handler_wins)
            .build(),
        Signal::builder("define-encoder-bitrates")
            .param_types([string(), i32::static_type(), gst::Structure::static_type()])
            .return_type::<gst::Structure>()
            .accumulator(first_handler_wins)
            .build(),
        Signal::builder("configure-mitigation-caps")
            .param_types([
                string(),
                gst_video::VideoInfo::static_type(),
                i32::static_type(),
                MitigationModes::static_type(),
            ])
            .return_type::<gst::Caps>()
            .accumulator(first_handler_wins)
            .build(),
        Signal::builder("get-sessions")
            .action()
            .return_type::<Vec<String>>()
            .class_handler(|args| {
                let element = args.first()?.get::<super::BaseWebRTCSink>().ok()?;
                Some(element.imp().snapshot.session_ids().to_value())
            })
            .build(),
    ]
}

fn first_true_wins(
    _hint: &glib::subclass::SignalInvocationHint,
    _before: glib::Value,
    result: &glib::Value,
) -> ControlFlow<glib::Value, glib::Value> {
    if result.get().unwrap_or(false) {
        ControlFlow::Break(result.clone())
    } else {
        ControlFlow::Continue(result.clone())
    }
}

fn first_handler_wins(
    _hint: &glib::subclass::SignalInvocationHint,
    _before: glib::Value,
    result: &glib::Value,
) -> ControlFlow<glib::Value, glib::Value> {
    ControlFlow::Break(result.clone())
}

fn pad_templates() -> Result<Vec<gst::PadTemplate>, glib::BoolError> {
    let mut video = gst::Caps::builder_full().structure(gst::Structure::new_empty("video/x-raw"));
    for feature in ["CUDAMemory", "GLMemory", "NVMM", "D3D11Memory", "VAMemory"] {
        video = video.structure_with_features(
            gst::Structure::new_empty("video/x-raw"),
            gst::CapsFeatures::new([format!("memory:{feature}")]),
        );
    }
    for codec in ["x-vp8", "x-h264", "x-vp9", "x-h265", "x-av1"] {
        video = video.structure(gst::Structure::new_empty(format!("video/{codec}")));
    }
    let audio = gst::Caps::builder_full()
        .structure(gst::Structure::new_empty("audio/x-raw"))
        .structure(gst::Structure::new_empty("audio/x-opus"));
    let template = |name: &str, caps: gst::Caps| {
        gst::PadTemplate::with_gtype(
            name,
            gst::PadDirection::Sink,
            gst::PadPresence::Request,
            &caps,
            WebRTCSinkPad::static_type(),
        )
    };
    Ok(vec![
        template("audio_%u", audio.build())?,
        template("video_%u", video.build())?,
    ])
}
