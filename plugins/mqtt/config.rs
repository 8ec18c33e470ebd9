//! What users say of a broker and of themselves. The password leaves this file only towards the
//! broker: it is in no `Debug` text and in no error.

use std::{
    fmt, process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use evr_core::broker::{Broker, BrokerError};

use super::{MqttVersion, tls};

/// The properties, as both elements have them.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) broker: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) version: MqttVersion,
    pub(crate) keep_alive: u32,
    pub(crate) ca_file: Option<String>,
    pub(crate) cert_file: Option<String>,
    pub(crate) key_file: Option<String>,
    number: Number,
}

/// Tells an element from every other in this process, for as long as it lives: two with the same
/// client id throw each other out, while one that starts again throws out what is left of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number(u64);

impl Number {
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Default for Access {
    fn default() -> Self {
        Self {
            broker: "mqtt://localhost".into(),
            user: None,
            password: None,
            client_id: None,
            version: MqttVersion::default(),
            keep_alive: 30,
            ca_file: None,
            cert_file: None,
            key_file: None,
            number: Number::next(),
        }
    }
}

/// Why it cannot work. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    #[error("{0} is set, but broker is not encrypted: begin broker with mqtts:// or unset it")]
    NotEncrypted(&'static str),
    #[error("a password is set but no user: set user too")]
    NoUser,
}

/// What a connection needs.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) broker: Broker,
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) client_id: String,
    pub(crate) version: MqttVersion,
    pub(crate) keep_alive: Duration,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} as {:?}", self.broker, self.client_id)
    }
}

impl Access {
    /// Checks what can be checked without a network. A client id that is not set begins with `name`.
    ///
    /// # Errors
    /// An [`AccessError`].
    pub(crate) fn config(&self, name: &str) -> Result<Config, AccessError> {
        let mut broker = Broker::parse(&self.broker)?;
        broker.user = self.user.clone().or(broker.user);
        broker.password = self.password.clone().or(broker.password);
        if broker.password.is_some() && broker.user.is_none() {
            return Err(AccessError::NoUser);
        }
        let files = [
            ("ca-file", &self.ca_file),
            ("cert-file", &self.cert_file),
            ("key-file", &self.key_file),
        ];
        if !broker.tls
            && let Some((name, _)) = files.iter().find(|(_, file)| file.is_some())
        {
            return Err(AccessError::NotEncrypted(name));
        }
        let [(_, ca), (_, cert), (_, key)] = files.map(|(name, file)| (name, file.as_deref()));
        let tls = broker
            .tls
            .then(|| tls::config(ca, cert, key))
            .transpose()?
            .map(Arc::new);
        let client_id = self.client_id.clone().filter(|id| !id.is_empty());
        Ok(Config {
            broker,
            tls,
            client_id: client_id
                .unwrap_or_else(|| format!("{name}-{}-{}", process::id(), self.number.0)),
            version: self.version,
            keep_alive: Duration::from_secs(self.keep_alive.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_elements_bear_the_same_client_id_and_each_keeps_its_own() {
        let id = |access: &Access| access.config("evr-door").expect("sound").client_id;
        let (one, other) = (Access::default(), Access::default());
        assert_ne!(id(&one), id(&other));
        assert_eq!(id(&one), id(&one.clone()));
        let process = process::id().to_string();
        assert_eq!(id(&one).split('-').nth(2), Some(process.as_str()));
        let named = Access {
            client_id: Some("mine".into()),
            ..Access::default()
        };
        assert_eq!(id(&named), "mine");
    }
}
