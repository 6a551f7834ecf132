//! A pipeline with a webrtcsrc, and what comes out of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, Once};
use std::time::Instant;

use gst::glib;
use gst::prelude::*;
use gstweir::signaller::Signallable;

use crate::PATIENCE;

/// What is linked to each pad that appears.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taste {
    /// Caps that are accepted of video, and of audio; empty for anything.
    pub(crate) video: &'static str,
    pub(crate) audio: &'static str,
}

/// What has come out of a pad.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) caps: Option<String>,
    pub(crate) stream_id: Option<String>,
    pub(crate) buffers: u64,
    pub(crate) key_frames: u64,
    pub(crate) eos: bool,
    pub(crate) removed: bool,
    pub(crate) flushed: bool,
}

#[derive(Default)]
struct Log {
    pads: Mutex<BTreeMap<String, Received>>,
    no_more_pads: Mutex<u32>,
    changed: Condvar,
}

pub(crate) struct Consumer {
    pub(crate) pipeline: gst::Pipeline,
    pub(crate) source: gst::Element,
    log: Arc<Log>,
}

pub(crate) fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstweir::plugin_register_static().unwrap();
    });
}

impl Consumer {
    pub(crate) fn new(signaller: &impl IsA<Signallable>, taste: Taste) -> Self {
        init();
        let source = gst::ElementFactory::make("webrtcsrc")
            .property("signaller", signaller.as_ref())
            .build()
            .unwrap();
        Self::with_source(source, taste)
    }

    pub(crate) fn with_source(source: gst::Element, taste: Taste) -> Self {
        let pipeline = gst::Pipeline::new();
        pipeline.add(&source).unwrap();
        let log = Arc::new(Log::default());
        let (to, within) = (log.clone(), pipeline.downgrade());
        source.connect_pad_added(move |_, pad| {
            if pad.name().starts_with("req_") {
                return;
            }
            let caps = if pad.name().contains("video") {
                taste.video
            } else {
                taste.audio
            };
            if let Some(pipeline) = within.upgrade() {
                sink(&pipeline, pad, caps, &to);
            }
        });
        let to = log.clone();
        source.connect_pad_removed(move |_, pad| to.note(&pad.name(), |received| received.removed = true));
        let to = log.clone();
        source.connect_no_more_pads(move |_| {
            *to.no_more_pads.lock().unwrap() += 1;
        });
        Self {
            pipeline,
            source,
            log,
        }
    }

    /// What watches what comes out of pads that are linked with [`Consumer::link`] alone.
    pub(crate) fn around(pipeline: &gst::Pipeline, source: &gst::Element) -> Self {
        Self {
            pipeline: pipeline.clone(),
            source: source.clone(),
            log: Arc::default(),
        }
    }

    /// Links a pad that the test has requested.
    pub(crate) fn link(&self, pad: &gst::Pad, caps: &'static str) {
        sink(&self.pipeline, pad, caps, &self.log);
    }

    pub(crate) fn play(&self) {
        self.pipeline.set_state(gst::State::Playing).unwrap();
    }

    pub(crate) fn stop(&self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }

    /// Waits until something is true of a pad.
    pub(crate) fn wait(&self, pad: &str, what: &str, until: impl Fn(&Received) -> bool) -> Received {
        let deadline = Instant::now() + PATIENCE;
        let mut pads = self.log.pads.lock().unwrap();
        loop {
            if let Some(received) = pads.get(pad)
                && until(received)
            {
                return received.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{pad}: {what} did not come; there is {pads:#?}");
            pads = self.log.changed.wait_timeout(pads, left).unwrap().0;
        }
    }

    pub(crate) fn wait_for_media(&self, pad: &str) -> Received {
        self.wait(pad, "media", |received| received.buffers >= 10)
    }

    pub(crate) fn received(&self, pad: &str) -> Option<Received> {
        self.log.pads.lock().unwrap().get(pad).cloned()
    }

    pub(crate) fn no_more_pads(&self) -> u32 {
        *self.log.no_more_pads.lock().unwrap()
    }

    /// Forgets what came out so far.
    pub(crate) fn forget(&self) {
        self.log.pads.lock().unwrap().clear();
    }

    /// Waits for a message that `is_it` turns into something.
    pub(crate) fn wait_for_message<T>(&self, what: &str, is_it: impl Fn(&gst::Message) -> Option<T>) -> T {
        let bus = self.pipeline.bus().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = gst::ClockTime::from_nseconds(left.as_nanos().try_into().unwrap());
            let message = bus
                .timed_pop(left)
                .unwrap_or_else(|| panic!("{what} did not come"));
            if let Some(value) = is_it(&message) {
                return value;
            }
            if let gst::MessageView::Error(error) = message.view() {
                panic!("{what} was awaited, and an error came: {error:?}");
            }
        }
    }

    /// Waits for an event of the session; returns its structure.
    pub(crate) fn wait_for_session(&self, event: &str) -> gst::Structure {
        self.wait_for_message(event, |message| {
            let structure = message
                .structure()
                .filter(|structure| structure.name() == "weir-session")?;
            (structure.get::<&str>("event") == Ok(event)).then(|| structure.to_owned())
        })
    }

    pub(crate) fn wait_for_warning(&self) -> String {
        self.wait_for_message("a warning", |message| match message.view() {
            gst::MessageView::Warning(warning) => Some(warning.error().message().to_owned()),
            _ => None,
        })
    }

    /// Asserts that no error was posted.
    pub(crate) fn assert_no_error(&self) {
        let bus = self.pipeline.bus().unwrap();
        if let Some(error) = bus.pop_filtered(&[gst::MessageType::Error]) {
            panic!("an error was posted: {error:?}");
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Log {
    fn note(&self, pad: &str, change: impl FnOnce(&mut Received)) {
        change(self.pads.lock().unwrap().entry(pad.to_owned()).or_default());
        self.changed.notify_all();
    }
}

fn sink(pipeline: &gst::Pipeline, pad: &gst::Pad, caps: &str, log: &Arc<Log>) {
    let sink = gst::ElementFactory::make("fakesink")
        .property("async", false)
        .property("sync", true)
        .build()
        .unwrap();
    pipeline.add(&sink).unwrap();
    let first = if caps.is_empty() {
        sink.clone()
    } else {
        let filter = gst::ElementFactory::make("capsfilter")
            .property_from_str("caps", caps)
            .build()
            .unwrap();
        pipeline.add(&filter).unwrap();
        filter.link(&sink).unwrap();
        filter.sync_state_with_parent().unwrap();
        filter
    };
    sink.sync_state_with_parent().unwrap();
    let name = pad.name();
    log.note(&name, |received| received.removed = false);
    let to = log.clone();
    sink.static_pad("sink").unwrap().add_probe(
        gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST | gst::PadProbeType::EVENT_DOWNSTREAM,
        move |_, info| {
            let name: &glib::GString = &name;
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => to.note(name, |received| {
                    received.buffers += 1;
                    received.key_frames += u64::from(!buffer.flags().contains(gst::BufferFlags::DELTA_UNIT));
                }),
                Some(gst::PadProbeData::BufferList(list)) => {
                    to.note(name, |received| received.buffers += list.len() as u64);
                }
                Some(gst::PadProbeData::Event(event)) => match event.view() {
                    gst::EventView::Caps(caps) => {
                        to.note(name, |received| received.caps = Some(caps.caps().to_string()));
                    }
                    gst::EventView::StreamStart(start) => to.note(name, |received| {
                        received.stream_id = Some(start.stream_id().to_string());
                        received.eos = false;
                    }),
                    gst::EventView::Eos(_) => to.note(name, |received| received.eos = true),
                    gst::EventView::FlushStart(_) => to.note(name, |received| received.flushed = true),
                    _ => (),
                },
                _ => (),
            }
            gst::PadProbeReturn::Ok
        },
    );
    pad.link(&first.static_pad("sink").unwrap()).unwrap();
}
