//! The element: its settings, what it makes of frames and of what comes with them. How signals
//! leave, and the pads, stand in `bridge::producer`; what moves is evr-core's decision.

use std::sync::{LazyLock, Mutex, MutexGuard};

use evr_core::motion::{Config, Events, Motion, Told};
use glib::Properties;
use gst::{prelude::*, subclass::prelude::*};

use super::{
    MotionSensitivity,
    eye::{Eye, FORMATS},
    settings::{Settings, SettingsError},
};
use crate::bridge::{
    motion,
    producer::{self, Outlets, Producer},
    time::{running_time, span},
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "motiondetect",
        gst::DebugColorFlags::empty(),
        Some("From moving pictures to signals"),
    )
});

type Pts = Option<gst::ClockTime>;

/// What runs.
struct State {
    /// `None` also while a frame is looked at: the streaming thread then holds it.
    eye: Option<Box<Eye>>,
    events: Events<Pts>,
    /// The settings that were last read, whether they hold or were refused.
    read: Settings,
    segment: gst::Segment,
    outlets: Outlets,
    /// A frame was dropped since one passed.
    skipped: bool,
    moving: bool,
    observed: u64,
    moved: u64,
    signals: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            eye: None,
            events: Events::new(0),
            read: Settings::default(),
            segment: gst::Segment::default(),
            outlets: Outlets::default(),
            skipped: false,
            moving: false,
            observed: 0,
            moved: 0,
            signals: 0,
        }
    }
}

/// What becomes of a frame.
struct Verdict {
    told: Vec<Told<Pts>>,
    /// Whoever waits for signals up to this frame need wait no longer.
    all_told: bool,
    pads: Vec<gst::Pad>,
    /// The frame before it was dropped.
    skipped: bool,
}

impl State {
    fn judge(
        &mut self,
        time: Option<i64>,
        motion: Option<Motion>,
        pts: Pts,
        drops: bool,
    ) -> Verdict {
        self.observed += 1;
        self.moving = motion.is_some();
        self.moved += u64::from(self.moving);
        // In band each frame tells its own: a gate behind knows no time before it.
        let in_band = self.outlets.pads.is_empty();
        let window = if in_band {
            0
        } else {
            self.read.event_aggregation_window
        };
        self.events.configure(span(window));
        let told = self.events.observe(time, motion, pts);
        self.signals += told.len() as u64;
        let dropped = drops && !self.moving;
        Verdict {
            all_told: self.events.all_told() && told.last().is_none_or(|told| told.at != pts),
            told,
            pads: self.outlets.pads.clone(),
            skipped: std::mem::replace(&mut self.skipped, dropped),
        }
    }
}

#[derive(Properties)]
#[properties(wrapper_type = super::MotionDetect)]
pub(crate) struct MotionDetect {
    #[property(
        name = "sensitivity", nick = "Sensitivity",
        blurb = "How little is motion, by contrast and by size: at least 0.4 % (low), 0.1 % (medium) or 0.02 % (high) of the frame must move in one place, or half of a zone where that is less",
        get, set, type = MotionSensitivity, member = sensitivity, builder(MotionSensitivity::default()).mutable_playing()
    )]
    #[property(
        name = "min-area", nick = "Minimum area",
        blurb = "Share of the frame, from 0 to 1, that must move in one place, or half of a zone where that is less (0 = as the sensitivity says)",
        get, set, type = f64, member = min_area, minimum = 0.0, maximum = 1.0,
        default = Settings::default().min_area, mutable_playing
    )]
    #[property(
        name = "zones", nick = "Zones",
        blurb = "Where motion counts: a polygon such as [[0,0],[1,0],[1,0.5]] in fractions of the frame, a list of polygons, or an object that names them, as JSON (nothing = everywhere); a wrong change while playing is warned of and the old zones stay",
        get, set, nullable, type = Option<String>, member = zones, mutable_playing
    )]
    #[property(
        name = "masks", nick = "Masks",
        blurb = "Where motion never counts, such as a clock in the picture: polygons as in zones",
        get, set, nullable, type = Option<String>, member = masks, mutable_playing
    )]
    #[property(
        name = "event-aggregation-window", nick = "Event aggregation window",
        blurb = "Time in nanoseconds over which the motion of several frames makes one signal, once a first was raised (0 = each frame with motion raises one, as without a signal pad)",
        get, set, type = u64, member = event_aggregation_window, maximum = 10_000_000_000,
        default = Settings::default().event_aggregation_window, mutable_playing
    )]
    #[property(
        name = "drop-still", nick = "Drop still frames",
        blurb = "Whether only frames with motion pass; a gap event stands for each of the others",
        get, set, type = bool, member = drop_still,
        default = Settings::default().drop_still, mutable_playing
    )]
    settings: Mutex<Settings>,
    #[property(
        name = "moving", nick = "Moving",
        blurb = "Whether something moved in the last frame",
        get = |this: &Self| this.lock().moving, type = bool
    )]
    #[property(
        name = "observed", nick = "Observed",
        blurb = "How many frames were looked at since the element started",
        get = |this: &Self| this.lock().observed, type = u64
    )]
    #[property(
        name = "moved", nick = "Moved",
        blurb = "How many frames showed motion since the element started",
        get = |this: &Self| this.lock().moved, type = u64
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

impl MotionDetect {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under this lock")
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings
            .lock()
            .expect("no thread panics under this lock")
    }

    /// Takes over changed settings, or warns and keeps the old ones; says whether to drop frames.
    fn configure(&self, eye: &mut Eye) -> bool {
        let settings = self.settings().clone();
        let drops = settings.drop_still;
        {
            let mut state = self.lock();
            if state.read == settings {
                return drops;
            }
            state.read.clone_from(&settings);
        }
        match Config::try_from(&settings) {
            Ok(config) => eye.configure(config),
            Err(err) => {
                let name = self.obj().name();
                gst::element_imp_warning!(
                    self,
                    gst::LibraryError::Settings,
                    ("{name}: {err}; what counted before still counts")
                );
            }
        }
        drops
    }

    fn tell(&self, pads: &[gst::Pad], told: Vec<Told<Pts>>) -> Result<(), gst::FlowError> {
        for Told { signal, at } in told {
            producer::tell(self, pads, &[signal], at)?;
        }
        Ok(())
    }

    /// What was gathered is told before something ends.
    fn finish(&self) {
        let (told, pads) = {
            let mut state = self.lock();
            let told = state.events.finish();
            state.signals += u64::from(told.is_some());
            (told, state.outlets.pads.clone())
        };
        // Who does not take it any more has said so on its own.
        let _ = self.tell(&pads, told.into_iter().collect());
    }

    /// The scene and what was gathered belong to a stream that is over.
    fn flush(&self) {
        let mut state = self.lock();
        state.events.flush();
        state.moving = false;
        if let Some(eye) = &mut state.eye {
            eye.flush();
        }
    }

    fn set_caps(&self, caps: &gst::CapsRef) -> Result<(), String> {
        let Some(mut eye) = self.lock().eye.take() else {
            return Err("caps came before the start".into());
        };
        let set = eye.set_caps(caps);
        self.lock().eye = Some(eye);
        set
    }

    fn fail(&self, reason: &str) {
        let name = self.obj().name();
        gst::element_imp_error!(self, gst::StreamError::Format, ("{name}: {reason}"));
    }

    fn pass(
        &self,
        buffer: gst::Buffer,
        verdict: &Verdict,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut buffer = buffer;
        if verdict.skipped {
            buffer.make_mut().set_flags(gst::BufferFlags::DISCONT);
        }
        producer::combine(self.srcpad.push(buffer), &verdict.pads)
    }

    /// Says in place of a frame that none comes.
    fn drop_frame(&self, buffer: &gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        if let Some(pts) = buffer.pts() {
            self.srcpad
                .push_event(gst::event::Gap::new(pts, buffer.duration()));
        }
        Ok(gst::FlowSuccess::Ok)
    }

    fn start(&self) -> Result<(), gst::StateChangeError> {
        let settings = self.settings().clone();
        let config = Config::try_from(&settings).map_err(|err: SettingsError| {
            let name = self.obj().name();
            gst::element_imp_error!(self, gst::LibraryError::Settings, ("{name}: {err}"));
            gst::StateChangeError
        })?;
        let mut state = self.lock();
        *state = State {
            eye: Some(Box::new(Eye::new(config))),
            read: settings,
            outlets: std::mem::take(&mut state.outlets),
            ..State::default()
        };
        Ok(())
    }
}

impl Producer for MotionDetect {
    fn sinkpad(&self) -> &gst::Pad {
        &self.sinkpad
    }

    fn srcpad(&self) -> &gst::Pad {
        &self.srcpad
    }

    fn outlets<R>(&self, act: impl FnOnce(&mut Outlets) -> R) -> R {
        act(&mut self.lock().outlets)
    }

    fn chain(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let (eye, segment) = {
            let mut state = self.lock();
            (state.eye.take(), state.segment.clone())
        };
        // Taken out while it works: reading a property must not wait for it.
        let Some(mut eye) = eye else {
            return Err(gst::FlowError::Flushing);
        };
        let drops = self.configure(&mut eye);
        let seen = eye.look(&buffer, &segment);
        let size = eye.size();
        self.lock().eye = Some(eye);
        let motion = seen.map_err(|reason| {
            self.fail(&reason);
            gst::FlowError::Error
        })?;

        if let (Some(motion), Some(size)) = (&motion, size) {
            gst::log!(CAT, imp = self, "{motion:?} at {:?}", buffer.pts());
            motion::attach(buffer.make_mut(), &motion.regions, size);
        }
        let (time, pts) = (running_time(&segment, buffer.pts()), buffer.pts());
        let still = motion.is_none();
        let mut verdict = self.lock().judge(time, motion, pts, drops);
        self.tell(&verdict.pads, std::mem::take(&mut verdict.told))?;
        if verdict.all_told {
            producer::all_told(&verdict.pads, pts);
        }
        if drops && still {
            self.drop_frame(&buffer)
        } else {
            self.pass(buffer, &verdict)
        }
    }

    fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::StreamStart(_) => {
                // The stream before may have ended without a word, as behind concat.
                self.finish();
                self.flush();
            }
            gst::EventView::FlushStop(_) => self.flush(),
            gst::EventView::Caps(caps) => {
                if let Err(reason) = self.set_caps(caps.caps()) {
                    self.fail(&reason);
                    return false;
                }
            }
            gst::EventView::Segment(segment) => {
                self.finish();
                self.lock().segment = segment.segment().clone();
            }
            gst::EventView::Gap(_) | gst::EventView::Eos(_) | gst::EventView::SegmentDone(_) => {
                self.finish();
            }
            _ => {}
        }
        producer::follow(self, &event);
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for MotionDetect {
    const NAME: &'static str = "GstEvrMotionDetect";
    type Type = super::MotionDetect;
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
impl ObjectImpl for MotionDetect {
    fn constructed(&self) {
        self.parent_constructed();
        for pad in [&self.sinkpad, &self.srcpad] {
            self.obj()
                .add_pad(pad)
                .expect("a new element has no pad of this name");
        }
    }
}

impl GstObjectImpl for MotionDetect {}

impl ElementImpl for MotionDetect {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Motion detector",
                "Filter/Analyzer/Video",
                "Says by signals and regions of interest when something moves and where",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            producer::templates(
                &gst_video::VideoCapsBuilder::new()
                    .format_list(FORMATS)
                    .build(),
            )
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
