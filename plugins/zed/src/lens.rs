//! One eye: where a ray of light meets its sensor, and which ray a pixel saw.
//!
//! The model is the one that calibration tools write: a pinhole with radial (rational) and
//! tangential distortion, after Brown and Conrady.

/// How often the inverse of the distortion is refined; smooth lenses settle in ten rounds.
const ROUNDS: usize = 50;
/// What error the inverse may leave, in focal lengths: far below a hundredth of a pixel.
const SETTLED: f64 = 1e-7;

/// The intrinsic parameters of one eye, in pixels of the mode they were made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lens {
    pub fx: f64,
    pub fy: f64,
    pub cx: f64,
    pub cy: f64,
    /// Radial: k1, k2, k3 above the line of the fraction, k4, k5, k6 below it.
    pub k: [f64; 6],
    /// Tangential: p1, p2.
    pub p: [f64; 2],
}

impl Lens {
    /// Where a ray through (x, y) at unit distance ends, at unit distance too.
    fn distort(&self, x: f64, y: f64) -> (f64, f64) {
        let r2 = x * x + y * y;
        let [k1, k2, k3, k4, k5, k6] = self.k;
        let above = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3));
        let below = 1.0 + r2 * (k4 + r2 * (k5 + r2 * k6));
        let radial = above / below;
        let [p1, p2] = self.p;
        (
            x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
            y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
        )
    }

    /// The pixel that the ray (x, y, 1) meets.
    #[must_use]
    pub fn project(&self, x: f64, y: f64) -> (f64, f64) {
        let (x, y) = self.distort(x, y);
        (x * self.fx + self.cx, y * self.fy + self.cy)
    }

    /// The ray (x, y, 1) that a pixel saw, or `None` where the distortion folds over and no ray
    /// can be told.
    #[must_use]
    pub fn ray(&self, u: f64, v: f64) -> Option<(f64, f64)> {
        let goal = ((u - self.cx) / self.fx, (v - self.cy) / self.fy);
        let (mut x, mut y) = goal;
        for _ in 0..ROUNDS {
            let (dx, dy) = self.distort(x, y);
            let (ex, ey) = (goal.0 - dx, goal.1 - dy);
            if ex.hypot(ey) < SETTLED {
                return Some((x, y));
            }
            x += ex;
            y += ey;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENS: Lens = Lens {
        fx: 700.0,
        fy: 702.0,
        cx: 640.0,
        cy: 355.0,
        k: [-0.17, 0.03, -0.002, 0.01, 0.0, 0.0],
        p: [0.0004, -0.0003],
    };

    #[test]
    fn a_pixels_ray_meets_that_pixel() {
        for u in (0..1280).step_by(64) {
            for v in (0..720).step_by(40) {
                let (x, y) = LENS.ray(u.into(), v.into()).expect("a smooth lens");
                let (back_u, back_v) = LENS.project(x, y);
                let error = (back_u - f64::from(u)).hypot(back_v - f64::from(v));
                assert!(error < 1e-3, "{u},{v}: {error}");
            }
        }
    }

    #[test]
    fn a_lens_that_folds_over_tells_no_ray() {
        let folded = Lens {
            k: [-5.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            ..LENS
        };
        assert_eq!(folded.ray(0.0, 0.0), None);
    }
}
