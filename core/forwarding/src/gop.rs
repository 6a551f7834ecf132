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
        let _ = (frame, self.limit);
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
        let _ = (config, now);
        None
    }
}

/// How fast a joiner gets cached frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchUpConfig {
    /// How many times faster than the stream.
    pub pace: u32,
    /// But not slower than this.
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
#[derive(Debug)]
pub struct CatchUp<P> {
    waiting: VecDeque<Arc<Frame<P>>>,
    next_at: Timestamp,
}

impl<P> CatchUp<P> {
    /// The rendition goes on meanwhile: every live frame, in order.
    pub fn handle_live_frame(&mut self, frame: &Arc<Frame<P>>) {
        self.waiting.push_back(frame.clone());
    }

    /// The next frame, if it is due.
    pub fn poll_frame(&mut self, now: Timestamp) -> Option<CatchUpFrame<P>> {
        let _ = now;
        None
    }

    /// When the next frame is due; `None` if no frame is waiting.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then_some(self.next_at)
    }

    /// How far the joiner is.
    pub fn state(&self) -> CatchUpState {
        CatchUpState::Behind
    }
}
