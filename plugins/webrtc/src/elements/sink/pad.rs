//! webrtcsink's sink pads.

use std::sync::Mutex;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

glib::wrapper! {
    /// A request pad of webrtcsink: one stream.
    pub struct WebRTCSinkPad(ObjectSubclass<imp::WebRTCSinkPad>)
        @extends gst::GhostPad, gst::ProxyPad, gst::Pad, gst::Object;
}

mod imp {
    use super::*;

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = super::WebRTCSinkPad)]
    pub struct WebRTCSinkPad {
        /// The media stream id to offer the stream with (RFC 8830).
        #[property(
            get,
            set,
            nullable,
            name = "msid",
            nick = "MSID",
            blurb = "Remote MediaStream ID in use for this pad"
        )]
        msid: Mutex<Option<String>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for WebRTCSinkPad {
        const NAME: &'static str = "WeirWebRTCSinkPad";
        type Type = super::WebRTCSinkPad;
        type ParentType = gst::GhostPad;
    }

    #[glib::derived_properties]
    impl ObjectImpl for WebRTCSinkPad {}
    impl GstObjectImpl for WebRTCSinkPad {}
    impl PadImpl for WebRTCSinkPad {}
    impl ProxyPadImpl for WebRTCSinkPad {}
    impl GhostPadImpl for WebRTCSinkPad {}
}
