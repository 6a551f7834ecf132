//! Opening a WebSocket: TCP, TLS with verified certificates, the HTTP upgrade.

use std::path::Path;
use std::sync::Arc;

use async_tungstenite::tokio::{ClientStream, client_async_tls_with_connector_and_config};
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::error::Error as WsError;
use async_tungstenite::tungstenite::handshake::client::Request;
use async_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use async_tungstenite::WebSocketStream;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// The largest message that is read. Servers forward descriptions and lists of producers.
const MAX_MESSAGE: usize = 1 << 20;

pub(super) type Socket = WebSocketStream<ClientStream<TcpStream>>;

/// What in the settings makes connecting impossible.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("the certificate file {file:?} cannot be read: {error}")]
    CaFile { file: String, error: rustls::pki_types::pem::Error },
    #[error("the certificate file {file:?} has no certificate that can be used")]
    NoCertificates { file: String },
    #[error("the system has no certificates to verify servers by; set cafile")]
    NoSystemCertificates,
    #[error("the header {name:?} cannot be sent")]
    Header { name: String },
    #[error("the URI cannot be used: {0}")]
    Request(WsError),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Everything that dialling needs, checked.
#[derive(Clone)]
pub(super) struct Connector {
    host: String,
    port: u16,
    request: Request,
    tls: Option<TlsConnector>,
}

/// How a server's certificate is judged.
pub(super) struct Trust<'a> {
    /// The PEM file with the only roots that are trusted; the system's if there is none.
    pub(super) cafile: Option<&'a str>,
    pub(super) insecure: bool,
}

impl Connector {
    /// # Errors
    /// What trying again cannot mend.
    pub(super) fn new(url: &Url, headers: &[(String, String)], trust: &Trust<'_>) -> Result<Self, SettingsError> {
        let mut request = url.as_str().into_client_request().map_err(SettingsError::Request)?;
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
            "wss" => Some(TlsConnector::from(Arc::new(tls_config(trust)?))),
            _ => None,
        };
        Ok(Self { host, port: url.port_or_known_default().unwrap_or(8443), request, tls })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// A sentence's end for the user, without addresses or secrets.
    pub(super) async fn connect(self) -> Result<Socket, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| error.to_string())?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
        let connecting = client_async_tls_with_connector_and_config(self.request, stream, self.tls, Some(config));
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
        return format!("the server's certificate is refused ({})", describe_certificate(why));
    }
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed => "it closed the connection".to_owned(),
        WsError::Http(response) => format!("it answers with HTTP status {}", response.status()),
        _ => error.to_string(),
    }
}

fn describe_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "nobody that is trusted has signed it; see the property cafile".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it belongs to another host name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        other => other.to_string(),
    }
}

fn tls_config(trust: &Trust<'_>) -> Result<ClientConfig, SettingsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if trust.insecure {
        Arc::new(Anyone(provider.clone()))
    } else {
        Arc::new(verifier(trust.cafile, provider.clone())?)
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn verifier(cafile: Option<&str>, provider: Arc<CryptoProvider>) -> Result<RootsOrPinned, SettingsError> {
    let mut roots = RootCertStore::empty();
    let mut pinned = Vec::new();
    if let Some(file) = cafile {
        let failed = |error| SettingsError::CaFile { file: file.to_owned(), error };
        for certificate in CertificateDer::pem_file_iter(Path::new(file)).map_err(failed)? {
            let certificate = certificate.map_err(failed)?;
            if roots.add(certificate.clone()).is_ok() {
                pinned.push(certificate);
            }
        }
        if roots.is_empty() {
            return Err(SettingsError::NoCertificates { file: file.to_owned() });
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(SettingsError::NoSystemCertificates);
        }
    }
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    Ok(RootsOrPinned { webpki, pinned })
}

/// Verifies a server by trusted roots, or as being itself in `cafile`.
///
/// The second is for self-signed certificates as `openssl req -x509` makes them: they call themselves authorities,
/// and webpki lets no authority stand for a server. Who put just that certificate into `cafile` means it.
#[derive(Debug)]
struct RootsOrPinned {
    webpki: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for RootsOrPinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // webpki complains of this after it has checked the dates; the name is left to check.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(why)))
                if why.to_string() == "CaUsedAsEndEntity" && self.pinned.iter().any(|one| one == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Takes any certificate (`insecure-tls`); that the server has its key is still checked.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
