//! Typed units and identifiers of RTP media: what the pure crates share.
//!
//! | file | what |
//! |---|---|
//! | `time` | [`Timestamp`]: an instant that somebody else read from a clock |
//! | `rtp`  | [`Ssrc`], [`SeqNo`], [`RtpTimestamp`], [`PayloadType`] |
//! | `rate` | [`DataSize`], [`Bitrate`] |
//! | `name` | [`Mid`], [`Rid`]: bounded names from SDP |

mod name;
mod rate;
mod rtp;
mod time;

pub use name::{Mid, NameError, Rid};
pub use rate::{Bitrate, DataSize};
pub use rtp::{PayloadType, PayloadTypeError, RtpTimestamp, SeqNo, Ssrc};
pub use time::Timestamp;
