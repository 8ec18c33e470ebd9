//! The source inside: opens the recording or the camera, and gives pictures their times and their
//! pace.

use std::sync::{
    Arc, LazyLock, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use evr_zed::sdk::Sdk;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{base_src::CreateSuccess, prelude::*},
};

use super::{
    ZedSrc,
    asked::{Way, Wishes},
    device::library,
    live::{self, Live},
    play::{self, Played, frame_time},
    settings::Settings,
    times::FileTimes,
};
use crate::bridge::time::{clock_time, span, utc_of_running_time_0};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "zedsrc",
        gst::DebugColorFlags::empty(),
        Some("ZED stereo cameras and their recordings"),
    )
});

/// What makes the pictures.
enum Pictures {
    Played(Box<Played>),
    Live(Box<Live>),
}

#[derive(Default)]
struct State {
    /// `None` also while a picture is waited for: the streaming thread then holds it.
    pictures: Option<Pictures>,
    /// Of an SVO file that the SDK plays: its pictures were taken long ago.
    times: Option<FileTimes>,
    recording: bool,
    interrupted: Option<Arc<AtomicBool>>,
    real_time: bool,
    frame: Option<gst::ClockTime>,
    /// How long it takes from the end of a picture's time until it leaves.
    latency: gst::ClockTime,
    duration: Option<gst::ClockTime>,
    caps: Option<gst::Caps>,
    dropped: u64,
    /// The last seek: it comes once by each pad that something is linked to.
    sought: Option<gst::Seqnum>,
}

#[derive(Default)]
pub(crate) struct Source {
    state: Mutex<State>,
}

impl Source {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under this lock")
    }

    /// The element that users know, which holds the properties and speaks.
    fn owner(&self) -> Option<ZedSrc> {
        self.obj().parent().and_downcast()
    }

    fn settings(&self) -> Settings {
        let owner = self.owner();
        owner.map_or_else(Settings::default, |owner| owner.imp().settings())
    }

    fn wishes(&self) -> Wishes {
        let owner = self.owner();
        owner.map_or_else(|| Settings::default().wishes(), |it| it.imp().wishes())
    }

    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Opens a recording, which the SDK was to play but for the reason in `no_sdk`; what is to be
    /// known of it goes to the state.
    fn start_file(&self, settings: &Settings, no_sdk: Option<String>) -> Result<(), String> {
        let mut warnings = Vec::new();
        let played = Played::open(settings, &mut warnings);
        let played = played.map_err(|reason| match &no_sdk {
            Some(why) => format!("{reason}. Nor does the SDK help: {why}"),
            None => reason,
        })?;
        warnings.extend(no_sdk.map(|why| format!("svo-file-path is read without the SDK: {why}")));
        let info = played.output();
        *self.lock() = State {
            interrupted: Some(played.interrupted()),
            real_time: settings.real_time,
            frame: frame_time(info.fps()),
            latency: gst::ClockTime::try_from(played.made_in).unwrap_or_default(),
            duration: played.duration(),
            caps: info.to_caps().ok(),
            pictures: Some(Pictures::Played(Box::new(played))),
            ..State::default()
        };
        for text in warnings {
            self.warn(&text);
        }
        Ok(())
    }

    fn running_time(&self) -> Option<gst::ClockTime> {
        self.obj().current_running_time()
    }

    /// The next picture of a recording.
    fn play(&self, played: &mut Played) -> Result<gst::Buffer, gst::FlowError> {
        loop {
            match played.next(|| self.running_time().unwrap_or_default()) {
                Ok(play::Next::Picture(buffer)) => return Ok(buffer),
                Ok(play::Next::Late(time)) => {
                    self.lock().dropped += 1;
                    gst::debug!(CAT, imp = self, "late: {time:?}");
                }
                Ok(play::Next::End) => return Err(gst::FlowError::Eos),
                Ok(play::Next::Interrupted) => return Err(gst::FlowError::Flushing),
                Err(reason) => return Err(self.fail(gst::ResourceError::Read, &reason)),
            }
        }
    }

    /// Whether an SVO file is being written.
    pub(super) fn is_recording(&self) -> bool {
        self.lock().recording
    }

    /// The next picture of a camera.
    fn shoot(&self, live: &mut Live) -> Result<gst::Buffer, gst::FlowError> {
        loop {
            live.set(self.wishes());
            self.lock().recording = live.is_recording();
            match live.next() {
                Ok(live::Next::Picture(picture)) => return Ok(self.stamp(picture)),
                Ok(live::Next::Warning(text)) => self.warn(&text),
                Ok(live::Next::End) => return Err(gst::FlowError::Eos),
                Ok(live::Next::Interrupted) => return Err(gst::FlowError::Flushing),
                Err(reason) => return Err(self.fail(gst::ResourceError::Read, &reason)),
            }
        }
    }

    /// Gives a camera's picture the running time at which it was taken, and one of an SVO file its
    /// time in the file, or at the file's pace.
    fn stamp(&self, picture: live::Picture) -> gst::Buffer {
        let utc_of_0 = utc_of_running_time_0(&*self.obj());
        let taken = |utc| clock_time(span(picture.captured).saturating_sub(utc));
        let running = self.running_time().unwrap_or_default();
        let mut state = self.lock();
        let paced = state.real_time.then_some(running);
        let pts = match &mut state.times {
            None => utc_of_0.map_or(running, |utc| taken(utc).min(running)),
            Some(times) => times.of(picture.captured, paced),
        };
        let mut buffer = picture.buffer;
        let fields = buffer.make_mut();
        fields.set_pts(pts);
        fields.set_duration(state.frame);
        state.dropped += picture.lost;
        buffer
    }

    /// Opens a camera, by the SDK's library where that is open already; what is to be known of it
    /// goes to the state.
    fn start_live(&self, settings: &Settings, library: Option<Arc<Sdk>>) -> Result<(), String> {
        let live = Live::open(settings, library)?;
        let info = live.output();
        *self.lock() = State {
            interrupted: Some(live.interrupted()),
            real_time: settings.is_live(),
            times: settings.names_svo().then(FileTimes::default),
            frame: frame_time(info.fps()),
            latency: gst::ClockTime::try_from(live.latency).unwrap_or_default(),
            caps: info.to_caps().ok(),
            pictures: Some(Pictures::Live(Box::new(live))),
            ..State::default()
        };
        Ok(())
    }

    fn fail(&self, kind: gst::ResourceError, reason: &str) -> gst::FlowError {
        if let Some(owner) = self.owner() {
            gst::element_error!(owner, kind, ("{}: {reason}", owner.name()));
        }
        gst::FlowError::Error
    }

    fn warn(&self, text: &str) {
        if let Some(owner) = self.owner() {
            let kind = gst::ResourceError::Failed;
            gst::element_warning!(owner, kind, ("{}: {text}", owner.name()));
        }
    }

    fn interrupt(&self, interrupt: bool) {
        if let Some(interrupted) = &self.lock().interrupted {
            interrupted.store(interrupt, Ordering::Release);
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Source {
    const NAME: &'static str = "GstEvrZedSrcPictures";
    type Type = super::Source;
    type ParentType = gst_base::PushSrc;
}

impl ObjectImpl for Source {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_format(gst::Format::Time);
    }
}

impl GstObjectImpl for Source {}

impl ElementImpl for Source {
    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| vec![super::imp::template()]);
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            // The base class asks before it starts.
            let settings = self.settings();
            self.obj().set_live(settings.is_live());
            self.obj().set_property("num-buffers", settings.num_buffers);
        }
        self.parent_change_state(transition)
    }
}

impl BaseSrcImpl for Source {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings();
        let wrong = |reason: String| {
            let name = self.owner().map(|owner| owner.name()).unwrap_or_default();
            gst::error_msg!(gst::ResourceError::NotFound, ("{name}: {reason}"))
        };
        let started = match settings.way() {
            Way::File => self.start_file(&settings, None),
            Way::Svo => match library(&settings) {
                Ok(library) => self.start_live(&settings, Some(library)),
                Err(lacks) => self.start_file(&settings, Some(lacks)),
            },
            Way::Sdk | Way::Uvc | Way::Either => self.start_live(&settings, None),
        };
        started.map_err(wrong)
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let mut state = self.lock();
        let dropped = state.dropped;
        let stopped = State {
            dropped,
            ..State::default()
        };
        let last = std::mem::replace(&mut *state, stopped);
        drop(state);
        // Closed outside the lock: it waits for threads.
        drop(last);
        Ok(())
    }

    fn caps(&self, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
        let caps = self.lock().caps.clone();
        let caps = caps.unwrap_or_else(|| self.obj().src_pad().pad_template_caps());
        Some(filter.map_or(caps.clone(), |filter| {
            filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First)
        }))
    }

    fn is_seekable(&self) -> bool {
        let state = self.lock();
        !state.real_time && state.duration.is_some()
    }

    fn do_seek(&self, segment: &mut gst::Segment) -> bool {
        let to = segment.downcast_ref::<gst::ClockTime>();
        let Some(to) = to.and_then(|segment| segment.start()) else {
            return false;
        };
        let Some(mut pictures) = self.lock().pictures.take() else {
            return false;
        };
        let done = match &mut pictures {
            Pictures::Played(played) => played.seek(to),
            // Cameras begin where they are.
            Pictures::Live(_) => to.is_zero(),
        };
        self.lock().pictures = Some(pictures);
        if let Some(segment) = segment.downcast_mut::<gst::ClockTime>() {
            segment.set_position(to);
        }
        done
    }

    fn event(&self, event: &gst::Event) -> bool {
        if event.type_() != gst::EventType::Seek {
            return BaseSrcImplExt::parent_event(self, event);
        }
        let seqnum = Some(event.seqnum());
        if self.lock().sought == seqnum {
            return true;
        }
        let done = BaseSrcImplExt::parent_event(self, event);
        if done {
            self.lock().sought = seqnum;
        }
        done
    }

    fn times(&self, buffer: &gst::BufferRef) -> (Option<gst::ClockTime>, Option<gst::ClockTime>) {
        // A live source waits for its pictures' times, as a camera would.
        let real_time = self.lock().real_time;
        let pts = buffer.pts().filter(|_| real_time);
        (
            pts,
            pts.and_then(|pts| Some(pts.saturating_add(buffer.duration()?))),
        )
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Latency(latency) => {
                let state = self.lock();
                let min = match state.real_time {
                    true => state.frame.unwrap_or_default() + state.latency,
                    false => gst::ClockTime::ZERO,
                };
                // A file waits as long as it is let.
                latency.set(state.real_time, min, gst::ClockTime::NONE);
                true
            }
            gst::QueryViewMut::Duration(duration)
                if duration.format() == gst::Format::Time && self.lock().duration.is_some() =>
            {
                duration.set(self.lock().duration);
                true
            }
            _ => BaseSrcImplExt::parent_query(self, query),
        }
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        self.interrupt(true);
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        self.interrupt(false);
        Ok(())
    }
}

impl PushSrcImpl for Source {
    fn create(
        &self,
        _buffer: Option<&mut gst::BufferRef>,
    ) -> Result<CreateSuccess, gst::FlowError> {
        // Taken out while it works: reading a property must not wait for it.
        let Some(mut pictures) = self.lock().pictures.take() else {
            return Err(gst::FlowError::Flushing);
        };
        let made = match &mut pictures {
            Pictures::Played(played) => self.play(played),
            Pictures::Live(live) => self.shoot(live),
        };
        self.lock().pictures = Some(pictures);
        made.map(CreateSuccess::NewBuffer)
    }
}
