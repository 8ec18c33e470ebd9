//! A camera that is open, by the SDK or by UVC, or an SVO file that the SDK plays: its pictures
//! as buffers, with what was found in them.
//!
//! Belongs here: everything between a backend's frame and a buffer without its PTS. When a picture
//! is shown is the element's matter.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use evr_core::detection::{BoundingBox, Detection, Observation};
use evr_zed::control::{Control, changes};
use evr_zed::sdk;
use gst_video::{VideoInfo, VideoRegionOfInterestMeta};

use super::asked::Wishes;
use super::device::{Device, Shot, Waited, device};
use super::play::frame_time;
use super::raw::Raw;
use super::settings::Settings;
use super::{ZedSrcStreamType, pack, sensed};
use crate::bridge::{detection, time::set_reference_utc};

const TOO_LITTLE: &str = "the SDK did not give what stream-type asks for";

/// What comes out of a camera.
pub(super) enum Next {
    Picture(Picture),
    /// Something to be told that stops nothing.
    Warning(String),
    End,
    Interrupted,
}

pub(super) struct Picture {
    pub buffer: gst::Buffer,
    /// ns since 1970.
    pub captured: u64,
    /// Pictures that went missing since the one before it.
    pub lost: u64,
}

pub(super) struct Live {
    device: Device,
    show: ZedSrcStreamType,
    raw: Option<Raw>,
    output: VideoInfo,
    /// The first picture, which told the size.
    first: Option<Picture>,
    /// From the end of a picture's time until it leaves, as far as that is known: how long making
    /// the first one took, and one frame for what the SDK does before, of which it does not tell.
    pub latency: Duration,
    /// What is to be told of the opening, in order.
    warnings: VecDeque<String>,
    asked: Asked,
    interrupted: Arc<AtomicBool>,
    seq: u64,
    /// How many pictures the device had lost at the last one, where one was waited for.
    lost: Option<u64>,
    /// The next picture does not follow the last.
    discont: bool,
}

impl Live {
    /// Opens what the settings ask for, by the SDK's `library` where that is open already, and waits
    /// for its first picture.
    pub(super) fn open(
        settings: &Settings,
        library: Option<Arc<sdk::Sdk>>,
    ) -> Result<Self, String> {
        let mut warnings = Vec::new();
        let mut device = device(settings, library, &mut warnings)?;
        let interrupted = Arc::new(AtomicBool::new(false));
        let mut asked = Asked::default();
        asked.ask(&mut device, settings.wishes());
        let shot = first(&mut device, &interrupted, &mut warnings)?;
        let (output, raw) = laid_out(settings, &device, &shot, &mut warnings)?;
        let mut live = Self {
            device,
            show: settings.stream_type,
            raw,
            output,
            first: None,
            latency: Duration::ZERO,
            warnings: warnings.into(),
            asked,
            interrupted,
            seq: 0,
            lost: None,
            discont: true,
        };
        let begun = Instant::now();
        live.first = Some(live.picture(shot, 0)?);
        live.latency = begun.elapsed();
        if let Device::Sdk(_) = live.device {
            let frame = frame_time(live.output.fps()).unwrap_or_default();
            live.latency += Duration::from(frame);
        }
        Ok(live)
    }

    pub(super) fn output(&self) -> &VideoInfo {
        &self.output
    }

    pub(super) fn interrupted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    pub(super) fn is_recording(&self) -> bool {
        self.device.is_recording()
    }

    /// Tells the camera what of the wishes has changed.
    pub(super) fn set(&mut self, wishes: Wishes) {
        self.asked.ask(&mut self.device, wishes);
    }

    pub(super) fn next(&mut self) -> Result<Next, String> {
        if let Some(text) = self.warnings.pop_front() {
            return Ok(Next::Warning(text));
        }
        if let Some(first) = self.first.take() {
            return Ok(Next::Picture(first));
        }
        Ok(match self.device.wait(&self.interrupted)? {
            Waited::Shot(shot) => {
                let lost = self.count(&shot);
                Next::Picture(self.picture(shot, lost)?)
            }
            Waited::Warning(text) => Next::Warning(text),
            Waited::Lost(text) => {
                self.pause();
                Next::Warning(text)
            }
            Waited::End => Next::End,
            Waited::Interrupted => {
                self.pause();
                Next::Interrupted
            }
        })
    }

    /// What is missed until the next picture was missed by nobody's fault.
    fn pause(&mut self) {
        self.lost = None;
        self.discont = true;
    }

    /// How many pictures went missing since the last one.
    fn count(&mut self, shot: &Shot) -> u64 {
        let total = match shot {
            Shot::Sdk(frame) => frame.lost,
            Shot::Uvc(frame) => frame.lost,
        };
        let before = self.lost.replace(total).unwrap_or(total);
        let lost = total.saturating_sub(before);
        self.discont |= lost > 0;
        lost
    }

    fn picture(&mut self, shot: Shot, lost: u64) -> Result<Picture, String> {
        let (mut buffer, captured) = match shot {
            Shot::Sdk(mut frame) => (self.rectified(&mut frame)?, frame.captured),
            Shot::Uvc(frame) => {
                let captured = frame.captured;
                let raw = self.raw.as_mut().ok_or("no way to show raw pictures")?;
                (raw.show(*frame)?, captured)
            }
        };
        let fields = buffer.make_mut();
        set_reference_utc(fields, captured);
        if std::mem::take(&mut self.discont) {
            fields.set_flags(gst::BufferFlags::DISCONT);
        }
        Ok(Picture {
            buffer,
            captured,
            lost,
        })
    }

    fn rectified(&mut self, frame: &mut sdk::Frame) -> Result<gst::Buffer, String> {
        let packed = pack::pack(frame, self.show);
        let packed = packed.ok_or(TOO_LITTLE)?;
        let size = (packed.width as u32, packed.height as u32);
        if size != (self.output.width(), self.output.height()) {
            return Err(format!(
                "the camera's picture changed to {}x{}: restart the element",
                size.0, size.1
            ));
        }
        let mut buffer = gst::Buffer::from_mut_slice(packed.aligned(&self.output));
        let fields = buffer.make_mut();
        if frame.corrupted {
            fields.set_flags(gst::BufferFlags::CORRUPTED);
        }
        if frame.detected {
            self.attach(fields, &frame.objects)?;
        }
        sensed::attach_sdk(fields, frame).map_err(|err| err.to_string())?;
        Ok(buffer)
    }

    /// Objects' boxes are of the left eye; they are put where it is shown.
    fn attach(
        &mut self,
        buffer: &mut gst::BufferRef,
        objects: &[sdk::Object],
    ) -> Result<(), String> {
        let (across, down) = match self.show {
            ZedSrcStreamType::TopBottom | ZedSrcStreamType::LeftDepth => (1.0, 0.5),
            ZedSrcStreamType::SideBySide => (0.5, 1.0),
            _ => (1.0, 1.0),
        };
        let detections = objects.iter().map(|object| {
            let [left, top, right, bottom] = object.bounds.map(f64::from);
            let raw = object.raw_label.map(|label| label.to_string());
            let known = sdk::CLASSES.iter().position(|class| *class == object.label);
            Detection {
                label: raw.map_or(object.label.into(), Into::into),
                label_id: object.raw_label.or(known.map(|at| at as i32)).unwrap_or(-1),
                confidence: f64::from(object.confidence),
                bbox: BoundingBox::from_corners(
                    left * across,
                    top * down,
                    right * across,
                    bottom * down,
                ),
                track_id: object.id.map(i64::from),
                distance: None,
                position: None,
            }
        });
        let observation = Observation {
            seq: self.seq,
            model: "zed-sdk".into(),
            detections: detections.collect(),
        };
        self.seq += 1;
        let size = (self.output.width(), self.output.height());
        detection::attach(buffer, &observation, size).map_err(|err| err.to_string())?;
        let regions = buffer.iter_meta_mut::<VideoRegionOfInterestMeta>();
        for (mut region, object) in regions.zip(objects) {
            if let Some(space) = sensed::space(object) {
                region.add_param(space);
            }
        }
        Ok(())
    }
}

/// What a device was last asked for.
#[derive(Default)]
struct Asked {
    controls: Vec<Control>,
    /// What to record, and how often that was asked for.
    recording: Option<(PathBuf, u64)>,
}

impl Asked {
    /// Tells the device what of the wishes is new.
    fn ask(&mut self, device: &mut Device, wishes: Wishes) {
        if wishes.controls != self.controls {
            for control in changes(&self.controls, &wishes.controls) {
                device.set(control);
            }
            self.controls = wishes.controls;
        }
        if wishes.recording != self.recording
            && let Device::Sdk(session) = device
        {
            match &wishes.recording {
                Some((file, _)) => session.record(file.clone(), wishes.compression),
                None => session.stop_recording(),
            }
            self.recording = wishes.recording;
        }
    }
}

/// The first picture. A camera that goes before it is not waited for.
fn first(
    device: &mut Device,
    interrupted: &AtomicBool,
    warnings: &mut Vec<String>,
) -> Result<Shot, String> {
    loop {
        match device.wait(interrupted)? {
            Waited::Shot(shot) => return Ok(shot),
            Waited::Warning(text) => warnings.push(text),
            Waited::Lost(text) => return Err(text),
            Waited::End => return Err("svo-file-path ends before its first picture".into()),
            Waited::Interrupted => return Err("the opening was interrupted".into()),
        }
    }
}

/// How all pictures are shown, as the first one tells, and what makes them of raw ones.
fn laid_out(
    settings: &Settings,
    device: &Device,
    first: &Shot,
    warnings: &mut Vec<String>,
) -> Result<(VideoInfo, Option<Raw>), String> {
    match (first, device) {
        (Shot::Sdk(frame), Device::Sdk(session)) => {
            let fps = match session.info().fps.round() {
                known if known >= 1.0 => known as i32,
                _ => settings.fps,
            };
            let info = pack::info(frame, settings.stream_type, gst::Fraction::new(fps, 1));
            let info = info.ok_or(TOO_LITTLE)?.map_err(|err| err.to_string())?;
            Ok((info, None))
        }
        (Shot::Uvc(frame), Device::Uvc(camera)) => {
            let raw = Raw::new(settings, frame, camera.info().serial, warnings)?;
            Ok((raw.output().clone(), Some(raw)))
        }
        _ => Err("the camera's pictures are of another kind than itself".into()),
    }
}
