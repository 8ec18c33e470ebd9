//! The element: its settings, what it reads off frames and writes onto them. Who is who is
//! evr-core's decision.

use std::sync::{LazyLock, Mutex, MutexGuard};

use evr_core::tracker::{Config, Ended, Identity, Outcome, Tracker};
use glib::Properties;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{
        BaseTransformMode,
        base_transform::{InputBuffer, PrepareOutputBufferSuccess},
        prelude::*,
    },
};

use crate::bridge::{
    detection, message,
    model::Model,
    passing,
    time::{running_time, span},
    track,
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "objecttracker",
        gst::DebugColorFlags::empty(),
        Some("Which detection is which object"),
    )
});

/// What the user asks for. Read anew with each frame.
#[derive(Debug, Clone, PartialEq)]
struct Settings {
    high_confidence: f64,
    low_confidence: f64,
    min_hits: u32,
    max_age: u64,
    predict: bool,
    every_frame_inferred: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let Config {
            high_confidence,
            low_confidence,
            min_hits,
            max_age,
        } = Config::default();
        Self {
            high_confidence,
            low_confidence,
            min_hits,
            max_age: max_age.unsigned_abs(),
            predict: true,
            every_frame_inferred: true,
        }
    }
}

impl From<&Settings> for Config {
    fn from(settings: &Settings) -> Self {
        Self {
            high_confidence: settings.high_confidence,
            low_confidence: settings.low_confidence,
            min_hits: settings.min_hits,
            max_age: span(settings.max_age),
        }
    }
}

/// What runs.
#[derive(Default)]
struct State {
    tracker: Tracker,
    /// The observation that was last tracked, and who was in it.
    last: Option<(u64, Vec<Option<Identity>>)>,
    params: track::Params,
    /// The detector that stands upstream, once it has told its name.
    model: Option<Model>,
    /// Width and height of the frames, in pixels.
    size: (u32, u32),
    segment: gst::Segment,
    tracks: u64,
    ended: u64,
}

impl State {
    /// Writes onto a frame who is on it, and gives the tracks that are over.
    fn frame(&mut self, buffer: &mut gst::BufferRef, settings: &Settings) -> Vec<Ended> {
        let time = running_time(&self.segment, buffer.pts());
        let every_frame = self.model.is_none() && settings.every_frame_inferred;
        let looked_at = detection::looked_at(buffer, self.size, every_frame);
        let Some(observation) = looked_at else {
            if settings.predict {
                track::attach_predicted(buffer, &self.tracker.predict(time), self.size);
            }
            return Vec::new();
        };
        let detections = &observation.detections;
        // A frame that comes twice, or bears again what an earlier one showed, is seen once.
        let numbered = !observation.model.is_empty();
        if let Some((seq, who)) = &self.last
            && numbered
            && *seq == observation.seq
            && who.len() == detections.len()
        {
            track::identify(buffer, who, &mut self.params);
            return Vec::new();
        }
        self.tracker.configure(settings.into());
        let age = detection::age(buffer);
        let time = time.map(|time| time.saturating_sub_unsigned(age));
        let aspect = f64::from(self.size.0) / f64::from(self.size.1.max(1));
        let Outcome { identities, ended } = self.tracker.observe(time, aspect, detections);
        track::identify(buffer, &identities, &mut self.params);
        let newest = identities.iter().flatten().map(|it| it.id.unsigned_abs());
        self.tracks = self.tracks.max(newest.max().unwrap_or(0));
        self.count(&ended);
        self.last = numbered.then_some((observation.seq, identities));
        ended
    }

    fn count(&mut self, ended: &[Ended]) {
        self.ended += ended.len() as u64;
        self.params.forget(ended);
    }

    /// The stream is over, or another place in it comes next.
    fn finish(&mut self) -> Vec<Ended> {
        self.last = None;
        let ended = self.tracker.finish();
        self.count(&ended);
        ended
    }
}

#[derive(Properties, Default)]
#[properties(wrapper_type = super::ObjectTracker)]
pub(crate) struct ObjectTracker {
    #[property(
        name = "high-confidence", nick = "High confidence",
        blurb = "The confidence from which on, from 0 to 1, a detection may begin a track",
        get, set, type = f64, member = high_confidence, minimum = 0.0, maximum = 1.0,
        default = Settings::default().high_confidence, mutable_playing
    )]
    #[property(
        name = "low-confidence", nick = "Low confidence",
        blurb = "The confidence from which on, from 0 to 1, a detection may continue a track that was just seen; lower the detector's own threshold as far for this to help",
        get, set, type = f64, member = low_confidence, minimum = 0.0, maximum = 1.0,
        default = Settings::default().low_confidence, mutable_playing
    )]
    #[property(
        name = "min-hits", nick = "Minimum hits",
        blurb = "How many inferred frames in a row must show an object before it is a track",
        get, set, type = u32, member = min_hits, minimum = 1,
        default = Settings::default().min_hits, mutable_playing
    )]
    #[property(
        name = "max-age", nick = "Maximum age",
        blurb = "For how long, in nanoseconds, an object that is not seen may be found again as the same track; then the track is over",
        get, set, type = u64, member = max_age,
        default = Settings::default().max_age, mutable_playing
    )]
    #[property(
        name = "predict", nick = "Predict",
        blurb = "Whether frames that were not inferred get the boxes where the tracks are expected, marked as predicted; they are no observations and nobody counts them",
        get, set, type = bool, member = predict,
        default = Settings::default().predict, mutable_playing
    )]
    #[property(
        name = "every-frame-inferred", nick = "Every frame inferred",
        blurb = "Whether a detector upstream that marks no frames, such as DL Streamer's, infers every one, so that a frame without regions shows nothing; false behind one with an inference interval, where such a frame says nothing",
        get, set, type = bool, member = every_frame_inferred,
        default = Settings::default().every_frame_inferred, mutable_playing
    )]
    settings: Mutex<Settings>,
    #[property(
        name = "tracks", nick = "Tracks",
        blurb = "How many tracks have begun since the element started",
        get = |this: &Self| this.lock().tracks, type = u64
    )]
    #[property(
        name = "ended", nick = "Ended",
        blurb = "How many tracks have ended since the element started",
        get = |this: &Self| this.lock().ended, type = u64
    )]
    state: Mutex<State>,
}

impl ObjectTracker {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under this lock")
    }

    fn tell(&self, ended: &[Ended]) {
        for ended in ended {
            gst::debug!(CAT, imp = self, "{ended:?}");
            let fields = track::ended(ended);
            let event = gst::event::CustomDownstream::new(fields.clone());
            self.obj().src_pad().push_event(event);
            message::post(&*self.obj(), fields, &ended.to_json().into());
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for ObjectTracker {
    const NAME: &'static str = "GstEvrObjectTracker";
    type Type = super::ObjectTracker;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for ObjectTracker {}

impl GstObjectImpl for ObjectTracker {}

impl ElementImpl for ObjectTracker {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Object tracker",
                "Filter/Analyzer/Video",
                "Says which detection is which object, from frame to frame (ByteTrack)",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst::Caps::builder("video/x-raw").any_features().build();
            passing::templates(&caps)
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for ObjectTracker {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        *self.lock() = State::default();
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _: &gst::Caps) -> Result<(), gst::LoggableError> {
        let size = incaps
            .structure(0)
            .and_then(passing::size)
            .ok_or_else(|| gst::loggable_error!(CAT, "no width and height in {incaps}"))?;
        self.lock().size = size;
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Segment(segment) => {
                self.lock().segment = segment.segment().clone();
            }
            gst::EventView::StreamStart(_) | gst::EventView::Eos(_) => {
                let ended = self.lock().finish();
                self.tell(&ended);
            }
            gst::EventView::FlushStop(_) => {
                // Where a flush has been, no event of before may come.
                self.lock().finish();
            }
            _ => {
                if let Some(model) = Model::from_event(&event) {
                    self.lock().model = Some(model);
                }
            }
        }
        self.parent_sink_event(event)
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
        let settings = self
            .settings
            .lock()
            .expect("no thread panics under this lock")
            .clone();
        let ended = self.lock().frame(buffer, &settings);
        self.tell(&ended);
        Ok(gst::FlowSuccess::Ok)
    }
}
