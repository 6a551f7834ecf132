//! The messages of the signalling wire, as data.
//!
//! One WebSocket text frame carries one JSON object, told apart by its `type`. The names are those of the
//! protocol's versions 1.0 and 1.1, which GStreamer's `webrtcsink`, `webrtcsrc` and `gstwebrtc-api` speak;
//! `PROTOCOL.md` beside this crate's folder says in prose what each message means and when it is sent.
//!
//! This crate holds types only. It knows no peers, sessions or sockets.

mod client;
mod common;
mod server;

pub use client::ClientMessage;
pub use common::{EndReason, Ice, PeerMessage, PeerPayload, ProtocolVersion, Role, Sdp, SdpType};
pub use server::{Participant, ServerMessage};
