//! The signalling server as a program.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;
use tracing_subscriber::EnvFilter;
use weir_signalling_server::{
    Config, Limits, Pages, PagesSource, Routes, Server, SignallingConfig, SignallingState, Tls,
};

/// A signalling server for WebRTC, with pages to watch and publish with a browser.
///
/// Producers, consumers and listeners connect with WebSockets, on any path. The same port serves the pages,
/// /health and /metrics. SIGTERM and SIGINT stop it.
#[derive(Debug, Parser)]
#[command(name = "weir-server", version)]
struct Arguments {
    /// Address or name to listen on; 0.0.0.0 is every IPv4 address of this machine.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,

    /// Port to listen on; 0 takes any that is free.
    #[arg(long, default_value_t = 8443)]
    port: u16,

    /// PEM file with the certificate chain; makes it wss and https.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// PEM file with the certificate's key.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Serve this folder instead of the pages that are built in.
    #[arg(long, value_name = "DIR", conflicts_with = "no_pages")]
    pages: Option<PathBuf>,

    /// Serve no pages.
    #[arg(long)]
    no_pages: bool,

    /// Path under which the pages are served.
    #[arg(long, value_name = "PATH", default_value = "/")]
    pages_path: String,

    /// Where the pages connect to, if not to where they came from.
    #[arg(long, value_name = "URL")]
    signalling_url: Option<String>,

    /// Header added to the response that makes a WebSocket; may be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(String, String)>,

    /// Peers connected at once.
    #[arg(long, value_name = "N", default_value_t = Limits::default().peers)]
    max_peers: usize,

    /// Sessions of one peer at once.
    #[arg(long, value_name = "N", default_value_t = Limits::default().sessions_per_peer)]
    max_sessions_per_peer: usize,

    /// TCP connections at once.
    #[arg(long, value_name = "N", default_value_t = 8192)]
    max_connections: usize,

    /// TCP connections at once from one address; this machine is exempt.
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_connections_per_address: usize,

    /// What is logged to standard error: error, warn, info, debug, trace, or a filter such as
    /// weir_signalling_server=debug. Session descriptions appear in trace only.
    #[arg(long, value_name = "FILTER", env = "WEIR_LOG", default_value = "info")]
    log: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = match EnvFilter::try_new(&arguments.log) {
        Ok(filter) => filter,
        Err(error) => return fail(&format!("'{}' is no filter for the log: {error}", arguments.log)),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("The threads cannot be started: {error}")),
    };
    match runtime.block_on(run(arguments.into_config())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => fail(&sentence),
    }
}

async fn run(config: Config) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let server = Server::bind(config).await.map_err(|error| error.to_string())?;
    info!(url = server.url(), "signalling");
    if let Some(url) = server.pages_url() {
        info!(url, "pages");
    }
    announce(&server.url());
    server
        .run(async {
            tokio::select! {
                _ = terminate.recv() => info!("SIGTERM"),
                _ = interrupt.recv() => info!("SIGINT"),
            }
        })
        .await;
    Ok(())
}

/// The line that programs wait for. Nobody may be reading.
fn announce(url: &str) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "listening on {url}").and_then(|()| stdout.flush());
}

fn fail(sentence: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "weir-server: {sentence}");
    ExitCode::FAILURE
}

impl Arguments {
    fn into_config(self) -> Config {
        let limits = Limits {
            peers: self.max_peers,
            sessions_per_peer: self.max_sessions_per_peer,
            ..Limits::default()
        };
        let state = SignallingState::new(SignallingConfig {
            limits,
            ..SignallingConfig::default()
        });
        let pages = (!self.no_pages).then_some(Pages {
            source: self.pages.map_or(PagesSource::Embedded, PagesSource::Folder),
            path: self.pages_path,
            signalling_url: self.signalling_url,
        });
        Config {
            host: self.host,
            port: self.port,
            tls: self
                .cert
                .zip(self.key)
                .map(|(certificate, key)| Tls { certificate, key }),
            routes: Routes {
                signalling: true,
                pages,
            },
            handshake_headers: self.headers,
            max_connections: self.max_connections,
            max_connections_per_address: self.max_connections_per_address,
            ..Config::new(state)
        }
    }
}

fn parse_header(field: &str) -> Result<(String, String), String> {
    match field.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err("a header is a name, a colon and a value".to_owned()),
    }
}
