//! An SVO2 recording as the front of the private pipeline: what the decoder is fed with, and where
//! it goes on after a seek.
//!
//! Belongs here: from messages of the file to buffers with their times. What the file's bytes mean
//! is `evr_zed::svo`'s, decoding and everything behind it the same as for any other file.

use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::sensed;
use crate::bridge::time::set_reference_utc;
use evr_zed::svo::{Encoding, Info, Picture, Recording, SvoError};

/// What stands in front of the decoder.
pub(super) struct Front {
    feed: Arc<Mutex<Feed>>,
    info: Info,
}

struct Feed {
    recording: Recording<BufReader<fs::File>>,
    /// The picture that comes next.
    next: usize,
}

fn lock(feed: &Mutex<Feed>) -> MutexGuard<'_, Feed> {
    feed.lock().expect("no thread panics under this lock")
}

impl Front {
    /// Opens the file; of several cameras' in it `camera` is shown.
    pub(super) fn open(path: &Path, camera: Option<u32>) -> Result<Self, SvoError> {
        let file = BufReader::new(fs::File::open(path)?);
        let recording = Recording::open(file, camera)?;
        Ok(Self {
            info: recording.info().clone(),
            feed: Arc::new(Mutex::new(Feed { recording, next: 0 })),
        })
    }

    pub(super) fn info(&self) -> &Info {
        &self.info
    }

    /// When the picture was taken that is shown at that time of the file, in ns since 1970.
    pub(super) fn captured(&self, to: gst::ClockTime) -> Option<u64> {
        let recording = &lock(&self.feed).recording;
        recording.captured(recording.at(to.nseconds()))
    }

    pub(super) fn is_encoded(&self) -> bool {
        self.info.encoding != Encoding::Strips
    }

    /// Makes the appsrc give the pictures.
    pub(super) fn feed(&self, source: &gst_app::AppSrc) -> Result<(), SvoError> {
        source.set_caps(Some(&self.caps()?));
        source.set_format(gst::Format::Time);
        source.set_stream_type(gst_app::AppStreamType::Seekable);
        let last = lock(&self.feed).time(self.info.frames.saturating_sub(1));
        let frame = gst::ClockTime::SECOND / u64::from(self.info.fps);
        source.set_duration(last.map(|last| last.saturating_add(frame)));
        let (fed, sought) = (self.feed.clone(), self.feed.clone());
        source.set_callbacks(
            gst_app::AppSrcCallbacks::builder()
                .need_data(move |source, _| speak(source, &fed))
                .seek_data(move |source, to| {
                    let gone = lock(&sought).go(to);
                    gone.map_err(|err| complain(source, &err)).is_ok()
                })
                .build(),
        );
        Ok(())
    }

    fn caps(&self) -> Result<gst::Caps, SvoError> {
        let fps = gst::Fraction::new(i32::try_from(self.info.fps).unwrap_or(1), 1);
        let stream = |name: &str| {
            gst::Caps::builder(name)
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .field("framerate", fps)
                .build()
        };
        Ok(match self.info.encoding {
            Encoding::H264 => stream("video/x-h264"),
            Encoding::H265 => stream("video/x-h265"),
            Encoding::Strips => {
                let (width, height) = match lock(&self.feed).recording.picture(0)? {
                    Some(Picture::Raw(raw)) => (raw.width, raw.height),
                    _ => return Err(SvoError::Empty),
                };
                gst_video::VideoCapsBuilder::new()
                    .format(gst_video::VideoFormat::Yuy2)
                    .width(i32::try_from(width).unwrap_or(i32::MAX))
                    .height(i32::try_from(height).unwrap_or(i32::MAX))
                    .framerate(fps)
                    .build()
            }
        })
    }
}

impl Feed {
    /// Since the first picture.
    fn time(&self, number: usize) -> Option<gst::ClockTime> {
        let start = self.recording.info().start;
        let captured = self.recording.captured(number)?;
        Some(gst::ClockTime::from_nseconds(
            captured.saturating_sub(start),
        ))
    }

    /// The next picture from the one on that shows that time, or what decoding it begins with.
    fn go(&mut self, to: u64) -> Result<(), SvoError> {
        let shown = self.recording.at(to);
        self.next = self.recording.key_before(shown)?;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<gst::Buffer>, SvoError> {
        let number = self.next;
        let Some(picture) = self.recording.picture(number)? else {
            return Ok(None);
        };
        let mut buffer = gst::Buffer::from_mut_slice(match picture {
            Picture::Encoded(unit) => unit,
            Picture::Raw(raw) => raw.bytes,
        });
        let fields = buffer.make_mut();
        fields.set_pts(self.time(number));
        if let Some(captured) = self.recording.captured(number) {
            set_reference_utc(fields, captured);
        }
        if let Some(felt) = self.recording.sensed(number)? {
            sensed::attach_svo(fields, &felt).expect("the plugin registers the meta");
        }
        self.next += 1;
        Ok(Some(buffer))
    }
}

/// Gives one buffer, or the end.
fn speak(source: &gst_app::AppSrc, feed: &Mutex<Feed>) {
    let next = lock(feed).next();
    // A flow that ended or flushes says so to who reads the pictures, too.
    let _ = match next {
        Ok(Some(buffer)) => source.push_buffer(buffer),
        Ok(None) => source.end_of_stream(),
        Err(err) => {
            complain(source, &err);
            source.end_of_stream()
        }
    };
}

fn complain(source: &gst_app::AppSrc, err: &SvoError) {
    gst::element_error!(source, gst::StreamError::Decode, ("{err}"));
}
