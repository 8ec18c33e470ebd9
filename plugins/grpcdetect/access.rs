//! Whom is called, and how we say who we are. What is secret leaves this file only towards the
//! server: it is in no `Debug` text and in no error.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Uri;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::remote::address::shown;

/// What the user has set.
#[derive(Clone, Default)]
pub(super) struct Access {
    pub(super) location: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("location", &self.shown())
            .finish_non_exhaustive()
    }
}

/// Why nobody can be called. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccessError {
    #[error("location is not set: give the server's address, such as http://server:5001")]
    Unset,
    #[error(
        "location is `{0}`, which is no address of a gRPC server: give one such as \
         http://server:5001, or with https"
    )]
    Address(String),
    #[error(
        "location holds a user or a password, which others would read: set user and password instead"
    )]
    Secret,
    #[error("a password is set but no user: set user too")]
    NoUser,
    #[error("user or password cannot be sent: give them in letters without control characters")]
    User,
    #[error("ca-file is {0}, which cannot be used ({1}): name a PEM file with certificates")]
    CaFile(String, String),
}

/// Whom to call.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) endpoint: Endpoint,
    /// Of the metadata `x-ms-authentication`.
    pub(super) credentials: Option<MetadataValue<Ascii>>,
}

impl Access {
    /// The address as others may read it.
    pub(super) fn shown(&self) -> Option<String> {
        self.location.as_deref().map(shown)
    }

    pub(super) fn server(&self) -> Result<Server, AccessError> {
        let location = self.location.as_deref().ok_or(AccessError::Unset)?;
        let refuse = || AccessError::Address(shown(location));
        // As Azure's topologies name a gRPC server.
        let plain = location.strip_prefix("tcp://");
        let address = plain.map_or_else(|| location.to_owned(), |rest| format!("http://{rest}"));
        let uri: Uri = address.parse().map_err(|_| refuse())?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(AccessError::Secret);
        }
        let sound = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some()
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none();
        if !sound {
            return Err(refuse());
        }
        let tls = uri.scheme_str() == Some("https");
        let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        let endpoint = Endpoint::from(uri)
            .user_agent(agent)
            .map_err(|_| refuse())?;
        let endpoint = match tls {
            true => endpoint.tls_config(self.tls()?).map_err(|_| refuse())?,
            false => endpoint,
        };
        Ok(Server {
            endpoint,
            credentials: self.credentials()?,
        })
    }

    fn tls(&self) -> Result<ClientTlsConfig, AccessError> {
        Ok(match &self.ca_file {
            Some(file) => ClientTlsConfig::new().ca_certificate(certificates(file)?),
            None => ClientTlsConfig::new().with_native_roots(),
        })
    }

    fn credentials(&self) -> Result<Option<MetadataValue<Ascii>>, AccessError> {
        let Some(user) = &self.user else {
            return match self.password {
                Some(_) => Err(AccessError::NoUser),
                None => Ok(None),
            };
        };
        let password = self.password.as_deref().unwrap_or_default();
        let both = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let value = format!("Basic {both}").parse();
        let mut value: MetadataValue<Ascii> = value.map_err(|_| AccessError::User)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

fn certificates(file: &Path) -> Result<Certificate, AccessError> {
    let unusable =
        |why: &dyn ToString| AccessError::CaFile(file.display().to_string(), why.to_string());
    let pem = std::fs::read(file).map_err(|err| unusable(&err))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    if found.map_err(|err| unusable(&err))?.is_empty() {
        return Err(unusable(&"it holds none"));
    }
    Ok(Certificate::from_pem(pem))
}
