//! A frame's way through the model: which parts of it are inferred, and what is said of it.

use evr_core::detection::{BoundingBox, Observation};
use evr_core::detector::{Limits, Preprocessor, Rect};
use gst_video::{VideoFrameRef, VideoInfo, VideoRegionOfInterestMeta};

use super::session::Model;
use crate::bridge::video::{colour, format, planes};

/// What of a frame is inferred.
#[derive(Debug, Clone)]
pub(super) enum Parts {
    /// All, or this.
    One(Option<BoundingBox>),
    /// The regions on it of this type, or of any.
    Regions(Option<String>),
}

/// A model, and what it needs for frames of one kind.
#[derive(Debug)]
pub(super) struct Detector {
    pub(super) model: Model,
    pub(super) parts: Parts,
    /// Of the frame at hand, in memory that stays.
    rects: Vec<Rect>,
    video: Option<(VideoInfo, Preprocessor)>,
    /// Inferences since the start.
    inferences: u64,
}

impl Detector {
    pub(super) fn new(model: Model, parts: Parts) -> Self {
        Self {
            model,
            parts,
            rects: Vec::new(),
            video: None,
            inferences: 0,
        }
    }

    /// What the model says of a frame; `None` where that was given up, since it is no longer `wanted`.
    pub(super) fn frame(
        &mut self,
        buffer: &gst::BufferRef,
        info: &VideoInfo,
        limits: &Limits,
        wanted: impl Fn() -> bool,
    ) -> Result<Option<Observation>, String> {
        self.prepare(info)?;
        self.choose(buffer, info);
        let Some((_, preprocessor)) = &mut self.video else {
            return Err("a frame came before its caps: send caps first".into());
        };
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .map_err(|_| "a frame's memory cannot be read: send system memory".to_string())?;
        let detections = self
            .model
            .frame(preprocessor, &planes(&frame), &self.rects, limits, wanted)
            .map_err(|err| err.to_string())?;
        let Some(detections) = detections else {
            return Ok(None);
        };
        let seq = self.inferences;
        self.inferences += 1;
        Ok(Some(Observation {
            seq,
            model: self.model.name().to_owned(),
            detections,
        }))
    }

    fn prepare(&mut self, info: &VideoInfo) -> Result<(), String> {
        if self.video.as_ref().is_some_and(|(known, _)| known == info) {
            return Ok(());
        }
        let Some(format) = format(info) else {
            return Err(format!("cannot read video of format {}", info.format()));
        };
        let size = (info.width() as usize, info.height() as usize);
        let preprocessor = Preprocessor::new(format, size, colour(info), self.model.input())
            .map_err(|err| err.to_string())?;
        self.video = Some((info.clone(), preprocessor));
        Ok(())
    }

    fn choose(&mut self, buffer: &gst::BufferRef, info: &VideoInfo) {
        let (width, height) = (info.width() as usize, info.height() as usize);
        self.rects.clear();
        match &self.parts {
            Parts::One(None) => self.rects.push(Rect::whole(width, height)),
            Parts::One(Some(roi)) => self.rects.push(Rect::of_box(roi, width, height)),
            Parts::Regions(wanted) => {
                let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
                let wanted = regions.filter(|region| {
                    wanted
                        .as_ref()
                        .is_none_or(|wanted| *wanted == region.roi_type())
                });
                self.rects.extend(wanted.map(|region| {
                    let (x, y, w, h) = region.rect();
                    let [x, y, w, h] = [x, y, w, h].map(|value| value as usize);
                    Rect {
                        x,
                        y,
                        width: w,
                        height: h,
                    }
                }));
            }
        }
    }
}
