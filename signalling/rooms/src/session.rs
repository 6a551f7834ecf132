//! The sessions that last.

use std::collections::BTreeMap;

use crate::{ConnectionId, SessionId};

/// A session between two peers, which may be the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) producer: ConnectionId,
    pub(crate) consumer: ConnectionId,
    /// Its place in the order of sessions.
    serial: u64,
}

impl Session {
    /// Who the other member is; none if `member` is no member.
    pub(crate) fn other(&self, member: ConnectionId) -> Option<ConnectionId> {
        if self.producer == member {
            Some(self.consumer)
        } else if self.consumer == member {
            Some(self.producer)
        } else {
            None
        }
    }
}

/// The sessions, findable by id and by member.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
    /// For each session one entry per member, in the order in which a member's sessions were started.
    by_member: BTreeMap<(ConnectionId, u64), Membership>,
    next_serial: u64,
}

#[derive(Clone, Copy, Debug)]
struct Membership {
    session: SessionId,
    /// Whether this member asked for the session.
    started: bool,
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Session> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn start(
        &mut self,
        id: SessionId,
        producer: ConnectionId,
        consumer: ConnectionId,
        started_by: ConnectionId,
    ) {
        let serial = self.next_serial;
        self.next_serial += 1;
        self.by_id.insert(
            id,
            Session {
                producer,
                consumer,
                serial,
            },
        );
        for member in [producer, consumer] {
            self.by_member.insert(
                (member, serial),
                Membership {
                    session: id,
                    started: member == started_by,
                },
            );
        }
    }

    pub(crate) fn end(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        for member in [session.producer, session.consumer] {
            self.by_member.remove(&(member, session.serial));
        }
        Some(session)
    }

    /// A member's sessions, oldest first.
    pub(crate) fn of(&self, member: ConnectionId) -> Vec<SessionId> {
        self.memberships(member)
            .map(|membership| membership.session)
            .collect()
    }

    /// How many sessions a peer is a member of.
    pub(crate) fn count(&self, member: ConnectionId) -> usize {
        self.memberships(member).count()
    }

    /// How many of a peer's sessions it started itself.
    pub(crate) fn count_started(&self, member: ConnectionId) -> usize {
        self.memberships(member)
            .filter(|membership| membership.started)
            .count()
    }

    /// Entries over all indices: what grows, if anything does.
    pub(crate) fn footprint(&self) -> usize {
        self.by_id.len() + self.by_member.len()
    }

    fn memberships(&self, member: ConnectionId) -> impl Iterator<Item = &Membership> {
        self.by_member
            .range((member, 0)..=(member, u64::MAX))
            .map(|(_, membership)| membership)
    }
}
