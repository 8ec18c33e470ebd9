//! One message of `Camera_SN<serial>/side_by_side`: a picture with both eyes, as it was encoded.
//!
//! H.264 and H.265: two sizes, an access unit with start codes, and a trailer, which is not needed:
//! whether a picture stands by itself is seen from its own NAL units. USB cameras' "lossless": a
//! prefix of 40 bytes with four sizes, and as many JPEG pictures.

use super::error::SvoError;

/// How pictures are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    H264,
    H265,
    /// Four grey JPEG pictures, one below the other, whose pixels are the bytes of YUYV.
    Strips,
}

/// What a message holds.
#[derive(Debug, PartialEq)]
pub(super) enum Message<'a> {
    /// An access unit of H.264 or H.265.
    Unit(&'a [u8]),
    Strips([&'a [u8]; 4]),
}

/// Bytes in front of an access unit, and of JPEG pictures.
const UNIT: usize = 8;
const STRIPS: usize = 40;
/// What JPEG pictures begin with.
const JPEG: [u8; 2] = [0xff, 0xd8];
/// How much of what is not known is shown.
const SHOWN: usize = 16;

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let number = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    usize::try_from(number).ok()
}

impl<'a> Message<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, SvoError> {
        let message = Self::unit(data).or_else(|| Self::strips(data));
        message.ok_or_else(|| {
            let front: Vec<_> = data
                .iter()
                .take(SHOWN)
                .map(|b| format!("{b:02x}"))
                .collect();
            let length = data.len();
            SvoError::Encoding(format!(
                "{length} bytes that begin with {}",
                front.join(" ")
            ))
        })
    }

    fn unit(data: &'a [u8]) -> Option<Self> {
        let (total, length) = (u32_at(data, 0)?, u32_at(data, 4)?);
        let unit = data.get(UNIT..)?.get(..length)?;
        let begins = unit.starts_with(&[0, 0, 1]) || unit.starts_with(&[0, 0, 0, 1]);
        (total.checked_add(4)? == data.len() && begins).then_some(Self::Unit(unit))
    }

    fn strips(data: &'a [u8]) -> Option<Self> {
        let mut rest = data.get(STRIPS..)?;
        let mut strips = [rest; 4];
        for (n, strip) in strips.iter_mut().enumerate() {
            let length = u64::from_le_bytes(*data.get(8 + 8 * n..)?.first_chunk()?);
            (*strip, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            if !strip.starts_with(&JPEG) {
                return None;
            }
        }
        Some(Self::Strips(strips))
    }

    /// How it is encoded, where it tells: of H.264 and H.265 only what holds parameter sets does.
    pub(super) fn encoding(&self) -> Option<Encoding> {
        let unit = match self {
            Self::Strips(_) => return Some(Encoding::Strips),
            Self::Unit(unit) => *unit,
        };
        // A parameter set of either is a unit of no kind, or of a very rare one, in the other.
        nals(unit).find_map(|nal| match nal {
            [0x40, 0x01, ..] => Some(Encoding::H265),
            [front, ..] if front & 0x9f == 7 => Some(Encoding::H264),
            _ => None,
        })
    }

    /// Whether it can be decoded without what was before it.
    pub(super) fn is_key(&self, encoding: Encoding) -> bool {
        let Self::Unit(unit) = self else { return true };
        nals(unit).any(|nal| match (encoding, nal) {
            // An instantaneous refresh.
            (Encoding::H264, [front, ..]) => front & 0x1f == 5,
            // Any picture of random access.
            (Encoding::H265, [front, ..]) => (16..=23).contains(&(front >> 1 & 0x3f)),
            _ => false,
        })
    }
}

/// What stands behind each start code, to the end of all.
fn nals(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = unit.windows(3).enumerate();
    starts
        .filter(|(_, bytes)| *bytes == [0, 0, 1])
        .map(|(at, _)| &unit[at + 3..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(bytes: &[u8]) -> Vec<u8> {
        let total = (4 + bytes.len() + 56) as u32;
        let mut message = total.to_le_bytes().to_vec();
        message.extend((bytes.len() as u32).to_le_bytes());
        message.extend(bytes);
        message.resize(message.len() + 56, 0);
        message
    }

    #[test]
    fn an_access_unit_tells_its_codec_and_whether_it_is_a_key() {
        let h265 = [
            0, 0, 0, 1, 0x40, 1, 9, 0, 0, 1, 0x42, 1, 9, 0, 0, 1, 0x26, 1, 9,
        ];
        let message = unit(&h265);
        let message = Message::parse(&message).unwrap();
        assert_eq!(message, Message::Unit(&h265));
        assert_eq!(message.encoding(), Some(Encoding::H265));
        assert!(message.is_key(Encoding::H265));
        let h264 = [0, 0, 0, 1, 0x67, 9, 9, 0, 0, 1, 0x68, 9, 0, 0, 1, 0x65, 9];
        let message = unit(&h264);
        let message = Message::parse(&message).unwrap();
        assert_eq!(message.encoding(), Some(Encoding::H264));
        assert!(message.is_key(Encoding::H264));
        for (encoding, front) in [(Encoding::H264, 0x41), (Encoding::H265, 0x02)] {
            let message = unit(&[0, 0, 0, 1, front, 1, 9]);
            let message = Message::parse(&message).unwrap();
            assert_eq!(message.encoding(), None);
            assert!(!message.is_key(encoding));
        }
    }

    #[test]
    fn four_strips_are_cut_by_their_sizes() {
        let mut message = vec![0; 8];
        for length in [3u64, 2, 4, 2] {
            message.extend(length.to_le_bytes());
        }
        message.extend(b"\xff\xd8a\xff\xd8\xff\xd8bc\xff\xd8");
        let strips: [&[u8]; 4] = [b"\xff\xd8a", b"\xff\xd8", b"\xff\xd8bc", b"\xff\xd8"];
        let parsed = Message::parse(&message).unwrap();
        assert_eq!(parsed, Message::Strips(strips));
        assert_eq!(parsed.encoding(), Some(Encoding::Strips));
        assert!(parsed.is_key(Encoding::Strips));
        // A fifth size would be where the first picture is.
        message[32] = 3;
        assert!(Message::parse(&message).is_err());
    }

    #[test]
    fn what_is_neither_is_refused_with_what_was_found() {
        let mut message = unit(b"\x89PNG\r\n");
        let err = Message::parse(&message).unwrap_err().to_string();
        assert!(
            err.contains("70 bytes that begin with 42 00 00 00 06 00 00 00 89 50"),
            "{err}"
        );
        // A start code, but sizes that do not fit.
        message = unit(&[0, 0, 0, 1, 0x67]);
        message.pop();
        assert!(Message::parse(&message).is_err());
        assert!(Message::parse(&[]).is_err());
    }
}
