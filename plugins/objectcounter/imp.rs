//! The element: its settings, what it makes of frames and of what comes with them. How signals
//! leave, and the pads, stand in `bridge::producer`; what counts is evr-core's decision.

use std::sync::{LazyLock, Mutex, MutexGuard};

use evr_core::counter::{Counter, check_labels};
use glib::Properties;
use gst::{prelude::*, subclass::prelude::*};

use super::settings::{Rules, RulesFile, Settings, SettingsError};
use super::state::{Seen, State, Stop};
use super::{ObjectCounterDirection, ObjectCounterEmit, ObjectCounterReference};
use crate::bridge::{
    model::Model,
    passing,
    producer::{self, Outlets, Producer},
    signal::text_buffer,
    track,
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "objectcounter",
        gst::DebugColorFlags::empty(),
        Some("From detections to signals"),
    )
});

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
        name = "min-area", nick = "Minimum area",
        blurb = "The share of the frame, from 0 to 1, from which on an object counts",
        get, set, type = f64, member = min_area, minimum = 0.0, maximum = 1.0,
        default = Settings::default().min_area, mutable_playing
    )]
    #[property(
        name = "max-area", nick = "Maximum area",
        blurb = "The share of the frame, from 0 to 1, up to which an object counts",
        get, set, type = f64, member = max_area, minimum = 0.0, maximum = 1.0,
        default = Settings::default().max_area, mutable_playing
    )]
    #[property(
        name = "min-distance", nick = "Minimum distance",
        blurb = "The distance from the camera, in metres, from which on an object counts, where something measures it (0 = none is asked for); an object whose distance is not known does not count then",
        get, set, type = f64, member = min_distance, minimum = 0.0,
        default = Settings::default().min_distance, mutable_playing
    )]
    #[property(
        name = "max-distance", nick = "Maximum distance",
        blurb = "The distance from the camera, in metres, up to which an object counts, where something measures it (0 = none is asked for); an object whose distance is not known does not count then",
        get, set, type = f64, member = max_distance, minimum = 0.0,
        default = Settings::default().max_distance, mutable_playing
    )]
    #[property(
        name = "min-count", nick = "Minimum count",
        blurb = "How many objects that count make a frame raise a signal; 0 only together with max-count, to watch for absence",
        get, set, type = u32, member = min_count,
        default = Settings::default().min_count, mutable_playing
    )]
    #[property(
        name = "max-count", nick = "Maximum count",
        blurb = "More objects than this that count make a frame raise no signal (4294967295 = no limit)",
        get, set, type = u32, member = max_count,
        default = Settings::default().max_count, mutable_playing
    )]
    #[property(
        name = "zones", nick = "Zones",
        blurb = "Where objects count: polygons in fractions of the frame, each a name, a colon and x,y,x,y,…, separated by semicolons, such as door:0.1,0.2,0.4,0.2,0.4,0.9 (nothing = everywhere)",
        get, set, nullable, type = Option<String>, member = zones, mutable_playing
    )]
    #[property(
        name = "reference", nick = "Reference",
        blurb = "What of an object must lie in a zone, and which point of it goes over a line",
        get, set, type = ObjectCounterReference, member = reference, builder(ObjectCounterReference::default()).mutable_playing()
    )]
    #[property(
        name = "min-overlap", nick = "Minimum overlap",
        blurb = "The share of an object's box, from 0 to 1, that must lie in a zone, to a millionth, where reference is overlap (0 = any of it)",
        get, set, type = f64, member = min_overlap, minimum = 0.0, maximum = 1.0,
        default = Settings::default().min_overlap, mutable_playing
    )]
    #[property(
        name = "lines", nick = "Lines",
        blurb = "Lines whose crossing raises a signal, instead of presence: each a name, a colon and x,y,x,y in fractions of the frame, separated by semicolons, such as gate:0.5,0,0.5,1; objects need track ids, and one that was away for more than 60 s is another",
        get, set, nullable, type = Option<String>, member = lines, mutable_playing
    )]
    #[property(
        name = "direction", nick = "Direction",
        blurb = "Which crossings of a line raise a signal, for who looks from its first point to its second",
        get, set, type = ObjectCounterDirection, member = direction, builder(ObjectCounterDirection::default()).mutable_playing()
    )]
    #[property(
        name = "min-dwell", nick = "Minimum dwell",
        blurb = "How many nanoseconds of media time an object must have been there, in the zones if there are any, before it counts",
        get, set, type = u64, member = min_dwell,
        default = Settings::default().min_dwell, mutable_playing
    )]
    #[property(
        name = "confirm-frames", nick = "Confirming frames",
        blurb = "In how many of the last window-frames inferred frames enough objects must be found before the first signal, so that a false find raises none",
        get, set, type = u32, member = confirm_frames, minimum = 1,
        default = Settings::default().confirm_frames, mutable_playing
    )]
    #[property(
        name = "window-frames", nick = "Window of frames",
        blurb = "Among how many inferred frames confirm-frames is asked for (0 = as many as confirm-frames)",
        get, set, type = u32, member = window_frames,
        default = Settings::default().window_frames, mutable_playing
    )]
    #[property(
        name = "absence-time", nick = "Absence time",
        blurb = "For how many nanoseconds of media time objects may be missed before they are gone: before a stop is raised, and before dwelling and confirming begin anew",
        get, set, type = u64, member = absence_time,
        default = Settings::default().absence_time, mutable_playing
    )]
    #[property(
        name = "unobserved-time", nick = "Unobserved time",
        blurb = "For how many nanoseconds of media time frames may be missing, or not inferred, before what was there last is gone too: a stop is raised, and dwelling begins anew; never less than absence-time",
        get, set, type = u64, member = unobserved_time,
        default = Settings::default().unobserved_time, mutable_playing
    )]
    #[property(
        name = "emit", nick = "Emit",
        blurb = "Whether a trigger is raised for each frame, or a start and a stop for each presence",
        get, set, type = ObjectCounterEmit, member = emit, builder(ObjectCounterEmit::default()).mutable_playing()
    )]
    #[property(
        name = "objectcounter-compatible", nick = "Compatible with Azure's objectCounter",
        blurb = "Whether signals are told and counted as Azure's sample objectCounter does: {\"count\":n} and nothing else, for confidences above min-confidence and not equal to it",
        get, set, type = bool, member = compatible,
        default = Settings::default().compatible, mutable_playing
    )]
    #[property(
        name = "every-frame-inferred", nick = "Every frame inferred",
        blurb = "Whether a detector upstream that marks no frames, such as DL Streamer's, infers every one, so that a frame without regions shows nothing; false behind one with an inference interval, where such a frame says nothing",
        get, set, type = bool, member = every_frame_inferred,
        default = Settings::default().every_frame_inferred, mutable_playing
    )]
    #[property(
        name = "rules-file", nick = "Rules file",
        blurb = "A file with several named rules, which count instead of the one that the other properties make: JSON as docs/rules.schema.json describes it, or nvdsanalytics' ini; setting it again reads it again, and a wrong one while playing is warned of and the old rules stay",
        get = |this: &Self| this.settings().rules_file.as_ref().map(|file| file.path.clone()),
        set = Self::set_rules_file, nullable, type = Option<String>, mutable_playing
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

    fn set_rules_file(&self, path: Option<String>) {
        let file = path.filter(|path| !path.is_empty()).map(RulesFile::read);
        self.settings().rules_file = file;
    }

    fn fail(&self, err: &SettingsError) {
        let name = self.obj().name();
        gst::element_imp_error!(self, gst::LibraryError::Settings, ("{name}: {err}"));
    }

    fn warn(&self, what: &str) {
        let name = self.obj().name();
        gst::element_imp_warning!(self, gst::LibraryError::Settings, ("{name}: {what}"));
    }

    /// The settings as they are now, or the old ones with a warning.
    fn configure(&self) {
        let configured = self.lock().configure(&self.settings());
        match configured {
            Ok(notes) => notes.iter().for_each(|note| self.warn(note)),
            Err(err) => self.warn(&format!("{err}; what counted before still counts")),
        }
    }

    /// A detector tells what it can find: is that what is asked for?
    fn meet(&self, model: Model) -> Result<(), SettingsError> {
        self.configure();
        let mut state = self.lock();
        let checked = check_labels(
            state.counter.rules(),
            &model.name,
            &model.labels,
            &model.ids,
        )
        .map_err(|error| state.in_force.error(error));
        state.refused = checked.is_err();
        state.model = Some(model);
        checked
    }

    /// Begins anew with the settings as they are, if they can be read.
    fn start(&self) -> Result<(), gst::StateChangeError> {
        // The file may have changed since it was named.
        let path = self.settings().rules_file.take();
        self.set_rules_file(path.map(|file| file.path));
        let settings = self.settings().clone();
        let Rules { rules, notes } = settings.rules().map_err(|err| {
            self.fail(&err);
            gst::StateChangeError
        })?;
        notes.iter().for_each(|note| self.warn(note));
        let mut state = self.lock();
        *state = State {
            counter: Counter::new(rules),
            in_force: settings.clone(),
            read: settings,
            outlets: std::mem::take(&mut state.outlets),
            ..State::default()
        };
        Ok(())
    }

    /// Tells of a stop that no observation raises.
    fn stop(&self, raise: impl FnOnce(&mut State) -> Option<Stop>) {
        let (stop, pads) = {
            let mut state = self.lock();
            (raise(&mut state), state.outlets.pads.clone())
        };
        if let Some(Stop { line, pts }) = stop {
            // Who fails now has told so; what comes behind comes all the same.
            let _ = producer::tell_lines(self, &pads, &[line], pts);
        }
    }

    /// Tracks that no frame comes after to tell of.
    fn tell_ended(&self) {
        let (line, meta, pts) = {
            let mut state = self.lock();
            (state.ended(), state.outlets.meta.clone(), state.last_pts)
        };
        if let Some(line) = line {
            let _ = producer::push(&meta, &text_buffer(format!("{line}\n").into(), pts));
        }
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
        let (seen, mut pads, meta, lacks) = {
            let mut state = self.lock();
            if state.refused {
                return Err(gst::FlowError::Error);
            }
            let seen = state.observe(&buffer);
            state.last_pts = pts.or(state.last_pts);
            let lacks = state.lacks();
            let Outlets { pads, meta, .. } = &state.outlets;
            (seen, pads.clone(), meta.clone(), lacks)
        };
        if let Some(what) = lacks {
            self.warn(what);
        }
        match seen.as_ref().and_then(|seen| seen.line.as_ref()) {
            Some(line) => producer::push(&meta, &text_buffer(format!("{line}\n").into(), pts))?,
            None => producer::all_told(&meta, pts),
        }
        if let Some(Seen { lines, pts, .. }) = seen {
            gst::log!(CAT, imp = self, "{} signals at {pts:?}", lines.len());
            if lines.is_empty() {
                producer::all_told(&pads, pts);
            }
            producer::tell_lines(self, &pads, &lines, pts)?;
        }
        let video = self.srcpad.push(buffer);
        pads.extend(meta);
        producer::combine(video, &pads)
    }

    fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::StreamStart(_) => {
                self.stop(State::begin);
                self.tell_ended();
            }
            gst::EventView::FlushStop(_) => self.lock().flush(),
            gst::EventView::Caps(caps) => {
                let size = caps.caps().structure(0).and_then(passing::size);
                let Some(size) = size else {
                    gst::error!(CAT, imp = self, "No width and height in {:?}", caps.caps());
                    return false;
                };
                self.lock().size = size;
            }
            gst::EventView::Gap(gap) => self.stop(|state| state.gap(gap)),
            gst::EventView::Eos(_) => {
                self.stop(State::end);
                self.tell_ended();
            }
            gst::EventView::Segment(segment) => self.lock().segment = segment.segment().clone(),
            _ => {
                // Accepted all the same: refused, it would come and fail again with each frame.
                if let Some(model) = Model::from_event(&event)
                    && let Err(err) = self.meet(model)
                {
                    self.fail(&err);
                }
                if let Some(ended) = track::from_event(&event) {
                    self.lock().track_ended(ended);
                }
            }
        }
        producer::follow(self, &event);
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }
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
