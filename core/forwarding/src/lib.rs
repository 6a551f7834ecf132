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
//! What a shell does with each packet of a rendition, and then with each frame for each viewer:
//!
//! ```
//! use std::sync::Arc;
//! use weir_forwarding::*;
//!
//! fn on_packet(assembler: &mut FrameAssembler<Vec<u8>>, bytes: Vec<u8>) -> Vec<Arc<Frame<Vec<u8>>>> {
//!     if let Ok(packet) = SourcePacket::parse(PayloadFormat::Vp8, &bytes) {
//!         assembler.handle_packet(packet, bytes, None);
//!     }
//!     std::iter::from_fn(|| assembler.poll_frame()).map(Arc::new).collect()
//! }
//!
//! fn on_frame(rendition: RenditionId, frame: &Frame<Vec<u8>>, switch: &mut RenditionSwitch, rewriter: &mut Rewriter) {
//!     if !frame.intact {
//!         switch.handle_loss();
//!     }
//!     if switch.handle_frame(rendition, frame.key, frame.timestamp) == Verdict::Drop {
//!         return;
//!     }
//!     rewriter.begin_frame(frame.timestamp, frame.key);
//!     for (packet, bytes) in &frame.packets {
//!         let rewritten = rewriter.rewrite(packet);
//!         let payload = &bytes[rewritten.payload_offset..][..rewritten.payload_len];
//!         // … send rewritten.head in memory of its own, followed by the shared payload.
//! #       let _ = payload;
//!     }
//!     rewriter.end_frame();
//! }
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
