//! Why a server cannot be started.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Why a server cannot listen. Each is one sentence that names what to change.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The host is neither an address nor a name that resolves to one.
    #[error("The host '{host}' cannot be resolved: {source}")]
    UnknownHost {
        /// What was asked for.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Another program listens there.
    #[error("Port {} of {} is taken by another program", .address.port(), .address.ip())]
    PortTaken {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The address is none of this machine's.
    #[error("{} is not an address of this machine", .address.ip())]
    ForeignAddress {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The port is reserved to others.
    #[error("Port {} may not be used by this user", .address.port())]
    Forbidden {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Anything else that the operating system objects to.
    #[error("Cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The certificate's or key's file cannot be read, or holds none.
    #[error("The {what} in {} cannot be read: {reason}", .path.display())]
    Pem {
        /// `certificate` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The certificate and the key cannot be used, or not together.
    #[error("The certificate and key cannot be used: {0}")]
    Certificate(#[source] rustls::Error),
    /// The folder of the pages is none.
    #[error("The pages' folder {} does not exist", .path.display())]
    NoPages {
        /// The folder.
        path: PathBuf,
    },
    /// The pages' path is none that a URL can have.
    #[error("'{path}' is no path for pages")]
    PagesPath {
        /// The path.
        path: String,
    },
    /// A header field of the handshake's response is none, or one that the handshake needs itself.
    #[error("'{name}' cannot be a header of the WebSocket handshake")]
    Header {
        /// The field's name.
        name: String,
    },
}
