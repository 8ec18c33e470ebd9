//! What the user sets, and what follows of it for a frame.

use std::path::PathBuf;

use evr_core::detection::BoundingBox;
use evr_core::detector::{Limits, Suppression};

use super::{Mode, Nms, Region};

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) model_file: Option<PathBuf>,
    pub(super) model_config: Option<String>,
    pub(super) label_file: Option<PathBuf>,
    pub(super) runtime_library: Option<PathBuf>,
    pub(super) execution_provider: String,
    pub(super) threads: u32,
    pub(super) confidence_threshold: f32,
    pub(super) iou_threshold: f32,
    pub(super) nms: Nms,
    pub(super) max_detections: u32,
    pub(super) mode: Mode,
    pub(super) inference_interval: u32,
    pub(super) max_rate: gst::Fraction,
    pub(super) inference_region: Region,
    pub(super) object_class: Option<String>,
    pub(super) roi: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model_file: None,
            model_config: None,
            label_file: None,
            runtime_library: None,
            execution_provider: "cpu".into(),
            // The decoder beside it needs the other cores, and the result cannot depend on how
            // the work was split.
            threads: 1,
            confidence_threshold: 0.5,
            iou_threshold: 0.5,
            nms: Nms::default(),
            max_detections: 100,
            mode: Mode::default(),
            inference_interval: 1,
            max_rate: gst::Fraction::new(0, 1),
            inference_region: Region::default(),
            object_class: None,
            roi: None,
        }
    }
}

/// The property `roi` is no part of a frame.
#[derive(Debug, thiserror::Error)]
#[error("roi is `{0}`: give left,top,width,height in fractions of the frame, such as 0.25,0,0.5,1")]
pub(super) struct RoiError(String);

impl Settings {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            confidence: self.confidence_threshold,
            iou: self.iou_threshold,
            max_detections: self.max_detections as usize,
            suppression: match self.nms {
                Nms::Model => None,
                Nms::PerClass => Some(Suppression::PerClass),
                Nms::Agnostic => Some(Suppression::Agnostic),
                Nms::None => Some(Suppression::None),
            },
        }
    }

    /// Inferences a second; `None` for no bound.
    pub(super) fn rate(&self) -> Option<(u32, u32)> {
        let part = |part: i32| u32::try_from(part).ok();
        Some((part(self.max_rate.numer())?, part(self.max_rate.denom())?))
    }

    /// The part of each frame that is inferred.
    pub(super) fn roi(&self) -> Result<Option<BoundingBox>, RoiError> {
        let Some(text) = &self.roi else {
            return Ok(None);
        };
        let refuse = || RoiError(text.clone());
        let numbers: Result<Vec<f64>, _> =
            text.split(',').map(|part| part.trim().parse()).collect();
        let Ok([l, t, w, h]) = <[f64; 4]>::try_from(numbers.map_err(|_| refuse())?) else {
            return Err(refuse());
        };
        // A hair more than all is what adding decimals makes of it.
        let inside =
            |low: f64, length: f64| low >= 0.0 && length > 0.0 && low + length <= 1.000_001;
        match inside(l, w) && inside(t, h) {
            true => Ok(Some(BoundingBox { l, t, w, h })),
            false => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roi(text: &str) -> Result<Option<BoundingBox>, RoiError> {
        let settings = Settings {
            roi: Some(text.into()),
            ..Settings::default()
        };
        settings.roi()
    }

    #[test]
    fn a_roi_is_four_fractions_within_the_frame() {
        let half = BoundingBox {
            l: 0.25,
            t: 0.0,
            w: 0.5,
            h: 1.0,
        };
        assert_eq!(roi("0.25, 0,0.5,1").ok(), Some(Some(half)));
        for text in [
            "",
            "0,0,1",
            "0,0,1,1,1",
            "0,0,0,1",
            "0.5,0,0.6,1",
            "nan,0,1,1",
            "-1,0,1,1",
        ] {
            let refusal = roi(text).expect_err(text).to_string();
            assert!(refusal.contains(&format!("`{text}`")));
        }
    }
}
