//! The names of things. Each kind of id is a type of its own, so that none can be passed for another.

use std::fmt;

use rand::RngCore;
use uuid::Uuid;

/// One connection to the server, numbered by its shell. Later connections have higher numbers: lists are in the
/// order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A peer, as other peers know it: a random UUID (version 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Uuid);

/// A session between two peers: a random UUID (version 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

impl PeerId {
    /// The id that a message names, unless it is none that this server could have given.
    pub(crate) fn from_wire(text: &str) -> Option<Self> {
        parse(text).map(Self)
    }

    pub(crate) fn random(rng: &mut impl RngCore) -> Self {
        Self(random(rng))
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SessionId {
    /// The id that a message names, unless it is none that this server could have given.
    pub(crate) fn from_wire(text: &str) -> Option<Self> {
        parse(text).map(Self)
    }

    pub(crate) fn random(rng: &mut impl RngCore) -> Self {
        Self(random(rng))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// UUIDs have several spellings; the wire has one, and an id is what was given out, to the letter.
fn parse(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    (uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text).then_some(uuid)
}

fn random(rng: &mut impl RngCore) -> Uuid {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_recognised_only_as_it_was_spelled() {
        let text = "0b7c0a36-5a0c-4d53-9d0c-1f0a6b8f6a11";
        assert_eq!(PeerId::from_wire(text).unwrap().to_string(), text);
        for other in [
            text.to_uppercase(),
            format!("{{{text}}}"),
            text.replace('-', ""),
            format!("urn:uuid:{text}"),
        ] {
            assert_eq!(PeerId::from_wire(&other), None, "{other}");
        }
    }
}
