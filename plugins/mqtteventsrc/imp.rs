//! `mqtteventsrc` listens at an MQTT broker and turns what is asked there into signals.
//!
//! It understands plain JSON objects, CloudEvents, Azure's messages and DeepStream's commands. A
//! signal keeps the time that its message gives, so that the recording shows the moment that was
//! meant however long the message took; without one, or with one that cannot be, it is about now.
//!
//! ```sh
//! gst-launch-1.0 mqtteventsrc broker=mqtt://localhost topic=evr/trigger ! fakesink
//! ```

use std::{
    collections::VecDeque,
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
};

use evr_core::{
    broker::redacted,
    message::incoming::{self, Incoming, IncomingError},
    signal::{Signal, When},
    time::Nanos,
};
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{prelude::*, subclass::prelude::*};

use super::{
    listener::{Ear, Listener},
    settings::{Plan, Settings, SettingsError},
};
use crate::{
    bridge::{
        message,
        signal::{any_caps, line, text_buffer},
        time::{span, utc_now},
    },
    mqtt::MqttVersion,
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "mqtteventsrc",
        gst::DebugColorFlags::empty(),
        Some("From an MQTT broker's messages to signals"),
    )
});

/// Signals that wait to be pushed; what comes then is refused.
const MAX_QUEUED: usize = 1024;

#[derive(Default)]
struct State {
    listener: Option<Listener>,
    source: Option<String>,
    max_delay: Nanos,
    signals: VecDeque<Signal>,
    /// Nobody waits for signals any more.
    unlocked: bool,
    connected: bool,
    received: u64,
    refused: u64,
    others: u64,
}

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::MqttEventSrc)]
pub struct MqttEventSrc {
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
        blurb = "Our name at the broker, which only one connection may bear (nothing = evr-listener, source-id, the number of this process and that of the element in it)",
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
    #[property(name = "topic", get, set, type = String, member = topic, nick = "Topic", blurb = "Topic to listen to, or a pattern with + and #", default = Some(Settings::default().topic.as_str()), mutable_ready)]
    #[property(name = "source-id", get, set, nullable, type = Option<String>, member = source_id, nick = "Source", blurb = "Name of the camera: messages that name another are passed over, those that name none are taken (nothing = all are taken)", mutable_ready)]
    #[property(name = "max-delay", get, set, type = gst::ClockTime, member = max_delay, nick = "Most delay", blurb = "Nanoseconds by which the time that a message gives may differ from now; one that differs more is about now instead (0 = every time is taken)", default = *Settings::default().max_delay, mutable_ready)]
    settings: Mutex<Settings>,
    #[property(name = "connected", get = |this: &Self| this.lock().connected, type = bool, nick = "Connected", blurb = "Whether the broker is there and lets us listen")]
    #[property(name = "received", get = |this: &Self| this.lock().received, type = u64, nick = "Received", blurb = "Messages that came, since the element started")]
    #[property(name = "refused", get = |this: &Self| this.lock().refused, type = u64, nick = "Refused", blurb = "Messages that were not understood or found no room, since the element started")]
    #[property(name = "others", get = |this: &Self| this.lock().others, type = u64, nick = "Others'", blurb = "Messages that named another camera, since the element started")]
    state: Mutex<State>,
    /// `state.signals` or `state.unlocked` has changed.
    changed: Condvar,
}

impl MqttEventSrc {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running_time(&self) -> Option<Nanos> {
        let running = self.obj().current_running_time()?;
        Some(span(running.nseconds()))
    }

    fn hear(&self, topic: &str, payload: &[u8]) {
        let read = incoming::read(payload);
        let (running, utc) = (self.running_time(), utc_now());
        let taken = (self.take(read, running, utc), self.lock().refused);
        // Who sends nonsense for ever does not fill the application's bus with it.
        if let (Err(why), refused) = taken
            && refused.is_power_of_two()
        {
            self.warn(&format!(
                "{why} (it came by {topic}; refused so far: {refused})"
            ));
        }
        self.changed.notify_all();
    }

    fn take(
        &self,
        read: Result<Incoming, IncomingError>,
        running: Option<Nanos>,
        utc: Nanos,
    ) -> Result<(), String> {
        let mut state = self.lock();
        state.received += 1;
        let Incoming { signals, camera } = read.map_err(|err| {
            state.refused += 1;
            err.to_string()
        })?;
        if camera.is_some() && state.source.is_some() && camera != state.source {
            state.others += 1;
            return Ok(());
        }
        if state.signals.len() + signals.len() > MAX_QUEUED {
            state.refused += 1;
            return Err("signals come faster than they are taken, and one was dropped".into());
        }
        for mut signal in signals {
            let most = state.max_delay;
            let given = signal
                .when
                .filter(|when| incoming::is_plausible(*when, running, utc, most));
            signal.when = given.or(running.map(When::Media));
            state.signals.push_back(signal);
        }
        Ok(())
    }

    fn warn(&self, sentence: &str) {
        let name = self.obj().name();
        gst::element_imp_warning!(self, gst::ResourceError::Read, ("{name}: {sentence}"));
    }
}

/// What the listener says to the element.
struct Voice(glib::WeakRef<super::MqttEventSrc>);

impl Ear for Voice {
    fn message(&self, topic: &str, payload: &[u8]) {
        if let Some(element) = self.0.upgrade() {
            element.imp().hear(topic, payload);
        }
    }

    fn connected(&self, broker: &str, up: Result<(), &str>) {
        let Some(element) = self.0.upgrade() else {
            return;
        };
        element.imp().lock().connected = up.is_ok();
        match up {
            Ok(()) => gst::info!(CAT, obj = element, "Connected to {broker}"),
            Err(why) => element.imp().warn(&format!(
                "{broker} cannot be heard ({why}); it is tried again"
            )),
        }
        message::post_broker(&element, broker, up.is_ok());
    }
}

#[glib::object_subclass]
impl ObjectSubclass for MqttEventSrc {
    const NAME: &'static str = "GstEvrMqttEventSrc";
    type Type = super::MqttEventSrc;
    type ParentType = gst_base::PushSrc;
}

#[glib::derived_properties]
impl ObjectImpl for MqttEventSrc {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_live(true);
        self.obj().set_format(gst::Format::Time);
    }
}

impl GstObjectImpl for MqttEventSrc {}

impl ElementImpl for MqttEventSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "MQTT event source",
                "Source/Network",
                "Turns what is asked at an MQTT broker into signals for signalgate",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let (src, always) = (gst::PadDirection::Src, gst::PadPresence::Always);
            let template = gst::PadTemplate::new("src", src, always, &any_caps());
            vec![template.expect("a template whose name suits its presence")]
        });
        &TEMPLATES
    }
}

impl BaseSrcImpl for MqttEventSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let failed = |err: SettingsError| {
            let name = self.obj().name();
            gst::error_msg!(gst::ResourceError::Settings, ("{name}: {err}"))
        };
        let plan = self.settings().plan().map_err(failed)?;
        let Plan {
            config,
            topic,
            source,
            max_delay,
        } = plan;
        *self.lock() = State {
            source,
            max_delay,
            ..State::default()
        };
        let voice = Voice(self.obj().downgrade());
        let listener = Listener::start(config, topic, voice).map_err(failed)?;
        self.lock().listener = Some(listener);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let listener = {
            let mut state = self.lock();
            state.connected = false;
            state.listener.take()
        };
        if let Some(listener) = listener {
            listener.stop();
        }
        Ok(())
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        self.lock().unlocked = true;
        self.changed.notify_all();
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        self.lock().unlocked = false;
        Ok(())
    }
}

impl PushSrcImpl for MqttEventSrc {
    fn create(
        &self,
        _buffer: Option<&mut gst::BufferRef>,
    ) -> Result<gst_base::subclass::base_src::CreateSuccess, gst::FlowError> {
        let signals = {
            let mut state = self.lock();
            loop {
                if state.unlocked {
                    return Err(gst::FlowError::Flushing);
                }
                if !state.signals.is_empty() {
                    break std::mem::take(&mut state.signals);
                }
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        };
        let lines: Vec<_> = signals.iter().map(|signal| line(signal) + "\n").collect();
        let buffer = text_buffer(
            lines.concat().into_bytes(),
            self.obj().current_running_time(),
        );
        Ok(gst_base::subclass::base_src::CreateSuccess::NewBuffer(
            buffer,
        ))
    }
}
