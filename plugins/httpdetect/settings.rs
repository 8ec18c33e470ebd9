//! What the user sets, and what follows of it.

use std::path::PathBuf;

use evr_core::detector::{Limits, ModelConfig, Pace};
use evr_core::remote::kserve;

use super::asker::{Asker, Azure, KServe};
use super::{Protocol, TensorData};
use crate::bridge::model::Model;
use crate::remote::Mode;
use crate::remote::http::{Access, Client};
use crate::remote::look::{ImageFormat, Look, PixelFormat, Scaling};
use crate::remote::watch::Plan;

/// Bytes of a list of objects: ten thousand of them are 3 MB.
const MOST_OBJECTS: usize = 4 << 20;
/// Bytes of tensors. A detector's outputs for one frame are a few hundred kB; a raw YOLOX head of
/// 1280 pixels as JSON is 30 MB.
const MOST_TENSORS: usize = 64 << 20;

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) protocol: Protocol,
    pub(super) image_format: ImageFormat,
    pub(super) jpeg_quality: u32,
    pub(super) pixel_format: PixelFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) scaling: Scaling,
    pub(super) tensor_data: TensorData,
    pub(super) model_config: Option<String>,
    pub(super) label_file: Option<PathBuf>,
    pub(super) confidence_threshold: f32,
    pub(super) iou_threshold: f32,
    pub(super) max_detections: u32,
    pub(super) mode: Mode,
    pub(super) max_requests: u32,
    pub(super) inference_interval: u32,
    pub(super) max_rate: gst::Fraction,
    pub(super) skip_without_annotation: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access: Access::default(),
            protocol: Protocol::default(),
            image_format: ImageFormat::default(),
            jpeg_quality: 85,
            pixel_format: PixelFormat::default(),
            width: 0,
            height: 0,
            scaling: Scaling::default(),
            tensor_data: TensorData::default(),
            model_config: None,
            label_file: None,
            confidence_threshold: 0.5,
            iou_threshold: 0.5,
            max_detections: 100,
            mode: Mode::default(),
            max_requests: 1,
            inference_interval: 1,
            max_rate: gst::Fraction::new(0, 1),
            skip_without_annotation: false,
        }
    }
}

/// A file that is set cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("model-config is {0}, which cannot be read ({1}): give JSON or name a file with it")]
    Config(String, std::io::Error),
    #[error("model-config: {0}")]
    Json(#[from] evr_core::detector::ConfigError),
    #[error("label-file is {0}, which cannot be read ({1}): name a text file with a label a line")]
    Labels(String, std::io::Error),
}

impl Settings {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            confidence: self.confidence_threshold,
            iou: self.iou_threshold,
            max_detections: self.max_detections as usize,
            suppression: None,
        }
    }

    pub(super) fn plan(&self) -> Plan {
        let part = |part: i32| u32::try_from(part).ok();
        let rate = part(self.max_rate.numer()).zip(part(self.max_rate.denom()));
        Plan {
            mode: self.mode,
            pace: Pace::new(self.inference_interval, rate),
            annotated_only: self.skip_without_annotation,
            model: Model::unknown(self.access.shown().unwrap_or_default()),
        }
    }

    /// One for each request that may be under way.
    ///
    /// # Errors
    /// A sentence, to be preceded by the element's name.
    pub(super) fn askers(&self) -> Result<Vec<Asker>, String> {
        let most = match self.protocol {
            Protocol::Azure => MOST_OBJECTS,
            Protocol::KServe => MOST_TENSORS,
        };
        let client = self.access.client(most);
        let client = client.map_err(|err| err.to_string())?;
        let wanted = match self.mode {
            Mode::Sync => 1,
            Mode::Latest => self.max_requests,
        };
        (0..wanted)
            .map(|_| match self.protocol {
                Protocol::Azure => self.azure(client.clone()),
                Protocol::KServe => self.kserve(client.clone()).map_err(|err| err.to_string()),
            })
            .collect()
    }

    fn azure(&self, client: Client) -> Result<Asker, String> {
        let look = Look {
            image_format: self.image_format,
            jpeg_quality: self.jpeg_quality,
            pixel_format: self.pixel_format,
            width: self.width,
            height: self.height,
            scaling: self.scaling,
        };
        let painter = look.painter().map_err(|err| err.to_string())?;
        let encoding = look.encoding();
        Ok(Asker::Azure(Box::new(Azure::new(
            client, painter, encoding,
        ))))
    }

    fn kserve(&self, client: Client) -> Result<Asker, FileError> {
        let labels = self.label_file.as_deref().map(|file| {
            std::fs::read_to_string(file)
                .map_err(|err| FileError::Labels(file.display().to_string(), err))
        });
        let data = match self.tensor_data {
            TensorData::Binary => kserve::TensorData::Binary,
            TensorData::Json => kserve::TensorData::Json,
        };
        let asker = KServe::new(client, self.config()?, labels.transpose()?, data);
        Ok(Asker::KServe(Box::new(asker)))
    }

    /// The config in a property that is a file's name or JSON itself.
    fn config(&self) -> Result<ModelConfig, FileError> {
        let Some(text) = &self.model_config else {
            return Ok(ModelConfig::default());
        };
        if text.trim_start().starts_with('{') {
            return Ok(ModelConfig::parse(text)?);
        }
        let json =
            std::fs::read_to_string(text).map_err(|err| FileError::Config(text.clone(), err))?;
        Ok(ModelConfig::parse(&json)?)
    }
}
