//! The signalling and web servers inside `webrtcsink`: their settings, and their life.
//!
//! ```text
//!   run-signalling-server ─► listener (WebSocket) ──┐
//!                                                   ├─► one SignallingState: whoever connects, by either
//!   run-web-server ────────► listener (pages,       │    listener, meets everybody
//!                            and WebSocket) ────────┘
//! ```
//!
//! The pages connect to where they came from; so the web server takes WebSockets as well when the signalling server
//! runs. Without it, the pages are told where the signaller's server is. Where both are to listen at one address,
//! one listener does both.
//!
//! The element starts the servers on its way to READY, before its signaller, and stops them after it.

#[cfg(feature = "embedded-server")]
mod listeners;

use std::path::PathBuf;

use gst::prelude::*;

use crate::signaller::{Signallable, Signaller};

/// The embedded signalling server's settings. The defaults are those of `webrtcsink`.
#[derive(Clone, Debug)]
pub struct SignallingServer {
    /// The address to listen on, or a name that resolves to one (`signalling-server-host`).
    pub host: String,
    /// The port; 0 takes one that is free (`signalling-server-port`).
    pub port: u16,
    /// A PEM file: the certificate and those that it was signed with (`signalling-server-cert`).
    pub cert: Option<PathBuf>,
    /// A PEM file: the certificate's key (`signalling-server-key`).
    pub key: Option<PathBuf>,
    /// Headers for the response to a WebSocket's handshake (`signalling-server-headers`).
    pub headers: Option<gst::Structure>,
}

impl Default for SignallingServer {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8443,
            cert: None,
            key: None,
            headers: None,
        }
    }
}

/// The embedded web server's settings. The defaults are those of `webrtcsink`.
#[derive(Clone, Debug)]
pub struct WebServer {
    /// Where to listen, as `http://host:port/` or `https://…` (`web-server-host-addr`).
    pub host_addr: String,
    /// The folder to serve; the pages that were built in, if there is none (`web-server-directory`).
    pub directory: Option<PathBuf>,
    /// The path under which the pages are found (`web-server-path`).
    pub path: Option<String>,
    /// A PEM file: the certificate and those that it was signed with (`web-server-cert`).
    pub cert: Option<PathBuf>,
    /// A PEM file: the certificate's key (`web-server-key`).
    pub key: Option<PathBuf>,
}

impl Default for WebServer {
    fn default() -> Self {
        Self {
            host_addr: "http://127.0.0.1:8080/".to_owned(),
            directory: None,
            path: None,
            cert: None,
            key: None,
        }
    }
}

/// Which servers to run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The signalling server, if `run-signalling-server` is set.
    pub signalling: Option<SignallingServer>,
    /// The web server, if `run-web-server` is set.
    pub web: Option<WebServer>,
    /// The signaller's `uri`: where pages connect to that are served without a signalling server beside them.
    pub signaller_uri: Option<String>,
}

/// Why the servers do not run. Each is a sentence for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The plugin was built without the feature `embedded-server`.
    #[error("This build of the plugin has no embedded servers")]
    NotBuilt,
    /// A certificate without a key, or the reverse.
    #[error("The {server} server needs both a certificate and a key for TLS, or neither")]
    HalfTls {
        /// `signalling` or `web`.
        server: &'static str,
    },
    /// The web server's address is none.
    #[error("The web server's address {address:?} cannot be used: {reason}")]
    Address {
        /// The property's value.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A server cannot listen, or not as it is told to.
    #[error("The {server} server cannot start: {reason}")]
    Start {
        /// `signalling` or `web`.
        server: &'static str,
        /// A sentence.
        reason: String,
    },
}

/// The servers that run. Dropping them stops them without waiting for that.
#[derive(Debug)]
pub struct EmbeddedServers {
    #[cfg(feature = "embedded-server")]
    listeners: listeners::Listeners,
    signaller_uri: Option<String>,
    page_url: Option<String>,
    certificate: Option<PathBuf>,
}

impl EmbeddedServers {
    /// Starts the servers; those that run when another fails are stopped. May take a moment, for names are resolved
    /// and files read, but not more than ten seconds. Not for a thread of the async runtime.
    ///
    /// # Errors
    /// A sentence that names what to change, such as a port that is taken.
    pub fn start(settings: &Settings) -> Result<Self, Error> {
        #[cfg(feature = "embedded-server")]
        {
            let listeners = listeners::Listeners::start(settings)?;
            let certificate = settings
                .signalling
                .as_ref()
                .and_then(|server| server.cert.clone());
            Ok(Self {
                signaller_uri: listeners.signalling_url(),
                page_url: listeners.page_url(),
                certificate,
                listeners,
            })
        }
        #[cfg(not(feature = "embedded-server"))]
        {
            let _ = settings;
            Err(Error::NotBuilt)
        }
    }

    /// Closes every connection, frees the ports and returns within two seconds.
    pub fn stop(self) {
        #[cfg(feature = "embedded-server")]
        self.listeners.stop();
    }

    /// Where a signaller in this process connects to; `None` without a signalling server.
    pub fn signaller_uri(&self) -> Option<&str> {
        self.signaller_uri.as_deref()
    }

    /// Where a browser on this machine finds the pages; `None` without a web server.
    pub fn page_url(&self) -> Option<&str> {
        self.page_url.as_deref()
    }

    /// The signalling server's certificate, if it has one: the `cafile` for a signaller.
    pub fn certificate(&self) -> Option<&std::path::Path> {
        self.certificate.as_deref()
    }

    /// Points a signaller to the signalling server, if there is one: its `uri` and, with TLS, its `cafile`.
    ///
    /// The default signaller will take the server's certificate for what it is, whatever names it has: it is made
    /// for those by which others know this machine, and the signaller comes from within.
    pub fn point(&self, signaller: &Signallable) {
        let set = |name: &str, value: &str| {
            if signaller
                .find_property(name)
                .is_some_and(|pspec| pspec.value_type() == String::static_type())
            {
                signaller.set_property(name, value);
            }
        };
        let Some(uri) = &self.signaller_uri else { return };
        set("uri", uri);
        if let Some(certificate) = self.certificate.as_ref().and_then(|path| path.to_str()) {
            set("cafile", certificate);
            if let Some(signaller) = signaller.downcast_ref::<Signaller>() {
                signaller.trust_exactly(certificate);
            }
        }
    }
}
