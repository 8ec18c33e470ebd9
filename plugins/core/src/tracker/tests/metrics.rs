//! How well tracks agree with the truth, by the usual formulas: CLEAR MOT (Bernardin and
//! Stiefelhagen, 2008) and identity (Ristani et al., 2016), both at an overlap of one half.

use std::collections::BTreeMap;

use crate::detection::BoundingBox;
use crate::tracker::assign::{Edge, assign};

/// Boxes with their numbers, frame by frame.
pub(super) type Frames = Vec<Vec<(i64, BoundingBox)>>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quality {
    pub(super) mota: f64,
    pub(super) idf1: f64,
    pub(super) switches: usize,
    pub(super) misses: usize,
    pub(super) false_positives: usize,
}

const OVERLAP: f64 = 0.5;

pub(super) fn measure(truth: &Frames, tracks: &Frames) -> Quality {
    let count = |frames: &Frames| frames.iter().map(Vec::len).sum::<usize>();
    let (mut misses, mut false_positives, mut switches) = (0, 0, 0);
    // Whom each object was last seen as, and since its last frame.
    let mut known: BTreeMap<i64, i64> = BTreeMap::new();
    for (objects, tracks) in truth.iter().zip(tracks) {
        let pairs = correspond(objects, tracks, &known);
        for (object, track) in &pairs {
            let before = known.insert(*object, *track);
            switches += usize::from(before.is_some_and(|before| before != *track));
        }
        misses += objects.len() - pairs.len();
        false_positives += tracks.len() - pairs.len();
    }
    let errors = misses + false_positives + switches;
    let whole = count(truth);
    Quality {
        mota: 1.0 - errors as f64 / whole as f64,
        idf1: 2.0 * identity(truth, tracks) / (whole + count(tracks)) as f64,
        switches,
        misses,
        false_positives,
    }
}

/// Who is who in one frame: first whoever still is who he was, then the closest.
fn correspond(
    objects: &[(i64, BoundingBox)],
    tracks: &[(i64, BoundingBox)],
    known: &BTreeMap<i64, i64>,
) -> Vec<(i64, i64)> {
    let mut pairs: Vec<(i64, i64)> = Vec::new();
    for (object, at) in objects {
        let same = tracks
            .iter()
            .find(|(track, _)| known.get(object) == Some(track));
        // Two objects may both have been this track before.
        let same = same.filter(|(track, _)| pairs.iter().all(|pair| pair.1 != *track));
        if same.is_some_and(|(_, bbox)| bbox.iou(at) >= OVERLAP) {
            pairs.push((*object, known[object]));
        }
    }
    let kept = pairs.clone();
    let mut edges = Vec::new();
    for (row, (object, at)) in objects.iter().enumerate() {
        for (col, (track, bbox)) in tracks.iter().enumerate() {
            let taken = kept
                .iter()
                .any(|pair| pair.0 == *object || pair.1 == *track);
            let iou = bbox.iou(at);
            if !taken && iou >= OVERLAP {
                let cost = (1.0 - iou) as f32;
                edges.push(Edge { row, col, cost });
            }
        }
    }
    // As many pairs as can be, and of those the closest.
    for (row, col) in assign(objects.len(), tracks.len(), &edges, 100.0)
        .into_iter()
        .enumerate()
    {
        pairs.extend(col.map(|col| (objects[row].0, tracks[col].0)));
    }
    pairs
}

/// In how many boxes the truth and the tracks agree, when each object is one track throughout.
fn identity(truth: &Frames, tracks: &Frames) -> f64 {
    let mut shared: BTreeMap<(i64, i64), f32> = BTreeMap::new();
    for (objects, tracks) in truth.iter().zip(tracks) {
        for (object, at) in objects {
            for (track, _) in tracks.iter().filter(|(_, bbox)| bbox.iou(at) >= OVERLAP) {
                *shared.entry((*object, *track)).or_default() += 1.0;
            }
        }
    }
    let most = truth.len() as f32 + 1.0;
    let names = |of: fn(&(i64, i64)) -> i64| {
        let mut names: Vec<i64> = shared.keys().map(of).collect();
        names.sort();
        names.dedup();
        names
    };
    let (rows, cols) = (names(|pair| pair.0), names(|pair| pair.1));
    let place = |names: &[i64], name| names.partition_point(|other| *other < name);
    let edges: Vec<Edge> = shared
        .iter()
        .map(|((object, track), frames)| Edge {
            row: place(&rows, *object),
            col: place(&cols, *track),
            cost: most - frames,
        })
        .collect();
    let taken = assign(rows.len(), cols.len(), &edges, most);
    let frames = |(row, col): (usize, Option<usize>)| {
        let pair = (rows[row], cols[col?]);
        shared.get(&pair).copied()
    };
    taken
        .into_iter()
        .enumerate()
        .filter_map(frames)
        .sum::<f32>()
        .into()
}

#[test]
fn the_formulas_give_what_they_give_by_hand() {
    let at = |l: f64| BoundingBox {
        l,
        t: 0.0,
        w: 0.1,
        h: 0.5,
    };
    let truth: Frames = (0..10).map(|_| vec![(1, at(0.0)), (2, at(0.5))]).collect();
    assert_eq!(measure(&truth, &truth).mota, 1.0);
    assert_eq!(measure(&truth, &truth).idf1, 1.0);
    // One object changes its number after six frames, the other is missed in the last four, and
    // there is one box where nothing is.
    let tracks: Frames = (0..10)
        .map(|n| {
            let mut tracks = vec![(if n < 6 { 7 } else { 8 }, at(0.0))];
            tracks.extend((n < 6).then(|| (9, at(0.5))));
            tracks.extend((n == 0).then(|| (10, at(0.8))));
            tracks
        })
        .collect();
    let found = measure(&truth, &tracks);
    assert_eq!(
        (found.switches, found.misses, found.false_positives),
        (1, 4, 1)
    );
    assert!((found.mota - (1.0 - 6.0 / 20.0)).abs() < 1e-9);
    assert!((found.idf1 - 2.0 * 12.0 / (20.0 + 17.0)).abs() < 1e-9);
}
