//! Pure forwarding logic: what happens to the packets of a stream on their way to each of its viewers.
//!
//! ```text
//! per rendition, once:   packet ──► frame ──► gop            keyframe (when may the encoder be asked?)
//!                        parse      assemble  cache
//!                                     │         │
//! per viewer:                       switch ◄── catch-up      (which rendition? live, or from the cache?)
//!                                     │
//!                                  rewrite ──► header bytes of this viewer + the source's payload memory
//! ```
//!
//! Nothing here knows GStreamer, clocks, threads or sockets: the shell tells the time and moves the bytes.

mod frame;
mod gop;
mod keyframe;
mod packet;
mod rewrite;
mod switch;
#[cfg(test)]
mod testing;

pub use frame::{Frame, FrameAssembler, FrameLimits};
pub use gop::{CatchUp, CatchUpConfig, CatchUpFrame, CatchUpState, GopCache};
pub use keyframe::{Answer, KeyFrameBudget, KeyFrameCommand, KeyFrameConfig, RequestKind, ViewerId};
pub use packet::{ParseError, PayloadFormat, SourcePacket, Vp8Descriptor, Vp9Descriptor};
pub use rewrite::{Counters, Extensions, Head, MAX_HEAD, OutgoingStream, Rewriter, Rewritten};
pub use switch::{RenditionId, RenditionSwitch, Verdict};
