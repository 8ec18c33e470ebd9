//! What the user sets, and what follows of it.

use std::time::Duration;

use evr_core::detector::{Limits, Pace};
use evr_core::remote::grpc::PictureFormat;

use super::DataTransfer;
use super::access::Access;
use super::asker::Asker;
use super::line::{Host, Line};
use super::memory::Memory;
use crate::bridge::model::Model;
use crate::remote::Mode;
use crate::remote::look::{ImageFormat, Look, PixelFormat, Scaling};
use crate::remote::picture::Encoding;
use crate::remote::watch::Plan;

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) extension_configuration: Option<String>,
    pub(super) data_transfer: DataTransfer,
    pub(super) shared_memory_size: u64,
    pub(super) image_format: ImageFormat,
    pub(super) jpeg_quality: u32,
    pub(super) pixel_format: PixelFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) scaling: Scaling,
    pub(super) confidence_threshold: f32,
    pub(super) max_detections: u32,
    pub(super) mode: Mode,
    pub(super) max_requests: u32,
    pub(super) inference_interval: u32,
    pub(super) max_rate: gst::Fraction,
    pub(super) skip_without_annotation: bool,
    pub(super) timeout: gst::ClockTime,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access: Access::default(),
            extension_configuration: None,
            data_transfer: DataTransfer::default(),
            // Five pictures of 1920 by 1080 in RGB; containers get 64 MiB.
            shared_memory_size: 32 << 20,
            image_format: ImageFormat::default(),
            jpeg_quality: 85,
            pixel_format: PixelFormat::default(),
            width: 0,
            height: 0,
            scaling: Scaling::default(),
            confidence_threshold: 0.5,
            max_detections: 100,
            mode: Mode::default(),
            max_requests: 1,
            inference_interval: 1,
            max_rate: gst::Fraction::new(0, 1),
            skip_without_annotation: false,
            timeout: gst::ClockTime::from_seconds(5),
        }
    }
}

impl Settings {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            confidence: self.confidence_threshold,
            // The server has suppressed what overlaps.
            iou: 1.0,
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

    /// One for each request that may be under way; `pipeline` and `element` are their names.
    ///
    /// # Errors
    /// A sentence, to be preceded by the element's name.
    pub(super) fn askers(&self, pipeline: String, element: String) -> Result<Vec<Asker>, String> {
        let server = self.access.server().map_err(|err| err.to_string())?;
        let wanted = match self.mode {
            Mode::Sync => 1,
            Mode::Latest => self.max_requests as usize,
        };
        let look = self.look();
        let timeout = Duration::from_nanos(self.timeout.nseconds());
        let painters: Result<Vec<_>, _> = (0..wanted).map(|_| look.painter()).collect();
        let painters = painters.map_err(|err| err.to_string())?;
        let line = Line::start(Host {
            server,
            pipeline,
            element,
            configuration: self.extension_configuration.clone().unwrap_or_default(),
            format: match look.encoding() {
                Encoding::Jpeg(_) => PictureFormat::Jpeg,
                Encoding::Png => PictureFormat::Png,
                Encoding::Bmp => PictureFormat::Bmp,
                Encoding::Raw(format) => PictureFormat::Raw(format),
            },
            memory: self.memory()?,
            timeout,
            most: wanted,
        });
        let line =
            line.map_err(|err| format!("no thread for the connection ({err}): free some"))?;
        let askers = painters.into_iter().map(|painter| Asker {
            painter,
            line: line.clone(),
            timeout,
        });
        Ok(askers.collect())
    }

    fn look(&self) -> Look {
        Look {
            image_format: self.image_format,
            jpeg_quality: self.jpeg_quality,
            pixel_format: self.pixel_format,
            width: self.width,
            height: self.height,
            scaling: self.scaling,
        }
    }

    fn memory(&self) -> Result<Option<Memory>, String> {
        if self.data_transfer == DataTransfer::Embedded {
            return Ok(None);
        }
        let bytes = self.shared_memory_size;
        let memory = Memory::new(bytes).map_err(|err| {
            format!(
                "shared-memory-size is {bytes} and /dev/shm does not give that ({err}): make \
                 room there, lower it, or set data-transfer=embedded"
            )
        });
        memory.map(Some)
    }
}
