//! The element: its settings, what it makes of frames and of what comes with them. How signals
//! leave, and the pads, stand in `bridge::producer`; what counts is evr-core's decision.

use std::sync::{LazyLock, Mutex, MutexGuard};

use evr_core::{
    counter::{Config, Counter, Labels, LabelsError},
    observed,
    signal::Signal,
};
use glib::Properties;
use gst::{prelude::*, subclass::prelude::*};

use crate::bridge::{
    detection,
    model::Model,
    producer::{self, Outlets, Producer},
    signal::text_buffer,
    time::running_time,
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "objectcounter",
        gst::DebugColorFlags::empty(),
        Some("From detections to signals"),
    )
});

/// What the user asks for. Read anew with each frame, so that a change in PLAYING counts from the
/// next frame on.
#[derive(Debug, Clone, PartialEq)]
struct Settings {
    labels: Option<String>,
    min_confidence: f64,
    min_count: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            labels: None,
            // What the detector lets through counts.
            min_confidence: 0.0,
            min_count: 1,
        }
    }
}

impl TryFrom<&Settings> for Config {
    type Error = LabelsError;

    fn try_from(settings: &Settings) -> Result<Self, LabelsError> {
        Ok(Self {
            labels: Labels::parse(settings.labels.as_deref().unwrap_or_default())?,
            min_confidence: settings.min_confidence,
            min_count: settings.min_count,
        })
    }
}

/// What runs.
#[derive(Default)]
struct State {
    counter: Counter,
    /// The settings that were last read, whether they hold or were refused.
    read: Settings,
    /// The detector that stands upstream, once it has told its name.
    model: Option<Model>,
    /// The model cannot find what is asked for: no frame passes any more.
    refused: bool,
    /// Width and height of the frames, in pixels.
    size: (u32, u32),
    segment: gst::Segment,
    outlets: Outlets,
    observed: u64,
    signals: u64,
}

impl State {
    /// Takes over changed settings, as far as they hold; else the old ones stay.
    fn configure(&mut self, settings: &Settings) -> Result<(), LabelsError> {
        if self.read == *settings {
            return Ok(());
        }
        self.read.clone_from(settings);
        let config = Config::try_from(settings)?;
        if let Some(model) = &self.model {
            config.labels.check(&model.name, &model.labels)?;
        }
        self.counter.configure(config);
        Ok(())
    }

    /// What a frame shows and raises; `None` where it was not inferred or counted before.
    fn observe(&mut self, buffer: &gst::BufferRef) -> Option<Seen> {
        let observation = match detection::read(buffer, self.size) {
            Some(observation) => observation,
            // Our detectors mark each frame that they inferred.
            None if self.model.is_some() => return None,
            // Others mark only what they found.
            None => Default::default(),
        };
        let media_time = running_time(&self.segment, buffer.pts());
        let signals = self.counter.observe(media_time, &observation)?;
        self.observed += 1;
        self.signals += signals.len() as u64;
        let line =
            (!self.outlets.meta.is_empty()).then(|| observed::line(media_time, &observation));
        Some(Seen { signals, line })
    }
}

/// What a frame led to.
struct Seen {
    signals: Vec<Signal>,
    /// The observation itself, where a `meta` pad wants it.
    line: Option<String>,
}

#[derive(Properties)]
#[properties(wrapper_type = super::ObjectCounter)]
pub(crate) struct ObjectCounter {
    #[property(
        name = "labels", nick = "Labels",
        blurb = "The labels that count, separated by commas, each with its own least confidence or without, such as person,truck:0.6 (nothing = all); a wrong change while playing is warned of and the old labels stay",
        get, set, nullable, type = Option<String>, member = labels, mutable_playing
    )]
    #[property(
        name = "min-confidence", nick = "Minimum confidence",
        blurb = "The confidence from which on an object counts, from 0 to 1, where its label has none of its own",
        get, set, type = f64, member = min_confidence, minimum = 0.0, maximum = 1.0,
        default = Settings::default().min_confidence, mutable_playing
    )]
    #[property(
        name = "min-count", nick = "Minimum count",
        blurb = "How many objects that count make a frame raise a signal",
        get, set, type = u32, member = min_count, minimum = 1,
        default = Settings::default().min_count, mutable_playing
    )]
    settings: Mutex<Settings>,
    #[property(
        name = "observed", nick = "Observed",
        blurb = "How many frames were decided on since the element started; neither frames that were not inferred nor duplicates",
        get = |this: &Self| this.lock().observed, type = u64
    )]
    #[property(
        name = "signals", nick = "Signals",
        blurb = "How many signals were raised since the element started",
        get = |this: &Self| this.lock().signals, type = u64
    )]
    state: Mutex<State>,
    sinkpad: gst::Pad,
    srcpad: gst::Pad,
}

impl ObjectCounter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under this lock")
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings
            .lock()
            .expect("no thread panics under this lock")
    }

    fn fail(&self, err: &LabelsError) {
        let name = self.obj().name();
        gst::element_imp_error!(self, gst::LibraryError::Settings, ("{name}: {err}"));
    }

    /// The settings as they are now, or the old ones with a warning.
    fn configure(&self) {
        let configured = self.lock().configure(&self.settings());
        if let Err(err) = configured {
            let name = self.obj().name();
            gst::element_imp_warning!(
                self,
                gst::LibraryError::Settings,
                ("{name}: {err}; what counted before still counts")
            );
        }
    }

    /// A detector tells what it can find: is that what is asked for?
    fn meet(&self, model: Model) -> Result<(), LabelsError> {
        self.configure();
        let mut state = self.lock();
        let labels = &state.counter.config().labels;
        let checked = labels.check(&model.name, &model.labels);
        state.refused = checked.is_err();
        state.model = Some(model);
        checked
    }

    /// Begins anew with the settings as they are, if they can be read.
    fn start(&self) -> Result<(), gst::StateChangeError> {
        let settings = self.settings().clone();
        let config = Config::try_from(&settings).map_err(|err| {
            self.fail(&err);
            gst::StateChangeError
        })?;
        let mut state = self.lock();
        *state = State {
            counter: Counter::new(config),
            read: settings,
            outlets: std::mem::take(&mut state.outlets),
            ..State::default()
        };
        Ok(())
    }
}

impl Producer for ObjectCounter {
    fn sinkpad(&self) -> &gst::Pad {
        &self.sinkpad
    }

    fn srcpad(&self) -> &gst::Pad {
        &self.srcpad
    }

    fn outlets<R>(&self, act: impl FnOnce(&mut Outlets) -> R) -> R {
        act(&mut self.lock().outlets)
    }

    fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.configure();
        let pts = buffer.pts();
        let (seen, mut pads, meta) = {
            let mut state = self.lock();
            if state.refused {
                return Err(gst::FlowError::Error);
            }
            let seen = state.observe(&buffer);
            (seen, state.outlets.pads.clone(), state.outlets.meta.clone())
        };
        match seen.as_ref().and_then(|seen| seen.line.as_ref()) {
            Some(line) => producer::push(&meta, &text_buffer(format!("{line}\n").into(), pts))?,
            None => producer::all_told(&meta, pts),
        }
        if let Some(Seen { signals, .. }) = seen {
            gst::log!(CAT, imp = self, "{} signals at {pts:?}", signals.len());
            if signals.is_empty() {
                producer::all_told(&pads, pts);
            }
            producer::tell(self, &pads, &signals, pts)?;
        }
        let video = self.srcpad.push(buffer);
        pads.extend(meta);
        producer::combine(video, &pads)
    }

    fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::StreamStart(_) | gst::EventView::FlushStop(_) => {
                self.lock().counter.flush();
            }
            gst::EventView::Caps(caps) => {
                let size = caps.caps().structure(0).and_then(size);
                let Some(size) = size else {
                    gst::error!(CAT, imp = self, "No width and height in {:?}", caps.caps());
                    return false;
                };
                self.lock().size = size;
            }
            gst::EventView::Segment(segment) => self.lock().segment = segment.segment().clone(),
            _ => {
                // Accepted all the same: refused, it would come and fail again with each frame.
                if let Some(model) = Model::from_event(&event)
                    && let Err(err) = self.meet(model)
                {
                    self.fail(&err);
                }
            }
        }
        producer::follow(self, &event);
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }
}

fn size(caps: &gst::StructureRef) -> Option<(u32, u32)> {
    let side = |name| u32::try_from(caps.get::<i32>(name).ok()?).ok();
    Some((side("width")?, side("height")?))
}

#[glib::object_subclass]
impl ObjectSubclass for ObjectCounter {
    const NAME: &'static str = "GstEvrObjectCounter";
    type Type = super::ObjectCounter;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let (sinkpad, srcpad) = producer::video::<Self>(|name| class.pad_template(name));
        Self {
            settings: Mutex::default(),
            state: Mutex::default(),
            sinkpad,
            srcpad,
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for ObjectCounter {
    fn constructed(&self) {
        self.parent_constructed();
        for pad in [&self.sinkpad, &self.srcpad] {
            self.obj()
                .add_pad(pad)
                .expect("a new element has no pad of this name");
        }
    }
}

impl GstObjectImpl for ObjectCounter {}

impl ElementImpl for ObjectCounter {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Object counter",
                "Filter/Analyzer/Video",
                "Counts the objects that a detector found and raises a signal, with its reason, \
                 for each frame that holds enough of them",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let video = gst::Caps::builder("video/x-raw").any_features().build();
            let mut templates = producer::templates(&video);
            templates.push(producer::meta_template());
            templates
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            self.start()?;
        }
        let success = self.parent_change_state(transition)?;
        if transition == gst::StateChange::PausedToReady {
            self.lock().outlets.stop();
        }
        Ok(success)
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        producer::add_signal_pad(self, template, name)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        producer::remove_signal_pad(self, pad);
    }
}
