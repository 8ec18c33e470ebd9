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
use evr_zed::{sdk, uvc};
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};

use super::asked::Wishes;
use super::device::{Device, device};
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

/// A backend's frame.
enum Shot {
    Sdk(Box<sdk::Frame>),
    Uvc(Box<uvc::Frame>),
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
    held: Vec<Control>,
    /// What was last asked to be recorded, and how often it had been.
    recording: Option<(PathBuf, u64)>,
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
        let device = device(settings, library, &mut warnings)?;
        let interrupted = Arc::new(AtomicBool::new(false));
        let mut live = Self {
            device,
            show: settings.stream_type,
            raw: None,
            output: VideoInfo::builder(VideoFormat::Gray8, 1, 1)
                .build()
                .map_err(|err| err.to_string())?,
            first: None,
            latency: Duration::ZERO,
            warnings: warnings.into(),
            held: Vec::new(),
            recording: None,
            interrupted,
            seq: 0,
            lost: None,
            discont: true,
        };
        live.set(settings.wishes());
        let shot = live.begin()?;
        live.lay_out(settings, &shot)?;
        let begun = Instant::now();
        live.first = Some(live.picture(shot, 0)?);
        live.latency = begun.elapsed();
        if let Device::Sdk(_) = live.device {
            let frame = frame_time(live.output.fps()).unwrap_or_default();
            live.latency += Duration::from(frame);
        }
        Ok(live)
    }

    /// The first picture. A camera that goes before it is not waited for.
    fn begin(&mut self) -> Result<Shot, String> {
        loop {
            match self.wait()? {
                Waited::Shot(shot) => return Ok(shot),
                Waited::Warning(text) => self.warnings.push_back(text),
                Waited::Lost(text) => return Err(text),
                Waited::End => return Err("svo-file-path ends before its first picture".into()),
                Waited::Interrupted => return Err("the opening was interrupted".into()),
            }
        }
    }

    /// Decides from the first picture how all are shown.
    fn lay_out(&mut self, settings: &Settings, first: &Shot) -> Result<(), String> {
        let fps = gst::Fraction::new(settings.fps, 1);
        match (first, &self.device) {
            (Shot::Sdk(frame), Device::Sdk(session)) => {
                let fps = match session.info().fps.round() {
                    known if known >= 1.0 => gst::Fraction::new(known as i32, 1),
                    _ => fps,
                };
                let info = pack::info(frame, self.show, fps).ok_or(TOO_LITTLE)?;
                self.output = info.map_err(|err| err.to_string())?;
            }
            (Shot::Uvc(frame), Device::Uvc(camera)) => {
                let serial = camera.info().serial;
                let mut warnings = Vec::new();
                let raw = Raw::new(settings, frame, serial, &mut warnings)?;
                self.warnings.extend(warnings);
                self.output = raw.output().clone();
                self.raw = Some(raw);
            }
            _ => return Err("the camera's pictures are of another kind than itself".into()),
        }
        Ok(())
    }

    pub(super) fn output(&self) -> &VideoInfo {
        &self.output
    }

    pub(super) fn interrupted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    pub(super) fn is_recording(&self) -> bool {
        match &self.device {
            Device::Sdk(session) => session.is_recording(),
            Device::Uvc(_) => false,
        }
    }

    /// Tells the camera what of the wishes has changed.
    pub(super) fn set(&mut self, wishes: Wishes) {
        if wishes.controls != self.held {
            for control in changes(&self.held, &wishes.controls) {
                match &mut self.device {
                    Device::Sdk(session) => session.set(control),
                    Device::Uvc(camera) => camera.set(control),
                }
            }
            self.held = wishes.controls;
        }
        if wishes.recording != self.recording
            && let Device::Sdk(session) = &self.device
        {
            match &wishes.recording {
                Some((file, _)) => session.record(file.clone(), wishes.compression),
                None => session.stop_recording(),
            }
            self.recording = wishes.recording;
        }
    }

    pub(super) fn next(&mut self) -> Result<Next, String> {
        if let Some(text) = self.warnings.pop_front() {
            return Ok(Next::Warning(text));
        }
        if let Some(first) = self.first.take() {
            return Ok(Next::Picture(first));
        }
        Ok(match self.wait()? {
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

    fn wait(&mut self) -> Result<Waited, String> {
        Ok(match &mut self.device {
            Device::Sdk(session) => {
                match session
                    .next(&self.interrupted)
                    .map_err(|err| err.to_string())?
                {
                    None => Waited::Interrupted,
                    Some(sdk::Event::Frame(frame)) => Waited::Shot(Shot::Sdk(frame)),
                    Some(sdk::Event::Warning(text)) => Waited::Warning(text),
                    Some(sdk::Event::Lost(text)) => Waited::Lost(text),
                    Some(sdk::Event::Back(info)) => {
                        Waited::Warning(format!("the {} {} is back", info.model, info.serial))
                    }
                    Some(sdk::Event::End) => Waited::End,
                }
            }
            Device::Uvc(camera) => {
                match camera
                    .next(&self.interrupted)
                    .map_err(|err| err.to_string())?
                {
                    None => Waited::Interrupted,
                    Some(uvc::Event::Frame(frame)) => Waited::Shot(Shot::Uvc(frame)),
                    Some(uvc::Event::Warning(text)) => Waited::Warning(text),
                    Some(uvc::Event::Lost(text)) => Waited::Lost(text),
                    Some(uvc::Event::Back(info)) => Waited::Warning(format!(
                        "the {} at {} is back",
                        info.model,
                        info.node.display()
                    )),
                }
            }
        })
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

/// What became of waiting for a picture.
enum Waited {
    Shot(Shot),
    Warning(String),
    Lost(String),
    End,
    Interrupted,
}
