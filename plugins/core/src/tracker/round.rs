//! One observation: which tracks overlap with which detections, and who gets whom.

use super::assign::{Edge, assign};
use super::track::Track;
use crate::detection::{BoundingBox, Detection};

/// What the overlap of a track and a detection counts for that are called differently.
const OTHER_LABEL: f32 = 0.5;

/// Who was found in one observation.
pub(super) struct Round<'a> {
    tracks: &'a [Track],
    detections: &'a [Detection],
    /// Where each detection is, from left to right by their left edges.
    places: Vec<(Corners, usize)>,
    /// The width of the widest detection.
    widest: f32,
    /// The tracks that have a detection.
    matched: Vec<bool>,
    /// The detections that have a track.
    pub(super) taken: Vec<bool>,
    /// Tracks and their detections.
    pub(super) found: Vec<(usize, usize)>,
}

/// Left, top, right and bottom in heights of the frame.
type Corners = [f32; 4];

impl<'a> Round<'a> {
    pub(super) fn new(tracks: &'a [Track], detections: &'a [Detection], aspect: f64) -> Self {
        let place = |(n, detection): (usize, &Detection)| {
            let BoundingBox { l, t, w, h } = detection.bbox;
            let corners = [l * aspect, t, (l + w) * aspect, t + h];
            (corners.map(|v| v as f32), n)
        };
        let mut places: Vec<_> = detections.iter().enumerate().map(place).collect();
        places.sort_unstable_by(|(a, _), (b, _)| a[0].total_cmp(&b[0]));
        let widths = places.iter().map(|(c, _)| c[2] - c[0]);
        let widest = widths.fold(0.0, f32::max);
        Self {
            tracks,
            detections,
            places,
            widest,
            matched: vec![false; tracks.len()],
            taken: vec![false; detections.len()],
            found: Vec::with_capacity(tracks.len().min(detections.len())),
        }
    }

    /// Gives the tracks of one kind that have none yet their detections out of `among`, where both
    /// overlap by more than `overlap`.
    pub(super) fn associate(
        &mut self,
        among: &[usize],
        overlap: f32,
        kind: impl Fn(&Track) -> bool,
    ) {
        if among.is_empty() || self.tracks.is_empty() {
            return;
        }
        let mut offered = vec![false; self.detections.len()];
        for &n in among {
            offered[n] = !self.taken[n];
        }
        let mut edges = Vec::new();
        for (row, track) in self.tracks.iter().enumerate() {
            if !self.matched[row] && kind(track) {
                self.overlaps(row, track, overlap, &offered, &mut edges);
            }
        }
        if edges.is_empty() {
            return;
        }
        let (rows, cols) = (self.tracks.len(), self.detections.len());
        let pairs = assign(rows, cols, &edges, 1.0 - overlap);
        for (row, col) in pairs.into_iter().enumerate() {
            if let Some(col) = col {
                (self.matched[row], self.taken[col]) = (true, true);
                self.found.push((row, col));
            }
        }
    }

    /// Which of the detections that are offered a track overlaps with.
    fn overlaps(
        &self,
        row: usize,
        track: &Track,
        overlap: f32,
        offered: &[bool],
        edges: &mut Vec<Edge>,
    ) {
        let corners = track.filter.corners(0.0).map(|v| v as f32);
        let leftmost = corners[0] - self.widest;
        // Most of them lie wholly to the left or to the right.
        let from = self.places.partition_point(|(c, _)| c[0] < leftmost);
        let near = self.places[from..].iter();
        for (place, col) in near.take_while(|(c, _)| c[0] < corners[2]) {
            let mut iou = iou(&corners, place);
            if iou > overlap && offered[*col] {
                if track.label() != self.detections[*col].label {
                    iou *= OTHER_LABEL;
                }
                if iou > overlap {
                    edges.push(Edge {
                        row,
                        col: *col,
                        cost: 1.0 - iou,
                    });
                }
            }
        }
    }
}

/// Intersection over union of two boxes.
fn iou(a: &Corners, b: &Corners) -> f32 {
    let w = a[2].min(b[2]) - a[0].max(b[0]);
    let h = a[3].min(b[3]) - a[1].max(b[1]);
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let area = |c: &Corners| (c[2] - c[0]) * (c[3] - c[1]);
    w * h / (area(a) + area(b) - w * h)
}
