//! The address of a message broker, as users write it: `mqtt://user:password@host:1883`.
//!
//! Whoever shows an address shows [`redacted`]; neither an error nor a `Debug` text of this file
//! holds a secret.

use std::fmt;

/// Where a broker is and who we are to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Its name or number; a number of version 6 stands in brackets.
    pub host: String,
    /// Its port: 1883, or 8883 where the connection is encrypted, unless the address says another.
    pub port: u16,
    /// Who we are.
    pub user: Option<String>,
    /// How we prove it.
    pub password: Option<String>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// Why a text is no address. Each sentence is preceded by the element's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// Neither `mqtt` nor `mqtts`.
    #[error("broker is {0:?}: begin it with mqtt:// or, for an encrypted connection, mqtts://")]
    Scheme(String),
    /// Nothing stands where the host should.
    #[error("broker is {0:?}, which names no host: write it like mqtt://host:1883")]
    Host(String),
    /// What follows the colon is no port.
    #[error("broker is {0:?}: its port is no number from 1 to 65535")]
    Port(String),
    /// A character was badly escaped.
    #[error("broker is {0:?}: a % in user or password is not followed by two hexadecimal digits")]
    Escape(String),
}

impl Broker {
    /// Reads an address.
    ///
    /// # Errors
    /// A [`BrokerError`] with the address but without what may be a secret in it.
    pub fn parse(text: &str) -> Result<Self, BrokerError> {
        let shown = || redacted(text);
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| BrokerError::Scheme(shown()))?;
        let tls = match scheme {
            "mqtt" | "tcp" => false,
            "mqtts" | "ssl" => true,
            _ => return Err(BrokerError::Scheme(shown())),
        };
        let (who, place) = match rest.rsplit_once('@') {
            Some((who, place)) => (Some(who), place),
            None => (None, rest),
        };
        let place = place.strip_suffix('/').unwrap_or(place);
        // The colons of an address of version 6 stand in brackets.
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (place, None),
        };
        if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
            return Err(BrokerError::Host(shown()));
        }
        let port = match port.map(str::parse) {
            None => [1883, 8883][usize::from(tls)],
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return Err(BrokerError::Port(shown())),
        };
        let escape = || BrokerError::Escape(shown());
        let (user, password) = match who.map(|who| who.split_once(':').unwrap_or((who, ""))) {
            None => (None, None),
            Some((user, password)) => {
                let password = unescaped(password).ok_or_else(escape)?;
                let password = Some(password).filter(|password| !password.is_empty());
                (Some(unescaped(user).ok_or_else(escape)?), password)
            }
        };
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            user,
            password,
        })
    }
}

/// An address without who and how: everything before its last `@`, but for the scheme.
pub fn redacted(text: &str) -> String {
    let Some((who, place)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let scheme = who.find("://").map_or("", |at| &who[..at + 3]);
    format!("{scheme}***@{place}")
}

/// A text with its percent-escapes resolved.
pub(crate) fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_is_read_with_and_without_its_parts() {
        let plain = Broker::parse("mqtt://localhost").expect("an address");
        assert_eq!((plain.tls, plain.port, plain.user), (false, 1883, None));
        let full = Broker::parse("mqtts://cam%40:p%3Aw:x@[::1]:99/").expect("an address");
        assert_eq!(
            full,
            Broker {
                tls: true,
                host: "[::1]".into(),
                port: 99,
                user: Some("cam@".into()),
                password: Some("p:w:x".into()),
            }
        );
        let ipv6 = Broker::parse("mqtts://[::1]").expect("an address");
        assert_eq!((ipv6.host.as_str(), ipv6.port), ("[::1]", 8883));
    }

    #[test]
    fn what_is_no_address_says_why_without_the_password() {
        for (text, word) in [
            ("localhost", "mqtt://"),
            ("http://u:secret@x", "mqtt://"),
            ("mqtt://u:secret@", "host"),
            ("mqtt://u:secret@x:0", "port"),
            ("mqtt://u:secret@x:y", "port"),
            ("mqtt://u:secret%@x", "%"),
            ("u:secret@x", "mqtt://"),
        ] {
            let why = Broker::parse(text).expect_err("no address").to_string();
            assert!(why.contains(word) && !why.contains("secret"), "{why}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_none_shows_what_stands_before_its_at(who in "[a-z:/%]{0,9}", text in ".{0,20}") {
            let address = format!("mqtt://{who}SECRET@{text}");
            if let Err(err) = Broker::parse(&address) {
                prop_assert!(!err.to_string().contains("SECRET"));
            }
            prop_assert!(!redacted(&address).contains("SECRET"));
            let _ = Broker::parse(&text);
        }
    }
}
