//! The element `detectionoverlay`.
//!
//! Draws onto raw video what a detector before it has found: a box an object, with its label, its
//! confidence and the identity that a tracker gave it, also where a tracker only predicts the box;
//! also zones, and a mark while something is recorded. It writes into the frames, so it stands where
//! they are shown, and never before a detector.
//!
//! The mark follows the recordings of a `signalgate` before it; where there is none, an application
//! sets `recording`.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mp4 ! qtdemux ! h264parse ! avdec_h264 ! onnxdetect model-file=ssdlite_mobilenet_v2.onnx ! detectionoverlay ! videoconvert ! autovideosink
//! ```

use std::sync::{LazyLock, Mutex, MutexGuard};

use evr_core::motion::Zones;
use glib::Properties;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};

use super::canvas::{Canvas, FORMATS};
use super::scene::{Painter, Words};
use crate::bridge::detection;
use crate::bridge::passing;
use crate::bridge::recording::{Phase, Recording};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "detectionoverlay",
        gst::DebugColorFlags::empty(),
        Some("Draws what was detected"),
    )
});

#[derive(Debug, Clone)]
struct Settings {
    labels: bool,
    confidences: bool,
    track_ids: bool,
    line_width: u32,
    font_scale: u32,
    zones: Option<String>,
    recording: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            labels: true,
            confidences: true,
            track_ids: true,
            line_width: 0,
            font_scale: 0,
            zones: None,
            recording: false,
        }
    }
}

/// What runs between `start` and `stop`.
#[derive(Debug, Default)]
struct State {
    video: Option<VideoInfo>,
    zones: Zones,
    /// A gate before this has a recording open.
    recording: bool,
}

#[derive(Debug, Default, Properties)]
#[properties(wrapper_type = super::DetectionOverlay)]
pub struct DetectionOverlay {
    #[property(name = "labels", nick = "Labels", blurb = "Whether each box says what it is", get, set, type = bool, member = labels, default = Settings::default().labels, builder().mutable_playing())]
    #[property(name = "confidences", nick = "Confidences", blurb = "Whether each box says how sure the detector is, in percent", get, set, type = bool, member = confidences, default = Settings::default().confidences, builder().mutable_playing())]
    #[property(name = "track-ids", nick = "Track ids", blurb = "Whether each box says its identity, where a tracker gave one", get, set, type = bool, member = track_ids, default = Settings::default().track_ids, builder().mutable_playing())]
    #[property(name = "line-width", nick = "Line width", blurb = "Width of the boxes' lines in pixels; 0 goes by the frame's height", get, set, type = u32, member = line_width, maximum = 100, default = Settings::default().line_width, builder().mutable_playing())]
    #[property(name = "font-scale", nick = "Font scale", blurb = "Pixels of the frame for each of the letters' 6 x 10; 0 goes by the frame's height", get, set, type = u32, member = font_scale, maximum = 100, default = Settings::default().font_scale, builder().mutable_playing())]
    #[property(name = "zones", nick = "Zones", blurb = "Areas to draw: a polygon such as [[0,0],[1,0],[1,0.5]] in fractions of the frame, a list of polygons, or an object that names them, as JSON; unset draws none", get, set, type = Option<String>, member = zones, nullable, builder().mutable_ready())]
    #[property(name = "recording", nick = "Recording", blurb = "Whether the mark of a recording is drawn, also where no gate before says that one is open", get, set, type = bool, member = recording, default = Settings::default().recording, builder().mutable_playing())]
    settings: Mutex<Settings>,
    state: Mutex<State>,
}

impl DetectionOverlay {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings
            .lock()
            .expect("nothing panics under this lock")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    fn draw(&self, buffer: &mut gst::BufferRef) -> Result<(), String> {
        let settings = self.settings().clone();
        let (info, zones, recording) = {
            let state = self.state();
            (state.video.clone(), state.zones.clone(), state.recording)
        };
        let Some(info) = info else {
            return Err("a frame came before its caps: send caps first".into());
        };
        let detections = detection::shown(buffer, (info.width(), info.height()));
        let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer, &info)
            .map_err(|_| "a frame's memory cannot be written: send system memory".to_string())?;
        let mut canvas = Canvas::new(&mut frame);
        let mut painter = Painter::new(&mut canvas, settings.line_width, settings.font_scale);
        for (name, corners) in zones.polygons() {
            painter.zone(name, corners);
        }
        let words = Words {
            label: settings.labels,
            confidence: settings.confidences,
            track_id: settings.track_ids,
        };
        // The best on top.
        for detection in detections.iter().rev() {
            painter.detection(detection, words);
        }
        if recording || settings.recording {
            painter.recording_mark();
        }
        Ok(())
    }
}

#[glib::object_subclass]
impl ObjectSubclass for DetectionOverlay {
    const NAME: &'static str = "GstEvrDetectionOverlay";
    type Type = super::DetectionOverlay;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for DetectionOverlay {}

impl GstObjectImpl for DetectionOverlay {}

impl ElementImpl for DetectionOverlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Detection overlay",
                "Filter/Editor/Video",
                "Draws detected objects, zones and a recording mark onto video",
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

impl BaseTransformImpl for DetectionOverlay {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let zones = self.settings().zones.clone().unwrap_or_default();
        let zones = Zones::parse(&zones).map_err(|err| {
            let name = self.obj().name();
            gst::error_msg!(gst::ResourceError::Settings, ("{name}: zones {err}"))
        })?;
        *self.state() = State {
            zones,
            ..State::default()
        };
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "cannot read {incaps}: send video"))?;
        self.state().video = Some(info);
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match Recording::from_event(&event) {
            Some(Ok(recording)) => {
                self.state().recording = !matches!(recording.phase, Phase::Close);
            }
            Some(Err(reason)) => gst::warning!(CAT, imp = self, "{reason}"),
            None => {}
        }
        self.parent_sink_event(event)
    }

    fn transform_ip(
        &self,
        buffer: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.draw(buffer).map_err(|reason| {
            let name = self.obj().name();
            gst::element_imp_error!(self, gst::StreamError::Failed, ("{name}: {reason}"));
            gst::FlowError::Error
        })?;
        Ok(gst::FlowSuccess::Ok)
    }
}
