//! The element: its settings, pads and states. Media comes in by `feed`, signals by `signals`,
//! decided media goes out by `push`; every decision is the core gate's.
//!
//! One lock, `state`, guards the gate and all queues. It is held to feed the gate and to collect
//! what it decided, never to push, post, query or notify.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use evr_core::{
    gate::{Config, Gate, PadId, REFERENCE, Stats, StreamId},
    signal::Action,
    time::Nanos,
};
use glib::Properties;
use gst::{prelude::*, subclass::prelude::*};

use super::{
    push::{Media, Stream},
    settings::Settings,
    signals::SignalPad,
};
use crate::bridge;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "signalgate",
        gst::DebugColorFlags::empty(),
        Some("Gate that opens on signals"),
    )
});

/// What runs. Reset whenever the element starts.
pub(super) struct State {
    pub(super) gate: Gate<Media>,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    pub(super) signal_pads: BTreeMap<PadId, SignalPad>,
    /// DTS (else PTS) of the newest reference buffer.
    pub(super) decoded: Option<Nanos>,
    /// Where the media stood when gaps were last said again.
    pub(super) repeated: Nanos,
    /// An instant (ns since 1970) and its running time, as the media last told.
    pub(super) reference: Option<(Nanos, Nanos)>,
    /// Action signals without an id so far.
    pub(super) actions: u64,
    /// Lines that were no signals.
    pub(super) rejected: u64,
    /// How many threads that feed wait for room.
    pub(super) waiting: usize,
    /// What of `stats` has been warned of.
    pub(super) warned: Stats,
    /// The last number given to a pad.
    pub(super) next_pad: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            gate: Gate::new(Config::default()),
            streams: BTreeMap::new(),
            signal_pads: BTreeMap::new(),
            decoded: None,
            repeated: Nanos::MIN,
            reference: None,
            actions: 0,
            rejected: 0,
            waiting: 0,
            warned: Stats::default(),
            next_pad: 0,
        }
    }
}

impl State {
    /// A gate that has seen nothing, with the pads that there are.
    fn restart(&mut self, config: Config) {
        self.gate = Gate::new(config);
        (self.decoded, self.reference) = (None, None);
        self.repeated = Nanos::MIN;
        (self.actions, self.rejected, self.warned) = (0, 0, Stats::default());
        for pad in self.signal_pads.values_mut() {
            *pad = SignalPad::new(pad.id, &pad.pad);
            self.gate.add_pad(pad.id);
        }
        for (&id, stream) in &mut self.streams {
            if id != REFERENCE {
                self.gate.add_stream(id);
            }
            stream.restart();
        }
    }

    /// After a flush of one stream: its queue is empty and takes buffers again.
    pub(super) fn reset_after_flush(&mut self, id: StreamId) {
        if id == REFERENCE {
            (self.decoded, self.reference) = (None, None);
            self.repeated = Nanos::MIN;
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.reset_after_flush();
        }
    }
}

#[derive(Properties)]
#[properties(wrapper_type = super::SignalGate)]
pub(crate) struct SignalGate {
    #[property(
        name = "activation-evaluation-window", nick = "Activation evaluation window",
        blurb = "How long after the first signal's arrival one with an earlier media time may still move the start back, in nanoseconds of media time; only where some signal pad promises no watermarks",
        get, set, type = u64, member = evaluation_window,
        default = Settings::default().evaluation_window, mutable_ready
    )]
    #[property(
        name = "activation-signal-offset", nick = "Activation signal offset",
        blurb = "Added to the media time of the first signal to get the start of the recording, in nanoseconds; negative is pre-roll",
        get, set, type = i64, member = signal_offset,
        minimum = i64::MIN, maximum = i64::MAX,
        default = Settings::default().signal_offset, mutable_ready
    )]
    #[property(
        name = "minimum-activation-time", nick = "Minimum activation time",
        blurb = "How long one trigger keeps the gate open, in nanoseconds from its media time",
        get, set, type = u64, member = minimum_activation,
        default = Settings::default().minimum_activation, mutable_ready
    )]
    #[property(
        name = "maximum-activation-time", nick = "Maximum activation time",
        blurb = "The longest a recording goes on after its first signal, in nanoseconds; later signals begin the next",
        get, set, type = u64, member = maximum_activation,
        default = Settings::default().maximum_activation, mutable_ready
    )]
    #[property(
        name = "signal-latency", nick = "Signal latency",
        blurb = "How far behind the media the signals of a pad without watermarks are waited for, in nanoseconds",
        get, set, type = u64, member = signal_latency,
        default = Settings::default().signal_latency, mutable_ready
    )]
    #[property(
        name = "max-signal-lag", nick = "Maximum signal lag",
        blurb = "How far a pad with watermarks may fall behind the media before it is waited for no longer, in nanoseconds",
        get, set, type = u64, member = max_signal_lag,
        default = Settings::default().max_signal_lag, mutable_ready
    )]
    #[property(
        name = "max-size-bytes", nick = "Maximum size in bytes",
        blurb = "The most that is held, in bytes of all streams (0 = no bound); whole groups of pictures go, the last never",
        get, set, type = u64, member = max_size_bytes,
        default = Settings::default().max_size_bytes, mutable_ready
    )]
    #[property(
        name = "max-size-time", nick = "Maximum size in time",
        blurb = "The most that is held, in nanoseconds of the reference stream (0 = no bound)",
        get, set, type = u64, member = max_size_time,
        default = Settings::default().max_size_time, mutable_ready
    )]
    #[property(
        name = "max-size-buffers", nick = "Maximum size in buffers",
        blurb = "The most that is held, in buffers of all streams (0 = no bound)",
        get, set, type = u64, member = max_size_buffers,
        default = Settings::default().max_size_buffers, mutable_ready
    )]
    #[property(
        name = "epoch", nick = "Epoch",
        blurb = "The instant of running time 0 for signals that tell their time in UTC, in nanoseconds since 1970 (-1 = by the media's reference timestamps, else by the clock)",
        get, set, type = i64, member = epoch, minimum = -1, maximum = i64::MAX,
        default = Settings::default().epoch, mutable_playing
    )]
    #[property(
        name = "request-keyframe", nick = "Request keyframe",
        blurb = "Whether upstream is asked for a keyframe when the gate opens, so that the next group of pictures begins soon",
        get, set, type = bool, member = request_keyframe,
        default = Settings::default().request_keyframe, mutable_playing
    )]
    pub(super) settings: Mutex<Settings>,
    #[property(
        name = "held-time", nick = "Held time",
        blurb = "What is held of the reference stream, in nanoseconds",
        get = |this: &Self| this.stats().held_time.unsigned_abs(), type = u64
    )]
    #[property(
        name = "held-bytes", nick = "Held bytes",
        blurb = "What is held of all streams, in bytes",
        get = |this: &Self| this.stats().held_bytes, type = u64
    )]
    pub(super) state: Mutex<State>,
    /// A task has something to push, or shall end.
    pub(super) work: Condvar,
    /// A thread that feeds may go on, or shall end.
    pub(super) room: Condvar,
    #[property(
        name = "open", nick = "Open",
        blurb = "Whether a recording is going through",
        get = |this: &Self| this.open.load(Ordering::Relaxed), type = bool
    )]
    pub(super) open: AtomicBool,
    /// This element, for what its pads call; empty until it is constructed.
    pub(super) owner: Arc<glib::WeakRef<super::SignalGate>>,
    pub(super) sinkpad: gst::Pad,
    srcpad: gst::Pad,
}

impl SignalGate {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under this lock")
    }

    pub(super) fn with_stream<R>(
        &self,
        id: StreamId,
        act: impl FnOnce(&mut Stream) -> R,
    ) -> Option<R> {
        self.lock().streams.get_mut(&id).map(act)
    }

    /// Tells whether a recording is going through.
    pub(super) fn set_open(&self, open: bool) {
        if self.open.swap(open, Ordering::Relaxed) != open {
            self.obj().notify("open");
        }
    }

    fn stats(&self) -> Stats {
        self.lock().gate.stats()
    }

    pub(super) fn request_keyframe(&self) {
        let wanted = self
            .settings
            .lock()
            .expect("no thread panics under this lock")
            .request_keyframe;
        if wanted {
            let event = gst_video::UpstreamForceKeyUnitEvent::builder()
                .all_headers(true)
                .build();
            self.sinkpad.push_event(event);
        }
    }

    /// Begins anew with the settings as they are, if they go together.
    fn start(&self) -> Result<(), gst::StateChangeError> {
        let config = Config::from(
            &*self
                .settings
                .lock()
                .expect("no thread panics under this lock"),
        );
        if let Err(err) = config.validate() {
            gst::element_imp_error!(
                self,
                gst::LibraryError::Settings,
                ("{}: {err}", self.obj().name())
            );
            return Err(gst::StateChangeError);
        }
        self.lock().restart(config);
        Ok(())
    }
}

#[glib::object_subclass]
impl ObjectSubclass for SignalGate {
    const NAME: &'static str = "GstEvrSignalGate";
    type Type = super::SignalGate;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let template = |name: &str| class.pad_template(name).expect("declared in pad_templates");
        let owner = Arc::default();
        let (sinkpad, srcpad) = Self::media_pads(
            Arc::clone(&owner),
            REFERENCE,
            (&template("sink"), "sink"),
            (&template("src"), "src"),
        );
        let mut state = State::default();
        state
            .streams
            .insert(REFERENCE, Stream::new(&sinkpad, &srcpad));
        Self {
            settings: Mutex::default(),
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            open: AtomicBool::new(false),
            owner,
            sinkpad,
            srcpad,
        }
    }
}

impl ObjectImpl for SignalGate {
    fn properties() -> &'static [glib::ParamSpec] {
        // The derive macro knows no structures; the rest is its work.
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                .nick("Statistics")
                .blurb("Counters and sizes since the element started, times in nanoseconds")
                .read_only()
                .build();
            SignalGate::derived_properties()
                .iter()
                .cloned()
                .chain([stats])
                .collect()
        });
        &PROPERTIES
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats_structure().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, value, pspec);
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            let action = |name: &'static str, action: Action| {
                glib::subclass::Signal::builder(name)
                    .param_types([String::static_type()])
                    .return_type::<String>()
                    .action()
                    .class_handler(move |args| {
                        let element = args[0].get::<super::SignalGate>().ok()?;
                        let json = args[1].get::<Option<String>>().ok()?;
                        Some(element.imp().act(action, json).to_value())
                    })
                    .build()
            };
            vec![
                action("trigger", Action::Trigger),
                action("start", Action::Start),
                action("stop", Action::Stop),
            ]
        });
        &SIGNALS
    }

    fn constructed(&self) {
        self.parent_constructed();
        self.owner.set(Some(&self.obj()));
        for pad in [&self.sinkpad, &self.srcpad] {
            self.obj()
                .add_pad(pad)
                .expect("its name is taken by no other pad yet");
        }
    }
}

impl GstObjectImpl for SignalGate {}

impl ElementImpl for SignalGate {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Signal gate",
                "Filter/Video/Audio",
                "Holds media back and lets through what signals speak of, with the seconds before it",
                "The gst-plugin-evr developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            use gst::{PadDirection::*, PadPresence::*};
            let any = gst::Caps::new_any();
            let json = bridge::signal::any_caps();
            [
                ("sink", Sink, Always, &any),
                ("src", Src, Always, &any),
                ("signal", Sink, Request, &json),
                ("signal_%u", Sink, Request, &json),
                ("sink_%u", Sink, Request, &any),
                ("src_%u", Src, Sometimes, &any),
            ]
            .map(|(name, direction, presence, caps)| {
                gst::PadTemplate::new(name, direction, presence, caps)
                    .expect("the names are in the form GStreamer wants")
            })
            .into()
        });
        &TEMPLATES
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        self.request_pad(template, name)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        self.release_any_pad(pad);
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
            // Held media goes now, not when the element is next used.
            self.lock().restart(Config::default());
            self.set_open(false);
        }
        Ok(success)
    }
}
