//! One session with the camera: a private pipeline of rtspsrc, and for each stream that is taken a
//! depayloader, a parser and an appsink.
//!
//! Private, so that neither its errors nor its EOS are the application's pipeline's, and what logs
//! in does not stand in that pipeline's dumps.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use evr_core::camera::{Address, Media, News, status_code, unpacked_by};
use gst::prelude::*;

use super::RtspTransport;
use super::streams::Streams;

/// What happens in a session.
#[derive(Debug)]
pub(super) enum Event {
    /// Something an application wants to know.
    News(News),
    /// It is over.
    Over(String),
    /// Downstream takes no more.
    Stopped(gst::FlowError),
}

/// What a session needs to know.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) address: Address,
    pub(super) transport: RtspTransport,
    /// Milliseconds.
    pub(super) latency: u32,
    pub(super) timeout: gst::ClockTime,
}

/// When running time is 0, and by which clock.
#[derive(Debug, Clone)]
pub(super) struct Time {
    pub(super) clock: gst::Clock,
    pub(super) base: gst::ClockTime,
}

/// A session; dropped, it hangs up.
pub(super) struct Session {
    pipeline: gst::Pipeline,
    /// Buffers that have come.
    arrived: Arc<AtomicU64>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // A pipeline always reaches NULL.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Session {
    /// Connects, in the background; what comes of it is told to `events`.
    ///
    /// # Errors
    /// What is missing here.
    pub(super) fn begin(
        plan: &Plan,
        time: &Time,
        streams: &Arc<Streams>,
        events: impl Fn(Event) + Clone + Send + Sync + 'static,
    ) -> Result<Self, glib::BoolError> {
        let pipeline = gst::Pipeline::new();
        // Its buffers shall carry the running time of the application's pipeline.
        pipeline.use_clock(Some(&time.clock));
        pipeline.set_start_time(gst::ClockTime::NONE);
        pipeline.set_base_time(time.base);
        let arrived = Arc::new(AtomicU64::new(0));
        let source = source(plan)?;
        pipeline.add(&source)?;
        listen(&pipeline, &source, events.clone());
        let chosen = Chosen::default();
        choose(&source, &chosen, streams, events.clone());
        take(&pipeline, &source, chosen, streams, &arrived, events);
        let session = Self { pipeline, arrived };
        // What it finds wrong it tells on its bus.
        let _ = session.pipeline.set_state(gst::State::Playing);
        Ok(session)
    }

    /// How many buffers have come so far.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }
}

fn source(plan: &Plan) -> Result<gst::Element, glib::BoolError> {
    let mut source = gst::ElementFactory::make("rtspsrc")
        .property("location", &plan.address.location)
        .property("latency", plan.latency)
        .property("tcp-timeout", plan.timeout.useconds())
        .property_from_str("protocols", plan.transport.protocols());
    if let Some(user) = &plan.address.user {
        source = source.property("user-id", user);
    }
    if let Some(password) = &plan.address.password {
        source = source.property("user-pw", password);
    }
    source.build()
}

/// Hears how it ends. Nothing of the private pipeline reaches the application's bus.
fn listen(
    pipeline: &gst::Pipeline,
    source: &gst::Element,
    events: impl Fn(Event) + Send + Sync + 'static,
) {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let source = source.downgrade();
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Eos(_) => events(Event::Over("the camera ended the stream".into())),
            gst::MessageView::Error(error) => {
                let reason = error.error().to_string();
                let told = format!("{reason} {}", error.debug().unwrap_or_default());
                if let Some(code) = status_code(&told) {
                    events(Event::News(News::Refused { code }));
                }
                // The elements behind rtspsrc only say that it has stopped.
                let own = source.upgrade().map(|it| it.upcast::<gst::Object>());
                let is_own = message
                    .src()
                    .zip(own)
                    .is_some_and(|(src, own)| *src == own || src.has_as_ancestor(&own));
                if is_own || is_cause(error) {
                    events(Event::Over(reason));
                }
            }
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

/// Whether an error behind rtspsrc is more than that data has stopped flowing.
fn is_cause(error: &gst::message::Error) -> bool {
    !error.error().matches(gst::StreamError::Failed)
}

/// The streams that are taken, by rtspsrc's numbers.
type Chosen = Arc<Mutex<BTreeMap<u32, Stream>>>;

#[derive(Debug, Clone)]
struct Stream {
    media: Media,
    /// Among those of its kind.
    index: usize,
    encoding: String,
}

/// Takes what there is a pad for, and tells of what it cannot take.
fn choose(
    source: &gst::Element,
    chosen: &Chosen,
    streams: &Arc<Streams>,
    events: impl Fn(Event) + Clone + Send + Sync + 'static,
) {
    let told = events.clone();
    source.connect("on-sdp", false, move |values| {
        let sdp = values.get(1)?.get::<gst_sdp::SDPMessage>().ok()?;
        let sdp = sdp.as_text().unwrap_or_default();
        told(Event::News(News::Connected { sdp }));
        None
    });
    let (streams, chosen) = (streams.clone(), chosen.clone());
    source.connect("select-stream", false, move |values| {
        let caps = values.get(2).and_then(|caps| caps.get::<gst::Caps>().ok());
        let described = caps.as_ref().and_then(described);
        let number = values.get(1).and_then(|number| number.get::<u32>().ok());
        let (Some((media, encoding)), Some(number)) = (described, number) else {
            return Some(false.to_value());
        };
        if unpacked_by(media, &encoding).is_none() {
            events(Event::News(News::Unsupported { media, encoding }));
            return Some(false.to_value());
        }
        let mut chosen = chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let index = chosen.values().filter(|it| it.media == media).count();
        let stream = Stream {
            media,
            index,
            encoding,
        };
        chosen.insert(number, stream);
        Some(streams.has(media, index).to_value())
    });
}

/// What a stream is, and in which encoding.
fn described(caps: &gst::Caps) -> Option<(Media, String)> {
    let fields = caps.structure(0)?;
    let media = Media::from_sdp(fields.get("media").ok()?)?;
    Some((media, fields.get("encoding-name").ok()?))
}

/// rtspsrc's number of a stream, from its pad's name: `recv_rtp_src_0_1804289383_96`, or `stream_0`
/// without a jitter buffer.
fn number(pad: &str) -> Option<u32> {
    let prefixes = ["recv_rtp_src_", "stream_"];
    let rest = prefixes
        .iter()
        .find_map(|prefix| pad.strip_prefix(prefix))?;
    rest.split('_').next()?.parse().ok()
}

/// Unpacks each stream as it appears.
fn take(
    pipeline: &gst::Pipeline,
    source: &gst::Element,
    chosen: Chosen,
    streams: &Arc<Streams>,
    arrived: &Arc<AtomicU64>,
    events: impl Fn(Event) + Clone + Send + Sync + 'static,
) {
    let (pipeline, streams, arrived) = (pipeline.downgrade(), streams.clone(), arrived.clone());
    source.connect_pad_added(move |_, pad| {
        let number = number(&pad.name());
        let stream = number.and_then(|number| {
            let chosen = chosen.lock().unwrap_or_else(PoisonError::into_inner);
            chosen.get(&number).cloned()
        });
        let (Some(pipeline), Some(stream)) = (pipeline.upgrade(), stream) else {
            return;
        };
        let (streams, arrived, told) = (streams.clone(), arrived.clone(), events.clone());
        let (media, index) = (stream.media, stream.index);
        let begins = AtomicBool::new(true);
        let push = move |sample: &gst::SampleRef| {
            arrived.fetch_add(1, Ordering::Relaxed);
            let begins = begins.swap(false, Ordering::Relaxed);
            streams
                .push(media, index, sample, begins)
                .inspect_err(|err| told(Event::Stopped(*err)))
        };
        if let Err(err) = unpack(&pipeline, pad, &stream, push) {
            let (media, encoding) = (media.as_str(), &stream.encoding);
            events(Event::Over(format!(
                "its {media} ({encoding}) cannot be unpacked: {err}"
            )));
        }
    });
}

fn unpack(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    stream: &Stream,
    push: impl Fn(&gst::SampleRef) -> Result<gst::FlowSuccess, gst::FlowError> + Send + 'static,
) -> Result<(), glib::BoolError> {
    let elements = unpacked_by(stream.media, &stream.encoding).unwrap_or_default();
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .max_buffers(1)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    push(&sample)
                })
                .build(),
        )
        .build();
    let mut chain = Vec::new();
    for name in elements {
        chain.push(gst::ElementFactory::make(name).build()?);
    }
    chain.push(sink.upcast());
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    for element in chain.iter().rev() {
        element.sync_state_with_parent()?;
    }
    let first = chain.first().and_then(|first| first.static_pad("sink"));
    let first = first.ok_or_else(|| glib::bool_error!("a depayloader has no sink pad"))?;
    pad.link(&first)
        .map_err(|err| glib::bool_error!("it cannot be linked: {err}"))?;
    Ok(())
}
