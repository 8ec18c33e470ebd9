//! `eventsink` writes each recording to a clip, a sidecar and a thumbnail of its own.
//!
//! It stands behind `signalgate`, whose `evr-recording` events say where a recording begins and
//! ends. Encoded streams go into a file that carries the suffix `.part` until it is whole; the
//! sidecar says why it was made. A full or broken disk costs a recording, never the camera.
//!
//! ```sh
//! gst-launch-1.0 -m videotestsrc num-buffers=300 ! x264enc key-int-max=30 ! h264parse ! \
//!     signalgate name=gate ! eventsink location='recordings/%Y%m%dT%H%M%SZ-{id}.mp4'
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use evr_core::recording::container::Container;
use evr_core::recording::name::Template;
use evr_core::recording::retention::Limits;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::ClipContainer;
use super::files;
use super::finish::{DEADLINE, Permits};
use super::journal::Journal;
use super::keeper::Keeper;
use super::muxer;
use super::pads;
use super::recorder::{Action, Config, Recorder};
use super::repair::Repair;
use super::shelf::Shelf;
use crate::bridge::time::span;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "eventsink",
        gst::DebugColorFlags::empty(),
        Some("Writes recordings"),
    )
});

/// Thumbnails that are decoded at once.
const MAX_FINISHING: usize = 2;

#[derive(Debug, Clone)]
struct Settings {
    location: String,
    container: ClipContainer,
    source_id: String,
    epoch: i64,
    fragment_duration: gst::ClockTime,
    thumbnail: bool,
    exact_start: bool,
    journal: bool,
    journal_max_bytes: u64,
    max_total_bytes: u64,
    max_age: gst::ClockTime,
    max_files: u64,
    min_free_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: "recordings/%Y%m%dT%H%M%SZ-{id}.mp4".into(),
            container: ClipContainer::default(),
            source_id: "camera".into(),
            epoch: -1,
            fragment_duration: gst::ClockTime::SECOND,
            thumbnail: true,
            exact_start: false,
            journal: true,
            journal_max_bytes: 16 << 20,
            max_total_bytes: 0,
            max_age: gst::ClockTime::ZERO,
            max_files: 0,
            min_free_bytes: 0,
        }
    }
}

#[derive(Default)]
pub(super) struct State {
    /// `None` while stopped.
    pub(super) recorder: Option<Recorder>,
    /// Recordings whose thread runs.
    pub(super) unfinished: usize,
    /// The streaming thread must not wait for anything any more.
    pub(super) hurry: bool,
    /// Seqnum of the EOS event whose message is due once `unfinished == 0` and the journal is on
    /// disk.
    pub(super) eos: Option<gst::Seqnum>,
    /// Caps that were refused; upstream sends them again with each buffer.
    pub(super) refused: Option<gst::Caps>,
    /// What was decided and is not done yet.
    pub(super) actions: VecDeque<Action>,
    /// A thread does it.
    pub(super) acting: bool,
    /// Exists while running with a limit.
    pub(super) keeper: Option<Keeper>,
    /// Works on what a crash has left.
    repair: Option<Repair>,
    pub(super) removed: u64,
    /// Exists while running with a journal.
    pub(super) journal: Option<Journal>,
    pub(super) unjournaled: u64,
    /// The counters stand until the next start, which sets all of them to 0.
    outside: u64,
    pub(super) recordings: u64,
    pub(super) truncated: u64,
    pub(super) failed: u64,
    pub(super) recovered: u64,
}

impl State {
    fn outside(&self) -> u64 {
        let running = self.recorder.as_ref();
        running.map_or(self.outside, Recorder::outside)
    }
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::EventSink)]
pub struct EventSink {
    #[property(name = "location", get, set, type = String, member = location, nick = "Location", blurb = "Where clips go: a path in which strftime conversions (UTC of the first frame) and {id}, {source}, {label} and {n} are filled in; missing directories are made, a taken name gets -2", default = Some(Settings::default().location.as_str()), mutable_ready)]
    #[property(name = "container", get, set, type = ClipContainer, member = container, default, nick = "Container", blurb = "File format of the clips; which codecs each holds stands in the guide", mutable_ready)]
    #[property(name = "source-id", get, set, type = String, member = source_id, nick = "Source", blurb = "Name of the camera in ids, file names, sidecars and messages", default = Some(Settings::default().source_id.as_str()), mutable_ready)]
    #[property(name = "epoch", get, set, type = i64, member = epoch, nick = "Epoch", blurb = "UTC of running time 0 in nanoseconds since 1970-01-01, for buffers without reference timestamps; -1 takes this machine's clock where the media is live and 1970-01-01 where it is not", minimum = -1, default = Settings::default().epoch, mutable_ready)]
    #[property(name = "fragment-duration", get, set, type = gst::ClockTime, member = fragment_duration, nick = "Fragment duration", blurb = "Nanoseconds of media after which what was written survives a crash", minimum = 100_000_000, default = *Settings::default().fragment_duration, mutable_ready)]
    #[property(name = "thumbnail", get, set, type = bool, member = thumbnail, nick = "Thumbnail", blurb = "Whether a JPEG of the first signal's frame is put beside each clip, with boxes around what the signal says was seen", default = Settings::default().thumbnail, mutable_ready)]
    #[property(name = "exact-start", get, set, type = bool, member = exact_start, nick = "Exact start", blurb = "Whether players begin at the moment that was asked for: the frames from the sync point up to it stay in the file and an edit list hides them; MP4 only", default = Settings::default().exact_start, mutable_ready)]
    #[property(name = "journal", get, set, type = bool, member = journal, nick = "Journal", blurb = "Whether each recording that starts, stops, is available, fails or is recovered is told in a line of events.jsonl too, a CloudEvent in JSON, in the directory of all recordings", default = Settings::default().journal, mutable_ready)]
    #[property(name = "journal-max-bytes", get, set, type = u64, member = journal_max_bytes, nick = "Most bytes of the journal", blurb = "Bytes beyond which events.jsonl becomes events.jsonl.1 and a new one begins; four old ones are kept (0 = it grows)", default = Settings::default().journal_max_bytes, mutable_ready)]
    #[property(name = "max-total-bytes", get, set, type = u64, member = max_total_bytes, nick = "Most bytes", blurb = "Bytes that this source's finished recordings may take together; beyond, the oldest are removed, but never the newest, an open one or one with a .keep file beside it (0 = any)", default = Settings::default().max_total_bytes, mutable_ready)]
    #[property(name = "max-age", get, set, type = gst::ClockTime, member = max_age, nick = "Most age", blurb = "Nanoseconds after which a finished recording of this source is removed, counted from when its sidecar was written (0 = never)", default = *Settings::default().max_age, mutable_ready)]
    #[property(name = "max-files", get, set, type = u64, member = max_files, nick = "Most recordings", blurb = "Number of this source's finished recordings, each with its sidecar and thumbnail, beyond which the oldest are removed (0 = any)", default = Settings::default().max_files, mutable_ready)]
    #[property(name = "min-free-bytes", get, set, type = u64, member = min_free_bytes, nick = "Least free bytes", blurb = "Bytes that the file system shall have left; while it has less, the oldest finished recordings of this source are removed (0 = no matter)", default = Settings::default().min_free_bytes, mutable_ready)]
    settings: Mutex<Settings>,
    #[property(name = "recordings", get = |sink: &Self| sink.state().recordings, type = u64, nick = "Recordings", blurb = "Recordings that are on disk under their final names, truncated ones among them, since the element started")]
    #[property(name = "truncated", get = |sink: &Self| sink.state().truncated, type = u64, nick = "Truncated", blurb = "Recordings on disk that hold less than was promised, since the element started")]
    #[property(name = "failed", get = |sink: &Self| sink.state().failed, type = u64, nick = "Failed", blurb = "Recordings that left no clip under a final name, since the element started")]
    #[property(name = "recovered", get = |sink: &Self| sink.state().recovered, type = u64, nick = "Recovered", blurb = "Recordings that a crash had cut off and that are on disk under their final names now, since the element started")]
    #[property(name = "removed", get = |sink: &Self| sink.state().removed, type = u64, nick = "Removed", blurb = "Finished recordings that were removed because of a limit, since the element started")]
    #[property(name = "unjournaled", get = |sink: &Self| sink.state().unjournaled, type = u64, nick = "Unjournaled", blurb = "Lines that the journal lacks because it could not be written, since the element started")]
    #[property(name = "unfinished", get = |sink: &Self| sink.state().unfinished as u64, type = u64, nick = "Unfinished", blurb = "Recordings that are being written or finished now")]
    #[property(name = "outside", get = |sink: &Self| sink.state().outside(), type = u64, nick = "Outside", blurb = "Buffers that were dropped because they came between two recordings, since the element started")]
    state: Mutex<State>,
    /// `state.unfinished` or `state.hurry` has changed.
    pub(super) changed: Condvar,
    pub(super) permits: Arc<Permits>,
}

impl Default for EventSink {
    fn default() -> Self {
        Self {
            settings: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            permits: Arc::new(Permits::new(MAX_FINISHING)),
        }
    }
}

impl EventSink {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks the settings while a mistake can still be told before any media flows.
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings().clone();
        let container = settings.container.into();
        let name = self.obj().name();
        let template = Template::parse(&settings.location, container)
            .map_err(|err| gst::error_msg!(gst::ResourceError::Settings, ("{name}: {err}")))?;
        let directory = template.directory();
        files::try_directory(&directory).map_err(|err| {
            gst::error_msg!(
                gst::ResourceError::OpenWrite,
                (
                    "{name}: location is {:?}, but the directory {directory:?} cannot be written \
                     to ({err}): make it writable or set another location",
                    settings.location
                )
            )
        })?;
        let missing = muxer::missing_elements(container);
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(gst::error_msg!(
                gst::CoreError::MissingPlugin,
                ("{name}: GStreamer has no {missing}: install its base, good and bad plugins")
            ));
        }
        let limits = Limits {
            max_total_bytes: settings.max_total_bytes,
            max_age: span(settings.max_age.nseconds()),
            max_files: settings.max_files,
            min_free_bytes: settings.min_free_bytes,
        };
        let directory = files::directory_path(&directory);
        let journal = settings
            .journal
            .then(|| self.journal(&directory, settings.journal_max_bytes))
            .transpose()?;
        let shelf = Shelf {
            directory,
            depth: template.depth(),
            source: settings.source_id.clone(),
        };
        let keeper = self.keeper(shelf.clone(), limits)?;
        let mut recorder = Recorder::new(Config {
            template,
            container,
            source: settings.source_id,
            epoch: Some(settings.epoch).filter(|epoch| *epoch >= 0),
            fragment: settings.fragment_duration,
            thumbnail: settings.thumbnail,
            exact_start: settings.exact_start,
        });
        for kind in self.kinds() {
            recorder.add(kind);
        }
        let mut state = self.state();
        state.recorder = Some(recorder);
        state.keeper = keeper;
        state.journal = journal;
        state.hurry = false;
        state.eos = None;
        state.refused = None;
        state.outside = 0;
        state.recordings = 0;
        state.truncated = 0;
        state.failed = 0;
        state.removed = 0;
        state.unjournaled = 0;
        state.recovered = 0;
        drop(state);
        // What it finds is counted, journaled and kept like any other recording.
        let repair = self.repair(shelf, (settings.thumbnail, settings.journal))?;
        self.state().repair = Some(repair);
        Ok(())
    }

    /// Nothing waits any more; called before the pads are shut.
    pub(super) fn hurry(&self, hurry: bool) {
        self.state().hurry = hurry;
        self.changed.notify_all();
    }

    /// Ends what is open and waits until it is on disk; called after the pads are shut.
    fn stop(&self) {
        let why = "the element was stopped within the recording";
        self.act(|recorder| recorder.stop(why));
        let patience = Instant::now() + DEADLINE + DEADLINE;
        let mut state = self.state();
        while state.unfinished > 0 {
            let left = patience.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.outside = state.outside();
        state.recorder = None;
        state.eos = None;
        let repair = state.repair.take();
        drop(state);
        // It tells the other two.
        if let Some(repair) = repair {
            repair.stop();
        }
        let mut state = self.state();
        let (keeper, journal) = (state.keeper.take(), state.journal.take());
        drop(state);
        if let Some(journal) = journal {
            journal.stop();
        }
        if let Some(keeper) = keeper {
            keeper.stop();
        }
    }

    /// Changes what is known, of which nothing follows yet.
    pub(super) fn decide(&self, decide: impl FnOnce(&mut Recorder)) {
        if let Some(recorder) = &mut self.state().recorder {
            decide(recorder);
        }
    }

    pub(super) fn container(&self) -> Container {
        self.settings().container.into()
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for EventSink {
    const NAME: &'static str = "GstEvrEventSink";
    type Type = super::EventSink;
    type ParentType = gst::Element;
}

#[glib::derived_properties]
impl ObjectImpl for EventSink {
    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            // As splitmuxsink's: the number of the recording goes in, a path comes back. The first
            // handler that gives one decides.
            let format_location = glib::subclass::Signal::builder("format-location")
                .param_types([u32::static_type()])
                .return_type::<Option<String>>()
                .run_last()
                .accumulator(|_, _, value| match value.get::<Option<String>>() {
                    Ok(Some(_)) => std::ops::ControlFlow::Break(value.clone()),
                    _ => std::ops::ControlFlow::Continue(value.clone()),
                });
            vec![format_location.build()]
        });
        &SIGNALS
    }

    fn constructed(&self) {
        self.parent_constructed();
        // Bins wait for the EOS message of what says that it is a sink.
        self.obj().set_element_flags(gst::ElementFlags::SINK);
    }
}

impl GstObjectImpl for EventSink {}

impl ElementImpl for EventSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Event recording sink",
                "Sink/File/Video",
                "Writes each recording that signalgate opens to a clip with a JSON sidecar",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        pads::templates()
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        self.new_pad(template, name)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        self.drop_pad(pad);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::ReadyToPaused => self.start().map_err(|err| {
                self.post_error_message(err);
                gst::StateChangeError
            })?,
            gst::StateChange::PausedToReady => self.hurry(true),
            _ => {}
        }
        let done = self.parent_change_state(transition)?;
        if transition == gst::StateChange::PausedToReady {
            self.stop();
        }
        Ok(done)
    }

    /// Events for the pipeline, such as seeks, go upstream from here as from any sink; what ends or
    /// flushes a stream is meant for all of them. A flush can go either way.
    fn send_event(&self, event: gst::Event) -> bool {
        let pads = self.obj().sink_pads();
        if !event.is_downstream() {
            return pads.first().is_some_and(|pad| pad.push_event(event));
        }
        let taken = pads.iter().map(|pad| pad.send_event(event.clone()));
        taken.fold(!pads.is_empty(), |all, taken| all & taken)
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        self.obj()
            .sink_pads()
            .first()
            .is_some_and(|pad| pad.peer_query(query))
    }
}
