//! The coordinator's dealings with viewers' sessions: from the request to the end.

use gst::prelude::*;
use weir_forwarding::RenditionId;
use weir_negotiation::{
    AcceptedFormat, Codec, ConnectionState, EndReason, ExtensionIds, Format, GateVerdict, MediaAnswer,
    Refusal, SessionCommand, choose_codec, complete_offer, fingerprints, read_answer, read_offer,
    take_candidates,
};
use weir_units::Timestamp;

use super::coordinator::{Coordinator, Fact, Phase};
use super::messages::{self, CandidatePair, ViewerNames};
use super::negotiation;
use super::settings::Settings;
use super::signalling::reason_text;
use super::stream::Stream;
use super::viewer::{Chosen, Exchange, StreamDescription, Viewer};
use crate::session::{
    Connection, ConnectionConfig, ConnectionEvent, PipelineEvent, PublicAddress, SessionPipeline,
};
use crate::signaller::SignallableExt;
use crate::{clock, files};

impl Coordinator {
    pub(super) fn handle_session_requested(
        &mut self,
        session_id: String,
        peer_id: String,
        offer: Option<gst_webrtc::WebRTCSessionDescription>,
    ) {
        let Some(element) = self.element.upgrade() else {
            return;
        };
        if self.sessions.contains_key(&session_id) {
            gst::warning!(
                crate::CAT,
                obj = element,
                "session {session_id} exists already: the request is ignored"
            );
            return;
        }
        let names = ViewerNames {
            session_id: &session_id,
            peer_id: &peer_id,
        };
        if let Some(reason) = self.refusal() {
            self.tell_peer(&session_id, reason);
            messages::left(element.upcast_ref(), names, &reason);
            return;
        }

        let id = self.next_viewer;
        self.next_viewer += 1;
        let mut viewer = match self.make_viewer(id, &session_id, &peer_id) {
            Ok(viewer) => viewer,
            Err(error) => {
                self.post_warning(&format!("a viewer could not be served: {error}"));
                self.tell_peer(&session_id, EndReason::Internal);
                messages::left(element.upcast_ref(), names, &EndReason::Internal);
                return;
            }
        };
        viewer.lifecycle.handle_requested(clock::now());
        messages::joined(element.upcast_ref(), names);
        element.emit_by_name::<()>(
            "consumer-pipeline-created",
            &[&peer_id, viewer.pipeline.pipeline()],
        );
        self.snapshot.add_session(&session_id, id);
        self.sessions.insert(session_id, id);
        self.viewers.insert(id, viewer);

        match offer {
            None => self.begin_offering(id),
            Some(offer) => self.begin_answering(id, &offer),
        }
    }

    /// Why another viewer cannot be served, if so.
    fn refusal(&mut self) -> Option<EndReason> {
        let max_viewers = usize::try_from(self.settings.max_viewers).unwrap_or(usize::MAX);
        if self.phase != Phase::Started || self.mailbox.is_stopping() {
            return Some(EndReason::Stopped);
        }
        if max_viewers != 0 && self.viewers.len() >= max_viewers {
            return Some(EndReason::MaxViewers);
        }
        let count = |is_so: fn(&Viewer) -> bool| self.viewers.values().filter(|viewer| is_so(viewer)).count();
        if count(|viewer| !viewer.lifecycle.is_connected()) >= JOINING_LIMIT {
            return Some(EndReason::Busy);
        }
        let growing = count(|viewer| !viewer.has_sockets);
        let needed = FILES_RESERVED + FILES_OF_SESSION * (growing + 1);
        if files::left().is_some_and(|left| left < needed) {
            if !std::mem::replace(&mut self.has_warned_of_files, true) {
                self.post_warning(
                    "viewers are refused, for the process may not open enough files for them: raise the limit \
                     (ulimit -n)",
                );
            }
            return Some(EndReason::Busy);
        }
        None
    }

    fn make_viewer(&self, id: u64, session_id: &str, peer_id: &str) -> Result<Viewer, gst::glib::BoolError> {
        let settings = &self.settings;
        let config = ConnectionConfig {
            stun_server: settings.stun_server.clone(),
            turn_servers: settings.turn_servers.clone(),
            relay_only: settings.ice_transport_policy == gst_webrtc::WebRTCICETransportPolicy::Relay,
            port_range: settings.port_range(),
            latency_ms: None,
        };
        let mailbox = self.mailbox.clone();
        let connection = Connection::new(&config, move |event| {
            mailbox.post(Fact::Connection { viewer: id, event })
        })?;
        let mailbox = self.mailbox.clone();
        let name = format!("session-pipeline-{session_id}");
        let pipeline = SessionPipeline::new(&name, connection.webrtcbin(), move |event| {
            mailbox.post(Fact::Pipeline { viewer: id, event });
        })?;
        Ok(Viewer::new(
            id,
            session_id.to_owned(),
            peer_id.to_owned(),
            connection,
            pipeline,
        ))
    }

    fn begin_offering(&mut self, id: u64) {
        let streams: Vec<_> = self.streams.keys().copied().collect();
        for stream in streams {
            self.offer_stream(id, stream, None);
        }
        if self.introduce(id) {
            self.offer_changes();
        }
    }

    /// The viewer has made the offer: its m-lines are matched with the streams, in order.
    fn begin_answering(&mut self, id: u64, offer: &gst_webrtc::WebRTCSessionDescription) {
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

    /// Shows the viewer's webrtcbin to the application, then starts it. False if it does not start.
    fn introduce(&mut self, id: u64) -> bool {
        let Some(element) = self.element.upgrade() else {
            return false;
        };
        let Some(viewer) = self.viewers.get(&id) else {
            return false;
        };
        let (peer_id, webrtcbin) = (viewer.peer_id().to_owned(), viewer.connection.webrtcbin().clone());
        let pipeline = viewer.pipeline.clone();
        if pipeline.pipeline().set_state(gst::State::Ready).is_err() {
            self.end_viewer(id, EndReason::Internal, None);
            return false;
        }
        element.emit_by_name::<()>("consumer-added", &[&peer_id, &webrtcbin]);
        if let Some(signalling) = &self.signalling {
            signalling.signaller().emit_webrtcbin_ready(&peer_id, &webrtcbin);
        }
        if pipeline
            .play(element.clock().as_ref(), element.base_time())
            .is_err()
        {
            self.end_viewer(id, EndReason::Internal, None);
            return false;
        }
        true
    }

    /// A stream is there that was not, or is another than it was: everybody is offered it.
    pub(super) fn add_stream_to_viewers(&mut self, stream: u32) {
        let viewers: Vec<_> = self.viewers.keys().copied().collect();
        for id in viewers {
            self.offer_stream(id, stream, None);
        }
        self.offer_changes();
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

    pub(super) fn handle_candidate(&mut self, session_id: &str, mline: u32, candidate: &str) {
        if let Some(id) = self.sessions.get(session_id).copied() {
            self.pass_candidate(id, mline, candidate);
        }
    }

    fn pass_candidate(&mut self, id: u64, mline: u32, candidate: &str) {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        match viewer.gate.handle_candidate(candidate) {
            GateVerdict::Add(_) => viewer.connection.add_candidate(mline, candidate),
            GateVerdict::Ignore(fault) => {
                gst::debug!(
                    crate::CAT,
                    "session {}: a candidate is ignored: {fault}",
                    viewer.session_id()
                );
            }
            GateVerdict::EndOfCandidates => (),
            GateVerdict::End(reason) => self.end_viewer(id, reason, None),
        }
    }

    pub(super) fn handle_connection_event(&mut self, id: u64, event: ConnectionEvent) {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        match event {
            ConnectionEvent::Candidate { mline, candidate } => {
                viewer.has_sockets = true;
                let candidate = match self.settings.public_address {
                    Some(address) => PublicAddress(address).apply(&candidate),
                    None => candidate,
                };
                if let Some(signalling) = &self.signalling {
                    signalling
                        .signaller()
                        .send_ice(viewer.session_id(), &candidate, mline, None);
                }
            }
            ConnectionEvent::State(state) => {
                viewer
                    .lifecycle
                    .handle_connection_state(connection_state(state), clock::now());
                self.follow_lifecycle(id);
            }
            ConnectionEvent::Created(Ok(description)) => self.handle_created(id, &description),
            ConnectionEvent::Created(Err(error)) => {
                let reason = if viewer.exchange == Exchange::MakingAnswer {
                    EndReason::BadOffer
                } else {
                    EndReason::Internal
                };
                self.end_viewer(id, reason, Some(&error.to_string()));
            }
            ConnectionEvent::RemoteApplied(Ok(())) => self.handle_remote_applied(id),
            ConnectionEvent::RemoteApplied(Err(error)) => {
                let reason = if viewer.exchange == Exchange::ApplyingOffer {
                    EndReason::BadOffer
                } else {
                    EndReason::BadAnswer
                };
                self.end_viewer(id, reason, Some(&error.to_string()));
            }
            ConnectionEvent::Stats(stats) => self.handle_stats(id, &stats),
        }
    }

    /// webrtcbin has made the offer or the answer that it was asked for.
    fn handle_created(&mut self, id: u64, description: &gst_webrtc::WebRTCSessionDescription) {
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

    fn handle_remote_applied(&mut self, id: u64) {
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

    fn attach_if_connected(&mut self, id: u64) {
        let Some(hub) = self.hub.clone() else { return };
        if let Some(viewer) = self.viewers.get_mut(&id)
            && viewer.lifecycle.is_connected()
        {
            viewer.attach(&hub);
        }
    }

    /// Carries out what a viewer's life cycle has decided.
    fn follow_lifecycle(&mut self, id: u64) {
        while let Some(command) = self
            .viewers
            .get_mut(&id)
            .and_then(|viewer| viewer.lifecycle.poll_command())
        {
            match command {
                SessionCommand::Joined => (),
                SessionCommand::Connected => {
                    let is_peer = |viewer: &Viewer| viewer.connection.is_peer(&viewer.fingerprints);
                    if !self.viewers.get(&id).is_some_and(is_peer) {
                        self.end_viewer(id, EndReason::BadCertificate, None);
                        return;
                    }
                    self.attach_if_connected(id);
                    if let Some(viewer) = self.viewers.get_mut(&id) {
                        viewer.awaits_pair = true;
                        viewer.request_stats();
                        if let Some(signalling) = &self.signalling {
                            signalling.signaller().session_connected(viewer.session_id());
                        }
                    }
                }
                SessionCommand::End { reason } => self.remove_viewer(id, reason, None, Informed::NotYet),
            }
        }
    }

    fn handle_stats(&mut self, id: u64, stats: &gst::Structure) {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        self.snapshot.set_webrtc_stats(viewer.session_id(), stats);
        if std::mem::take(&mut viewer.awaits_pair)
            && let Some(element) = self.element.upgrade()
        {
            messages::connected(
                element.upcast_ref(),
                viewer.names(),
                &CandidatePair::from_stats(stats),
            );
        }
    }

    pub(super) fn handle_pipeline_event(&mut self, id: u64, event: PipelineEvent) {
        match event {
            PipelineEvent::Error(message) => self.end_viewer(id, EndReason::Internal, Some(&message)),
            PipelineEvent::Context(message) => {
                if let Some(element) = self.element.upgrade() {
                    let _ = element.post_message(message);
                }
            }
        }
    }

    pub(super) fn handle_viewer_timeouts(&mut self, now: Timestamp) {
        let due: Vec<_> = self
            .viewers
            .values()
            .filter(|viewer| viewer.poll_timeout().is_some_and(|at| at <= now))
            .map(|viewer| viewer.id)
            .collect();
        for id in due {
            if let Some(viewer) = self.viewers.get_mut(&id) {
                viewer.handle_timeout(now);
            }
            self.follow_lifecycle(id);
        }
    }

    pub(super) fn handle_session_ended(&mut self, session_id: &str, error: Option<&str>) {
        let Some(id) = self.sessions.get(session_id).copied() else {
            return;
        };
        // The signaller ends a session whose description it cannot read by itself.
        let is_unreadable = error.is_some_and(|error| error.starts_with(BAD_DESCRIPTION));
        let reason = if is_unreadable {
            EndReason::BadAnswer
        } else {
            EndReason::ViewerLeft
        };
        self.remove_viewer(id, reason, error, Informed::Already);
    }

    pub(super) fn end_viewers_of(&mut self, rendition: RenditionId) {
        let viewers: Vec<_> = self
            .viewers
            .values()
            .filter(|viewer| viewer.uses(rendition))
            .map(|viewer| viewer.id)
            .collect();
        for id in viewers {
            self.end_viewer(id, EndReason::Internal, None);
        }
    }

    pub(super) fn end_all_viewers(&mut self, reason: EndReason) {
        for id in self.viewers.keys().copied().collect::<Vec<_>>() {
            self.end_viewer(id, reason, None);
        }
    }

    /// Ends a session. `detail` goes to the log, beside the reason.
    pub(super) fn end_viewer(&mut self, id: u64, reason: EndReason, detail: Option<&str>) {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        viewer.lifecycle.handle_end(reason);
        self.remove_viewer(id, reason, detail, Informed::NotYet);
    }

    fn remove_viewer(&mut self, id: u64, reason: EndReason, detail: Option<&str>, informed: Informed) {
        let Some(viewer) = self.viewers.remove(&id) else {
            return;
        };
        let session_id = viewer.session_id().to_owned();
        self.sessions.remove(&session_id);
        self.snapshot.remove_session(&session_id);
        if let Some(hub) = &self.hub {
            hub.detach(id);
        }
        if let Some(element) = self.element.upgrade() {
            let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
            gst::info!(
                crate::CAT,
                obj = element,
                "session {session_id} ended: {reason}{detail}"
            );
            messages::left(element.upcast_ref(), viewer.names(), &reason);
        }
        // One that closed its connection without a word has a session all the same.
        if informed == Informed::NotYet {
            self.tell_peer(&session_id, reason);
        }
        let (mailbox, peer_id) = (self.mailbox.clone(), viewer.peer_id().to_owned());
        let webrtcbin = viewer.connection.webrtcbin().clone();
        self.tearing_down += 1;
        crate::reaper::run("session", move || {
            viewer.tear_down();
            mailbox.post(Fact::TornDown { peer_id, webrtcbin });
        });
        self.mark_idle_renditions(clock::now());
    }

    pub(super) fn handle_torn_down(&mut self, peer_id: &str, webrtcbin: &gst::Element) {
        self.tearing_down = self.tearing_down.saturating_sub(1);
        if let Some(element) = self.element.upgrade() {
            element.emit_by_name::<()>("consumer-removed", &[&peer_id, webrtcbin]);
            super::imp::signaller_of(&element).emit_consumer_removed(peer_id, webrtcbin);
        }
    }

    /// The pipeline plays anew: sessions follow its clock and base time.
    pub(super) fn follow_clock(&self) {
        let Some(element) = self.element.upgrade() else {
            return;
        };
        for viewer in self.viewers.values() {
            viewer
                .pipeline
                .follow(element.clock().as_ref(), element.base_time());
        }
    }

    fn tell_peer(&self, session_id: &str, reason: EndReason) {
        if let Some(signalling) = &self.signalling {
            signalling
                .signaller()
                .end_session(session_id, Some(&reason_text(reason)));
        }
    }
}

/// Whether a viewer and the server know that its session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Informed {
    Already,
    NotYet,
}

/// How many viewers may be joining at once: whoever has not connected yet has proved nothing.
const JOINING_LIMIT: usize = 256;
/// Files that are left to everything else in the process.
const FILES_RESERVED: usize = 128;
/// Files that a session may open: a dozen, and some more for each further network interface.
const FILES_OF_SESSION: usize = 32;

/// The code of a description that the signaller could not read.
const BAD_DESCRIPTION: &str = "bad-description:";

/// Input that is encoded already costs no encoder.
fn encoders_left(stream: &Stream, settings: &Settings) -> usize {
    if stream.is_encoded_here() {
        stream.encoders_left(settings)
    } else {
        usize::MAX
    }
}

fn connection_state(state: gst_webrtc::WebRTCPeerConnectionState) -> ConnectionState {
    use gst_webrtc::WebRTCPeerConnectionState as State;
    match state {
        State::New => ConnectionState::New,
        State::Connecting => ConnectionState::Connecting,
        State::Connected => ConnectionState::Connected,
        State::Disconnected => ConnectionState::Disconnected,
        State::Failed => ConnectionState::Failed,
        _ => ConnectionState::Closed,
    }
}
