//! Which disparity a pixel has, by the sums of a row.

/// What stands for a right pixel that nothing has claimed.
const UNCLAIMED: u32 = u32::MAX;
/// Percent of confidence for each hundredth by which the best sum is below the next best, so that
/// a fifth less is full confidence.
const FULL_CONFIDENCE: u32 = 500;

/// What was found at a pixel.
#[derive(Clone, Copy, Default)]
struct Found {
    disparity: u16,
    shift: f32,
    confidence: u8,
    known: bool,
}

/// Finds the disparities of a row after the other.
#[derive(Default)]
pub(super) struct Winner {
    /// Per pixel of the right row, the last first, the least sum (upper half) and its disparity
    /// (lower half).
    right: Vec<u32>,
    found: Vec<Found>,
}

impl Winner {
    /// Puts the disparity of each pixel of the row, in pixels, where one is known and 0 where none
    /// is, and how sure it is, from 0 to 100.
    #[inline(always)]
    pub(super) fn row(
        &mut self,
        sums: &[u16],
        disparities: usize,
        values: &mut [f32],
        sureness: &mut [u8],
    ) {
        let width = values.len();
        self.right.clear();
        self.right.resize(width + disparities, UNCLAIMED);
        self.found.clear();
        for (x, sums) in sums.chunks_exact(disparities).enumerate() {
            let right = &mut self.right[width - 1 - x..][..disparities];
            for (d, (claim, sum)) in right.iter_mut().zip(sums).enumerate() {
                *claim = (*claim).min(u32::from(*sum) << 16 | d as u32);
            }
            // Beyond these the counterpart would lie outside.
            let inside = (x + 1).min(disparities);
            self.found.push(best(&sums[..inside]));
        }
        let pixels = values.iter_mut().zip(sureness).enumerate();
        for ((x, (value, sure)), found) in pixels.zip(&self.found) {
            let d = usize::from(found.disparity);
            let back = (self.right[width - 1 - x + d] & 0xffff) as u16;
            let agreed = found.known && back.abs_diff(found.disparity) <= 1;
            (*value, *sure) = if agreed {
                (d as f32 + found.shift, found.confidence)
            } else {
                (0.0, 0)
            };
        }
    }
}

#[inline(always)]
fn best(sums: &[u16]) -> Found {
    let least = lowest(sums);
    let at = sums.iter().position(|sum| *sum == least);
    // Neighbours of the best are nearly as good wherever there is a best.
    let second = at.map(|at| {
        let nearer = sums.get(at + 2..).unwrap_or_default();
        lowest(&sums[..at.saturating_sub(1)]).min(lowest(nearer))
    });
    let (Some(at), Some(second)) = (at, second.filter(|sum| *sum < u16::MAX)) else {
        // Nothing to choose from.
        return Found::default();
    };
    let margin = u32::from(second - least) * FULL_CONFIDENCE / u32::from(second.max(1));
    Found {
        disparity: at as u16,
        shift: match (at.checked_sub(1), sums.get(at + 1)) {
            (Some(before), Some(behind)) => between(sums[before], least, *behind),
            _ => 0.0,
        },
        confidence: margin.min(100) as u8,
        known: true,
    }
}

#[inline(always)]
fn lowest(sums: &[u16]) -> u16 {
    sums.iter().fold(u16::MAX, |least, sum| least.min(*sum))
}

/// Where, between -½ and ½, two lines of equal and opposite slope through three neighbouring sums
/// meet. Sums of differing bits rise in lines, not in a parabola (M. Shimizu and M. Okutomi,
/// "Sub-pixel estimation error cancellation on area-based matching", IJCV 63(3), 2005).
#[inline(always)]
fn between(before: u16, least: u16, behind: u16) -> f32 {
    let steepest = f32::from(before.max(behind) - least);
    if steepest == 0.0 {
        return 0.0;
    }
    (f32::from(before) - f32::from(behind)) / (2.0 * steepest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_least_sum_wins_and_its_neighbours_tell_how_far_between_it_lies() {
        let found = best(&[100, 100, 40, 20, 30, 100, 100, 100]);
        assert_eq!((found.disparity, found.known), (3, true));
        // The steeper side has 20 a step: the lines meet a quarter on the flatter side.
        assert_eq!(found.shift, 0.25);
        assert_eq!(found.confidence, 100);
    }

    #[test]
    fn two_equally_good_disparities_are_no_confidence_at_all() {
        assert_eq!(best(&[50, 10, 50, 50, 10, 50]).confidence, 0);
        assert_eq!(best(&[50, 10, 50, 50, 11, 50]).confidence, 45);
    }

    #[test]
    fn fewer_disparities_than_can_be_compared_are_not_known() {
        for sums in [&[][..], &[3], &[3, 1]] {
            assert!(!best(sums).known, "{sums:?}");
        }
    }

    proptest! {
        #[test]
        fn one_pixel_of_the_right_row_is_given_to_neighbouring_disparities_only(
            n in 1usize..20,
            sums in prop::collection::vec(0u16..600, 1..900),
        ) {
            let width = sums.len() / n;
            let (mut values, mut sureness) = (vec![0.0; width], vec![0; width]);
            Winner::default().row(&sums[..width * n], n, &mut values, &mut sureness);
            let mut given = vec![None::<usize>; width];
            for (x, value) in values.iter().enumerate() {
                // Half a pixel may have come from either side.
                if *value <= 0.0 || value.fract() == 0.5 {
                    continue;
                }
                let disparity = value.round() as usize;
                prop_assert!(disparity <= x, "{} at {}", disparity, x);
                if let Some(other) = given[x - disparity].replace(disparity) {
                    prop_assert!(disparity.abs_diff(other) <= 2, "{} and {}", disparity, other);
                }
            }
        }
    }
}
