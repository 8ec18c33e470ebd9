//! A change of light (dusk, a cloud, an exposure that adapts) changes all blocks by one gain and
//! one offset. This finds both, from blocks that mostly do not move.

/// How many blocks are looked at.
const SAMPLES: usize = 1024;
/// Visits the blocks of any grid evenly: prime, and longer than any grid's side.
const STRIDE: usize = 7919;
/// Fewer blocks than these say nothing.
const MIN_SAMPLES: usize = 16;
/// Blocks that are as dark or as bright as can be do not follow the light.
const CLIPPED: (f32, f32) = (3.0, 252.0);
/// Between dark and bright blocks must lie so many levels before they can tell a gain.
const MIN_SPREAD: f32 = 20.0;
/// How often an estimate is refined.
const ROUNDS: usize = 4;
const GAINS: std::ops::RangeInclusive<f32> = 0.3..=3.3;
/// Counts for a gain of 1, in squared levels, where the picture hardly tells one.
const RIDGE: f32 = 25.0;

/// What the light does: a block's mean is now `gain · mean + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light {
    pub(super) gain: f32,
    pub(super) offset: f32,
    /// Standard deviation of what neither explains: the noise of the block means, where most of
    /// the picture stands still.
    pub(super) noise: f32,
}

/// Holds its samples between frames, so that a frame allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Estimator {
    /// Means before and now.
    pairs: Vec<(f32, f32)>,
    scratch: Vec<f32>,
}

impl Estimator {
    /// What has become of the light between the means `before` and those of `now`. As long as
    /// half of the picture stands still the other half does not matter.
    pub(super) fn estimate(&mut self, before: &[f32], now: &[f32]) -> Light {
        let count = before.len().min(now.len());
        self.pairs.clear();
        let sampled = (0..count.min(SAMPLES)).map(|n| n * STRIDE % count);
        self.pairs.extend(
            sampled
                .map(|n| (before[n], now[n]))
                .filter(|(_, now)| (CLIPPED.0..CLIPPED.1).contains(now)),
        );
        let mut light = Light {
            gain: 1.0,
            offset: 0.0,
            noise: 0.0,
        };
        if self.pairs.len() < MIN_SAMPLES {
            return light;
        }
        let still = Light {
            noise: self.noise(&light),
            ..light
        };
        (light.gain, light.offset) = self.by_medians();
        light.noise = self.noise(&light);
        // The light changes slowly or at once.
        let [slow, sudden] = [still, light].map(|light| {
            let light = (0..ROUNDS).fold(light, |light, _| self.refine(light));
            (self.explained(&light), light)
        });
        let (explained, light) = if slow.0 >= sudden.0 { slow } else { sudden };
        if GAINS.contains(&light.gain) && explained >= 0.5 {
            return light;
        }
        // Not the light: something large moves, or the camera does.
        still
    }

    /// A gain and an offset through the medians of the dark and of the bright third.
    fn by_medians(&mut self) -> (f32, f32) {
        let third = self.pairs.len() / 3;
        let by_before = |a: &(f32, f32), b: &(f32, f32)| a.0.total_cmp(&b.0);
        self.pairs.select_nth_unstable_by(third, by_before);
        let last = self.pairs.len() - third;
        self.pairs[third..].select_nth_unstable_by(last - third, by_before);
        let (dark, bright) = (0..third, last..self.pairs.len());
        let (pairs, scratch) = (&self.pairs, &mut self.scratch);
        let mut middle = |range: std::ops::Range<usize>, of: fn(&(f32, f32)) -> f32| {
            scratch.clear();
            scratch.extend(pairs[range].iter().map(of));
            median(scratch)
        };
        let spread = middle(bright.clone(), |pair| pair.0) - middle(dark.clone(), |pair| pair.0);
        if spread < MIN_SPREAD {
            return (1.0, middle(0..pairs.len(), |pair| pair.1 - pair.0));
        }
        let gain = (middle(bright, |pair| pair.1) - middle(dark.clone(), |pair| pair.1)) / spread;
        let offset = middle(dark.clone(), |pair| pair.1) - gain * middle(dark, |pair| pair.0);
        (gain, offset)
    }

    /// Least squares over the blocks that `light` explains already.
    fn refine(&mut self, mut light: Light) -> Light {
        let near = (2.5 * light.noise).max(6.0);
        let explained = self
            .pairs
            .iter()
            .filter(|pair| residual(&light, pair).abs() <= near);
        let (mut n, mut sum, mut square, mut product) = (0.0, (0.0, 0.0), 0.0, 0.0);
        for (before, now) in explained {
            n += 1.0;
            sum = (sum.0 + before, sum.1 + now);
            square += before * before;
            product += before * now;
        }
        if n < MIN_SAMPLES as f32 {
            return light;
        }
        let mean = (sum.0 / n, sum.1 / n);
        let variance = (square / n - mean.0 * mean.0).max(0.0);
        let covariance = product / n - mean.0 * mean.1;
        light.gain = (covariance + RIDGE) / (variance + RIDGE);
        light.offset = mean.1 - light.gain * mean.0;
        light.noise = self.noise(&light);
        light
    }

    fn noise(&mut self, light: &Light) -> f32 {
        self.scratch.clear();
        let residuals = self.pairs.iter().map(|pair| residual(light, pair).abs());
        self.scratch.extend(residuals);
        // The median of a normal deviate's size is 0.6745 of its standard deviation.
        median(&mut self.scratch) / 0.6745
    }

    /// Share of the blocks that are as `light` says, give or take what a camera's noise does.
    fn explained(&self, light: &Light) -> f32 {
        let near = |pair: &&(f32, f32)| residual(light, pair).abs() <= 10.0;
        self.pairs.iter().filter(near).count() as f32 / self.pairs.len() as f32
    }
}

fn residual(light: &Light, (before, now): &(f32, f32)) -> f32 {
    now - light.gain * before - light.offset
}

/// The upper median; 0 of nothing.
fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> Vec<f32> {
        (0..4000).map(|n| 40.0 + (n * 37 % 120) as f32).collect()
    }

    #[test]
    fn gain_and_offset_are_found_though_a_quarter_of_the_picture_moves() {
        let before = scene();
        for (gain, offset) in [(1.0, 0.0), (0.8, 5.0), (1.3, -12.0), (1.0, 30.0)] {
            let now: Vec<f32> = before
                .iter()
                .enumerate()
                .map(|(n, mean)| {
                    if n < 1000 {
                        128.0
                    } else {
                        gain * mean + offset
                    }
                })
                .collect();
            let light = Estimator::default().estimate(&before, &now);
            assert!((light.gain - gain).abs() < 0.02, "{light:?}");
            for mean in [40.0, 100.0, 160.0] {
                let error = (light.gain - gain) * mean + light.offset - offset;
                assert!(error.abs() < 1.5, "{light:?} for {gain} {offset}");
            }
        }
    }

    #[test]
    fn a_flat_picture_gives_an_offset_and_no_gain() {
        let light = Estimator::default().estimate(&[100.0; 900], &[107.0; 900]);
        assert_eq!((light.gain, light.offset), (1.0, 7.0));
    }

    #[test]
    fn a_picture_that_is_all_new_is_no_change_of_light() {
        let now: Vec<f32> = (0..4000).map(|n| (n * n % 251) as f32).collect();
        let light = Estimator::default().estimate(&scene(), &now);
        assert_eq!((light.gain, light.offset), (1.0, 0.0));
    }

    #[test]
    fn nothing_to_look_at_is_no_change_of_light() {
        for means in [vec![], vec![255.0; 500]] {
            let light = Estimator::default().estimate(&means, &means);
            assert_eq!((light.gain, light.offset, light.noise), (1.0, 0.0, 0.0));
        }
    }
}
