//! The frames since the last key frame, and how a joiner catches up with them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use weir_units::{Bitrate, DataSize, RtpTimestamp, Timestamp};

use crate::Frame;

/// The frames of one rendition since its last key frame.
#[derive(Debug)]
pub struct GopCache<P> {
    limit: DataSize,
    size: DataSize,
    frames: VecDeque<Arc<Frame<P>>>,
}

impl<P> GopCache<P> {
    /// The most a cache holds unless told otherwise.
    pub const DEFAULT_LIMIT: DataSize = DataSize::from_bytes(4_000_000);

    /// An empty cache that holds at most `limit`.
    pub fn new(limit: DataSize) -> Self {
        Self {
            limit,
            size: DataSize::ZERO,
            frames: VecDeque::new(),
        }
    }

    /// Takes the next frame of the rendition.
    ///
    /// A key frame replaces what was there. When the frames exceed the limit, or one is missing or broken, the cache
    /// stays empty until the next key frame.
    pub fn handle_frame(&mut self, frame: &Arc<Frame<P>>) {
        let follows = self
            .frames
            .back()
            .is_some_and(|last| frame.number == last.number + 1);
        if frame.key || !follows || !frame.intact {
            self.clear();
        }
        if !frame.intact || (self.frames.is_empty() && !frame.key) {
            return;
        }
        self.size += frame.size;
        if self.size > self.limit {
            self.clear();
        } else {
            self.frames.push_back(Arc::clone(frame));
        }
    }

    /// Forgets everything until the next key frame.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.size = DataSize::ZERO;
    }

    /// Whether a joiner can be served.
    pub fn is_usable(&self) -> bool {
        !self.frames.is_empty()
    }

    /// What it holds.
    pub fn size(&self) -> DataSize {
        self.size
    }

    /// The frames, from the key frame on.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = &Arc<Frame<P>>> {
        self.frames.iter()
    }

    /// A joiner starts with the cached frames; `None` if there are none.
    pub fn catch_up(&self, config: CatchUpConfig, now: Timestamp) -> Option<CatchUp<P>> {
        Some(CatchUp {
            config,
            rate: (self.rate(config.clock_rate) * config.pace).max(config.min_rate),
            last_number: self.frames.back()?.number,
            waiting: self.frames.clone(),
            waiting_size: self.size,
            last_timestamp: None,
            next_at: now,
            is_lost: false,
        })
    }

    /// What the cached frames come to per second; zero if there is but one.
    fn rate(&self, clock_rate: u32) -> Bitrate {
        let (Some(first), Some(last)) = (self.frames.front(), self.frames.back()) else {
            return Bitrate::ZERO;
        };
        let span = last.timestamp.distance(first.timestamp).max(0).cast_unsigned();
        (self.size - last.size) / ticks_to_duration(span, clock_rate)
    }
}

/// How fast a joiner gets cached frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchUpConfig {
    /// How many times faster than the stream.
    pub pace: u32,
    /// But not slower than this. Zero, with a single cached frame of which no rate is known, is no pacing at all.
    pub min_rate: Bitrate,
    /// Distance of the timestamps of cached frames.
    pub spacing: Duration,
    /// Ticks of the RTP timestamp per second.
    pub clock_rate: u32,
    /// A joiner that has more than this before it gives up and waits for a key frame.
    pub limit: DataSize,
}

impl Default for CatchUpConfig {
    /// For video: 4 times the stream's rate, at least 4 Mbit/s, 1 ms apart, up to twice what a cache holds.
    fn default() -> Self {
        Self {
            pace: 4,
            min_rate: Bitrate::from_kbps(4_000),
            spacing: Duration::from_millis(1),
            clock_rate: 90_000,
            limit: DataSize::from_bytes(8_000_000),
        }
    }
}

/// How far a joiner has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUpState {
    /// Frames are waiting; live frames go to [`CatchUp::handle_live_frame`].
    Behind,
    /// Everything was sent: the next live frame follows without a gap. The [`CatchUp`] can be dropped.
    Live,
    /// Too much was waiting, or a frame was missing: the joiner needs a key frame. The [`CatchUp`] can be dropped.
    Lost,
}

/// A cached frame that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatchUpFrame<P> {
    /// The frame.
    pub frame: Arc<Frame<P>>,
    /// The timestamp to send it with, for [`Rewriter::begin_frame`](crate::Rewriter::begin_frame).
    pub timestamp: RtpTimestamp,
    /// What to add to its presentation time.
    pub pts_shift: Duration,
}

/// A joiner on its way from the last key frame to the live stream.
///
/// While it is [behind](CatchUpState::Behind), the shell feeds it every live frame and polls it for frames to send.
/// Their timestamps are moved towards the newest frame's, so that a receiver shows that one at once rather than
/// playing what is past; they increase strictly and never overtake the live stream's.
#[derive(Debug)]
pub struct CatchUp<P> {
    config: CatchUpConfig,
    rate: Bitrate,
    waiting: VecDeque<Arc<Frame<P>>>,
    waiting_size: DataSize,
    /// Number of the newest frame.
    last_number: u64,
    /// The timestamp given last.
    last_timestamp: Option<RtpTimestamp>,
    next_at: Timestamp,
    is_lost: bool,
}

impl<P> CatchUp<P> {
    /// The rendition goes on meanwhile: every live frame, in order.
    ///
    /// A key frame makes everything before it superfluous.
    pub fn handle_live_frame(&mut self, frame: &Arc<Frame<P>>) {
        let follows = frame.number == self.last_number + 1;
        self.last_number = frame.number;
        if self.is_lost {
            return;
        }
        if frame.key && frame.intact {
            self.waiting.clear();
            self.waiting_size = DataSize::ZERO;
        } else if !follows || !frame.intact {
            self.give_up();
            return;
        }
        self.waiting_size += frame.size;
        self.waiting.push_back(Arc::clone(frame));
        if self.waiting_size > self.config.limit {
            self.give_up();
        }
    }

    /// The next frame, if it is due.
    pub fn poll_frame(&mut self, now: Timestamp) -> Option<CatchUpFrame<P>> {
        if now < self.next_at {
            return None;
        }
        let frame = self.waiting.pop_front()?;
        self.waiting_size -= frame.size;
        // Counted from this poll, not from when it was due: a late poll must not be made up for by a burst.
        self.next_at = if self.rate == Bitrate::ZERO {
            now
        } else {
            now + frame.size / self.rate
        };
        let shift = self.shift(&frame);
        let timestamp = frame.timestamp.wrapping_add(shift);
        self.last_timestamp = Some(timestamp);
        Some(CatchUpFrame {
            frame,
            timestamp,
            pts_shift: ticks_to_duration(shift, self.config.clock_rate),
        })
    }

    /// When the next frame is due; `None` if no frame is waiting.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then_some(self.next_at)
    }

    /// How far the joiner is.
    pub fn state(&self) -> CatchUpState {
        match (self.is_lost, self.waiting.is_empty()) {
            (true, _) => CatchUpState::Lost,
            (false, true) => CatchUpState::Live,
            (false, false) => CatchUpState::Behind,
        }
    }

    fn give_up(&mut self) {
        self.is_lost = true;
        self.waiting.clear();
        self.waiting_size = DataSize::ZERO;
    }

    /// By how many ticks the frame, which has just left the queue, is moved towards the newest one that waits.
    fn shift(&self, frame: &Frame<P>) -> u32 {
        let Some(newest) = self.waiting.back() else {
            return 0;
        };
        let behind = self.waiting.len() as u64;
        let span = u64::from(newest.timestamp.distance(frame.timestamp).max(0).cast_unsigned());
        let spacing = duration_to_ticks(self.config.spacing, self.config.clock_rate).max(1);
        // At least one tick for each frame behind this one, at best the spacing …
        let room = span.saturating_sub(behind);
        let ideal = span.saturating_sub(behind.saturating_mul(spacing));
        // … and later than the one before, which was placed when fewer frames waited.
        let after_last = self.last_timestamp.map_or(0, |last| {
            last.wrapping_add(1)
                .distance(frame.timestamp)
                .max(0)
                .cast_unsigned()
        });
        u32::try_from(ideal.max(u64::from(after_last)).min(room)).unwrap_or(0)
    }
}

fn ticks_to_duration(ticks: u32, clock_rate: u32) -> Duration {
    Duration::from_nanos(u64::from(ticks) * 1_000_000_000 / u64::from(clock_rate.max(1)))
}

fn duration_to_ticks(span: Duration, clock_rate: u32) -> u64 {
    u64::try_from(span.as_nanos() * u128::from(clock_rate) / 1_000_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
