//! `webrtcsrc` against producers made of a plain webrtcbin, signalled in the same process or by the real server.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod answerer;
mod consumer;
mod hostile;
mod leaving;
mod playing;
mod producer;
mod renegotiating;
mod serving;
mod signaller;

/// How long a test waits for what it expects. None passes by waiting.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
