//! The element `httpdetect`.
//!
//! Has frames of raw video looked at by an inference server over HTTP: posts each as a picture, or
//! as a tensor under KServe v2, and puts what the server found onto the frame, as `onnxdetect`
//! does with a model of its own. A frame of which the server says nothing, because it is gone,
//! busy, too slow or not understood, passes as one that was not inferred, with a warning when that
//! begins and a count; the stream never stops for it. After a failure the server is left alone for
//! as long as it asks for, or for 1 to 30 s.
//!
//! With `mode=latest` no frame waits: what is found is said of the first frame after the
//! answer, whose observation meta then has `age`, the nanoseconds by which the inferred frame is
//! older. For files, where every frame should count, there is `mode=sync`.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mp4 ! qtdemux ! h264parse ! avdec_h264 ! httpdetect location=http://127.0.0.1:8000/score mode=sync max-rate=5/1 ! fakesink
//! ```

use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard};

use evr_core::detector::Limits;
use glib::Properties;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::{InputBuffer, PrepareOutputBufferSuccess};
use gst_base::subclass::prelude::*;

use super::asker::Asker;
use super::settings::Settings;
use super::{Protocol, TensorData};
use crate::bridge::passing;
use crate::remote::Mode;
use crate::remote::look::{ImageFormat, PixelFormat, Scaling};
use crate::remote::watch::{Plan, Watch};
use crate::remote::watcher::{self, Watcher};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "httpdetect",
        gst::DebugColorFlags::empty(),
        Some("Has frames looked at by an inference server"),
    )
});

#[derive(Debug, Default, Properties)]
#[properties(wrapper_type = super::HttpDetect)]
pub struct HttpDetect {
    #[property(name = "location", nick = "Location", blurb = "Address that pictures are posted to, such as http://server:8000/score, or of the model under protocol=kserve, such as http://server:8000/v2/models/ssd; needed; reads back without its query, which may hold a key", get = |this: &Self| this.settings().access.shown(), set = |this: &Self, location: Option<String>| this.settings().access.location = location, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "protocol", nick = "Protocol", blurb = "What the server speaks: the contract of Azure Video Analyzer's HTTP extension, or KServe v2, the Open Inference Protocol, under which model-config and label-file apply", get, set, type = Protocol, member = protocol, default, builder().mutable_ready())]
    #[property(name = "image-format", nick = "Image format", blurb = "What pictures are encoded as under protocol=azure", get, set, type = ImageFormat, member = image_format, default, builder().mutable_ready())]
    #[property(name = "jpeg-quality", nick = "JPEG quality", blurb = "Quality of pictures in JPEG, from 1 to 100", get, set, type = u32, member = jpeg_quality, minimum = 1, maximum = 100, default = Settings::default().jpeg_quality, builder().mutable_ready())]
    #[property(name = "pixel-format", nick = "Pixel format", blurb = "Layout of pictures that are sent raw", get, set, type = PixelFormat, member = pixel_format, default, builder().mutable_ready())]
    #[property(name = "width", nick = "Width", blurb = "Width of the pictures in pixels; 0 takes what follows from height, or the frame's", get, set, type = u32, member = width, maximum = 8192, default = Settings::default().width, builder().mutable_ready())]
    #[property(name = "height", nick = "Height", blurb = "Height of the pictures in pixels; 0 takes what follows from width, or the frame's", get, set, type = u32, member = height, maximum = 8192, default = Settings::default().height, builder().mutable_ready())]
    #[property(name = "scaling", nick = "Scaling", blurb = "How a frame is brought to width and height; padding is undone in what comes back", get, set, type = Scaling, member = scaling, default, builder().mutable_ready())]
    #[property(name = "tensor-data", nick = "Tensor data", blurb = "How tensors are sent under protocol=kserve: as bytes, or as numbers for a server without the extension", get, set, type = TensorData, member = tensor_data, default, builder().mutable_ready())]
    #[property(name = "model-config", nick = "Model config", blurb = "JSON object, or path of a file with one, that overrides what is guessed of the model under protocol=kserve; see the guide", get, set, type = Option<String>, member = model_config, nullable, builder().mutable_ready())]
    #[property(name = "label-file", nick = "Label file", blurb = "Path of a text file that names one class of the model a line, under protocol=kserve; unset takes COCO's names where their number fits", get, set, type = Option<PathBuf>, member = label_file, nullable, builder().mutable_ready())]
    #[property(name = "confidence-threshold", nick = "Confidence threshold", blurb = "Least confidence, from 0 to 1, at which an object counts", get, set, type = f32, member = confidence_threshold, minimum = 0.0, maximum = 1.0, default = Settings::default().confidence_threshold, builder().mutable_playing())]
    #[property(name = "iou-threshold", nick = "IoU threshold", blurb = "Share of their joint area, from 0 to 1, beyond which two overlapping boxes are one object under protocol=kserve", get, set, type = f32, member = iou_threshold, minimum = 0.0, maximum = 1.0, default = Settings::default().iou_threshold, builder().mutable_playing())]
    #[property(name = "max-detections", nick = "Maximum detections", blurb = "Number of objects that a frame reports at most; the most confident ones are kept", get, set, type = u32, member = max_detections, minimum = 1, maximum = 1000, default = Settings::default().max_detections, builder().mutable_playing())]
    #[property(name = "mode", nick = "Mode", blurb = "Whether frames wait for their inference (sync), or pass while it is under way (latest)", get, set, type = Mode, member = mode, default, builder().mutable_ready())]
    #[property(name = "max-requests", nick = "Maximum requests", blurb = "Number of requests under way at most with mode=latest; in mode=sync there is one", get, set, type = u32, member = max_requests, minimum = 1, maximum = 16, default = Settings::default().max_requests, builder().mutable_ready())]
    #[property(name = "inference-interval", nick = "Inference interval", blurb = "Every how many frames one is inferred, counted from the first; the others pass unseen", get, set, type = u32, member = inference_interval, minimum = 1, default = Settings::default().inference_interval, builder().mutable_ready())]
    #[property(name = "max-rate", nick = "Maximum rate", blurb = "Number of inferences a second of media at most; 0/1 sets no bound", get, set, type = gst::Fraction, member = max_rate, builder().minimum(gst::Fraction::new(0, 1)).maximum(gst::Fraction::new(1000, 1)).default_value(Settings::default().max_rate).mutable_ready())]
    #[property(name = "skip-without-annotation", nick = "Skip without annotation", blurb = "Whether only frames are sent on which an element before has put a region, such as motiondetect", get, set, type = bool, member = skip_without_annotation, default = Settings::default().skip_without_annotation, builder().mutable_ready())]
    #[property(name = "timeout", nick = "Timeout", blurb = "Nanoseconds after which a request has failed, connecting included", get = |this: &Self| this.settings().access.timeout, set = |this: &Self, value: gst::ClockTime| this.settings().access.timeout = value, type = gst::ClockTime, minimum = 1_000_000, default = *Settings::default().access.timeout, builder().mutable_ready())]
    #[property(name = "user", nick = "User", blurb = "Name for HTTP's basic authentication", get = |this: &Self| this.settings().access.user.clone(), set = |this: &Self, value: Option<String>| this.settings().access.user = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "password", nick = "Password", blurb = "Password for HTTP's basic authentication; cannot be read back", set = |this: &Self, value: Option<String>| this.settings().access.password = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "token", nick = "Token", blurb = "Bearer token that is sent with each request; cannot be read back", set = |this: &Self, value: Option<String>| this.settings().access.token = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "header", nick = "Header", blurb = "Further header of each request as `Name: value`, such as an API key; cannot be read back", set = |this: &Self, value: Option<String>| this.settings().access.header = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "ca-file", nick = "CA file", blurb = "Path of a PEM file with the certificates that a server's must come from; unset takes those that this machine trusts", get = |this: &Self| this.settings().access.ca_file.clone(), set = |this: &Self, value: Option<PathBuf>| this.settings().access.ca_file = value, type = Option<PathBuf>, nullable, builder().mutable_ready())]
    #[property(name = "tls-verify", nick = "TLS verify", blurb = "Whether a server must prove by its certificate who it is; without that anybody between can read the pictures", get = |this: &Self| this.settings().access.tls_verify, set = |this: &Self, value: bool| this.settings().access.tls_verify = value, type = bool, default = Settings::default().access.tls_verify, builder().mutable_ready())]
    settings: Mutex<Settings>,
    #[property(name = "model-name", nick = "Model name", blurb = "Name by which observations call the model: the server's own under protocol=kserve, its address otherwise", get = |this: &Self| this.watch.model().map(|model| model.name), type = Option<String>)]
    #[property(name = "inferences", nick = "Inferences", blurb = "Number of frames inferred since the start", get = |this: &Self| this.watch.counts().inferences, type = u64)]
    #[property(name = "failures", nick = "Failures", blurb = "Number of frames sent since the start of which the server said nothing", get = |this: &Self| this.watch.counts().failures, type = u64)]
    #[property(name = "skipped", nick = "Skipped", blurb = "Number of frames since the start that were not sent, although it was their turn, since the server was to be left alone", get = |this: &Self| this.watch.counts().skipped, type = u64)]
    watch: Watch,
}

impl HttpDetect {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings
            .lock()
            .expect("nothing panics under this lock")
    }
}

impl Watcher for HttpDetect {
    type Asker = Asker;

    fn category() -> gst::DebugCategory {
        *CAT
    }

    fn watch(&self) -> &Watch {
        &self.watch
    }

    fn limits(&self) -> Limits {
        self.settings().limits()
    }

    fn plan(&self) -> Result<(Plan, Vec<Asker>), String> {
        let settings = self.settings().clone();
        Ok((settings.plan(), settings.askers()?))
    }
}

#[glib::object_subclass]
impl ObjectSubclass for HttpDetect {
    const NAME: &'static str = "GstEvrHttpDetect";
    type Type = super::HttpDetect;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for HttpDetect {}

impl GstObjectImpl for HttpDetect {}

impl ElementImpl for HttpDetect {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "HTTP object detector",
                "Filter/Analyzer/Video",
                "Has video looked at by an inference server over HTTP",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        watcher::pad_templates()
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        watcher::change_state(self, transition)
    }
}

impl BaseTransformImpl for HttpDetect {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        watcher::start(self)
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.watch.stop();
        Ok(())
    }

    fn accept_caps(&self, direction: gst::PadDirection, caps: &gst::Caps) -> bool {
        watcher::accept_caps(self, direction, caps)
    }

    fn set_caps(&self, incaps: &gst::Caps, _: &gst::Caps) -> Result<(), gst::LoggableError> {
        watcher::set_caps(self, incaps)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        watcher::src_event(self, event)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        watcher::sink_event(self, event)
    }

    fn propose_allocation(
        &self,
        _: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        watcher::propose_allocation(self, query)
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
        watcher::transform_ip(self, buffer)
    }
}
