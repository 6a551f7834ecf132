//! The default signaller: a WebSocket to a signalling server, wire versions 1.0 and 1.1.
//!
//! ```text
//!   properties ─► address ─┐
//!   vfuncs ──► wishes ─► shell ◄─► client (pure)     one task: socket, timer, order of messages
//!                          │  ▲
//!                          │  └─ connector, tls: TCP, TLS, HTTP
//!                          ▼
//!                        events ─► delivery          one task: emits, one signal after the other
//! ```

mod address;
mod client;
mod connector;
mod delivery;
mod imp;
mod shell;
mod tls;

use gst::glib;
use gst::subclass::prelude::ObjectSubclassIsExt;

use super::Signallable;

glib::wrapper! {
    /// Signals through a signalling server over a WebSocket.
    ///
    /// It keeps connected: a server that is lost, or not there yet, is dialled again with growing delays (0.5 s to
    /// 15 s), and the element is told by `connection-lost` and `connection-restored`, never by `error`. Sessions
    /// whose media flows live on. Properties are read by `start`.
    ///
    /// | property | type, default | meaning |
    /// |---|---|---|
    /// | `uri` | string, `ws://127.0.0.1:8443` | the server; a consumer's may have `?peer-id=…` or `?connect-to-first-producer` |
    /// | `role` | [`SignallerRole`], consumer | what to register as |
    /// | `producer-peer-id` | string, NULL | whom a consumer watches; it is waited for |
    /// | `connect-to-first-producer` | bool, false | a consumer watches the first producer that there is; it is waited for |
    /// | `keep-watching` | bool, false | a consumer whose session ended waits for the producer, or the next one, again |
    /// | `cafile` | string, NULL | PEM file with the only certificates that are trusted; else the system's |
    /// | `insecure-tls` | bool, false | any certificate is taken |
    /// | `headers` | structure, NULL | headers for the HTTP request |
    /// | `reconnect` | bool, true | whether to dial again; if not, losing the server is an `error` |
    /// | `client-id` | string, read-only | the id that the server gave; changes with every connection |
    /// | `manual-sdp-munging` | bool, read-only | always false |
    ///
    /// A consumer with neither of the two ways to choose a producer is passive: a producer calls it.
    pub struct Signaller(ObjectSubclass<imp::Signaller>) @implements Signallable;
}

impl Signaller {
    /// A signaller with default properties and this role.
    pub fn new(role: SignallerRole) -> Self {
        glib::Object::builder().property("role", role).build()
    }
}

impl Signaller {
    /// Takes the first certificate in this PEM file for the server's own, and no other, whatever names it has. For a
    /// server in this process; setting `cafile` undoes it.
    pub(crate) fn trust_exactly(&self, file: &str) {
        self.imp().trust_exactly(file);
    }
}

impl Default for Signaller {
    fn default() -> Self {
        glib::Object::new()
    }
}

/// What a signaller registers as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "WeirSignallerRole")]
pub enum SignallerRole {
    /// Receives media.
    #[default]
    #[enum_value(name = "Consumer", nick = "consumer")]
    Consumer,
    /// Sends media.
    #[enum_value(name = "Producer", nick = "producer")]
    Producer,
    /// Learns which producers there are.
    #[enum_value(name = "Listener", nick = "listener")]
    Listener,
}

static CAT: std::sync::LazyLock<gst::DebugCategory> = std::sync::LazyLock::new(|| {
    gst::DebugCategory::new(
        "weirsignaller",
        gst::DebugColorFlags::empty(),
        Some("Weir's WebSocket signaller"),
    )
});
