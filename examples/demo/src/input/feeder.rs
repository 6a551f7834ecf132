//! Plays a file or a camera into another pipeline, for ever.
//!
//! ```text
//! a pipeline of its own, made anew for each round                the sink's pipeline, which sees one endless stream
//!   open ─ parse ─ [decode] ─ appsink ──── timestamps moved ────► appsrc ─ [clocksync] ─►
//! ```
//!
//! A round ends when a file is at its end or a camera is lost. The next one begins where it ended: timestamps go on, and
//! what waits in the `appsrc` bridges the time that opening takes. This works for every container, whether it can seek or not.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};
use gst::glib;
use gst::prelude::*;

use super::plan::Plan;
use super::probe::{Contents, byte_stream};
use super::streams::{self, Discovery, StreamKind};
use super::timeline::Timeline;
use super::{Input, Media};

/// How much of a file waits in the `appsrc`: bridges the opening of the next round.
const READ_AHEAD: gst::ClockTime = gst::ClockTime::from_seconds(1);
/// A round that is shorter cannot be repeated without breath.
const SHORTEST_ROUND: Duration = Duration::from_millis(200);
/// How long a lost camera is left alone before it is dialled again: doubled at each failure up to the last.
const REDIAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// A camera that is silent for so long is lost.
const SILENCE: Duration = Duration::from_secs(10);

/// The ends of a medium's streams in the sink's pipeline.
#[derive(Debug)]
pub struct Outlets {
    /// Carries the video stream, if there is one.
    pub video: Option<gst::Element>,
    /// Carries the audio stream, if there is one.
    pub audio: Option<gst::Element>,
}

/// Plays a medium until it is stopped.
#[derive(Debug)]
pub struct Feeder {
    stop: Option<Sender<Event>>,
    thread: Option<JoinHandle<()>>,
}

/// The feeder's end in the sink's pipeline, not fed yet.
#[derive(Debug)]
pub struct Prepared {
    media: Media,
    contents: Contents,
    video: Option<gst_app::AppSrc>,
    audio: Option<gst_app::AppSrc>,
    pipeline: gst::Pipeline,
}

/// What the sink's pipeline is told when a camera comes or goes: an element message of that name with a `sentence`.
pub const NOTICE: &str = "weir-demo-notice";

/// Adds a medium's outlets to the sink's pipeline.
///
/// # Errors
///
/// If an element is missing from the installation.
pub fn prepare(media: &Media, contents: &Contents, pipeline: &gst::Pipeline) -> Result<(Prepared, Outlets)> {
    let outlet = |wanted: bool| -> Result<(Option<gst_app::AppSrc>, Option<gst::Element>)> {
        if !wanted {
            return Ok((None, None));
        }
        let source = gst_app::AppSrc::builder()
            .format(gst::Format::Time)
            .is_live(true)
            .block(true)
            .max_time(READ_AHEAD)
            .max_bytes(0)
            .max_buffers(0)
            .build();
        pipeline.add(&source)?;
        let end = match media {
            // A file is read as fast as it can be and has to be slowed down to its own time.
            Media::File(_) => {
                let pace = streams::element("clocksync")?;
                pipeline.add(&pace)?;
                source.link(&pace)?;
                pace
            }
            Media::Rtsp(_) => source.clone().upcast(),
        };
        Ok((Some(source), Some(end)))
    };
    let (video, video_end) = outlet(contents.video.is_some())?;
    let (audio, audio_end) = outlet(contents.audio.is_some())?;
    let prepared = Prepared {
        media: media.clone(),
        contents: contents.clone(),
        video,
        audio,
        pipeline: pipeline.clone(),
    };
    Ok((
        prepared,
        Outlets {
            video: video_end,
            audio: audio_end,
        },
    ))
}

impl Prepared {
    /// Begins to play. The sink's pipeline has to be playing, for its clock and its running time are used.
    ///
    /// What cannot be helped ends up as an error on the sink's pipeline's bus.
    #[must_use]
    pub fn start(self) -> Feeder {
        let (to, events) = mpsc::channel();
        let stop = to.clone();
        let thread = std::thread::spawn(move || {
            if let Err(error) = play(&self, &to, &events) {
                gst::element_error!(self.pipeline, gst::ResourceError::Failed, ("{error:#}"));
            }
        });
        Feeder {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Feeder {
    /// Stops playing, together with the sink's pipeline: whoever waits for room in it waits no longer.
    pub fn stop(mut self, pipeline: &gst::Pipeline) {
        self.ask();
        // A pipeline that cannot be stopped is not read any more either.
        let _ = pipeline.set_state(gst::State::Null);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn ask(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(Event::Stop);
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.ask();
    }
}

/// What happens during a round.
enum Event {
    Flowing,
    Ended,
    Failed(glib::Error),
    Stop,
}

/// How a round ended.
enum End {
    Finished,
    Lost(String),
    Stopped,
}

/// Plays round after round.
fn play(prepared: &Prepared, to: &Sender<Event>, events: &Receiver<Event>) -> Result<()> {
    let mut offset = running_time(&prepared.pipeline);
    let mut redial = REDIAL.0;
    loop {
        let round = Round::begin(prepared, offset, to)?;
        let end = round.run(events)?;
        let length = round.finish();
        match (&prepared.media, end) {
            (_, End::Stopped) => return Ok(()),
            (Media::File(_), End::Lost(sentence)) => return Err(anyhow!(sentence)),
            (Media::File(_), End::Finished) => {
                if length < SHORTEST_ROUND {
                    return Err(anyhow!(
                        "{} is too short to be repeated",
                        Input::Media(prepared.media.clone())
                    ));
                }
                offset += length;
            }
            (Media::Rtsp(_), end) => {
                let sentence = match end {
                    End::Lost(sentence) => sentence,
                    End::Finished | End::Stopped => {
                        format!("{} has ended", Input::Media(prepared.media.clone()))
                    }
                };
                if !length.is_zero() {
                    redial = REDIAL.0;
                }
                notice(
                    &prepared.pipeline,
                    &format!("{sentence}; trying again in {} s", redial.as_secs()),
                );
                if wait_for_stop(events, redial) {
                    return Ok(());
                }
                redial = (redial * 2).min(REDIAL.1);
            }
        }
    }
}

/// Whether the feeder was stopped within that time.
fn wait_for_stop(events: &Receiver<Event>, time: Duration) -> bool {
    let until = std::time::Instant::now() + time;
    loop {
        match events.recv_timeout(until.saturating_duration_since(std::time::Instant::now())) {
            Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
            // An echo of the round before.
            Ok(Event::Flowing | Event::Ended | Event::Failed(_)) => (),
        }
    }
}

fn running_time(pipeline: &gst::Pipeline) -> Duration {
    pipeline
        .current_running_time()
        .map_or(Duration::ZERO, Duration::from)
}

fn notice(pipeline: &gst::Pipeline, sentence: &str) {
    let structure = gst::Structure::builder(NOTICE)
        .field("sentence", sentence)
        .build();
    // It fails only for a bus that is being closed.
    let _ = pipeline.post_message(gst::message::Element::builder(structure).src(pipeline).build());
}

/// One time through a file, or one call to a camera.
struct Round<'a> {
    media: &'a Media,
    pipeline: gst::Pipeline,
    length: Arc<Mutex<Duration>>,
}

impl<'a> Round<'a> {
    fn begin(prepared: &'a Prepared, offset: Duration, to: &Sender<Event>) -> Result<Self> {
        let pipeline = gst::Pipeline::new();
        let length = Arc::new(Mutex::new(Duration::ZERO));
        let bus = pipeline.bus().ok_or_else(|| anyhow!("the pipeline has no bus"))?;
        let messages = to.clone();
        bus.set_sync_handler(move |_, message| {
            // The feeder may be gone already.
            match message.view() {
                gst::MessageView::Error(error) => drop(messages.send(Event::Failed(error.error()))),
                gst::MessageView::Eos(_) => drop(messages.send(Event::Ended)),
                _ => (),
            }
            gst::BusSyncReply::Drop
        });
        if let Media::Rtsp(_) = prepared.media {
            // With the same clock and base time, running times are the same in both pipelines.
            pipeline.use_clock(prepared.pipeline.clock().as_ref());
            pipeline.set_start_time(gst::ClockTime::NONE);
            pipeline.set_base_time(prepared.pipeline.base_time().unwrap_or_default());
        }
        let lanes = Lanes {
            pipeline: pipeline.downgrade(),
            offset: if matches!(prepared.media, Media::File(_)) {
                offset
            } else {
                Duration::ZERO
            },
            length: length.clone(),
            events: to.clone(),
            video: Mutex::new(Lane::new(&prepared.video, prepared.contents.video.as_ref())),
            audio: Mutex::new(Lane::new(&prepared.audio, prepared.contents.audio.as_ref())),
        };
        streams::open(&prepared.media, &pipeline, move |discovery| {
            if let Discovery::Stream(pad, kind) = discovery {
                lanes.connect(pad, kind);
            }
        })?;
        Ok(Self {
            media: &prepared.media,
            pipeline,
            length,
        })
    }

    fn run(&self, events: &Receiver<Event>) -> Result<End> {
        // Echoes of the round before; a stop among them must not be lost.
        if events.try_iter().any(|event| matches!(event, Event::Stop)) {
            return Ok(End::Stopped);
        }
        // If it fails, the reason is among the events.
        let _ = self.pipeline.set_state(gst::State::Playing);
        loop {
            let event = match self.media {
                Media::File(_) => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Media::Rtsp(_) => events.recv_timeout(SILENCE),
            };
            match event {
                Ok(Event::Flowing) => (),
                Ok(Event::Ended) => return Ok(End::Finished),
                Ok(Event::Failed(error)) => return Ok(End::Lost(streams::sentence(self.media, &error))),
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(End::Stopped),
                Err(RecvTimeoutError::Timeout) => {
                    return Ok(End::Lost(format!(
                        "{} sends nothing",
                        Input::Media(self.media.clone())
                    )));
                }
            }
        }
    }

    /// Ends the round and says how long it was in the medium's own time.
    fn finish(self) -> Duration {
        // It only fails when it failed before.
        let _ = self.pipeline.set_state(gst::State::Null);
        *self.length.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a round's streams go. Each lane is taken by the first stream of its kind.
struct Lanes {
    pipeline: glib::WeakRef<gst::Pipeline>,
    offset: Duration,
    length: Arc<Mutex<Duration>>,
    events: Sender<Event>,
    video: Mutex<Option<Lane>>,
    audio: Mutex<Option<Lane>>,
}

struct Lane {
    to: gst_app::AppSrc,
    plan: Plan,
    format: String,
}

impl Lane {
    fn new(to: &Option<gst_app::AppSrc>, stream: Option<&super::probe::Stream>) -> Option<Self> {
        let stream = stream?;
        Some(Self {
            to: to.clone()?,
            plan: stream.plan.clone(),
            format: stream.format.clone(),
        })
    }
}

impl Lanes {
    fn connect(&self, pad: &gst::Pad, kind: StreamKind) {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return;
        };
        let lane = match kind {
            StreamKind::Video => self.video.lock().unwrap_or_else(PoisonError::into_inner).take(),
            StreamKind::Audio => self.audio.lock().unwrap_or_else(PoisonError::into_inner).take(),
            StreamKind::Other => None,
        };
        let result = match lane {
            Some(lane) => self.connect_lane(&pipeline, pad, kind, lane),
            None => streams::discard(&pipeline, pad),
        };
        streams::report(&pipeline, result);
    }

    fn connect_lane(
        &self,
        pipeline: &gst::Pipeline,
        pad: &gst::Pad,
        kind: StreamKind,
        lane: Lane,
    ) -> Result<()> {
        let way = way(kind, &lane)?;
        let out = way.by_name("out").and_downcast::<gst_app::AppSink>();
        let out = out.ok_or_else(|| anyhow!("a way through without an end"))?;
        out.set_callbacks(self.forward(lane.to));
        streams::attach(pipeline, pad, &way)
    }

    /// Hands samples on with their timestamps moved to where the round is in the sink's pipeline's running time.
    fn forward(&self, to: gst_app::AppSrc) -> gst_app::AppSinkCallbacks {
        let (offset, length, events) = (self.offset, self.length.clone(), self.events.clone());
        let mut timeline = Timeline::default();
        let new_sample = move |sink: &gst_app::AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let shown_at = timeline.handle_sample(&sample);
            {
                let mut length = length.lock().unwrap_or_else(PoisonError::into_inner);
                *length = length.max(timeline.end());
            }
            let _ = events.send(Event::Flowing);
            let caps = sample.caps_owned();
            if to.caps() != caps {
                to.set_caps(caps.as_ref());
            }
            let Some(mut buffer) = sample.buffer_owned() else {
                return Ok(gst::FlowSuccess::Ok);
            };
            drop(sample);
            let moved = buffer.make_mut();
            moved.set_pts(gst::ClockTime::try_from(offset + shown_at).ok());
            moved.set_dts(gst::ClockTime::NONE);
            // Waits while enough is read ahead, and fails once the sink's pipeline is stopped.
            to.push_buffer(buffer)
        };
        gst_app::AppSinkCallbacks::builder()
            .new_sample(new_sample)
            .build()
    }
}

/// From a parsed stream to an `appsink` named `out`, as the plan says.
fn way(kind: StreamKind, lane: &Lane) -> Result<gst::Bin> {
    // A thread of its own for each stream: files are read by one, which may not wait for any of them. The room is for
    // files whose sound and picture are not side by side.
    const IN: &str = "queue name=in max-size-time=3000000000 max-size-buffers=0 max-size-bytes=67108864";
    const OUT: &str = "appsink name=out sync=false async=false max-buffers=4";
    let description = match (&lane.plan, kind) {
        (Plan::PassThrough, _) if lane.format == "video/x-h264" => {
            format!("{IN} ! h264parse config-interval=-1 ! {} ! {OUT}", byte_stream())
        }
        (Plan::PassThrough, _) => format!("{IN} ! {OUT}"),
        // Larger pictures than full HD ask too much of an encoder in software.
        (Plan::Transcode(_), StreamKind::Video) => format!(
            "{IN} ! decodebin caps=video/x-raw ! deinterlace ! videoconvert ! videoscale ! \
             video/x-raw,width=[1,1920],height=[1,1080],pixel-aspect-ratio=1/1 ! {OUT}"
        ),
        (Plan::Transcode(_), _) => {
            format!("{IN} ! decodebin caps=audio/x-raw ! audioconvert ! audioresample ! {OUT}")
        }
    };
    let way = gst::parse::bin_from_description(&description, false)
        .map_err(|error| anyhow!("GStreamer misses an element: {error}"))?
        .downcast::<gst::Bin>()
        .map_err(|_| anyhow!("a way through is not a bin"))?;
    let entry = way.by_name("in").and_then(|element| element.static_pad("sink"));
    let entry = entry.ok_or_else(|| anyhow!("a way through without a beginning"))?;
    way.add_pad(&gst::GhostPad::with_target(&entry)?)?;
    Ok(way)
}
