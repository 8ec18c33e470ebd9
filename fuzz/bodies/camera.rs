//! What a camera's description names, what its refusals say, and where it is.

use evr_core::camera::{Address, Media, status_code, unpacked_by};

use super::Outcome;

/// Reads the text as each of them.
pub fn body(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    assert!(status_code(&text).is_none_or(|code| (400..600).contains(&code)));
    for media in [
        Some(Media::Video),
        Some(Media::Audio),
        Media::from_sdp(&text),
    ] {
        if let Some(elements) = media.and_then(|media| unpacked_by(media, &text)) {
            assert!((1..=2).contains(&elements.len()));
        }
    }
    let Ok(address) = Address::parse(&text) else {
        return Outcome::Refused;
    };
    // Shown, it can be read again, and holds nobody's login.
    let again = Address::parse(&address.location).expect("an address");
    assert_eq!((again.location, again.user), (address.location, None));
    Outcome::Taken
}
