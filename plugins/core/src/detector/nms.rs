//! Non-maximum suppression: of boxes of one class that overlap much, the best stays.

use super::Candidate;

/// Keeps of `candidates`, which come best first, those that overlap no better one of their class
/// by more than `iou`, and no more than `max` of them. Order is kept.
///
/// Costs at most `candidates.len() * max` comparisons and no memory.
pub(super) fn suppress(candidates: &mut Vec<Candidate>, iou: f32, max: usize) {
    let iou = f64::from(iou);
    let mut kept = 0;
    for next in 0..candidates.len() {
        if kept == max {
            break;
        }
        let candidate = candidates[next];
        let covered = candidates[..kept].iter().any(|better| {
            better.class == candidate.class && better.bbox.iou(&candidate.bbox) > iou
        });
        if !covered {
            candidates[kept] = candidate;
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::BoundingBox;

    fn candidate(class: usize, l: f64) -> Candidate {
        Candidate {
            class,
            place: 0,
            score: 0.9,
            bbox: BoundingBox::from_corners(l, 0.0, l + 0.4, 1.0),
        }
    }

    fn kept(mut candidates: Vec<Candidate>, iou: f32, max: usize) -> Vec<Candidate> {
        suppress(&mut candidates, iou, max);
        candidates
    }

    #[test]
    fn a_box_goes_where_a_better_one_of_its_class_covers_it() {
        let [best, shifted, aside] = [0.0, 0.1, 0.5].map(|l| candidate(0, l));
        assert_eq!(kept(vec![best, shifted, aside], 0.5, 10), vec![best, aside]);
    }

    #[test]
    fn boxes_of_different_classes_leave_each_other_alone() {
        let both = vec![candidate(0, 0.0), candidate(1, 0.0)];
        assert_eq!(kept(both.clone(), 0.5, 10), both);
    }

    #[test]
    fn a_box_that_was_suppressed_suppresses_none() {
        // Neighbours overlap by 0.6, the outer two by 1/3: only the middle one goes.
        let chain = [0.0, 0.1, 0.2].map(|l| candidate(0, l));
        assert_eq!(kept(chain.to_vec(), 0.5, 10), vec![chain[0], chain[2]]);
    }

    #[test]
    fn no_more_stay_than_asked_for() {
        let row: Vec<_> = (0..4).map(|class| candidate(class, 0.0)).collect();
        assert_eq!(kept(row.clone(), 0.5, 2), row[..2]);
        assert_eq!(kept(row, 0.5, 0), vec![]);
    }
}
