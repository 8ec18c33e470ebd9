//! Coded video without the video: pictures in display order become units in decode order.

use evr_core::{
    gate::Unit,
    time::{MILLISECOND, Nanos},
};

/// A frame of 25 fps.
pub(crate) const FRAME: Nanos = 40 * MILLISECOND;

/// What a picture is coded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing else: a sync point.
    I,
    /// What was decoded before.
    P,
    /// Also the next I or P in display order, which is therefore decoded first.
    B,
}

/// One picture in display order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) pts: Nanos,
    pub(crate) kind: Kind,
}

/// Whether units say when they are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dts {
    /// All do.
    Given,
    /// None does where nothing is reordered.
    Missing,
    /// Every other one does where nothing is reordered.
    Mixed,
}

/// Pictures, every `frame` from `first` on, of the kinds that `pattern` spells.
pub(crate) fn display(first: Nanos, frame: Nanos, pattern: &str) -> Vec<Picture> {
    let kind = |letter| match letter {
        'I' => Kind::I,
        'P' => Kind::P,
        _ => Kind::B,
    };
    (0..)
        .zip(pattern.chars())
        .map(|(n, letter)| Picture {
            pts: first + n * frame,
            kind: kind(letter),
        })
        .collect()
}

/// The units of a stream in decode order; the payload is the place in it.
///
/// The B-pictures before an I or P come right after it, in an order that `shuffle` picks, which
/// gets the length of the run and its number. The DTS are the PTS in ascending order, moved back
/// until none lies after its PTS.
pub(crate) fn encode(
    pictures: &[Picture],
    frame: Nanos,
    dts: Dts,
    mut shuffle: impl FnMut(usize, usize) -> Vec<usize>,
) -> Vec<Unit<u32>> {
    let mut order: Vec<Picture> = Vec::new();
    let mut waiting: Vec<Picture> = Vec::new();
    let mut runs = 0;
    for &picture in pictures {
        if picture.kind == Kind::B {
            waiting.push(picture);
            continue;
        }
        order.push(picture);
        order.extend(shuffle(waiting.len(), runs).into_iter().map(|n| waiting[n]));
        runs += 1;
        waiting.clear();
    }
    order.extend(waiting);

    let mut sorted: Vec<Nanos> = order.iter().map(|picture| picture.pts).collect();
    sorted.sort_unstable();
    let late = order
        .iter()
        .zip(&sorted)
        .map(|(picture, &shown)| shown - picture.pts);
    let delay = late.max().unwrap_or(0);
    let reordered = delay > 0;
    (0u32..)
        .zip(order.iter().zip(sorted))
        .map(|(place, (picture, shown))| {
            let given = reordered
                || match dts {
                    Dts::Given => true,
                    Dts::Missing => false,
                    Dts::Mixed => place % 2 == 0,
                };
            Unit {
                pts: picture.pts,
                dts: given.then_some(shown - delay),
                duration: Some(frame),
                sync: picture.kind == Kind::I,
                bytes: if picture.kind == Kind::I { 1000 } else { 100 },
                payload: place,
            }
        })
        .collect()
}

/// 25 fps without B-frames in `[first, last)`, a sync point every `gop`.
pub(crate) fn camera(first: Nanos, last: Nanos, gop: Nanos) -> Vec<Unit<u32>> {
    let pictures: Vec<Picture> = (0..)
        .map(|n| n * FRAME)
        .take_while(|&offset| first + offset < last)
        .map(|offset| Picture {
            pts: first + offset,
            kind: if offset % gop == 0 { Kind::I } else { Kind::P },
        })
        .collect();
    encode(&pictures, FRAME, Dts::Given, in_order)
}

/// B-pictures are decoded as they are shown.
pub(crate) fn in_order(length: usize, _run: usize) -> Vec<usize> {
    (0..length).collect()
}

/// The longest distance between two sync points, and the most bytes from one to the next; the
/// units before the first and after the last count as groups too.
pub(crate) fn largest_group(units: &[Unit<u32>]) -> (Nanos, u64) {
    let (mut time, mut bytes) = (0, 0);
    let mut group: Vec<&Unit<u32>> = Vec::new();
    for unit in units {
        if unit.sync {
            group.clear();
        }
        group.push(unit);
        let (first, last) = group
            .iter()
            .fold((unit.pts, unit.pts), |(low, high), unit| {
                (low.min(unit.pts), high.max(unit.pts))
            });
        time = time.max(last - first);
        bytes = bytes.max(group.iter().map(|unit| unit.bytes).sum());
    }
    (time, bytes)
}
