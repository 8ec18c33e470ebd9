//! The outbox's files, line by line.
//!
//! ```text
//! 5c1e6f0a box 1 17                 a file begins: version 1, the next record is number 17
//! 8a2b90cd put 17 {"topic":"…"}     a record
//! 01f3c4d2 del 17                   it has been delivered, or given up
//! ```
//!
//! Each line begins with the CRC-32 (IEEE 802.3) of what follows the blank, in hexadecimal, so a
//! line is good or it is not, and the next one begins after the next newline whatever stands before.

use std::str;

/// The version of the format.
const VERSION: u64 = 1;
/// Hexadecimal digits of the checksum, and a blank.
const PREFIX: usize = 9;

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A file begins; the next record has this number.
    Begin(u64),
    /// The record of this number.
    Put(u64, &'a str),
    /// The record of this number waits no more.
    Forget(u64),
}

impl<'a> Line<'a> {
    /// The line, with its newline.
    pub(super) fn write(self) -> String {
        let what = match self {
            Self::Begin(next) => format!("box {VERSION} {next}"),
            Self::Put(number, text) => format!("put {number} {text}"),
            Self::Forget(number) => format!("del {number}"),
        };
        format!("{:08x} {what}\n", crc32fast::hash(what.as_bytes()))
    }

    /// Reads a line without its newline; `None` where it is damaged.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let (checksum, what) = line.split_at_checked(PREFIX)?;
        let checksum = str::from_utf8(checksum).ok()?.strip_suffix(' ')?;
        if u32::from_str_radix(checksum, 16).ok()? != crc32fast::hash(what) {
            return None;
        }
        let (kind, rest) = str::from_utf8(what).ok()?.split_once(' ')?;
        match kind {
            "box" => {
                let (version, next) = rest.split_once(' ')?;
                (version == VERSION.to_string()).then_some(Self::Begin(number(next)?))
            }
            "put" => {
                let (n, text) = rest.split_once(' ')?;
                Some(Self::Put(number(n)?, text))
            }
            "del" => number(rest).map(Self::Forget),
            _ => None,
        }
    }
}

/// A number with which counting on does not end soon.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number < 1 << 62)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_line_is_text_that_a_person_can_read() {
        let line = Line::Put(17, "{\"topic\":\"evr/door\"}").write();
        assert!(
            line.ends_with(" put 17 {\"topic\":\"evr/door\"}\n"),
            "{line}"
        );
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_it_was_written_and_refused_with_any_byte_changed(
            number in 0_u64..1 << 62,
            text in "[^\n]{0,40}",
            at in any::<prop::sample::Index>(),
            change in 1_u8..,
        ) {
            for line in [Line::Begin(number), Line::Put(number, &text), Line::Forget(number)] {
                let mut bytes = line.write().into_bytes();
                bytes.pop();
                prop_assert_eq!(Line::read(&bytes), Some(line));
                let at = at.index(bytes.len());
                // Digits of the checksum may be written in capitals too.
                let small = bytes[at].to_ascii_lowercase();
                bytes[at] ^= change;
                if bytes[at].to_ascii_lowercase() != small {
                    prop_assert_eq!(Line::read(&bytes), None);
                }
            }
        }

        #[test]
        fn no_line_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Line::read(&bytes);
        }
    }
}
