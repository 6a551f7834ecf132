//! From PEM files to a TLS acceptor.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::{BindError, Tls};

/// Reads the files. They are small and read once, before anything is served.
pub(crate) fn acceptor(tls: &Tls) -> Result<TlsAcceptor, BindError> {
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable("certificate", &tls.certificate, &error))?;
    if certificates.is_empty() {
        return Err(unreadable(
            "certificate",
            &tls.certificate,
            &pem::Error::NoItemsFound,
        ));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| unreadable("key", &tls.key, &error))?;

    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(BindError::Certificate)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unreadable(what: &'static str, path: &Path, error: &pem::Error) -> BindError {
    let reason = match error {
        pem::Error::NoItemsFound => format!("there is no {what} in it"),
        other => other.to_string(),
    };
    BindError::Pem {
        what,
        path: path.to_owned(),
        reason,
    }
}
