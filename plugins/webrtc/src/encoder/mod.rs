//! Renditions: from raw or encoded media to RTP packets, once for all viewers.
//!
//! ```text
//!  input ─► appsrc ─► download ─► convert ─► encoder ─► parser ─► filter ─► payloader ─► output pad ─► hub
//!                     └────────── raw input only ────┘
//! ```
//!
//! - [`factory`]: which elements of this installation encode, parse and pack a codec
//! - [`tuning`]: the low-latency settings of every encoder known, and how its bitrate is set
//! - [`rendition`]: the chain as a bin

mod factory;
mod rendition;
mod tuning;

pub(crate) use factory::{can_encode, can_pay};
pub(crate) use rendition::{Hooks, Rendition, RenditionError, RenditionInput, RenditionSpec};
