//! Pure state of the signalling server: who is connected, in which roles, and who has a session with whom.
//!
//! ```text
//!  connected, message, disconnected ──► Rooms ──► Send, Close      one for the whole server
//!               heard, sent, timeout ──► Keepalive ──► ping, give up    one for each connection
//! ```
//!
//! Facts go in, [`Command`]s come out; nothing here knows a socket or reads a clock. `now` is the time since any
//! instant that the caller keeps to, and ids come from the generator that it passes in.
//!
//! There is one implicit room: every peer sees every other. A connection is a peer for as long as it lasts.
//!
//! What the machine never does: read a session description or a candidate, change a session for somebody who is
//! no member of it, keep anything about a session or a peer that is gone.

mod bucket;
mod command;
mod counters;
mod ids;
mod keepalive;
mod limits;
mod peer;
mod refusal;
mod rooms;
mod session;

pub use command::{CloseReason, Command};
pub use counters::Counters;
pub use ids::{ConnectionId, PeerId, SessionId};
pub use keepalive::{Keepalive, KeepaliveAction};
pub use limits::{Limits, Rate};
pub use rooms::{Departure, Rooms};
