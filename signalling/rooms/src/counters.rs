//! What happened since the start.

use std::collections::BTreeMap;

use weir_protocol::ErrorCode;

/// Plain numbers since the machine was made. They only ever grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Peers that were welcomed.
    pub peers: u64,
    /// Sessions that were started.
    pub sessions: u64,
    /// Messages that arrived, readable or not.
    pub messages: u64,
    /// `peer` and `endSession` for sessions that did not exist, or no longer. They cross the end of the session
    /// on the wire, so some are to be expected.
    pub late_messages: u64,
    /// Refusals, by code.
    pub refusals: BTreeMap<ErrorCode, u64>,
}
