//! Addresses as others may read them.

/// An address without what follows its path, where keys stand, and without credentials.
pub(crate) fn shown(location: &str) -> String {
    let address = location.split(['?', '#']).next().unwrap_or_default();
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        assert_eq!(
            shown("https://me:pass@host:1/a/b?code=key#x"),
            "https://host:1/a/b"
        );
        assert_eq!(shown("nonsense?code=key"), "nonsense");
        assert_eq!(shown("http://host/a@b"), "http://host/a@b");
    }
}
