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

use glib::Properties;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::{InputBuffer, PrepareOutputBufferSuccess};
use gst_base::subclass::prelude::*;

use super::settings::Settings;
use super::{Protocol, TensorData};
use crate::bridge::video::{FORMATS, readable};
use crate::bridge::{passing, time};
use crate::remote::Mode;
use crate::remote::desk::Desk;
use crate::remote::look::{ImageFormat, PixelFormat, Scaling};
use crate::remote::watch::{News, Watch};

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

    /// Tells those behind what the model can find.
    fn push_model(&self) {
        if let Some(model) = self.watch.model() {
            // A flushing or unlinked pad keeps the event and sends it before the next buffer.
            self.obj().src_pad().push_event(model.to_event());
        }
    }

    fn frame(&self, buffer: &mut gst::BufferRef) -> Result<(), String> {
        let time = time::running_time(&self.obj().segment(), buffer.pts());
        let limits = self.settings().limits();
        for news in self.watch.frame(buffer, time, limits)? {
            match news {
                News::Trouble(sentence) => {
                    let name = self.obj().name();
                    gst::element_imp_warning!(
                        self,
                        gst::ResourceError::Failed,
                        ("{name}: {sentence}")
                    );
                }
                News::Recovered => gst::info!(CAT, imp = self, "the server answers again"),
                News::Model(model) => {
                    gst::info!(CAT, imp = self, "the server runs {}", model.name);
                    self.push_model();
                }
            }
        }
        Ok(())
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

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::PausedToReady {
            // The streaming thread may wait for an answer, and the parent waits for it.
            self.watch.hurry(true);
        }
        self.parent_change_state(transition)
    }
}

impl BaseTransformImpl for HttpDetect {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings().clone();
        let name = self.obj().name();
        let wrong = |err: String| gst::error_msg!(gst::ResourceError::Settings, ("{name}: {err}"));
        let askers = settings.askers().map_err(wrong)?;
        let desk = Desk::start("httpdetect", askers).map_err(|err| {
            wrong(format!(
                "no thread for requests ({err}): lower max-requests"
            ))
        })?;
        self.watch.start(settings.plan(), desk);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.watch.stop();
        Ok(())
    }

    fn accept_caps(&self, direction: gst::PadDirection, caps: &gst::Caps) -> bool {
        passing::is_sent_video(direction, caps) || self.parent_accept_caps(direction, caps)
    }

    fn set_caps(&self, incaps: &gst::Caps, _: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = readable(incaps).map_err(|reason| gst::loggable_error!(CAT, "{reason}"))?;
        self.watch.caps(info);
        Ok(())
    }

    fn src_event(&self, event: gst::Event) -> bool {
        let gst::EventView::Qos(qos) = event.view() else {
            return self.parent_src_event(event);
        };
        // The parent class would drop late frames; here they pass, but are not inferred.
        if !self.obj().property::<bool>("qos") {
            return self.parent_src_event(event);
        }
        self.watch.late(passing::late_until(qos));
        self.obj().sink_pad().push_event(event)
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
                self.watch.hurry(true);
                self.parent_sink_event(event)
            }
            gst::EventView::FlushStop(_) => {
                self.watch.flush();
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
        if passing::propose_allocation(&*self.obj(), query) {
            Ok(())
        } else {
            Err(gst::loggable_error!(CAT, "nobody behind proposes memory"))
        }
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
