//! The messages of the signalling wire, as data.
//!
//! One WebSocket text frame carries one JSON object, told apart by its `type`. The names are those of the
//! protocol's versions 1.0 and 1.1, which GStreamer's `webrtcsink`, `webrtcsrc` and `gstwebrtc-api` speak;
//! `PROTOCOL.md` beside this crate's folder says in prose what each message means and when it is sent.
//!
//! This crate holds types only. It knows no peers, sessions or sockets. The wire is written down three times,
//! and tests keep the three together: here, as one JSON file a message in `golden/` (read by the tests of both
//! languages), and as TypeScript in `signalling/web/src/protocol`, which
//! `cargo test -p weir-protocol --features ts` generates (`TS_RS_EXPORT_DIR` stands in `.cargo/config.toml`).

mod client;
mod code;
mod common;
mod parse;
mod server;

pub use client::ClientMessage;
pub use code::ErrorCode;
pub use common::{EndReason, Ice, PeerMessage, PeerPayload, ProtocolVersion, Role, Sdp, SdpType};
pub use parse::{MAX_MESSAGE_BYTES, ParseError, parse_client_message};
pub use server::{Participant, ServerMessage};
