//! A test picture, a file or a camera in any number of browsers, with one command.
//!
//! ```text
//! input: what is streamed                                          serving: who can watch, and where
//!   test, device ── a live source ─────────────────────────┐
//!   file, rtsp ──── feeder: parse or decode ─► appsrc ─────┴─► webrtcsink
//!                   (a file begins again, a camera is redialled: the sink sees one endless stream)
//! ```
//!
//! What of a file or camera browsers can play as it is goes through untouched: [`input::plan`] decides by the facts
//! that [`input::probe`] finds.

pub mod input;
pub mod launch_line;
pub mod serving;
pub mod show;
