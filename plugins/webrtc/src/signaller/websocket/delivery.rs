//! The task that turns a client's events into signals of the object, one after the other.
//!
//! Handlers belong to elements and applications and may take their time; so this is a task of its own, and hands
//! its worker thread back before it calls them.

use std::sync::atomic::Ordering;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::ObjectSubclassIsExt;
use gst_sdp::SDPMessage;
use gst_webrtc::{WebRTCSDPType, WebRTCSessionDescription};
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use weir_protocol::SdpType;

use super::client::Event;
use super::shell::{Outlet, Wish};
use super::{CAT, Signaller};
use crate::signaller::{SignallableExt, meta};

/// More streams than this are no session of anybody's.
const MAX_MEDIA: u32 = 256;
/// Larger metadata are not sent: servers do not keep them.
const MAX_META: usize = 64 * 1024;

pub(super) fn start(runtime: &Handle, signaller: &Signaller, mut outlet: Outlet) {
    let signaller = signaller.downgrade();
    runtime.spawn(async move {
        while let Some(event) = outlet.events.recv().await {
            block_in_place(|| deliver(&signaller, event, &outlet));
        }
    });
}

fn deliver(signaller: &glib::WeakRef<Signaller>, event: Event, outlet: &Outlet) {
    let Some(signaller) = signaller.upgrade() else {
        return;
    };
    if !outlet.live.load(Ordering::SeqCst) {
        return;
    }
    let wish = |wish| {
        if let Some(wishes) = outlet.wishes.upgrade() {
            let _ = wishes.send(wish);
        }
    };
    match event {
        Event::ClientId(id) => {
            gst::info!(CAT, obj = signaller, "registering as {id}");
            signaller.imp().set_client_id(Some(id), &outlet.live);
        }
        Event::RequestMeta => wish(Wish::Meta(requested_meta(&signaller))),
        Event::SessionRequested {
            session,
            peer,
            offer: None,
        } => {
            signaller.emit_session_requested(&session, &peer, None);
        }
        Event::SessionRequested {
            session,
            peer,
            offer: Some(offer),
        } => match description(SdpType::Offer, &offer) {
            Some(offer) => signaller.emit_session_requested(&session, &peer, Some(&offer)),
            None => wish(Wish::BadDescription {
                session,
                announced: false,
            }),
        },
        Event::SessionStarted { session, peer } => signaller.emit_session_started(&session, &peer),
        Event::Description { session, sdp } => match description(sdp.kind, &sdp.sdp) {
            Some(description) => signaller.emit_session_description(&session, &description),
            None => wish(Wish::BadDescription {
                session,
                announced: true,
            }),
        },
        Event::Candidate { session, ice } => {
            signaller.emit_handle_ice(
                &session,
                ice.sdp_m_line_index,
                ice.sdp_mid.as_deref(),
                &ice.candidate,
            );
        }
        Event::SessionEnded { session, error } => {
            signaller.emit_session_ended(&session, error.as_deref());
        }
        Event::ConnectionLost(sentence) => {
            gst::warning!(CAT, obj = signaller, "{sentence}");
            signaller.emit_connection_lost(&sentence);
        }
        Event::ConnectionRestored => {
            gst::info!(CAT, obj = signaller, "connected again");
            signaller.emit_connection_restored();
        }
        Event::Warning(sentence) => {
            gst::warning!(CAT, obj = signaller, "{sentence}");
            signaller.emit_warning(&sentence);
        }
        Event::Error(sentence) => {
            gst::error!(CAT, obj = signaller, "{sentence}");
            signaller.emit_error(&sentence);
        }
        Event::ProducerAdded { peer, meta, new } => {
            signaller.emit_producer_added(&peer, meta.as_ref().and_then(meta::from_json).as_ref(), new);
        }
        Event::ProducerRemoved { peer, meta } => {
            signaller.emit_producer_removed(&peer, meta.as_ref().and_then(meta::from_json).as_ref());
        }
    }
}

fn requested_meta(signaller: &Signaller) -> Option<serde_json::Value> {
    let json = meta::to_json(&*signaller.request_meta()?);
    if json.to_string().len() > MAX_META {
        signaller.emit_warning("The element's metadata are too large to be sent: no more than 64 KiB are");
        return None;
    }
    Some(json)
}

/// What a peer sent as a description, if it is one.
fn description(kind: SdpType, text: &str) -> Option<WebRTCSessionDescription> {
    if !text.starts_with("v=0") || text.contains('\0') {
        return None;
    }
    let sdp = SDPMessage::parse_buffer(text.as_bytes()).ok()?;
    if !(1..=MAX_MEDIA).contains(&sdp.medias_len()) {
        return None;
    }
    let kind = match kind {
        SdpType::Offer => WebRTCSDPType::Offer,
        SdpType::Answer => WebRTCSDPType::Answer,
    };
    Some(WebRTCSessionDescription::new(kind, sdp))
}
