//! What the element knows while it runs, and what a frame makes of that. It lies under one lock, so
//! nothing here pushes, posts or waits.

use evr_core::{
    counter::{Counter, Raised, azure, check_labels},
    observed,
    tracker::Ended,
};

use super::settings::{Rules, Settings, SettingsError};
use crate::bridge::{detection, model::Model, producer::Outlets, time::running_time};

/// What runs.
#[derive(Default)]
pub(super) struct State {
    pub(super) counter: Counter,
    /// The settings that were last read, whether they hold or were refused.
    pub(super) read: Settings,
    /// Those by which it counts.
    pub(super) in_force: Settings,
    /// The detector that stands upstream, once it has told its name.
    pub(super) model: Option<Model>,
    /// The model cannot find what is asked for: no frame passes any more.
    pub(super) refused: bool,
    /// The user was told that lines need tracks.
    pub(super) told_of_tracks: bool,
    /// The same of classes by number, which need a detector that numbers them.
    pub(super) told_of_numbers: bool,
    /// The tracks that are over and not told yet, where a `meta` pad wants to know.
    pub(super) ended: Vec<Ended>,
    /// The time stamp of the last frame.
    pub(super) last_pts: Option<gst::ClockTime>,
    /// Width and height of the frames, in pixels.
    pub(super) size: (u32, u32),
    pub(super) segment: gst::Segment,
    pub(super) outlets: Outlets,
    pub(super) observed: u64,
    pub(super) signals: u64,
}

impl State {
    /// Takes over changed settings, as far as they hold; else the old ones stay. Gives what of
    /// them means nothing.
    pub(super) fn configure(&mut self, settings: &Settings) -> Result<Vec<String>, SettingsError> {
        if self.read == *settings {
            return Ok(Vec::new());
        }
        self.read.clone_from(settings);
        let Rules { rules, notes } = settings.rules()?;
        if let Some(model) = &self.model {
            check_labels(&rules, &model.name, &model.labels, &model.ids)
                .map_err(|error| settings.error(error))?;
        }
        self.counter.configure(rules);
        self.in_force.clone_from(settings);
        Ok(notes)
    }

    /// What a frame shows and raises; `None` where it was not inferred, unless that lasts for too
    /// long, or was counted before.
    pub(super) fn observe(&mut self, buffer: &gst::BufferRef) -> Option<Seen> {
        let running_time = running_time(&self.segment, buffer.pts());
        let every_frame = self.model.is_none() && self.in_force.every_frame_inferred;
        let looked_at = detection::looked_at(buffer, self.size, every_frame);
        let Some(observation) = looked_at else {
            let stop = self.counter.unobserved(running_time?);
            let Stop { line, pts } = self.stop(stop)?;
            return Some(Seen {
                lines: vec![line],
                pts,
                line: None,
            });
        };
        let age = detection::age(buffer);
        let media_time = running_time.map(|time| time.saturating_sub_unsigned(age));
        let signals = self.counter.observe(media_time, &observation)?;
        self.observed += 1;
        self.signals += signals.len() as u64;
        let ended = std::mem::take(&mut self.ended);
        let line = (!self.outlets.meta.is_empty())
            .then(|| observed::line(media_time, &observation, Some(self.size), &ended));
        let lines = self.lines(signals);
        let age = gst::ClockTime::from_nseconds(age);
        Some(Seen {
            lines,
            line,
            pts: buffer.pts().map(|pts| pts.saturating_sub(age)),
        })
    }

    /// Signals as they are told.
    pub(super) fn lines(&self, signals: impl IntoIterator<Item = Raised>) -> Vec<String> {
        let told = |raised: Raised| match self.in_force.compatible {
            true => azure::message(&raised),
            false => raised.line,
        };
        signals.into_iter().map(told).collect()
    }

    /// Upstream says that a part of the stream has no frames.
    pub(super) fn gap(&mut self, gap: &gst::event::Gap) -> Option<Stop> {
        let (pts, duration) = gap.get();
        let end = pts.saturating_add(duration.unwrap_or_default());
        let end = running_time(&self.segment, Some(end))?;
        let stop = self.counter.gap(end);
        self.stop(stop)
    }

    /// Another stream begins: what is there in this one stops.
    pub(super) fn begin(&mut self) -> Option<Stop> {
        let stop = self.counter.begin();
        self.stop(stop)
    }

    /// The stream has ended: what is still there stops.
    pub(super) fn end(&mut self) -> Option<Stop> {
        let stop = self.counter.end();
        self.stop(stop)
    }

    fn stop(&mut self, stop: Option<Raised>) -> Option<Stop> {
        self.signals += u64::from(stop.is_some());
        let line = self.lines(stop).pop()?;
        let pts = self.last_pts;
        Some(Stop { line, pts })
    }

    /// A tracker upstream says that a track is over.
    pub(super) fn track_ended(&mut self, ended: Ended) {
        if !self.outlets.meta.is_empty() {
            self.ended.push(ended);
        }
    }

    /// The tracks that are over and not told yet, in a line of their own.
    pub(super) fn ended(&mut self) -> Option<String> {
        observed::end(&std::mem::take(&mut self.ended))
    }

    /// What comes next has nothing to do with what was seen.
    pub(super) fn flush(&mut self) {
        self.counter.flush();
        self.ended.clear();
    }

    /// What objects lack that rules ask for, where now is the time to say so.
    pub(super) fn lacks(&mut self) -> Option<&'static str> {
        if self.counter.lacks_tracks() && !std::mem::replace(&mut self.told_of_tracks, true) {
            return Some("objects without track ids cross no lines: put a tracker in front");
        }
        let numbers = self.counter.lacks_numbers();
        (numbers && !std::mem::replace(&mut self.told_of_numbers, true)).then_some(
            "the detector does not number its classes, so no class-id counts what it finds: give \
             the rules in JSON, with labels",
        )
    }
}

/// A stop that no observation raises, and the time stamp behind which it is told.
pub(super) struct Stop {
    pub(super) line: String,
    pub(super) pts: Option<gst::ClockTime>,
}

/// What a frame led to.
pub(super) struct Seen {
    pub(super) lines: Vec<String>,
    /// The time stamp of the frame that was looked at, which may be an earlier one.
    pub(super) pts: Option<gst::ClockTime>,
    /// The observation itself, where a `meta` pad wants it.
    pub(super) line: Option<String>,
}
