//! The exchange of descriptions with viewers: what each is offered, and what it takes.

use weir_forwarding::RenditionId;
use weir_negotiation::{
    AcceptedFormat, Codec, EndReason, ExtensionIds, Format, MediaAnswer, Refusal, choose_codec,
    complete_offer, fingerprints, read_answer, read_offer, take_candidates,
};

use super::coordinator::Coordinator;
use super::negotiation;
use super::settings::Settings;
use super::stream::Stream;
use super::viewer::{Chosen, Exchange, StreamDescription};
use crate::clock;
use crate::signaller::SignallableExt;

impl Coordinator {
    pub(super) fn begin_offering(&mut self, id: u64) {
        let streams: Vec<_> = self.streams.keys().copied().collect();
        for stream in streams {
            self.offer_stream(id, stream, None);
        }
        if self.introduce(id) {
            self.offer_changes();
        }
    }

    /// The viewer has made the offer: its m-lines are matched with the streams, in order.
    pub(super) fn begin_answering(&mut self, id: u64, offer: &gst_webrtc::WebRTCSessionDescription) {
        let media = offer
            .sdp()
            .as_text()
            .map_err(|_| ())
            .and_then(|text| read_offer(&text).map_err(|_| ()));
        let Ok(media) = media else {
            self.end_viewer(id, EndReason::BadOffer, None);
            return;
        };
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        let ids = media.iter().map(|media| &media.extensions);
        viewer.extension_ids = Some(ExtensionIds {
            mid: ids.clone().find_map(|ids| ids.mid),
            twcc: ids.clone().find_map(|ids| ids.twcc),
            ..ExtensionIds::default()
        });
        let consumer = viewer.peer_id().to_owned();
        let mut streams: Vec<_> = self
            .streams
            .iter()
            .map(|(id, stream)| (*id, stream.kind))
            .collect();
        let mut taken = Vec::new();
        for media in media
            .iter()
            .filter(|media| !media.rejected && media.direction.receives())
        {
            let Some(position) = streams.iter().position(|(_, kind)| *kind == media.kind) else {
                continue;
            };
            let (stream, _) = streams.remove(position);
            let formats: Vec<_> = media
                .formats
                .iter()
                .map(|offered| offered.format.clone())
                .collect();
            match self.choose(stream, &formats, &consumer) {
                Ok((format, rendition)) => {
                    let extensions = negotiation::extensions(&media.extensions, media.mid);
                    let mline = u32::try_from(media.index).unwrap_or(u32::MAX);
                    taken.push((
                        stream,
                        mline,
                        Chosen {
                            format,
                            rendition,
                            extensions,
                        },
                    ));
                }
                Err(reason) => {
                    self.end_viewer(id, reason, None);
                    return;
                }
            }
        }
        if taken.is_empty() {
            self.end_viewer(id, EndReason::NoCommonCodec, None);
            return;
        }
        for (stream, mline, chosen) in taken {
            self.add_stream(id, stream, std::slice::from_ref(&chosen.format), Some(mline));
            if let Some(viewer) = self.viewers.get_mut(&id) {
                viewer.choose(stream, Some(chosen));
            }
        }
        if self.introduce(id)
            && let Some(viewer) = self.viewers.get_mut(&id)
        {
            viewer.wants_offer = false;
            self.apply_remote(id, Exchange::ApplyingOffer, offer);
        }
    }

    /// A stream is there that was not, or is another than it was: everybody is offered it.
    pub(super) fn add_stream_to_viewers(&mut self, stream: u32) {
        let viewers: Vec<_> = self.viewers.keys().copied().collect();
        for id in viewers {
            self.offer_stream(id, stream, None);
        }
        self.offer_changes();
    }

    /// Has an offer made for every viewer whose streams have changed and who is not in the middle of an exchange.
    pub(super) fn offer_changes(&mut self) {
        for viewer in self.viewers.values_mut() {
            if viewer.wants_offer && viewer.exchange == Exchange::Idle {
                viewer.wants_offer = false;
                viewer.exchange = Exchange::MakingOffer;
                viewer.connection.create_offer();
            }
        }
        self.mark_idle_renditions(clock::now());
    }

    pub(super) fn handle_description(
        &mut self,
        session_id: &str,
        description: &gst_webrtc::WebRTCSessionDescription,
    ) {
        let Some(id) = self.sessions.get(session_id).copied() else {
            return;
        };
        let Some(viewer) = self.viewers.get(&id) else {
            return;
        };
        let Exchange::AwaitingAnswer { offer } = &viewer.exchange else {
            gst::warning!(
                crate::CAT,
                "session {session_id}: a description that was not asked for is ignored"
            );
            return;
        };
        if description.type_() != gst_webrtc::WebRTCSDPType::Answer {
            self.end_viewer(id, EndReason::BadAnswer, None);
            return;
        }
        let text = description.sdp().as_text().unwrap_or_default();
        match read_answer(offer, &text) {
            Ok(media) => self.handle_answer(id, &media, description),
            Err(error) => {
                let detail = format!("{}: {error}", error.code());
                self.end_viewer(id, EndReason::BadAnswer, Some(&detail));
            }
        }
    }

    /// webrtcbin has made the offer or the answer that it was asked for.
    pub(super) fn handle_created(&mut self, id: u64, description: &gst_webrtc::WebRTCSessionDescription) {
        let Some(viewer) = self.viewers.get(&id) else {
            return;
        };
        let is_offer = viewer.exchange == Exchange::MakingOffer;
        let session_id = viewer.session_id().to_owned();
        let mut local = description.clone();
        if is_offer {
            let completed = local.sdp().as_text().map_err(|_| ()).and_then(|text| {
                complete_offer(&text, &self.formats.offer_options(&self.settings)).map_err(|error| {
                    gst::error!(crate::CAT, "webrtcbin's offer cannot be completed: {error}");
                })
            });
            let parsed =
                completed.and_then(|text| gst_sdp::SDPMessage::parse_buffer(text.as_bytes()).map_err(|_| ()));
            let Ok(sdp) = parsed else {
                self.end_viewer(id, EndReason::Internal, None);
                return;
            };
            local = gst_webrtc::WebRTCSessionDescription::new(gst_webrtc::WebRTCSDPType::Offer, sdp);
        }
        if let Some(viewer) = self.viewers.get(&id) {
            viewer.connection.set_local_description(&local);
        }
        let Some(signaller) = self
            .signalling
            .as_ref()
            .map(|signalling| signalling.signaller().clone())
        else {
            return;
        };
        let sent = if signaller.manual_sdp_munging() {
            local
        } else {
            signaller.munge_session_description(&session_id, &local)
        };
        let text = sent.sdp().as_text().unwrap_or_default();
        if let Some(viewer) = self.viewers.get_mut(&id) {
            if is_offer {
                viewer.exchange = Exchange::AwaitingAnswer { offer: text };
                viewer.offered_at = viewer.offered_at.or(Some(clock::now()));
                viewer.lifecycle.handle_offer_sent(clock::now());
            } else {
                viewer.exchange = Exchange::Idle;
                viewer.lifecycle.handle_answer_accepted(true, clock::now());
                viewer.announce(&self.settings);
            }
        }
        signaller.send_session_description(&session_id, &sent);
        self.follow_lifecycle(id);
        if !is_offer {
            self.offer_changes();
        }
    }

    pub(super) fn handle_remote_applied(&mut self, id: u64) {
        let hub = self.hub.clone();
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        match viewer.exchange.clone() {
            Exchange::ApplyingAnswer { is_sending } => {
                viewer.exchange = Exchange::Idle;
                viewer.announce(&self.settings);
                if let Some(hub) = &hub {
                    viewer.detach_refused(hub);
                }
                viewer.lifecycle.handle_answer_accepted(is_sending, clock::now());
                self.follow_lifecycle(id);
                self.attach_if_connected(id);
                self.offer_changes();
            }
            Exchange::ApplyingOffer => {
                viewer.exchange = Exchange::MakingAnswer;
                viewer.connection.create_answer();
            }
            Exchange::Idle
            | Exchange::MakingOffer
            | Exchange::AwaitingAnswer { .. }
            | Exchange::MakingAnswer => (),
        }
    }

    /// Puts a stream into a viewer's next offer: codecs that run first, then as the application prefers.
    fn offer_stream(&mut self, id: u64, stream_id: u32, mline: Option<u32>) {
        let Some(stream) = self.streams.get(&stream_id) else {
            return;
        };
        let running = stream.running_codecs();
        let mut codecs = stream.codecs(&self.settings);
        codecs.sort_by_key(|codec| !running.contains(codec));
        let formats = self.formats.of(&codecs, stream.caps().map(|caps| caps.as_ref()));
        if !formats.is_empty() {
            self.add_stream(id, stream_id, &formats, mline);
        }
    }

    fn add_stream(&mut self, id: u64, stream_id: u32, formats: &[Format], mline: Option<u32>) {
        let (Some(stream), Some(hub)) = (self.streams.get(&stream_id), self.hub.clone()) else {
            return;
        };
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        let msid = stream.pad.msid();
        let description = StreamDescription {
            kind: stream.kind,
            formats,
            msid: msid.as_deref(),
        };
        let added = viewer.add_stream(stream_id, description, mline, &self.settings, &hub);
        if let Err(error) = added {
            self.post_warning(&format!("a stream could not be offered to a viewer: {error}"));
        }
    }

    fn handle_answer(
        &mut self,
        id: u64,
        media: &[MediaAnswer],
        description: &gst_webrtc::WebRTCSessionDescription,
    ) {
        let consumer = self
            .viewers
            .get(&id)
            .map(|viewer| viewer.peer_id().to_owned())
            .unwrap_or_default();
        let mut is_sending = false;
        for media in media {
            let stream = self
                .viewers
                .get(&id)
                .and_then(|viewer| viewer.stream_at(media.index));
            let Some(stream) = stream else { continue };
            let chosen = if media.may_send {
                let kept = self
                    .viewers
                    .get(&id)
                    .and_then(|viewer| viewer.chosen(stream))
                    .cloned();
                match kept.map_or_else(|| self.choose_answered(stream, media, &consumer), Ok) {
                    Ok(chosen) => Some(chosen),
                    Err(reason) => {
                        self.end_viewer(id, reason, None);
                        return;
                    }
                }
            } else {
                None
            };
            is_sending |= chosen.is_some();
            if let Some(viewer) = self.viewers.get_mut(&id) {
                viewer.choose(stream, chosen);
            }
        }
        if media.iter().all(|media| media.rejected) {
            self.end_viewer(id, EndReason::NoCommonCodec, None);
            return;
        }
        self.mark_idle_renditions(clock::now());
        if let (Some(viewer), Some(hub)) = (self.viewers.get(&id), &self.hub) {
            viewer.expect(hub, clock::now());
        }
        self.apply_remote(id, Exchange::ApplyingAnswer { is_sending }, description);
    }

    /// Hands the viewer's description to webrtcbin, but for the candidates in it: they have to pass the gate.
    fn apply_remote(
        &mut self,
        id: u64,
        exchange: Exchange,
        description: &gst_webrtc::WebRTCSessionDescription,
    ) {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        let text = description.sdp().as_text().unwrap_or_default();
        let (rest, candidates) = take_candidates(&text);
        let Ok(sdp) = gst_sdp::SDPMessage::parse_buffer(rest.as_bytes()) else {
            self.end_viewer(id, EndReason::Internal, None);
            return;
        };
        viewer.exchange = exchange;
        viewer.fingerprints = fingerprints(&text);
        viewer
            .connection
            .set_remote_description(&gst_webrtc::WebRTCSessionDescription::new(
                description.type_(),
                sdp,
            ));
        for (mline, candidate) in candidates {
            self.pass_candidate(id, u32::try_from(mline).unwrap_or(u32::MAX), candidate);
        }
    }

    fn choose_answered(
        &mut self,
        stream: u32,
        media: &MediaAnswer,
        consumer: &str,
    ) -> Result<Chosen, EndReason> {
        let accepted: Vec<Format> = media
            .formats
            .iter()
            .map(|AcceptedFormat { format, offered, .. }| Format {
                payload_type: *offered,
                ..format.clone()
            })
            .collect();
        let (format, rendition) = self.choose(stream, &accepted, consumer)?;
        Ok(Chosen {
            format,
            rendition,
            extensions: negotiation::extensions(&media.extensions, media.mid),
        })
    }

    /// Which of the accepted formats a viewer gets of a stream, and the rendition of it, started if need be. A
    /// codec whose encoder does not start is passed over.
    fn choose(
        &mut self,
        stream_id: u32,
        accepted: &[Format],
        consumer: &str,
    ) -> Result<(Format, RenditionId), EndReason> {
        let settings = &self.settings;
        let Some(stream) = self.streams.get(&stream_id) else {
            return Err(EndReason::Internal);
        };
        let mut codecs: Vec<Codec> = stream.codecs(settings);
        loop {
            let Some(stream) = self.streams.get(&stream_id) else {
                return Err(EndReason::Internal);
            };
            let (running, left) = (stream.running_codecs(), encoders_left(stream, &self.settings));
            let format = choose_codec(&codecs, accepted, &running, left).map_err(Refusal::end_reason)?;
            match self.rendition_for(stream_id, format.codec, consumer) {
                Ok(rendition) => return Ok((format, rendition)),
                Err(error) => {
                    self.post_warning(&error.to_string());
                    codecs.retain(|codec| *codec != format.codec);
                    if codecs.is_empty() {
                        return Err(EndReason::Internal);
                    }
                }
            }
        }
    }
}

/// Input that is encoded already costs no encoder.
fn encoders_left(stream: &Stream, settings: &Settings) -> usize {
    if stream.is_encoded_here() {
        stream.encoders_left(settings)
    } else {
        usize::MAX
    }
}
