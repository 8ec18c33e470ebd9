//! What the scene looks like when nothing moves, block by block, and which blocks differ from it
//! and have just changed.
//!
//! Two memories decide. The slow one, the background, takes a minute to believe that something
//! new belongs to the scene; what differs from it is there. The fast one forgets within half a second;
//! what differs from that has moved. A block moves when it does both: a parked car is there and
//! does not move, and the place it leaves has changed and is background at once.

use super::light::{Estimator, Light};

/// Time constants in seconds: of the background where nothing is in front of it, where something
/// stands, where something moves (a street that is never empty must not become its traffic), of its
/// noise, and of the fast memory.
const BACKGROUND: f32 = 10.0;
const STANDING: f32 = 60.0;
const MOVING: f32 = 600.0;
const NOISE: f32 = 10.0;
const FAST: f32 = 0.2;
/// For so long after its last change a block still moves: the inside of what passes by slowly
/// changes only when its edge passes.
const MOVES: f32 = 0.8;
/// A block changes from this share of the difference that makes it foreground.
const CHANGE: f32 = 0.7;
/// Standard deviations of a block that was never seen, at least and at most. What a block hides
/// behind its own noise (a tree in the wind) must still be seen when it is a person.
const SIGMA: (f32, f32, f32) = (4.0, 0.5, 12.0);
/// A single difference counts for so many standard deviations at most, so that the noise is
/// learned from the scene and not from what passes by.
const WINSOR: f32 = 2.0;
/// Where more than this share of the picture is new, the light or the camera has changed.
const SCENE_CHANGE: f32 = 0.7;

/// From which difference on a block is foreground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Threshold {
    /// In levels of luma.
    pub(super) levels: f32,
    /// In standard deviations of the block's noise.
    pub(super) sigmas: f32,
}

#[derive(Debug, Default)]
pub(super) struct Background {
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// The fast memory of how far the block was from its background.
    recent: Vec<f32>,
    /// Seconds since the block changed.
    still: Vec<f32>,
    /// Frames since the scene was new.
    frames: u32,
    estimator: Estimator,
}

/// Shares of the way to a new value, for one frame.
struct Rates {
    background: f32,
    standing: f32,
    moving: f32,
    noise: f32,
    fast: f32,
}

impl Background {
    /// Forgets the scene.
    pub(super) fn clear(&mut self) {
        self.mean.clear();
    }

    /// Takes the next frame's means, `seconds` after the last, and says in `moving` which blocks
    /// move (1) and which do not (0).
    pub(super) fn step(
        &mut self,
        means: &[f32],
        seconds: f32,
        threshold: &Threshold,
        moving: &mut Vec<u8>,
    ) {
        moving.clear();
        moving.resize(means.len(), 0);
        if self.mean.len() != means.len() {
            self.variance = vec![SIGMA.0 * SIGMA.0; means.len()];
            self.begin(means);
            return;
        }
        let light = self.estimator.estimate(&self.mean, means);
        let rate = |constant: f32| 1.0 - (-seconds / constant).exp();
        self.frames = self.frames.saturating_add(1);
        // A young background is the mean of what it has seen.
        let young = 1.0 / self.frames as f32;
        let rates = Rates {
            background: rate(BACKGROUND).max(young),
            standing: rate(STANDING),
            moving: rate(MOVING),
            noise: rate(NOISE).max(young.min(0.2)),
            fast: rate(FAST),
        };
        let new = self.learn(means, seconds, threshold, &light, &rates, moving);
        if new as f32 > SCENE_CHANGE * means.len() as f32 {
            self.begin(means);
            moving.fill(0);
        }
    }

    /// What is seen now is the scene.
    fn begin(&mut self, means: &[f32]) {
        self.mean.clear();
        self.mean.extend_from_slice(means);
        self.recent.clear();
        self.recent.resize(means.len(), 0.0);
        self.still.clear();
        self.still.resize(means.len(), MOVES);
        self.frames = 1;
    }

    /// Decides on every block and learns from it; gives the number of blocks in the foreground.
    fn learn(
        &mut self,
        means: &[f32],
        seconds: f32,
        threshold: &Threshold,
        light: &Light,
        rates: &Rates,
        moving: &mut [u8],
    ) -> usize {
        let floor = threshold.levels.max(threshold.sigmas * light.noise).powi(2);
        let sigmas = threshold.sigmas * threshold.sigmas;
        let mut new = 0;
        let blocks = means
            .iter()
            .zip(&mut self.mean)
            .zip(&mut self.variance)
            .zip(&mut self.recent)
            .zip(&mut self.still)
            .zip(moving);
        // No branches, so that the compiler does several blocks at a time.
        for (((((now, mean), variance), recent), still), moves) in blocks {
            let expected = (light.gain * *mean + light.offset).clamp(0.0, 255.0);
            let difference = now - expected;
            let limit = floor.max(sigmas * *variance);
            let foreground = difference * difference > limit;
            let change = difference - *recent;
            let changed = change * change > limit * (CHANGE * CHANGE);

            *still = if changed { 0.0 } else { *still + seconds };
            *moves = u8::from(foreground & (*still < MOVES));
            *recent += rates.fast * change;
            let rate = match (foreground, *moves) {
                (false, _) => rates.background,
                (true, 0) => rates.standing,
                (true, _) => rates.moving,
            };
            *mean = expected + rate * difference;
            let square = (difference * difference).min(WINSOR * WINSOR * *variance);
            *variance = (*variance + rates.noise * (square - *variance))
                .clamp(SIGMA.1 * SIGMA.1, SIGMA.2 * SIGMA.2);
            new += usize::from(foreground);
        }
        new
    }
}
