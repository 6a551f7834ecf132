//! Which producers a listener knows of.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use weir_protocol::Participant;

use super::Event;

/// How many producers are kept track of; those beyond are not told.
const MAX_PRODUCERS: usize = 4096;

/// The producers that the element was told of, each with what its metadata hash to: enough to tell of changes only,
/// also across connections, and little to keep.
#[derive(Default)]
pub(super) struct Directory {
    producers: BTreeMap<String, u64>,
}

impl Directory {
    /// A peer's status changed while we listened. Returns what is new in it.
    pub(super) fn handle_status(
        &mut self,
        peer: String,
        meta: Option<Value>,
        produces: bool,
    ) -> Option<Event> {
        if produces {
            self.note(peer, meta, true)
        } else {
            self.producers
                .remove(&peer)
                .map(|_| Event::ProducerRemoved { peer, meta })
        }
    }

    /// These are the producers that there are. Returns what is new in that.
    pub(super) fn handle_list(&mut self, producers: impl Iterator<Item = Participant>) -> Vec<Event> {
        let listed: BTreeMap<_, _> = producers.map(|one| (one.id, one.meta)).collect();
        let mut events = Vec::new();
        self.producers.retain(|peer, _| {
            let stays = listed.contains_key(peer);
            if !stays {
                let peer = peer.clone();
                events.push(Event::ProducerRemoved { peer, meta: None });
            }
            stays
        });
        events.extend(
            listed
                .into_iter()
                .filter_map(|(peer, meta)| self.note(peer, meta, false)),
        );
        events
    }

    fn note(&mut self, peer: String, meta: Option<Value>, announced: bool) -> Option<Event> {
        let hash = hash(&meta);
        let known = self.producers.get(&peer);
        if known == Some(&hash) {
            return None;
        }
        if known.is_none() && self.producers.len() >= MAX_PRODUCERS {
            tracing::debug!("too many producers: one more is not told");
            return None;
        }
        let new = announced && known.is_none();
        self.producers.insert(peer.clone(), hash);
        Some(Event::ProducerAdded { peer, meta, new })
    }
}

fn hash(meta: &Option<Value>) -> u64 {
    let mut hasher = DefaultHasher::new();
    meta.as_ref().map(Value::to_string).hash(&mut hasher);
    hasher.finish()
}
