//! From a sink pad to the renditions of its stream.
//!
//! ```text
//!  sink pad (ghost) ─► clocksync ─► appsink ─► rendition 1's appsrc
//!                                         └──► rendition 2's appsrc …
//! ```
//!
//! What comes in is dropped while there is no rendition. Each stream has its own path and thread (upstream's):
//! one that is silent holds up no other.

use std::sync::{Arc, Mutex};

use gst::glib;
use gst::prelude::*;
use weir_forwarding::RenditionId;
use weir_negotiation::{Codec, MediaKind};

use crate::encoder::RenditionInput;
use crate::lock;

/// What comes in by a pad, besides media. Emitted on upstream's streaming thread.
#[derive(Debug)]
pub(super) enum InputEvent {
    /// The media's caps are known, or changed.
    Caps(gst::Caps),
    /// The stream ended.
    Eos,
}

/// One sink pad's way in.
#[derive(Debug)]
pub(super) struct Input {
    clocksync: gst::Element,
    appsink: gst_app::AppSink,
    renditions: Renditions,
}

impl Input {
    /// Builds the way in inside `bin`, and returns the pad that the sink pad's ghost is to point at.
    ///
    /// # Errors
    /// When an element is missing.
    pub(super) fn new(
        bin: &gst::Bin,
        kind: MediaKind,
        events: impl Fn(InputEvent) + Clone + Send + Sync + 'static,
    ) -> Result<(Self, gst::Pad), glib::BoolError> {
        let clocksync = gst::ElementFactory::make("clocksync").build()?;
        let appsink = gst_app::AppSink::builder()
            .caps(&preferred_caps(kind))
            .sync(false)
            .async_(false)
            .enable_last_sample(false)
            .build();
        let renditions = Renditions::default();
        let first = clocksync
            .static_pad("sink")
            .ok_or_else(|| glib::bool_error!("clocksync has no sink pad"))?;
        let last = appsink
            .static_pad("sink")
            .ok_or_else(|| glib::bool_error!("appsink has no sink pad"))?;

        let caps_events = events.clone();
        let caps_renditions = renditions.clone();
        last.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(gst::EventView::Caps(event)) = info.event().map(|event| event.view()) {
                caps_renditions.set_caps(&event.caps_owned());
                caps_events(InputEvent::Caps(event.caps_owned()));
            }
            gst::PadProbeReturn::Ok
        });
        let buffer_renditions = renditions.clone();
        let sync = SyncOnce {
            clocksync: clocksync.downgrade(),
            decided: Mutex::default(),
        };
        appsink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |appsink| {
                    let sample = appsink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    sync.decide();
                    buffer_renditions.push(&sample, appsink);
                    Ok(gst::FlowSuccess::Ok)
                })
                .eos(move |_| events(InputEvent::Eos))
                .build(),
        );

        let elements = [&clocksync, appsink.upcast_ref()];
        bin.add_many(elements)?;
        gst::Element::link_many(elements)?;
        for element in elements {
            element.sync_state_with_parent()?;
        }
        Ok((
            Self {
                clocksync,
                appsink,
                renditions,
            },
            first,
        ))
    }

    /// Where media of this stream is to go from here on: to a rendition that was made for `caps`. One that cannot
    /// take what comes in by then gets nothing; the caps' event tells that it is to be replaced.
    pub(super) fn attach(&self, id: RenditionId, input: RenditionInput, caps: &gst::Caps) {
        self.renditions.attach(id, input, caps);
    }

    /// Stops sending media to a rendition.
    pub(super) fn detach(&self, id: RenditionId) {
        let mut renditions = lock(&self.renditions.0);
        let position = renditions.inputs.iter().position(|(other, _)| *other == id);
        let gone = position.map(|position| renditions.inputs.remove(position));
        drop(renditions);
        drop(gone);
    }

    /// Asks upstream for a key frame. Runs upstream's code: to be called without a lock.
    pub(super) fn request_key_frame(&self) {
        if let Some(pad) = self.appsink.static_pad("sink") {
            pad.push_event(
                gst_video::UpstreamForceKeyUnitEvent::builder()
                    .all_headers(true)
                    .build(),
            );
        }
    }

    /// Takes the way in out of `bin` again.
    pub(super) fn remove(&self, bin: &gst::Bin) {
        for element in [&self.clocksync, self.appsink.upcast_ref()] {
            element.set_locked_state(true);
            let _ = element.set_state(gst::State::Null);
            let _ = bin.remove(element);
        }
    }
}

/// Everything that the sink pads take; but a source that has the choice makes what encoders take as it is.
fn preferred_caps(kind: MediaKind) -> gst::Caps {
    let (preferred, raw) = match kind {
        MediaKind::Audio => (
            gst::Structure::builder("audio/x-raw")
                .field("format", "S16LE")
                .field("layout", "interleaved")
                .field("rate", 48_000)
                .field("channels", gst::IntRange::new(1, 2))
                .build(),
            "audio/x-raw",
        ),
        MediaKind::Video | MediaKind::Application | MediaKind::Other => (
            gst::Structure::builder("video/x-raw")
                .field("format", gst::List::new(["I420", "NV12"]))
                .build(),
            "video/x-raw",
        ),
    };
    let mut caps = gst::Caps::builder_full()
        .structure(preferred)
        .structure_with_features(gst::Structure::new_empty(raw), gst::CapsFeatures::new_any());
    for codec in Codec::ALL.into_iter().filter(|codec| codec.kind() == kind) {
        caps = caps.structure(gst::Structure::new_empty(codec.caps_name()));
    }
    caps.build()
}

/// From some caps to those that follow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CapsStep {
    /// The same kind of media, at most in another form: renditions go on.
    Same,
    /// In another kind of memory: renditions have to be built for it.
    OtherMemory,
    /// Another codec, or encoded rather than raw.
    OtherMedia,
}

/// What lies between two caps of a stream.
pub(super) fn step_between(old: &gst::Caps, new: &gst::Caps) -> CapsStep {
    let name = |caps: &gst::Caps| caps.structure(0).map(|s| s.name().to_owned());
    let features = |caps: &gst::Caps| caps.features(0).map(ToString::to_string);
    if name(old) != name(new) {
        CapsStep::OtherMedia
    } else if features(old) != features(new) {
        CapsStep::OtherMemory
    } else {
        CapsStep::Same
    }
}

#[derive(Clone, Debug, Default)]
struct Renditions(Arc<Mutex<Attached>>);

#[derive(Debug, Default)]
struct Attached {
    /// Of the buffers that come in.
    caps: Option<gst::Caps>,
    inputs: Vec<(RenditionId, RenditionInput)>,
}

impl Renditions {
    fn attach(&self, id: RenditionId, input: RenditionInput, made_for: &gst::Caps) {
        let mut known = made_for.clone();
        loop {
            let current = {
                let mut attached = lock(&self.0);
                match &attached.caps {
                    Some(current) if *current != known => current.clone(),
                    _ => {
                        attached.inputs.push((id, input));
                        return;
                    }
                }
            };
            if step_between(&known, &current) != CapsStep::Same {
                return;
            }
            input.set_caps(&current);
            known = current;
        }
    }

    fn set_caps(&self, caps: &gst::Caps) {
        let inputs = {
            let mut attached = lock(&self.0);
            let step = attached
                .caps
                .replace(caps.clone())
                .map_or(CapsStep::Same, |old| step_between(&old, caps));
            if step != CapsStep::Same {
                // What follows is not for them, and they are about to be replaced.
                attached.inputs.clear();
            }
            attached.inputs.clone()
        };
        for (_, input) in inputs {
            input.set_caps(caps);
        }
    }

    fn push(&self, sample: &gst::Sample, appsink: &gst_app::AppSink) {
        let renditions = self.snapshot();
        if renditions.is_empty() {
            return;
        }
        let Some(buffer) = sample
            .buffer_owned()
            .map(|buffer| in_running_time(buffer, sample, appsink))
        else {
            return;
        };
        for (_, input) in renditions {
            input.push(buffer.clone());
        }
    }

    /// Pushing calls into GStreamer: it happens without the lock.
    fn snapshot(&self) -> Vec<(RenditionId, RenditionInput)> {
        lock(&self.0).inputs.clone()
    }
}

/// The buffer with its timestamps as running times, which all renditions and viewers share; one without a
/// timestamp gets the time at which it came.
fn in_running_time(mut buffer: gst::Buffer, sample: &gst::Sample, appsink: &gst_app::AppSink) -> gst::Buffer {
    let segment = sample
        .segment()
        .and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
    let to_running_time =
        |time: Option<gst::ClockTime>| segment.and_then(|segment| segment.to_running_time(time?));
    let pts = to_running_time(buffer.pts()).or_else(|| appsink.current_running_time());
    let dts = to_running_time(buffer.dts());
    let buffer_ref = buffer.make_mut();
    buffer_ref.set_pts(pts);
    buffer_ref.set_dts(dts);
    buffer
}

/// Decides once per stream whether its buffers have to be held until they are due.
///
/// A live source sends in real time by itself; holding its buffers as well would add the pipeline's latency to
/// every picture. Files and the like are held, for they would run through at once.
#[derive(Debug)]
struct SyncOnce {
    clocksync: glib::WeakRef<gst::Element>,
    decided: Mutex<bool>,
}

impl SyncOnce {
    fn decide(&self) {
        if std::mem::replace(&mut *lock(&self.decided), true) {
            return;
        }
        let Some(clocksync) = self.clocksync.upgrade() else {
            return;
        };
        let mut query = gst::query::Latency::new();
        // Upstream of it is asked: a clocksync that holds buffers calls itself live.
        let is_live = clocksync
            .static_pad("sink")
            .is_some_and(|pad| pad.peer_query(&mut query))
            && query.result().0;
        if is_live {
            clocksync.set_property("sync", false);
        }
    }
}
