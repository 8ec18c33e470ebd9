//! Which release of the SDK a library belongs to, from what it says and from what it exports.
//!
//! Belongs here: the decision alone. The structures of a release that is guessed wrong would be
//! read wrong, so two independent witnesses have to agree. Asking the library is `library`'s work.

use std::fmt;

use super::error::SdkError;

/// What the library calls itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl Version {
    /// Reads `5.2.1`; a suffix behind the third number is let pass.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let rest = parts.next().unwrap_or("0");
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        Some(Self {
            major,
            minor,
            patch: rest[..digits].parse().ok()?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A binary interface that this crate can speak, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Abi {
    V50,
    V51,
    V52,
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V50 => "5.0",
            Self::V51 => "5.1",
            Self::V52 => "5.2",
        })
    }
}

/// Which telling functions the library exports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// `sl_find_usb_device`: gone with 5.0.
    pub find_usb_device: bool,
    /// `sl_get_health_status`: came with 5.0.
    pub health_status: bool,
    /// `sl_free`: came with 5.1.
    pub free: bool,
    /// `sl_open_camera_from_svo_file`: came with 5.2.
    pub open_from_svo_file: bool,
}

impl Fingerprint {
    /// The interface that exports just these, or nothing that this crate speaks.
    fn abi(self) -> Option<Abi> {
        match (
            self.find_usb_device,
            self.health_status,
            self.free,
            self.open_from_svo_file,
        ) {
            (false, true, false, false) => Some(Abi::V50),
            (false, true, true, false) => Some(Abi::V51),
            (false, true, true, true) => Some(Abi::V52),
            _ => None,
        }
    }
}

/// The interface to speak with a library that says `text` and exports `fingerprint`.
///
/// # Errors
///
/// When the release is not one of 5.0 to 5.2 (`allow_newer` lets later ones of 5 pass as 5.2), or
/// when the two witnesses disagree.
pub fn decide(
    library: &str,
    text: &str,
    fingerprint: Fingerprint,
    allow_newer: bool,
) -> Result<(Version, Abi), SdkError> {
    let library = library.to_owned();
    let Some(version) = Version::parse(text) else {
        return Err(SdkError::Unreadable {
            library,
            text: text.to_owned(),
        });
    };
    let said = match (version.major, version.minor) {
        (5, 0) => Abi::V50,
        (5, 1) => Abi::V51,
        (5, 2) => Abi::V52,
        (5, _) if allow_newer => Abi::V52,
        (0..5, _) => return Err(SdkError::TooOld { library, version }),
        _ => return Err(SdkError::TooNew { library, version }),
    };
    match fingerprint.abi() {
        Some(shown) if shown == said => Ok((version, said)),
        shown => Err(SdkError::Disagree {
            library,
            version,
            shown: shown.map_or_else(|| "no known release".to_owned(), |abi| abi.to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_TWO: Fingerprint = Fingerprint {
        find_usb_device: false,
        health_status: true,
        free: true,
        open_from_svo_file: true,
    };

    #[test]
    fn a_version_is_read_with_or_without_patch_and_suffix() {
        let read = |text| Version::parse(text).map(|version| version.to_string());
        assert_eq!(read("5.2.1").as_deref(), Some("5.2.1"));
        assert_eq!(read("5.2").as_deref(), Some("5.2.0"));
        assert_eq!(read("5.2.1 rc3\n").as_deref(), Some("5.2.1"));
        assert_eq!(read("5.2.x"), None);
        assert_eq!(read("five"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn only_a_release_whose_witnesses_agree_is_spoken() {
        let decide = |text, fingerprint| decide("lib", text, fingerprint, false);
        assert_eq!(decide("5.2.1", FIVE_TWO).unwrap().1, Abi::V52);
        let five_one = Fingerprint {
            open_from_svo_file: false,
            ..FIVE_TWO
        };
        assert_eq!(decide("5.1.0", five_one).unwrap().1, Abi::V51);
        let five_zero = Fingerprint {
            free: false,
            ..five_one
        };
        assert_eq!(decide("5.0.7", five_zero).unwrap().1, Abi::V50);
        for (text, fingerprint) in [
            ("5.1.0", FIVE_TWO),
            ("5.2.0", five_one),
            ("5.0.0", Fingerprint::default()),
        ] {
            assert!(matches!(
                decide(text, fingerprint),
                Err(SdkError::Disagree { .. })
            ));
        }
    }

    #[test]
    fn an_older_release_is_refused_and_a_newer_one_passes_only_on_demand() {
        let old = decide("lib", "4.2.5", Fingerprint::default(), true).unwrap_err();
        assert!(old.to_string().contains("4.2.5"), "{old}");
        assert!(matches!(
            decide("lib", "5.3.0", FIVE_TWO, false),
            Err(SdkError::TooNew { .. })
        ));
        assert_eq!(decide("lib", "5.3.0", FIVE_TWO, true).unwrap().1, Abi::V52);
        assert!(matches!(
            decide("lib", "6.0.0", FIVE_TWO, true),
            Err(SdkError::TooNew { .. })
        ));
    }
}
