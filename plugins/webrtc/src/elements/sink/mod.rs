//! `webrtcsink`: sends streams to any number of WebRTC viewers, each stream encoded once.
//!
//! ```text
//!  imp ──────── facts ───────► coordinator ──── commands ───► signalling, viewer, rendition, hub
//!  properties, pads, states    owns all state,                settings → stats, messages → bus
//!                              on a thread of its own
//! ```
//!
//! - [`settings`], [`properties`]: what the application sets
//! - [`input`]: from a sink pad to the renditions
//! - [`signalling`]: the signaller's signals, as facts
//! - [`coordinator`]: routes facts to viewers and streams, and carries out what they decide
//! - [`sessions`], [`exchange`]: sessions from the request to the end, and their descriptions
//! - [`viewer`], [`negotiation`]: one viewer's session, and what it is offered
//! - [`stream`]: one sink pad's stream and its renditions
//! - [`messages`], [`stats`]: what the application is told

mod coordinator;
mod exchange;
mod imp;
mod input;
mod messages;
mod negotiation;
mod pad;
mod properties;
mod renditions;
mod sessions;
mod settings;
mod signalling;
mod stats;
mod stream;
mod viewer;
mod webrtc;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

pub use pad::WebRTCSinkPad;
pub use settings::{CongestionControl, JoinPolicy, MitigationModes};

use crate::signaller::Signallable;

glib::wrapper! {
    /// The class behind every sink element: takes any signaller, embeds no server.
    ///
    /// Its properties, signals and pads are those of gst-plugins-rs' `webrtcsink`; the documentation's migration
    /// page lists what differs.
    pub struct BaseWebRTCSink(ObjectSubclass<imp::BaseWebRTCSink>)
        @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

glib::wrapper! {
    /// `webrtcsink`: a [`BaseWebRTCSink`] with the default signaller, which can embed the signalling server and
    /// the web server.
    pub struct WebRTCSink(ObjectSubclass<webrtc::WebRTCSink>)
        @extends BaseWebRTCSink, gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

impl BaseWebRTCSink {
    /// A sink that finds its viewers through `signaller`.
    pub fn with_signaller(signaller: &impl IsA<Signallable>) -> Self {
        glib::Object::builder()
            .property("signaller", signaller.as_ref())
            .build()
    }
}

// SAFETY: everything in the implementation is Send and Sync, and behind its own locks.
unsafe impl<T: BaseWebRTCSinkImpl> IsSubclassable<T> for BaseWebRTCSink {}

/// What a subclass of [`BaseWebRTCSink`] implements.
pub trait BaseWebRTCSinkImpl: BinImpl + ObjectSubclass<Type: IsA<BaseWebRTCSink>> {}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    for name in ["webrtcsink", "weirsink"] {
        gst::Element::register(Some(plugin), name, gst::Rank::NONE, WebRTCSink::static_type())?;
    }
    BaseWebRTCSink::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    WebRTCSinkPad::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    CongestionControl::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    MitigationModes::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    JoinPolicy::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    Ok(())
}
