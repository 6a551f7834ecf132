//! The sending end: `appsrc ! webrtcsink`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use gst::prelude::*;
use serde::Serialize;

use crate::picture::{self, Scene};
use crate::settings::{self, Settings};
use crate::stages::{Passage, Stages};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The signalling server
    #[arg(long)]
    server: String,
    /// The sink's `congestion-control`
    #[arg(long, default_value = "gcc")]
    congestion_control: String,
    /// Notes what passes every pad, too
    #[arg(long)]
    stages: bool,
}

#[derive(Serialize)]
struct Report {
    origin: String,
    settings: Settings,
    /// What the sink makes of them: for the record, for it may differ.
    encoder: Settings,
    sent: usize,
    stages: Vec<Passage>,
}

/// What both sinks have, and what has to be alike.
const SETTINGS: &[&str] = &[
    "video-caps",
    "start-bitrate",
    "min-bitrate",
    "max-bitrate",
    "do-fec",
    "do-retransmission",
    "congestion-control",
    "stun-server",
];

const ENCODER: &[&str] = &[
    "target-bitrate",
    "cpu-used",
    "deadline",
    "threads",
    "lag-in-frames",
    "keyframe-max-dist",
    "end-usage",
];

/// What may wait at the entrance: like a camera, the source drops what nobody fetches.
const WAITING: u64 = 2;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let pipeline = gst::Pipeline::new();
    let stages = Stages::default();
    if arguments.stages {
        stages.watch(pipeline.upcast_ref());
    }
    let appsrc = make_source();
    let sink = gst::ElementFactory::make("webrtcsink").build()?;
    settings::set_server(&sink, &arguments.server);
    sink.set_property("video-caps", gst::Caps::new_empty_simple("video/x-vp8"));
    // Bitrates keep their defaults, which are alike, while congestion is controlled: to cap the estimate at what the
    // encoder makes would have pictures wait for seconds in the incumbent's pacer. Without an estimate the cap is the
    // bitrate that the incumbent encodes with.
    if arguments.congestion_control == "disabled" {
        let start: u32 = sink.property("start-bitrate");
        sink.set_property("max-bitrate", start);
    }
    sink.set_property_from_str("congestion-control", &arguments.congestion_control);
    sink.set_property("do-fec", false);
    let encoder = note_encoder(&sink);
    let of_consumers = arguments.stages.then(|| stages.clone());
    sink.connect("consumer-pipeline-created", false, move |values| {
        let pipeline = values.iter().find_map(|value| value.get::<gst::Pipeline>().ok());
        if let (Some(stages), Some(pipeline)) = (&of_consumers, pipeline) {
            stages.watch(pipeline.upcast_ref());
        }
        None
    });
    pipeline.add_many([appsrc.upcast_ref(), &sink])?;
    appsrc.link_pads(Some("src"), &sink, Some("video_%u"))?;
    pipeline.set_state(gst::State::Playing)?;
    println!("sending");

    let stopped = stop_with_standard_input();
    let sent = send(&appsrc, &stopped)?;

    let encoder = encoder
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
        .context("no encoder was made")?;
    let report = Report {
        origin: settings::origin(&sink),
        settings: settings::read(&sink, SETTINGS),
        encoder: settings::read(&encoder, ENCODER),
        sent,
        stages: stages.take(),
    };
    println!("{}", serde_json::to_string(&report)?);
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

fn make_source() -> gst_app::AppSrc {
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", 1280)
        .field("height", 720)
        .field("framerate", gst::Fraction::new(30, 1))
        .build();
    gst_app::AppSrc::builder()
        .caps(&caps)
        .format(gst::Format::Time)
        .is_live(true)
        .do_timestamp(true)
        .max_bytes(0)
        .max_buffers(WAITING)
        .leaky_type(gst_app::AppLeakyType::Downstream)
        .build()
}

type Noted = Arc<Mutex<Option<gst::Element>>>;

/// Keeps the encoder that the sink made last, and leaves its settings to the sink.
fn note_encoder(sink: &gst::Element) -> Noted {
    let noted = Noted::default();
    let encoder = noted.clone();
    sink.connect("encoder-setup", false, move |values| {
        if let Some(element) = values.last().and_then(|value| value.get::<gst::Element>().ok()) {
            *encoder.lock().unwrap_or_else(PoisonError::into_inner) = Some(element);
        }
        Some(false.to_value())
    });
    noted
}

/// Pushes a picture at every tick until it is told to stop, and returns how many.
fn send(appsrc: &gst_app::AppSrc, stopped: &AtomicBool) -> Result<usize> {
    let scene = Scene::new();
    let interval = Duration::from_secs(1) / picture::FRAMES_PER_SECOND;
    let mut due = Instant::now();
    let mut index = 0;
    while !stopped.load(Ordering::Relaxed) {
        let mut buffer = gst::Buffer::with_size(picture::SIZE)?;
        {
            let buffer = buffer.get_mut().context("a new buffer is writable")?;
            let mut map = buffer.map_writable()?;
            scene.draw(index, &mut map);
            due += interval;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // Last of all: what it took to draw is none of the latency.
            picture::write_time(crate::now(), &mut map);
        }
        if appsrc.push_buffer(buffer).is_err() {
            break;
        }
        index += 1;
    }
    Ok(index)
}

/// Whoever started this ends it by a line, or by ending itself, which closes the pipe.
fn stop_with_standard_input() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = stopped.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        flag.store(true, Ordering::Relaxed);
    });
    stopped
}
