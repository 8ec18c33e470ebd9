//! From a rig to a rectified pair: both eyes are turned, as if they had stood side by side and
//! looked the same way, so that a thing stands in the same row of both pictures and its shift
//! along the row tells its distance.
//!
//! Each eye is turned by half of what differs between them, then both until the line between them
//! lies along the rows (as Bouguet's method does, which OpenCV's `stereoRectify` follows too).
//! Both get one focal length, chosen so that no pixel of the result lies outside a raw picture,
//! and one principal point, so that what is infinitely far has no shift.

use crate::{
    calibration::Rig,
    lens::Lens,
    matrix::{Matrix, cross, norm},
    remap::Map,
};

/// Points along each edge of a raw picture by which its reach is told.
const EDGE: u32 = 33;

#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum RectifyError {
    #[error(
        "the distortion in the calibration file cannot be undone over the whole picture: the file does not belong to these pictures, or is damaged"
    )]
    Distortion,
    #[error(
        "by the calibration file, the eyes do not stand side by side and look the same way: the file is damaged"
    )]
    Apart,
}

/// The two cameras that a rectified pair is as if taken by.
#[derive(Debug, Clone, PartialEq)]
pub struct Rectified {
    size: (u32, u32),
    /// Pixels.
    pub focal: f64,
    pub cx: f64,
    pub cy: f64,
    /// Millimetres. A thing with a shift of d pixels is `focal`·`baseline`/d away.
    pub baseline: f64,
    left: Eye,
    right: Eye,
}

/// What makes a raw picture a rectified one.
#[derive(Debug, Clone, PartialEq)]
struct Eye {
    lens: Lens,
    /// Takes a direction seen by the raw eye to the one of the turned eye.
    turn: Matrix,
}

impl Eye {
    /// Where the turned eye would see, at unit distance, what the raw eye has at (u, v).
    fn seen(&self, u: f64, v: f64) -> Result<(f64, f64), RectifyError> {
        let (x, y) = self.lens.ray(u, v).ok_or(RectifyError::Distortion)?;
        let [x, y, z] = self.turn.apply([x, y, 1.0]);
        if z < 0.1 {
            return Err(RectifyError::Apart);
        }
        Ok((x / z, y / z))
    }
}

/// How far one eye sees at unit distance: what holds all along an edge, seen from the middle.
#[derive(Clone, Copy)]
struct Reach {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Reach {
    fn of(eye: &Eye, (width, height): (u32, u32)) -> Result<Self, RectifyError> {
        let (w, h) = (f64::from(width - 1), f64::from(height - 1));
        let mut reach = Self {
            left: f64::MIN,
            top: f64::MIN,
            right: f64::MAX,
            bottom: f64::MAX,
        };
        for n in 0..EDGE {
            let part = f64::from(n) / f64::from(EDGE - 1);
            reach.left = reach.left.max(eye.seen(0.0, h * part)?.0);
            reach.right = reach.right.min(eye.seen(w, h * part)?.0);
            reach.top = reach.top.max(eye.seen(w * part, 0.0)?.1);
            reach.bottom = reach.bottom.min(eye.seen(w * part, h)?.1);
        }
        Ok(reach)
    }

    fn both(self, other: Self) -> Result<Self, RectifyError> {
        let both = Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        };
        if both.left >= both.right || both.top >= both.bottom {
            return Err(RectifyError::Apart);
        }
        Ok(both)
    }
}

impl Rectified {
    /// # Errors
    /// Where the calibration cannot belong to a camera.
    pub fn new(rig: &Rig) -> Result<Self, RectifyError> {
        let (turn_left, turn_right) = turns(rig)?;
        let left = Eye {
            lens: rig.left,
            turn: turn_left,
        };
        let right = Eye {
            lens: rig.right,
            turn: turn_right,
        };
        let reach = Reach::of(&left, rig.size)?.both(Reach::of(&right, rig.size)?)?;
        let (w, h) = (f64::from(rig.size.0 - 1), f64::from(rig.size.1 - 1));
        // The shorter side of what both see fills the picture, the longer one is cut alike on
        // both its ends.
        let focal = (w / (reach.right - reach.left)).max(h / (reach.bottom - reach.top));
        Ok(Self {
            size: rig.size,
            focal,
            cx: w / 2.0 - focal * (reach.left + reach.right) / 2.0,
            cy: h / 2.0 - focal * (reach.top + reach.bottom) / 2.0,
            baseline: norm(rig.translation),
            left,
            right,
        })
    }

    /// Where the left raw picture has what the rectified one shows at (u, v).
    #[must_use]
    pub fn left(&self, u: f64, v: f64) -> (f64, f64) {
        self.raw(&self.left, u, v)
    }

    /// Where the right raw picture has what the rectified one shows at (u, v).
    #[must_use]
    pub fn right(&self, u: f64, v: f64) -> (f64, f64) {
        self.raw(&self.right, u, v)
    }

    fn raw(&self, eye: &Eye, u: f64, v: f64) -> (f64, f64) {
        let seen = [(u - self.cx) / self.focal, (v - self.cy) / self.focal, 1.0];
        let [x, y, z] = eye.turn.transposed().apply(seen);
        eye.lens.project(x / z, y / z)
    }

    /// The maps of a plane that has one sample for `step` by `step` pixels (1 = luma, 2 = the
    /// chroma of 4:2:0), for the left and the right eye.
    #[must_use]
    pub fn maps(&self, step: u32) -> [Map; 2] {
        let size = (self.size.0.div_ceil(step), self.size.1.div_ceil(step));
        let step = f64::from(step);
        // A sample stands in the middle of the pixels that it is for.
        let middle = (step - 1.0) / 2.0;
        [&self.left, &self.right].map(|eye| {
            Map::new(size, |x, y| {
                let (u, v) = self.raw(eye, x * step + middle, y * step + middle);
                ((u - middle) / step, (v - middle) / step)
            })
        })
    }
}

/// By what the left and the right eye are turned.
fn turns(rig: &Rig) -> Result<(Matrix, Matrix), RectifyError> {
    let half = half_of(rig.rotation).ok_or(RectifyError::Apart)?;
    // Seen from both eyes turned towards each other.
    let between = half.transposed().apply(rig.translation);
    let length = norm(between);
    // Onto the rows: about the axis that is square to both, by the angle between.
    let axis = cross(between, [-1.0, 0.0, 0.0]);
    let angle = (-between[0] / length).clamp(-1.0, 1.0).acos();
    if angle.is_nan() || angle > 0.5 {
        return Err(RectifyError::Apart);
    }
    let size = norm(axis).max(f64::MIN_POSITIVE);
    let level = Matrix::rotation(axis.map(|component| component / size * angle));
    Ok((level.after(half), level.after(half.transposed())))
}

/// The rotation that makes `whole` when done twice; `None` beyond what a rig can have.
fn half_of(whole: Matrix) -> Option<Matrix> {
    let m = whole.0;
    let angle = ((m[0][0] + m[1][1] + m[2][2] - 1.0) / 2.0)
        .clamp(-1.0, 1.0)
        .acos();
    if angle.is_nan() || angle > 1.0 {
        return None;
    }
    // For small angles the axis times the sine, which stands beside the diagonal, is exact enough
    // to lose nothing: scaling goes by angle/sin(angle), which tends to 1.
    let scale = if angle < 1e-6 {
        1.0
    } else {
        angle / angle.sin()
    };
    let axis = [m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]];
    Some(Matrix::rotation(
        axis.map(|component| component / 2.0 * scale / 2.0),
    ))
}
