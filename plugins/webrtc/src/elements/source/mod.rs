//! `webrtcsrc`: receives the streams of a WebRTC producer.
//!
//! ```text
//!  imp ──────── facts ───────► coordinator ──► session ──► lines ──► output ──► pads
//!  properties, pads, states    a thread that    webrtcbin,   m-lines   depayload,
//!                              owns the rest    negotiation            decode
//! ```
//!
//! - [`settings`], [`properties`]: what the application sets
//! - [`signalling`]: the signaller's signals, as facts
//! - [`coordinator`]: routes facts to the session and keeps its time
//! - [`session`], [`translate`], [`codec_choice`]: negotiation with one producer
//! - [`lines`]: its m-lines, and the pads that they lead to
//! - [`output`]: from received packets to what downstream accepts
//! - [`messages`]: what the application is told

mod codec_choice;
mod coordinator;
mod imp;
mod lines;
mod messages;
mod output;
mod pad;
mod properties;
mod session;
mod settings;
mod signalling;
mod translate;
mod webrtc;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

pub use pad::WebRTCSrcPad;

use crate::signaller::Signallable;

glib::wrapper! {
    /// The class behind every source element: takes any signaller, knows no URIs.
    ///
    /// Its properties, signals and pads are those of gst-plugins-rs' `webrtcsrc`; the documentation's migration page
    /// lists what differs.
    pub struct BaseWebRTCSrc(ObjectSubclass<imp::BaseWebRTCSrc>)
        @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

glib::wrapper! {
    /// `webrtcsrc`: a [`BaseWebRTCSrc`] with the default signaller, for `gstwebrtc://` and `gstwebrtcs://` URIs.
    pub struct WebRTCSrc(ObjectSubclass<webrtc::WebRTCSrc>)
        @extends BaseWebRTCSrc, gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy, gst::URIHandler;
}

impl BaseWebRTCSrc {
    /// A source that finds its producer through `signaller`.
    pub fn with_signaller(signaller: &impl IsA<Signallable>) -> Self {
        glib::Object::builder()
            .property("signaller", signaller.as_ref())
            .build()
    }
}

// SAFETY: everything in the implementation is Send and Sync, and behind its own locks.
unsafe impl<T: BaseWebRTCSrcImpl> IsSubclassable<T> for BaseWebRTCSrc {}

/// What a subclass of [`BaseWebRTCSrc`] implements.
pub trait BaseWebRTCSrcImpl: BinImpl + ObjectSubclass<Type: IsA<BaseWebRTCSrc>> {}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    for name in ["webrtcsrc", "weirsrc"] {
        gst::Element::register(Some(plugin), name, gst::Rank::PRIMARY, WebRTCSrc::static_type())?;
    }
    BaseWebRTCSrc::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    WebRTCSrcPad::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    Ok(())
}
