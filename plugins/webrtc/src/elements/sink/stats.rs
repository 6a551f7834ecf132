//! What the application reads: sessions and statistics as last known. Reading never waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use weir_forwarding::RenditionId;

use super::settings::MitigationModes;
use crate::encoder::RenditionSpec;
use crate::fanout::Hub;
use crate::lock;

/// What is known of sessions and renditions, for readers on any thread. The coordinator writes it.
#[derive(Debug, Default)]
pub(super) struct Snapshot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    hub: Option<Arc<Hub>>,
    fec_percentage: u32,
    sessions: BTreeMap<String, Session>,
    renditions: BTreeMap<RenditionId, RenditionInfo>,
    /// The bins of renditions that are being stopped.
    retired: Vec<gst::glib::WeakRef<gst::Bin>>,
    last_refresh: Option<Instant>,
    /// When renditions of each stream were restarted after a failure.
    restarts: BTreeMap<u32, Vec<Instant>>,
}

#[derive(Debug)]
struct Session {
    viewer: u64,
    webrtc: Option<gst::Structure>,
}

#[derive(Debug)]
struct RenditionInfo {
    pad_name: String,
    codec: &'static str,
    is_encoder: bool,
    bitrate: i32,
    bin: gst::glib::WeakRef<gst::Bin>,
}

/// Where a message on the bus comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// An element of this rendition.
    Rendition(RenditionId),
    /// An element of a rendition that is being stopped.
    RetiredRendition,
    /// Any other element.
    Elsewhere,
}

/// Statistics are fetched anew at most this often, however often they are read.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// An encoder that fails more often than this within [`RESTART_WINDOW`] is given up.
const RESTARTS: usize = 3;
const RESTART_WINDOW: Duration = Duration::from_secs(60);

impl Snapshot {
    /// The element starts. `fec_percentage` is what FEC adds to video.
    pub(super) fn start(&self, hub: &Arc<Hub>, fec_percentage: u32) {
        let mut state = lock(&self.0);
        state.hub = Some(hub.clone());
        state.fec_percentage = fec_percentage;
    }

    pub(super) fn stop(&self) {
        // Dropped without the lock: the hub ends its threads.
        let _state = std::mem::take(&mut *lock(&self.0));
    }

    pub(super) fn add_session(&self, session_id: &str, viewer: u64) {
        lock(&self.0)
            .sessions
            .insert(session_id.to_owned(), Session { viewer, webrtc: None });
    }

    pub(super) fn remove_session(&self, session_id: &str) {
        lock(&self.0).sessions.remove(session_id);
    }

    pub(super) fn set_webrtc_stats(&self, session_id: &str, stats: &gst::Structure) {
        if let Some(session) = lock(&self.0).sessions.get_mut(session_id) {
            session.webrtc = Some(stats.clone());
        }
    }

    pub(super) fn add_rendition(&self, id: RenditionId, spec: &RenditionSpec, bin: &gst::Bin) {
        let info = RenditionInfo {
            pad_name: spec.pad_name.clone(),
            codec: spec.codec.caps_name(),
            is_encoder: spec.is_raw(),
            bitrate: spec.bitrate.bps().try_into().unwrap_or(i32::MAX),
            bin: bin.downgrade(),
        };
        lock(&self.0).renditions.insert(id, info);
    }

    pub(super) fn remove_rendition(&self, id: RenditionId) {
        let mut state = lock(&self.0);
        state.retired.retain(|bin| bin.upgrade().is_some());
        if let Some(info) = state.renditions.remove(&id) {
            state.retired.push(info.bin);
        }
    }

    /// Which rendition an element belongs to, if any.
    pub(super) fn origin_of(&self, object: &gst::Object) -> Origin {
        let bins: Vec<_> = {
            let state = lock(&self.0);
            let running = state
                .renditions
                .iter()
                .map(|(id, info)| (Origin::Rendition(*id), info.bin.clone()));
            let retired = state
                .retired
                .iter()
                .map(|bin| (Origin::RetiredRendition, bin.clone()));
            running.chain(retired).collect()
        };
        bins.into_iter()
            .find(|(_, bin)| {
                bin.upgrade()
                    .is_some_and(|bin| object == &bin || object.has_as_ancestor(&bin))
            })
            .map_or(Origin::Elsewhere, |(origin, _)| origin)
    }

    /// Whether a rendition that failed may be started again, and a note that it was.
    pub(super) fn may_restart(&self, stream: u32) -> bool {
        let mut state = lock(&self.0);
        let restarts = state.restarts.entry(stream).or_default();
        restarts.retain(|at| at.elapsed() < RESTART_WINDOW);
        let may = restarts.len() < RESTARTS;
        if may {
            restarts.push(Instant::now());
        }
        may
    }

    /// The ids of all sessions.
    pub(super) fn session_ids(&self) -> Vec<String> {
        lock(&self.0).sessions.keys().cloned().collect()
    }

    /// Whether it is time to fetch newer statistics, and a note that they are being fetched.
    pub(super) fn wants_refresh(&self) -> bool {
        let mut state = lock(&self.0);
        let is_due = state
            .last_refresh
            .is_none_or(|at| at.elapsed() >= REFRESH_INTERVAL);
        if is_due {
            state.last_refresh = Some(Instant::now());
        }
        is_due
    }

    /// The `stats` property: a field per session, each webrtcbin's last reply with `consumer-stats` (the
    /// incumbent's) and `weir-stats` (ours) added, and `renditions` beside them.
    pub(super) fn to_structure(&self) -> gst::Structure {
        let hub = lock(&self.0).hub.clone();
        // The hub has a lock of its own.
        let outputs = hub.map(|hub| hub.counters()).unwrap_or_default();
        let state = lock(&self.0);
        let mut stats = gst::Structure::new_empty("application/x-webrtcsink-stats");
        for (session_id, session) in &state.sessions {
            let mut one = session
                .webrtc
                .clone()
                .unwrap_or_else(|| gst::Structure::new_empty("application/x-webrtc-stats"));
            let mine = outputs.iter().filter(|output| output.id.viewer == session.viewer);
            let (mut encoders, mut streams) = (Vec::new(), Vec::new());
            for output in mine {
                let info = output.rendition.and_then(|id| state.renditions.get(&id));
                if let Some(info) = info.filter(|info| info.is_encoder && info.codec.starts_with("video/")) {
                    encoders.push(info.encoder_stats(state.fec_percentage).to_send_value());
                }
                let counters = output.counters;
                streams.push(
                    gst::Structure::builder("weir-stream-stats")
                        .field("pad", info.map(|info| info.pad_name.as_str()).unwrap_or_default())
                        .field("codec-name", info.map(|info| info.codec).unwrap_or_default())
                        .field("rendition", output.rendition.map_or(-1, |id| i64::from(id.0)))
                        .field("packets", counters.packets)
                        .field("bytes", counters.bytes.bytes())
                        .field("frames", counters.frames)
                        .field("key-frames", counters.key_frames)
                        .field("dropped-frames", counters.dropped_frames)
                        .build()
                        .to_send_value(),
                );
            }
            one.set(
                "consumer-stats",
                gst::Structure::builder("application/x-webrtcsink-consumer-stats")
                    .field("video-encoders", gst::Array::from_values(encoders))
                    .build(),
            );
            one.set("weir-stats", gst::Array::from_values(streams));
            stats.set(session_id.as_str(), one);
        }
        stats
    }
}

impl RenditionInfo {
    fn encoder_stats(&self, fec_percentage: u32) -> gst::Structure {
        gst::Structure::builder("application/x-webrtcsink-video-encoder-stats")
            .field("bitrate", self.bitrate)
            .field("mitigation-mode", MitigationModes::empty())
            .field("codec-name", self.codec)
            .field("fec-percentage", fec_percentage)
            .build()
    }
}
