//! The messages of the signalling wire.
