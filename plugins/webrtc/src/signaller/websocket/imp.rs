//! GObject glue of the default signaller: properties and virtual functions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_webrtc::{WebRTCSDPType, WebRTCSessionDescription};
use weir_protocol::{Ice, Sdp, SdpType};

use super::address;
use super::client::{Config, Part, Target};
use super::connector::Connector;
use super::shell::{Run, Wish};
use super::tls::Trust;
use super::{CAT, SignallerRole, delivery};
use crate::runtime;
use crate::signaller::{Signallable, SignallableExt, SignallableImpl};

const DEFAULT_URI: &str = "ws://127.0.0.1:8443";

/// The properties; `start` takes a copy.
#[derive(Clone, Debug)]
struct Settings {
    uri: String,
    role: SignallerRole,
    producer_peer_id: Option<String>,
    connect_to_first_producer: bool,
    keep_watching: bool,
    cafile: Option<String>,
    /// Whether the first certificate of `cafile` is the server's own, and nothing else counts.
    trusts_exactly: bool,
    insecure_tls: bool,
    headers: Option<gst::Structure>,
    reconnect: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            uri: DEFAULT_URI.to_owned(),
            role: SignallerRole::Consumer,
            producer_peer_id: None,
            connect_to_first_producer: false,
            keep_watching: false,
            cafile: None,
            trusts_exactly: false,
            insecure_tls: false,
            headers: None,
            reconnect: true,
        }
    }
}

#[derive(Default)]
struct State {
    client_id: Option<String>,
    run: Option<Run>,
}

/// No lock is held while a signal or a notification is emitted.
#[derive(Default)]
pub struct Signaller {
    settings: Mutex<Settings>,
    state: Mutex<State>,
}

#[glib::object_subclass]
impl ObjectSubclass for Signaller {
    const NAME: &'static str = "WeirSignaller";
    type Type = super::Signaller;
    type ParentType = glib::Object;
    type Interfaces = (Signallable,);
}

impl ObjectImpl for Signaller {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            fn string<'a>(name: &'a str, nick: &'a str, blurb: &'a str) -> glib::ParamSpecStringBuilder<'a> {
                glib::ParamSpecString::builder(name).nick(nick).blurb(blurb)
            }
            let flag = |name: &str, nick: &str, blurb: &str, default| {
                glib::ParamSpecBoolean::builder(name)
                    .nick(nick)
                    .blurb(blurb)
                    .default_value(default)
                    .build()
            };
            vec![
                glib::ParamSpecOverride::for_interface::<Signallable>("manual-sdp-munging"),
                string("uri", "Server", "Where the signalling server is: ws:// or wss://")
                    .default_value(DEFAULT_URI)
                    .build(),
                glib::ParamSpecEnum::builder_with_default("role", SignallerRole::default())
                    .nick("Role")
                    .blurb("What to register as")
                    .build(),
                string(
                    "producer-peer-id",
                    "Producer",
                    "Whom a consumer watches; it is waited for",
                )
                .build(),
                flag(
                    "connect-to-first-producer",
                    "Connect to the first producer",
                    "Whether a consumer watches the first producer that there is; it is waited for",
                    false,
                ),
                flag(
                    "keep-watching",
                    "Keep watching",
                    "Whether a consumer whose session ended waits for the producer, or the next one, again",
                    false,
                ),
                string(
                    "cafile",
                    "Certificates",
                    "PEM file with the only certificates that are trusted, instead of the system's",
                )
                .build(),
                flag(
                    "insecure-tls",
                    "Insecure TLS",
                    "Whether any certificate of the server's is taken",
                    false,
                ),
                glib::ParamSpecBoxed::builder::<gst::Structure>("headers")
                    .nick("Headers")
                    .blurb("Headers to add to the HTTP request, such as authorization")
                    .build(),
                flag(
                    "reconnect",
                    "Reconnect",
                    "Whether to dial again when the server cannot be reached; if not, that is an error",
                    true,
                ),
                string(
                    "client-id",
                    "Client id",
                    "The id that the server gave; changes with every connection",
                )
                .read_only()
                .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.settings();
        let get_flag = || value.get().unwrap_or_default();
        match pspec.name() {
            "uri" => {
                let uri = value.get::<Option<String>>().ok().flatten();
                settings.uri = uri.unwrap_or_else(|| DEFAULT_URI.to_owned());
            }
            "role" => settings.role = value.get().unwrap_or_default(),
            "producer-peer-id" => settings.producer_peer_id = value.get().unwrap_or_default(),
            "connect-to-first-producer" => settings.connect_to_first_producer = get_flag(),
            "keep-watching" => settings.keep_watching = get_flag(),
            "cafile" => {
                settings.cafile = value.get().unwrap_or_default();
                settings.trusts_exactly = false;
            }
            "insecure-tls" => settings.insecure_tls = get_flag(),
            "headers" => settings.headers = value.get().unwrap_or_default(),
            "reconnect" => settings.reconnect = get_flag(),
            name => unreachable!("no property {name} can be set"),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        if pspec.name() == "client-id" {
            return self.state().client_id.to_value();
        }
        let settings = self.settings();
        match pspec.name() {
            "manual-sdp-munging" => false.to_value(),
            "uri" => settings.uri.to_value(),
            "role" => settings.role.to_value(),
            "producer-peer-id" => settings.producer_peer_id.to_value(),
            "connect-to-first-producer" => settings.connect_to_first_producer.to_value(),
            "keep-watching" => settings.keep_watching.to_value(),
            "cafile" => settings.cafile.to_value(),
            "insecure-tls" => settings.insecure_tls.to_value(),
            "headers" => settings.headers.to_value(),
            "reconnect" => settings.reconnect.to_value(),
            name => unreachable!("no property {name}"),
        }
    }
}

impl SignallableImpl for Signaller {
    fn start(&self) {
        let settings = self.settings().clone();
        let complaints = match self.try_start(&settings) {
            Ok(complaints) => complaints,
            Err(sentence) => {
                self.obj().emit_error(&sentence);
                return;
            }
        };
        for sentence in complaints {
            self.obj().emit_warning(sentence);
        }
    }

    fn stop(&self) {
        let State { client_id, run } = {
            let mut state = self.state();
            if let Some(run) = &state.run {
                run.silence();
            }
            std::mem::take(&mut *state)
        };
        if client_id.is_some() {
            self.obj().notify("client-id");
        }
        if let Some(run) = run {
            run.stop();
        }
    }

    fn send_sdp(&self, session_id: &str, description: &WebRTCSessionDescription) {
        let kind = match description.type_() {
            WebRTCSDPType::Offer => SdpType::Offer,
            WebRTCSDPType::Answer | WebRTCSDPType::Pranswer => SdpType::Answer,
            kind => {
                gst::warning!(
                    CAT,
                    imp = self,
                    "nothing was sent: the wire has no description of type {kind:?}"
                );
                return;
            }
        };
        match description.sdp().as_text() {
            Ok(sdp) => self.wish(Wish::SendDescription {
                session: session_id.to_owned(),
                sdp: Sdp { kind, sdp },
            }),
            Err(error) => gst::warning!(CAT, imp = self, "nothing was sent: {error}"),
        }
    }

    fn add_ice(&self, session_id: &str, candidate: &str, sdp_m_line_index: u32, sdp_mid: Option<&str>) {
        let ice = Ice {
            candidate: candidate.to_owned(),
            sdp_m_line_index,
            sdp_mid: sdp_mid.map(str::to_owned),
            username_fragment: None,
        };
        self.wish(Wish::SendCandidate {
            session: session_id.to_owned(),
            ice,
        });
    }

    fn end_session(&self, session_id: &str) {
        self.wish(Wish::EndSession {
            session: session_id.to_owned(),
            error: None,
        });
    }

    fn end_session_with_error(&self, session_id: &str, error: Option<&str>) {
        self.wish(Wish::EndSession {
            session: session_id.to_owned(),
            error: error.map(str::to_owned),
        });
    }

    fn session_connected(&self, session_id: &str) {
        self.wish(Wish::SessionConnected {
            session: session_id.to_owned(),
        });
    }
}

impl Signaller {
    /// Returns what the user should know; the error is one that a restart would not mend.
    fn try_start(&self, settings: &Settings) -> Result<Vec<&'static str>, String> {
        let address = address::parse(&settings.uri)
            .map_err(|error| format!("The signaller's uri cannot be used: {error}"))?;
        let headers = headers(settings.headers.as_deref());
        let runtime = runtime::handle().map_err(|error| format!("The signaller cannot start: {error}"))?;
        let config = Config {
            part: part(settings, address.target),
            reconnect: settings.reconnect,
            keep_watching: settings.keep_watching,
        };
        let mut complaints = Vec::new();
        if settings.role != SignallerRole::Consumer && settings.producer_peer_id.is_some() {
            complaints.push("producer-peer-id has no effect: the signaller's role is not consumer");
        }
        if settings.insecure_tls && address.url.scheme() == "wss" {
            complaints.push("insecure-tls is set: the signalling server's certificate is not verified");
        }

        let mut state = self.state();
        if state.run.as_ref().is_some_and(|run| !run.is_over()) {
            return Ok(Vec::new());
        }
        let trust = trust(settings);
        let (run, outlet) = Run::start(&runtime, config, move || {
            Connector::new(&address.url, &headers, &trust)
        });
        state.run = Some(run);
        delivery::start(&runtime, &self.obj(), outlet);
        Ok(complaints)
    }

    fn wish(&self, wish: Wish) {
        if let Some(run) = &self.state().run {
            run.wish(wish);
        }
    }

    /// See [`super::Signaller::trust_exactly`].
    pub(super) fn trust_exactly(&self, file: &str) {
        let mut settings = self.settings();
        settings.cafile = Some(file.to_owned());
        settings.trusts_exactly = true;
    }

    /// Takes over the id that the server gave, unless the signaller was stopped meanwhile.
    pub(super) fn set_client_id(&self, id: Option<String>, live: &AtomicBool) {
        {
            let mut state = self.state();
            if !live.load(Ordering::SeqCst) {
                return;
            }
            state.client_id = id;
        }
        self.obj().notify("client-id");
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to register as, and whom to watch: a property counts more than the URI.
fn part(settings: &Settings, from_uri: Option<Target>) -> Part {
    match settings.role {
        SignallerRole::Producer => Part::Producer,
        SignallerRole::Listener => Part::Listener,
        SignallerRole::Consumer => Part::Consumer(match (&settings.producer_peer_id, from_uri) {
            (Some(peer), _) => Target::Peer(peer.clone()),
            (None, Some(target)) => target,
            (None, None) if settings.connect_to_first_producer => Target::First,
            (None, None) => Target::Caller,
        }),
    }
}

fn trust(settings: &Settings) -> Trust {
    match &settings.cafile {
        _ if settings.insecure_tls => Trust::Anyone,
        Some(file) if settings.trusts_exactly => Trust::Exactly(file.clone()),
        Some(file) => Trust::File(file.clone()),
        None => Trust::System,
    }
}

fn headers(structure: Option<&gst::StructureRef>) -> Vec<(String, String)> {
    let text = |value: &glib::Value| match value.get::<String>() {
        Ok(text) => text,
        Err(_) => value.serialize().map(|text| text.to_string()).unwrap_or_default(),
    };
    structure
        .into_iter()
        .flat_map(|headers| headers.iter())
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}
