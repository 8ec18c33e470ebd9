//! Non-maximum suppression: of boxes that overlap much, the best stays.

use super::Candidate;
use super::layout::Suppression;

/// Keeps of `candidates`, which come best first, those that no better one covers, and no more than
/// `max` of them. A better one covers another that it overlaps by more than `iou`, if the two are
/// compared at all; with `one_class` also every other class of its own box. Order is kept.
///
/// Costs at most `candidates.len() * max` comparisons and no memory.
pub(super) fn suppress(
    candidates: &mut Vec<Candidate>,
    suppression: Suppression,
    one_class: bool,
    iou: f32,
    max: usize,
) {
    let iou = f64::from(iou);
    let covers = |better: &Candidate, other: &Candidate| {
        let compared = match suppression {
            Suppression::PerClass => better.class == other.class,
            Suppression::Agnostic => true,
            Suppression::None => false,
        };
        (one_class && better.place == other.place)
            || (compared && better.bbox.iou(&other.bbox) > iou)
    };
    let mut kept = 0;
    for next in 0..candidates.len() {
        if kept == max {
            break;
        }
        let candidate = candidates[next];
        if !candidates[..kept]
            .iter()
            .any(|better| covers(better, &candidate))
        {
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
            place: (l * 100.0) as usize,
            score: 0.9,
            bbox: BoundingBox::from_corners(l, 0.0, l + 0.4, 1.0),
        }
    }

    fn kept(mut candidates: Vec<Candidate>, iou: f32, max: usize) -> Vec<Candidate> {
        suppress(&mut candidates, Suppression::PerClass, false, iou, max);
        candidates
    }

    #[test]
    fn a_box_goes_where_a_better_one_of_its_class_covers_it() {
        let [best, shifted, aside] = [0.0, 0.1, 0.5].map(|l| candidate(0, l));
        assert_eq!(kept(vec![best, shifted, aside], 0.5, 10), vec![best, aside]);
    }

    #[test]
    fn boxes_of_different_classes_leave_each_other_alone_unless_asked() {
        let both = vec![candidate(0, 0.0), candidate(1, 0.1)];
        assert_eq!(kept(both.clone(), 0.5, 10), both);
        let mut agnostic = both.clone();
        suppress(&mut agnostic, Suppression::Agnostic, false, 0.5, 10);
        assert_eq!(agnostic, both[..1]);
        let mut none = vec![both[0], both[0]];
        suppress(&mut none, Suppression::None, false, 0.5, 10);
        assert_eq!(none.len(), 2);
    }

    #[test]
    fn a_box_of_one_class_is_of_its_best_alone() {
        let mut both = vec![candidate(0, 0.0), candidate(1, 0.0), candidate(1, 0.5)];
        suppress(&mut both, Suppression::PerClass, true, 0.5, 10);
        assert_eq!(both, vec![candidate(0, 0.0), candidate(1, 0.5)]);
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
