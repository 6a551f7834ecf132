//! One viewer's session: its webrtcbin, what it is offered and what it takes.

use std::collections::BTreeMap;

use gst::prelude::*;
use weir_forwarding::{Extensions, OutgoingStream, RenditionId};
use weir_negotiation::{
    CandidateGate, Fingerprint, Format, GateLimits, LifecycleConfig, MediaKind, SessionLifecycle,
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
    /// The certificates that the viewer announced.
    pub(super) fingerprints: Vec<Fingerprint>,
    /// webrtcbin has opened its sockets.
    pub(super) has_sockets: bool,
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
    chosen: Option<Chosen>,
    is_announced: bool,
    is_attached: bool,
}

/// What a viewer took.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) format: Format,
    pub(super) rendition: RenditionId,
    pub(super) extensions: Extensions,
}

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
            fingerprints: Vec::new(),
            has_sockets: false,
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

    /// Offers a stream in `formats`, best first, at the m-line `mline` or the next free one. Takes effect with the next description.
    ///
    /// # Errors
    /// When webrtcbin gives no pad for it.
    pub(super) fn add_stream(
        &mut self,
        stream: u32,
        kind: MediaKind,
        formats: &[Format],
        mline: Option<u32>,
        settings: &Settings,
        hub: &Hub,
    ) -> Result<(), gst::glib::BoolError> {
        let mline = mline.unwrap_or(self.next_mline);
        let webrtcbin = self.connection.webrtcbin();
        let sink_pad = webrtcbin
            .request_pad_simple(&format!("sink_{mline}"))
            .ok_or_else(|| gst::glib::bool_error!("webrtcbin gives no pad for m-line {mline}"))?;
        let ssrc: u32 = rand::random();
        let transceiver = sink_pad.property::<gst_webrtc::WebRTCRTPTransceiver>("transceiver");
        transceiver.set_property("codec-preferences", negotiation::transceiver_caps(formats, ssrc));
        transceiver.set_property("direction", gst_webrtc::WebRTCRTPTransceiverDirection::Sendonly);
        if kind == MediaKind::Video {
            transceiver.set_property("do-nack", settings.do_retransmission);
            if settings.do_fec {
                transceiver.set_property_from_str("fec-type", "ulp-red");
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
        removed.pad.flush();
        removed.pad.unlink();
        removed
            .transceiver
            .set_property("direction", gst_webrtc::WebRTCRTPTransceiverDirection::Inactive);
        self.connection.webrtcbin().release_request_pad(&removed.sink_pad);
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
            let caps = negotiation::packet_caps(&chosen.format, stream.ssrc, &chosen.extensions);
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
