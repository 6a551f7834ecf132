//! The servers themselves, on the process's runtime.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gst::prelude::*;
use tokio::runtime::Handle;
use url::Url;
use weir_signalling_server::{
    Config, Handle as ServerHandle, Pages, PagesSource, Routes, Server, SignallingState, TimeOuts, Tls,
};

use super::{Error, Settings, SignallingServer, WebServer};
use crate::runtime;

/// How long names and files may take.
const START: Duration = Duration::from_secs(10);
/// How long connections may take to close in good order.
const CLOSING: Duration = Duration::from_millis(500);
/// How long stopping may take.
const STOP: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Listeners {
    runtime: Handle,
    running: Vec<ServerHandle>,
    signalling_url: Option<String>,
    page_url: Option<String>,
}

/// A listener to start, and which server it is.
struct Plan {
    server: &'static str,
    config: Config,
}

impl Listeners {
    pub(super) fn start(settings: &Settings) -> Result<Self, Error> {
        let plans = plan(settings)?;
        let runtime = runtime::handle().map_err(|error| failed("signalling", error.to_string()))?;
        // All ports are taken before any server runs: one that is not run yet leaves nothing behind.
        let bound = plans
            .into_iter()
            .map(|Plan { server, config }| Ok((server, bind(&runtime, server, config)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let mut listeners = Self {
            runtime,
            running: Vec::new(),
            signalling_url: None,
            page_url: None,
        };
        let runtime = listeners.runtime.clone();
        let _context = runtime.enter();
        for (server, bound) in bound {
            if server == "signalling" {
                listeners.signalling_url = Some(bound.url());
            }
            if let Some(url) = bound.pages_url() {
                listeners.page_url = Some(url);
            }
            listeners.running.push(bound.spawn());
        }
        Ok(listeners)
    }

    pub(super) fn signalling_url(&self) -> Option<String> {
        self.signalling_url.clone()
    }

    pub(super) fn page_url(&self) -> Option<String> {
        self.page_url.clone()
    }

    pub(super) fn stop(mut self) {
        // Whatever takes longer is closed in the background.
        let _ = self.shut_down().recv_timeout(STOP);
    }

    /// Begins to shut down; the channel closes when that is done.
    fn shut_down(&mut self) -> Receiver<()> {
        let (sender, stopped) = channel();
        let running = std::mem::take(&mut self.running);
        self.runtime.spawn(async move {
            let stopping: Vec<_> = running
                .into_iter()
                .map(|server| tokio::spawn(server.shutdown()))
                .collect();
            for stopping in stopping {
                let _ = stopping.await;
            }
            drop(sender);
        });
        stopped
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        if !self.running.is_empty() {
            self.shut_down();
        }
    }
}

fn bind(runtime: &Handle, server: &'static str, config: Config) -> Result<Server, Error> {
    let (sender, bound) = channel();
    runtime.spawn(async move {
        let _ = sender.send(Server::bind(config).await);
    });
    match bound.recv_timeout(START) {
        Ok(Ok(bound)) => Ok(bound),
        Ok(Err(error)) => Err(failed(server, error.to_string())),
        Err(_) => Err(failed(
            server,
            "its host's name is not resolved in time".to_owned(),
        )),
    }
}

/// What to listen on, and for what.
fn plan(settings: &Settings) -> Result<Vec<Plan>, Error> {
    let state = SignallingState::default();
    let mut plans = Vec::new();
    if let Some(server) = &settings.signalling {
        plans.push(Plan {
            server: "signalling",
            config: signalling(server, &state)?,
        });
    }
    if let Some(server) = &settings.web {
        let config = web(server, &state, settings)?;
        let shared = plans.first_mut().filter(|plan| {
            let other = &plan.config;
            other.port != 0
                && (&other.host, other.port, &other.tls) == (&config.host, config.port, &config.tls)
        });
        match shared {
            Some(plan) => plan.config.routes.pages = config.routes.pages,
            None => plans.push(Plan {
                server: "web",
                config,
            }),
        }
    }
    Ok(plans)
}

fn signalling(server: &SignallingServer, state: &SignallingState) -> Result<Config, Error> {
    let headers = server
        .headers
        .as_ref()
        .map(|headers| headers.iter())
        .into_iter()
        .flatten();
    let text = |value: &gst::glib::Value| match value.get::<String>() {
        Ok(text) => text,
        Err(_) => value.serialize().map(|text| text.to_string()).unwrap_or_default(),
    };
    Ok(Config {
        host: server.host.clone(),
        port: server.port,
        tls: tls("signalling", server.cert.as_ref(), server.key.as_ref())?,
        handshake_headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        time_outs: TimeOuts {
            closing: CLOSING,
            ..TimeOuts::default()
        },
        ..Config::new(state.clone())
    })
}

fn web(server: &WebServer, state: &SignallingState, settings: &Settings) -> Result<Config, Error> {
    let tls = tls("web", server.cert.as_ref(), server.key.as_ref())?;
    let (host, port, path) = web_address(server)?;
    let has_signalling = settings.signalling.is_some();
    let source = server
        .directory
        .clone()
        .map_or(PagesSource::Embedded, PagesSource::Folder);
    let signalling_url = settings.signaller_uri.clone().filter(|_| !has_signalling);
    Ok(Config {
        host,
        port,
        tls,
        routes: Routes {
            signalling: has_signalling,
            pages: Some(Pages {
                source,
                path,
                signalling_url,
            }),
        },
        time_outs: TimeOuts {
            closing: CLOSING,
            ..TimeOuts::default()
        },
        ..Config::new(state.clone())
    })
}

/// The web server's host, port and path.
fn web_address(server: &WebServer) -> Result<(String, u16, String), Error> {
    let refuse = |reason: String| Error::Address {
        address: server.host_addr.clone(),
        reason,
    };
    let url = Url::parse(&server.host_addr).map_err(|error| refuse(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("it has to begin with http:// or https://".to_owned()));
    }
    let host = url
        .host_str()
        .ok_or_else(|| refuse("it names no host".to_owned()))?;
    let port = url.port_or_known_default().unwrap_or(80);
    let path = server.path.clone().unwrap_or_else(|| url.path().to_owned());
    if url.scheme() == "https" && server.cert.is_none() {
        return Err(refuse("https needs a certificate and a key".to_owned()));
    }
    Ok((host.to_owned(), port, path))
}

fn tls(server: &'static str, cert: Option<&PathBuf>, key: Option<&PathBuf>) -> Result<Option<Tls>, Error> {
    match (cert, key) {
        (Some(certificate), Some(key)) => Ok(Some(Tls {
            certificate: certificate.clone(),
            key: key.clone(),
        })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(Error::HalfTls { server }),
    }
}

/// The library's sentences begin with a capital letter, as sentences do; here they follow a colon.
fn failed(server: &'static str, reason: String) -> Error {
    let mut letters = reason.chars();
    let reason = letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default();
    Error::Start { server, reason }
}
