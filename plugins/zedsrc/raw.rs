//! From the raw picture of both eyes that a USB camera sends to the buffer that leaves: cut, bent
//! and measured as recordings are.

use evr_zed::uvc::Frame;
use gst_video::{VideoConverter, VideoFormat, VideoFrameRef, VideoInfo};

use super::compose::{Composer, format};
use super::settings::Settings;
use super::{ZedSrcFileLayout, factory, sensed};

pub(super) struct Raw {
    composer: Composer,
    /// What the camera sends.
    sent: VideoInfo,
    /// Where the composer needs another format.
    converter: Option<(VideoConverter, VideoInfo)>,
}

impl Raw {
    /// For pictures like `frame`; what is to be told of it that stops nothing goes to `warnings`.
    pub(super) fn new(
        settings: &Settings,
        frame: &Frame,
        serial: Option<u32>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, String> {
        let said = |err: glib::BoolError| err.to_string();
        let (width, height) = (frame.width as u32, frame.height as u32);
        let fps = gst::Fraction::new(settings.fps, 1);
        let info = |format| VideoInfo::builder(format, width, height).fps(fps).build();
        let sent = info(VideoFormat::I420).map_err(said)?;
        let converter = match format(settings.stream_type) {
            None => None,
            Some(format) => {
                let needed = info(format).map_err(said)?;
                let converter = VideoConverter::new(&sent, &needed, None).map_err(said)?;
                Some((converter, needed))
            }
        };
        let calibration = factory::calibration(settings, serial, warnings)?;
        let composer = Composer::new(
            converter.as_ref().map_or(&sent, |(_, needed)| needed),
            ZedSrcFileLayout::SideBySide,
            settings.stream_type,
            calibration.as_ref(),
            settings.matching().map_err(|err| err.to_string())?,
        );
        Ok(Self {
            composer: composer.map_err(|err| err.to_string())?,
            sent,
            converter,
        })
    }

    pub(super) fn output(&self) -> &VideoInfo {
        self.composer.output()
    }

    pub(super) fn show(&mut self, frame: Frame) -> Result<gst::Buffer, String> {
        let said = |err: glib::BoolError| err.to_string();
        let sent = gst::Buffer::from_mut_slice(frame.data);
        debug_assert_eq!(sent.size(), self.sent.size());
        let source = match &self.converter {
            None => sent,
            Some((converter, needed)) => {
                let mut converted = gst::Buffer::with_size(needed.size()).map_err(said)?;
                let from = VideoFrameRef::from_buffer_ref_readable(&sent, &self.sent);
                let to = VideoFrameRef::from_buffer_ref_writable(converted.make_mut(), needed);
                converter.frame_ref(&from.map_err(said)?, &mut to.map_err(said)?);
                converted
            }
        };
        let mut buffer = gst::Buffer::with_size(self.output().size()).map_err(said)?;
        let fields = buffer.make_mut();
        let composed = self.composer.compose(&source, fields);
        composed.map_err(|err| err.to_string())?;
        if let Some(readings) = &frame.sensors {
            sensed::attach_uvc(fields, readings).map_err(said)?;
        }
        Ok(buffer)
    }
}
