//! From the picture with both eyes to the one that is shown: each eye cut out, bent where a
//! calibration is given, and laid in its place.

use evr_zed::{
    calibration::{Calibration, CalibrationError},
    depth::{DepthError, DepthMap, Options},
    rectify::{Rectified, RectifyError},
    remap::{Map, Plane},
};
use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrameExt, VideoFrameRef, VideoInfo};

use super::{
    ZedSrcFileLayout, ZedSrcStreamType,
    depth::{self, Measure, MeasureError},
};

#[derive(Debug, thiserror::Error)]
pub(super) enum ComposeError {
    #[error("the recording is {0}x{1}, of which no two eyes of even width and height can be cut")]
    Odd(u32, u32),
    #[error(
        "depth is asked for and needs calibration-file, the camera's SN<serial>.conf: name it, or show an eye with depth-mode=none"
    )]
    NoDepth,
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    #[error(transparent)]
    Rectify(#[from] RectifyError),
    #[error(transparent)]
    Measure(#[from] MeasureError),
    #[error(transparent)]
    Depth(#[from] DepthError),
    #[error("a frame could not be mapped or made: {0}")]
    Frame(#[from] glib::BoolError),
    #[error("no memory for a picture: {0:?}")]
    Memory(gst::FlowError),
}

/// One plane of a format: bytes a sample, and for how many pixels along each side one stands.
#[derive(Clone, Copy)]
struct Shape {
    bytes: usize,
    step: usize,
}

fn shapes(format: VideoFormat) -> &'static [Shape] {
    const LUMA: Shape = Shape { bytes: 1, step: 1 };
    const CHROMA: Shape = Shape { bytes: 1, step: 2 };
    const BOTH_CHROMA: Shape = Shape { bytes: 2, step: 2 };
    const COLOUR: Shape = Shape { bytes: 4, step: 1 };
    match format {
        VideoFormat::I420 => &[LUMA, CHROMA, CHROMA],
        VideoFormat::Nv12 => &[LUMA, BOTH_CHROMA],
        VideoFormat::Bgra => &[COLOUR],
        // GRAY8; the file's reader gives no other.
        _ => &[LUMA],
    }
}

/// An eye that is shown: which one, and where, in eyes from the left and from the top.
type Shown = (usize, usize, usize);

pub(super) struct Composer {
    eyes: Eyes,
    shown: &'static [Shown],
    input: VideoInfo,
    output: VideoInfo,
    /// Where depth is shown, or hung onto pictures.
    measure: Option<Measure>,
    shows_depth: bool,
    /// The memory of the pictures that are shown, used over and over.
    pool: gst::BufferPool,
}

/// What pictures have to be for a stream type, where not any format will do.
pub(super) fn format(show: ZedSrcStreamType) -> Option<VideoFormat> {
    (show == ZedSrcStreamType::LeftDepth).then_some(VideoFormat::Bgra)
}

impl Composer {
    /// For pictures of `input`, which [`format`] agrees with.
    pub(super) fn new(
        input: &VideoInfo,
        layout: ZedSrcFileLayout,
        show: ZedSrcStreamType,
        calibration: Option<&Calibration>,
        matching: Option<Options>,
    ) -> Result<Self, ComposeError> {
        let (width, height) = match layout {
            ZedSrcFileLayout::SideBySide => (input.width() / 2, input.height()),
            ZedSrcFileLayout::TopBottom => (input.width(), input.height() / 2),
        };
        let halved = match layout {
            ZedSrcFileLayout::SideBySide => input.width(),
            ZedSrcFileLayout::TopBottom => input.height(),
        };
        if halved % 2 + width % 2 + height % 2 > 0 || width == 0 || height == 0 {
            return Err(ComposeError::Odd(input.width(), input.height()));
        }
        let (shown, columns, rows): (&[Shown], _, _) = match show {
            ZedSrcStreamType::Left => (&[(0, 0, 0)], 1, 1),
            ZedSrcStreamType::Right => (&[(1, 0, 0)], 1, 1),
            ZedSrcStreamType::TopBottom => (&[(0, 0, 0), (1, 0, 1)], 1, 2),
            ZedSrcStreamType::SideBySide => (&[(0, 0, 0), (1, 1, 0)], 2, 1),
            ZedSrcStreamType::Depth => (&[], 1, 1),
            ZedSrcStreamType::LeftDepth => (&[(0, 0, 0)], 1, 2),
        };
        let (width_shown, height_shown) = (width * columns, height * rows);
        let output = if show == ZedSrcStreamType::Depth {
            VideoInfo::builder(VideoFormat::Gray16Le, width_shown, height_shown)
        } else {
            VideoInfo::builder(input.format(), width_shown, height_shown)
                .colorimetry(&input.colorimetry())
        };
        let output = output.fps(input.fps()).par(input.par()).build()?;
        let mut measure = None;
        let maps = match calibration {
            None if matching.is_some() => return Err(ComposeError::NoDepth),
            None => None,
            Some(calibration) => {
                let rectified = Rectified::new(&calibration.rig(width, height)?)?;
                let bytes = shapes(input.format())[0].bytes;
                measure = matching
                    .map(|matching| Measure::new((width, height), bytes, &rectified, matching))
                    .transpose()?;
                let halves = shapes(input.format()).iter().any(|shape| shape.step == 2);
                Some(Maps {
                    whole: rectified.maps(1),
                    halved: halves.then(|| rectified.maps(2)),
                })
            }
        };
        Ok(Self {
            eyes: Eyes {
                layout,
                size: (width as usize, height as usize),
                maps,
            },
            shown,
            input: input.clone(),
            pool: pool(&output)?,
            output,
            measure,
            shows_depth: show.has_depth(),
        })
    }

    pub(super) fn output(&self) -> &VideoInfo {
        &self.output
    }

    /// Makes the picture that is shown, with its depth where that is asked for.
    pub(super) fn compose(&mut self, source: &gst::BufferRef) -> Result<gst::Buffer, ComposeError> {
        let source = VideoFrameRef::from_buffer_ref_readable(source, &self.input)?;
        let map = self.measured(&source)?;
        let buffer = self.pool.acquire_buffer(None);
        let mut buffer = buffer.map_err(ComposeError::Memory)?;
        let target = buffer.make_mut();
        let mut frame = VideoFrameRef::from_buffer_ref_writable(target, &self.output)?;
        match &map {
            Some(map) if self.shows_depth => self.lay_depth(map, &mut frame)?,
            _ => self.lay_eyes(&source, &mut frame)?,
        }
        drop(frame);
        if let (Some(map), Some(measure), false) = (&map, &self.measure, self.shows_depth) {
            measure.hang(map, target)?;
        }
        Ok(buffer)
    }

    /// The depth of a picture with both eyes, where it is asked for.
    fn measured(
        &mut self,
        source: &VideoFrameRef<&gst::BufferRef>,
    ) -> Result<Option<DepthMap>, ComposeError> {
        let Some(measure) = &mut self.measure else {
            return Ok(None);
        };
        // Brightness, or all of the colours.
        let (shape, from) = (shapes(self.input.format())[0], Raster::of(source, 0)?);
        let row = self.eyes.size.0 * shape.bytes;
        for (eye, bytes) in measure.eyes().iter_mut().enumerate() {
            self.eyes.lay((eye, 0, 0), shape, &from, bytes, row);
        }
        Ok(Some(measure.map()?))
    }

    fn lay_eyes(
        &self,
        source: &VideoFrameRef<&gst::BufferRef>,
        target: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<(), ComposeError> {
        for (n, shape) in shapes(self.input.format()).iter().enumerate() {
            let from = Raster::of(source, n)?;
            let stride = target.plane_stride()[n] as usize;
            let bytes = target.plane_data_mut(n as u32)?;
            for shown in self.shown {
                match (&self.measure, n, shown) {
                    // Bent already for the depth of it.
                    (Some(measure), 0, (0, 0, 0)) => self.lay_left(measure, bytes, stride),
                    _ => self.eyes.lay(*shown, *shape, &from, bytes, stride),
                }
            }
        }
        Ok(())
    }

    /// Lays depth into its place, below the left eye where that is shown.
    fn lay_depth(
        &self,
        map: &DepthMap,
        target: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<(), ComposeError> {
        let stride = target.plane_stride()[0] as usize;
        let to = target.plane_data_mut(0)?;
        let mut above = 0;
        if let (Some(measure), false) = (&self.measure, self.shown.is_empty()) {
            self.lay_left(measure, to, stride);
            above = self.eyes.size.1;
        }
        depth::lay(map, above > 0, &mut to[above * stride..], stride);
        Ok(())
    }

    /// Lays the first plane of the left eye, as it was bent to be measured, at the top left.
    fn lay_left(&self, measure: &Measure, to: &mut [u8], stride: usize) {
        let height = self.eyes.size.1;
        let row = measure.left().len() / height;
        let left = Plane {
            bytes: measure.left(),
            stride: row,
            offset: 0,
        };
        copy(left, (row, height), to, stride, 0);
    }
}

impl Drop for Composer {
    fn drop(&mut self) {
        let down = self.pool.set_active(false);
        debug_assert!(down.is_ok(), "a pool can always be taken down");
    }
}

/// Both eyes in a picture, and how each is bent.
struct Eyes {
    layout: ZedSrcFileLayout,
    /// Of one.
    size: (usize, usize),
    maps: Option<Maps>,
}

/// Where the pixels of the left eye and of the right come from.
struct Maps {
    whole: [Map; 2],
    /// For chroma, where the format has less of it.
    halved: Option<[Map; 2]>,
}

impl Maps {
    /// For a plane in which a sample stands for `step` pixels along each side.
    fn of(&self, step: usize) -> Option<&[Map; 2]> {
        match step {
            1 => Some(&self.whole),
            _ => self.halved.as_ref(),
        }
    }
}

impl Eyes {
    /// Lays one eye's part of one plane into its place.
    fn lay(
        &self,
        (eye, x, y): Shown,
        shape: Shape,
        from: &Raster<'_>,
        to: &mut [u8],
        stride: usize,
    ) {
        let (width, height) = (self.size.0 / shape.step, self.size.1 / shape.step);
        let row = width * shape.bytes;
        let to = &mut to[y * height * stride..];
        let (right, down) = match self.layout {
            ZedSrcFileLayout::SideBySide => (eye, 0),
            ZedSrcFileLayout::TopBottom => (0, eye),
        };
        let plane = Plane {
            bytes: &from.bytes[down * height * from.stride..],
            stride: from.stride,
            offset: right * row,
        };
        let offset = x * row;
        match self.maps.as_ref().and_then(|maps| maps.of(shape.step)) {
            Some(maps) => maps[eye].bend(shape.bytes, plane, to, stride, offset),
            None => copy(plane, (row, height), to, stride, offset),
        }
    }
}

/// Copies `height` rows of `row` bytes to where rows are `stride` apart, `offset` bytes in.
fn copy(
    plane: Plane<'_>,
    (row, height): (usize, usize),
    to: &mut [u8],
    stride: usize,
    offset: usize,
) {
    let rows = plane.bytes.chunks(plane.stride).zip(to.chunks_mut(stride));
    for (source, target) in rows.take(height) {
        target[offset..offset + row].copy_from_slice(&source[plane.offset..plane.offset + row]);
    }
}

/// A plane of the picture with both eyes.
struct Raster<'a> {
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> Raster<'a> {
    fn of(frame: &'a VideoFrameRef<&gst::BufferRef>, plane: usize) -> Result<Self, ComposeError> {
        Ok(Self {
            stride: frame.plane_stride()[plane] as usize,
            bytes: frame.plane_data(plane as u32)?,
        })
    }
}

/// Pictures' memory.
fn pool(info: &VideoInfo) -> Result<gst::BufferPool, glib::BoolError> {
    let pool = gst_video::VideoBufferPool::new();
    let mut config = pool.config();
    let size = u32::try_from(info.size()).unwrap_or(u32::MAX);
    config.set_params(Some(&info.to_caps()?), size, 2, 0);
    pool.set_config(config)?;
    pool.set_active(true)?;
    Ok(pool.upcast())
}
