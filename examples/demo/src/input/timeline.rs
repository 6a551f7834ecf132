//! When the buffers of a stream are shown, also of streams that do not say.

use std::time::Duration;

/// What a frame lasts where neither it nor its caps tell.
const USUAL_FRAME: Duration = Duration::from_nanos(1_000_000_000 / 30);

/// Follows one stream from its beginning to its end.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    previous: Option<Duration>,
    end: Duration,
}

impl Timeline {
    /// The running time of a sample since the stream's beginning; the end of the previous one if it does not say.
    pub(super) fn handle_sample(&mut self, sample: &gst::SampleRef) -> Duration {
        let pts = sample.buffer().and_then(gst::BufferRef::pts);
        let segment = sample
            .segment()
            .and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
        let shown_at = match (pts, segment) {
            // What is to be decoded and not shown comes before the beginning, and is sent at the beginning.
            (Some(pts), Some(segment)) => match segment.to_running_time_full(pts) {
                Some(time) => time.positive().unwrap_or_default().into(),
                None => self.end,
            },
            _ => self.end,
        };
        let duration = sample
            .buffer()
            .and_then(gst::BufferRef::duration)
            .map(Duration::from);
        let guess = || match self.previous {
            Some(previous) if shown_at > previous => shown_at - previous,
            _ => frame_duration(sample).unwrap_or(USUAL_FRAME),
        };
        self.end = self.end.max(shown_at + duration.unwrap_or_else(guess));
        self.previous = Some(shown_at);
        shown_at
    }

    /// When the last of what was seen so far has been shown.
    pub(super) fn end(&self) -> Duration {
        self.end
    }
}

fn frame_duration(sample: &gst::SampleRef) -> Option<Duration> {
    let rate = sample
        .caps()?
        .structure(0)?
        .get::<gst::Fraction>("framerate")
        .ok()?;
    let frames = f64::from(rate.numer()) / f64::from(rate.denom());
    (frames > 0.0).then(|| Duration::from_secs_f64(1.0 / frames))
}
