//! The coordinator's dealings with viewers' sessions: from the request to the end.

use gst::prelude::*;
use weir_forwarding::RenditionId;
use weir_negotiation::{ConnectionState, EndReason, GateVerdict, SessionCommand};
use weir_units::Timestamp;

use super::coordinator::{Coordinator, Fact, Phase};
use super::messages::{self, CandidatePair, ViewerNames};
use super::signalling::reason_text;
use super::viewer::{Exchange, Viewer};
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

    /// Shows the viewer's webrtcbin to the application, then starts it. False if it does not start.
    pub(super) fn introduce(&mut self, id: u64) -> bool {
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

    pub(super) fn handle_candidate(&mut self, session_id: &str, mline: u32, candidate: &str) {
        if let Some(id) = self.sessions.get(session_id).copied() {
            self.pass_candidate(id, mline, candidate);
        }
    }

    pub(super) fn pass_candidate(&mut self, id: u64, mline: u32, candidate: &str) {
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

    pub(super) fn attach_if_connected(&mut self, id: u64) {
        let Some(hub) = self.hub.clone() else { return };
        if let Some(viewer) = self.viewers.get_mut(&id)
            && viewer.lifecycle.is_connected()
        {
            viewer.attach(&hub);
        }
    }

    /// Carries out what a viewer's life cycle has decided.
    pub(super) fn follow_lifecycle(&mut self, id: u64) {
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
