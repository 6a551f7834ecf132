//! One peer's WebSocket: reads, writes, pings, and an end that the peer can understand.

use std::sync::{Mutex, PoisonError};

use async_tungstenite::tokio::TokioAdapter;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Bytes, Error, Message, error::ProtocolError};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, sleep_until, timeout};
use tracing::{Instrument, debug, info, info_span, trace};
use weir_protocol::{MAX_MESSAGE_BYTES, ParseError, parse_client_message};
use weir_rooms::{CloseReason, ConnectionId, Departure, Keepalive, KeepaliveAction};

use crate::listener::{Connection, Shared};
use crate::metrics::ENDS;
use crate::outbox::{Item, Queue};
use crate::{SignallingState, TimeOuts};

type Stream = TokioAdapter<TokioIo<Upgraded>>;

/// The most that is read and thrown away from a peer that goes on sending after it was told to stop.
const MAX_DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// Serves a peer until either side is done with it.
pub(crate) async fn serve(socket: WebSocketStream<Stream>, shared: &Shared, connection: Connection) {
    let (id, peer, queue) = shared.state.connect();
    let span = info_span!("peer", id = peer);
    async {
        info!("connected");
        debug!(address = %connection.address, "its address");
        let mut presence = Presence {
            state: &shared.state,
            id,
            departure: Departure::Lost,
        };
        let (mut sender, mut receiver) = socket.split();
        let end = until_the_end(&mut sender, &mut receiver, queue, shared, id).await;
        presence.departure = end.departure();
        drop(presence);
        shared.state.metrics().ended[end.metric()].add_one();
        info!(reason = %end, "disconnected");

        if let Ok(socket) = WebSocketStream::reunite(sender, receiver) {
            close(socket, &end, &shared.time_outs).await;
        }
    }
    .instrument(span)
    .await;
}

/// A peer's place in the state, given up when the socket's task ends, however that happens.
struct Presence<'a> {
    state: &'a SignallingState,
    id: ConnectionId,
    departure: Departure,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.state.disconnect(self.id, self.departure);
    }
}

/// Why a socket ends.
#[derive(Debug)]
enum End {
    /// The peer closed it.
    ClosedByPeer,
    /// The connection broke.
    Lost(String),
    /// Nothing came back for too long.
    Silent,
    /// It does not read what it is sent.
    Slow,
    /// What it sends is no WebSocket.
    Invalid { code: CloseCode, error: String },
    /// The machine wants it gone.
    Refused(CloseReason),
    /// The server stops.
    Stopping,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClosedByPeer => f.write_str("closed by the peer"),
            Self::Lost(error) => write!(f, "connection lost: {error}"),
            Self::Silent => f.write_str("no answer to pings"),
            Self::Slow => f.write_str("does not read what it is sent"),
            Self::Invalid { error, .. } => write!(f, "no valid WebSocket: {error}"),
            Self::Refused(reason) => f.write_str(reason.as_str()),
            Self::Stopping => f.write_str("the server stops"),
        }
    }
}

impl End {
    fn departure(&self) -> Departure {
        match self {
            Self::ClosedByPeer | Self::Stopping => Departure::InOrder,
            Self::Lost(_) | Self::Silent | Self::Slow | Self::Invalid { .. } | Self::Refused(_) => {
                Departure::Lost
            }
        }
    }

    /// The index in [`ENDS`].
    fn metric(&self) -> usize {
        const { assert!(ENDS.len() == 7) };
        match self {
            Self::ClosedByPeer => 0,
            Self::Lost(_) => 1,
            Self::Silent => 2,
            Self::Slow => 3,
            Self::Invalid { .. } => 4,
            Self::Refused(_) => 5,
            Self::Stopping => 6,
        }
    }

    /// What the peer is told, unless it closed first or cannot be reached.
    fn close_frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::ClosedByPeer | Self::Lost(_) => return None,
            Self::Silent => (CloseCode::Policy, "no answer to pings"),
            Self::Slow => (CloseCode::Policy, "too slow"),
            Self::Invalid { code, .. } => (*code, "invalid"),
            Self::Refused(reason) => (reason.websocket_code().into(), reason.as_str()),
            Self::Stopping => (CloseCode::Away, "the server stops"),
        };
        Some(CloseFrame {
            code,
            reason: reason.into(),
        })
    }
}

/// Reads and writes at the same time, so that neither waits for the other.
async fn until_the_end(
    sender: &mut WebSocketSender<Stream>,
    receiver: &mut WebSocketReceiver<Stream>,
    queue: Queue,
    shared: &Shared,
    id: ConnectionId,
) -> End {
    let keepalive = Mutex::new(shared.state.keepalive());
    let overflow = queue.overflow();
    tokio::select! {
        end = read(receiver, &shared.state, id, &keepalive, &shared.time_outs) => end,
        end = write(sender, queue, &shared.state, &keepalive, &shared.time_outs) => end,
        () = overflow.cancelled() => End::Slow,
        () = shared.stop.cancelled() => End::Stopping,
    }
}

async fn read(
    receiver: &mut WebSocketReceiver<Stream>,
    state: &SignallingState,
    id: ConnectionId,
    keepalive: &Mutex<Keepalive>,
    time_outs: &TimeOuts,
) -> End {
    loop {
        let message = match receiver.next().await {
            Some(Ok(message)) => message,
            Some(Err(Error::Capacity(error))) => {
                debug!(%error, "a message is too long");
                state.receive(id, Err(ParseError::TooLong), MAX_MESSAGE_BYTES);
                // The machine answers with an error and the end, which the writer writes.
                sleep(time_outs.closing).await;
                return End::Refused(CloseReason::MessageTooLong);
            }
            Some(Err(error)) => return end_of(error),
            None => return End::ClosedByPeer,
        };
        with(keepalive, |keepalive| keepalive.handle_heard(state.now()));
        match message {
            Message::Text(text) => {
                trace!(%text, "received");
                let parsed = parse_client_message(&text);
                match &parsed {
                    Ok(message) => debug!(kind = message.kind(), "received"),
                    Err(error) => debug!(code = %error.code(), "received what is no message"),
                }
                state.receive(id, parsed, text.len());
            }
            Message::Binary(data) => state.receive(id, Err(ParseError::NotText), data.len()),
            Message::Close(_) => return End::ClosedByPeer,
            // Pings are answered by the library.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

fn end_of(error: Error) -> End {
    match error {
        Error::Utf8(error) => End::Invalid {
            code: CloseCode::Invalid,
            error,
        },
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            End::Lost("closed without a word".to_owned())
        }
        Error::Protocol(error) => End::Invalid {
            code: CloseCode::Protocol,
            error: error.to_string(),
        },
        error => End::Lost(error.to_string()),
    }
}

async fn write(
    sender: &mut WebSocketSender<Stream>,
    mut queue: Queue,
    state: &SignallingState,
    keepalive: &Mutex<Keepalive>,
    time_outs: &TimeOuts,
) -> End {
    loop {
        let wake_up = state.instant(with(keepalive, |keepalive| keepalive.poll_timeout()));
        let item = tokio::select! {
            item = queue.next() => item,
            () = sleep_until(wake_up) => {
                match with(keepalive, |keepalive| keepalive.handle_timeout(state.now())) {
                    Some(KeepaliveAction::GiveUp) => return End::Silent,
                    Some(KeepaliveAction::SendPing) => {
                        if let Err(end) = send(sender, Message::Ping(Bytes::new()), time_outs).await {
                            return end;
                        }
                    }
                    None => {}
                }
                continue;
            }
        };
        match item {
            Some(Item::Message(message)) => {
                debug!(kind = message.kind(), "sending");
                trace!(text = %message.text(), "sending");
                if let Err(end) = send(sender, Message::Text(message.text().clone()), time_outs).await {
                    return end;
                }
                queue.written(&message);
                with(keepalive, |keepalive| keepalive.handle_sent(state.now()));
            }
            Some(Item::Close(reason)) => return End::Refused(reason),
            // The state forgets a connection only when its task ends.
            None => return End::Stopping,
        }
    }
}

async fn send(
    sender: &mut WebSocketSender<Stream>,
    message: Message,
    time_outs: &TimeOuts,
) -> Result<(), End> {
    match timeout(time_outs.write, sender.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => Err(End::ClosedByPeer),
        Ok(Err(Error::Protocol(ProtocolError::SendAfterClosing))) => Err(End::ClosedByPeer),
        Ok(Err(error)) => Err(End::Lost(error.to_string())),
        Err(_) => Err(End::Slow),
    }
}

/// Says goodbye, waits for the peer to do the same, and closes the TCP connection so that nothing that was
/// written is lost: closing it with input unread would throw away what the peer has not read yet. The rest of a
/// message that is too long is such input, and no goodbye will be found in it.
async fn close(mut socket: WebSocketStream<Stream>, end: &End, time_outs: &TimeOuts) {
    if matches!(end, End::Lost(_)) {
        return;
    }
    let closing = async {
        match end.close_frame() {
            Some(frame) => socket.close(Some(frame)).await.ok()?,
            // The reply to the peer's close frame is queued already.
            None => socket.flush().await.ok()?,
        }
        let mut both_said_goodbye = matches!(end, End::ClosedByPeer);
        while let Some(Ok(message)) = socket.next().await {
            both_said_goodbye |= message.is_close();
        }
        let mut stream = socket.into_inner().into_inner();
        stream.shutdown().await.ok()?;
        if !both_said_goodbye {
            discard(&mut stream).await;
        }
        Some(())
    };
    if timeout(time_outs.closing, closing).await.is_err() {
        debug!("did not close in time");
    }
}

async fn discard(stream: &mut TokioIo<Upgraded>) {
    let mut buffer = [0; 4096];
    let mut discarded = 0;
    while discarded < MAX_DISCARDED_BYTES {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => discarded += count,
        }
    }
}

fn with<T>(keepalive: &Mutex<Keepalive>, action: impl FnOnce(&mut Keepalive) -> T) -> T {
    action(&mut keepalive.lock().unwrap_or_else(PoisonError::into_inner))
}
