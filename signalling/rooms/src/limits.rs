//! How much a stranger may have and do.

/// How often something may happen: a bucket of `burst` tokens that fills again at `per_second`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How much may happen at once, after a rest.
    pub burst: u32,
    /// How much may happen per second in the long run.
    pub per_second: u32,
}

/// The limits of one server. None of them is meant to be felt by a client that means well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Peers connected at once.
    pub peers: usize,
    /// Sessions that one peer is a member of at once.
    pub sessions_per_peer: usize,
    /// Sessions that one peer has started itself and that still last.
    pub sessions_started_per_peer: usize,
    /// The size of a peer's metadata, in bytes of JSON.
    pub meta_bytes: usize,
    /// Messages of one connection. One that exceeds it is closed.
    pub messages: Rate,
    /// Bytes of messages of one connection. One that exceeds it is closed.
    pub bytes: Rate,
    /// Messages of one connection whose answer goes to many or is large: lists and status changes. What exceeds
    /// it is refused, the connection stays.
    pub requests: Rate,
}

impl Default for Limits {
    /// Room for a producer whose two hundred viewers arrive in the same second: each takes an offer of some
    /// kilobytes and a dozen candidates.
    fn default() -> Self {
        Self {
            peers: 4096,
            sessions_per_peer: 4096,
            sessions_started_per_peer: 256,
            meta_bytes: 16 * 1024,
            messages: Rate {
                burst: 5000,
                per_second: 500,
            },
            bytes: Rate {
                burst: 4 * 1024 * 1024,
                per_second: 1024 * 1024,
            },
            requests: Rate {
                burst: 100,
                per_second: 10,
            },
        }
    }
}
