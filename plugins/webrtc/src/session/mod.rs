//! One WebRTC session: webrtcbin wrapped, and what its version 1.22 needs mended around it.
//!
//! ```text
//!  signaller ──descriptions, candidates──► connection ──events──► the element's coordinator
//!                                            │
//!                         pipeline ──────────┤  a viewer's own pipeline and bus
//!                         rtcp_watch ────────┤  when the peer was last heard of
//!                         retransmission ────┤  has lost packets asked for again
//!                         ssrc_limit ────────┤  bounds what a peer can have this side build
//!                         list_path ─────────┘  keeps buffer lists whole on the way to the socket
//! ```
//!
//! Nothing here decides: a [`Connection`] carries commands to webrtcbin and its answers back.

mod candidates;
mod connection;
mod list_path;
mod pipeline;
mod retransmission;
mod rtcp_watch;
mod ssrc_limit;
mod warm_up;

pub(crate) use candidates::PublicAddress;
pub(crate) use connection::{Connection, ConnectionConfig, ConnectionEvent, DescriptionError};
pub(crate) use list_path::bypass_fec;
pub(crate) use pipeline::{PipelineEvent, SessionPipeline};
pub(crate) use warm_up::warm_up;
