//! The element `grpcdetect`.
//!
//! Has frames of raw video looked at by an inference server over gRPC, under the contract of Azure
//! Video Analyzer's gRPC extension (`docs/media_graph_extension.proto`): sends each as a picture in
//! one session, in the message or in memory that both share, with what elements before have found
//! in it, and puts what the server found onto the frame, as `onnxdetect` does with a model of its
//! own. A frame of which the server says nothing, because it is gone, too slow, refuses it or is
//! not understood, passes as one that was not inferred, with a warning when that begins and a
//! count; the stream never stops for it. After a failure the server is left alone for 1 to 30 s,
//! and the session begins anew where it has ended.
//!
//! With `mode=latest` no frame waits: what is found is said of the first frame after the
//! answer, whose observation meta then has `age`, the nanoseconds by which the inferred frame is
//! older. For files, where every frame should count, there is `mode=sync`.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mp4 ! qtdemux ! h264parse ! avdec_h264 ! grpcdetect location=http://127.0.0.1:5001 mode=sync max-rate=5/1 ! fakesink
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

use super::DataTransfer;
use super::asker::Asker;
use super::settings::Settings;
use crate::bridge::passing;
use crate::remote::Mode;
use crate::remote::look::{ImageFormat, PixelFormat, Scaling};
use crate::remote::watch::{Plan, Watch};
use crate::remote::watcher::{self, Watcher};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "grpcdetect",
        gst::DebugColorFlags::empty(),
        Some("Has frames looked at by an inference server"),
    )
});

#[derive(Debug, Default, Properties)]
#[properties(wrapper_type = super::GrpcDetect)]
pub struct GrpcDetect {
    #[property(name = "location", nick = "Location", blurb = "Address of the server, such as http://server:5001, or https for TLS; needed", get = |this: &Self| this.settings().access.shown(), set = |this: &Self, location: Option<String>| this.settings().access.location = location, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "extension-configuration", nick = "Extension configuration", blurb = "Text that the server is told when a session begins, for it to understand", get, set, type = Option<String>, member = extension_configuration, nullable, builder().mutable_ready())]
    #[property(name = "data-transfer", nick = "Data transfer", blurb = "Whether pictures go in the messages, or lie in memory that a server on this machine shares", get, set, type = DataTransfer, member = data_transfer, default, builder().mutable_ready())]
    #[property(name = "shared-memory-size", nick = "Shared memory size", blurb = "Bytes of memory that are shared with data-transfer=shared-memory; a frame that finds no place is not inferred", get, set, type = u64, member = shared_memory_size, minimum = 1, maximum = 1 << 40, default = Settings::default().shared_memory_size, builder().mutable_ready())]
    #[property(name = "image-format", nick = "Image format", blurb = "What pictures are encoded as", get, set, type = ImageFormat, member = image_format, default, builder().mutable_ready())]
    #[property(name = "jpeg-quality", nick = "JPEG quality", blurb = "Quality of pictures in JPEG, from 1 to 100", get, set, type = u32, member = jpeg_quality, minimum = 1, maximum = 100, default = Settings::default().jpeg_quality, builder().mutable_ready())]
    #[property(name = "pixel-format", nick = "Pixel format", blurb = "Layout of pictures that are sent raw", get, set, type = PixelFormat, member = pixel_format, default, builder().mutable_ready())]
    #[property(name = "width", nick = "Width", blurb = "Width of the pictures in pixels; 0 takes what follows from height, or the frame's", get, set, type = u32, member = width, maximum = 8192, default = Settings::default().width, builder().mutable_ready())]
    #[property(name = "height", nick = "Height", blurb = "Height of the pictures in pixels; 0 takes what follows from width, or the frame's", get, set, type = u32, member = height, maximum = 8192, default = Settings::default().height, builder().mutable_ready())]
    #[property(name = "scaling", nick = "Scaling", blurb = "How a frame is brought to width and height; padding is undone in what comes back", get, set, type = Scaling, member = scaling, default, builder().mutable_ready())]
    #[property(name = "confidence-threshold", nick = "Confidence threshold", blurb = "Least confidence, from 0 to 1, at which an object counts", get, set, type = f32, member = confidence_threshold, minimum = 0.0, maximum = 1.0, default = Settings::default().confidence_threshold, builder().mutable_playing())]
    #[property(name = "max-detections", nick = "Maximum detections", blurb = "Number of objects that a frame reports at most; the most confident ones are kept", get, set, type = u32, member = max_detections, minimum = 1, maximum = 1000, default = Settings::default().max_detections, builder().mutable_playing())]
    #[property(name = "mode", nick = "Mode", blurb = "Whether frames wait for their inference (sync), or pass while it is under way (latest)", get, set, type = Mode, member = mode, default, builder().mutable_ready())]
    #[property(name = "max-requests", nick = "Maximum requests", blurb = "Number of frames under way at most with mode=latest; in mode=sync there is one", get, set, type = u32, member = max_requests, minimum = 1, maximum = 16, default = Settings::default().max_requests, builder().mutable_ready())]
    #[property(name = "inference-interval", nick = "Inference interval", blurb = "Every how many frames one is inferred, counted from the first; the others pass unseen", get, set, type = u32, member = inference_interval, minimum = 1, default = Settings::default().inference_interval, builder().mutable_ready())]
    #[property(name = "max-rate", nick = "Maximum rate", blurb = "Number of inferences a second of media at most; 0/1 sets no bound", get, set, type = gst::Fraction, member = max_rate, builder().minimum(gst::Fraction::new(0, 1)).maximum(gst::Fraction::new(1000, 1)).default_value(Settings::default().max_rate).mutable_ready())]
    #[property(name = "skip-without-annotation", nick = "Skip without annotation", blurb = "Whether only frames are sent on which an element before has put a region, such as motiondetect", get, set, type = bool, member = skip_without_annotation, default = Settings::default().skip_without_annotation, builder().mutable_ready())]
    #[property(name = "timeout", nick = "Timeout", blurb = "Nanoseconds after which a frame has failed, connecting included", get, set, type = gst::ClockTime, member = timeout, minimum = 1_000_000, default = *Settings::default().timeout, builder().mutable_ready())]
    #[property(name = "user", nick = "User", blurb = "Name that is sent with the password, in the metadata x-ms-authentication", get = |this: &Self| this.settings().access.user.clone(), set = |this: &Self, value: Option<String>| this.settings().access.user = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "password", nick = "Password", blurb = "Password beside the user; cannot be read back", set = |this: &Self, value: Option<String>| this.settings().access.password = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "ca-file", nick = "CA file", blurb = "Path of a PEM file with the certificates that a server's must come from; unset takes those that this machine trusts", get = |this: &Self| this.settings().access.ca_file.clone(), set = |this: &Self, value: Option<PathBuf>| this.settings().access.ca_file = value, type = Option<PathBuf>, nullable, builder().mutable_ready())]
    settings: Mutex<Settings>,
    #[property(name = "model-name", nick = "Model name", blurb = "Name by which observations call the model: the extension identifier that the server gives, or its address", get = |this: &Self| this.watch.model().map(|model| model.name), type = Option<String>)]
    #[property(name = "inferences", nick = "Inferences", blurb = "Number of frames inferred since the start", get = |this: &Self| this.watch.counts().inferences, type = u64)]
    #[property(name = "failures", nick = "Failures", blurb = "Number of frames since the start of which the server said nothing, or for which shared memory had no place", get = |this: &Self| this.watch.counts().failures, type = u64)]
    #[property(name = "skipped", nick = "Skipped", blurb = "Number of frames since the start that were not sent, although it was their turn, since the server was to be left alone", get = |this: &Self| this.watch.counts().skipped, type = u64)]
    watch: Watch,
}

impl GrpcDetect {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings
            .lock()
            .expect("nothing panics under this lock")
    }

    /// The name of the pipeline, by which a server tells cameras apart.
    fn pipeline(&self) -> String {
        let parents = std::iter::successors(self.obj().parent(), |object| object.parent());
        let outermost = parents.last().map(|object| object.name().to_string());
        outermost.unwrap_or_default()
    }
}

impl Watcher for GrpcDetect {
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
        let askers = settings.askers(self.pipeline(), self.obj().name().to_string())?;
        Ok((settings.plan(), askers))
    }
}

#[glib::object_subclass]
impl ObjectSubclass for GrpcDetect {
    const NAME: &'static str = "GstEvrGrpcDetect";
    type Type = super::GrpcDetect;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for GrpcDetect {}

impl GstObjectImpl for GrpcDetect {}

impl ElementImpl for GrpcDetect {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "gRPC object detector",
                "Filter/Analyzer/Video",
                "Has video looked at by an inference server over gRPC",
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

impl BaseTransformImpl for GrpcDetect {
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
