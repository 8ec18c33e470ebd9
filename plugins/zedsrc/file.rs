//! A recording, read and decoded by a private pipeline of stock elements. Nothing of ZED's own
//! lives here (of an SVO file that is `svo`'s): what comes out is the picture with both eyes and
//! its time in the file.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use evr_core::time::Nanos;
use evr_zed::svo;
use gst::prelude::*;

use super::settings::{FileSource, Kind};
use super::svo::Front;
use crate::bridge::time::reference_utc;

/// What the pictures may be: formats that can be cut and bent as they are.
const FORMATS: &str = "video/x-raw,format=(string){I420,NV12,BGRA,GRAY8}";
/// What raw YUYV becomes: encoders and detectors take it, and half its chroma rows are no loss
/// beside that.
const RAW_FORMAT: &str = "video/x-raw,format=I420";
/// How often a wait looks whether it is to end.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(20);

#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{0} cannot be opened: {1}")]
    Unreadable(String, std::io::Error),
    #[error("{0} is needed and not installed: {1}")]
    NoElement(&'static str, glib::Error),
    #[error("{0} cannot be played: {1}")]
    Unplayable(String, String),
    #[error("{0} showed no picture within {1} s: it holds no video, or raise open-timeout-sec")]
    Silent(String, f32),
    #[error("{0}: {1}")]
    Svo(String, svo::SvoError),
    #[error("{0} ends before its first picture")]
    Empty(String),
    #[error("{0}: the picture changes from {1} to {2}, which no recording of a ZED does")]
    Changed(String, String, String),
}

/// A picture with both eyes.
pub(super) struct Picture {
    pub buffer: gst::Buffer,
    /// Since the file's beginning.
    pub time: Option<gst::ClockTime>,
}

/// What became of waiting for a picture.
pub(super) enum Next {
    Picture(Picture),
    End,
    /// Somebody asked not to wait any longer.
    Interrupted,
}

pub(super) struct File {
    reader: Reader,
    info: gst_video::VideoInfo,
    /// The first picture, which told size and format; it comes again.
    pub first: Option<gst::Buffer>,
    /// Of an SVO file.
    front: Option<Front>,
    /// When the first picture was taken that is to be shown after a seek. Decoders may show the
    /// one before it too: cameras' times jitter, so that its nominal end overlaps.
    from: Nanos,
    interrupted: Arc<AtomicBool>,
}

impl File {
    /// Opens the file and waits for its first picture, `patience` seconds at most. They have
    /// `format`, or else any that can be cut and bent.
    pub(super) fn open(
        source: &FileSource,
        format: Option<gst_video::VideoFormat>,
        patience: f32,
    ) -> Result<Self, FileError> {
        let name = || source.name.clone();
        // Said here because filesrc's own words name an element that the user never made.
        std::fs::File::open(&source.path).map_err(|err| FileError::Unreadable(name(), err))?;
        let front = match source.kind {
            Kind::Svo { camera } => {
                let front = Front::open(&source.path, camera);
                Some(front.map_err(|err| FileError::Svo(name(), err))?)
            }
            Kind::Video | Kind::Raw { .. } => None,
        };
        let reader = Reader::new(source, front.as_ref(), format)?;
        let sample = reader.first(patience)?;
        let caps = sample.caps().expect("a sample of appsink has caps");
        let info = gst_video::VideoInfo::from_caps(caps);
        Ok(Self {
            reader,
            info: info.expect("appsink takes raw video alone"),
            first: sample.buffer_owned(),
            front,
            from: 0,
            interrupted: Arc::default(),
        })
    }

    pub(super) fn info(&self) -> &gst_video::VideoInfo {
        &self.info
    }

    pub(super) fn svo(&self) -> Option<&svo::Info> {
        self.front.as_ref().map(Front::info)
    }

    pub(super) fn duration(&self) -> Option<gst::ClockTime> {
        self.reader.pipeline.query_duration()
    }

    /// While this is true, nothing waits.
    pub(super) fn interrupted(&self) -> Arc<AtomicBool> {
        self.interrupted.clone()
    }

    pub(super) fn next(&self) -> Result<Next, FileError> {
        loop {
            if self.interrupted.load(Ordering::Acquire) {
                return Ok(Next::Interrupted);
            }
            if let Some(sample) = self.reader.sink.try_pull_sample(LOOK) {
                let captured = sample.buffer().and_then(reference_utc);
                if captured.is_some_and(|captured| captured < self.from) {
                    continue;
                }
                return self.picture(&sample).map(Next::Picture);
            }
            self.reader.check()?;
            if self.reader.sink.is_eos() {
                return Ok(Next::End);
            }
        }
    }

    fn picture(&self, sample: &gst::Sample) -> Result<Picture, FileError> {
        let info = sample.caps().map(gst_video::VideoInfo::from_caps);
        let same = |info: &gst_video::VideoInfo| {
            (info.format(), info.width(), info.height())
                == (self.info.format(), self.info.width(), self.info.height())
        };
        match info {
            Some(Ok(info)) if !same(&info) => {
                let words = |info: &gst_video::VideoInfo| {
                    format!("{} {}x{}", info.format(), info.width(), info.height())
                };
                let (was, is) = (words(&self.info), words(&info));
                return Err(FileError::Changed(self.reader.name.clone(), was, is));
            }
            _ => {}
        }
        let buffer = sample
            .buffer_owned()
            .expect("a sample of appsink has a buffer");
        let segment = sample.segment();
        let segment = segment.and_then(|s| s.downcast_ref::<gst::ClockTime>());
        let time = buffer.pts();
        Ok(Picture {
            time: segment.map_or(time, |segment| segment.to_stream_time(time)),
            buffer,
        })
    }

    /// Goes to another place of the file; says whether it could.
    pub(super) fn seek(&mut self, to: gst::ClockTime) -> bool {
        let shown = self.front.as_ref().and_then(|front| front.captured(to));
        self.from = shown.and_then(|at| Nanos::try_from(at).ok()).unwrap_or(0);
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        self.reader.pipeline.seek_simple(flags, to).is_ok()
    }
}

/// The private pipeline, which plays until dropped.
struct Reader {
    /// The property that names the file, and its name.
    name: String,
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let down = self.pipeline.set_state(gst::State::Null);
        debug_assert!(down.is_ok(), "a pipeline can always be taken down");
    }
}

impl Reader {
    fn new(
        source: &FileSource,
        front: Option<&Front>,
        format: Option<gst_video::VideoFormat>,
    ) -> Result<Self, FileError> {
        let (pipeline, sink) = pipeline(source, front, format)?;
        let reader = Self {
            name: source.name.clone(),
            pipeline,
            sink,
        };
        match reader.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(reader),
            Err(_) => Err(reader.fault()),
        }
    }

    /// The first picture, which stays, to know the size and format of all.
    fn first(&self, patience: f32) -> Result<gst::Sample, FileError> {
        let patience = Duration::from_secs_f32(patience);
        let mut waited = Duration::ZERO;
        loop {
            if let Some(sample) = self.sink.try_pull_preroll(LOOK) {
                return Ok(sample);
            }
            self.check()?;
            if self.sink.is_eos() {
                return Err(FileError::Empty(self.name.clone()));
            }
            waited += Duration::from(LOOK);
            if waited > patience {
                return Err(FileError::Silent(self.name.clone(), patience.as_secs_f32()));
            }
        }
    }

    fn check(&self) -> Result<(), FileError> {
        self.error().map_or(Ok(()), Err)
    }

    /// Why a state change failed.
    fn fault(&self) -> FileError {
        let silent =
            || FileError::Unplayable(self.name.clone(), "its pipeline does not start".into());
        self.error().unwrap_or_else(silent)
    }

    /// What an element of the pipeline has told.
    fn error(&self) -> Option<FileError> {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        let message = bus.pop_filtered(&[gst::MessageType::Error])?;
        let gst::MessageView::Error(error) = message.view() else {
            return None;
        };
        let text = error.error().to_string();
        Some(FileError::Unplayable(self.name.clone(), text))
    }
}

/// The pipeline, as far as it can be made before it starts.
fn pipeline(
    source: &FileSource,
    front: Option<&Front>,
    format: Option<gst_video::VideoFormat>,
) -> Result<(gst::Pipeline, gst_app::AppSink), FileError> {
    let (start, formats) = match (source.kind, front) {
        (Kind::Raw { width, height, fps }, _) => (
            format!(
                "filesrc name=in ! rawvideoparse use-sink-caps=false format=yuy2 width={width} height={height} framerate={fps}/1"
            ),
            RAW_FORMAT,
        ),
        (_, None) => ("filesrc name=in ! decodebin".to_owned(), FORMATS),
        (_, Some(front)) if front.is_encoded() => {
            ("appsrc name=in ! decodebin".to_owned(), FORMATS)
        }
        (_, Some(_)) => ("appsrc name=in".to_owned(), RAW_FORMAT),
    };
    let line = format!("{start} ! videoconvert ! appsink name=out sync=false max-buffers=2");
    let pipeline = gst::parse::launch(&line)
        .map_err(|err| FileError::NoElement("a decoder of GStreamer's base plugins", err))?
        .downcast::<gst::Pipeline>()
        .expect("a launch line of several elements is a pipeline");
    let input = pipeline.by_name("in").expect("the line names it");
    match front {
        None => input.set_property("location", &source.path),
        Some(front) => {
            let input = input.downcast().expect("the line makes an appsrc");
            let fed = front.feed(&input);
            fed.map_err(|err| FileError::Svo(source.name.clone(), err))?;
        }
    }
    let sink = pipeline.by_name("out").expect("the line names it");
    let sink: gst_app::AppSink = sink.downcast().expect("the line makes an appsink");
    let caps = match format {
        Some(format) => gst_video::VideoCapsBuilder::new().format(format).build(),
        None => formats.parse().expect("the caps are right"),
    };
    sink.set_caps(Some(&caps));
    Ok((pipeline, sink))
}
