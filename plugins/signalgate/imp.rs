//! The element: its settings, pads and states. Media comes in by `feed`, signals by `signals`,
//! decided media goes out by `push`; every decision is the core gate's.
//!
//! One lock, `state`, guards the gate and all queues. It is held to feed the gate and to collect
//! what it decided, never to push, post, query or notify.

use std::{
    collections::BTreeMap,
    sync::{
        Condvar, LazyLock, Mutex, MutexGuard,
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
    /// An instant (ns since 1970) and its running time, as the media last told.
    pub(super) reference: Option<(Nanos, Nanos)>,
    /// Action signals without an id so far.
    pub(super) actions: u64,
    /// Lines that were no signals.
    pub(super) rejected: u64,
    /// What of `stats` has been warned of.
    warned: Stats,
    next_pad: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            gate: Gate::new(Config::default()),
            streams: BTreeMap::new(),
            signal_pads: BTreeMap::new(),
            decoded: None,
            reference: None,
            actions: 0,
            rejected: 0,
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
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.reset_after_flush();
        }
    }

    /// What has happened since the last time that a user should know of.
    pub(super) fn take_warnings(&mut self) -> Warnings {
        let (now, warned) = (self.gate.stats(), self.warned);
        self.warned = now;
        Warnings {
            forced: now.forced > warned.forced,
            oversized: now.oversized > warned.oversized,
        }
    }
}

/// What a user should know of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Warnings {
    forced: bool,
    oversized: bool,
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
    /// Something was decided, pushed or flushed.
    pub(super) wake: Condvar,
    #[property(
        name = "open", nick = "Open",
        blurb = "Whether a recording is going through",
        get = |this: &Self| this.open.load(Ordering::Relaxed), type = bool
    )]
    pub(super) open: AtomicBool,
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

    fn stats(&self) -> Stats {
        self.lock().gate.stats()
    }

    fn stats_structure(&self) -> gst::Structure {
        let (stats, rejected) = {
            let state = self.lock();
            (state.gate.stats(), state.rejected)
        };
        gst::Structure::builder("application/x-evr-gate-stats")
            .field("held-time", stats.held_time.unsigned_abs())
            .field("held-bytes", stats.held_bytes)
            .field("held-buffers", stats.held_buffers)
            .field("gop-time", stats.gop_time.unsigned_abs())
            .field("signal-lag", stats.signal_lag.max(0).unsigned_abs())
            .field("accepted", stats.accepted)
            .field("late", stats.late)
            .field("ignored", stats.ignored)
            .field("rejected", rejected)
            .field("recordings", stats.recordings)
            .field("short", stats.short)
            .field("empty", stats.empty)
            .field("forced", stats.forced)
            .field("evicted", stats.evicted)
            .field("oversized", stats.oversized)
            .build()
    }

    /// Tells the user what the gate had to do against its wish.
    pub(super) fn warn(&self, warnings: Warnings) {
        let name = self.obj().name();
        if warnings.forced {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Failed,
                ("{name} decided before all signals were known: the analysis is too far behind, \
                     raise max-size-bytes or max-signal-lag, or let the analysis skip frames")
            );
        }
        if warnings.oversized {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Failed,
                ("{name} holds a single group of pictures larger than its bounds: raise \
                     max-size-bytes, -time or -buffers, or shorten the camera's keyframe interval")
            );
        }
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

    /// A src pad becomes active, or is taken down: then whoever waits for it is let go first.
    fn activate_src(
        &self,
        id: StreamId,
        pad: &gst::Pad,
        active: bool,
    ) -> Result<(), gst::LoggableError> {
        let flow = if active {
            Ok(gst::FlowSuccess::Ok)
        } else {
            Err(gst::FlowError::Flushing)
        };
        self.with_stream(id, |stream| stream.reset(flow));
        self.wake.notify_all();
        if active {
            return self.start_task(id, pad);
        }
        pad.stop_task()
            .map_err(|err| gst::loggable_error!(CAT, "Could not stop the task: {err}"))
    }

    /// The sink and the src pad of one stream.
    fn media_pads(
        id: StreamId,
        (sink, sink_name): (&gst::PadTemplate, &str),
        (src, src_name): (&gst::PadTemplate, &str),
    ) -> (gst::Pad, gst::Pad) {
        // No PROXY_ALLOCATION: held buffers would starve a pool of downstream's.
        let sink = gst::Pad::builder_from_template(sink)
            .name(sink_name)
            .flags(gst::PadFlags::PROXY_CAPS)
            .chain_function(move |_, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |this| this.feed(id, buffer),
                )
            })
            .event_function(move |pad, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |this| this.sink_event(id, pad, event),
                )
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |this| this.sink_query(pad, query))
            })
            .iterate_internal_links_function(move |pad, parent| Self::linked(id, pad, parent))
            .build();
        let src = gst::Pad::builder_from_template(src)
            .name(src_name)
            .flags(gst::PadFlags::PROXY_CAPS)
            .activatemode_function(move |pad, parent, _, active| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::loggable_error!(CAT, "The element has panicked before")),
                    |this| this.activate_src(id, pad, active),
                )
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |this| this.src_event(pad, event))
            })
            .iterate_internal_links_function(move |pad, parent| Self::linked(id, pad, parent))
            .build();
        (sink, src)
    }

    /// The other pad of the stream: the only one that caps and queries have anything to do with.
    fn linked(
        id: StreamId,
        pad: &gst::Pad,
        parent: Option<&gst::Object>,
    ) -> gst::Iterator<gst::Pad> {
        let other = parent
            .and_then(|parent| parent.downcast_ref::<super::SignalGate>())
            .and_then(|element| {
                element.imp().with_stream(id, |stream| {
                    if pad == &stream.sink {
                        stream.src.clone()
                    } else {
                        stream.sink.clone()
                    }
                })
            });
        gst::Iterator::from_vec(other.into_iter().collect())
    }

    /// Held media says nothing of how downstream keeps up.
    fn src_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        event.type_() == gst::EventType::Qos
            || gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.type_() {
            gst::QueryType::Allocation => false,
            // Draining is what the gate must not do; it keeps references, which is as good.
            gst::QueryType::Drain => true,
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
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

    /// The name a pad shall have: the one asked for, or the prefix with the next free number.
    fn free_name(&self, prefix: &str, asked: Option<&str>) -> Option<String> {
        let free = |name: &String| self.obj().static_pad(name).is_none();
        match asked.filter(|name| name.strip_prefix(prefix).is_some_and(|rest| rest != "_%u")) {
            Some(name) => Some(name.to_owned()).filter(free),
            None => (0u32..).map(|n| format!("{prefix}_{n}")).find(free),
        }
    }

    fn add(&self, pad: &gst::Pad) -> Option<gst::Pad> {
        if let Err(err) = self.obj().add_pad(pad) {
            gst::error!(
                CAT,
                imp = self,
                "Could not add the pad {}: {err}",
                pad.name()
            );
            return None;
        }
        Some(pad.clone())
    }

    /// A secondary stream: `sink_N` and, at once, its `src_N`.
    fn add_media_pads(&self, template: &gst::PadTemplate, name: Option<&str>) -> Option<gst::Pad> {
        let sink_name = self.free_name("sink", name)?;
        let src_name = sink_name.replacen("sink", "src", 1);
        let src_template = self.obj().pad_template("src_%u")?;
        let id = {
            let mut state = self.lock();
            state.next_pad += 1;
            StreamId(state.next_pad)
        };
        let (sink, src) = Self::media_pads(id, (template, &sink_name), (&src_template, &src_name));
        self.decide(|state| {
            state.streams.insert(id, Stream::new(&sink, &src));
            state.gate.add_stream(id);
        });
        if self.obj().current_state() >= gst::State::Paused {
            let _ = src.set_active(true);
        }
        self.add(&src)?;
        self.add(&sink)
    }

    fn release_media_pads(&self, sink: &gst::Pad) {
        let found = {
            let state = self.lock();
            let found = state
                .streams
                .iter()
                .find(|(_, stream)| stream.sink == *sink);
            found.map(|(&id, stream)| (id, stream.src.clone()))
        };
        let Some((id, src)) = found else { return };
        let _ = src.set_active(false);
        self.decide(|state| {
            state.streams.remove(&id);
            state.gate.remove_stream(id);
        });
        let _ = self.obj().remove_pad(&src);
    }

    fn add_signal_pad(&self, template: &gst::PadTemplate, name: &str) -> gst::Pad {
        let id = {
            let mut state = self.lock();
            state.next_pad += 1;
            PadId(state.next_pad)
        };
        let pad = gst::Pad::builder_from_template(template)
            .name(name)
            .chain_function(move |_, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |this| this.signal_chain(id, buffer),
                )
            })
            .event_function(move |_, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |this| this.signal_event(id, &event),
                )
            })
            .iterate_internal_links_function(|_, _| gst::Iterator::from_vec(Vec::new()))
            .build();
        self.decide(|state| {
            state.signal_pads.insert(id, SignalPad::new(id, &pad));
            state.gate.add_pad(id);
        });
        pad
    }
}

#[glib::object_subclass]
impl ObjectSubclass for SignalGate {
    const NAME: &'static str = "GstEvrSignalGate";
    type Type = super::SignalGate;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let template = |name: &str| class.pad_template(name).expect("declared in pad_templates");
        let (sinkpad, srcpad) = Self::media_pads(
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
            wake: Condvar::new(),
            open: AtomicBool::new(false),
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
        let pad = match template.name_template() {
            "sink_%u" => return self.add_media_pads(template, name),
            "signal" if self.obj().static_pad("signal").is_some() => {
                gst::error!(
                    CAT,
                    imp = self,
                    "The pad signal is taken: ask for signal_0, signal_1, …"
                );
                return None;
            }
            "signal" => self.add_signal_pad(template, "signal"),
            _ => self.add_signal_pad(template, &self.free_name("signal", name)?),
        };
        self.add(&pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let signal = self
            .lock()
            .signal_pads
            .values()
            .find(|it| it.pad == *pad)
            .map(|it| it.id);
        if let Some(id) = signal {
            self.decide(|state| {
                state.signal_pads.remove(&id);
                state.gate.remove_pad(id);
            });
        } else {
            self.release_media_pads(pad);
        }
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
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
            self.open.store(false, Ordering::Relaxed);
        }
        Ok(success)
    }
}
