//! The task that owns a running client: socket, timer, wishes. It decides nothing about signalling.
//!
//! There is one queue to the server and one to the element, so messages and signals keep their order. Neither may
//! stop the task: a server that takes nothing fills a bounded queue and is hung up on; an element that is slow
//! to handle a signal makes the task stop reading from the server, and nothing else.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_tungstenite::tokio::ClientStream;
use async_tungstenite::tungstenite::{Error as WsError, Message, protocol::CloseFrame};
use async_tungstenite::{WebSocketReceiver, WebSocketSender};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use weir_protocol::{Ice, Sdp};

use super::client::{Client, Command, Config, Event};
use super::connector::{Connector, SettingsError, Socket, describe};

/// How many messages may wait for a server that does not take them.
const OUTGOING: usize = 1024;
/// How many events the delivery may lag behind before reading from the server pauses.
const EVENTS: usize = 64;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_millis(300);
/// How long `stop` waits for it.
const STOP: Duration = Duration::from_millis(500);

/// What the element wants, or answers.
#[derive(Debug)]
pub(super) enum Wish {
    SendDescription { session: String, sdp: Sdp },
    SendCandidate { session: String, ice: Ice },
    EndSession { session: String, error: Option<String> },
    SessionConnected { session: String },
    Meta(Option<Value>),
    BadDescription { session: String, announced: bool },
    Stop,
}

/// A started signaller. Dropping it stops it without waiting.
pub(super) struct Run {
    wishes: mpsc::UnboundedSender<Wish>,
    live: Arc<AtomicBool>,
    finished: std::sync::mpsc::Receiver<()>,
    task: JoinHandle<()>,
}

/// The delivery's end of a [`Run`].
pub(super) struct Outlet {
    pub(super) events: mpsc::Receiver<Event>,
    /// Weak, so that a signaller that is dropped without having been stopped ends.
    pub(super) wishes: mpsc::WeakUnboundedSender<Wish>,
    /// Cleared when the signaller is stopped: nothing is to be emitted any more.
    pub(super) live: Arc<AtomicBool>,
}

impl Run {
    /// Starts a client; `prepare` reads files, so it runs where that may take time.
    pub(super) fn start(
        runtime: &Handle,
        config: Config,
        prepare: impl FnOnce() -> Result<Connector, SettingsError> + Send + 'static,
    ) -> (Self, Outlet) {
        let (wishes, wished) = mpsc::unbounded_channel();
        let (events, delivered) = mpsc::channel(EVENTS);
        let (finished, finish) = std::sync::mpsc::channel();
        let live = Arc::new(AtomicBool::new(true));
        let shell = Shell {
            epoch: Instant::now(),
            client: Client::new(config, rand::random(), Duration::ZERO),
            wishes: wished,
            events,
            unsent: VecDeque::new(),
            line: Line::Down,
            live: live.clone(),
        };
        let outlet = Outlet {
            events: delivered,
            wishes: wishes.downgrade(),
            live: live.clone(),
        };
        let task = runtime.spawn(shell.run(prepare, finished));
        (
            Self {
                wishes,
                live,
                finished: finish,
                task,
            },
            outlet,
        )
    }

    pub(super) fn wish(&self, wish: Wish) {
        // An error means that the client gave up, and told the element.
        let _ = self.wishes.send(wish);
    }

    /// Whether the client gave up by itself.
    pub(super) fn is_over(&self) -> bool {
        self.wishes.is_closed()
    }

    /// Lets nothing more be emitted, but for a signal whose handlers run already.
    pub(super) fn silence(&self) {
        self.live.store(false, Ordering::SeqCst);
    }

    /// Ends all sessions and closes the connection, within half a second.
    pub(super) fn stop(self) {
        self.silence();
        self.wish(Wish::Stop);
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = self.finished.recv_timeout(STOP) {
            self.task.abort();
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.silence();
    }
}

/// The connection, as far as it has come.
enum Line {
    Down,
    Opening(Pin<Box<dyn Future<Output = Result<Socket, String>> + Send>>),
    Up {
        reader: WebSocketReceiver<ClientStream<TcpStream>>,
        outgoing: mpsc::Sender<Message>,
        writer: Writer,
    },
}

/// The task that writes; it ends with this.
struct Writer(JoinHandle<Result<(), WsError>>);

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What happened on the line.
enum Fact {
    Opened(Box<Socket>),
    Text(String),
    Traffic,
    Closed(String),
}

/// What the task was waiting for.
enum Happened {
    Wished(Wish),
    Fact(Fact),
    TimeCame,
}

struct Shell {
    epoch: Instant,
    client: Client,
    wishes: mpsc::UnboundedReceiver<Wish>,
    events: mpsc::Sender<Event>,
    /// Events that the delivery has no room for; all of them from one fact, for while there are any nothing is read.
    unsent: VecDeque<Event>,
    line: Line,
    live: Arc<AtomicBool>,
}

impl Shell {
    async fn run(
        mut self,
        prepare: impl FnOnce() -> Result<Connector, SettingsError> + Send + 'static,
        finished: std::sync::mpsc::Sender<()>,
    ) {
        let connector = match tokio::task::spawn_blocking(prepare).await {
            Ok(Ok(connector)) => Some(connector),
            Ok(Err(error)) => {
                self.client
                    .handle_misconfigured(&format!("The signaller cannot be used: {error}"));
                None
            }
            Err(_) => None,
        };
        while self.execute(connector.as_ref()) {
            self.wait().await;
        }
        self.farewell().await;
        // Nobody waits any more: the last events may take as long as the element needs.
        drop(finished);
        self.wishes.close();
        for event in std::mem::take(&mut self.unsent) {
            if !self.live.load(Ordering::SeqCst) || self.events.send(event).await.is_err() {
                break;
            }
        }
    }

    /// Carries out the client's commands; false when there will be no more.
    fn execute(&mut self, connector: Option<&Connector>) -> bool {
        while let Some(command) = self.client.poll_command() {
            match command {
                Command::Dial => {
                    self.line = match connector {
                        Some(connector) => Line::Opening(Box::pin(connector.clone().connect())),
                        None => Line::Down,
                    };
                }
                Command::HangUp => self.line = Line::Down,
                Command::Send(message) => match serde_json::to_string(&message) {
                    Ok(text) => self.send(Message::text(text)),
                    Err(error) => tracing::warn!(%error, "a message has no JSON form"),
                },
                Command::Ping => self.send(Message::Ping(Default::default())),
                Command::Emit(event) => self.unsent.push_back(event),
                Command::Finish => return false,
            }
        }
        true
    }

    /// Waits until something happens and feeds it to the client.
    async fn wait(&mut self) {
        let wake_up = self.client.poll_timeout().map(|at| self.epoch + at);
        let happened = tokio::select! {
            biased;
            wish = self.wishes.recv() => Happened::Wished(wish.unwrap_or(Wish::Stop)),
            room = self.events.reserve(), if !self.unsent.is_empty() => match (room, self.unsent.pop_front()) {
                (Ok(room), Some(event)) => {
                    room.send(event);
                    return;
                }
                // The delivery is gone, and so is the object.
                (Ok(_) | Err(_), _) => Happened::Wished(Wish::Stop),
            },
            fact = next_fact(&mut self.line), if self.unsent.is_empty() => Happened::Fact(fact),
            () = sleep(wake_up) => Happened::TimeCame,
        };
        let now = self.now();
        match happened {
            Happened::Wished(wish) => self.handle_wish(wish, now),
            Happened::Fact(fact) => self.handle_fact(fact, now),
            Happened::TimeCame => {
                if !self.unsent.is_empty() {
                    // We are not reading, so the silence is ours and not the server's.
                    self.client.handle_traffic(now);
                }
                self.client.handle_timeout(now);
            }
        }
    }

    fn handle_wish(&mut self, wish: Wish, now: Duration) {
        match wish {
            Wish::SendDescription { session, sdp } => self.client.send_description(&session, sdp, now),
            Wish::SendCandidate { session, ice } => self.client.send_candidate(&session, ice),
            Wish::EndSession { session, error } => self.client.end_session(&session, error.as_deref(), now),
            Wish::SessionConnected { session } => self.client.session_connected(&session),
            Wish::Meta(meta) => self.client.handle_meta(meta, now),
            Wish::BadDescription { session, announced } => {
                self.client.handle_bad_description(&session, announced, now);
            }
            Wish::Stop => self.client.stop(),
        }
    }

    fn handle_fact(&mut self, fact: Fact, now: Duration) {
        match fact {
            Fact::Opened(socket) => {
                let (sender, reader) = (*socket).split();
                let (outgoing, queue) = mpsc::channel(OUTGOING);
                let writer = Writer(tokio::spawn(write(sender, queue)));
                self.line = Line::Up {
                    reader,
                    outgoing,
                    writer,
                };
                self.client.handle_connected(now);
            }
            Fact::Text(text) => self.client.handle_text(&text, now),
            Fact::Traffic => self.client.handle_traffic(now),
            Fact::Closed(reason) => {
                self.line = Line::Down;
                self.client.handle_closed(&reason, now);
            }
        }
    }

    fn send(&mut self, message: Message) {
        let Line::Up { outgoing, .. } = &self.line else {
            return;
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = outgoing.try_send(message) {
            self.line = Line::Down;
            let now = self.now();
            self.client.handle_closed("it takes no messages", now);
        }
        // A writer that is gone is noticed as a fact.
    }

    /// Sends what is left, says goodbye and waits for the server to do so too: to close a socket while there is
    /// something to read can make the other end lose what was sent.
    async fn farewell(&mut self) {
        if let Line::Up {
            mut reader,
            outgoing,
            mut writer,
        } = std::mem::replace(&mut self.line, Line::Down)
        {
            drop(outgoing);
            let _ = timeout(FAREWELL, async {
                let _ = (&mut writer.0).await;
                while let Some(Ok(_)) = reader.next().await {}
            })
            .await;
        }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }
}

async fn next_fact(line: &mut Line) -> Fact {
    match line {
        Line::Down => pending().await,
        Line::Opening(opening) => match opening.await {
            Ok(socket) => Fact::Opened(Box::new(socket)),
            Err(reason) => Fact::Closed(reason),
        },
        Line::Up { reader, writer, .. } => tokio::select! {
            frame = reader.next() => match frame {
                Some(Ok(Message::Text(text))) => Fact::Text(text.to_string()),
                Some(Ok(Message::Close(frame))) => Fact::Closed(farewell_of(frame)),
                Some(Ok(_)) => Fact::Traffic,
                Some(Err(error)) => Fact::Closed(describe(&error)),
                None => Fact::Closed(describe(&WsError::ConnectionClosed)),
            },
            written = &mut writer.0 => match written {
                Ok(Err(error)) => Fact::Closed(describe(&error)),
                Ok(Ok(())) | Err(_) => Fact::Closed(describe(&WsError::ConnectionClosed)),
            },
        },
    }
}

fn farewell_of(frame: Option<CloseFrame>) -> String {
    match frame {
        Some(frame) if !frame.reason.is_empty() => {
            let reason: String = frame
                .reason
                .chars()
                .filter(|char| !char.is_control())
                .take(120)
                .collect();
            format!("it closed the connection: {reason}")
        }
        Some(_) | None => describe(&WsError::ConnectionClosed),
    }
}

async fn write(
    mut socket: WebSocketSender<ClientStream<TcpStream>>,
    mut queue: mpsc::Receiver<Message>,
) -> Result<(), WsError> {
    while let Some(message) = queue.recv().await {
        socket.send(message).await?;
    }
    socket.close(None).await
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => pending().await,
    }
}
