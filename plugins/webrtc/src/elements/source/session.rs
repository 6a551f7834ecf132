//! One session with a producer: its webrtcbin, its m-lines and their outputs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use gst::glib;
use gst::prelude::*;
use gst_webrtc::{
    WebRTCFECType, WebRTCPeerConnectionState, WebRTCRTPTransceiver, WebRTCRTPTransceiverDirection,
    WebRTCSDPType, WebRTCSessionDescription,
};
use weir_negotiation::{
    CandidateGate, ConnectionState, EndReason, GateVerdict, LifecycleConfig, MediaKind, MediaOffer,
    SessionCommand, SessionLifecycle, read_offer,
};
use weir_units::Timestamp;

use super::codec_choice::{self, Choice};
use super::coordinator::Mailbox;
use super::lines::Lines;
use super::messages::{self, SessionNames};
use super::output::Output;
use super::settings::Settings;
use super::translate::{Translator, Use};
use super::{BaseWebRTCSrc, imp};
use crate::lock;
use crate::session::{Connection, ConnectionConfig, ConnectionEvent, DescriptionError};
use crate::signaller::{Signallable, SignallableExt};

/// Why a session is to end.
#[derive(Debug)]
pub(super) struct SessionEnd {
    pub(super) reason: EndReason,
    /// What somebody else said about it.
    pub(super) detail: Option<String>,
    /// The peer knows.
    pub(super) told_peer: bool,
}

impl SessionEnd {
    pub(super) fn new(reason: EndReason) -> Self {
        Self {
            reason,
            detail: None,
            told_peer: false,
        }
    }

    fn because(reason: EndReason, detail: impl ToString) -> Self {
        Self {
            reason,
            detail: Some(detail.to_string()),
            told_peer: false,
        }
    }
}

/// Whose session it is.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) session_id: String,
    pub(super) peer_id: String,
}

impl Names {
    pub(super) fn as_message_names(&self) -> SessionNames<'_> {
        SessionNames {
            session_id: &self.session_id,
            peer_id: &self.peer_id,
        }
    }
}

/// The outputs by m-line, for webrtcbin's streaming threads.
pub(super) type Routes = Arc<Mutex<BTreeMap<u32, Arc<Output>>>>;

/// One session.
pub(super) struct Session {
    element: BaseWebRTCSrc,
    signaller: Signallable,
    names: Names,
    settings: Settings,
    connection: Connection,
    routes: Routes,
    /// Where webrtcbin's pads lead that belong to no m-line of ours.
    unwanted: Arc<Output>,
    lines: Lines,
    translator: Translator,
    lifecycle: SessionLifecycle,
    gate: CandidateGate,
    negotiation: Negotiation,
    /// The producer's next offer, while one is being answered.
    waiting_offer: Option<WebRTCSessionDescription>,
}

/// How far an offer has come.
enum Negotiation {
    /// There is none.
    Idle,
    /// webrtcbin takes over the producer's offer.
    Applying {
        media: Vec<MediaOffer>,
        shown: gst_sdp::SDPMessage,
    },
    /// webrtcbin answers it.
    Answering { media: Vec<MediaOffer> },
    /// webrtcbin makes an offer of ours.
    Offering,
    /// The producer answers it.
    Offered,
    /// webrtcbin takes over the answer.
    ApplyingAnswer { media: Vec<MediaOffer> },
}

impl Session {
    /// Makes a webrtcbin in the element and waits for an offer.
    ///
    /// # Errors
    /// When an element is missing, or does not start.
    pub(super) fn start(
        element: &BaseWebRTCSrc,
        signaller: &Signallable,
        mailbox: &Mailbox,
        (session_id, peer_id): (&str, &str),
        events: impl Fn(ConnectionEvent) + Send + Sync + 'static,
        now: Timestamp,
    ) -> Result<Self, glib::BoolError> {
        let settings = imp::settings_of(element);
        let config = ConnectionConfig {
            stun_server: settings.stun_server.clone(),
            turn_servers: settings.turn_servers.clone(),
            latency_ms: Some(settings.latency),
            ..ConnectionConfig::default()
        };
        let connection = Connection::new(&config, events)?;
        let routes = Routes::default();
        let unwanted = Arc::new(Output::unwanted(element.upcast_ref())?);
        receive_pads(connection.webrtcbin(), &routes, &unwanted);

        element.add(connection.webrtcbin())?;
        signaller.emit_by_name::<()>("webrtcbin-ready", &[&session_id, connection.webrtcbin()]);
        if let Err(error) = connection.webrtcbin().sync_state_with_parent() {
            discard(element, connection.webrtcbin());
            unwanted.remove(element.upcast_ref());
            return Err(error);
        }
        let mut lifecycle = SessionLifecycle::new(LifecycleConfig::default());
        // The producer's offer is awaited with the same patience as an answer.
        lifecycle.handle_offer_sent(now);
        Ok(Self {
            element: element.clone(),
            signaller: signaller.clone(),
            names: Names {
                session_id: session_id.to_owned(),
                peer_id: peer_id.to_owned(),
            },
            settings,
            connection,
            lines: Lines::new(element, mailbox, &routes, peer_id),
            routes,
            unwanted,
            translator: Translator::default(),
            lifecycle,
            gate: CandidateGate::default(),
            negotiation: Negotiation::Idle,
            waiting_offer: None,
        })
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// The producer offers.
    pub(super) fn handle_offer(&mut self, description: WebRTCSessionDescription) -> Result<(), SessionEnd> {
        if !matches!(self.negotiation, Negotiation::Idle) {
            self.waiting_offer = Some(description);
            return Ok(());
        }
        let bad = |error: &dyn ToString| SessionEnd::because(EndReason::BadOffer, error.to_string());
        let text = description.sdp().as_text().map_err(|error| bad(&error))?;
        let media = read_offer(&text).map_err(|error| bad(&error))?;
        let shown = self
            .translator
            .show_offer(&text, &media)
            .map_err(|error| bad(&error))?;
        let shown = gst_sdp::SDPMessage::parse_buffer(shown.as_bytes()).map_err(|error| bad(&error))?;
        self.connection
            .set_remote_description(&WebRTCSessionDescription::new(
                WebRTCSDPType::Offer,
                shown.clone(),
            ));
        self.negotiation = Negotiation::Applying { media, shown };
        Ok(())
    }

    /// The producer answers our offer.
    pub(super) fn handle_answer(&mut self, description: &WebRTCSessionDescription) -> Result<(), SessionEnd> {
        if !matches!(self.negotiation, Negotiation::Offered) {
            return Ok(());
        }
        let bad = |error: &dyn ToString| SessionEnd::because(EndReason::BadAnswer, error.to_string());
        let text = description.sdp().as_text().map_err(|error| bad(&error))?;
        let media = read_offer(&text).map_err(|error| bad(&error))?;
        self.connection.set_remote_description(description);
        self.negotiation = Negotiation::ApplyingAnswer { media };
        Ok(())
    }

    /// We are to offer: one video and one audio stream, with every codec that is accepted.
    pub(super) fn make_offer(&mut self) -> Result<(), SessionEnd> {
        if !matches!(self.negotiation, Negotiation::Idle) {
            return Ok(());
        }
        let mut payload = 96..128;
        for codecs in [&self.settings.video_codecs, &self.settings.audio_codecs] {
            let caps = codec_choice::offered_caps(codecs, &mut payload);
            if !caps.is_empty() {
                self.add_transceiver(
                    WebRTCRTPTransceiverDirection::Recvonly,
                    &Choice { caps, fec: false },
                );
            }
        }
        self.connection.create_offer();
        self.negotiation = Negotiation::Offering;
        Ok(())
    }

    /// The producer has a candidate.
    pub(super) fn handle_candidate(&mut self, mline: u32, candidate: &str) -> Result<(), SessionEnd> {
        match self.gate.handle_candidate(candidate) {
            GateVerdict::Add(_) => {
                let candidate = candidate.strip_prefix("a=").unwrap_or(candidate);
                self.connection.add_candidate(mline, candidate);
                Ok(())
            }
            GateVerdict::Ignore(fault) => {
                gst::debug!(crate::CAT, obj = self.element, "ignored a candidate: {fault}");
                Ok(())
            }
            GateVerdict::EndOfCandidates => Ok(()),
            GateVerdict::End(reason) => Err(SessionEnd::new(reason)),
        }
    }

    /// webrtcbin has something to say.
    pub(super) fn handle_connection(
        &mut self,
        event: ConnectionEvent,
        now: Timestamp,
    ) -> Result<(), SessionEnd> {
        match event {
            ConnectionEvent::Candidate { mline, candidate } => {
                self.signaller
                    .send_ice(&self.names.session_id, &candidate, mline, None);
                Ok(())
            }
            ConnectionEvent::State(state) => {
                self.lifecycle
                    .handle_connection_state(connection_state(state), now);
                Ok(())
            }
            ConnectionEvent::RemoteApplied(result) => self.handle_remote_applied(result, now),
            ConnectionEvent::Created(result) => self.handle_created(result, now),
            ConnectionEvent::Stats(stats) => {
                imp::set_stats(&self.element, &self.names.session_id, stats, self.gate.unusable());
                Ok(())
            }
        }
    }

    /// An element of ours failed: the session survives it, unless it is webrtcbin's.
    pub(super) fn handle_child_failure(&self, child: &gst::Object, message: &str) -> Result<(), SessionEnd> {
        let webrtcbin = self.connection.webrtcbin().upcast_ref::<gst::Object>();
        if child == webrtcbin || child.has_as_ancestor(webrtcbin) {
            return Err(SessionEnd::because(EndReason::Internal, message));
        }
        Ok(())
    }

    pub(super) fn set_latency(&self, millis: u32) {
        self.connection.webrtcbin().set_property("latency", millis);
    }

    /// Takes note of the peer's RTCP, and asks for statistics.
    pub(super) fn look_after_peer(&mut self, now: Timestamp) {
        if let Some(last) = self.connection.last_rtcp() {
            let age = last.elapsed();
            let heard = Timestamp::new(now.since_epoch().saturating_sub(age));
            self.lifecycle.handle_rtcp(heard);
        }
        if self.lifecycle.is_connected() {
            self.connection.request_stats();
        }
    }

    /// Does what the lifecycle says.
    pub(super) fn settle_lifecycle(&mut self, now: Timestamp) -> Result<(), SessionEnd> {
        if self
            .lifecycle
            .poll_timeout()
            .is_some_and(|deadline| deadline <= now)
        {
            self.lifecycle.handle_timeout(now);
        }
        while let Some(command) = self.lifecycle.poll_command() {
            match command {
                SessionCommand::Joined => {
                    messages::started(self.element.upcast_ref(), self.names.as_message_names());
                }
                SessionCommand::Connected => {
                    self.signaller.session_connected(&self.names.session_id);
                    messages::connected(self.element.upcast_ref(), self.names.as_message_names());
                    self.connection.request_stats();
                }
                SessionCommand::End { reason } => return Err(SessionEnd::new(reason)),
            }
        }
        Ok(())
    }

    /// When [`Session::settle_lifecycle`] is due.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.lifecycle.poll_timeout()
    }

    /// Ends every stream, with EOS if `with_eos`, and takes everything down. Waits while downstream blocks.
    pub(super) fn tear_down(mut self, with_eos: bool) {
        self.lines.close_all(with_eos);
        lock(&self.routes).clear();
        discard(&self.element, self.connection.webrtcbin());
        self.lines.remove();
        self.unwanted.remove(self.element.upcast_ref());
    }

    fn handle_remote_applied(
        &mut self,
        result: Result<(), DescriptionError>,
        now: Timestamp,
    ) -> Result<(), SessionEnd> {
        match std::mem::replace(&mut self.negotiation, Negotiation::Idle) {
            Negotiation::Applying { media, shown } => {
                result.map_err(|error| SessionEnd::because(EndReason::BadOffer, error))?;
                self.prepare_answer(&media, &shown)?;
                self.connection.create_answer();
                self.negotiation = Negotiation::Answering { media };
                Ok(())
            }
            Negotiation::ApplyingAnswer { media } => {
                result.map_err(|error| SessionEnd::because(EndReason::BadAnswer, error))?;
                let uses: Vec<Use> = media
                    .iter()
                    .map(|media| Use::of(media, is_audio_or_video(media.kind)))
                    .collect();
                for media in &media {
                    self.lines
                        .prepare(media, true)
                        .map_err(|error| SessionEnd::because(EndReason::Internal, error))?;
                }
                self.lines.use_as(&media, &uses);
                self.lifecycle
                    .handle_answer_accepted(uses.contains(&Use::Receiving), now);
                self.next_offer()
            }
            other => {
                self.negotiation = other;
                Ok(())
            }
        }
    }

    /// Gives each new m-line a transceiver that takes the codec that is wanted.
    fn prepare_answer(
        &mut self,
        media: &[MediaOffer],
        shown: &gst_sdp::SDPMessageRef,
    ) -> Result<(), SessionEnd> {
        let internal = |error: glib::BoolError| SessionEnd::because(EndReason::Internal, error);
        let mut anything_wanted = false;
        for (media, section) in media.iter().zip(shown.medias()) {
            if !is_audio_or_video(media.kind) {
                continue;
            }
            if !self.lines.knows(media.index) {
                let codecs = match media.kind {
                    MediaKind::Video => &self.settings.video_codecs,
                    _ => &self.settings.audio_codecs,
                };
                let choice = codec_choice::choose(section, codecs);
                self.lines.prepare(media, choice.is_some()).map_err(internal)?;
                match (choice, codec_choice::any(section)) {
                    (Some(choice), _) => {
                        self.add_transceiver(WebRTCRTPTransceiverDirection::Recvonly, &choice);
                    }
                    (None, Some(choice)) => {
                        gst::info!(
                            crate::CAT,
                            obj = self.element,
                            "m-line {} has no codec of ours",
                            media.index
                        );
                        self.add_transceiver(WebRTCRTPTransceiverDirection::Inactive, &choice);
                    }
                    (None, None) => (),
                }
            }
            anything_wanted |= self.lines.is_wanted(media.index);
        }
        if anything_wanted || !media.iter().any(|media| is_audio_or_video(media.kind)) {
            Ok(())
        } else {
            Err(SessionEnd::new(EndReason::NoCommonCodec))
        }
    }

    fn add_transceiver(&self, direction: WebRTCRTPTransceiverDirection, choice: &Choice) {
        let transceiver = self
            .connection
            .webrtcbin()
            .emit_by_name::<Option<WebRTCRTPTransceiver>>("add-transceiver", &[&direction, &choice.caps]);
        let Some(transceiver) = transceiver else { return };
        let is_video = choice
            .caps
            .structure(0)
            .is_some_and(|structure| structure.get::<&str>("media") == Ok("video"));
        if is_video && self.settings.do_retransmission {
            transceiver.set_property("do-nack", true);
        }
        if choice.fec {
            transceiver.set_property("fec-type", WebRTCFECType::UlpRed);
        }
    }

    fn handle_created(
        &mut self,
        result: Result<WebRTCSessionDescription, DescriptionError>,
        now: Timestamp,
    ) -> Result<(), SessionEnd> {
        match std::mem::replace(&mut self.negotiation, Negotiation::Idle) {
            Negotiation::Answering { media } => {
                let answer = result.map_err(|error| SessionEnd::because(EndReason::BadOffer, error))?;
                self.connection.set_local_description(&answer);
                self.answer(&answer, &media, now)?;
                self.next_offer()
            }
            Negotiation::Offering => {
                let offer = result.map_err(|error| SessionEnd::because(EndReason::Internal, error))?;
                self.connection.set_local_description(&offer);
                if let Ok(text) = offer.sdp().as_text() {
                    self.translator.adopt_offer_of_ours(&text);
                }
                self.signaller
                    .send_session_description(&self.names.session_id, &offer);
                self.negotiation = Negotiation::Offered;
                Ok(())
            }
            other => {
                self.negotiation = other;
                Ok(())
            }
        }
    }

    /// Opens and closes pads, and tells the producer what is received.
    fn answer(
        &mut self,
        answer: &WebRTCSessionDescription,
        media: &[MediaOffer],
        now: Timestamp,
    ) -> Result<(), SessionEnd> {
        let internal = |error: &dyn ToString| SessionEnd::because(EndReason::Internal, error.to_string());
        let uses: Vec<Use> = media
            .iter()
            .map(|media| Use::of(media, self.lines.is_wanted(media.index)))
            .collect();
        // Before the answer goes out: what comes upon it finds its pads.
        self.lines.use_as(media, &uses);
        let text = answer.sdp().as_text().map_err(|error| internal(&error))?;
        let told = self.translator.tell_answer(&text, &uses);
        let told = gst_sdp::SDPMessage::parse_buffer(told.as_bytes()).map_err(|error| internal(&error))?;
        self.signaller.send_session_description(
            &self.names.session_id,
            &WebRTCSessionDescription::new(WebRTCSDPType::Answer, told),
        );
        self.lifecycle
            .handle_answer_accepted(uses.contains(&Use::Receiving), now);
        Ok(())
    }

    fn next_offer(&mut self) -> Result<(), SessionEnd> {
        match self.waiting_offer.take() {
            Some(offer) => self.handle_offer(offer),
            None => Ok(()),
        }
    }
}

/// Leads webrtcbin's pads to their outputs, in the thread that adds them: what comes by a pad that is not linked at
/// once stops its jitter buffer.
fn receive_pads(webrtcbin: &gst::Element, routes: &Routes, unwanted: &Arc<Output>) {
    let (routes, unwanted) = (routes.clone(), unwanted.clone());
    webrtcbin.connect_pad_added(move |webrtcbin, pad| {
        if pad.direction() != gst::PadDirection::Src {
            return;
        }
        let mline = pad
            .property::<Option<WebRTCRTPTransceiver>>("transceiver")
            .map(|transceiver| transceiver.mlineindex());
        let output = mline.and_then(|mline| lock(&routes).get(&mline).cloned());
        let connected = match &output {
            Some(output) => output.connect(pad),
            None => Err(glib::bool_error!("there is no such m-line")),
        };
        if let Err(error) = connected {
            gst::info!(
                crate::CAT,
                obj = webrtcbin,
                "{} is not wanted: {error}",
                pad.name()
            );
            if let Err(error) = unwanted.connect(pad) {
                gst::warning!(
                    crate::CAT,
                    obj = webrtcbin,
                    "{} blocks its stream: {error}",
                    pad.name()
                );
            }
        }
    });
}

/// Stops an element of ours and takes it out.
fn discard(element: &BaseWebRTCSrc, child: &gst::Element) {
    child.set_locked_state(true);
    let _ = child.set_state(gst::State::Null);
    let _ = element.remove(child);
}

fn is_audio_or_video(kind: MediaKind) -> bool {
    matches!(kind, MediaKind::Audio | MediaKind::Video)
}

fn connection_state(state: WebRTCPeerConnectionState) -> ConnectionState {
    match state {
        WebRTCPeerConnectionState::Connecting => ConnectionState::Connecting,
        WebRTCPeerConnectionState::Connected => ConnectionState::Connected,
        WebRTCPeerConnectionState::Disconnected => ConnectionState::Disconnected,
        WebRTCPeerConnectionState::Failed => ConnectionState::Failed,
        WebRTCPeerConnectionState::Closed => ConnectionState::Closed,
        _ => ConnectionState::New,
    }
}
