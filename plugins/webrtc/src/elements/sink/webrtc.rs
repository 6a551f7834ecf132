//! `webrtcsink` itself: the base class and the embedded servers' properties.

use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::{BaseWebRTCSinkImpl, imp};
use crate::embedded::{self, EmbeddedServers};
use crate::lock;

/// The subclass that embeds servers.
#[derive(Default)]
pub struct WebRTCSink {
    settings: Mutex<Settings>,
    servers: Mutex<Option<EmbeddedServers>>,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    runs_signalling: bool,
    signalling: embedded::SignallingServer,
    runs_web: bool,
    web: embedded::WebServer,
}

#[glib::object_subclass]
impl ObjectSubclass for WebRTCSink {
    const NAME: &'static str = "WeirWebRTCSink";
    type Type = super::WebRTCSink;
    type ParentType = super::BaseWebRTCSink;
}

impl ObjectImpl for WebRTCSink {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = lock(&self.settings);
        let settings = &mut *settings;
        let string = || {
            value
                .get::<Option<String>>()
                .ok()
                .flatten()
                .filter(|text| !text.is_empty())
        };
        let path = || string().map(PathBuf::from);
        match pspec.name() {
            "run-signalling-server" => settings.runs_signalling = value.get().unwrap_or_default(),
            "signalling-server-host" => {
                settings.signalling.host =
                    string().unwrap_or_else(|| embedded::SignallingServer::default().host);
            }
            "signalling-server-port" => {
                let port = value.get::<u32>().ok().and_then(|port| port.try_into().ok());
                settings.signalling.port = port.unwrap_or_default();
            }
            "signalling-server-cert" => settings.signalling.cert = path(),
            "signalling-server-key" => settings.signalling.key = path(),
            "signalling-server-headers" => settings.signalling.headers = value.get().unwrap_or_default(),
            "run-web-server" => settings.runs_web = value.get().unwrap_or_default(),
            "web-server-host-addr" => {
                settings.web.host_addr = string().unwrap_or_else(|| embedded::WebServer::default().host_addr);
            }
            "web-server-directory" => settings.web.directory = path(),
            "web-server-path" => settings.web.path = string(),
            "web-server-cert" => settings.web.cert = path(),
            "web-server-key" => settings.web.key = path(),
            _ => unreachable!("GObject checks names against the table"),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings).clone();
        let path = |path: Option<PathBuf>| path.and_then(|path| path.to_str().map(str::to_owned)).to_value();
        match pspec.name() {
            "run-signalling-server" => settings.runs_signalling.to_value(),
            "signalling-server-host" => settings.signalling.host.to_value(),
            "signalling-server-port" => u32::from(settings.signalling.port).to_value(),
            "signalling-server-cert" => path(settings.signalling.cert),
            "signalling-server-key" => path(settings.signalling.key),
            "signalling-server-headers" => settings.signalling.headers.to_value(),
            "run-web-server" => settings.runs_web.to_value(),
            "web-server-host-addr" => settings.web.host_addr.to_value(),
            "web-server-directory" => path(settings.web.directory),
            "web-server-path" => settings.web.path.to_value(),
            "web-server-cert" => path(settings.web.cert),
            "web-server-key" => path(settings.web.key),
            _ => unreachable!("GObject checks names against the table"),
        }
    }
}

impl GstObjectImpl for WebRTCSink {}

impl ElementImpl for WebRTCSink {
    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady {
            self.start_servers()?;
        }
        let result = self.parent_change_state(transition);
        if transition == gst::StateChange::ReadyToNull
            || (transition == gst::StateChange::NullToReady && result.is_err())
        {
            let servers = lock(&self.servers).take();
            if let Some(servers) = servers {
                servers.stop();
            }
        }
        result
    }
}

impl BinImpl for WebRTCSink {}
impl BaseWebRTCSinkImpl for WebRTCSink {}

impl WebRTCSink {
    fn start_servers(&self) -> Result<(), gst::StateChangeError> {
        let settings = lock(&self.settings).clone();
        if !settings.runs_signalling && !settings.runs_web {
            return Ok(());
        }
        let element = self.obj();
        let signaller = imp::signaller_of(element.upcast_ref());
        let uri = signaller
            .find_property("uri")
            .filter(|pspec| pspec.value_type() == String::static_type());
        let settings = embedded::Settings {
            signalling: settings.runs_signalling.then_some(settings.signalling),
            web: settings.runs_web.then_some(settings.web),
            signaller_uri: uri.and_then(|_| signaller.property::<Option<String>>("uri")),
        };
        match EmbeddedServers::start(&settings) {
            Ok(servers) => {
                servers.point(&signaller);
                if let Some(url) = servers.page_url() {
                    gst::element_info!(element, gst::ResourceError::OpenRead, ("Watch at {url}"));
                }
                *lock(&self.servers) = Some(servers);
                Ok(())
            }
            Err(error) => {
                gst::element_error!(element, gst::ResourceError::OpenRead, ("{error}"));
                Err(gst::StateChangeError)
            }
        }
    }
}

fn properties() -> Vec<glib::ParamSpec> {
    let d = Settings::default();
    let boolean = |name: &'static str, nick: &'static str, blurb: &'static str| {
        glib::ParamSpecBoolean::builder(name)
            .nick(nick)
            .blurb(blurb)
            .mutable_ready()
            .build()
    };
    let string = |name: &'static str, nick: &'static str, blurb: &'static str, default: Option<&str>| {
        glib::ParamSpecString::builder(name)
            .nick(nick)
            .blurb(blurb)
            .default_value(default)
            .mutable_ready()
            .build()
    };
    vec![
        boolean(
            "run-signalling-server",
            "Run signalling server",
            "Whether to run a signalling server in this process, and use it",
        ),
        string(
            "signalling-server-host",
            "Signalling server host",
            "Address the signalling server listens on",
            Some(&d.signalling.host),
        ),
        glib::ParamSpecUInt::builder("signalling-server-port")
            .nick("Signalling server port")
            .blurb("Port the signalling server listens on")
            .minimum(1)
            .maximum(u16::MAX.into())
            .default_value(d.signalling.port.into())
            .mutable_ready()
            .build(),
        string(
            "signalling-server-cert",
            "Signalling server certificate",
            "PEM file, for TLS",
            None,
        ),
        string(
            "signalling-server-key",
            "Signalling server key",
            "PEM file, for TLS",
            None,
        ),
        glib::ParamSpecBoxed::builder::<gst::Structure>("signalling-server-headers")
            .nick("Signalling server headers")
            .blurb("HTTP headers to answer WebSocket handshakes with")
            .mutable_ready()
            .build(),
        boolean(
            "run-web-server",
            "Run web server",
            "Whether to serve the page to watch with from this process",
        ),
        string(
            "web-server-host-addr",
            "Web server address",
            "Address the web server listens on, as http:// or https:// URL",
            Some(&d.web.host_addr),
        ),
        string(
            "web-server-directory",
            "Web server directory",
            "Directory to serve; NULL for the pages that come with the plugin",
            None,
        ),
        string(
            "web-server-path",
            "Web server path",
            "Path that the pages are served under",
            None,
        ),
        string(
            "web-server-cert",
            "Web server certificate",
            "PEM file, for HTTPS",
            None,
        ),
        string("web-server-key", "Web server key", "PEM file, for HTTPS", None),
    ]
}
