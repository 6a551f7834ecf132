//! The coordinator's dealings with streams and their renditions.

use gst::prelude::*;
use weir_forwarding::{PayloadFormat, RenditionId};
use weir_negotiation::Codec;
use weir_units::{Bitrate, Timestamp};

use super::coordinator::{Coordinator, Fact};
use super::input::Input;
use super::pad::WebRTCSinkPad;
use super::settings::JoinPolicy;
use super::stats::Snapshot;
use super::stream::{CapsChange, Running, Stream};
use super::{BaseWebRTCSink, imp};
use crate::encoder::{Hooks, Rendition, RenditionError, RenditionSpec};
use crate::fanout::Joining;

impl Coordinator {
    pub(super) fn handle_pad_added(&mut self, id: u32, pad: WebRTCSinkPad, input: Input) {
        self.streams.insert(id, Stream::new(pad, input));
    }

    pub(super) fn handle_pad_released(&mut self, id: u32) {
        let Some(mut stream) = self.streams.remove(&id) else {
            return;
        };
        for (_, running) in std::mem::take(&mut stream.renditions) {
            self.retire(&stream, running);
        }
        if let Some(element) = self.element.upgrade() {
            stream.input.remove(element.upcast_ref());
        }
        for viewer in self.viewers.values_mut() {
            viewer.remove_stream(id, self.hub.as_deref());
        }
        self.offer_changes();
        self.register_when_ready();
        if !self.streams.is_empty() && self.streams.values().all(Stream::has_ended) {
            self.begin_draining();
        }
    }

    pub(super) fn handle_caps(&mut self, id: u32, caps: gst::Caps) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        match stream.handle_caps(caps) {
            CapsChange::FirstKnown => {
                self.add_stream_to_viewers(id);
                self.register_when_ready();
            }
            CapsChange::Compatible => (),
            CapsChange::Rebuild => {
                for codec in self
                    .streams
                    .get(&id)
                    .map(Stream::running_codecs)
                    .unwrap_or_default()
                {
                    self.restart_rendition(id, codec);
                }
            }
            CapsChange::Renegotiate => {
                let gone = std::mem::take(&mut stream.renditions);
                if let Some(stream) = self.streams.get(&id) {
                    for (_, running) in gone {
                        self.retire(stream, running);
                    }
                }
                for viewer in self.viewers.values_mut() {
                    viewer.remove_stream(id, self.hub.as_deref());
                }
                self.add_stream_to_viewers(id);
            }
        }
    }

    pub(super) fn handle_eos(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.handle_eos();
        }
        if self.streams.values().all(Stream::has_ended) {
            self.begin_draining();
        }
    }

    /// The rendition of a codec, started if it does not run. `consumer` is the viewer that caused it.
    pub(super) fn rendition_for(
        &mut self,
        stream_id: u32,
        codec: Codec,
        consumer: &str,
    ) -> Result<RenditionId, RenditionError> {
        if let Some(running) = self
            .streams
            .get(&stream_id)
            .and_then(|stream| stream.renditions.get(&codec))
        {
            return Ok(running.id);
        }
        let running = self.start_rendition(stream_id, codec, consumer)?;
        let id = running.id;
        if let Some(stream) = self.streams.get_mut(&stream_id) {
            stream.renditions.insert(codec, running);
        }
        Ok(id)
    }

    fn start_rendition(
        &mut self,
        stream_id: u32,
        codec: Codec,
        consumer: &str,
    ) -> Result<Running, RenditionError> {
        let missing = |what: &str| RenditionError::Missing(gst::glib::bool_error!("{what} is gone"));
        let element = self.element.upgrade().ok_or_else(|| missing("the element"))?;
        let hub = self.hub.clone().ok_or_else(|| missing("the hub"))?;
        let stream = self
            .streams
            .get(&stream_id)
            .ok_or_else(|| missing("the stream"))?;
        let id = RenditionId(self.next_rendition);
        self.next_rendition += 1;

        let spec = RenditionSpec {
            id,
            pad_name: stream.pad.name().into(),
            codec,
            input: stream.caps().cloned().ok_or_else(|| missing("the input"))?,
            bitrate: self.start_bitrate(codec),
            timestamp_offset: stream.timestamp_offset,
        };
        let joining = match (stream.is_encoded_here(), imp::settings_of(&element).join_policy) {
            (true, _) => Joining::OnRequest,
            (false, JoinPolicy::CachedGop) => Joining::FromCache,
            (false, JoinPolicy::NextKeyFrame) => Joining::AtNextKeyFrame,
        };
        let mailbox = self.mailbox.clone();
        let output = hub.add_rendition(
            id,
            stream_id,
            payload_format(codec),
            codec.clock_rate(),
            joining,
            move || mailbox.post(Fact::RenditionEnded { rendition: id }),
        );
        let hooks = ElementHooks {
            element: &element,
            snapshot: &self.snapshot,
            spec: &spec,
            consumer,
        };
        let rendition = match Rendition::start(&spec, element.upcast_ref(), &hooks, output) {
            Ok(rendition) => rendition,
            Err(error) => {
                hub.remove_rendition(id);
                self.snapshot.remove_rendition(id);
                return Err(error);
            }
        };
        stream.input.attach(id, rendition.input(), &spec.input);
        if stream.has_ended() {
            rendition.input().end();
        }
        gst::info!(
            crate::CAT,
            obj = element,
            "{} of {} started for {consumer}",
            codec,
            spec.pad_name
        );
        Ok(Running::new(id, rendition))
    }

    /// Replaces a rendition by a new one of the same codec; its viewers are moved.
    fn restart_rendition(&mut self, stream_id: u32, codec: Codec) {
        let old = self
            .streams
            .get_mut(&stream_id)
            .and_then(|stream| stream.renditions.remove(&codec));
        let Some(old) = old else { return };
        let from = old.id;
        if let Some(stream) = self.streams.get(&stream_id) {
            self.retire(stream, old);
        }
        let consumer = self
            .viewers
            .values()
            .next()
            .map(|viewer| viewer.peer_id().to_owned())
            .unwrap_or_default();
        match self.rendition_for(stream_id, codec, &consumer) {
            Ok(to) => {
                if let Some(hub) = &self.hub {
                    hub.replace_rendition(from, to);
                }
                for viewer in self.viewers.values_mut() {
                    viewer.replace_rendition(from, to);
                }
            }
            Err(error) => {
                self.post_warning(&format!(
                    "{codec} of stream {stream_id} could not be restarted: {error}"
                ));
                self.end_viewers_of(from);
            }
        }
    }

    pub(super) fn handle_rendition_failed(&mut self, id: RenditionId, message: &str) {
        let found = self.streams.iter().find_map(|(stream_id, stream)| {
            let codec = stream.renditions.iter().find(|(_, running)| running.id == id)?.0;
            Some((*stream_id, *codec))
        });
        let Some((stream_id, codec)) = found else { return };
        self.post_warning(&format!("the {codec} encoder failed: {message}"));
        if self.snapshot.may_restart(stream_id) {
            self.restart_rendition(stream_id, codec);
        } else {
            let failed = self
                .streams
                .get_mut(&stream_id)
                .and_then(|stream| stream.renditions.remove(&codec));
            if let (Some(stream), Some(failed)) = (self.streams.get(&stream_id), failed) {
                self.retire(stream, failed);
            }
            self.end_viewers_of(id);
        }
    }

    pub(super) fn handle_rendition_ended(&mut self, id: RenditionId) {
        for stream in self.streams.values_mut() {
            if let Some(running) = stream.running_mut(id) {
                running.has_ended = true;
            }
        }
        self.drain_if_renditions_ended();
    }

    pub(super) fn request_key_frame(&mut self, id: RenditionId) {
        for stream in self.streams.values_mut() {
            let Some(running) = stream.running_mut(id) else {
                continue;
            };
            if !running.rendition.force_key_frame() {
                stream.input.request_key_frame();
            }
            return;
        }
    }

    pub(super) fn handle_unresponsive(&mut self, id: RenditionId) {
        let Some(running) = self
            .streams
            .values_mut()
            .find_map(|stream| stream.running_mut(id))
        else {
            return;
        };
        if !std::mem::replace(&mut running.is_unresponsive, true) {
            let name = running.rendition.bin().name();
            gst::info!(
                crate::CAT,
                "{name} makes no key frames on request: viewers wait for its own"
            );
        }
    }

    /// Notes which renditions have viewers and which have not.
    pub(super) fn mark_idle_renditions(&mut self, now: Timestamp) {
        for stream in self.streams.values_mut() {
            for running in stream.renditions.values_mut() {
                let is_used = self.viewers.values().any(|viewer| viewer.uses(running.id));
                running.idle_since = if is_used {
                    None
                } else {
                    running.idle_since.or(Some(now))
                };
            }
        }
    }

    pub(super) fn stop_idle_renditions(&mut self, now: Timestamp) {
        let idle: Vec<_> = self
            .streams
            .iter()
            .flat_map(|(id, stream)| {
                stream
                    .renditions
                    .iter()
                    .map(move |(codec, running)| (*id, *codec, running))
            })
            .filter(|(_, _, running)| running.stop_at().is_some_and(|at| at <= now))
            .map(|(id, codec, _)| (id, codec))
            .collect();
        for (id, codec) in idle {
            let running = self
                .streams
                .get_mut(&id)
                .and_then(|stream| stream.renditions.remove(&codec));
            if let (Some(stream), Some(running)) = (self.streams.get(&id), running) {
                self.retire(stream, running);
            }
        }
    }

    pub(super) fn stop_all_renditions(&mut self) {
        let ids: Vec<_> = self.streams.keys().copied().collect();
        for id in ids {
            let renditions = self
                .streams
                .get_mut(&id)
                .map(|stream| std::mem::take(&mut stream.renditions));
            for (_, running) in renditions.unwrap_or_default() {
                if let Some(stream) = self.streams.get(&id) {
                    stream.input.detach(running.id);
                }
                self.forget(running.id);
                // In place: the element's own state change is about to reach the bin.
                running.rendition.stop();
            }
        }
    }

    /// Stops a rendition on a thread of its own: encoders may take their time to let go.
    fn retire(&self, stream: &Stream, running: Running) {
        stream.input.detach(running.id);
        self.forget(running.id);
        let rendition = running.rendition;
        crate::reaper::run("rendition", move || rendition.stop());
    }

    fn forget(&self, id: RenditionId) {
        if let Some(hub) = &self.hub {
            hub.remove_rendition(id);
        }
        self.snapshot.remove_rendition(id);
    }

    fn start_bitrate(&self, codec: Codec) -> Bitrate {
        match codec {
            Codec::Opus => AUDIO_BITRATE,
            Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::H265 | Codec::Av1 => {
                let settings = &self.settings;
                let floor = settings.min_bitrate.min(settings.max_bitrate);
                Bitrate::from_bps(settings.start_bitrate.clamp(floor, settings.max_bitrate).into())
            }
        }
    }
}

/// Music and speech in stereo, transparent to most ears.
const AUDIO_BITRATE: Bitrate = Bitrate::from_kbps(64);

fn payload_format(codec: Codec) -> PayloadFormat {
    match codec {
        Codec::Vp8 => PayloadFormat::Vp8,
        Codec::Vp9 => PayloadFormat::Vp9,
        Codec::H264 => PayloadFormat::H264,
        Codec::H265 => PayloadFormat::H265,
        Codec::Av1 => PayloadFormat::Av1,
        Codec::Opus => PayloadFormat::Opus,
    }
}

/// The application's say, by the element's signals.
struct ElementHooks<'a> {
    element: &'a BaseWebRTCSink,
    snapshot: &'a Snapshot,
    spec: &'a RenditionSpec,
    consumer: &'a str,
}

impl Hooks for ElementHooks<'_> {
    fn encoder_setup(&self, encoder: &gst::Element) -> bool {
        self.element
            .emit_by_name("encoder-setup", &[&self.consumer, &self.spec.pad_name, encoder])
    }

    fn payloader_setup(&self, payloader: &gst::Element) -> bool {
        self.element.emit_by_name(
            "payloader-setup",
            &[&self.consumer, &self.spec.pad_name, payloader],
        )
    }

    fn encoded_filter(&self, caps: &gst::Caps) -> Option<gst::Element> {
        self.element.emit_by_name(
            "request-encoded-filter",
            &[&Some(self.consumer), &self.spec.pad_name, caps],
        )
    }

    fn built(&self, bin: &gst::Bin) {
        self.snapshot.add_rendition(self.spec.id, self.spec, bin);
    }
}
