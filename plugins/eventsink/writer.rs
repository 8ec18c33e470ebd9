//! The private pipeline of one recording: an `appsrc` a stream, a muxer and a `filesink`.
//!
//! The streaming threads only put buffers into appsrc's queue; whatever touches the disk runs in
//! the pipeline's own threads. What the pipeline says stays on its own bus.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use evr_core::recording::container::Container;
use evr_core::recording::sidecar::Facts;
use evr_core::time::{Nanos, SECOND};
use gst::prelude::*;

use super::caps::Input;
use super::clip::Ending;
use super::fragments;
use super::muxer;
use super::pads::Kind;

/// Bytes that may wait for the disk: 12 s of a 20 Mbit/s camera.
pub(super) const MAX_QUEUED: u64 = 32 << 20;

/// What the thread that waits for a recording hears.
pub(super) enum Event {
    /// What came to light of the recording since it was last spoken of.
    Learnt(Box<Facts>),
    /// No more buffers will come.
    Ended(Box<Ending>),
    /// The pipeline has written the last byte.
    Written,
    /// The pipeline is broken.
    Broken(String),
}

/// The streaming threads' end of a recording.
pub(super) struct Writer {
    /// The leading stream first.
    tracks: Vec<Track>,
    container: Container,
    events: Sender<Event>,
    /// The media waits for us.
    pub(super) patient: bool,
    broken: AtomicBool,
}

struct Track {
    kind: Kind,
    input: Input,
    appsrc: gst_app::AppSrc,
    segment: gst::FormattedSegment<gst::ClockTime>,
    /// What works out the DTS that upstream does not tell.
    stamper: Option<&'static str>,
    /// Caps and segment have gone ahead.
    announced: AtomicBool,
    ended: AtomicBool,
}

impl Writer {
    /// A writer for these streams, each with what works out its DTS, and what is said about it.
    pub(super) fn new(
        container: Container,
        streams: Vec<(Kind, Input, Option<&'static str>)>,
        patient: bool,
    ) -> (Self, Receiver<Event>) {
        let (events, heard) = channel();
        let mut segment = gst::FormattedSegment::new();
        segment.set_start(crate::bridge::time::clock_time(muxer::origin(container)));
        let track = |(kind, input, stamper)| Track {
            kind,
            input,
            appsrc: gst_app::AppSrc::builder()
                .format(gst::Format::Time)
                .handle_segment_change(true)
                // The bound is ours to keep: we drop whole groups, appsrc would drop any buffer.
                .max_bytes(0)
                .build(),
            segment: segment.clone(),
            stamper,
            announced: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        };
        let writer = Self {
            tracks: streams.into_iter().map(track).collect(),
            container,
            events,
            patient,
            broken: AtomicBool::new(false),
        };
        (writer, heard)
    }

    /// Bytes that wait for the disk.
    pub(super) fn queued(&self) -> u64 {
        if self.broken.load(Ordering::Relaxed) {
            return 0;
        }
        let levels = self
            .tracks
            .iter()
            .map(|track| track.appsrc.current_level_bytes());
        levels.sum()
    }

    /// Queues a buffer of a track at its times in the clip. Never waits.
    pub(super) fn write(
        &self,
        track: usize,
        mut buffer: gst::Buffer,
        pts: Nanos,
        dts: Option<Nanos>,
    ) {
        let Some(track) = self.tracks.get(track) else {
            return;
        };
        if self.broken.load(Ordering::Relaxed) || track.ended.load(Ordering::Relaxed) {
            return;
        }
        // Copies the buffer's fields where others hold it too, never its memory.
        let fields = buffer.make_mut();
        fields.set_pts(self.clock_time(pts));
        fields.set_dts(dts.map(|dts| self.clock_time(dts)));
        track.push(buffer);
    }

    /// Says that a track has nothing before `until`, so that the muxer does not wait for it.
    pub(super) fn gap(&self, track: usize, pts: Nanos, until: Nanos) {
        let Some(track) = self.tracks.get(track) else {
            return;
        };
        // Appsrc queues a GAP event too, but before the segment in which it has its time.
        let mut gap = gst::Buffer::new();
        let fields = gap.get_mut().expect("a new buffer has one owner");
        fields.set_pts(self.clock_time(pts));
        fields.set_duration(crate::bridge::time::clock_time(until - pts));
        fields.set_flags(gst::BufferFlags::GAP | gst::BufferFlags::DROPPABLE);
        track.push(gap);
    }

    /// A track has no more; the others go on.
    pub(super) fn end_track(&self, track: usize) {
        if let Some(own) = self.tracks.get(track) {
            // A track of which nothing has come must say at least what it would have been, or
            // the muxer leaves the others out too.
            if !own.announced.load(Ordering::Relaxed) {
                self.gap(track, 0, SECOND);
            }
            own.end();
        }
    }

    /// The media waits for the disk, and the muxer for streams of which nothing comes: it shall
    /// go on without them.
    pub(super) fn end_silent_tracks(&self) {
        for (index, track) in self.tracks.iter().enumerate() {
            if track.appsrc.current_level_bytes() == 0 {
                self.end_track(index);
            }
        }
    }

    /// Whether the clip goes on without this track.
    pub(super) fn is_ended(&self, track: usize) -> bool {
        self.tracks
            .get(track)
            .is_none_or(|track| track.ended.load(Ordering::Relaxed))
    }

    /// What came to light of the recording is to be written down. Never waits.
    pub(super) fn learn(&self, facts: Box<Facts>) {
        // Nobody hears it only when the recording has failed.
        let _ = self.events.send(Event::Learnt(facts));
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
        for index in 0..self.tracks.len() {
            self.end_track(index);
        }
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
        let muxer = muxer::make(self.container, fragment)?;
        let sink = gst::ElementFactory::make("filesink")
            .property("location", path)
            // Each fragment reaches the file as it ends; 64 KiB of buffer would hold back 17 s of
            // a 30 kbit/s stream.
            .property_from_str("buffer-mode", "unbuffered")
            .build()?;
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&muxer, &sink])?;
        for (index, track) in self.tracks.iter().enumerate() {
            let pad = muxer::pad(&muxer, self.container, (index, track.kind), &track.input)?;
            let mut last = track.appsrc.clone().upcast::<gst::Element>();
            pipeline.add(&last)?;
            for helper in track.input.parser.into_iter().chain(track.stamper) {
                let helper = gst::ElementFactory::make(helper).build()?;
                pipeline.add(&helper)?;
                last.link(&helper)?;
                last = helper;
            }
            last.link_pads(Some("src"), &muxer, Some(&pad.name()))?;
        }
        muxer.link(&sink)?;
        if let Some(pad) = muxer.static_pad("src") {
            let has_index = self.container == Container::Mp4;
            fragments::gather(&pad, (!has_index).then_some(fragment / 2));
        }
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

    /// A time in the clip as the private pipeline counts it.
    fn clock_time(&self, time: Nanos) -> gst::ClockTime {
        let origin = muxer::origin(self.container);
        crate::bridge::time::clock_time(time.saturating_add(origin))
    }
}

impl Track {
    fn push(&self, buffer: gst::Buffer) {
        // Refused only once the pipeline is down, which its bus has told.
        if self.announced.swap(true, Ordering::Relaxed) {
            let _ = self.appsrc.push_buffer(buffer);
            return;
        }
        let sample = gst::Sample::builder()
            .buffer(&buffer)
            .caps(&self.input.caps)
            .segment(&self.segment)
            .build();
        let _ = self.appsrc.push_sample(&sample);
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.appsrc.end_of_stream();
    }
}
