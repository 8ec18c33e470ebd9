//! Raw video as GStreamer has it, in core's words.

use evr_core::detector::{Colour, Matrix, PixelFormat, Planes};
use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrameRef, VideoInfo};

/// What can be inferred. The first is what the sources of this field send.
pub(crate) const FORMATS: [VideoFormat; 11] = [
    VideoFormat::I420,
    VideoFormat::Nv12,
    VideoFormat::Yuy2,
    VideoFormat::Gray8,
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgba,
    VideoFormat::Bgra,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Yv12,
];

/// The video in these caps, if it can be inferred; the reason otherwise.
pub(crate) fn readable(caps: &gst::CapsRef) -> Result<VideoInfo, String> {
    let features = caps.features(0);
    if features.is_some_and(|features| features.contains("format:Interlaced")) {
        return Err(
            "cannot read single fields (interlace-mode=alternate): have the source send whole \
             frames, interleaved or progressive"
                .into(),
        );
    }
    if let Some(features) = features.filter(|features| !features.contains("memory:SystemMemory")) {
        return Err(format!(
            "cannot read video in {features}: put the element before it that brings frames into \
             system memory, such as gldownload or cudadownload"
        ));
    }
    let info = VideoInfo::from_caps(caps).map_err(|_| format!("cannot read {caps}: send video"))?;
    if format(&info).is_none() {
        return Err(format!(
            "cannot read video of format {}: put videoconvert before it, or have the source send \
             I420, NV12, YUY2, GRAY8 or 8-bit RGB",
            info.format()
        ));
    }
    Ok(info)
}

/// `None` for a format that cannot be read.
pub(crate) fn format(info: &VideoInfo) -> Option<PixelFormat> {
    Some(match info.format() {
        // `planes` puts the chroma planes in order.
        VideoFormat::I420 | VideoFormat::Yv12 => PixelFormat::I420,
        VideoFormat::Nv12 => PixelFormat::Nv12,
        VideoFormat::Yuy2 => PixelFormat::Yuy2,
        VideoFormat::Gray8 => PixelFormat::Gray8,
        VideoFormat::Rgb => PixelFormat::Rgb,
        VideoFormat::Bgr => PixelFormat::Bgr,
        VideoFormat::Rgba | VideoFormat::Rgbx => PixelFormat::Rgbx,
        VideoFormat::Bgra | VideoFormat::Bgrx => PixelFormat::Bgrx,
        _ => return None,
    })
}

/// What its numbers mean.
pub(crate) fn colour(info: &VideoInfo) -> Colour {
    let colorimetry = info.colorimetry();
    Colour {
        matrix: match colorimetry.matrix() {
            VideoColorMatrix::Bt709 => Matrix::Bt709,
            VideoColorMatrix::Bt2020 => Matrix::Bt2020,
            // FCC and SMPTE 240M differ from it by less than a detector sees.
            _ => Matrix::Bt601,
        },
        full_range: match colorimetry.range() {
            VideoColorRange::Range0_255 => true,
            VideoColorRange::Range16_235 => false,
            _ => info.is_rgb() || info.is_gray(),
        },
    }
}

/// The planes of a frame; one whose rows run backwards comes out empty and is refused as too short.
pub(crate) fn planes<'a>(frame: &'a VideoFrameRef<&gst::BufferRef>) -> Planes<'a> {
    let mut planes = Planes {
        data: [&[]; 3],
        stride: [0; 3],
    };
    for (plane, &stride) in frame.plane_stride().iter().enumerate().take(3) {
        if let (Ok(data), Ok(stride)) = (frame.plane_data(plane as u32), usize::try_from(stride)) {
            (planes.data[plane], planes.stride[plane]) = (data, stride);
        }
    }
    if frame.format() == VideoFormat::Yv12 {
        planes.data.swap(1, 2);
        planes.stride.swap(1, 2);
    }
    planes
}
