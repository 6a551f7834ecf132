//! A listener from its start to its end.

use std::future::{Future, pending};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use tokio::net::{TcpListener, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use crate::admission::Admission;
use crate::listener::Shared;
use crate::pages::Site;
use crate::{BindError, Config, http, listener, tls};

/// A server that listens. It accepts nobody before it is [run](Self::run) or [spawned](Self::spawn).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    router: Router,
}

/// A server that runs as a task. Dropping it stops the server too, without waiting for its peers.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    url: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _kill: DropGuard,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Takes the port, reads the certificate and checks the rest of the configuration.
    ///
    /// # Errors
    ///
    /// Says in one sentence what stands in the way.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let site = config.routes.pages.as_ref().map(Site::new).transpose()?;
        let handshake_headers = http::handshake_headers(&config.handshake_headers)?;
        let listener = listen(&config.host, config.port).await?;
        let address = listener.local_addr().map_err(|source| BindError::Listen {
            address: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), config.port),
            source,
        })?;
        let kill = CancellationToken::new();
        let shared = Arc::new(Shared {
            state: config.state,
            routes: config.routes,
            site,
            handshake_headers,
            admission: Admission::new(config.max_connections, config.max_connections_per_address),
            time_outs: config.time_outs,
            stop: kill.child_token(),
            kill,
            tasks: TaskTracker::new(),
        });
        let router = http::router(shared.clone());
        Ok(Self {
            listener,
            address,
            tls,
            shared,
            router,
        })
    }

    /// The address that it listens on, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where a program on this machine connects to for signalling, such as `ws://127.0.0.1:8443/`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}/", reachable(self.address))
    }

    /// Where a browser on this machine finds the pages, if there are any.
    pub fn pages_url(&self) -> Option<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let site = self.shared.site.as_ref()?;
        Some(format!("{scheme}://{}{}", reachable(self.address), site.path()))
    }

    /// Serves until `shutdown` completes, then closes every WebSocket with the code 1001 and waits for that, a
    /// few seconds at most. Peers of other listeners with the same state stay.
    ///
    /// Dropping the future before its end closes everything at once.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self {
            listener,
            address,
            tls,
            shared,
            router,
        } = self;
        let _kill = shared.kill.clone().drop_guard();
        info!(%address, "serving");
        tokio::select! {
            () = listener::accept(listener, tls, shared.clone(), router) => {}
            () = shutdown => {}
        }
        shared.stop.cancel();
        shared.tasks.close();
        // Both ways of a socket's end may take that long, one after the other.
        if timeout(shared.time_outs.closing * 2, shared.tasks.wait())
            .await
            .is_err()
        {
            debug!(%address, "some clients did not close in time");
            shared.kill.cancel();
            shared.tasks.wait().await;
        }
        info!(%address, "stopped");
    }

    /// Serves in a task on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn spawn(self) -> Handle {
        let (address, url) = (self.address, self.url());
        let (stop, kill) = (self.shared.stop.clone(), self.shared.kill.clone().drop_guard());
        let task = tokio::spawn(self.run(pending()));
        Handle {
            address,
            url,
            stop,
            task,
            _kill: kill,
        }
    }
}

impl Handle {
    /// The address that the server listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// See [`Server::url`].
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes every WebSocket with the code 1001, waits for that, a few seconds at most, and frees the port.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the server's task failed");
        }
    }
}

async fn listen(host: &str, port: u16) -> Result<TcpListener, BindError> {
    let unknown = |source| BindError::UnknownHost {
        host: host.to_owned(),
        source,
    };
    // An IPv6 address may come in the brackets that it has in a URL.
    let name = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let addresses = lookup_host((name, port)).await.map_err(unknown)?;
    let mut last = unknown(io::Error::from(io::ErrorKind::NotFound));
    for address in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(source) => last = cannot_listen(address, source),
        }
    }
    Err(last)
}

fn cannot_listen(address: SocketAddr, source: io::Error) -> BindError {
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::PortTaken { address },
        io::ErrorKind::AddrNotAvailable => BindError::ForeignAddress { address },
        io::ErrorKind::PermissionDenied => BindError::Forbidden { address },
        _ => BindError::Listen { address, source },
    }
}

/// The address by which this machine reaches a listener: nobody connects to "every address".
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
