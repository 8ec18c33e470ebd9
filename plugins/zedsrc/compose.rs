//! From the picture with both eyes to the one that is shown: each eye cut out, bent where a
//! calibration is given, and laid in its place.

use evr_zed::{
    calibration::{Calibration, CalibrationError},
    depth::{DepthError, DepthMap, Options},
    rectify::{Rectified, RectifyError},
    remap::{Map, Plane},
};
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
    layout: ZedSrcFileLayout,
    shown: &'static [Shown],
    eye: (usize, usize),
    input: VideoInfo,
    output: VideoInfo,
    /// For whole pixels and, where the format has them, for chroma: left and right eye.
    maps: Option<[Option<[Map; 2]>; 2]>,
    /// Where depth is shown, or hung onto pictures.
    measure: Option<Measure>,
    shows_depth: bool,
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
        let halves = shapes(input.format()).iter().any(|shape| shape.step == 2);
        let mut measure = None;
        let maps = match calibration {
            None if matching.is_some() => return Err(ComposeError::NoDepth),
            None => None,
            Some(calibration) => {
                let rectified = Rectified::new(&calibration.rig(width, height)?)?;
                let size = (width, height);
                measure = matching
                    .map(|matching| Measure::new(size, &rectified, matching))
                    .transpose()?;
                Some([Some(rectified.maps(1)), halves.then(|| rectified.maps(2))])
            }
        };
        Ok(Self {
            layout,
            shown,
            eye: (width as usize, height as usize),
            input: input.clone(),
            output,
            maps,
            measure,
            shows_depth: show.has_depth(),
        })
    }

    pub(super) fn output(&self) -> &VideoInfo {
        &self.output
    }

    /// Makes the picture that is shown, in memory of `target`, with its depth where that is asked for.
    pub(super) fn compose(
        &mut self,
        source: &gst::BufferRef,
        target: &mut gst::BufferRef,
    ) -> Result<(), ComposeError> {
        let source = VideoFrameRef::from_buffer_ref_readable(source, &self.input)?;
        let measured = self.measured(&Raster {
            stride: source.plane_stride()[0] as usize,
            bytes: source.plane_data(0)?,
        })?;
        let mut frame = VideoFrameRef::from_buffer_ref_writable(target, &self.output)?;
        match &measured {
            Some((left, map)) if self.shows_depth => self.lay_depth(left, map, &mut frame)?,
            _ => self.lay_eyes(&source, &mut frame)?,
        }
        drop(frame);
        if let (Some((_, map)), Some(measure), false) = (&measured, &self.measure, self.shows_depth)
        {
            measure.hang(map, target)?;
        }
        Ok(())
    }

    fn lay_eyes(
        &self,
        source: &VideoFrameRef<&gst::BufferRef>,
        target: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<(), ComposeError> {
        for (n, shape) in shapes(self.input.format()).iter().enumerate() {
            let from = Raster {
                stride: source.plane_stride()[n] as usize,
                bytes: source.plane_data(n as u32)?,
            };
            let stride = target.plane_stride()[n] as usize;
            let bytes = target.plane_data_mut(n as u32)?;
            for shown in self.shown {
                self.lay(*shown, *shape, &from, bytes, stride);
            }
        }
        Ok(())
    }

    /// The depth of a picture with both eyes, where it is asked for, and the left eye's first plane.
    fn measured(&mut self, from: &Raster<'_>) -> Result<Option<(Vec<u8>, DepthMap)>, ComposeError> {
        if self.measure.is_none() {
            return Ok(None);
        }
        // Brightness, or all of the colours.
        let shape = shapes(self.input.format())[0];
        let row = self.eye.0 * shape.bytes;
        let eyes = [0, 1].map(|eye| {
            let mut bytes = vec![0; row * self.eye.1];
            self.lay((eye, 0, 0), shape, from, &mut bytes, row);
            bytes
        });
        let map = self.measure.as_mut();
        let map = map
            .map(|measure| measure.map(&eyes, shape.bytes))
            .transpose()?;
        let [left, _] = eyes;
        Ok(map.map(|map| (left, map)))
    }

    /// Lays depth into its place, below the left eye where that is shown.
    fn lay_depth(
        &self,
        left: &[u8],
        map: &DepthMap,
        target: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<(), ComposeError> {
        let stride = target.plane_stride()[0] as usize;
        let to = target.plane_data_mut(0)?;
        let row = left.len() / self.eye.1;
        let above = if self.shown.is_empty() { 0 } else { self.eye.1 };
        for (source, target) in left.chunks(row).zip(to.chunks_mut(stride)).take(above) {
            target[..row].copy_from_slice(source);
        }
        depth::lay(map, above > 0, &mut to[above * stride..], stride);
        Ok(())
    }

    /// Lays one eye's part of one plane into its place.
    fn lay(
        &self,
        (eye, x, y): Shown,
        shape: Shape,
        from: &Raster<'_>,
        to: &mut [u8],
        stride: usize,
    ) {
        let (width, height) = (self.eye.0 / shape.step, self.eye.1 / shape.step);
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
        let map = self
            .maps
            .as_ref()
            .and_then(|maps| maps[shape.step - 1].as_ref());
        let offset = x * row;
        match map.map(|maps| &maps[eye]) {
            Some(map) => map.bend(shape.bytes, plane, to, stride, offset),
            None => {
                let rows = plane.bytes.chunks(plane.stride).zip(to.chunks_mut(stride));
                for (source, target) in rows.take(height) {
                    target[offset..offset + row]
                        .copy_from_slice(&source[plane.offset..plane.offset + row]);
                }
            }
        }
    }
}

/// A plane of the picture with both eyes.
struct Raster<'a> {
    bytes: &'a [u8],
    stride: usize,
}
