//! TLS: whose certificates are taken.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Why there is no way to verify a server.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustError {
    #[error("the certificate file {file:?} cannot be read: {error}")]
    File { file: String, error: pem::Error },
    #[error("the certificate file {file:?} has no certificate that can be used")]
    NoCertificates { file: String },
    #[error("the system has no certificates to verify servers by; set cafile")]
    NoSystemCertificates,
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Which certificates of a server's are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Those that the system's authorities have signed.
    System,
    /// Those that an authority in this PEM file has signed, and those in it.
    File(String),
    /// The first one in this PEM file, whatever names and dates it has.
    Exactly(String),
    /// All.
    Anyone,
}

/// A client's configuration that takes just those certificates.
pub(super) fn config(trust: &Trust) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::System => Arc::new(by_system(provider.clone())?),
        Trust::File(file) => Arc::new(by_file(file, provider.clone())?),
        Trust::Exactly(file) => {
            let certificate = certificates(file)?.swap_remove(0);
            Arc::new(ByHeart {
                certificate: Some(certificate),
                provider: provider.clone(),
            })
        }
        Trust::Anyone => Arc::new(ByHeart {
            certificate: None,
            provider: provider.clone(),
        }),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn by_system(provider: Arc<CryptoProvider>) -> Result<RootsOrPinned, TrustError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TrustError::NoSystemCertificates);
    }
    RootsOrPinned::new(roots, Vec::new(), provider)
}

fn by_file(file: &str, provider: Arc<CryptoProvider>) -> Result<RootsOrPinned, TrustError> {
    let pinned = certificates(file)?;
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(pinned.iter().cloned());
    if usable == 0 {
        return Err(TrustError::NoCertificates {
            file: file.to_owned(),
        });
    }
    RootsOrPinned::new(roots, pinned, provider)
}

/// The certificates in a PEM file; at least one.
fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let certificates = CertificateDer::pem_file_iter(Path::new(file))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TrustError::File {
            file: file.to_owned(),
            error,
        })?;
    if certificates.is_empty() {
        return Err(TrustError::NoCertificates {
            file: file.to_owned(),
        });
    }
    Ok(certificates)
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

impl RootsOrPinned {
    fn new(
        roots: RootCertStore,
        pinned: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TrustError> {
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        Ok(Self { webpki, pinned })
    }
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
            self.webpki
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // webpki complains of this after it has checked the dates; the name is left to check.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(why)))
                if why.to_string() == "CaUsedAsEndEntity"
                    && self.pinned.iter().any(|one| one == end_entity) =>
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

/// Takes one certificate, or any (`insecure-tls`); that the server has its key is checked either way.
#[derive(Debug)]
struct ByHeart {
    certificate: Option<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ByHeart {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self
            .certificate
            .as_ref()
            .is_none_or(|certificate| certificate == end_entity)
        {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
