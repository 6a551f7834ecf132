//! One webrtcbin: configured, told descriptions and candidates, listened to.

use std::sync::Arc;
use std::time::Instant;

use gst::glib;
use gst::prelude::*;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use weir_negotiation::Fingerprint;

use super::retransmission::follow_transceivers;
use super::rtcp_watch::RtcpWatch;
use super::ssrc_limit::limit_ssrcs;

/// What a webrtcbin is made with.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionConfig {
    /// `stun://host:port`, or none.
    pub(crate) stun_server: Option<String>,
    /// `turn(s)://user:password@host:port` each.
    pub(crate) turn_servers: Vec<String>,
    /// Whether only relayed candidates may be used.
    pub(crate) relay_only: bool,
    /// The UDP ports that host candidates may take, both ends included; none for any.
    pub(crate) port_range: Option<(u16, u16)>,
    /// How long received media waits in the jitter buffer, in milliseconds.
    pub(crate) latency_ms: Option<u32>,
}

/// What webrtcbin has to say. Emitted on threads of webrtcbin, with its locks possibly held: a receiver
/// queues and returns.
#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    /// A candidate of ours was gathered.
    Candidate {
        /// The m-line that it belongs to.
        mline: u32,
        /// The `candidate:…` attribute.
        candidate: String,
    },
    /// The connection's state changed.
    State(gst_webrtc::WebRTCPeerConnectionState),
    /// A description that was asked for is there, or could not be made.
    Created(Result<gst_webrtc::WebRTCSessionDescription, DescriptionError>),
    /// A remote description was applied, or refused.
    RemoteApplied(Result<(), DescriptionError>),
    /// webrtcbin's statistics.
    Stats(gst::Structure),
}

/// webrtcbin could not make or take a description.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DescriptionError(String);

/// A webrtcbin and what listens to it. Cheap to clone; all clones are the same connection.
#[derive(Clone)]
pub(crate) struct Connection {
    webrtcbin: gst::Element,
    rtcp: RtcpWatch,
    events: Arc<dyn Fn(ConnectionEvent) + Send + Sync>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("webrtcbin", &self.webrtcbin)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Makes a webrtcbin. It is in no bin and in state NULL: the caller places it.
    ///
    /// # Errors
    /// When webrtcbin, or a plugin that it needs, is not installed.
    pub(crate) fn new(
        config: &ConnectionConfig,
        events: impl Fn(ConnectionEvent) + Send + Sync + 'static,
    ) -> Result<Self, glib::BoolError> {
        for (factory, package) in REQUIRED_ELEMENTS {
            if gst::ElementFactory::find(factory).is_none() {
                return Err(glib::bool_error!(
                    "the GStreamer element {factory} is missing: install {package}"
                ));
            }
        }
        let webrtcbin = gst::ElementFactory::make("webrtcbin")
            .property_from_str("bundle-policy", "max-bundle")
            .property_if_some("stun-server", config.stun_server.as_deref())
            .build()?;
        if config.relay_only {
            webrtcbin.set_property_from_str("ice-transport-policy", "relay");
        }
        if let Some(latency) = config.latency_ms {
            webrtcbin.set_property("latency", latency);
        }
        for server in &config.turn_servers {
            if !webrtcbin.emit_by_name::<bool>("add-turn-server", &[server]) {
                // The address holds credentials: only the failure is told.
                gst::warning!(crate::CAT, obj = webrtcbin, "a TURN server's URI was refused");
            }
        }
        configure_ice(&webrtcbin, config.port_range);
        configure_rtp(&webrtcbin);
        limit_ssrcs(&webrtcbin);
        follow_transceivers(&webrtcbin);

        let connection = Self {
            rtcp: RtcpWatch::new(&webrtcbin),
            webrtcbin,
            events: Arc::new(events),
        };
        connection.listen();
        Ok(connection)
    }

    /// The element, for pads, signals of the application and properties.
    pub(crate) fn webrtcbin(&self) -> &gst::Element {
        &self.webrtcbin
    }

    /// Asks for an offer: [`ConnectionEvent::Created`] follows.
    pub(crate) fn create_offer(&self) {
        self.create("create-offer", "offer");
    }

    /// Asks for an answer to the remote offer: [`ConnectionEvent::Created`] follows.
    pub(crate) fn create_answer(&self) {
        self.create("create-answer", "answer");
    }

    /// Applies our own description.
    pub(crate) fn set_local_description(&self, description: &gst_webrtc::WebRTCSessionDescription) {
        self.webrtcbin
            .emit_by_name::<()>("set-local-description", &[description, &None::<gst::Promise>]);
    }

    /// Applies the peer's description: [`ConnectionEvent::RemoteApplied`] follows.
    pub(crate) fn set_remote_description(&self, description: &gst_webrtc::WebRTCSessionDescription) {
        let events = self.events.clone();
        let promise = gst::Promise::with_change_func(move |reply| {
            events(ConnectionEvent::RemoteApplied(reply_of(reply).map(drop)));
        });
        self.webrtcbin
            .emit_by_name::<()>("set-remote-description", &[description, &promise]);
    }

    /// Hands over a candidate of the peer. webrtcbin keeps it until it has the description that it belongs to.
    pub(crate) fn add_candidate(&self, mline: u32, candidate: &str) {
        // Without its prefix webrtcbin would take it for the end of candidates.
        let candidate = candidate.trim();
        let candidate = candidate.strip_prefix("a=").unwrap_or(candidate);
        let candidate = candidate.strip_prefix("candidate:").unwrap_or(candidate);
        self.webrtcbin
            .emit_by_name::<()>("add-ice-candidate", &[&mline, &format!("candidate:{candidate}")]);
    }

    /// Whether the peer's certificate is one that was announced (RFC 8122, section 6.2). To be called once connected:
    /// webrtcbin takes any certificate.
    pub(crate) fn is_peer(&self, announced: &[Fingerprint]) -> bool {
        let Some(certificate) = self.remote_certificate() else {
            return false;
        };
        let Ok(certificate) = CertificateDer::from_pem_slice(certificate.as_bytes()) else {
            return false;
        };
        announced.iter().any(|fingerprint| {
            let hash = match fingerprint.function.as_str() {
                "sha-256" => glib::ChecksumType::Sha256,
                "sha-384" => glib::ChecksumType::Sha384,
                "sha-512" => glib::ChecksumType::Sha512,
                // What is weaker proves nothing (RFC 8827, section 6.5).
                _ => return false,
            };
            let hex: String = fingerprint
                .hash
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            glib::compute_checksum_for_data(hash, &certificate).is_some_and(|hash| hash == hex)
        })
    }

    /// In PEM, of the transport that all media share.
    fn remote_certificate(&self) -> Option<String> {
        let transceivers = (0..).map_while(|index: i32| {
            self.webrtcbin
                .emit_by_name::<Option<gst_webrtc::WebRTCRTPTransceiver>>("get-transceiver", &[&index])
        });
        transceivers
            .filter_map(|transceiver| {
                let sender = transceiver.property::<Option<gst_webrtc::WebRTCRTPSender>>("sender")?;
                let transport = sender.property::<Option<gst_webrtc::WebRTCDTLSTransport>>("transport")?;
                transport.property::<Option<String>>("remote-certificate")
            })
            .next()
    }

    /// Asks for statistics: [`ConnectionEvent::Stats`] follows.
    pub(crate) fn request_stats(&self) {
        let events = self.events.clone();
        let promise = gst::Promise::with_change_func(move |reply| {
            if let Ok(Some(stats)) = reply {
                events(ConnectionEvent::Stats(stats.to_owned()));
            }
        });
        self.webrtcbin
            .emit_by_name::<()>("get-stats", &[&None::<gst::Pad>, &promise]);
    }

    /// When the peer's last RTCP packet arrived.
    pub(crate) fn last_rtcp(&self) -> Option<Instant> {
        self.rtcp.last()
    }

    fn create(&self, action: &'static str, field: &'static str) {
        let events = self.events.clone();
        let promise = gst::Promise::with_change_func(move |reply| {
            let description = reply_of(reply).and_then(|reply| {
                reply
                    .and_then(|s| s.get::<gst_webrtc::WebRTCSessionDescription>(field).ok())
                    .ok_or_else(|| DescriptionError(format!("webrtcbin made no {field}")))
            });
            events(ConnectionEvent::Created(description));
        });
        self.webrtcbin
            .emit_by_name::<()>(action, &[&None::<gst::Structure>, &promise]);
    }

    fn listen(&self) {
        let events = self.events.clone();
        self.webrtcbin.connect("on-ice-candidate", false, move |values| {
            let (Ok(mline), Ok(candidate)) = (values[1].get::<u32>(), values[2].get::<String>()) else {
                return None;
            };
            events(ConnectionEvent::Candidate { mline, candidate });
            None
        });
        let events = self.events.clone();
        self.webrtcbin
            .connect_notify(Some("connection-state"), move |webrtcbin, _| {
                let state = webrtcbin.property::<gst_webrtc::WebRTCPeerConnectionState>("connection-state");
                events(ConnectionEvent::State(state));
            });
    }
}

/// What webrtcbin makes its transports of, and the Debian package that has it.
const REQUIRED_ELEMENTS: [(&str, &str); 5] = [
    ("webrtcbin", "gstreamer1.0-plugins-bad"),
    ("nicesink", "gstreamer1.0-nice"),
    ("dtlsdec", "gstreamer1.0-plugins-bad"),
    ("srtpenc", "gstreamer1.0-plugins-bad"),
    ("rtpbin", "gstreamer1.0-plugins-good"),
];

fn configure_ice(webrtcbin: &gst::Element, port_range: Option<(u16, u16)>) {
    let ice = webrtcbin.property::<glib::Object>("ice-agent");
    if let Some((min, max)) = port_range {
        ice.set_property("min-rtp-port", u32::from(min));
        ice.set_property("max-rtp-port", u32::from(max));
    }
    if ice.find_property("agent").is_none() {
        return;
    }
    let agent = ice.property::<glib::Object>("agent");
    // Asking the router for a port mapping delays the end of gathering by seconds where there is none to ask.
    agent.set_property("upnp", false);
    agent.set_property("stun-pacing-timer", CHECK_INTERVAL_MS);
}

/// Between two connectivity checks: the shortest that RFC 8445 (section 14.2) allows, for a viewer waits for them.
const CHECK_INTERVAL_MS: u32 = 5;

/// Has sender reports tell when media was captured, not when it was sent: our pacing would make lip-sync wobble.
fn configure_rtp(webrtcbin: &gst::Element) {
    let rtpbin = webrtcbin
        .downcast_ref::<gst::Bin>()
        .and_then(|bin| bin.by_name("rtpbin"));
    if let Some(rtpbin) = rtpbin
        && rtpbin.find_property("rtcp-sync-send-time").is_some()
    {
        rtpbin.set_property("rtcp-sync-send-time", false);
    }
}

fn reply_of(
    reply: Result<Option<&gst::StructureRef>, gst::PromiseError>,
) -> Result<Option<gst::Structure>, DescriptionError> {
    match reply {
        Ok(Some(structure)) => match structure.get::<glib::Error>("error") {
            Ok(error) => Err(DescriptionError(error.message().to_owned())),
            Err(_) => Ok(Some(structure.to_owned())),
        },
        Ok(None) => Ok(None),
        Err(error) => Err(DescriptionError(format!("webrtcbin did not reply: {error:?}"))),
    }
}
