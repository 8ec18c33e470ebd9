//! The boxes that an MP4 file consists of (ISO/IEC 14496-12, 4.2), and numbers in them.

/// Length of a box's header as `size` and `type` tell it, without and with 64 bits of size.
pub(super) const SHORT: usize = 8;
pub(super) const LONG: usize = 16;

/// A box's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: [u8; 4],
    /// Bytes before the body.
    pub(super) header: usize,
    /// Bytes of the whole box; `None` where it reaches to the end of the file.
    pub(super) size: Option<u64>,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` where there is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let kind = bytes.get(4..SHORT)?.try_into().ok()?;
        let (header, size) = match u32_at(bytes, 0)? {
            0 => (SHORT, None),
            1 => (LONG, Some(u64_at(bytes, SHORT)?)),
            size => (SHORT, Some(u64::from(size))),
        };
        let sound = size.is_none_or(|size| size >= header as u64);
        sound.then_some(Self { kind, header, size })
    }
}

/// The boxes within `bytes`, as far as they are whole.
pub(super) fn children(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let header = Header::read(bytes)?;
        let size = match header.size {
            Some(size) => usize::try_from(size).ok()?,
            None => bytes.len(),
        };
        let body = bytes.get(header.header..size)?;
        bytes = &bytes[size..];
        Some((header.kind, body))
    })
}

/// The first box `kind` within `bytes`.
pub(super) fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    children(bytes)
        .find(|(it, _)| it == kind)
        .map(|(_, body)| body)
}

/// The box at the end of `path`.
pub(super) fn descend<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter()
        .try_fold(bytes, |bytes, kind| child(bytes, kind))
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// Takes numbers one after the other.
pub(super) struct Numbers<'a> {
    bytes: &'a [u8],
}

impl<'a> Numbers<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let number = u32_at(self.bytes, 0)?;
        self.bytes = &self.bytes[4..];
        Some(number)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let number = u64_at(self.bytes, 0)?;
        self.bytes = &self.bytes[8..];
        Some(number)
    }

    /// The next number where `present`, else `default`.
    pub(super) fn u32_if(&mut self, present: bool, default: u32) -> Option<u32> {
        if present { self.u32() } else { Some(default) }
    }
}
