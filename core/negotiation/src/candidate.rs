//! ICE candidates: which are worth trying, and when it is enough.

use std::{fmt, net::IpAddr, ops::RangeInclusive};

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
    /// Its port; for an active TCP candidate a placeholder, 9 (RFC 6544 §4.5).
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
        if candidate.len() > Self::MAX_LEN {
            return Self::Unusable(CandidateFault::TooLong);
        }
        let line = candidate.trim();
        let line = line.strip_prefix("a=").unwrap_or(line);
        if line.is_empty() || line == "end-of-candidates" {
            return Self::EndOfCandidates;
        }
        match UsableCandidate::parse(line.strip_prefix("candidate:").unwrap_or(line)) {
            Ok(candidate) => Self::Usable(candidate),
            Err(fault) => Self::Unusable(fault),
        }
    }
}

impl UsableCandidate {
    /// `foundation component transport priority address port typ type …`, then pairs of names and values.
    fn parse(line: &str) -> Result<Self, CandidateFault> {
        // A line break would start another attribute wherever the candidate is put into a description.
        if line.contains(char::is_control) {
            return Err(CandidateFault::Unparsable);
        }
        let mut fields = line.split(' ').filter(|field| !field.is_empty());
        let mut field = || fields.next().ok_or(CandidateFault::Unparsable);
        let foundation = field()?;
        let component = number(field()?, 1..=256)?;
        let transport = field()?;
        let _priority = number(field()?, 0..=u32::MAX)?;
        let address = field()?;
        let port = number(field()?, 0..=65_535)?;
        let (typ, kind) = (field()?, field()?);
        let is_ice_char = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/');
        if foundation.len() > 32 || !foundation.bytes().all(is_ice_char) || typ != "typ" {
            return Err(CandidateFault::Unparsable);
        }
        if fields.count() % 2 != 0 {
            return Err(CandidateFault::Unparsable);
        }
        Ok(Self {
            transport: CandidateTransport::parse(transport)?,
            kind: CandidateKind::parse(kind)?,
            address: CandidateAddress::parse(address)?,
            port: u16::try_from(port)
                .ok()
                .filter(|port| *port != 0)
                .ok_or(CandidateFault::Port)?,
            component: u16::try_from(component).map_err(|_| CandidateFault::Unparsable)?,
        })
    }
}

/// Takes the candidates out of a session description: what is left, and each with the number of its m-line.
///
/// So they can pass the [`CandidateGate`] like those that come by themselves. Candidates in front of the first m-line
/// mean nothing and stay.
pub fn take_candidates(sdp: &str) -> (String, Vec<(usize, &str)>) {
    let mut rest = String::with_capacity(sdp.len());
    let mut candidates = Vec::new();
    let mut media = 0_usize;
    for line in sdp.split_inclusive('\n') {
        media += usize::from(line.starts_with("m="));
        match line
            .strip_prefix("a=")
            .filter(|line| line.starts_with("candidate"))
        {
            Some(candidate) if media > 0 => candidates.push((media - 1, candidate.trim_end())),
            Some(_) | None => rest.push_str(line),
        }
    }
    (rest, candidates)
}

fn number(field: &str, range: RangeInclusive<u32>) -> Result<u32, CandidateFault> {
    // A sign is not in the grammar, though the standard library's.
    let digits = Some(field).filter(|field| field.bytes().all(|c| c.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .filter(|number| range.contains(number))
        .ok_or(CandidateFault::Unparsable)
}

impl CandidateTransport {
    fn parse(name: &str) -> Result<Self, CandidateFault> {
        match name {
            _ if name.eq_ignore_ascii_case("udp") => Ok(Self::Udp),
            _ if name.eq_ignore_ascii_case("tcp") => Ok(Self::Tcp),
            _ => Err(CandidateFault::Transport),
        }
    }
}

impl CandidateKind {
    const ALL: [(Self, &str); 4] = [
        (Self::Host, "host"),
        (Self::ServerReflexive, "srflx"),
        (Self::PeerReflexive, "prflx"),
        (Self::Relay, "relay"),
    ];

    fn parse(name: &str) -> Result<Self, CandidateFault> {
        let kind = Self::ALL.into_iter().find(|(_, other)| *other == name);
        kind.map(|(kind, _)| kind).ok_or(CandidateFault::Kind)
    }
}

impl CandidateAddress {
    fn parse(address: &str) -> Result<Self, CandidateFault> {
        if let Ok(ip) = address.parse::<IpAddr>() {
            let ip = ip.to_canonical();
            let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
            if ip.is_unspecified() || ip.is_multicast() || is_broadcast {
                return Err(CandidateFault::Address);
            }
            return Ok(Self::Ip(ip));
        }
        let label = address.strip_suffix(".local").ok_or(CandidateFault::HostName)?;
        let is_label_char = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if (1..=63).contains(&label.len()) && label.bytes().all(is_label_char) {
            Ok(Self::Mdns(address.to_owned()))
        } else {
            Err(CandidateFault::HostName)
        }
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
        self.total = self.total.saturating_add(1);
        if self.total > self.limits.total {
            return GateVerdict::End(EndReason::TooManyBadCandidates);
        }
        match Candidate::parse(candidate) {
            Candidate::Usable(candidate) => GateVerdict::Add(candidate),
            Candidate::EndOfCandidates => GateVerdict::EndOfCandidates,
            Candidate::Unusable(fault) => {
                self.unusable = self.unusable.saturating_add(1);
                if self.unusable > self.limits.unusable {
                    GateVerdict::End(EndReason::TooManyBadCandidates)
                } else {
                    GateVerdict::Ignore(fault)
                }
            }
        }
    }

    /// How many unusable ones came.
    pub fn unusable(&self) -> u32 {
        self.unusable
    }
}

impl fmt::Display for CandidateKind {
    /// As in the candidate line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL
            .iter()
            .find(|(kind, _)| kind == self)
            .map_or("", |(_, name)| name);
        f.pad(name)
    }
}

#[cfg(test)]
mod tests;
