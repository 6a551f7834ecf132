//! What waits to be written to a peer: bounded, so that a peer that does not read costs only itself.

use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_tungstenite::tungstenite::Utf8Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};
use weir_protocol::ServerMessage;
use weir_rooms::CloseReason;

/// A peer with more than this in its queue is behind; it is as much as one message can have.
const BEHIND_BYTES: isize = 256 * 1024;

/// A message on its way to one or many peers, serialised once, by whoever needs its text first.
#[derive(Debug)]
pub(crate) struct Outgoing {
    message: ServerMessage,
    text: OnceLock<Utf8Bytes>,
}

impl Outgoing {
    pub(crate) fn new(message: ServerMessage) -> Arc<Self> {
        Arc::new(Self {
            message,
            text: OnceLock::new(),
        })
    }

    /// Logs what is worth knowing of it: never its content.
    pub(crate) fn log(&self) {
        match &self.message {
            ServerMessage::StartSession {
                peer_id, session_id, ..
            } => {
                info!(session = session_id, consumer = peer_id, "session started");
            }
            ServerMessage::EndSession { session_id } | ServerMessage::EndSessionV1_1 { session_id, .. } => {
                info!(session = session_id, "session ended");
            }
            ServerMessage::Error { code, .. } => debug!(code, "refused"),
            ServerMessage::Welcome { .. }
            | ServerMessage::PeerStatusChanged { .. }
            | ServerMessage::SessionStarted { .. }
            | ServerMessage::Peer(_)
            | ServerMessage::List { .. }
            | ServerMessage::ListConsumers { .. } => {}
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.message.kind()
    }

    pub(crate) fn text(&self) -> &Utf8Bytes {
        self.text
            .get_or_init(|| match serde_json::to_string(&self.message) {
                Ok(text) => text.into(),
                Err(error) => {
                    error!(kind = self.kind(), %error, "a message cannot be written as JSON");
                    Utf8Bytes::default()
                }
            })
    }
}

/// What the writer of a socket is given.
#[derive(Debug)]
pub(crate) enum Item {
    Message(Arc<Outgoing>),
    /// Nothing comes after it.
    Close(CloseReason),
}

/// What all queues together may hold. Once they do, the next message for a peer that is behind ends that peer.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: AtomicIsize,
    limit: isize,
}

impl Budget {
    pub(crate) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes: AtomicIsize::new(0),
            limit: to_isize(max_bytes),
        })
    }
}

/// The sending end of a peer's queue.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    items: mpsc::Sender<Item>,
    fill: Arc<Fill>,
}

/// The writer's end of a peer's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    items: mpsc::Receiver<Item>,
    fill: Arc<Fill>,
}

/// A queue for one peer.
pub(crate) fn outbox(max_messages: usize, max_bytes: usize, budget: &Arc<Budget>) -> (Outbox, Queue) {
    let (sender, receiver) = mpsc::channel(max_messages.max(1));
    let fill = Arc::new(Fill {
        bytes: AtomicIsize::new(0),
        limit: to_isize(max_bytes),
        overflow: CancellationToken::new(),
        budget: budget.clone(),
    });
    (
        Outbox {
            items: sender,
            fill: fill.clone(),
        },
        Queue {
            items: receiver,
            fill,
        },
    )
}

impl Outbox {
    /// Queues without waiting. What does not fit makes the queue overflow, which ends its connection; what comes
    /// for a connection that is gone is dropped.
    pub(crate) fn push(&self, item: Item) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.items.try_send(item) {
            self.fill.overflow.cancel();
        }
    }

    /// Accounts for a message's bytes after it was pushed. Apart from `push`, because order matters there and
    /// serialising takes time.
    pub(crate) fn account_for(&self, message: &Outgoing) {
        self.fill.add(to_isize(message.text().len()));
    }
}

impl Queue {
    /// The next thing to write. None once nobody can send any more.
    pub(crate) async fn next(&mut self) -> Option<Item> {
        self.items.recv().await
    }

    /// A message was written.
    pub(crate) fn written(&self, message: &Outgoing) {
        self.fill.subtract(to_isize(message.text().len()));
    }

    /// Cancelled when more was sent than the queue holds.
    pub(crate) fn overflow(&self) -> CancellationToken {
        self.fill.overflow.clone()
    }
}

/// How full one queue is.
#[derive(Debug)]
struct Fill {
    /// May be negative for a moment: a message can be written before it is accounted for.
    bytes: AtomicIsize,
    limit: isize,
    overflow: CancellationToken,
    budget: Arc<Budget>,
}

impl Fill {
    fn add(&self, size: isize) {
        let bytes = self.bytes.fetch_add(size, Ordering::Relaxed) + size;
        let total = self.budget.bytes.fetch_add(size, Ordering::Relaxed) + size;
        if bytes > self.limit || (total > self.budget.limit && bytes > BEHIND_BYTES) {
            self.overflow.cancel();
        }
    }

    fn subtract(&self, size: isize) {
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        self.budget.bytes.fetch_sub(size, Ordering::Relaxed);
    }
}

impl Drop for Fill {
    /// What was never written is no longer held.
    fn drop(&mut self) {
        self.budget
            .bytes
            .fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

fn to_isize(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Arc<Outgoing> {
        Outgoing::new(ServerMessage::Welcome {
            peer_id: "p".repeat(length),
        })
    }

    #[tokio::test]
    async fn a_queue_overflows_by_messages() {
        let (outbox, mut queue) = outbox(2, 1000, &Budget::new(1000));
        outbox.push(Item::Message(message(1)));
        outbox.push(Item::Message(message(1)));
        assert!(!queue.overflow().is_cancelled());
        queue.next().await.unwrap();
        outbox.push(Item::Message(message(1)));
        assert!(!queue.overflow().is_cancelled(), "what was taken makes room");
        outbox.push(Item::Close(CloseReason::ServerFull));
        assert!(queue.overflow().is_cancelled());
    }

    #[test]
    fn a_queue_overflows_by_bytes_and_what_was_written_makes_room() {
        let message = message(1);
        let (outbox, queue) = outbox(1000, message.text().len() * 2, &Budget::new(1000));
        for _ in 0..100 {
            outbox.account_for(&message);
            outbox.account_for(&message);
            queue.written(&message);
            queue.written(&message);
        }
        assert!(!queue.overflow().is_cancelled());
        for _ in 0..3 {
            outbox.account_for(&message);
        }
        assert!(queue.overflow().is_cancelled());
    }

    #[test]
    fn when_all_queues_together_hold_too_much_those_that_are_behind_overflow() {
        let long = message(200_000);
        let budget = Budget::new(500_000);
        let (behind, behind_queue) = outbox(100, 1_000_000, &budget);
        let (prompt, prompt_queue) = outbox(100, 1_000_000, &budget);
        behind.account_for(&long);
        behind.account_for(&long);
        assert!(!behind_queue.overflow().is_cancelled(), "alone it may be behind");
        prompt.account_for(&long);
        assert!(
            !prompt_queue.overflow().is_cancelled(),
            "who is not behind may always have a message"
        );
        behind.account_for(&long);
        assert!(behind_queue.overflow().is_cancelled());

        drop((behind, behind_queue, prompt, prompt_queue));
        assert_eq!(
            budget.bytes.load(Ordering::Relaxed),
            0,
            "nothing is held for queues that are gone"
        );
    }
}
