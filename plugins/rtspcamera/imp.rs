//! The element: its settings, pads and states.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use evr_core::camera::{Address, Media, News};
use glib::Properties;
use gst::{prelude::*, subclass::prelude::*};

use super::RtspTransport;
use super::keeper::{Keeper, Listener};
use super::lifecycle::{self, Lifecycle};
use super::session::{Plan, Time};
use super::streams::Streams;
use crate::bridge;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtspcamera",
        gst::DebugColorFlags::empty(),
        Some("RTSP camera that may come and go"),
    )
});

/// What can be set; nothing of it shows a password, as no Debug is derived.
struct Settings {
    location: String,
    user: Option<String>,
    password: Option<String>,
    transport: RtspTransport,
    latency: u32,
    timeout: u64,
    source: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: String::new(),
            user: None,
            password: None,
            transport: RtspTransport::default(),
            latency: 200,
            timeout: 10 * gst::ClockTime::SECOND.nseconds(),
            source: String::new(),
        }
    }
}

#[derive(Properties)]
#[properties(wrapper_type = super::RtspCamera)]
pub(crate) struct RtspCamera {
    #[property(
        name = "location", nick = "Location",
        blurb = "The camera's address, rtsp://host:port/path; a user and password in it are taken, and are not in it when it is read",
        get = Self::location, set, type = String, member = location, default = Some(""), mutable_ready
    )]
    #[property(
        name = "user-id", nick = "User",
        blurb = "Who logs in at the camera",
        set, type = Option<String>, member = user, mutable_ready
    )]
    #[property(
        name = "user-pw", nick = "Password",
        blurb = "The password of who logs in at the camera; it can be set and not be read",
        set, type = Option<String>, member = password, mutable_ready
    )]
    #[property(
        name = "transport", nick = "Transport",
        blurb = "How RTP comes from the camera",
        get, set, type = RtspTransport, member = transport, builder(RtspTransport::default()).mutable_ready()
    )]
    #[property(
        name = "latency", nick = "Latency",
        blurb = "How long packets may take that come late or in another order, in milliseconds",
        get, set, type = u32, member = latency,
        default = Settings::default().latency, mutable_ready
    )]
    #[property(
        name = "timeout", nick = "Timeout",
        blurb = "How long nothing may come until the session counts as lost, in nanoseconds",
        get, set, type = u64, member = timeout, minimum = 1_000_000,
        default = Settings::default().timeout, mutable_ready
    )]
    #[property(
        name = "source-id", nick = "Source id",
        blurb = "The camera's name in messages (empty = the element's name)",
        get, set, type = String, member = source, default = Some(""), mutable_ready
    )]
    settings: Mutex<Settings>,
    keeper: Mutex<Option<Keeper>>,
    streams: Arc<Streams>,
    lifecycle: Lifecycle,
    srcpad: gst::Pad,
}

impl RtspCamera {
    fn location(&self) -> String {
        let location = self.settings().location.clone();
        // What is no address may still hold a password.
        Address::parse(&location).map_or_else(|_| String::new(), |address| address.location)
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keeper(&self) -> MutexGuard<'_, Option<Keeper>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latency(&self) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(self.settings().latency.into())
    }

    fn plan(&self) -> Result<Plan, gst::ErrorMessage> {
        let settings = self.settings();
        let mut address = Address::parse(&settings.location).map_err(|err| {
            gst::error_msg!(
                gst::ResourceError::Settings,
                ("{}: {err}", self.obj().name())
            )
        })?;
        address.user = settings.user.clone().or(address.user);
        address.password = settings.password.clone().or(address.password);
        Ok(Plan {
            address,
            transport: settings.transport,
            latency: settings.latency,
            timeout: gst::ClockTime::from_nseconds(settings.timeout),
        })
    }

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let plan = self.plan()?;
        self.streams.restart();
        self.lifecycle.restart();
        let voice = Voice(self.obj().downgrade());
        let keeper = Keeper::start(plan, self.streams.clone(), voice).map_err(|err| {
            gst::error_msg!(
                gst::CoreError::Thread,
                (
                    "{}: its thread cannot be started ({err}): allow the process more threads",
                    self.obj().name()
                )
            )
        })?;
        *self.keeper() = Some(keeper);
        Ok(())
    }

    /// Called when the pads are flushing, so that nothing which is being pushed holds it up.
    fn stop(&self) {
        let keeper = self.keeper().take();
        if let Some(keeper) = keeper {
            keeper.stop();
        }
    }

    fn play(&self) {
        let obj = self.obj();
        let time = Time {
            clock: obj.clock().unwrap_or_else(gst::SystemClock::obtain),
            base: obj.base_time().unwrap_or(gst::ClockTime::ZERO),
        };
        if let Some(keeper) = &*self.keeper() {
            keeper.play(time);
        }
    }

    fn query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Latency(query) => {
                query.set(true, self.latency(), gst::ClockTime::NONE);
                true
            }
            gst::QueryViewMut::Scheduling(query) => {
                query.set(gst::SchedulingFlags::SEQUENTIAL, 1, -1, 0);
                query.add_scheduling_modes([gst::PadMode::Push]);
                true
            }
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }

    fn add_lifecycle(&self, templ: &gst::PadTemplate) -> Option<gst::Pad> {
        let pad = Self::src_pad(templ, lifecycle::NAME);
        if !self.lifecycle.add(&pad) {
            return None;
        }
        self.obj().add_pad(&pad).ok()?;
        Some(pad)
    }

    fn src_pad(templ: &gst::PadTemplate, name: &str) -> gst::Pad {
        gst::Pad::builder_from_template(templ)
            .name(name)
            .query_function(|pad, parent, query| {
                let camera = parent.and_then(|parent| parent.downcast_ref::<super::RtspCamera>());
                camera.is_some_and(|camera| camera.imp().query(pad, query))
            })
            // A camera can neither be sought in nor told to hurry.
            .event_function(|_, _, _| false)
            .build()
    }
}

/// The keeper's way to the element.
struct Voice(glib::WeakRef<super::RtspCamera>);

impl Listener for Voice {
    fn tell(&self, news: &News) {
        let Some(camera) = self.0.upgrade() else {
            return;
        };
        let name = camera.name();
        let (own, location) = {
            let settings = camera.imp().settings();
            (settings.source.clone(), settings.location.clone())
        };
        let source = if own.is_empty() { name.as_str() } else { &own };
        let location = Address::parse(&location)
            .map(|it| it.location)
            .unwrap_or_default();
        let json = news.to_json(source, &location);
        let mut fields = gst::Structure::builder(news.name())
            .field("source", source)
            .field("location", &location)
            .build();
        match news {
            News::Connected { sdp } => fields.set("sdp", sdp),
            News::Lost { reason } => fields.set("reason", reason),
            News::Refused { code } => fields.set("code", u32::from(*code)),
            News::Unsupported { media, encoding } => {
                fields.set("media", media.as_str());
                fields.set("encoding", encoding);
            }
        }
        gst::info!(CAT, obj = camera, "{fields}");
        bridge::message::post(&camera, fields, &json);
        let now = camera.current_running_time();
        let at = now.map(|now| bridge::time::span(now.nseconds()));
        let line = news.line(source, &location, at);
        camera.imp().lifecycle.tell(&line, now);
    }

    fn end(&self, seqnum: gst::Seqnum) {
        if let Some(camera) = self.0.upgrade() {
            camera.imp().lifecycle.eos(seqnum);
        }
    }

    fn warn(&self, sentence: &str) {
        if let Some(camera) = self.0.upgrade() {
            gst::element_warning!(
                camera,
                gst::ResourceError::Read,
                ("{}: {sentence}", camera.name())
            );
        }
    }

    fn fail(&self, flow: gst::FlowError) {
        if let Some(camera) = self.0.upgrade() {
            gst::element_error!(
                camera,
                gst::StreamError::Failed,
                (
                    "{}: what stands behind it takes no more ({flow}): see its own error, or link \
                     the pad",
                    camera.name()
                )
            );
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for RtspCamera {
    const NAME: &'static str = "GstEvrRtspCamera";
    type Type = super::RtspCamera;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let templ = class.pad_template("src").expect("registered below");
        let srcpad = Self::src_pad(&templ, "src");
        Self {
            settings: Mutex::default(),
            keeper: Mutex::default(),
            streams: Arc::new(Streams::new(&srcpad)),
            lifecycle: Lifecycle::default(),
            srcpad,
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for RtspCamera {
    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        obj.add_pad(&self.srcpad)
            .expect("a new element has no pads");
        obj.set_element_flags(gst::ElementFlags::SOURCE);
    }
}

impl GstObjectImpl for RtspCamera {}

impl ElementImpl for RtspCamera {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "RTSP camera",
                "Source/Network",
                "Takes a camera's encoded streams over RTSP, and goes on when it comes back",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let video = [
                "video/x-h264",
                "video/x-h265",
                "image/jpeg",
                "video/x-vp8",
                "video/x-vp9",
            ];
            let audio = [
                "audio/mpeg",
                "audio/x-opus",
                "audio/x-mulaw",
                "audio/x-alaw",
            ];
            let caps = |names: &[&'static str]| {
                let mut caps = gst::Caps::new_empty();
                for name in names {
                    let caps = caps.make_mut();
                    caps.append_structure(gst::Structure::new_empty(*name));
                }
                caps
            };
            let template = |name, presence, caps| {
                gst::PadTemplate::new(name, gst::PadDirection::Src, presence, &caps)
                    .expect("names and caps are well formed")
            };
            vec![
                template("src", gst::PadPresence::Always, caps(&video)),
                template("audio_%u", gst::PadPresence::Request, caps(&audio)),
                lifecycle::template(),
            ]
        });
        &TEMPLATES
    }

    fn request_new_pad(
        &self,
        templ: &gst::PadTemplate,
        name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        if templ.name() == lifecycle::NAME {
            return self.add_lifecycle(templ);
        }
        let asked = name.and_then(|name| name.strip_prefix("audio_")?.parse().ok());
        let index = asked.unwrap_or_else(|| self.streams.free_audio());
        if self.streams.has(Media::Audio, index) {
            return None;
        }
        let pad = Self::src_pad(templ, &format!("audio_{index}"));
        self.streams.add(Media::Audio, index, &pad);
        self.obj().add_pad(&pad).ok()?;
        Some(pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        self.streams.remove(pad);
        self.lifecycle.remove(pad);
        // It is ours: it was requested here.
        let _ = self.obj().remove_pad(pad);
    }

    fn send_event(&self, event: gst::Event) -> bool {
        if event.type_() != gst::EventType::Eos {
            return self.parent_send_event(event);
        }
        match &*self.keeper() {
            Some(keeper) => {
                keeper.eos(event.seqnum());
                true
            }
            None => false,
        }
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
            gst::StateChange::PlayingToPaused => {
                if let Some(keeper) = &*self.keeper() {
                    keeper.pause();
                }
            }
            _ => {}
        }
        let changed = self.parent_change_state(transition);
        if changed.is_err() && transition == gst::StateChange::ReadyToPaused {
            self.stop();
        }
        let success = changed?;
        match transition {
            gst::StateChange::ReadyToPaused | gst::StateChange::PlayingToPaused => {
                return Ok(gst::StateChangeSuccess::NoPreroll);
            }
            gst::StateChange::PausedToPlaying => self.play(),
            gst::StateChange::PausedToReady => self.stop(),
            _ => {}
        }
        Ok(success)
    }
}
