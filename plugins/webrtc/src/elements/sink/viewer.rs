//! One viewer's session: its webrtcbin, what it is offered and what it takes.

use std::collections::BTreeMap;

use gst::prelude::*;
use weir_forwarding::{Extensions, OutgoingStream, RenditionId};
use weir_negotiation::{
    CandidateGate, ExtensionIds, Fingerprint, Format, GateLimits, LifecycleConfig, MediaKind,
    SessionLifecycle,
};
use weir_units::{SeqNo, Ssrc, Timestamp};

use super::messages::ViewerNames;
use super::negotiation;
use super::settings::Settings;
use crate::clock;
use crate::fanout::{Hub, OutputId, OutputSpec, ViewerPad};
use crate::session::{self, Connection, SessionPipeline};

/// One viewer's session.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) id: u64,
    session_id: String,
    peer_id: String,
    pub(super) connection: Connection,
    pub(super) pipeline: SessionPipeline,
    pub(super) lifecycle: SessionLifecycle,
    pub(super) gate: CandidateGate,
    pub(super) exchange: Exchange,
    /// What is offered has changed since the last offer.
    pub(super) wants_offer: bool,
    pub(super) streams: BTreeMap<u32, ViewerStream>,
    next_mline: u32,
    /// When the first offer went out.
    pub(super) offered_at: Option<Timestamp>,
    /// The certificates that the viewer announced.
    pub(super) fingerprints: Vec<Fingerprint>,
    /// webrtcbin has opened its sockets.
    pub(super) has_sockets: bool,
    /// The header extensions of the viewer's offer, if it made one: within a session an id has one meaning.
    pub(super) extension_ids: Option<ExtensionIds>,
    /// Statistics were asked for to learn the candidate pair.
    pub(super) awaits_pair: bool,
}

/// Where the exchange of descriptions stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Exchange {
    /// Nothing is under way.
    #[default]
    Idle,
    /// webrtcbin makes an offer.
    MakingOffer,
    /// The viewer has this offer.
    AwaitingAnswer {
        /// As it was sent.
        offer: String,
    },
    /// webrtcbin takes the viewer's answer.
    ApplyingAnswer {
        /// Whether anything is sent by it.
        is_sending: bool,
    },
    /// webrtcbin takes the viewer's offer.
    ApplyingOffer,
    /// webrtcbin makes an answer.
    MakingAnswer,
}

/// A stream, as one viewer gets it.
#[derive(Debug)]
pub(super) struct ViewerStream {
    pub(super) mline: u32,
    ssrc: u32,
    sink_pad: gst::Pad,
    transceiver: gst_webrtc::WebRTCRTPTransceiver,
    pad: ViewerPad,
    /// What the viewer has the choice of.
    offered: Vec<Format>,
    chosen: Option<Chosen>,
    is_announced: bool,
    is_attached: bool,
}

/// What a viewer is offered of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamDescription<'a> {
    pub(super) kind: MediaKind,
    /// Best first.
    pub(super) formats: &'a [Format],
    /// The id of the media stream that it belongs to, if the application has set one (RFC 8830).
    pub(super) msid: Option<&'a str>,
}

/// What a viewer took.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) format: Format,
    pub(super) rendition: RenditionId,
    pub(super) extensions: Extensions,
}

/// A viewer that answers within this time is expected to connect (which takes some three round trips more) while a
/// key frame made now is recent: 200 ms, by the key-frame budget.
const NEAR: std::time::Duration = std::time::Duration::from_millis(60);

impl Viewer {
    pub(super) fn new(
        id: u64,
        session_id: String,
        peer_id: String,
        connection: Connection,
        pipeline: SessionPipeline,
    ) -> Self {
        Self {
            id,
            session_id,
            peer_id,
            connection,
            pipeline,
            lifecycle: SessionLifecycle::new(LifecycleConfig::default()),
            gate: CandidateGate::new(GateLimits::default()),
            exchange: Exchange::Idle,
            wants_offer: false,
            streams: BTreeMap::new(),
            next_mline: 0,
            offered_at: None,
            fingerprints: Vec::new(),
            has_sockets: false,
            extension_ids: None,
            awaits_pair: false,
        }
    }

    pub(super) fn session_id(&self) -> &str {
        &self.session_id
    }

    pub(super) fn peer_id(&self) -> &str {
        &self.peer_id
    }

    pub(super) fn names(&self) -> ViewerNames<'_> {
        ViewerNames {
            session_id: &self.session_id,
            peer_id: &self.peer_id,
        }
    }

    /// Offers a stream at the m-line `mline` or the next free one. Takes effect with the next description.
    ///
    /// # Errors
    /// When webrtcbin gives no pad for it.
    pub(super) fn add_stream(
        &mut self,
        stream: u32,
        description: StreamDescription<'_>,
        mline: Option<u32>,
        settings: &Settings,
        hub: &Hub,
    ) -> Result<(), gst::glib::BoolError> {
        let StreamDescription { kind, formats, msid } = description;
        let mline = mline.unwrap_or(self.next_mline);
        let webrtcbin = self.connection.webrtcbin();
        let sink_pad = webrtcbin
            .request_pad_simple(&format!("sink_{mline}"))
            .ok_or_else(|| gst::glib::bool_error!("webrtcbin gives no pad for m-line {mline}"))?;
        if let Some(msid) = msid {
            sink_pad.set_property("msid", msid);
        }
        let ssrc: u32 = rand::random();
        let transceiver = sink_pad.property::<gst_webrtc::WebRTCRTPTransceiver>("transceiver");
        transceiver.set_property(
            "codec-preferences",
            negotiation::transceiver_caps(formats, ssrc, self.extension_ids),
        );
        transceiver.set_property("direction", gst_webrtc::WebRTCRTPTransceiverDirection::Sendonly);
        if kind == MediaKind::Video {
            transceiver.set_property("do-nack", settings.do_retransmission);
            if settings.do_fec {
                transceiver.set_property_from_str("fec-type", "ulp-red");
                transceiver.set_property("fec-percentage", settings.fec_percentage());
            }
        }
        let request_key_frame = hub.requester();
        let output = OutputId {
            viewer: self.id,
            stream,
        };
        let pad = ViewerPad::link_to(&sink_pad, move || request_key_frame(output))
            .map_err(|error| gst::glib::bool_error!("webrtcbin's pad does not link: {error:?}"))?;
        self.next_mline = self.next_mline.max(mline + 1);
        self.streams.insert(
            stream,
            ViewerStream {
                mline,
                ssrc,
                sink_pad,
                transceiver,
                pad,
                offered: formats.to_vec(),
                chosen: None,
                is_announced: false,
                is_attached: false,
            },
        );
        self.wants_offer = true;
        Ok(())
    }

    /// Takes a stream back; its m-line stays, inactive. Takes effect with the next offer.
    pub(super) fn remove_stream(&mut self, stream: u32, hub: Option<&Hub>) {
        let Some(removed) = self.streams.remove(&stream) else {
            return;
        };
        if let Some(hub) = hub {
            hub.detach_output(OutputId {
                viewer: self.id,
                stream,
            });
        }
        removed
            .transceiver
            .set_property("direction", gst_webrtc::WebRTCRTPTransceiverDirection::Inactive);
        let webrtcbin = self.connection.webrtcbin().clone();
        // Waits for a push that is under way.
        crate::reaper::run("stream", move || {
            removed.pad.unlink();
            webrtcbin.release_request_pad(&removed.sink_pad);
        });
        self.wants_offer = true;
    }

    /// The stream that is offered at an m-line.
    pub(super) fn stream_at(&self, mline: usize) -> Option<u32> {
        self.streams
            .iter()
            .find(|(_, stream)| usize::try_from(stream.mline) == Ok(mline))
            .map(|(id, _)| *id)
    }

    /// Notes what the viewer took of a stream; none if it wants nothing of it.
    pub(super) fn choose(&mut self, stream: u32, chosen: Option<Chosen>) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.chosen = chosen;
        }
    }

    /// What the viewer took of a stream.
    pub(super) fn chosen(&self, stream: u32) -> Option<&Chosen> {
        self.streams
            .get(&stream)
            .and_then(|stream| stream.chosen.as_ref())
    }

    /// Whether the viewer gets, or will get, a rendition.
    pub(super) fn uses(&self, rendition: RenditionId) -> bool {
        self.streams
            .values()
            .filter_map(|stream| stream.chosen.as_ref())
            .any(|chosen| chosen.rendition == rendition)
    }

    /// Follows a rendition that was restarted.
    pub(super) fn replace_rendition(&mut self, from: RenditionId, to: RenditionId) {
        for chosen in self
            .streams
            .values_mut()
            .filter_map(|stream| stream.chosen.as_mut())
        {
            if chosen.rendition == from {
                chosen.rendition = to;
            }
        }
    }

    /// Tells webrtcbin what will come by each stream that was taken. Afterwards its sending path stands.
    pub(super) fn announce(&mut self, settings: &Settings) {
        for (id, stream) in &mut self.streams {
            let Some(chosen) = &stream.chosen else { continue };
            if std::mem::replace(&mut stream.is_announced, true) {
                continue;
            }
            // webrtcbin takes nothing but what was offered; what is answered may differ from it, as levels of H.264 do.
            let format = stream
                .offered
                .iter()
                .find(|format| format.payload_type == chosen.format.payload_type)
                .unwrap_or(&chosen.format);
            let caps = negotiation::packet_caps(format, stream.ssrc, &chosen.extensions);
            stream
                .pad
                .announce(&format!("weir-{}-{id}", self.session_id), &caps);
            // FEC needs what is bypassed.
            if !settings.do_fec && !session::bypass_fec(self.connection.webrtcbin(), &stream.sink_pad) {
                gst::debug!(crate::CAT, "{}: the FEC bin stays in the path", self.session_id);
            }
        }
    }

    /// Has the hub send what was announced and is not sent yet. To be called once connected.
    pub(super) fn attach(&mut self, hub: &Hub) {
        for (id, stream) in &mut self.streams {
            let Some(chosen) = &stream.chosen else { continue };
            if !stream.is_announced || std::mem::replace(&mut stream.is_attached, true) {
                continue;
            }
            hub.attach(OutputSpec {
                id: OutputId {
                    viewer: self.id,
                    stream: *id,
                },
                pad: stream.pad.clone(),
                outgoing: OutgoingStream {
                    ssrc: Ssrc(stream.ssrc),
                    payload_type: chosen.format.payload_type,
                    first_seq: SeqNo(rand::random()),
                    timestamp_offset: rand::random(),
                    extensions: chosen.extensions,
                    first_picture_id: rand::random(),
                },
                rendition: chosen.rendition,
            });
        }
    }

    /// Has key frames made for a viewer that is about to connect, if it is near enough to do so at once: one that
    /// connects later would not profit, and everybody else would pay for a key frame more.
    pub(super) fn expect(&self, hub: &Hub, now: Timestamp) {
        let is_near = self.offered_at.is_some_and(|at| now.saturating_since(at) <= NEAR);
        if is_near && !self.lifecycle.is_connected() {
            for chosen in self.streams.values().filter_map(|stream| stream.chosen.as_ref()) {
                if chosen.format.codec.kind() == MediaKind::Video {
                    hub.expect(self.id, chosen.rendition);
                }
            }
        }
    }

    /// Has the hub stop what the viewer no longer takes.
    pub(super) fn detach_refused(&mut self, hub: &Hub) {
        for (id, stream) in &mut self.streams {
            if stream.chosen.is_none() && std::mem::take(&mut stream.is_attached) {
                hub.detach_output(OutputId {
                    viewer: self.id,
                    stream: *id,
                });
            }
        }
    }

    pub(super) fn request_stats(&self) {
        self.connection.request_stats();
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.lifecycle.poll_timeout()
    }

    /// Tells the life cycle the time, and when the viewer was last heard of.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        if let Some(heard) = self.connection.last_rtcp() {
            self.lifecycle.handle_rtcp(clock::at(heard));
        }
        self.lifecycle.handle_timeout(now);
    }

    /// Takes everything down. Joins threads: runs on a thread that may wait. The hub must have let go before.
    pub(super) fn tear_down(self) {
        for stream in self.streams.values() {
            stream.pad.flush();
            stream.pad.unlink();
        }
        self.pipeline.stop();
    }
}
