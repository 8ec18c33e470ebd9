//! Hides the beginning of a finished MP4 from players, by its edit lists.
//!
//! A clip must begin with a sync point, which lies before the moment that was asked for. What
//! stands between the two stays in the file, and the edit list of every track says that it is not
//! shown (ISO/IEC 14496-12, 8.6.6). Only numbers change, never a size, so everything in the file
//! stays where it is.

use crate::time::{Nanos, SECOND};

/// What a box begins with: its size and its name.
const HEADER: usize = 8;
/// A media time that says that nothing is shown.
const EMPTY: i64 = -1;

/// Why a `moov` cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A box that it must hold.
    #[error("the clip has no {0} box")]
    Missing(&'static str),
    /// A box that ends beyond its parent, or is too short for what it must hold.
    #[error("a box of the clip is cut short")]
    Short,
    /// An edit list that no muxer of ours writes.
    #[error("the clip has an edit list of {0} entries")]
    Entries(u32),
}

/// Hides the first `lead_in` of every track of a movie; `moov` is what the box of that name holds.
///
/// # Errors
/// An [`EditError`]; `moov` may have changed in part and must not be written.
pub fn hide(moov: &mut [u8], lead_in: Nanos) -> Result<(), EditError> {
    let (at, size) = find(moov, b"mvhd").ok_or(EditError::Missing("mvhd"))?;
    let movie = Timed::read(&moov[at..at + size], MVHD)?;
    let hidden = scale(lead_in, movie.scale);
    movie.shorten(&mut moov[at..at + size], hidden, MVHD)?;
    let tracks: Vec<_> = boxes(moov).filter(|(name, ..)| name == b"trak").collect();
    for (_, at, size) in tracks {
        hide_in_track(&mut moov[at..at + size], lead_in, hidden)?;
    }
    Ok(())
}

fn hide_in_track(trak: &mut [u8], lead_in: Nanos, hidden: u64) -> Result<(), EditError> {
    let (at, size) = find(trak, b"mdia").ok_or(EditError::Missing("mdia"))?;
    let media = &trak[at..at + size];
    let (at, size) = find(media, b"mdhd").ok_or(EditError::Missing("mdhd"))?;
    let scale_of_media = Timed::read(&media[at..at + size], MVHD)?.scale;

    let (at, size) = find(trak, b"tkhd").ok_or(EditError::Missing("tkhd"))?;
    let head = Timed::read(&trak[at..at + size], TKHD)?;
    head.shorten(&mut trak[at..at + size], hidden, TKHD)?;

    let (at, size) = find(trak, b"edts").ok_or(EditError::Missing("edts"))?;
    let edits = &mut trak[at..at + size];
    let (at, size) = find(edits, b"elst").ok_or(EditError::Missing("elst"))?;
    let list = &mut edits[at..at + size];
    let mut list = EditList::of(list)?;
    let skipped = scale(lead_in, scale_of_media);
    match list.entries {
        1 => list.skip(0, hidden, skipped),
        2 if list.media_time(0) == Ok(EMPTY) => {
            // A track that begins later.
            let wait = list.duration(0)?;
            if wait > hidden {
                return list.set_duration(0, wait - hidden);
            }
            let share = wait
                .checked_mul(skipped)
                .and_then(|it| it.checked_div(hidden));
            let left = skipped - share.unwrap_or(0);
            list.drop_first()?;
            list.skip(0, hidden - wait, left)
        }
        entries => Err(EditError::Entries(entries)),
    }
}

/// Where a duration stands in a box, counted from behind version and flags: the fields before it
/// by their width, 4 or 8 bytes in version 0 and 1, or always 4.
struct Layout {
    /// Fields that are wider in version 1.
    wide: usize,
    /// The time scale stands just before the duration.
    has_scale: bool,
    /// Bytes of other fields before the duration.
    other: usize,
}

const MVHD: Layout = Layout {
    wide: 2,
    has_scale: true,
    other: 4,
};
const TKHD: Layout = Layout {
    wide: 2,
    has_scale: false,
    other: 8,
};

/// A box with a duration in a time scale.
struct Timed {
    /// 0 where the box does not tell.
    scale: u32,
    duration: u64,
}

impl Layout {
    fn duration(&self, data: &[u8]) -> Result<(usize, bool), EditError> {
        let is_wide = *data.first().ok_or(EditError::Short)? == 1;
        let width = if is_wide { 8 } else { 4 };
        Ok((4 + self.wide * width + self.other, is_wide))
    }
}

impl Timed {
    fn read(data: &[u8], layout: Layout) -> Result<Self, EditError> {
        let (at, is_wide) = layout.duration(data)?;
        let scale = if layout.has_scale {
            u32::try_from(number(data, at - 4, false)?).unwrap_or(0)
        } else {
            0
        };
        let duration = number(data, at, is_wide)?;
        Ok(Self { scale, duration })
    }

    fn shorten(&self, data: &mut [u8], by: u64, layout: Layout) -> Result<(), EditError> {
        let (at, is_wide) = layout.duration(data)?;
        put(data, at, is_wide, self.duration.saturating_sub(by))
    }
}

/// The content of an `elst` box: version and flags, a count, then duration, media time and rate.
struct EditList<'a> {
    data: &'a mut [u8],
    is_wide: bool,
    entries: u32,
}

impl<'a> EditList<'a> {
    fn of(data: &'a mut [u8]) -> Result<Self, EditError> {
        let is_wide = *data.first().ok_or(EditError::Short)? == 1;
        let entries = u32::try_from(number(data, 4, false)?).unwrap_or(0);
        Ok(Self {
            data,
            is_wide,
            entries,
        })
    }

    fn width(&self) -> usize {
        if self.is_wide { 8 } else { 4 }
    }

    fn size(&self) -> usize {
        2 * self.width() + 4
    }

    fn at(&self, entry: usize) -> usize {
        8 + entry * self.size()
    }

    fn duration(&self, entry: usize) -> Result<u64, EditError> {
        number(self.data, self.at(entry), self.is_wide)
    }

    fn set_duration(&mut self, entry: usize, duration: u64) -> Result<(), EditError> {
        put(self.data, self.at(entry), self.is_wide, duration)
    }

    fn media_time(&self, entry: usize) -> Result<i64, EditError> {
        let time = number(self.data, self.at(entry) + self.width(), self.is_wide)?;
        Ok(if self.is_wide {
            time.cast_signed()
        } else {
            i64::from((time as u32).cast_signed())
        })
    }

    /// Shows an entry only from `media` ticks later on, which takes `movie` ticks off it.
    fn skip(&mut self, entry: usize, movie: u64, media: u64) -> Result<(), EditError> {
        let duration = self.duration(entry)?;
        self.set_duration(entry, duration.saturating_sub(movie))?;
        let time = self.media_time(entry)?.max(0).cast_unsigned();
        let at = self.at(entry) + self.width();
        put(self.data, at, self.is_wide, time.saturating_add(media))
    }

    /// Makes the second entry the only one. The box keeps its size: readers go by the count.
    fn drop_first(&mut self) -> Result<(), EditError> {
        let (from, size) = (self.at(1), self.size());
        if self.data.len() < from + size {
            return Err(EditError::Short);
        }
        self.data.copy_within(from..from + size, self.at(0));
        self.entries -= 1;
        put(self.data, 4, false, self.entries.into())
    }
}

/// The boxes that lie one behind the other in `data`: name, and where the content is.
fn boxes(data: &[u8]) -> impl Iterator<Item = ([u8; 4], usize, usize)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let [a, b, c, d, name @ ..] = *data.get(next..)?.first_chunk::<HEADER>()?;
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        let content = size.checked_sub(HEADER)?;
        let at = next + HEADER;
        next = next.checked_add(size).filter(|end| *end <= data.len())?;
        Some((name, at, content))
    })
}

fn find(data: &[u8], name: &[u8; 4]) -> Option<(usize, usize)> {
    boxes(data)
        .find(|(own, ..)| own == name)
        .map(|(_, at, size)| (at, size))
}

fn number(data: &[u8], at: usize, is_wide: bool) -> Result<u64, EditError> {
    let data = data.get(at..).ok_or(EditError::Short)?;
    if is_wide {
        let bytes = data.first_chunk().ok_or(EditError::Short)?;
        Ok(u64::from_be_bytes(*bytes))
    } else {
        let bytes = data.first_chunk().ok_or(EditError::Short)?;
        Ok(u32::from_be_bytes(*bytes).into())
    }
}

fn put(data: &mut [u8], at: usize, is_wide: bool, value: u64) -> Result<(), EditError> {
    let data = data.get_mut(at..).ok_or(EditError::Short)?;
    if is_wide {
        *data.first_chunk_mut().ok_or(EditError::Short)? = value.to_be_bytes();
    } else {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        *data.first_chunk_mut().ok_or(EditError::Short)? = value.to_be_bytes();
    }
    Ok(())
}

/// A span in ticks, to the nearest.
fn scale(span: Nanos, scale: u32) -> u64 {
    let ticks =
        (i128::from(span.max(0)) * i128::from(scale) + i128::from(SECOND / 2)) / i128::from(SECOND);
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(HEADER + content.len()).expect("small");
        [&size.to_be_bytes()[..], name, content].concat()
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    /// 10 s in a movie of 1000 ticks a second, a track of 48000.
    fn movie(edits: &[[u32; 2]]) -> Vec<u8> {
        let list: Vec<u32> = [0, edits.len() as u32]
            .into_iter()
            .chain(
                edits
                    .iter()
                    .flat_map(|[duration, time]| [*duration, *time, 1 << 16]),
            )
            .collect();
        let track = [
            boxed(b"tkhd", &numbers(&[0, 0, 0, 1, 0, 10_000, 0])),
            boxed(b"edts", &boxed(b"elst", &numbers(&list))),
            boxed(
                b"mdia",
                &boxed(b"mdhd", &numbers(&[0, 0, 0, 48_000, 480_000])),
            ),
        ];
        [
            boxed(b"mvhd", &numbers(&[0, 0, 0, 1000, 10_000])),
            boxed(b"trak", &track.concat()),
        ]
        .concat()
    }

    #[test]
    fn a_track_is_shown_from_the_moment_that_was_asked_for() {
        let mut moov = movie(&[[10_000, 2_400]]);
        hide(&mut moov, 1_500_000_000).expect("it can be hidden");
        let shown = 2_400 + 72_000;
        let mut wanted = movie(&[[8_500, shown]]);
        for (at, byte) in wanted.clone().windows(4).enumerate() {
            if byte == 10_000u32.to_be_bytes() {
                wanted[at..at + 4].copy_from_slice(&8_500u32.to_be_bytes());
            }
        }
        assert_eq!(moov, wanted);
    }

    #[test]
    fn a_track_that_begins_later_waits_less_or_is_cut_by_the_rest() {
        let list = |lead_in| {
            let mut moov = movie(&[[1_000, u32::MAX], [9_000, 0]]);
            hide(&mut moov, lead_in).expect("it can be hidden");
            let (at, _) = find(&moov, b"trak").expect("there is one");
            let (edts, size) = find(&moov[at..], b"edts").expect("there is one");
            let start = at + edts + HEADER;
            moov[start + 4..at + edts + size].to_vec()
        };
        let waits = [2, 500, u32::MAX, 1 << 16, 9_000, 0, 1 << 16];
        assert_eq!(list(500_000_000), numbers(&waits));
        let cut = [1, 8_000, 48_000, 1 << 16];
        assert!(list(2_000_000_000).starts_with(&numbers(&cut)));
    }

    #[test]
    fn what_is_no_movie_is_told() {
        assert_eq!(hide(&mut [], 1), Err(EditError::Missing("mvhd")));
        let mut strange = movie(&[[1, 0], [1, 0], [1, 0]]);
        assert_eq!(hide(&mut strange, 1), Err(EditError::Entries(3)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(cut in 0usize..200, flip in 0usize..200, byte: u8, lead_in: i64) {
            let mut moov = movie(&[[1_000, u32::MAX], [9_000, 0]]);
            let flip = flip.min(moov.len() - 1);
            moov[flip] = byte;
            moov.truncate(cut);
            let _ = hide(&mut moov, lead_in);
        }
    }
}
