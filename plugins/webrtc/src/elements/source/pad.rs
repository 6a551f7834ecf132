//! webrtcsrc's source pads.

use std::sync::Mutex;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::lock;

glib::wrapper! {
    /// A source pad of webrtcsrc: one received stream.
    pub struct WebRTCSrcPad(ObjectSubclass<imp::WebRTCSrcPad>)
        @extends gst::GhostPad, gst::ProxyPad, gst::Pad, gst::Object;
}

impl WebRTCSrcPad {
    /// A pad that leads nowhere yet. It answers a latency query itself until it does.
    pub(super) fn new(
        template: &gst::PadTemplate,
        name: &str,
        latency: impl Fn() -> gst::ClockTime + Send + Sync + 'static,
    ) -> Self {
        gst::PadBuilder::<Self>::from_template(template)
            .name(name)
            .query_function(move |pad, parent, query| {
                if gst::Pad::query_default(pad, parent, query) {
                    return true;
                }
                let gst::QueryViewMut::Latency(query) = query.view_mut() else { return false };
                query.set(true, latency(), gst::ClockTime::NONE);
                true
            })
            .build()
    }

    /// Tells which media stream the peer put this stream in (RFC 8830).
    pub(super) fn set_msid(&self, msid: Option<String>) {
        let changed = {
            let mut current = lock(&self.imp().msid);
            std::mem::replace(&mut *current, msid.clone()) != msid
        };
        if changed {
            self.notify("msid");
        }
    }
}

mod imp {
    use super::*;

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = super::WebRTCSrcPad)]
    pub struct WebRTCSrcPad {
        /// The media stream id that the peer gave (RFC 8830).
        #[property(get, nullable, name = "msid", nick = "MSID",
            blurb = "Remote MediaStream ID in use for this pad")]
        pub(super) msid: Mutex<Option<String>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for WebRTCSrcPad {
        const NAME: &'static str = "WeirWebRTCSrcPad";
        type Type = super::WebRTCSrcPad;
        type ParentType = gst::GhostPad;
    }

    #[glib::derived_properties]
    impl ObjectImpl for WebRTCSrcPad {}
    impl GstObjectImpl for WebRTCSrcPad {}
    impl PadImpl for WebRTCSrcPad {}
    impl ProxyPadImpl for WebRTCSrcPad {}
    impl GhostPadImpl for WebRTCSrcPad {}
}
