//! What arrives in the sink's pipeline: one stream without a seam, in its own time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use gst::prelude::*;
use support::{Camera, Films, H264_AAC};
use weir_demo::input::Media;
use weir_demo::input::feeder::{self, Feeder, NOTICE};
use weir_demo::input::probe::probe;

/// Longer than any event that is waited for takes; reaching it fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A buffer as it arrives.
struct Arrival {
    pts: Duration,
    /// The pipeline's running time.
    at: Duration,
    key: bool,
    caps: String,
}

/// A pipeline that stands where the sink's would.
struct Audience {
    pipeline: gst::Pipeline,
    feeder: Option<Feeder>,
    video: Option<Receiver<Arrival>>,
    audio: Option<Receiver<Arrival>>,
}

impl Audience {
    fn of(media: &Media) -> Self {
        let contents = probe(media).unwrap();
        let pipeline = gst::Pipeline::new();
        let (prepared, outlets) = feeder::prepare(media, &contents, &pipeline).unwrap();
        let video = outlets.video.map(|outlet| arrivals(&pipeline, &outlet));
        let audio = outlets.audio.map(|outlet| arrivals(&pipeline, &outlet));
        pipeline.set_state(gst::State::Playing).unwrap();
        Self {
            feeder: Some(prepared.start()),
            pipeline,
            video,
            audio,
        }
    }

    fn video(&self, count: usize) -> Vec<Arrival> {
        take(self.video.as_ref().expect("there is video"), count)
    }

    fn audio(&self, count: usize) -> Vec<Arrival> {
        take(self.audio.as_ref().expect("there is audio"), count)
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        if let Some(feeder) = self.feeder.take() {
            feeder.stop(&self.pipeline);
        }
    }
}

fn arrivals(pipeline: &gst::Pipeline, outlet: &gst::Element) -> Receiver<Arrival> {
    let (to, arrivals) = mpsc::channel();
    let sink = gst_app::AppSink::builder().sync(false).async_(false).build();
    let clock_of = pipeline.downgrade();
    let new_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let buffer = sample.buffer().unwrap();
        let running = clock_of
            .upgrade()
            .and_then(|pipeline| pipeline.current_running_time());
        let arrival = Arrival {
            pts: buffer.pts().unwrap().into(),
            at: running.unwrap_or_default().into(),
            key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            caps: sample.caps().unwrap().to_string(),
        };
        // The test may have seen enough.
        let _ = to.send(arrival);
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(new_sample)
            .build(),
    );
    pipeline.add(&sink).unwrap();
    outlet.link(&sink).unwrap();
    arrivals
}

fn take(arrivals: &Receiver<Arrival>, count: usize) -> Vec<Arrival> {
    (0..count)
        .map(|index| {
            arrivals
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("only {index} came"))
        })
        .collect()
}

/// The longest way between two timestamps, all of which have to grow.
fn longest_step(arrivals: &[Arrival]) -> Duration {
    let step = |pair: &[Arrival]| {
        assert!(
            pair[1].pts > pair[0].pts,
            "{:?} after {:?}",
            pair[1].pts,
            pair[0].pts
        );
        pair[1].pts - pair[0].pts
    };
    arrivals.windows(2).map(step).max().unwrap()
}

#[test]
fn a_film_begins_again_without_a_seam() {
    let films = Films::new();
    for container in ["film.mp4", "film.mkv", "film.ts"] {
        let audience = Audience::of(&films.film(container, 1, H264_AAC));
        let frames = audience.video(90);
        let keys = frames.iter().filter(|frame| frame.key).count();
        assert!(
            keys >= 3,
            "{container}: each round begins with a key frame, {keys}"
        );
        // Sound may last a little longer than the picture, and the longer one makes the round.
        assert!(
            longest_step(&frames) < Duration::from_millis(150),
            "{container}: {:?}",
            longest_step(&frames)
        );
    }
}

#[test]
fn a_film_arrives_in_its_own_time() {
    let films = Films::new();
    let audience = Audience::of(&films.film("film.mp4", 1, H264_AAC));
    for frame in audience.video(60) {
        // Never early; how late depends on what else the machine does.
        assert!(
            frame.at + Duration::from_millis(1) >= frame.pts,
            "{:?} arrived at {:?}",
            frame.pts,
            frame.at
        );
    }
}

#[test]
fn what_goes_through_stays_as_it_is_and_what_does_not_is_decoded() {
    let films = Films::new();
    let audience = Audience::of(&films.film("film.mp4", 1, H264_AAC));
    let video = &audience.video(1)[0].caps;
    assert!(
        video.starts_with("video/x-h264") && video.contains("byte-stream"),
        "{video}"
    );
    let audio = &audience.audio(1)[0].caps;
    assert!(audio.starts_with("audio/x-raw"), "{audio}");

    let with_b_frames = "-c:v libx264 -bf 2 -b_strategy 0 -g 25 -pix_fmt yuv420p -c:a libopus";
    let audience = Audience::of(&films.film("film.mkv", 1, with_b_frames));
    let video = &audience.video(1)[0].caps;
    assert!(video.starts_with("video/x-raw"), "{video}");
    let audio = &audience.audio(1)[0].caps;
    assert!(audio.starts_with("audio/x-opus"), "{audio}");
}

#[test]
fn a_webm_goes_on_as_vp8_and_opus() {
    let films = Films::new();
    let encoding = "-c:v libvpx -deadline realtime -cpu-used 8 -g 25 -b:v 200k -c:a libopus";
    let audience = Audience::of(&films.film("film.webm", 1, encoding));
    let frames = audience.video(60);
    assert!(frames[0].caps.starts_with("video/x-vp8"), "{}", frames[0].caps);
    assert!(longest_step(&frames) < Duration::from_millis(150));
    assert!(audience.audio(1)[0].caps.starts_with("audio/x-opus"));
}

#[test]
fn a_picture_that_stands_still_cannot_be_repeated() {
    let films = Films::new();
    let audience = Audience::of(&films.film("still.png", 1, "-frames:v 1 -an"));
    let bus = audience.pipeline.bus().unwrap();
    let message = bus.timed_pop_filtered(
        gst::ClockTime::try_from(PATIENCE).unwrap(),
        &[gst::MessageType::Error],
    );
    let message = message.expect("an error is posted");
    let gst::MessageView::Error(error) = message.view() else {
        unreachable!("only errors were asked for")
    };
    assert!(
        error.error().message().ends_with("is too short to be repeated"),
        "{}",
        error.error()
    );
}

const CAMERA: &str =
    "x264enc bframes=0 key-int-max=25 tune=zerolatency ! video/x-h264,profile=main ! rtph264pay";

#[test]
fn a_camera_arrives_live() {
    let camera = Camera::start(0, CAMERA);
    let audience = Audience::of(&camera.media("/live"));
    let frames = audience.video(50);
    assert!(frames[0].caps.starts_with("video/x-h264"), "{}", frames[0].caps);
    let last = frames.last().unwrap();
    let behind = last.at.saturating_sub(last.pts);
    assert!(behind < Duration::from_secs(2), "{behind:?} behind the camera");
}

#[test]
fn a_camera_that_is_lost_is_dialled_again_and_the_stream_goes_on() {
    let camera = Camera::start(0, CAMERA);
    let port = camera.port;
    let audience = Audience::of(&camera.media("/live"));
    let before = audience.video(10).pop().unwrap();
    let bus = audience.pipeline.bus().unwrap();
    drop(camera);

    let told = bus
        .iter_timed(gst::ClockTime::try_from(PATIENCE).unwrap())
        .find(|message| {
            message
                .structure()
                .is_some_and(|structure| structure.name() == NOTICE)
        });
    assert!(told.is_some(), "a person is told");
    let _camera = Camera::start(port, CAMERA);
    // What had been sent before may still arrive first.
    let told_at = audience
        .pipeline
        .current_running_time()
        .map(Duration::from)
        .unwrap();
    let after = std::iter::repeat_with(|| audience.video(1).remove(0))
        .find(|frame| frame.pts > told_at)
        .unwrap();
    assert!(after.pts > before.pts);
}
