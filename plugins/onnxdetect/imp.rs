//! The element `onnxdetect`.
//!
//! Finds objects in raw video with a detector model that ONNX Runtime runs. What it finds rides on
//! each inferred frame as region of interest metas and one observation meta; the picture itself is
//! only read and never copied, and a frame that is not inferred passes as it came. ONNX Runtime is
//! opened when the element starts.
//!
//! The element turns off the runtime's telemetry, but official builds from 1.29 on report that a
//! process has started before they can be told; `ORT_DISABLE_TELEMETRY=1` in the environment
//! prevents that too.
//!
//! An inference is processing time, not latency: the element holds no frame back, so it adds none
//! to the LATENCY query, and a live sink's `processing-deadline` is the place to allow for it.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mp4 ! qtdemux ! h264parse ! avdec_h264 ! onnxdetect model-file=ssdlite_mobilenet_v2.onnx ! fakesink
//! ```

use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard};

use evr_core::detection::Observation;
use evr_core::detector::{Colour, Limits, Matrix, PixelFormat, Planes, Preprocessor};
use glib::Properties;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::{InputBuffer, PrepareOutputBufferSuccess};
use gst_base::subclass::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrameRef, VideoInfo};

use super::runtime;
use super::session::{Model, Options};
use crate::bridge::{detection, model};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "onnxdetect",
        gst::DebugColorFlags::empty(),
        Some("Finds objects with a detector model"),
    )
});

const FORMATS: [VideoFormat; 3] = [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgb];

#[derive(Debug, Clone)]
struct Settings {
    model_file: Option<PathBuf>,
    label_file: Option<PathBuf>,
    runtime_library: Option<PathBuf>,
    confidence_threshold: f32,
    iou_threshold: f32,
    max_detections: u32,
    inference_interval: u32,
    threads: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model_file: None,
            label_file: None,
            runtime_library: None,
            confidence_threshold: 0.5,
            iou_threshold: 0.5,
            max_detections: 100,
            inference_interval: 1,
            // The decoder beside it needs the other cores, and the result cannot depend on how
            // the work was split.
            threads: 1,
        }
    }
}

/// What runs between `start` and `stop`.
#[derive(Debug, Default)]
struct State {
    /// `None` also while a frame is inferred: the streaming thread then holds it.
    detector: Option<Box<Detector>>,
    /// Name of the model that runs.
    model_name: Option<String>,
}

/// Everything that the streaming thread needs.
#[derive(Debug)]
struct Detector {
    model: Model,
    /// Since caps came.
    video: Option<(VideoInfo, Preprocessor)>,
    /// Every how many frames one is inferred, at least 1.
    interval: u64,
    /// Frames since the start.
    frames: u64,
    /// Inferences since the start.
    inferences: u64,
}

#[derive(Debug, Default, Properties)]
#[properties(wrapper_type = super::OnnxDetect)]
pub struct OnnxDetect {
    #[property(name = "model-file", nick = "Model file", blurb = "Path of the ONNX model that is run on each frame; needed", get, set, type = Option<PathBuf>, member = model_file, nullable, builder().mutable_ready())]
    #[property(name = "label-file", nick = "Label file", blurb = "Path of a text file that names one class of the model a line; unset takes COCO's names for a model with 90 classes", get, set, type = Option<PathBuf>, member = label_file, nullable, builder().mutable_ready())]
    #[property(name = "runtime-library", nick = "Runtime library", blurb = "Path of the ONNX Runtime library (libonnxruntime.so, 1.17 or newer); unset takes ORT_DYLIB_PATH, a library beside the plugin, or the system's, in this order", get, set, type = Option<PathBuf>, member = runtime_library, nullable, builder().mutable_ready())]
    #[property(name = "confidence-threshold", nick = "Confidence threshold", blurb = "Least confidence, from 0 to 1, at which an object counts", get, set, type = f32, member = confidence_threshold, minimum = 0.0, maximum = 1.0, default = Settings::default().confidence_threshold, builder().mutable_playing())]
    #[property(name = "iou-threshold", nick = "IoU threshold", blurb = "Share of their joint area, from 0 to 1, beyond which two overlapping boxes of one class are one object", get, set, type = f32, member = iou_threshold, minimum = 0.0, maximum = 1.0, default = Settings::default().iou_threshold, builder().mutable_playing())]
    #[property(name = "max-detections", nick = "Maximum detections", blurb = "Number of objects that a frame reports at most; the most confident ones are kept", get, set, type = u32, member = max_detections, minimum = 1, maximum = 1000, default = Settings::default().max_detections, builder().mutable_playing())]
    #[property(name = "inference-interval", nick = "Inference interval", blurb = "Every how many frames one is inferred, counted from the first; the others pass unseen", get, set, type = u32, member = inference_interval, minimum = 1, default = Settings::default().inference_interval, builder().mutable_ready())]
    #[property(name = "threads", nick = "Threads", blurb = "Number of threads that compute one inference; 0 lets the runtime take every core", get, set, type = u32, member = threads, maximum = 256, default = Settings::default().threads, builder().mutable_ready())]
    settings: Mutex<Settings>,
    #[property(name = "model-name", nick = "Model name", blurb = "Name of the model that is running: its file without folder and extension", get = |this: &Self| this.state().model_name.clone(), type = Option<String>)]
    state: Mutex<State>,
}

impl OnnxDetect {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings
            .lock()
            .expect("nothing panics under this lock")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    fn open(&self) -> Result<Detector, gst::ErrorMessage> {
        let settings = self.settings().clone();
        let name = self.obj().name();
        let Some(model_file) = settings.model_file.as_deref() else {
            return Err(gst::error_msg!(
                gst::ResourceError::Settings,
                ("{name}: model-file is not set: name an ONNX model")
            ));
        };
        let plugin = self.obj().factory().and_then(|factory| factory.plugin());
        let plugin_file = plugin.and_then(|plugin| plugin.filename());
        let runtime = runtime::open(
            settings.runtime_library.as_deref(),
            plugin_file.as_deref().map(std::path::Path::new),
        )
        .map_err(|err| gst::error_msg!(gst::LibraryError::Init, ("{name}: {err}")))?;
        gst::info!(CAT, imp = self, "runs {}", runtime.library.display());
        if runtime::may_report() {
            gst::warning!(
                CAT,
                imp = self,
                "ONNX Runtime 1.29 and newer reports its start to its maker: set \
                 ORT_DISABLE_TELEMETRY=1 in the environment to prevent that"
            );
        }
        let options = Options {
            model_file,
            label_file: settings.label_file.as_deref(),
            threads: settings.threads,
        };
        let model = Model::open(&runtime.environment, &options)
            .map_err(|err| gst::error_msg!(gst::ResourceError::OpenRead, ("{name}: {err}")))?;
        Ok(Detector {
            model,
            video: None,
            interval: u64::from(settings.inference_interval.max(1)),
            frames: 0,
            inferences: 0,
        })
    }

    fn limits(&self) -> Limits {
        let settings = self.settings();
        Limits {
            confidence: settings.confidence_threshold,
            iou: settings.iou_threshold,
            max_detections: settings.max_detections as usize,
        }
    }

    /// Tells those behind what the model can find.
    fn push_model(&self) {
        let Some(event) = self.state().detector.as_ref().map(|detector| {
            let model = model::Model {
                name: detector.model.name().to_owned(),
                labels: detector.model.labels().names().map(String::from).collect(),
            };
            model.to_event()
        }) else {
            return;
        };
        // A flushing or unlinked pad keeps the event and sends it before the next buffer.
        self.obj().src_pad().push_event(event);
    }
}

impl Detector {
    fn set_caps(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        let info = readable(caps)?;
        let format = match info.format() {
            VideoFormat::Nv12 => PixelFormat::Nv12,
            VideoFormat::Rgb => PixelFormat::Rgb,
            _ => PixelFormat::I420,
        };
        let size = (info.width() as usize, info.height() as usize);
        let preprocessor = Preprocessor::new(format, size, colour(&info), self.model.input())
            .map_err(|err| err.to_string())?;
        self.video = Some((info, preprocessor));
        Ok(())
    }

    /// Puts an observation onto the frame, if it is its turn.
    fn frame(&mut self, buffer: &mut gst::BufferRef, limits: &Limits) -> Result<(), String> {
        let turn = self.frames.is_multiple_of(self.interval);
        self.frames += 1;
        if !turn {
            return Ok(());
        }
        let Some((info, preprocessor)) = &mut self.video else {
            return Err("a frame came before its caps: send caps first".into());
        };
        {
            let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info)
                .map_err(|_| "a frame's memory cannot be read: send system memory".to_string())?;
            preprocessor
                .run(&planes(&frame), self.model.tensor())
                .map_err(|err| err.to_string())?;
        }
        let detections = self.model.infer(limits).map_err(|err| err.to_string())?;
        let observation = Observation {
            seq: self.inferences,
            model: self.model.name().to_owned(),
            detections,
        };
        self.inferences += 1;
        detection::attach(buffer, &observation, (info.width(), info.height()))
            .map_err(|err| err.to_string())
    }
}

/// The planes of a frame; one whose rows run backwards comes out empty and is refused as too short.
fn planes<'a>(frame: &'a VideoFrameRef<&gst::BufferRef>) -> Planes<'a> {
    let mut planes = Planes {
        data: [&[]; 3],
        stride: [0; 3],
    };
    for (plane, &stride) in frame.plane_stride().iter().enumerate().take(3) {
        if let (Ok(data), Ok(stride)) = (frame.plane_data(plane as u32), usize::try_from(stride)) {
            (planes.data[plane], planes.stride[plane]) = (data, stride);
        }
    }
    planes
}

/// The video in these caps, if it can be inferred; the reason otherwise.
fn readable(caps: &gst::CapsRef) -> Result<VideoInfo, String> {
    let info = VideoInfo::from_caps(caps).map_err(|_| format!("cannot read {caps}: send video"))?;
    if !FORMATS.contains(&info.format()) {
        return Err(format!(
            "cannot read video of format {}: put videoconvert before it, or have the source send \
             I420, NV12 or RGB",
            info.format()
        ));
    }
    Ok(info)
}

fn colour(info: &VideoInfo) -> Colour {
    let colorimetry = info.colorimetry();
    Colour {
        matrix: match colorimetry.matrix() {
            VideoColorMatrix::Bt709 => Matrix::Bt709,
            VideoColorMatrix::Bt2020 => Matrix::Bt2020,
            // FCC and SMPTE 240M differ from it by less than a detector sees.
            _ => Matrix::Bt601,
        },
        full_range: match colorimetry.range() {
            VideoColorRange::Range0_255 => true,
            VideoColorRange::Range16_235 => false,
            _ => info.format() == VideoFormat::Rgb,
        },
    }
}

#[glib::object_subclass]
impl ObjectSubclass for OnnxDetect {
    const NAME: &'static str = "GstEvrOnnxDetect";
    type Type = super::OnnxDetect;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for OnnxDetect {}

impl GstObjectImpl for OnnxDetect {}

impl ElementImpl for OnnxDetect {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "ONNX object detector",
                "Filter/Analyzer/Video",
                "Finds objects in video with a detector model that ONNX Runtime runs",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst_video::VideoCapsBuilder::new()
                .format_list(FORMATS)
                .build();
            [
                ("sink", gst::PadDirection::Sink),
                ("src", gst::PadDirection::Src),
            ]
            .map(|(name, direction)| {
                gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                    .expect("an always pad with caps is a sound template")
            })
            .into()
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for OnnxDetect {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let detector = self.open()?;
        let mut state = self.state();
        state.model_name = Some(detector.model.name().to_owned());
        state.detector = Some(Box::new(detector));
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        // Dropped, and so the session released, after the lock.
        let _state = std::mem::take(&mut *self.state());
        Ok(())
    }

    fn accept_caps(&self, direction: gst::PadDirection, caps: &gst::Caps) -> bool {
        // Negotiation asks for caps, which tells the truth. Who sends other formats all the same
        // is let in, so that `sink_event` can say what is wrong instead of "not negotiated".
        let video = gst::Caps::new_empty_simple("video/x-raw");
        let sent = direction == gst::PadDirection::Sink && caps.is_subset(&video);
        sent || self.parent_accept_caps(direction, caps)
    }

    fn set_caps(&self, incaps: &gst::Caps, _: &gst::Caps) -> Result<(), gst::LoggableError> {
        let Some(mut detector) = self.state().detector.take() else {
            return Err(gst::loggable_error!(CAT, "caps came before the start"));
        };
        let result = detector.set_caps(incaps);
        self.state().detector = Some(detector);
        result.map_err(|reason| gst::loggable_error!(CAT, "{reason}"))
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Caps(caps) => {
                if let Err(reason) = readable(caps.caps()) {
                    let name = self.obj().name();
                    gst::element_imp_error!(self, gst::StreamError::Format, ("{name}: {reason}"));
                    return false;
                }
                self.parent_sink_event(event)
            }
            gst::EventView::Segment(_) => {
                let forwarded = self.parent_sink_event(event);
                self.push_model();
                forwarded
            }
            _ => self.parent_sink_event(event),
        }
    }

    fn propose_allocation(
        &self,
        _: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        // Frames pass as they are, so their memory is a matter between the neighbours.
        if self.obj().src_pad().peer_query(query) {
            Ok(())
        } else {
            Err(gst::loggable_error!(CAT, "nobody behind proposes memory"))
        }
    }

    fn prepare_output_buffer(
        &self,
        buffer: InputBuffer,
    ) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
        Ok(match buffer {
            InputBuffer::Writable(_) => PrepareOutputBufferSuccess::InputBuffer,
            // Another branch holds the frame: copy what is written on it, share the picture.
            InputBuffer::Readable(shared) => {
                let mut copy = gst::Buffer::new();
                let target = copy.get_mut().expect("a new buffer has one owner");
                shared
                    .copy_into(target, gst::BUFFER_COPY_ALL, ..)
                    .map_err(|_| gst::FlowError::Error)?;
                PrepareOutputBufferSuccess::Buffer(copy)
            }
        })
    }

    fn transform_ip(
        &self,
        buffer: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let limits = self.limits();
        // Taken out while it works: a property read or a query must not wait for an inference.
        let Some(mut detector) = self.state().detector.take() else {
            return Err(gst::FlowError::Flushing);
        };
        let result = detector.frame(buffer, &limits);
        self.state().detector = Some(detector);
        match result {
            Ok(()) => Ok(gst::FlowSuccess::Ok),
            Err(reason) => {
                let name = self.obj().name();
                gst::element_imp_error!(self, gst::StreamError::Failed, ("{name}: {reason}"));
                Err(gst::FlowError::Error)
            }
        }
    }
}
