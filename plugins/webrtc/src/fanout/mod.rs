//! From renditions to viewers: each frame's packets, rewritten per viewer, pushed as one list.
//!
//! ```text
//!  rendition's output pad ─► packets ─► hub: one queue of frames ─► dispatch thread
//!                                        │                            per viewer: switch, rewrite, push
//!                                        ├ GOP cache per rendition    └─► viewer's pad ─► webrtcbin
//!                                        ├ key-frame budget             (events come back up this pad)
//!                                        └ watchdog: a push that blocks costs only its own viewer
//! ```
//!
//! - [`packets`]: a payloader's buffers, parsed once and cut into what is shared and what is rewritten
//! - [`hub`]: what is known of renditions and viewers; the facts and commands of both
//! - [`dispatch`]: the thread that pushes
//! - [`output`]: one viewer's copy of one stream
//! - [`viewer_pad`], [`rendition_pad`]: the pads at both ends
//! - [`watchdog`]: notices a push that blocks
//!
//! A lock is never held while a list is pushed, an event is sent or a callback runs.

mod dispatch;
mod hub;
mod output;
mod packets;
mod rendition_pad;
mod viewer_pad;
mod watchdog;

#[cfg(test)]
mod tests;

pub(crate) use hub::{Hub, HubEvent, Joining, OutputSpec};
pub(crate) use output::OutputId;
pub(crate) use viewer_pad::ViewerPad;
