//! The element: opens the recording, and gives its pictures their times and their pace.

use std::sync::{
    Arc, LazyLock, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use glib::Properties;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{base_src::CreateSuccess, prelude::*},
};

use super::{
    ZedSrcFileLayout, ZedSrcResolution, ZedSrcStreamType,
    compose::Composer,
    file::{File, Next, Picture},
    settings::Settings,
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "zedsrc",
        gst::DebugColorFlags::empty(),
        Some("Recordings of ZED stereo cameras"),
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
struct State {
    /// `None` also while a picture is waited for: the streaming thread then holds it.
    open: Option<Box<Open>>,
    interrupted: Option<Arc<AtomicBool>>,
    real_time: bool,
    frame: Option<gst::ClockTime>,
    duration: Option<gst::ClockTime>,
    caps: Option<gst::Caps>,
    dropped: u64,
}

#[derive(Properties)]
#[properties(wrapper_type = super::ZedSrc)]
pub(crate) struct ZedSrc {
    #[property(
        name = "location", nick = "Location",
        blurb = "The recording: video with both eyes in anything that GStreamer decodes, or raw YUYV frames in a file that ends in .yuyv",
        get, set, nullable, type = Option<String>, member = location, mutable_ready
    )]
    #[property(
        name = "calibration-file", nick = "Calibration file",
        blurb = "The camera's SN<serial>.conf, by which the pictures are undistorted and rectified (nothing = shown as recorded)",
        get, set, nullable, type = Option<String>, member = calibration_file, mutable_ready
    )]
    #[property(
        name = "stream-type", nick = "Stream type",
        blurb = "Which eyes are shown and how they stand",
        get, set, type = ZedSrcStreamType, member = stream_type, builder(ZedSrcStreamType::default()).mutable_ready()
    )]
    #[property(
        name = "file-layout", nick = "File layout",
        blurb = "How both eyes stand in the recording",
        get, set, type = ZedSrcFileLayout, member = file_layout, builder(ZedSrcFileLayout::default()).mutable_ready()
    )]
    #[property(
        name = "svo-real-time-mode", nick = "Real-time mode",
        blurb = "Whether the recording is played as if by a camera, at its own pace and dropping what comes too late, instead of as fast as it is taken",
        get, set, type = bool, member = real_time,
        default = Settings::default().real_time, mutable_ready
    )]
    #[property(
        name = "camera-resolution", nick = "Camera resolution",
        blurb = "The size of one eye in a file of raw frames; other files tell it themselves",
        get, set, type = ZedSrcResolution, member = resolution, builder(ZedSrcResolution::default()).mutable_ready()
    )]
    #[property(
        name = "camera-fps", nick = "Camera frame rate",
        blurb = "Frames a second in a file of raw frames; other files tell it themselves",
        get, set, type = i32, member = fps, minimum = 1, maximum = 240,
        default = Settings::default().fps, mutable_ready
    )]
    #[property(
        name = "open-timeout-sec", nick = "Opening timeout",
        blurb = "Seconds to wait for the first picture before the start fails",
        get, set, type = f32, member = open_timeout, minimum = 0.0, maximum = 600.0,
        default = Settings::default().open_timeout, mutable_ready
    )]
    settings: Mutex<Settings>,
    #[property(
        name = "dropped", nick = "Dropped",
        blurb = "How many pictures came too late in real-time mode and were not shown",
        get = |this: &Self| this.lock().dropped, type = u64
    )]
    state: Mutex<State>,
}

impl ZedSrc {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under this lock")
    }

    fn settings(&self) -> Settings {
        let settings = self.settings.lock();
        settings.expect("no thread panics under this lock").clone()
    }

    fn open(&self, settings: &Settings) -> Result<Open, String> {
        let (path, kind) = settings.file().map_err(|err| err.to_string())?;
        let calibration = settings.calibration().map_err(|err| err.to_string())?;
        let file = File::open(&path, kind, settings.open_timeout).map_err(|err| err.to_string())?;
        let composer = Composer::new(
            file.info(),
            settings.file_layout,
            settings.stream_type,
            calibration.as_ref(),
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
                "ZED recording source",
                "Source/Video",
                "Shows recordings of ZED stereo cameras, rectified by the camera's calibration",
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
            self.obj().set_live(self.settings().real_time);
        }
        self.parent_change_state(transition)
    }
}

impl BaseSrcImpl for ZedSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings();
        self.obj().set_live(settings.real_time);
        let open = self.open(&settings).map_err(|reason| {
            let name = self.obj().name();
            gst::error_msg!(gst::ResourceError::NotFound, ("{name}: {reason}"))
        })?;
        let info = open.composer.output();
        let fps = info.fps();
        let frame = (fps.numer() > 0 && fps.denom() > 0).then(|| {
            let (numer, denom) = (fps.numer() as u64, fps.denom() as u64);
            gst::ClockTime::from_nseconds(gst::ClockTime::SECOND.nseconds() * denom / numer)
        });
        *self.lock() = State {
            interrupted: Some(open.file.interrupted()),
            real_time: settings.real_time,
            frame,
            duration: open.file.duration(),
            caps: info.to_caps().ok(),
            dropped: 0,
            open: Some(Box::new(open)),
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
        let Some(mut open) = self.lock().open.take() else {
            return Err(gst::FlowError::Flushing);
        };
        let made = self.next(&mut open);
        self.lock().open = Some(open);
        made.map(CreateSuccess::NewBuffer)
    }
}
