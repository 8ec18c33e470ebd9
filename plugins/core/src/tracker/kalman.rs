//! Where an object is going: a Kalman filter of constant velocity over the box's centre and size,
//! with the noise of ByteTrack (Zhang et al., 2022; from DeepSORT), in proportion to the box.
//!
//! Its matrices couple no coordinate with another and are alike for all four, so it is four filters
//! of two states each that share one covariance. Lengths are in heights of the frame, times in units
//! of a thirtieth of a second, for which that noise was chosen.

use crate::detection::BoundingBox;

/// Standard deviations in shares of the box: of a position, and of a velocity in a unit of time.
const POSITION: f64 = 1.0 / 20.0;
const VELOCITY: f64 = 1.0 / 160.0;

/// A coordinate and how it changes in a unit of time.
#[derive(Debug, Clone, Copy)]
struct Axis {
    value: f64,
    velocity: f64,
}

/// A box that moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    /// Centre x, centre y, width, height.
    axes: [Axis; 4],
    /// Of each axis: of its value, of both, of its velocity.
    covariance: (f64, f64, f64),
}

impl Filter {
    /// Starts at a box, at rest, in a frame that is `aspect` times as wide as high.
    pub(super) fn new(bbox: &BoundingBox, aspect: f64) -> Self {
        let values = measured(bbox, aspect);
        let size = size(values[2], values[3]);
        let at_rest = |value| Axis {
            value,
            velocity: 0.0,
        };
        Self {
            axes: values.map(at_rest),
            covariance: (
                (2.0 * POSITION * size).powi(2),
                0.0,
                (10.0 * VELOCITY * size).powi(2),
            ),
        }
    }

    pub(super) fn predict(&mut self, time: f64) {
        let size = self.size();
        for axis in &mut self.axes {
            axis.value += axis.velocity * time;
        }
        let (value, both, velocity) = self.covariance;
        self.covariance = (
            value + time * (2.0 * both + time * velocity) + time * (POSITION * size).powi(2),
            both + time * velocity,
            velocity + time * (VELOCITY * size).powi(2),
        );
    }

    pub(super) fn update(&mut self, bbox: &BoundingBox, aspect: f64) {
        let size = self.size();
        let (value, both, velocity) = self.covariance;
        let total = value + (POSITION * size).powi(2);
        let (gain, drive) = (value / total, both / total);
        for (axis, measured) in self.axes.iter_mut().zip(measured(bbox, aspect)) {
            let surprise = measured - axis.value;
            axis.value += gain * surprise;
            axis.velocity += drive * surprise;
        }
        self.covariance = (
            (1.0 - gain) * value,
            (1.0 - gain) * both,
            velocity - drive * both,
        );
    }

    /// Nobody sees it: what grew while it came nearer does not grow for ever.
    pub(super) fn keep_size(&mut self) {
        self.axes[2].velocity = 0.0;
        self.axes[3].velocity = 0.0;
    }

    /// Where it will be after `time`, as left, top, right and bottom in heights of the frame.
    pub(super) fn corners(&self, time: f64) -> [f64; 4] {
        let [x, y, w, h] = self.axes.map(|axis| axis.value + axis.velocity * time);
        let (w, h) = (w.max(0.0) / 2.0, h.max(0.0) / 2.0);
        [x - w, y - h, x + w, y + h]
    }

    fn size(&self) -> f64 {
        size(self.axes[2].value, self.axes[3].value)
    }
}

/// What noise goes by: a box has no smaller side that counts alone.
fn size(width: f64, height: f64) -> f64 {
    ((width + height) / 2.0).max(1e-3)
}

fn measured(bbox: &BoundingBox, aspect: f64) -> [f64; 4] {
    let (w, h) = (bbox.w * aspect, bbox.h);
    [bbox.l * aspect + w / 2.0, bbox.t + h / 2.0, w, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_evenly_is_foreseen_and_what_stands_stays() {
        let at = |n: f64, speed: f64| BoundingBox {
            l: 0.1 + speed * n,
            t: 0.4,
            w: 0.05,
            h: 0.2,
        };
        for speed in [0.0, 0.004] {
            let mut filter = Filter::new(&at(0.0, speed), 16.0 / 9.0);
            for n in 1..60 {
                filter.predict(1.0);
                filter.update(&at(f64::from(n), speed), 16.0 / 9.0);
            }
            let foreseen = filter.corners(30.0)[0] * 9.0 / 16.0;
            assert!((foreseen - at(89.0, speed).l).abs() < 0.005, "{foreseen}");
        }
    }

    #[test]
    fn uncertainty_grows_with_time_and_shrinks_with_sight() {
        let bbox = BoundingBox::from_corners(0.1, 0.1, 0.2, 0.4);
        let mut filter = Filter::new(&bbox, 1.0);
        let spread = |filter: &Filter| filter.covariance.0;
        let first = spread(&filter);
        filter.predict(5.0);
        let later = spread(&filter);
        filter.update(&bbox, 1.0);
        assert!(first < later && spread(&filter) < first);
    }
}
