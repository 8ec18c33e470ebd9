//! `mqtteventsink` tells an MQTT broker what happens: signals, what was seen, and what becomes of
//! recordings.
//!
//! Signals (`objectcounter.signal`) and observations (`objectcounter.meta`) come by pads;
//! recordings by the journal that eventsink writes, so that nothing is missed that is on disk.
//! Everything waits in an outbox on disk until the broker has acknowledged it. The network never
//! holds up a pad.
//!
//! ```sh
//! gst-launch-1.0 fdsrc ! application/x-json ! mqtteventsink broker=mqtt://localhost
//! ```

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, atomic::Ordering};

use evr_core::{broker::redacted, time::Nanos};
use gst::{prelude::*, subclass::prelude::*};

use super::{
    MessageFormat,
    settings::Settings,
    worker::{Listener, Status, Worker},
};
use crate::{
    bridge::message,
    mqtt::MqttVersion,
    outbound::{
        intake::Intake,
        pads,
        teller::{self, State, Teller},
    },
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "mqtteventsink",
        gst::DebugColorFlags::empty(),
        Some("Tells an MQTT broker what happens"),
    )
});

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::MqttEventSink)]
pub struct MqttEventSink {
    #[property(
        name = "broker", nick = "Broker",
        blurb = "Where the broker is, such as mqtt://host:1883, or mqtts:// for an encrypted connection; a user and password in it are taken, but not shown again",
        get = |this: &Self| redacted(&this.settings().access.broker),
        set = |this: &Self, broker: String| this.settings().access.broker = broker,
        type = String, default = Some(Settings::default().access.broker.as_str()), mutable_ready
    )]
    #[property(
        name = "user", nick = "User", blurb = "Who we are to the broker",
        get = |this: &Self| this.settings().access.user.clone(),
        set = |this: &Self, user: Option<String>| this.settings().access.user = user,
        nullable, type = Option<String>, mutable_ready
    )]
    #[property(
        name = "password", nick = "Password", blurb = "How we prove to the broker who we are; never shown",
        set = |this: &Self, password: Option<String>| this.settings().access.password = password,
        nullable, type = Option<String>, mutable_ready
    )]
    #[property(
        name = "client-id", nick = "Client id",
        blurb = "Our name at the broker, which only one connection may bear (nothing = evr, source-id, the number of this process and that of the element in it)",
        get = |this: &Self| this.settings().access.client_id.clone(),
        set = |this: &Self, id: Option<String>| this.settings().access.client_id = id,
        nullable, type = Option<String>, mutable_ready
    )]
    #[property(
        name = "mqtt-version", nick = "MQTT version", blurb = "Version of the protocol",
        get = |this: &Self| this.settings().access.version,
        set = |this: &Self, version: MqttVersion| this.settings().access.version = version,
        type = MqttVersion, builder(MqttVersion::default()).mutable_ready()
    )]
    #[property(
        name = "keep-alive", nick = "Keep alive",
        blurb = "Seconds after which a silent connection is tried; the broker takes us for lost after one and a half times as many",
        get = |this: &Self| this.settings().access.keep_alive,
        set = |this: &Self, seconds: u32| this.settings().access.keep_alive = seconds,
        type = u32, minimum = 1, maximum = 65535, default = Settings::default().access.keep_alive, mutable_ready
    )]
    #[property(
        name = "ca-file", nick = "CA file",
        blurb = "File in PEM format with the certificates that may vouch for the broker (nothing = those that this machine trusts)",
        get = |this: &Self| this.settings().access.ca_file.clone(),
        set = |this: &Self, path: Option<String>| this.settings().access.ca_file = path,
        nullable, type = Option<String>, mutable_ready
    )]
    #[property(
        name = "cert-file", nick = "Certificate file",
        blurb = "File in PEM format with the certificate that we show to the broker; wants key-file",
        get = |this: &Self| this.settings().access.cert_file.clone(),
        set = |this: &Self, path: Option<String>| this.settings().access.cert_file = path,
        nullable, type = Option<String>, mutable_ready
    )]
    #[property(
        name = "key-file", nick = "Key file",
        blurb = "File in PEM format with the key of our certificate",
        get = |this: &Self| this.settings().access.key_file.clone(),
        set = |this: &Self, path: Option<String>| this.settings().access.key_file = path,
        nullable, type = Option<String>, mutable_ready
    )]
    #[property(name = "topic", get, set, nullable, type = Option<String>, member = topic, nick = "Topic", blurb = "Topic of the messages, in which {source} and {kind} are filled in (nothing = what readers of the format expect, which the guide lists)", mutable_ready)]
    #[property(name = "format", get, set, type = MessageFormat, member = format, nick = "Format", blurb = "In whose words it is told", builder(MessageFormat::default()).mutable_ready())]
    #[property(name = "source-id", get, set, type = String, member = source_id, nick = "Source", blurb = "Name of the camera that the pads speak of; the journal tells its own", default = Some(Settings::default().source_id.as_str()), mutable_ready)]
    #[property(name = "epoch", get, set, type = i64, member = epoch, nick = "Epoch", blurb = "UTC of running time 0 in nanoseconds since 1970-01-01, for lines without a time of their own; -1 takes this machine's clock where the media is live and 1970-01-01 where it is not", minimum = -1, default = Settings::default().epoch, mutable_ready)]
    #[property(name = "journal", get, set, nullable, type = Option<String>, member = journal, nick = "Journal", blurb = "The events.jsonl of the eventsinks whose recordings are told (nothing = none); read on from where it was left, the first time from its end", mutable_ready)]
    #[property(name = "outbox", get, set, type = String, member = outbox, nick = "Outbox", blurb = "Directory in which messages wait until the broker has acknowledged them, also over restarts; each element needs its own", default = Some(Settings::default().outbox.as_str()), mutable_ready)]
    #[property(name = "max-bytes", get, set, type = u64, member = max_bytes, nick = "Most bytes", blurb = "Bytes that the outbox may take; beyond, the oldest messages are dropped and counted", minimum = 65536, default = Settings::default().max_bytes, mutable_ready)]
    #[property(name = "max-messages", get, set, type = u64, member = max_messages, nick = "Most messages", blurb = "Messages that may wait in the outbox; beyond, the oldest are dropped and counted (0 = any)", default = Settings::default().max_messages, mutable_ready)]
    #[property(name = "drain-time", get, set, type = gst::ClockTime, member = drain_time, nick = "Drain time", blurb = "Nanoseconds for which stopping waits until a broker that is there has what waits; the rest is sent after the next start", default = *Settings::default().drain_time, mutable_ready)]
    settings: Mutex<Settings>,
    #[property(name = "refused", get = |this: &Self| this.state().refused, type = u64, nick = "Refused", blurb = "Lines on the pads that told nothing, since the element started")]
    state: Mutex<State<Worker>>,
    #[property(name = "connected", get = |this: &Self| this.status.connected.load(Ordering::Relaxed), type = bool, nick = "Connected", blurb = "Whether the broker is there")]
    #[property(name = "stored", get = |this: &Self| this.status.stored.load(Ordering::Relaxed), type = u64, nick = "Stored", blurb = "Messages that were put on disk, to be sent, since the element started")]
    #[property(name = "waiting", get = |this: &Self| this.status.waiting.load(Ordering::Relaxed), type = u64, nick = "Waiting", blurb = "Messages that the broker has not acknowledged; all of them are on disk")]
    #[property(name = "delivered", get = |this: &Self| this.status.delivered.load(Ordering::Relaxed), type = u64, nick = "Delivered", blurb = "Messages that the broker has acknowledged, since the element was made")]
    #[property(name = "dropped", get = |this: &Self| this.status.dropped.load(Ordering::Relaxed), type = u64, nick = "Dropped", blurb = "Messages that were given up because the outbox was full, since the element started")]
    status: Arc<Status>,
    intake: Arc<Intake>,
}

impl MqttEventSink {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the worker says to the user.
struct Voice(glib::WeakRef<super::MqttEventSink>);

impl Listener for Voice {
    fn warn(&self, sentence: &str) {
        if let Some(element) = self.0.upgrade() {
            teller::warn(element.imp(), sentence);
        }
    }

    fn connected(&self, broker: &str, up: Result<(), &str>) {
        let Some(element) = self.0.upgrade() else {
            return;
        };
        match up {
            Ok(()) => gst::info!(CAT, obj = element, "Connected to {broker}"),
            Err(why) => teller::warn(
                element.imp(),
                &format!(
                    "{broker} cannot be reached ({why}); it is tried again and messages wait on disk"
                ),
            ),
        }
        message::post_broker(&element, broker, up.is_ok());
    }
}

impl Teller for MqttEventSink {
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
        let voice = Voice(self.obj().downgrade());
        Worker::start(plan, self.intake(), self.status.clone(), voice)
            .map_err(|err| err.to_string())
    }
}

#[glib::object_subclass]
impl ObjectSubclass for MqttEventSink {
    const NAME: &'static str = "GstEvrMqttEventSink";
    type Type = super::MqttEventSink;
    type ParentType = gst::Element;
}

#[glib::derived_properties]
impl ObjectImpl for MqttEventSink {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_element_flags(gst::ElementFlags::SINK);
    }
}

impl GstObjectImpl for MqttEventSink {}

impl ElementImpl for MqttEventSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "MQTT event sink",
                "Sink/Network",
                "Tells an MQTT broker of signals, detections and recordings, and keeps on disk what \
                 it has not acknowledged",
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
