//! The receiving end: `webrtcsrc ! appsink sync=false`.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use gst::glib;
use gst::prelude::*;
use serde::Serialize;

use crate::picture;
use crate::settings::{self, Settings};
use crate::stages::{Passage, Stages};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The signalling server
    #[arg(long)]
    server: String,
    /// Whom to watch: the sender's id at the server
    #[arg(long)]
    producer: String,
    /// The jitter buffer's latency, in milliseconds
    #[arg(long)]
    latency: u32,
    /// How many pictures to measure
    #[arg(long, default_value_t = 300)]
    pictures: usize,
    /// How many pictures come before those
    #[arg(long, default_value_t = 90)]
    warm_up: usize,
    /// Notes what passes every pad, too
    #[arg(long)]
    stages: bool,
}

#[derive(Serialize)]
struct Report {
    origin: String,
    settings: Settings,
    /// Of the jitter buffers, read at the end, in milliseconds.
    jitter_buffers: Vec<u32>,
    decoders: Vec<String>,
    /// From a picture's time code to its arrival, in microseconds, in order.
    latencies: Vec<u64>,
    /// How many pictures were too damaged for their time code to be read.
    unreadable: usize,
    stages: Vec<Passage>,
}

const SETTINGS: &[&str] = &["do-retransmission", "stun-server"];

/// How long to wait for the next picture before giving up.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let pipeline = gst::Pipeline::new();
    let source = gst::ElementFactory::make("webrtcsrc").build()?;
    settings::set_server(&source, &arguments.server);
    source
        .property::<glib::Object>("signaller")
        .set_property("producer-peer-id", &arguments.producer);
    if source.has_property("latency") {
        source.set_property("latency", arguments.latency);
    }
    let elements = note_elements(&pipeline, arguments.latency);
    let stages = Stages::default();
    if arguments.stages {
        stages.watch(pipeline.upcast_ref());
    }
    let (ages, received) = mpsc::channel();
    let weak = pipeline.downgrade();
    source.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        if let Err(error) = take_pictures(&pipeline, pad, ages.clone()) {
            eprintln!("cannot take pictures from {}: {error:#}", pad.name());
        }
    });
    pipeline.add(&source)?;
    pipeline.set_state(gst::State::Playing)?;

    let (latencies, unreadable) = measure(arguments, &received)?;

    let elements = elements.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let named = |name: &'static str| {
        elements
            .iter()
            .filter(move |element| element.factory().is_some_and(|factory| factory.name() == name))
    };
    let report = Report {
        origin: settings::origin(&source),
        settings: settings::read(&source, SETTINGS),
        jitter_buffers: named("rtpjitterbuffer")
            .map(|element| element.property("latency"))
            .collect(),
        decoders: elements
            .iter()
            .filter_map(|element| element.factory())
            .filter(|factory| factory.has_type(gst::ElementFactoryType::DECODER))
            .map(|factory| factory.name().to_string())
            .collect(),
        latencies,
        unreadable,
        stages: stages.take(),
    };
    println!("{}", serde_json::to_string(&report)?);
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

/// Keeps the elements that the source makes, and sets the latency of webrtcbins among them.
fn note_elements(pipeline: &gst::Pipeline, latency: u32) -> Arc<Mutex<Vec<gst::Element>>> {
    let elements = Arc::new(Mutex::new(Vec::new()));
    let noted = elements.clone();
    pipeline.connect_deep_element_added(move |_, _, element| {
        if element
            .factory()
            .is_some_and(|factory| factory.name() == "webrtcbin")
        {
            element.set_property("latency", latency);
        }
        noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(element.clone());
    });
    elements
}

/// Reads the pictures that leave `pad`, as soon as they do.
fn take_pictures(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    ages: mpsc::Sender<Option<Duration>>,
) -> Result<()> {
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", 1280)
        .field("height", 720)
        .build();
    let appsink = gst_app::AppSink::builder().caps(&caps).sync(false).build();
    appsink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |appsink| {
                let now = crate::now();
                let sample = appsink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
                let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
                // 1280 pixels are a multiple of every alignment that decoders use.
                let _ = ages.send(picture::age(now, &map, picture::WIDTH));
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    pipeline.add(&appsink)?;
    appsink.sync_state_with_parent()?;
    let entrance = appsink.static_pad("sink").context("an appsink has a pad")?;
    pad.link(&entrance)?;
    Ok(())
}

/// The latencies of the pictures that were asked for, in microseconds, and how many were unreadable.
fn measure(arguments: &Arguments, received: &mpsc::Receiver<Option<Duration>>) -> Result<(Vec<u64>, usize)> {
    for _ in 0..arguments.warm_up {
        next(received)?;
    }
    let mut latencies = Vec::with_capacity(arguments.pictures);
    let mut unreadable = 0;
    while latencies.len() < arguments.pictures {
        match next(received)? {
            Some(age) => latencies.push(u64::try_from(age.as_micros())?),
            None => unreadable += 1,
        }
        if unreadable > arguments.pictures {
            bail!("most pictures show no time");
        }
    }
    Ok((latencies, unreadable))
}

fn next(received: &mpsc::Receiver<Option<Duration>>) -> Result<Option<Duration>> {
    received
        .recv_timeout(PATIENCE)
        .context("no picture came for a long time")
}
