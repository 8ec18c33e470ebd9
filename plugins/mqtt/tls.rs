//! TLS: whom we trust and how we show who we are. The broker's certificate is always verified.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// Why there is no TLS. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{name} is {path:?}, which cannot be used ({why}): give a file in PEM format")]
    File {
        name: &'static str,
        path: PathBuf,
        why: String,
    },
    #[error("cert-file and key-file belong together: set both or none")]
    HalfAnIdentity,
    #[error("this machine trusts no certificate at all: install ca-certificates or set ca-file")]
    NoRoots,
    #[error("TLS cannot be set up ({0})")]
    Rustls(#[from] rustls::Error),
}

/// Trusts `ca`, else whom this machine trusts; shows `cert` with its `key`, if there is one.
pub(super) fn config(
    ca: Option<&str>,
    cert: Option<&str>,
    key: Option<&str>,
) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates("ca-file", path)? {
                roots.add(certificate)?;
            }
        }
        None => {
            let machine = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(machine.certs);
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(match (cert, key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(path)) => {
            let key = PrivateKeyDer::from_pem_file(path);
            let key = key.map_err(|err| unusable("key-file", path, err))?;
            builder.with_client_auth_cert(certificates("cert-file", cert)?, key)?
        }
        _ => return Err(TlsError::HalfAnIdentity),
    })
}

fn certificates(name: &'static str, path: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|err| unusable(name, path, err))?
        .collect();
    let found = found.map_err(|err| unusable(name, path, err))?;
    if found.is_empty() {
        return Err(unusable(name, path, "it holds no certificate"));
    }
    Ok(found)
}

fn unusable(name: &'static str, path: &str, why: impl ToString) -> TlsError {
    TlsError::File {
        name,
        path: path.into(),
        why: why.to_string(),
    }
}
