//! The private pipeline of one recording: `appsrc ! mp4mux ! filesink`.
//!
//! The streaming thread only puts buffers into appsrc's queue; whatever touches the disk runs in
//! the pipeline's own thread. What the pipeline says stays on its own bus.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use evr_core::time::Nanos;
use gst::prelude::*;

use super::clip::Ending;

/// Bytes that may wait for the disk: 12 s of a 20 Mbit/s camera.
pub(super) const MAX_QUEUED: u64 = 32 << 20;
/// Where a clip's segment starts, so that the DTS of its first units can lie before it.
const ORIGIN: Nanos = 3600 * evr_core::time::SECOND;
/// Ticks a second of a track whose caps tell no frame rate; mp4mux would take 10000, which
/// rounds 1/30 s.
const TIMESCALE: u32 = 90_000;
const TIMESTAMPER: &str = "h264timestamper";

/// What the thread that waits for a recording hears.
pub(super) enum Event {
    /// No more buffers will come.
    Ended(Box<Ending>),
    /// The pipeline has written the last byte.
    Written,
    /// The pipeline is broken.
    Broken(String),
}

/// The streaming thread's end of a recording.
pub(super) struct Writer {
    appsrc: gst_app::AppSrc,
    caps: gst::Caps,
    segment: gst::FormattedSegment<gst::ClockTime>,
    events: Sender<Event>,
    /// The media waits for us.
    pub(super) patient: bool,
    /// Work out the DTS: upstream has none.
    stamp: bool,
    broken: AtomicBool,
}

impl Writer {
    /// A writer for one stream, and what is said about it.
    pub(super) fn new(caps: &gst::Caps, patient: bool, stamp: bool) -> (Self, Receiver<Event>) {
        let (events, heard) = channel();
        let mut segment = gst::FormattedSegment::new();
        segment.set_start(clock_time(0));
        let appsrc = gst_app::AppSrc::builder()
            .format(gst::Format::Time)
            .handle_segment_change(true)
            // The bound is ours to keep: we drop whole groups, appsrc would drop any buffer.
            .max_bytes(0)
            .build();
        let writer = Self {
            appsrc,
            caps: caps.clone(),
            segment,
            events,
            patient,
            stamp,
            broken: AtomicBool::new(false),
        };
        (writer, heard)
    }

    /// Bytes that wait for the disk.
    pub(super) fn queued(&self) -> u64 {
        if self.broken.load(Ordering::Relaxed) {
            0
        } else {
            self.appsrc.current_level_bytes()
        }
    }

    /// Queues a buffer at its times in the clip. Never waits.
    pub(super) fn write(&self, mut buffer: gst::Buffer, pts: Nanos, dts: Option<Nanos>) {
        if self.broken.load(Ordering::Relaxed) {
            return;
        }
        // Copies the buffer's fields where others hold it too, never its memory.
        let fields = buffer.make_mut();
        fields.set_pts(clock_time(pts));
        fields.set_dts(dts.map(clock_time));
        let sample = gst::Sample::builder()
            .buffer(&buffer)
            .caps(&self.caps)
            .segment(&self.segment)
            .build();
        // Refused only once the pipeline is down, which its bus has told.
        let _ = self.appsrc.push_sample(&sample);
    }

    /// No more buffers will come.
    pub(super) fn end(&self, ending: Box<Ending>) {
        // Nobody hears it only when the recording has failed.
        let _ = self.events.send(Event::Ended(ending));
    }

    /// Nothing more is taken.
    pub(super) fn set_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Everything queued so far is all there is.
    pub(super) fn drain(&self) {
        let _ = self.appsrc.end_of_stream();
    }

    /// Builds the pipeline that writes to `path`.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn pipeline(
        &self,
        path: &Path,
        fragment: gst::ClockTime,
    ) -> Result<gst::Pipeline, glib::BoolError> {
        let muxer = gst::ElementFactory::make("mp4mux")
            .property(
                "fragment-duration",
                u32::try_from(fragment.mseconds()).unwrap_or(u32::MAX),
            )
            .property_from_str("fragment-mode", "first-moov-then-finalise")
            .build()?;
        let sink = gst::ElementFactory::make("filesink")
            .property("location", path)
            // Each fragment reaches the file as it ends; 64 KiB of buffer would hold back 17 s of
            // a 30 kbit/s stream.
            .property_from_str("buffer-mode", "unbuffered")
            .build()?;
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([self.appsrc.upcast_ref(), &muxer, &sink])?;
        let track = muxer
            .request_pad_simple("video_0")
            .ok_or_else(|| glib::bool_error!("mp4mux has no pad video_0"))?;
        let rate = self.caps.structure(0);
        if !rate.is_some_and(|fields| fields.has_field("framerate")) {
            track.set_property("trak-timescale", TIMESCALE);
        }
        let mut last = self.appsrc.clone().upcast::<gst::Element>();
        if self.stamp {
            let stamper = gst::ElementFactory::make(TIMESTAMPER).build()?;
            pipeline.add(&stamper)?;
            last.link(&stamper)?;
            last = stamper;
        }
        last.link_pads(Some("src"), &muxer, Some("video_0"))?;
        muxer.link(&sink)?;
        self.listen(&pipeline);
        Ok(pipeline)
    }

    fn listen(&self, pipeline: &gst::Pipeline) {
        let events = self.events.clone();
        let bus = pipeline.bus().expect("a pipeline has a bus");
        bus.set_sync_handler(move |_, message| {
            let event = match message.view() {
                gst::MessageView::Eos(_) => Some(Event::Written),
                gst::MessageView::Error(error) => Some(Event::Broken(error.error().to_string())),
                _ => None,
            };
            if let Some(event) = event {
                let _ = events.send(event);
            }
            gst::BusSyncReply::Drop
        });
    }
}

/// Whether missing DTS can be worked out on this machine.
pub(super) fn has_timestamper() -> bool {
    gst::ElementFactory::find(TIMESTAMPER).is_some()
}

/// The stock elements that a clip needs and this machine lacks.
pub(super) fn missing_elements() -> Vec<&'static str> {
    ["appsrc", "mp4mux", "filesink"]
        .into_iter()
        .filter(|name| gst::ElementFactory::find(name).is_none())
        .collect()
}

/// A time in the clip as the private pipeline counts it.
fn clock_time(time: Nanos) -> gst::ClockTime {
    crate::bridge::time::clock_time(time.saturating_add(ORIGIN))
}
