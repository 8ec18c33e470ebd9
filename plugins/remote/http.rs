//! An HTTP client for one address: credentials, TLS, time-outs and bounds. What is secret leaves
//! this file only towards the server: it is in no `Debug` text and in no error.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use evr_core::remote::{RemoteError, retry_after};
use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::address::shown;
use crate::bridge::time::utc_now;

/// What the user has set.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) location: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) header: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) tls_verify: bool,
    pub(crate) timeout: gst::ClockTime,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            location: None,
            user: None,
            password: None,
            token: None,
            header: None,
            ca_file: None,
            tls_verify: true,
            timeout: gst::ClockTime::from_seconds(5),
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("location", &self.shown())
            .finish_non_exhaustive()
    }
}

/// Why nobody can be asked. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error(
        "location is not set: give the address that is posted to, such as http://server:8000/score"
    )]
    Unset,
    #[error("location is `{0}`, which is no address: give one such as http://server:8000/score")]
    Address(String),
    #[error(
        "location holds a user or a password, which others would read: set user and password instead"
    )]
    Secret,
    #[error("a password is set but no user: set user too")]
    NoUser,
    #[error("user and token are both set: set one of them")]
    Both,
    #[error("{0} is no header of HTTP: give it as `Name: value`, in letters of ASCII")]
    Header(&'static str),
    #[error("ca-file is {0}, which cannot be read ({1}): name a PEM file")]
    CaFile(String, std::io::Error),
    #[error("ca-file is {0}, which holds no certificate: name a PEM file")]
    NoCertificate(String),
}

/// A reply, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The pause that it asks for, in ns.
    pub(crate) retry_after: Option<i64>,
    /// Of the JSON at the beginning of the body, where the server says it.
    pub(crate) json_bytes: Option<usize>,
    pub(crate) body: Vec<u8>,
}

/// A client of one address. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    most: usize,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Access {
    /// The address as others may read it.
    pub(crate) fn shown(&self) -> Option<String> {
        self.location.as_deref().map(shown)
    }

    /// A client that reads no reply beyond `most` bytes.
    ///
    /// # Errors
    /// An [`AccessError`].
    pub(crate) fn client(&self, most: usize) -> Result<Client, AccessError> {
        let location = self.location.as_deref().ok_or(AccessError::Unset)?;
        let refuse = || AccessError::Address(shown(location));
        let uri: Uri = location.parse().map_err(|_| refuse())?;
        let sound = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        if !sound {
            return Err(refuse());
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(AccessError::Secret);
        }
        let roots = match &self.ca_file {
            Some(file) => certificates(file)?,
            None => machine(),
        };
        let provider = rustls::crypto::ring::default_provider();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(provider))
            .root_certs(roots)
            .disable_verification(!self.tls_verify)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(Duration::from_nanos(self.timeout.nseconds())))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // What is beside the camera is asked directly.
            .proxy(None)
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            ))
            .build();
        Ok(Client {
            agent: config.into(),
            uri,
            headers: self.headers()?,
            most,
        })
    }

    fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, AccessError> {
        let mut headers = Vec::new();
        let secret = |text: &str, what| {
            let mut value = HeaderValue::from_str(text).map_err(|_| AccessError::Header(what))?;
            value.set_sensitive(true);
            Ok(value)
        };
        match (&self.user, &self.password, &self.token) {
            (None, Some(_), _) => return Err(AccessError::NoUser),
            (Some(_), _, Some(_)) => return Err(AccessError::Both),
            (Some(user), password, None) => {
                let password = password.as_deref().unwrap_or_default();
                let both = BASE64_STANDARD.encode(format!("{user}:{password}"));
                headers.push((
                    header::AUTHORIZATION,
                    secret(&format!("Basic {both}"), "user")?,
                ));
            }
            (None, None, Some(token)) => {
                headers.push((
                    header::AUTHORIZATION,
                    secret(&format!("Bearer {token}"), "token")?,
                ));
            }
            (None, None, None) => {}
        }
        if let Some(text) = &self.header {
            let refuse = || AccessError::Header("header");
            let (name, value) = text.split_once(':').ok_or_else(refuse)?;
            let name: HeaderName = name.trim().parse().map_err(|_| refuse())?;
            headers.push((name, secret(value.trim(), "header")?));
        }
        Ok(headers)
    }
}

/// Whom this machine trusts. Where that is nobody, no server passes.
fn machine() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    let owned = found
        .iter()
        .map(|one| Certificate::from_der(one).to_owned());
    RootCerts::from(owned.collect::<Vec<_>>())
}

fn certificates(file: &Path) -> Result<RootCerts, AccessError> {
    let pem =
        std::fs::read(file).map_err(|err| AccessError::CaFile(file.display().to_string(), err))?;
    let found: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match found.is_empty() {
        true => Err(AccessError::NoCertificate(file.display().to_string())),
        false => Ok(RootCerts::from(found)),
    }
}

impl Client {
    /// Posts a body.
    ///
    /// # Errors
    /// Where there is no reply, or one that is too long.
    pub(crate) fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, RemoteError> {
        self.read(self.send(path, headers, body)?)
    }

    /// Posts a body to whom says by the status alone what he makes of it. Of the reply's own body
    /// there is what came before it was too long, too slow or broken off.
    ///
    /// # Errors
    /// Where there is no status.
    pub(crate) fn tell(&self, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply, RemoteError> {
        let (mut reply, body) = heads(self.send("", headers, body)?);
        // What was said of it before it broke is what there is.
        let _ = body
            .into_reader()
            .take(self.most as u64)
            .read_to_end(&mut reply.body);
        Ok(reply)
    }

    fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<ureq::http::Response<ureq::Body>, RemoteError> {
        let mut request = self.agent.post(self.at(path)?);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send(body).map_err(|err| self.fault(err))
    }

    /// Gets what is at the address.
    ///
    /// # Errors
    /// As `post`.
    pub(crate) fn get(&self) -> Result<Reply, RemoteError> {
        let mut request = self.agent.get(self.uri.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        self.read(request.call().map_err(|err| self.fault(err))?)
    }

    /// The address with `path` behind its own path.
    fn at(&self, path: &str) -> Result<Uri, RemoteError> {
        if path.is_empty() {
            return Ok(self.uri.clone());
        }
        let mut parts = self.uri.clone().into_parts();
        let query = self.uri.query().map(|query| format!("?{query}"));
        let own = self.uri.path().trim_end_matches('/');
        let joined = format!("{own}{path}{}", query.unwrap_or_default());
        let wrong = || RemoteError::Unreachable("location is no address".into());
        parts.path_and_query = Some(joined.parse().map_err(|_| wrong())?);
        Uri::from_parts(parts).map_err(|_| wrong())
    }

    fn read(&self, response: ureq::http::Response<ureq::Body>) -> Result<Reply, RemoteError> {
        let (reply, mut body) = heads(response);
        let body = body.with_config().limit(self.most as u64);
        let body = body.read_to_vec().map_err(|err| self.fault(err))?;
        Ok(Reply { body, ..reply })
    }

    fn fault(&self, err: ureq::Error) -> RemoteError {
        match err {
            ureq::Error::Timeout(_) => RemoteError::Late,
            ureq::Error::BodyExceedsLimit(_) => RemoteError::Huge(self.most),
            ureq::Error::Io(err) if err.kind() == std::io::ErrorKind::TimedOut => RemoteError::Late,
            ureq::Error::Io(err) => RemoteError::Unreachable(err.to_string()),
            // It says the address, which may hold a key.
            ureq::Error::BadUri(_) => RemoteError::Unreachable("location is no address".into()),
            err => RemoteError::Unreachable(err.to_string()),
        }
    }
}

/// What stands before the body, and the body.
fn heads(response: ureq::http::Response<ureq::Body>) -> (Reply, ureq::Body) {
    let text = |name: &str| response.headers().get(name)?.to_str().ok();
    let json_bytes =
        text("Inference-Header-Content-Length").and_then(|value| value.trim().parse().ok());
    let reply = Reply {
        status: response.status().as_u16(),
        retry_after: text("Retry-After").and_then(|value| retry_after(value, utc_now())),
        json_bytes,
        body: Vec::new(),
    };
    (reply, response.into_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(access: &Access) -> String {
        let access = Access {
            location: access
                .location
                .clone()
                .or_else(|| Some("http://server/score".into())),
            ..access.clone()
        };
        access.client(1).expect_err("refused").to_string()
    }

    #[test]
    fn no_refusal_tells_a_secret() {
        let with = |access: Access| refusal(&access);
        for sentence in [
            with(Access {
                location: Some("ftp://host/?code=secret".into()),
                ..Access::default()
            }),
            with(Access {
                location: Some("http://me:secret@host/".into()),
                ..Access::default()
            }),
            with(Access {
                password: Some("secret".into()),
                ..Access::default()
            }),
            with(Access {
                token: Some("secret\n".into()),
                ..Access::default()
            }),
            with(Access {
                header: Some("secret".into()),
                ..Access::default()
            }),
            with(Access {
                user: Some("me".into()),
                token: Some("secret".into()),
                ..Access::default()
            }),
        ] {
            assert!(!sentence.contains("secret"), "{sentence}");
            assert!(sentence.contains(": "), "{sentence}");
        }
    }

    #[test]
    fn credentials_become_headers() {
        let headers = |access: Access| access.headers().expect("sound");
        let basic = headers(Access {
            user: Some("Aladdin".into()),
            password: Some("open sesame".into()),
            ..Access::default()
        });
        // The example of RFC 7617.
        assert_eq!(basic[0].1, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let own = headers(Access {
            token: Some("abc".into()),
            header: Some("X-Key: def".into()),
            ..Access::default()
        });
        assert_eq!(own[0].1, "Bearer abc");
        assert_eq!(
            (own[1].0.as_str(), own[1].1.to_str().ok()),
            ("x-key", Some("def"))
        );
        assert!(!format!("{own:?}").contains("abc"));
    }
}
