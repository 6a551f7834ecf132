//! One sink pad's stream, and its renditions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use weir_forwarding::RenditionId;
use weir_negotiation::{Codec, MediaKind};
use weir_units::Timestamp;

use super::input::{self, CapsStep, Input};
use super::pad::WebRTCSinkPad;
use super::settings::Settings;
use crate::encoder::{self, Rendition};

/// One sink pad's stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) pad: WebRTCSinkPad,
    pub(super) kind: MediaKind,
    pub(super) input: Input,
    /// The media's caps, once they are known.
    caps: Option<gst::Caps>,
    has_ended: bool,
    /// One for all renditions the stream ever has: see [`encoder::RenditionSpec`].
    pub(super) timestamp_offset: u32,
    /// The renditions that run, one for each codec in use.
    pub(super) renditions: BTreeMap<Codec, Running>,
}

/// A rendition that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: RenditionId,
    pub(super) rendition: Arc<Rendition>,
    /// When its last viewer left.
    pub(super) idle_since: Option<Timestamp>,
    pub(super) has_ended: bool,
    pub(super) is_unresponsive: bool,
}

/// What new caps mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CapsChange {
    /// The stream can be offered from here on.
    FirstKnown,
    /// Renditions go on with them.
    Compatible,
    /// The renditions that there are cannot go on; what can be offered is the same.
    Rebuild,
    /// Another codec comes in: viewers must be offered it.
    Renegotiate,
}

/// An encoder without viewers goes on this long: one that reloads its page finds it warm.
const IDLE_PATIENCE: Duration = Duration::from_secs(2);

impl Stream {
    pub(super) fn new(pad: WebRTCSinkPad, input: Input) -> Self {
        let kind = if pad.name().starts_with("audio") {
            MediaKind::Audio
        } else {
            MediaKind::Video
        };
        Self {
            pad,
            kind,
            input,
            caps: None,
            has_ended: false,
            timestamp_offset: rand::random(),
            renditions: BTreeMap::new(),
        }
    }

    /// The element starts anew.
    pub(super) fn restart(&mut self) {
        self.has_ended = false;
    }

    /// Whether the stream can be offered.
    pub(super) fn is_known(&self) -> bool {
        self.caps.is_some()
    }

    /// The media's caps.
    pub(super) fn caps(&self) -> Option<&gst::Caps> {
        self.caps.as_ref()
    }

    pub(super) fn handle_caps(&mut self, caps: gst::Caps) -> CapsChange {
        let Some(old) = self.caps.replace(caps) else {
            return CapsChange::FirstKnown;
        };
        let Some(new) = &self.caps else {
            return CapsChange::Compatible;
        };
        match input::step_between(&old, new) {
            CapsStep::Same => CapsChange::Compatible,
            CapsStep::OtherMemory => CapsChange::Rebuild,
            CapsStep::OtherMedia => CapsChange::Renegotiate,
        }
    }

    /// The codec that comes in, unless the media is raw.
    pub(super) fn input_codec(&self) -> Option<Codec> {
        Codec::from_caps_name(self.caps.as_ref()?.structure(0)?.name())
    }

    /// Whether an encoder makes this stream's renditions.
    pub(super) fn is_encoded_here(&self) -> bool {
        self.input_codec().is_none()
    }

    /// What viewers can be offered, in the application's order.
    pub(super) fn codecs(&self, settings: &Settings) -> Vec<Codec> {
        if let Some(codec) = self.input_codec() {
            return if encoder::can_pay(codec) {
                vec![codec]
            } else {
                Vec::new()
            };
        }
        if self.caps.is_none() {
            return Vec::new();
        }
        let caps = if self.kind == MediaKind::Audio {
            &settings.audio_caps
        } else {
            &settings.video_caps
        };
        Settings::codecs(caps)
            .into_iter()
            .filter(|codec| codec.kind() == self.kind && encoder::can_encode(*codec))
            .collect()
    }

    /// The codecs of the renditions that run.
    pub(super) fn running_codecs(&self) -> Vec<Codec> {
        self.renditions.keys().copied().collect()
    }

    /// How many further encoders may be started.
    pub(super) fn encoders_left(&self, settings: &Settings) -> usize {
        let limit = usize::try_from(settings.max_renditions).unwrap_or(usize::MAX);
        limit.saturating_sub(self.renditions.len())
    }

    /// The stream has ended.
    pub(super) fn handle_eos(&mut self) {
        self.has_ended = true;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Has every rendition put out what is inside it.
    pub(super) fn end(&self) {
        for running in self.renditions.values() {
            running.rendition.input().end();
        }
    }

    /// Whether every rendition has put out its last frame.
    pub(super) fn has_drained(&self) -> bool {
        self.renditions.values().all(|running| running.has_ended)
    }

    /// The rendition of this id, if it runs.
    pub(super) fn running_mut(&mut self, id: RenditionId) -> Option<&mut Running> {
        self.renditions.values_mut().find(|running| running.id == id)
    }

    /// When an idle rendition is to stop.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.renditions.values().filter_map(Running::stop_at).min()
    }
}

impl Running {
    pub(super) fn new(id: RenditionId, rendition: Rendition) -> Self {
        Self {
            id,
            rendition: Arc::new(rendition),
            idle_since: None,
            has_ended: false,
            is_unresponsive: false,
        }
    }

    pub(super) fn stop_at(&self) -> Option<Timestamp> {
        self.idle_since.map(|since| since + IDLE_PATIENCE)
    }
}
