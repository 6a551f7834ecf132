//! From a TCP connection to HTTP requests: admission, TLS, time-outs.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::admission::{Admission, Permit, TurnedAway};
use crate::pages::Site;
use crate::{Routes, SignallingState, TimeOuts};

/// How long to leave the listener alone when the operating system has no more sockets to give.
const OUT_OF_SOCKETS_PAUSE: Duration = Duration::from_millis(100);

/// The most that is kept of a request's head.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What all connections of a listener share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: SignallingState,
    pub(crate) routes: Routes,
    pub(crate) site: Option<Site>,
    pub(crate) handshake_headers: HeaderMap,
    pub(crate) time_outs: TimeOuts,
    pub(crate) admission: Arc<Admission>,
    /// Cancelled when connections shall end in good order.
    pub(crate) stop: CancellationToken,
    /// Cancelled when those that have not must go. Cancels `stop` too.
    pub(crate) kill: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// A TCP connection, for as long as anything holds it: HTTP, then maybe a WebSocket.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) address: SocketAddr,
    /// Held for its end.
    _permit: Arc<Permit>,
}

impl Shared {
    /// Runs a task that the listener's end ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let kill = self.kill.clone();
        self.tasks.spawn(async move {
            kill.run_until_cancelled(task).await;
        });
    }
}

/// Accepts connections until the listener is stopped. Whatever a connection does stays within its own task.
pub(crate) async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    router: Router,
) {
    while let Some(accepted) = shared.stop.run_until_cancelled(listener.accept()).await {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let metrics = shared.state.metrics();
        let permit = match shared.admission.admit(address.ip()) {
            Ok(permit) => permit,
            Err(why) => {
                match why {
                    TurnedAway::Total => metrics.turned_away_total.add_one(),
                    TurnedAway::Address => metrics.turned_away_address.add_one(),
                }
                debug!(%address, ?why, "too many connections, one was turned away");
                continue;
            }
        };
        metrics.connections.add_one();
        let connection = Connection {
            address,
            _permit: Arc::new(permit),
        };
        shared.spawn(serve(
            stream,
            tls.clone(),
            connection,
            shared.clone(),
            router.clone(),
        ));
    }
}

/// Some errors concern a connection that is gone already; the others last, and must not make a busy loop.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    warn!(%error, "connections cannot be accepted");
    sleep(OUT_OF_SOCKETS_PAUSE).await;
}

async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    connection: Connection,
    shared: Arc<Shared>,
    router: Router,
) {
    let address = connection.address;
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%address, %error, "small messages may be delayed");
    }
    let Some(tls) = tls else {
        return serve_http(stream, connection, &shared, router).await;
    };
    match timeout(shared.time_outs.handshake, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_http(stream, connection, &shared, router).await,
        Ok(Err(error)) => {
            shared.state.metrics().tls_failed.add_one();
            debug!(%address, %error, "a TLS handshake failed");
        }
        Err(_) => {
            shared.state.metrics().tls_timed_out.add_one();
            debug!(%address, "a TLS handshake took too long");
        }
    }
}

async fn serve_http<S>(stream: S, connection: Connection, shared: &Shared, router: Router)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let address = connection.address;
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(connection.clone());
        router.clone().oneshot(request)
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.time_outs.handshake)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut http = std::pin::pin!(http);

    let served = async {
        match shared.stop.run_until_cancelled(http.as_mut()).await {
            Some(result) => result,
            None => {
                http.as_mut().graceful_shutdown();
                http.as_mut().await
            }
        }
    };
    match timeout(shared.time_outs.http, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%address, %error, "an HTTP connection failed"),
        Err(_) => debug!(%address, "an HTTP connection took too long"),
    }
}
