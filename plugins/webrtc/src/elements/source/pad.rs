//! webrtcsrc's source pads.

use std::sync::Mutex;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::lock;

glib::wrapper! {
    /// A source pad of webrtcsrc: one received stream.
    pub struct WebRTCSrcPad(ObjectSubclass<imp::WebRTCSrcPad>)
        @extends gst::GhostPad, gst::ProxyPad, gst::Pad, gst::Object;
}

impl WebRTCSrcPad {
    /// A pad that leads nowhere yet.
    ///
    /// It answers a latency query itself until it does. While it is not linked, its caps are those of its template,
    /// whatever it gave before: it can be linked to anybody who takes any of these forms.
    pub(super) fn new(
        template: &gst::PadTemplate,
        name: &str,
        latency: impl Fn() -> gst::ClockTime + Send + Sync + 'static,
    ) -> Self {
        gst::PadBuilder::<Self>::from_template(template)
            .name(name)
            .query_function(move |pad, parent, query| {
                if let gst::QueryViewMut::Caps(query) = query.view_mut()
                    && !pad.is_linked()
                {
                    let caps = pad.pad_template_caps();
                    let caps = match query.filter_owned() {
                        Some(filter) => filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First),
                        None => caps,
                    };
                    query.set_result(&caps);
                    return true;
                }
                if gst::Pad::query_default(pad, parent, query) {
                    return true;
                }
                let gst::QueryViewMut::Latency(query) = query.view_mut() else {
                    return false;
                };
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
        #[property(
            get,
            nullable,
            name = "msid",
            nick = "MSID",
            blurb = "Remote MediaStream ID in use for this pad"
        )]
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
