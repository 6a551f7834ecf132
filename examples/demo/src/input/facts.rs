//! What was seen in the first seconds of a stream.

use std::time::Duration;

/// What matters for the decision whether video can go through untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFacts {
    /// The codec.
    pub codec: VideoCodec,
    /// The profile as GStreamer names it in caps, such as `constrained-baseline` or, for VP9, `0`.
    pub profile: Option<String>,
    /// Frames are pictures, not pairs of fields.
    pub progressive: bool,
    /// Frames refer to later ones, or are not sent in the order in which they are shown.
    pub bidirectional: bool,
    /// The longest time without a key frame, as far as it was looked at.
    pub longest_gop: Duration,
    /// How many key frames were seen.
    pub key_frames: usize,
}

/// The codecs of which something may go through untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// H.264, also called AVC.
    H264,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// Any other: it is decoded in any case.
    Other,
}

/// What matters for the decision whether audio can go through untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFacts {
    /// It is Opus, in one stream of one or two channels.
    pub plain_opus: bool,
}

/// What is seen of one frame, in the order of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it is shown.
    pub shown_at: Duration,
    /// It can be decoded without any other.
    pub key: bool,
    /// It says of itself that it refers to later frames.
    pub bidirectional: bool,
}

/// Gathers [`VideoFacts`] frame by frame.
#[derive(Clone, Debug, Default)]
pub struct VideoObserver {
    first: Option<Duration>,
    latest: Option<Duration>,
    last_key: Option<Duration>,
    key_frames: usize,
    longest_gop: Duration,
    bidirectional: bool,
}

impl VideoObserver {
    /// Takes the next frame in the order of decoding.
    pub fn handle_frame(&mut self, frame: Frame) {
        let shown_at = frame.shown_at;
        let first = *self.first.get_or_insert(shown_at);
        self.bidirectional |= frame.bidirectional || self.latest.is_some_and(|latest| shown_at < latest);
        // Until a key frame comes, the time since the beginning counts.
        let since_key = shown_at.saturating_sub(self.last_key.unwrap_or(first));
        self.longest_gop = self.longest_gop.max(since_key);
        if frame.key {
            self.key_frames += 1;
            self.last_key = Some(shown_at);
        }
        self.latest = self.latest.max(Some(shown_at));
    }

    /// How much was looked at.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.latest
            .unwrap_or_default()
            .saturating_sub(self.first.unwrap_or_default())
    }

    /// Whether any frame was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// What was seen so far, with what the stream says of itself.
    #[must_use]
    pub fn facts(&self, codec: VideoCodec, profile: Option<String>, progressive: bool) -> VideoFacts {
        VideoFacts {
            codec,
            profile,
            progressive,
            bidirectional: self.bidirectional,
            longest_gop: self.longest_gop,
            key_frames: self.key_frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(frames: &[(u64, bool)]) -> VideoFacts {
        let mut observer = VideoObserver::default();
        for (ms, key) in frames {
            let shown_at = Duration::from_millis(*ms);
            observer.handle_frame(Frame {
                shown_at,
                key: *key,
                bidirectional: false,
            });
        }
        observer.facts(VideoCodec::H264, None, true)
    }

    #[test]
    fn the_longest_gop_is_the_longest_way_between_two_key_frames() {
        let facts = observed(&[
            (0, true),
            (500, false),
            (1_000, true),
            (3_500, false),
            (4_000, true),
        ]);
        assert_eq!((facts.longest_gop, facts.key_frames), (Duration::from_secs(3), 3));
    }

    #[test]
    fn a_gop_that_has_not_ended_yet_counts_as_far_as_it_was_seen() {
        assert_eq!(
            observed(&[(0, true), (1_000, true), (9_000, false)]).longest_gop,
            Duration::from_secs(8)
        );
    }

    #[test]
    fn the_wait_for_the_first_key_frame_counts_too() {
        assert_eq!(
            observed(&[(0, false), (5_000, true), (6_000, false)]).longest_gop,
            Duration::from_secs(5)
        );
    }

    #[test]
    fn frames_that_are_not_shown_in_their_order_are_bidirectional() {
        assert!(observed(&[(0, true), (120, false), (40, false), (80, false)]).bidirectional);
        assert!(!observed(&[(0, true), (40, false), (80, false)]).bidirectional);
    }
}
