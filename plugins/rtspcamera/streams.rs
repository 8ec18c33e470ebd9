//! The element's own pads: one stream each, whatever becomes of the session behind it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use evr_core::camera::Media;
use gst::prelude::*;

use crate::bridge::time::{clock_time, running_time};

/// The pads, and what has gone out on them.
pub(super) struct Streams {
    tracks: Mutex<Vec<Track>>,
}

struct Track {
    media: Media,
    /// Among those of its kind.
    index: usize,
    pad: gst::Pad,
    /// The stream has been announced.
    begun: bool,
    caps: Option<gst::Caps>,
}

impl Streams {
    /// The video's pad; sound is asked for.
    pub(super) fn new(video: &gst::Pad) -> Self {
        let streams = Self {
            tracks: Mutex::default(),
        };
        streams.add(Media::Video, 0, video);
        streams
    }

    pub(super) fn add(&self, media: Media, index: usize, pad: &gst::Pad) {
        self.lock().push(Track {
            media,
            index,
            pad: pad.clone(),
            begun: false,
            caps: None,
        });
    }

    pub(super) fn remove(&self, pad: &gst::Pad) {
        self.lock().retain(|track| track.pad != *pad);
    }

    /// The number of a pad that has none yet.
    pub(super) fn free_audio(&self) -> usize {
        let tracks = self.lock();
        let taken = |index| {
            let mut audio = tracks.iter().filter(|track| track.media == Media::Audio);
            audio.any(|track| track.index == index)
        };
        (0..).find(|index| !taken(*index)).unwrap_or(0)
    }

    /// Nothing has gone out yet.
    pub(super) fn restart(&self) {
        for track in self.lock().iter_mut() {
            (track.begun, track.caps) = (false, None);
        }
    }

    /// Whether there is a pad for the stream.
    pub(super) fn has(&self, media: Media, index: usize) -> bool {
        let tracks = self.lock();
        let mut pads = tracks.iter();
        pads.any(|track| (track.media, track.index) == (media, index))
    }

    /// Sends on what a session has unpacked; `begins` where it is the session's first.
    pub(super) fn push(
        &self,
        media: Media,
        index: usize,
        sample: &gst::SampleRef,
        begins: bool,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let (pad, events) = {
            let mut tracks = self.lock();
            let mut own = tracks.iter_mut();
            let own = own.find(|track| (track.media, track.index) == (media, index));
            let Some(track) = own else {
                // It was released while the stream ran.
                return Ok(gst::FlowSuccess::Ok);
            };
            (track.pad.clone(), track.announce(Some(caps)))
        };
        for event in events {
            pad.push_event(event);
        }
        pad.push(timed(buffer, sample.segment(), begins))
    }

    /// Says that nothing has come up to `time`, a running time.
    pub(super) fn gap(&self, time: gst::ClockTime) {
        let begun = |track: &Track| track.begun.then(|| track.pad.clone());
        let pads: Vec<_> = self.lock().iter().filter_map(begun).collect();
        for pad in pads {
            pad.push_event(gst::event::Gap::new(time, gst::ClockTime::NONE));
        }
    }

    /// Says that nothing more will come.
    pub(super) fn eos(&self, seqnum: gst::Seqnum) {
        let announced = |track: &mut Track| (track.pad.clone(), track.announce(None));
        let pads: Vec<_> = self.lock().iter_mut().map(announced).collect();
        for (pad, events) in pads {
            for event in events {
                pad.push_event(event);
            }
            pad.push_event(gst::event::Eos::builder().seqnum(seqnum).build());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Track>> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Track {
    /// What must go out before anything else does.
    fn announce(&mut self, caps: Option<&gst::CapsRef>) -> Vec<gst::Event> {
        let mut events = Vec::new();
        let begins = !std::mem::replace(&mut self.begun, true);
        if begins {
            let name = format!("{}-{}", self.media.as_str(), self.index);
            let id = match self.pad.parent_element() {
                Some(element) => self
                    .pad
                    .create_stream_id(&element, Some(name.as_str()))
                    .to_string(),
                None => name,
            };
            events.push(gst::event::StreamStart::new(&id));
        }
        if let Some(caps) = caps
            && self.caps.as_deref() != Some(caps)
        {
            let caps = self.caps.insert(caps.to_owned());
            events.push(gst::event::Caps::new(caps));
        }
        if begins {
            // Positions are running times, from the pipeline's start to its end.
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            events.push(gst::event::Segment::new(&segment));
        }
        events
    }
}

/// The buffer with running times for positions.
fn timed(mut buffer: gst::Buffer, segment: Option<&gst::Segment>, begins: bool) -> gst::Buffer {
    let running = |time| {
        let running = running_time(segment?, time)?;
        (running >= 0).then(|| clock_time(running))
    };
    let (pts, dts) = (running(buffer.pts()), running(buffer.dts()));
    // Copies the fields where others hold the buffer too, never its memory.
    let fields = buffer.make_mut();
    fields.set_pts(pts);
    fields.set_dts(dts);
    if begins {
        fields.set_flags(gst::BufferFlags::DISCONT);
    }
    buffer
}
