//! The element: opens the recording or the camera, and gives pictures their times and their pace.

use std::sync::{
    Arc, LazyLock, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use std::time::{SystemTime, UNIX_EPOCH};

use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{base_src::CreateSuccess, prelude::*},
};

pub(crate) use super::properties::ZedSrc;
use super::{
    asked::Way,
    compose::{Composer, formats},
    file::{File, Next, Picture},
    live::{self, Live},
    settings::Settings,
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "zedsrc",
        gst::DebugColorFlags::empty(),
        Some("ZED stereo cameras and their recordings"),
    )
});

/// For how long, in a row, pictures may be dropped for being late: a pipeline that can never keep
/// up shall show one now and then.
const MOST_DROPPED: gst::ClockTime = gst::ClockTime::SECOND;

/// What is open.
struct Open {
    file: File,
    composer: Composer,
    pool: Option<gst::BufferPool>,
    /// Of a live source: the running time that the file's beginning has.
    begin: Option<gst::ClockTime>,
    /// The end of the last picture, for one without a time of its own.
    position: gst::ClockTime,
    late_since: Option<gst::ClockTime>,
    discont: bool,
}

#[derive(Default)]
pub(super) struct State {
    /// `None` also while a picture is waited for: the streaming thread then holds it.
    open: Option<Box<Open>>,
    /// The same of a camera.
    live: Option<Box<Live>>,
    /// When the first picture of an SVO file was taken, in ns since 1970.
    first: Option<u64>,
    recording: bool,
    /// A camera's picture has been shown.
    shown: bool,
    interrupted: Option<Arc<AtomicBool>>,
    real_time: bool,
    frame: Option<gst::ClockTime>,
    duration: Option<gst::ClockTime>,
    caps: Option<gst::Caps>,
    pub(super) dropped: u64,
}

impl ZedSrc {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under this lock")
    }

    fn settings(&self) -> Settings {
        let settings = self.settings.lock();
        settings.expect("no thread panics under this lock").clone()
    }

    fn open(&self, settings: &Settings) -> Result<Open, String> {
        let (path, kind) = settings.file().map_err(|err| err.to_string())?;
        let calibration = settings.calibration().map_err(|err| err.to_string())?;
        let file = File::open(
            &path,
            kind,
            formats(settings.stream_type),
            settings.open_timeout,
        )
        .map_err(|err| err.to_string())?;
        let matching = settings.matching().map_err(|err| err.to_string())?;
        let composer = Composer::new(
            file.info(),
            settings.file_layout,
            settings.stream_type,
            calibration.as_ref(),
            matching,
        );
        Ok(Open {
            composer: composer.map_err(|err| format!("location={}: {err}", path.display()))?,
            file,
            pool: None,
            begin: None,
            position: gst::ClockTime::ZERO,
            late_since: None,
            discont: true,
        })
    }

    fn running_time(&self) -> Option<gst::ClockTime> {
        self.obj().current_running_time()
    }

    /// The time of a picture in the segment that is played, or `None` where it comes too late.
    fn place(&self, open: &mut Open, picture: &Picture) -> Option<gst::ClockTime> {
        let time = picture.time.unwrap_or(open.position);
        let frame = self.lock().frame.unwrap_or_default();
        let span = picture.buffer.duration().unwrap_or(frame);
        open.position = time + span;
        if !self.lock().real_time {
            return Some(time);
        }
        let now = self.running_time().unwrap_or_default();
        let begin = *open.begin.get_or_insert(now.saturating_sub(time));
        let pts = begin + time;
        if now <= pts + span {
            open.late_since = None;
            return Some(pts);
        }
        let since = *open.late_since.get_or_insert(pts);
        if pts - since.min(pts) >= MOST_DROPPED {
            open.late_since = None;
            return Some(pts);
        }
        None
    }

    fn show(
        &self,
        open: &mut Open,
        picture: &Picture,
        pts: gst::ClockTime,
    ) -> Result<gst::Buffer, String> {
        let pool = match &mut open.pool {
            Some(pool) => pool,
            none => none.insert(pool(open.composer.output()).map_err(|err| err.to_string())?),
        };
        let mut buffer = pool
            .acquire_buffer(None)
            .map_err(|err| format!("no memory for a picture: {err:?}"))?;
        let fields = buffer.make_mut();
        let composed = open.composer.compose(&picture.buffer, fields);
        composed.map_err(|err| err.to_string())?;
        fields.set_pts(pts);
        fields.set_duration(picture.buffer.duration().or(self.lock().frame));
        if std::mem::take(&mut open.discont) {
            fields.set_flags(gst::BufferFlags::DISCONT);
        } else {
            fields.unset_flags(gst::BufferFlags::DISCONT);
        }
        for meta in picture.buffer.iter_meta::<gst::ReferenceTimestampMeta>() {
            gst::ReferenceTimestampMeta::add(
                fields,
                &meta.reference().to_owned(),
                meta.timestamp(),
                meta.duration(),
            );
        }
        Ok(buffer)
    }

    fn next(&self, open: &mut Open) -> Result<gst::Buffer, gst::FlowError> {
        loop {
            let picture = match open.file.next() {
                Ok(Next::Picture(picture)) => picture,
                Ok(Next::End) => return Err(gst::FlowError::Eos),
                Ok(Next::Interrupted) => return Err(gst::FlowError::Flushing),
                Err(err) => return Err(self.fail(gst::ResourceError::Read, &err.to_string())),
            };
            if let Some(pts) = self.place(open, &picture) {
                return self
                    .show(open, &picture, pts)
                    .map_err(|reason| self.fail(gst::ResourceError::Failed, &reason));
            }
            open.discont = true;
            self.lock().dropped += 1;
            gst::debug!(CAT, imp = self, "late: {:?}", picture.time);
        }
    }

    /// Whether an SVO file is being written.
    pub(super) fn is_recording(&self) -> bool {
        self.lock().recording
    }

    /// The next picture of a camera.
    fn shoot(&self, live: &mut Live) -> Result<gst::Buffer, gst::FlowError> {
        loop {
            live.set(&self.settings());
            self.lock().recording = live.is_recording();
            match live.next() {
                Ok(live::Next::Picture(picture)) => return Ok(self.stamp(picture)),
                Ok(live::Next::Warning(text)) => {
                    let name = self.obj().name();
                    gst::element_imp_warning!(self, gst::ResourceError::Failed, ("{name}: {text}"));
                }
                Ok(live::Next::End) => return Err(gst::FlowError::Eos),
                Ok(live::Next::Interrupted) => return Err(gst::FlowError::Flushing),
                Err(reason) => return Err(self.fail(gst::ResourceError::Read, &reason)),
            }
        }
    }

    /// Gives a camera's picture the running time at which it was taken, and one of an SVO file its
    /// time in the file.
    fn stamp(&self, picture: live::Picture) -> gst::Buffer {
        let running = self.running_time().unwrap_or_default();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let age =
            u64::try_from(now.as_nanos()).map_or(0, |now| now.saturating_sub(picture.captured));
        let mut state = self.lock();
        let pts = if state.real_time {
            running.saturating_sub(gst::ClockTime::from_nseconds(age))
        } else {
            let first = *state.first.get_or_insert(picture.captured);
            gst::ClockTime::from_nseconds(picture.captured.saturating_sub(first))
        };
        let mut buffer = picture.buffer;
        let fields = buffer.make_mut();
        fields.set_pts(pts);
        fields.set_duration(state.frame);
        if !std::mem::replace(&mut state.shown, true) {
            fields.set_flags(gst::BufferFlags::DISCONT);
        }
        buffer
    }

    /// Opens a camera; what is to be known of it goes to the state.
    fn start_live(&self, settings: &Settings) -> Result<(), String> {
        let live = Live::open(settings)?;
        let info = live.output();
        *self.lock() = State {
            interrupted: Some(live.interrupted()),
            real_time: settings.is_live(),
            frame: frame_time(info.fps()),
            caps: info.to_caps().ok(),
            live: Some(Box::new(live)),
            ..State::default()
        };
        Ok(())
    }

    fn fail(&self, kind: gst::ResourceError, reason: &str) -> gst::FlowError {
        let name = self.obj().name();
        gst::element_imp_error!(self, kind, ("{name}: {reason}"));
        gst::FlowError::Error
    }

    fn interrupt(&self, interrupt: bool) {
        if let Some(interrupted) = &self.lock().interrupted {
            interrupted.store(interrupt, Ordering::Release);
        }
    }
}

fn frame_time(fps: gst::Fraction) -> Option<gst::ClockTime> {
    let (numer, denom) = (
        u64::try_from(fps.numer()).ok()?,
        u64::try_from(fps.denom()).ok()?,
    );
    gst::ClockTime::SECOND
        .mul_div_floor(denom, numer)
        .filter(|_| numer > 0)
}

/// Frames' memory, used over and over.
fn pool(info: &gst_video::VideoInfo) -> Result<gst::BufferPool, glib::BoolError> {
    let pool = gst_video::VideoBufferPool::new();
    let mut config = pool.config();
    let size = u32::try_from(info.size()).unwrap_or(u32::MAX);
    config.set_params(Some(&info.to_caps()?), size, 2, 0);
    pool.set_config(config)?;
    pool.set_active(true)?;
    Ok(pool.upcast())
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            let down = pool.set_active(false);
            debug_assert!(down.is_ok(), "a pool can always be taken down");
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for ZedSrc {
    const NAME: &'static str = "GstEvrZedSrc";
    type Type = super::ZedSrc;
    type ParentType = gst_base::PushSrc;

    fn new() -> Self {
        Self {
            settings: Mutex::default(),
            state: Mutex::default(),
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for ZedSrc {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_format(gst::Format::Time);
    }
}

impl GstObjectImpl for ZedSrc {}

impl ElementImpl for ZedSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "ZED source",
                "Source/Video",
                "Shows ZED stereo cameras and their recordings, rectified",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst_video::VideoCapsBuilder::new()
                .format_list([
                    gst_video::VideoFormat::I420,
                    gst_video::VideoFormat::Nv12,
                    gst_video::VideoFormat::Bgra,
                    gst_video::VideoFormat::Gray8,
                    gst_video::VideoFormat::Gray16Le,
                ])
                .build();
            let template = gst::PadTemplate::new(
                "src",
                gst::PadDirection::Src,
                gst::PadPresence::Always,
                &caps,
            );
            vec![template.expect("the caps are right")]
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady {
            // What a live source is must be known before PAUSED.
            self.obj().set_live(self.settings().is_live());
        }
        self.parent_change_state(transition)
    }
}

impl BaseSrcImpl for ZedSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings();
        self.obj().set_live(settings.is_live());
        let wrong = |reason: String| {
            let name = self.obj().name();
            gst::error_msg!(gst::ResourceError::NotFound, ("{name}: {reason}"))
        };
        if settings.way() != Way::File {
            return self.start_live(&settings).map_err(wrong);
        }
        let open = self.open(&settings).map_err(wrong)?;
        let info = open.composer.output();
        *self.lock() = State {
            interrupted: Some(open.file.interrupted()),
            real_time: settings.real_time,
            frame: frame_time(info.fps()),
            duration: open.file.duration(),
            caps: info.to_caps().ok(),
            open: Some(Box::new(open)),
            ..State::default()
        };
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let dropped = self.lock().dropped;
        let last = std::mem::take(&mut *self.lock());
        // Closed outside the lock: it waits for threads.
        drop(last);
        self.lock().dropped = dropped;
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
        if self.lock().live.is_some() {
            // Cameras begin where they are.
            return to.is_zero();
        }
        let Some(mut open) = self.lock().open.take() else {
            return false;
        };
        // The first, from the beginning, is no jump.
        let done = (to.is_zero() && open.position.is_zero()) || open.file.seek(to);
        open.position = to;
        open.discont = true;
        self.lock().open = Some(open);
        if let Some(segment) = segment.downcast_mut::<gst::ClockTime>() {
            segment.set_position(to);
        }
        done
    }

    fn times(&self, buffer: &gst::BufferRef) -> (Option<gst::ClockTime>, Option<gst::ClockTime>) {
        // A live source waits for its pictures' times, as a camera would.
        let real_time = self.lock().real_time;
        let pts = buffer.pts().filter(|_| real_time);
        (pts, pts.and_then(|pts| Some(pts + buffer.duration()?)))
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Latency(latency) => {
                let state = self.lock();
                let min = state.frame.filter(|_| state.real_time);
                // A file waits as long as it is let.
                latency.set(
                    state.real_time,
                    min.unwrap_or_default(),
                    gst::ClockTime::NONE,
                );
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

impl PushSrcImpl for ZedSrc {
    fn create(
        &self,
        _buffer: Option<&mut gst::BufferRef>,
    ) -> Result<CreateSuccess, gst::FlowError> {
        // Taken out while it works: reading a property must not wait for it.
        let live = self.lock().live.take();
        if let Some(mut live) = live {
            let made = self.shoot(&mut live);
            self.lock().live = Some(live);
            return made.map(CreateSuccess::NewBuffer);
        }
        let Some(mut open) = self.lock().open.take() else {
            return Err(gst::FlowError::Flushing);
        };
        let made = self.next(&mut open);
        self.lock().open = Some(open);
        made.map(CreateSuccess::NewBuffer)
    }
}
