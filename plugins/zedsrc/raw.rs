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
    converter: Option<Converter>,
}

struct Converter {
    converter: VideoConverter,
    info: VideoInfo,
    /// The last picture that was converted, whose memory the next takes.
    converted: gst::Buffer,
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
                let info = info(format).map_err(said)?;
                Some(Converter {
                    converter: VideoConverter::new(&sent, &info, None).map_err(said)?,
                    converted: gst::Buffer::with_size(info.size()).map_err(said)?,
                    info,
                })
            }
        };
        let calibration = factory::calibration(settings, serial, warnings)?;
        let composer = Composer::new(
            converter.as_ref().map_or(&sent, |to| &to.info),
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
        let source = match &mut self.converter {
            None => &sent,
            Some(to) => {
                let from = VideoFrameRef::from_buffer_ref_readable(&sent, &self.sent);
                let converted = to.converted.make_mut();
                let into = VideoFrameRef::from_buffer_ref_writable(converted, &to.info);
                to.converter
                    .frame_ref(&from.map_err(said)?, &mut into.map_err(said)?);
                &to.converted
            }
        };
        let composed = self.composer.compose(source);
        let mut buffer = composed.map_err(|err| err.to_string())?;
        let fields = buffer.make_mut();
        if let Some(readings) = &frame.sensors {
            sensed::attach_uvc(fields, readings).map_err(said)?;
        }
        Ok(buffer)
    }
}
