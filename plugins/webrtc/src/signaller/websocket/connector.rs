//! Opening a WebSocket: TCP, TLS, the HTTP upgrade.

use std::sync::Arc;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{ClientStream, client_async_tls_with_connector_and_config};
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::error::Error as WsError;
use async_tungstenite::tungstenite::handshake::client::Request;
use async_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use rustls::CertificateError;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::tls::{self, Trust, TrustError};

/// The largest message that is read. Servers forward descriptions and lists of producers.
const MAX_MESSAGE: usize = 1 << 20;

pub(super) type Socket = WebSocketStream<ClientStream<TcpStream>>;

/// What in the settings makes connecting impossible.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("the header {name:?} cannot be sent")]
    Header { name: String },
    #[error("the URI cannot be used: {0}")]
    Request(WsError),
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Everything that dialling needs, checked.
#[derive(Clone)]
pub(super) struct Connector {
    host: String,
    port: u16,
    request: Request,
    tls: Option<TlsConnector>,
}

impl Connector {
    /// # Errors
    /// What trying again cannot mend.
    pub(super) fn new(url: &Url, headers: &[(String, String)], trust: &Trust) -> Result<Self, SettingsError> {
        let mut request = url
            .as_str()
            .into_client_request()
            .map_err(SettingsError::Request)?;
        for (name, value) in headers {
            let invalid = || SettingsError::Header { name: name.clone() };
            let mut value = HeaderValue::from_str(value).map_err(|_| invalid())?;
            // Credentials travel here: keeps them out of debug output.
            value.set_sensitive(true);
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
            request.headers_mut().insert(name, value);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        };
        let tls = match url.scheme() {
            "wss" => Some(TlsConnector::from(Arc::new(tls::config(trust)?))),
            _ => None,
        };
        Ok(Self {
            host,
            port: url.port_or_known_default().unwrap_or(8443),
            request,
            tls,
        })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// A sentence's end for the user, without addresses or secrets.
    pub(super) async fn connect(self) -> Result<Socket, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| error.to_string())?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let connecting =
            client_async_tls_with_connector_and_config(self.request, stream, self.tls, Some(config));
        let (socket, _response) = connecting.await.map_err(|error| describe(&error))?;
        Ok(socket)
    }
}

/// What became of a connection, in words for the user.
pub(super) fn describe(error: &WsError) -> String {
    if let WsError::Io(error) = error
        && let Some(inner) = error.get_ref()
        && let Some(rustls::Error::InvalidCertificate(why)) = inner.downcast_ref::<rustls::Error>()
    {
        return format!(
            "the server's certificate is refused ({})",
            describe_certificate(why)
        );
    }
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed => "it closed the connection".to_owned(),
        WsError::Http(response) => format!("it answers with HTTP status {}", response.status()),
        _ => error.to_string(),
    }
}

fn describe_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "nobody that is trusted has signed it; see the property cafile".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it belongs to another host name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        other => other.to_string(),
    }
}
