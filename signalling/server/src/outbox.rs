//! What waits to be written to a peer: bounded, so that a peer that does not read costs only itself.

use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_tungstenite::tungstenite::Utf8Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use weir_protocol::ServerMessage;
use weir_rooms::CloseReason;

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

    pub(crate) fn kind(&self) -> &'static str {
        self.message.kind()
    }

    pub(crate) fn text(&self) -> &Utf8Bytes {
        self.text
            .get_or_init(|| match serde_json::to_string(&self.message) {
                Ok(text) => text.into(),
                Err(error) => {
                    tracing::error!(kind = self.kind(), %error, "a message cannot be written as JSON");
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

/// The sending end.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    items: mpsc::Sender<Item>,
    fill: Arc<Fill>,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Queue {
    items: mpsc::Receiver<Item>,
    fill: Arc<Fill>,
}

#[derive(Debug)]
struct Fill {
    /// May be negative for a moment: a message can be written before it is accounted for.
    bytes: AtomicIsize,
    limit: isize,
    overflow: CancellationToken,
}

pub(crate) fn outbox(max_messages: usize, max_bytes: usize) -> (Outbox, Queue) {
    let (sender, receiver) = mpsc::channel(max_messages.max(1));
    let fill = Arc::new(Fill {
        bytes: AtomicIsize::new(0),
        limit: isize::try_from(max_bytes).unwrap_or(isize::MAX),
        overflow: CancellationToken::new(),
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
        let size = size_of(message);
        if self.fill.bytes.fetch_add(size, Ordering::Relaxed) + size > self.fill.limit {
            self.fill.overflow.cancel();
        }
    }
}

impl Queue {
    /// The next thing to write. None once nobody can send any more.
    pub(crate) async fn next(&mut self) -> Option<Item> {
        self.items.recv().await
    }

    /// A message was written.
    pub(crate) fn written(&self, message: &Outgoing) {
        self.fill.bytes.fetch_sub(size_of(message), Ordering::Relaxed);
    }

    /// Cancelled when more was sent than the queue holds.
    pub(crate) fn overflow(&self) -> CancellationToken {
        self.fill.overflow.clone()
    }
}

fn size_of(message: &Outgoing) -> isize {
    isize::try_from(message.text().len()).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Arc<Outgoing> {
        Outgoing::new(ServerMessage::Welcome {
            peer_id: "p".to_owned(),
        })
    }

    #[tokio::test]
    async fn a_queue_overflows_by_messages() {
        let (outbox, mut queue) = outbox(2, 1000);
        outbox.push(Item::Message(message()));
        outbox.push(Item::Message(message()));
        assert!(!queue.overflow().is_cancelled());
        queue.next().await.unwrap();
        outbox.push(Item::Message(message()));
        assert!(!queue.overflow().is_cancelled(), "what was taken makes room");
        outbox.push(Item::Close(CloseReason::ServerFull));
        assert!(queue.overflow().is_cancelled());
    }

    #[test]
    fn a_queue_overflows_by_bytes_and_what_was_written_makes_room() {
        let message = message();
        let (outbox, queue) = outbox(1000, message.text().len() * 2);
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
}
