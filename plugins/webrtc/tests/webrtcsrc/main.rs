//! `webrtcsrc` against a producer made of a plain webrtcbin, signalled in the same process.

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
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
