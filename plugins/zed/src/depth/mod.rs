//! Depth from a rectified pair: census patterns, matched semi-globally along five paths, refined
//! below the pixel and checked from the right picture back.
//!
//! A thing with a disparity of d pixels stands Z = f·B/d away along the camera's axis, with the
//! rectified focal length f in pixels and the baseline B in millimetres. An error of the disparity
//! by e makes one of Z²·e/(f·B), so what is twice as far is four times as uncertain.
//!
//! Belongs here: everything between two planes of brightness and millimetres. Where the planes
//! come from, and what is done with depth, does not.

mod census;
mod matcher;
mod paths;
mod refine;
mod speckle;
mod winner;

pub use crate::sdk::DepthMap;
pub use matcher::{Disparities, Matcher};

use crate::rectify::Rectified;

#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum DepthError {
    #[error("depth cannot be told from pictures of {0}x{1}")]
    Size(usize, usize),
    #[error("a picture of {0} bytes is none of {1}x{2} pixels of brightness")]
    Picture(usize, usize, usize),
    #[error(
        "depth from {0} mm to {1} mm is no range: the nearest distance has to be above 0 and below the farthest, which ends at 65535"
    )]
    Range(f64, f64),
}

/// At which size a pair is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Half the width and half the height: an eighth of the work, twice the uncertainty.
    Half,
    #[default]
    Full,
}

/// What is asked of depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Millimetres. Work grows with its inverse, and what is nearer still may be taken for something
    /// farther away.
    pub nearest: f64,
    /// Millimetres, 65535 at most.
    pub farthest: f64,
    pub detail: Detail,
    /// From 0 to 100: pixels of which the matcher is less sure stay unknown.
    pub least_confidence: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nearest: 300.0,
            farthest: 20_000.0,
            detail: Detail::default(),
            least_confidence: 25,
        }
    }
}

/// Makes maps of depth of rectified pairs of one size.
pub struct Depth {
    size: (usize, usize),
    options: Options,
    matcher: Matcher,
    /// Of the size that is matched: f·B.
    scale: f64,
    /// Where half the size is matched, the smaller pictures.
    halves: [Vec<u8>; 2],
}

impl Depth {
    /// For pictures of `width` by `height` pixels as `rectified` makes them.
    ///
    /// # Errors
    /// Where the options or the size are none.
    pub fn new(
        size: (usize, usize),
        rectified: &Rectified,
        options: Options,
    ) -> Result<Self, DepthError> {
        let Options {
            nearest, farthest, ..
        } = options;
        let range = nearest > 0.0 && nearest < farthest && farthest <= f64::from(u16::MAX);
        if !range {
            return Err(DepthError::Range(nearest, farthest));
        }
        let (matched, focal) = match options.detail {
            Detail::Full => (size, rectified.focal),
            Detail::Half => ((size.0 / 2, size.1 / 2), rectified.focal / 2.0),
        };
        let scale = focal * rectified.baseline;
        // One more, so that what lies at the end has a neighbour to be refined by. At the far end
        // nothing is left out: it would be taken for something nearer.
        let last = ((scale / nearest).ceil() as usize).saturating_add(1);
        let matcher = Matcher::new(matched, last, options.least_confidence)
            .map_err(|_| DepthError::Size(size.0, size.1))?;
        Ok(Self {
            size,
            options,
            matcher,
            scale,
            halves: Default::default(),
        })
    }

    /// The depth of each pixel of the left picture, from brightness by rows.
    ///
    /// # Errors
    /// Where a picture is of another size.
    pub fn map(&mut self, left: &[u8], right: &[u8]) -> Result<DepthMap, DepthError> {
        let (width, height) = self.size;
        for picture in [left, right] {
            if picture.len() != width * height {
                return Err(DepthError::Picture(picture.len(), width, height));
            }
        }
        let found = match self.options.detail {
            Detail::Full => self.matcher.disparities(left, right)?,
            Detail::Half => {
                let [small_left, small_right] = &mut self.halves;
                halve(left, self.size, small_left);
                halve(right, self.size, small_right);
                self.matcher.disparities(small_left, small_right)?
            }
        };
        let depth = |disparity: f32| match self.scale / f64::from(disparity) {
            near_or_far
                if !(self.options.nearest..=self.options.farthest).contains(&near_or_far) =>
            {
                0
            }
            depth => depth.round() as u16,
        };
        let mut data = Vec::with_capacity(width * height);
        match self.options.detail {
            Detail::Full => data.extend(found.values.iter().map(|value| depth(*value))),
            Detail::Half => {
                let depths: Vec<u16> = found.values.iter().map(|value| depth(*value)).collect();
                let (w, h) = (width / 2, height / 2);
                for y in 0..height {
                    let row = &depths[(y / 2).min(h - 1) * w..][..w];
                    data.extend((0..width).map(|x| row[(x / 2).min(w - 1)]));
                }
            }
        }
        Ok(DepthMap {
            width,
            height,
            data,
        })
    }
}

/// Half the width and height, each pixel the mean of four.
fn halve(picture: &[u8], (width, height): (usize, usize), half: &mut Vec<u8>) {
    half.clear();
    for y in 0..height / 2 {
        let above = picture[2 * y * width..][..width].chunks_exact(2);
        let below = picture[(2 * y + 1) * width..][..width].chunks_exact(2);
        half.extend(above.zip(below).map(|(above, below)| {
            let sum: u16 = above
                .iter()
                .chain(below)
                .map(|value| u16::from(*value))
                .sum();
            ((sum + 2) / 4) as u8
        }));
    }
}
