//! How elements find their peers: the signaller interface and its default implementation.
//!
//! ```text
//!   element ── asks ──►  Signallable  ◄── implements ── Signaller (WebSocket, the default)
//!           ◄─ tells ──  (signals)                      an application's own type, in Rust
//!                                                       an application's handlers, in any language
//! ```
//!
//! Everything that an element and a signaller say to each other is a GObject signal of [`Signallable`], so an
//! application can stand in between. Where the element asks, the first handler wins: whoever connects to `start`,
//! `stop`, `send-session-description`, `send-ice` or `end-session` replaces what the signaller would have done.

mod ext;
mod iface;
pub mod meta;
mod websocket;

pub use ext::SignallableExt;
pub use iface::{Signallable, SignallableImpl, SignallableImplExt};
pub use websocket::{Signaller, SignallerRole};
