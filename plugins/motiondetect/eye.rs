//! From a frame's memory to what moves in it: which formats can be looked at, and where their luma
//! lies. What becomes of the answer is `imp`'s; what motion is, evr-core's.

use evr_core::motion::{Config, Detector, Luma, Motion, MotionError};
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo, prelude::*};

use crate::bridge::time::running_time;

/// Formats with 8 bits of luma, or of green, which is most of it, at a fixed distance.
pub(super) const FORMATS: [VideoFormat; 19] = [
    VideoFormat::I420,
    VideoFormat::Yv12,
    VideoFormat::Nv12,
    VideoFormat::Nv21,
    VideoFormat::Y42b,
    VideoFormat::Y444,
    VideoFormat::Gray8,
    VideoFormat::Yuy2,
    VideoFormat::Uyvy,
    VideoFormat::Yvyu,
    VideoFormat::Ayuv,
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Xrgb,
    VideoFormat::Xbgr,
    VideoFormat::Rgba,
    VideoFormat::Bgra,
];

/// Looks at frames, in the streaming thread.
pub(super) struct Eye {
    detector: Detector,
    /// Since caps came.
    info: Option<VideoInfo>,
}

impl Eye {
    pub(super) fn new(config: Config) -> Self {
        Self {
            detector: Detector::new(config),
            info: None,
        }
    }

    pub(super) fn configure(&mut self, config: Config) {
        self.detector.configure(config);
    }

    /// Forgets the scene.
    pub(super) fn flush(&mut self) {
        self.detector.flush();
    }

    pub(super) fn set_caps(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        let info = VideoInfo::from_caps(caps)
            .ok()
            .filter(|info| FORMATS.contains(&info.format()))
            .ok_or_else(|| format!("cannot look at {caps}: put videoconvert before it"))?;
        let resized = self
            .detector
            .resize(info.width() as usize, info.height() as usize);
        self.info = resized.is_ok().then_some(info);
        resized.map_err(|err| err.to_string())
    }

    /// Width and height of the frames, once caps came.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        let info = self.info.as_ref()?;
        Some((info.width(), info.height()))
    }

    pub(super) fn look(
        &mut self,
        buffer: &gst::BufferRef,
        segment: &gst::Segment,
    ) -> Result<Option<Motion>, String> {
        let Some(info) = &self.info else {
            return Err("a frame came before its caps: send caps first".into());
        };
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .map_err(|_| "a frame's memory cannot be read: send system memory".to_owned())?;
        let luma = luma(&frame).ok_or_else(|| MotionError::Short.to_string())?;
        let time = running_time(segment, buffer.pts());
        let motion = self.detector.frame(time, &luma);
        motion.map_err(|err| err.to_string())
    }
}

/// The luma of a frame, or its green; `None` where rows run backwards.
fn luma<'a>(frame: &'a VideoFrameRef<&gst::BufferRef>) -> Option<Luma<'a>> {
    let component = u32::from(frame.format_info().is_rgb());
    let plane = frame.comp_plane(component);
    let data = frame.plane_data(plane).ok()?;
    Some(Luma {
        data: data.get(frame.comp_poffset(component) as usize..)?,
        stride: usize::try_from(frame.comp_stride(component)).ok()?,
        step: usize::try_from(frame.comp_pstride(component)).ok()?,
    })
}
