//! Depth of what a recording shows: both eyes' brightness goes into the matcher, millimetres are
//! laid into the frame that is shown.

use evr_zed::{
    depth::{Depth, DepthError, DepthMap, Detail, Options},
    rectify::Rectified,
};

use super::settings::{Settings, SettingsError};
use super::words::ZedSrcDepthMode;

impl Settings {
    /// What the properties ask of our own matcher.
    pub(super) fn matching(&self) -> Result<Options, SettingsError> {
        let shown = self.stream_type.has_depth();
        let detail = match self.depth_mode {
            ZedSrcDepthMode::None | ZedSrcDepthMode::Performance => Detail::Half,
            ZedSrcDepthMode::Quality | ZedSrcDepthMode::Ultra => Detail::Full,
            _ if !shown => Detail::Half,
            ZedSrcDepthMode::NeuralLight
            | ZedSrcDepthMode::Neural
            | ZedSrcDepthMode::NeuralPlus => return Err(SettingsError::Neural),
        };
        let uncertain = u8::try_from(self.confidence_threshold.clamp(0, 100)).unwrap_or(100);
        Ok(Options {
            nearest: f64::from(self.depth_min),
            farthest: f64::from(self.depth_max),
            detail,
            // At 100 everything is shown; at 0, what fits a tenth better than the next best.
            least_confidence: (100 - uncertain) / 2,
        })
    }
}

/// Measures the depth of frames of one size.
pub(super) struct Measure(Depth);

impl Measure {
    pub(super) fn new(
        size: (usize, usize),
        rectified: &Rectified,
        options: Options,
    ) -> Result<Self, DepthError> {
        Depth::new(size, rectified, options).map(Self)
    }

    /// The depth of both eyes' pictures, of `bytes` bytes a pixel: one is brightness, four are
    /// blue, green, red and nothing.
    pub(super) fn map(
        &mut self,
        [left, right]: &[Vec<u8>; 2],
        bytes: usize,
    ) -> Result<DepthMap, DepthError> {
        if bytes == 1 {
            return self.0.map(left, right);
        }
        self.0.map(&brightness(left), &brightness(right))
    }
}

/// Blue, green, red and nothing to brightness, as BT.601 weighs them, in 256ths.
fn brightness(colours: &[u8]) -> Vec<u8> {
    let pixels = colours.chunks_exact(4);
    let weighed = pixels.map(|pixel| {
        let [blue, green, red] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        ((29 * blue + 150 * green + 77 * red + 128) >> 8) as u8
    });
    weighed.collect()
}

/// Lays depth into rows of a frame: 16 bits a pixel, or as many as the left eye's pixels above it.
pub(super) fn lay(map: &DepthMap, wide: bool, to: &mut [u8], stride: usize) {
    let rows = map.data.chunks_exact(map.width);
    for (depths, row) in rows.zip(to.chunks_mut(stride)) {
        if wide {
            for (depth, pixel) in depths.iter().zip(row.chunks_exact_mut(4)) {
                pixel.copy_from_slice(&u32::from(*depth).to_le_bytes());
            }
        } else {
            for (depth, pixel) in depths.iter().zip(row.chunks_exact_mut(2)) {
                pixel.copy_from_slice(&depth.to_le_bytes());
            }
        }
    }
}
