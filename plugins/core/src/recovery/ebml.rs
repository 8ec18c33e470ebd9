//! The elements that a Matroska file consists of (RFC 8794), read and written.

/// Bytes of the longest header: four of id, eight of size.
pub(super) const LONGEST: usize = 12;

/// An element's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// With its length marker, as the specification writes it.
    pub(super) id: u32,
    /// Bytes of the id.
    pub(super) id_width: usize,
    /// Bytes before the body.
    pub(super) header: usize,
    /// Bytes of the body; `None` where whoever wrote it did not know yet.
    pub(super) size: Option<u64>,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` where there is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let id_width = width(bytes).filter(|width| *width <= 4)?;
        let id = uint(bytes.get(..id_width)?)?;
        let (size, size_width) = vint(bytes.get(id_width..)?)?;
        Some(Self {
            id: u32::try_from(id).ok()?,
            id_width,
            header: id_width + size_width,
            size,
        })
    }

    /// Bytes of the field that tells the size.
    pub(super) fn size_width(&self) -> usize {
        self.header - self.id_width
    }
}

/// A child within an element's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child<'a> {
    pub(super) id: u32,
    /// Where it begins within the parent's body, and how long it is with its header.
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) body: &'a [u8],
}

impl Child<'_> {
    /// Where its body begins within the parent's.
    pub(super) fn body_at(&self) -> usize {
        self.at + self.len - self.body.len()
    }
}

/// The elements within `bytes`, as far as they are whole.
pub(super) fn children(bytes: &[u8]) -> impl Iterator<Item = Child<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..)?;
        let header = Header::read(rest)?;
        let size = usize::try_from(header.size?).ok()?;
        let len = header.header.checked_add(size)?;
        let child = Child {
            id: header.id,
            at,
            len,
            body: rest.get(header.header..len)?,
        };
        at += len;
        Some(child)
    })
}

/// The body of the first child `id` within `bytes`.
pub(super) fn child(bytes: &[u8], id: u32) -> Option<&[u8]> {
    children(bytes)
        .find(|child| child.id == id)
        .map(|child| child.body)
}

/// A number of up to eight bytes.
pub(super) fn uint(bytes: &[u8]) -> Option<u64> {
    let add = |number, byte: &u8| number << 8 | u64::from(*byte);
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, add))
}

/// A number that tells its own width, and that width; `None` in place of the number where all its
/// bits are set, which means that it is not known.
pub(super) fn vint(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let width = width(bytes)?;
    let most = most(width);
    let number = uint(bytes.get(..width)?)? & most;
    Some(((number != most).then_some(number), width))
}

/// The first bit that is set tells how many bytes belong together.
fn width(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    (first != 0).then(|| first.leading_zeros() as usize + 1)
}

/// What `width` bytes of a number with its own width hold with all bits set.
fn most(width: usize) -> u64 {
    (1 << (7 * width)) - 1
}

/// `number` in `width` bytes that tell their width; `None` where it does not fit.
pub(super) fn vint_of(number: u64, width: usize) -> Option<Vec<u8>> {
    let fits = (1..=8).contains(&width) && number < most(width);
    let marked = (1_u64 << (7 * width)) | number;
    fits.then(|| marked.to_be_bytes()[8 - width..].to_vec())
}

/// An element with this body.
pub(super) fn element(id: u32, body: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes();
    let from = id.iter().position(|byte| *byte != 0).unwrap_or(3);
    let size = (1..=8).find_map(|width| vint_of(body.len() as u64, width));
    [&id[from..], &size.unwrap_or_default(), body].concat()
}

/// An element that holds a number.
pub(super) fn number(id: u32, number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let from = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
    element(id, &bytes[from..])
}

/// The header of an element of `len` bytes that readers pass over; there is none of one byte.
pub(super) fn void(len: u64) -> Option<Vec<u8>> {
    const VOID: u8 = 0xec;
    let width = if len < 128 { 1 } else { 8 };
    let size = vint_of(len.checked_sub(1 + width as u64)?, width)?;
    Some([vec![VOID], size].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for len in [2, 3, 127, 128, 129, 1 << 20] {
            let header = Header::read(&void(len).expect("possible")).expect("a header");
            assert_eq!(header.header as u64 + header.size.expect("known"), len);
        }
        assert_eq!(void(1), None);
        let cues = element(0x1c53_bb6b, &number(0xb3, 300));
        let header = Header::read(&cues).expect("a header");
        assert_eq!((header.id, header.header), (0x1c53_bb6b, 5));
        let time = child(&cues[header.header..], 0xb3);
        assert_eq!(time.and_then(uint), Some(300));
        assert_eq!(
            vint(&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Some((None, 8))
        );
        assert_eq!(vint(&[0x40, 0x7f]), Some((Some(127), 2)));
        assert_eq!(vint(&[0]), None);
    }
}
