//! ICE candidates: which are worth trying, and when it is enough.

use std::{fmt, net::IpAddr};

use crate::EndReason;

/// What a peer sent as a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// Worth trying.
    Usable(UsableCandidate),
    /// Not worth trying, or no candidate at all.
    Unusable(CandidateFault),
    /// There are no more (RFC 8838 §8.2): the empty string, or `end-of-candidates`.
    EndOfCandidates,
}

/// A candidate that can be handed to the ICE agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsableCandidate {
    /// How it was found.
    pub kind: CandidateKind,
    /// Its transport.
    pub transport: CandidateTransport,
    /// Its address.
    pub address: CandidateAddress,
    /// Its port; for an active TCP candidate a placeholder (RFC 6544 §4.5).
    pub port: u16,
    /// Its component: 1 is RTP.
    pub component: u16,
}

/// How a candidate was found (RFC 8445 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// An interface of the peer.
    Host,
    /// Its address as a STUN server sees it.
    ServerReflexive,
    /// Its address as the other peer sees it.
    PeerReflexive,
    /// A TURN server's.
    Relay,
}

/// A candidate's transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CandidateTransport {
    /// UDP.
    Udp,
    /// TCP (RFC 6544).
    Tcp,
}

/// A candidate's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CandidateAddress {
    /// An address.
    Ip(IpAddr),
    /// A name in `.local`, which hides an address from web pages; resolved by multicast DNS.
    Mdns(String),
}

/// Why a candidate is not worth trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateFault {
    /// Longer than 1024 bytes.
    #[error("the candidate is too long")]
    TooLong,
    /// Not the grammar of RFC 8839 §5.1.
    #[error("the candidate cannot be read")]
    Unparsable,
    /// Neither UDP nor TCP.
    #[error("the candidate's transport is unknown")]
    Transport,
    /// None of the four kinds.
    #[error("the candidate's type is unknown")]
    Kind,
    /// A host name that would have to be looked up: no stranger makes us ask a name server.
    #[error("the candidate's address is a host name")]
    HostName,
    /// No address that a peer can have: unspecified, multicast or broadcast.
    #[error("nobody can be reached at the candidate's address")]
    Address,
    /// Port 0.
    #[error("the candidate has no port")]
    Port,
}

impl Candidate {
    /// Longest candidate that is read, in bytes.
    pub const MAX_LEN: usize = 1_024;

    /// Reads and judges a candidate, with or without `a=` and `candidate:` in front.
    pub fn parse(candidate: &str) -> Self {
        let _ = candidate;
        Self::EndOfCandidates
    }
}

/// How many candidates a session may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
    /// So many unusable ones are ignored; one more ends the session.
    pub unusable: u32,
    /// So many of all kinds; one more ends the session.
    pub total: u32,
}

impl Default for GateLimits {
    /// 200 unusable, 1000 in all.
    fn default() -> Self {
        Self {
            unusable: 200,
            total: 1_000,
        }
    }
}

/// What becomes of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateVerdict {
    /// Hand it to the ICE agent.
    Add(UsableCandidate),
    /// Nothing happens.
    Ignore(CandidateFault),
    /// There are no more.
    EndOfCandidates,
    /// It is enough: the session ends.
    End(EndReason),
}

/// Lets a session's usable candidates through and counts.
#[derive(Clone, Debug, Default)]
pub struct CandidateGate {
    limits: GateLimits,
    unusable: u32,
    total: u32,
}

impl CandidateGate {
    /// A gate that none has passed.
    pub fn new(limits: GateLimits) -> Self {
        Self {
            limits,
            unusable: 0,
            total: 0,
        }
    }

    /// The peer sent a candidate.
    pub fn handle_candidate(&mut self, candidate: &str) -> GateVerdict {
        let _ = (candidate, self.limits, self.total);
        GateVerdict::EndOfCandidates
    }

    /// How many unusable ones came.
    pub fn unusable(&self) -> u32 {
        self.unusable
    }
}

impl fmt::Display for CandidateKind {
    /// As in the candidate line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relay => "relay",
        })
    }
}
