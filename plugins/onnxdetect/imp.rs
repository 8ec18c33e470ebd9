//! The element `onnxdetect`.
//!
//! Finds objects in raw video with a detector model that ONNX Runtime runs. What it finds rides on
//! each inferred frame as region of interest metas and one observation meta; the picture itself is
//! only read and never copied, and a frame that is not inferred passes as it came. With `mode=latest`
//! no frame waits: what is found is said of the first frame after the inference, whose observation
//! meta then has `age`, the nanoseconds by which the inferred frame is older. ONNX Runtime is
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

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use evr_core::detection::Observation;
use evr_core::detector::Pace;
use glib::Properties;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::{InputBuffer, PrepareOutputBufferSuccess};
use gst_base::subclass::prelude::*;
use gst_video::VideoInfo;

use super::detector::{Detector, Parts};
use super::session::{Model, Options};
use super::settings::Settings;
use super::worker::{Job, Worker};
use super::{Mode, Nms, Region, runtime};
use crate::bridge::video::{FORMATS, readable};
use crate::bridge::{detection, model, passing, time};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "onnxdetect",
        gst::DebugColorFlags::empty(),
        Some("Finds objects with a detector model"),
    )
});

/// Who infers.
#[derive(Debug)]
enum Engine {
    /// The streaming thread, each frame in its turn.
    Sync(Box<Detector>),
    /// Another thread, beside the stream.
    Latest(Arc<Worker>),
}

/// What runs between `start` and `stop`.
#[derive(Debug, Default)]
struct State {
    /// `None` also while the streaming thread infers: it then holds the detector.
    engine: Option<Engine>,
    /// What those behind are told of the model that runs.
    model: Option<model::Model>,
    /// What computes, with its options.
    provider: Option<String>,
    /// Since caps came.
    video: Option<VideoInfo>,
    pace: Option<Pace>,
    /// A frame had its turn while another was inferred: with mode=latest the next free one takes it.
    due: bool,
    /// Frames before this running time, in ns, are late for a sink behind.
    late_until: Option<i64>,
    /// A flush has begun and not ended: the frame under way is of no interest.
    flushing: bool,
    /// Inferences since the start.
    inferences: u64,
}

#[derive(Debug, Default, Properties)]
#[properties(wrapper_type = super::OnnxDetect)]
pub struct OnnxDetect {
    #[property(name = "model-file", nick = "Model file", blurb = "Path of the ONNX model that is run on each frame; needed", get, set, type = Option<PathBuf>, member = model_file, nullable, builder().mutable_ready())]
    #[property(name = "model-config", nick = "Model config", blurb = "JSON object, or path of a file with one, that overrides what is guessed of the model: its layout, how its input is filled, its labels; see the guide", get, set, type = Option<String>, member = model_config, nullable, builder().mutable_ready())]
    #[property(name = "label-file", nick = "Label file", blurb = "Path of a text file that names one class of the model a line; unset takes the names in the model, or COCO's where their number fits", get, set, type = Option<PathBuf>, member = label_file, nullable, builder().mutable_ready())]
    #[property(name = "runtime-library", nick = "Runtime library", blurb = "Path of the ONNX Runtime library (libonnxruntime.so, 1.17 or newer); unset takes ORT_DYLIB_PATH, a library beside the plugin, or the system's, in this order", get, set, type = Option<PathBuf>, member = runtime_library, nullable, builder().mutable_ready())]
    #[property(name = "execution-provider", nick = "Execution provider", blurb = "Part of ONNX Runtime that computes: cpu, cuda, tensorrt, openvino or xnnpack, and behind commas its options as name=value; one that the library lacks is an error", get, set, type = String, member = execution_provider, default = Some(Settings::default().execution_provider.as_str()), builder().mutable_ready())]
    #[property(name = "threads", nick = "Threads", blurb = "Number of threads that compute one inference; 0 lets the runtime take every core", get, set, type = u32, member = threads, maximum = 256, default = Settings::default().threads, builder().mutable_ready())]
    #[property(name = "confidence-threshold", nick = "Confidence threshold", blurb = "Least confidence, from 0 to 1, at which an object counts", get, set, type = f32, member = confidence_threshold, minimum = 0.0, maximum = 1.0, default = Settings::default().confidence_threshold, builder().mutable_playing())]
    #[property(name = "iou-threshold", nick = "IoU threshold", blurb = "Share of their joint area, from 0 to 1, beyond which two overlapping boxes are one object", get, set, type = f32, member = iou_threshold, minimum = 0.0, maximum = 1.0, default = Settings::default().iou_threshold, builder().mutable_playing())]
    #[property(name = "nms", nick = "Non-maximum suppression", blurb = "Which overlapping boxes are one object: those of one class, any, or none; by default as the model's family wants it", get, set, type = Nms, member = nms, default, builder().mutable_playing())]
    #[property(name = "max-detections", nick = "Maximum detections", blurb = "Number of objects that a frame reports at most; the most confident ones are kept", get, set, type = u32, member = max_detections, minimum = 1, maximum = 1000, default = Settings::default().max_detections, builder().mutable_playing())]
    #[property(name = "mode", nick = "Mode", blurb = "Whether frames wait for their inference (sync), or pass while the newest is inferred beside the stream (latest)", get, set, type = Mode, member = mode, default, builder().mutable_ready())]
    #[property(name = "inference-interval", nick = "Inference interval", blurb = "Every how many frames one is inferred, counted from the first; the others pass unseen", get, set, type = u32, member = inference_interval, minimum = 1, default = Settings::default().inference_interval, builder().mutable_ready())]
    #[property(name = "max-rate", nick = "Maximum rate", blurb = "Number of inferences a second of media at most; 0/1 sets no bound", get, set, type = gst::Fraction, member = max_rate, builder().minimum(gst::Fraction::new(0, 1)).maximum(gst::Fraction::new(1000, 1)).default_value(Settings::default().max_rate).mutable_ready())]
    #[property(name = "inference-region", nick = "Inference region", blurb = "Whether the frame is inferred as a whole, or each region of interest on it by itself", get, set, type = Region, member = inference_region, default, builder().mutable_ready())]
    #[property(name = "object-class", nick = "Object class", blurb = "Type of the regions that inference-region=roi-list infers; unset takes them all", get, set, type = Option<String>, member = object_class, nullable, builder().mutable_ready())]
    #[property(name = "roi", nick = "Region of interest", blurb = "Part of each frame that is inferred, as left,top,width,height in fractions of it; unset takes all", get, set, type = Option<String>, member = roi, nullable, builder().mutable_ready())]
    settings: Mutex<Settings>,
    #[property(name = "model-name", nick = "Model name", blurb = "Name of the model that is running: its file without folder and extension", get = |this: &Self| this.state().model.as_ref().map(|model| model.name.clone()), type = Option<String>)]
    #[property(name = "provider-in-use", nick = "Provider in use", blurb = "Execution provider that computes, with its options; unset while nothing runs", get = |this: &Self| this.state().provider.clone(), type = Option<String>)]
    #[property(name = "inferences", nick = "Inferences", blurb = "Number of frames inferred since the start", get = |this: &Self| this.state().inferences, type = u64)]
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

    fn open(&self) -> Result<State, gst::ErrorMessage> {
        let settings = self.settings().clone();
        let name = self.obj().name();
        let wrong = |err: String| gst::error_msg!(gst::ResourceError::Settings, ("{name}: {err}"));
        let Some(model_file) = settings.model_file.as_deref() else {
            return Err(wrong("model-file is not set: name an ONNX model".into()));
        };
        let roi = settings.roi().map_err(|err| wrong(err.to_string()))?;
        let options = Options {
            model_file,
            model_config: settings.model_config.as_deref(),
            label_file: settings.label_file.as_deref(),
            provider: &settings.execution_provider,
            threads: settings.threads,
        };
        let runtime = self.runtime(settings.runtime_library.as_deref())?;
        let model = Model::open(&runtime.environment, &options)
            .map_err(|err| gst::error_msg!(gst::ResourceError::OpenRead, ("{name}: {err}")))?;
        let told = model::Model::new(model.name(), model.labels());
        let provider = model.provider().to_string();
        let parts = match settings.inference_region {
            Region::FullFrame => Parts::One(roi),
            Region::RoiList => Parts::Regions(settings.object_class.clone()),
        };
        let detector = Detector::new(model, parts);
        let engine = match settings.mode {
            Mode::Sync => Engine::Sync(Box::new(detector)),
            Mode::Latest => Engine::Latest(Arc::new(Worker::start(detector).map_err(|err| {
                wrong(format!(
                    "no thread for mode=latest ({err}): choose mode=sync"
                ))
            })?)),
        };
        Ok(State {
            engine: Some(engine),
            model: Some(told),
            provider: Some(provider),
            pace: Some(Pace::new(settings.inference_interval, settings.rate())),
            ..State::default()
        })
    }

    fn runtime(&self, asked: Option<&Path>) -> Result<runtime::Runtime, gst::ErrorMessage> {
        let plugin = self.obj().factory().and_then(|factory| factory.plugin());
        let plugin_file = plugin.and_then(|plugin| plugin.filename());
        let name = self.obj().name();
        let runtime = runtime::open(asked, plugin_file.as_deref().map(Path::new))
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
        Ok(runtime)
    }

    /// Tells those behind what the model can find.
    fn push_model(&self) {
        let Some(event) = self.state().model.as_ref().map(model::Model::to_event) else {
            return;
        };
        // A flushing or unlinked pad keeps the event and sends it before the next buffer.
        self.obj().src_pad().push_event(event);
    }

    /// Infers the frame here and now, if it is its turn.
    fn sync(
        &self,
        buffer: &mut gst::BufferRef,
        mut detector: Box<Detector>,
        turn: bool,
        info: &VideoInfo,
    ) -> Result<(), String> {
        let limits = self.settings().limits();
        // Nobody waits for the rest of a frame that a flush or a stop throws away. A stop leaves its
        // mark on the pad; that of a flush is gone before its end waits for this frame.
        let pad = self.obj().sink_pad().clone();
        let wanted = || {
            let stopped = pad.pad_flags().contains(gst::PadFlags::FLUSHING);
            !stopped && !self.state().flushing
        };
        let result = turn.then(|| detector.frame(buffer, info, &limits, wanted));
        self.state().engine = Some(Engine::Sync(detector));
        match result.transpose()?.flatten() {
            Some(observation) => self.attach(buffer, &observation, info),
            None => Ok(()),
        }
    }

    /// Takes what the other thread has found, and gives it the frame if it is idle.
    fn latest(
        &self,
        buffer: &mut gst::BufferRef,
        worker: &Worker,
        info: &VideoInfo,
        time: Option<i64>,
    ) -> Result<(), String> {
        let (done, is_free) = worker.collect();
        if is_free && self.state().due {
            self.state().due = false;
            worker.give(Job {
                buffer: passing::share(buffer)?,
                info: info.clone(),
                limits: self.settings().limits(),
                time,
            });
        }
        let Some(done) = done else {
            return Ok(());
        };
        self.attach(buffer, &done.result?, info)?;
        let age = time
            .zip(done.time)
            .map_or(0, |(now, then)| now.saturating_sub(then));
        detection::set_age(buffer, u64::try_from(age).unwrap_or(0));
        Ok(())
    }

    fn attach(
        &self,
        buffer: &mut gst::BufferRef,
        observation: &Observation,
        info: &VideoInfo,
    ) -> Result<(), String> {
        self.state().inferences += 1;
        detection::attach(buffer, observation, (info.width(), info.height()))
            .map_err(|err| err.to_string())
    }

    fn frame(&self, buffer: &mut gst::BufferRef) -> Result<(), String> {
        let segment = self.obj().segment();
        let time = time::running_time(&segment, buffer.pts());
        let mut state = self.state();
        let Some(info) = state.video.clone() else {
            return Err("a frame came before its caps: send caps first".into());
        };
        let late = state
            .late_until
            .zip(time)
            .is_some_and(|(until, time)| time < until);
        match state.engine.take() {
            Some(Engine::Sync(detector)) => {
                let turn = !late && state.turn(time);
                drop(state);
                self.sync(buffer, detector, turn, &info)
            }
            Some(Engine::Latest(worker)) => {
                state.engine = Some(Engine::Latest(Arc::clone(&worker)));
                state.due |= state.turn(time);
                drop(state);
                self.latest(buffer, &worker, &info, time)
            }
            None => Ok(()),
        }
    }

    /// Forgets what belongs to the time before a flush.
    fn flush(&self, begins: bool) {
        let worker = {
            let mut state = self.state();
            state.flushing = begins;
            state.late_until = None;
            state.due = false;
            if let Some(pace) = &mut state.pace {
                pace.flush();
            }
            match &state.engine {
                Some(Engine::Latest(worker)) => Some(Arc::clone(worker)),
                _ => None,
            }
        };
        if let Some(worker) = worker {
            worker.flush();
        }
    }
}

impl State {
    fn turn(&mut self, time: Option<i64>) -> bool {
        self.pace.as_mut().is_some_and(|pace| pace.turn(time))
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
            passing::templates(&caps)
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for OnnxDetect {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let opened = self.open()?;
        *self.state() = opened;
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        // Dropped, and so the session released and the thread ended, after the lock.
        let stopped = std::mem::take(&mut *self.state());
        drop(stopped);
        Ok(())
    }

    fn accept_caps(&self, direction: gst::PadDirection, caps: &gst::Caps) -> bool {
        passing::is_sent_video(direction, caps) || self.parent_accept_caps(direction, caps)
    }

    fn set_caps(&self, incaps: &gst::Caps, _: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = readable(incaps).map_err(|reason| gst::loggable_error!(CAT, "{reason}"))?;
        self.state().video = Some(info);
        Ok(())
    }

    fn src_event(&self, event: gst::Event) -> bool {
        passing::src_event(self, event, |until| self.state().late_until = until)
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
            gst::EventView::FlushStart(_) => {
                self.flush(true);
                self.parent_sink_event(event)
            }
            gst::EventView::FlushStop(_) => {
                self.flush(false);
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
        passing::propose_allocation(&*self.obj(), &CAT, query)
    }

    fn prepare_output_buffer(
        &self,
        buffer: InputBuffer,
    ) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
        passing::writable(buffer)
    }

    fn transform_ip(
        &self,
        buffer: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        match self.frame(buffer) {
            Ok(()) => Ok(gst::FlowSuccess::Ok),
            Err(reason) => {
                let name = self.obj().name();
                gst::element_imp_error!(self, gst::StreamError::Failed, ("{name}: {reason}"));
                Err(gst::FlowError::Error)
            }
        }
    }
}
