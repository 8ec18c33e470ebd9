//! `webhook` posts to an address what happens: signals, what was seen, and what becomes of
//! recordings, each as a CloudEvent in JSON (structured mode).
//!
//! Signals (`objectcounter.signal`) and observations (`objectcounter.meta`) come by pads;
//! recordings by the journal that eventsink writes, so that nothing is missed that is on disk.
//! Everything waits in an outbox on disk until the receiver has answered 2xx, and arrives in order.
//! What it refuses with 4xx is set aside; after anything else it is posted again, ever later. The
//! network never holds up a pad.
//!
//! ```sh
//! gst-launch-1.0 fdsrc ! application/x-json ! webhook location=http://localhost:8080/events
//! ```

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use evr_core::time::Nanos;
use gst::{prelude::*, subclass::prelude::*};

use super::settings::Settings;
use super::worker::{Listener, Status, Worker};
use crate::outbound::intake::Intake;
use crate::outbound::pads;
use crate::outbound::teller::{self, State, Teller};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "webhook",
        gst::DebugColorFlags::empty(),
        Some("Posts to an address what happens"),
    )
});

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::Webhook)]
pub struct Webhook {
    #[property(name = "location", nick = "Location", blurb = "Address that messages are posted to, such as https://server/events; needed; reads back without its query, which may hold a key", get = |this: &Self| this.settings().access.shown(), set = |this: &Self, location: Option<String>| this.settings().access.location = location, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "timeout", nick = "Timeout", blurb = "Nanoseconds after which a request has failed, connecting included", get = |this: &Self| this.settings().access.timeout, set = |this: &Self, value: gst::ClockTime| this.settings().access.timeout = value, type = gst::ClockTime, minimum = 1_000_000, default = *Settings::default().access.timeout, builder().mutable_ready())]
    #[property(name = "user", nick = "User", blurb = "Name for HTTP's basic authentication", get = |this: &Self| this.settings().access.user.clone(), set = |this: &Self, value: Option<String>| this.settings().access.user = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "password", nick = "Password", blurb = "Password for HTTP's basic authentication; cannot be read back", set = |this: &Self, value: Option<String>| this.settings().access.password = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "token", nick = "Token", blurb = "Bearer token that is sent with each request; cannot be read back", set = |this: &Self, value: Option<String>| this.settings().access.token = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "header", nick = "Header", blurb = "Further header of each request as `Name: value`, such as an API key; cannot be read back", set = |this: &Self, value: Option<String>| this.settings().access.header = value, type = Option<String>, nullable, builder().mutable_ready())]
    #[property(name = "ca-file", nick = "CA file", blurb = "Path of a PEM file with the certificates that a server's must come from; unset takes those that this machine trusts", get = |this: &Self| this.settings().access.ca_file.clone(), set = |this: &Self, value: Option<PathBuf>| this.settings().access.ca_file = value, type = Option<PathBuf>, nullable, builder().mutable_ready())]
    #[property(name = "tls-verify", nick = "TLS verify", blurb = "Whether a server must prove by its certificate who it is; without that anybody between can read the messages", get = |this: &Self| this.settings().access.tls_verify, set = |this: &Self, value: bool| this.settings().access.tls_verify = value, type = bool, default = Settings::default().access.tls_verify, builder().mutable_ready())]
    #[property(name = "source-id", get, set, type = String, member = source_id, nick = "Source", blurb = "Name of the camera that the pads speak of; the journal tells its own", default = Some(Settings::default().source_id.as_str()), mutable_ready)]
    #[property(name = "epoch", get, set, type = i64, member = epoch, nick = "Epoch", blurb = "UTC of running time 0 in nanoseconds since 1970-01-01, for lines without a time of their own; -1 takes this machine's clock where the media is live and 1970-01-01 where it is not", minimum = -1, default = Settings::default().epoch, mutable_ready)]
    #[property(name = "journal", get, set, nullable, type = Option<String>, member = journal, nick = "Journal", blurb = "The events.jsonl of the eventsinks whose recordings are told (nothing = none); read on from where it was left, the first time from its end", mutable_ready)]
    #[property(name = "outbox", get, set, type = String, member = outbox, nick = "Outbox", blurb = "Directory in which messages wait until they were taken, also over restarts; each element needs its own", default = Some(Settings::default().outbox.as_str()), mutable_ready)]
    #[property(name = "max-bytes", get, set, type = u64, member = max_bytes, nick = "Most bytes", blurb = "Bytes that the outbox may take; beyond, the oldest messages are dropped and counted", minimum = 65536, default = Settings::default().max_bytes, mutable_ready)]
    #[property(name = "max-messages", get, set, type = u64, member = max_messages, nick = "Most messages", blurb = "Messages that may wait in the outbox; beyond, the oldest are dropped and counted (0 = any)", default = Settings::default().max_messages, mutable_ready)]
    #[property(name = "drain-time", get, set, type = gst::ClockTime, member = drain_time, nick = "Drain time", blurb = "Nanoseconds for which stopping waits while messages are being taken; the rest is sent after the next start", default = *Settings::default().drain_time, mutable_ready)]
    settings: Mutex<Settings>,
    #[property(name = "invalid", get = |this: &Self| this.state().refused, type = u64, nick = "Invalid", blurb = "Lines on the pads that told nothing, since the element started")]
    state: Mutex<State<Worker>>,
    #[property(name = "waiting", get = |this: &Self| this.status.waiting.load(Ordering::Relaxed), type = u64, nick = "Waiting", blurb = "Messages that the receiver has not taken; all of them are on disk")]
    #[property(name = "delivered", get = |this: &Self| this.status.delivered.load(Ordering::Relaxed), type = u64, nick = "Delivered", blurb = "Messages that the receiver has taken, since the element was made")]
    #[property(name = "refused", get = |this: &Self| this.status.refused.load(Ordering::Relaxed), type = u64, nick = "Refused", blurb = "Messages that the receiver has refused for good, since the element was made; they lie in refused.jsonl in the outbox")]
    #[property(name = "dropped", get = |this: &Self| this.status.dropped.load(Ordering::Relaxed), type = u64, nick = "Dropped", blurb = "Messages that were given up because the outbox was full, since the element started")]
    status: Arc<Status>,
    intake: Arc<Intake>,
}

impl Webhook {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the worker says to the user.
struct Voice(glib::WeakRef<super::Webhook>);

impl Listener for Voice {
    fn warn(&self, sentence: &str) {
        if let Some(element) = self.0.upgrade() {
            teller::warn(element.imp(), sentence);
        }
    }

    fn recovered(&self) {
        if let Some(element) = self.0.upgrade() {
            gst::info!(CAT, obj = element, "messages are taken again");
        }
    }
}

impl Teller for Webhook {
    type Worker = Worker;

    fn state(&self) -> MutexGuard<'_, State<Worker>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn intake(&self) -> Arc<Intake> {
        self.intake.clone()
    }

    fn source(&self) -> String {
        self.settings().source_id.clone()
    }

    fn epoch(&self) -> Option<Nanos> {
        Some(self.settings().epoch).filter(|epoch| *epoch >= 0)
    }

    fn start(&self) -> Result<Worker, String> {
        let plan = self.settings().plan().map_err(|err| err.to_string())?;
        let location = self.settings().access.shown();
        gst::debug!(CAT, imp = self, "posts to {location:?}");
        let voice = Voice(self.obj().downgrade());
        Worker::start(plan, self.intake(), self.status.clone(), voice)
            .map_err(|err| err.to_string())
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Webhook {
    const NAME: &'static str = "GstEvrWebhook";
    type Type = super::Webhook;
    type ParentType = gst::Element;
}

#[glib::derived_properties]
impl ObjectImpl for Webhook {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_element_flags(gst::ElementFlags::SINK);
    }
}

impl GstObjectImpl for Webhook {}

impl ElementImpl for Webhook {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Webhook",
                "Sink/Network",
                "Posts signals, detections and recordings to an address, and keeps on disk what was not \
                 taken",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| vec![pads::template()]);
        &TEMPLATES
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        pads::add(self, template, name)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        pads::remove(self, pad);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        teller::change_state(self, transition)
    }
}
