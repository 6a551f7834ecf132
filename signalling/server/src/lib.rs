//! The signalling server: WebSocket, HTTP, TLS, pages.
//!
//! ```text
//!            Server (one listener each: address, TLS, what it serves)
//!   TCP ──► admission ──► TLS ──► HTTP ─┬─► upgrade ──► socket ──┐
//!           (limits)      (time-outs)   ├─► pages               ├─► SignallingState ──► weir_rooms::Rooms
//!                                       └─► /health, /metrics ──┘   (shared by listeners)
//! ```
//!
//! [`weir_rooms`] decides, this crate carries out: it owns the sockets, the clock and the locks. Peers connect
//! to a [`SignallingState`], which several [`Server`]s may share, such as one for sinks and sources and one whose
//! pages connect to where they came from.
//!
//! ```no_run
//! # async fn example() -> Result<(), weir_signalling_server::BindError> {
//! use weir_signalling_server::{Config, Pages, Routes, Server, SignallingState};
//!
//! let state = SignallingState::default();
//! let routes = Routes { signalling: true, pages: Some(Pages::embedded()) };
//! let server = Server::bind(Config { port: 8443, routes, ..Config::new(state) }).await?;
//! println!("{}", server.url());
//! let handle = server.spawn();
//! handle.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! It runs on the caller's tokio runtime, which must have time and I/O enabled.
//!
//! What the server never does: parse a session description, log one above debug, wait for one client while it
//! serves another, or hold a lock while it waits.

mod admission;
mod config;
mod error;
mod http;
mod listener;
mod metrics;
mod outbox;
mod pages;
mod server;
mod socket;
mod state;
mod tls;

pub use config::{Config, Pages, PagesSource, Routes, SignallingConfig, TimeOuts, Tls};
pub use error::BindError;
pub use server::{Handle, Server};
pub use state::{Counts, SignallingState};
pub use weir_rooms::{Limits, Rate};
