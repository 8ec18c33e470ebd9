//! Depth of what a recording or a camera without the SDK shows: both eyes' brightness goes into the
//! matcher, millimetres are laid into the frame that is shown, or hung onto it.

use evr_core::space::{Lens, SpaceError};
use evr_zed::{
    depth::{Depth, DepthError, DepthMap, Detail, Options},
    rectify::Rectified,
};

use super::ZedSrcStreamType;
use super::settings::{Settings, SettingsError};
use super::words::ZedSrcDepthMode;
use crate::bridge::depth;

#[derive(Debug, thiserror::Error)]
pub(super) enum MeasureError {
    #[error(transparent)]
    Depth(#[from] DepthError),
    #[error(transparent)]
    Lens(#[from] SpaceError),
}

impl Settings {
    /// Whether depth is shown, or hangs on pictures of the left eye.
    pub(super) fn has_depth(&self) -> bool {
        let hung = self.stream_type == ZedSrcStreamType::Left;
        self.stream_type.has_depth() || (hung && self.depth_mode != ZedSrcDepthMode::None)
    }

    /// What the properties ask of our own matcher; nothing where no depth is.
    pub(super) fn matching(&self) -> Result<Option<Options>, SettingsError> {
        if !self.has_depth() {
            return Ok(None);
        }
        let detail = match self.depth_mode {
            mode if mode.is_neural() => return Err(SettingsError::Neural),
            ZedSrcDepthMode::Quality | ZedSrcDepthMode::Ultra => Detail::Full,
            _ => Detail::Half,
        };
        let uncertain = u8::try_from(self.confidence_threshold.clamp(0, 100)).unwrap_or(100);
        Ok(Some(Options {
            nearest: f64::from(self.depth_min),
            farthest: f64::from(self.depth_max),
            detail,
            // At 100 everything is shown; at 0, what fits a tenth better than the next best.
            least_confidence: (100 - uncertain) / 2,
        }))
    }
}

/// Measures the depth of frames of one size.
pub(super) struct Measure {
    matcher: Depth,
    size: (u32, u32),
    lens: Lens,
    /// Of a pixel: one is brightness, four are blue, green, red and nothing.
    bytes: usize,
    /// The picture of each, by rows without padding.
    eyes: [Vec<u8>; 2],
}

impl Measure {
    pub(super) fn new(
        (width, height): (u32, u32),
        bytes: usize,
        rectified: &Rectified,
        options: Options,
    ) -> Result<Self, MeasureError> {
        let (w, h) = (f64::from(width), f64::from(height));
        let size = (width as usize, height as usize);
        let Rectified { focal, cx, cy, .. } = *rectified;
        Ok(Self {
            matcher: Depth::new(size, rectified, options)?,
            size: (width, height),
            // A pixel is counted by its middle there, and as a whole in fractions.
            lens: Lens::new((focal / w, focal / h), ((cx + 0.5) / w, (cy + 0.5) / h))?,
            bytes,
            eyes: [0, 1].map(|_| vec![0; size.0 * size.1 * bytes]),
        })
    }

    /// Where both eyes' pictures are to be laid before [`Measure::map`].
    pub(super) fn eyes(&mut self) -> &mut [Vec<u8>; 2] {
        &mut self.eyes
    }

    /// What the left eye shows, as it was laid there.
    pub(super) fn left(&self) -> &[u8] {
        &self.eyes[0]
    }

    /// The depth of what the eyes show.
    pub(super) fn map(&mut self) -> Result<DepthMap, DepthError> {
        let [left, right] = &self.eyes;
        if self.bytes == 1 {
            return self.matcher.map(left, right);
        }
        self.matcher.map(&brightness(left), &brightness(right))
    }

    /// Hangs a map onto the frame of which it was made.
    pub(super) fn hang(
        &self,
        map: &DepthMap,
        frame: &mut gst::BufferRef,
    ) -> Result<(), glib::BoolError> {
        let mut bytes = vec![0; 2 * map.data.len()];
        lay(map, false, &mut bytes, 2 * map.width);
        let depth = depth::Depth {
            map: gst::Buffer::from_mut_slice(bytes),
            size: self.size,
            lens: self.lens,
        };
        depth.attach(frame)
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
