//! `webrtcsink` itself: the base class and the embedded servers' properties.

use gst::glib;
use gst::subclass::prelude::*;

use super::BaseWebRTCSinkImpl;

/// The subclass that embeds servers.
#[derive(Default)]
pub struct WebRTCSink {}

#[glib::object_subclass]
impl ObjectSubclass for WebRTCSink {
    const NAME: &'static str = "WeirWebRTCSink";
    type Type = super::WebRTCSink;
    type ParentType = super::BaseWebRTCSink;
}

impl ObjectImpl for WebRTCSink {}
impl GstObjectImpl for WebRTCSink {}
impl ElementImpl for WebRTCSink {}
impl BinImpl for WebRTCSink {}
impl BaseWebRTCSinkImpl for WebRTCSink {}
