//! How a recording opens, where its stream has not said yet what it is too.

use super::{Action, Recorder, Stage};
use crate::bridge::recording::Recording;
use crate::eventsink::clip::{Clip, without_clip};
use crate::eventsink::clock::Moment;

impl Recorder {
    pub(super) fn open(&mut self, recording: Recording, moment: Moment) -> Vec<Action> {
        let why = "another recording opened before this one was closed";
        let mut actions = self.end(Some(why.into()), recording.start);
        self.stage = Stage::Early(Box::new((recording, moment)));
        actions.extend(self.open_early());
        actions
    }

    /// Begins the clip of the recording that has opened, once it is known what it will hold.
    pub(super) fn open_early(&mut self) -> Vec<Action> {
        let Some(input) = self.streams.lead_input().cloned() else {
            return vec![];
        };
        let (recording, moment) = match std::mem::replace(&mut self.stage, Stage::Shut) {
            Stage::Early(early) => *early,
            other => {
                self.stage = other;
                return vec![];
            }
        };
        let (n, sync_point) = (recording.id, recording.sync_point);
        let continues_from = recording.continues_from;
        let mut clip = Clip::new(recording, moment, input);
        let previous = self.previous.take();
        clip.continues(
            previous
                .filter(|(n, _)| continues_from == Some(*n))
                .map(|(_, id)| id),
        );
        self.stage = Stage::Open(Box::new(clip));
        if continues_from.is_none() {
            return vec![];
        }
        match self.kept.since(sync_point) {
            Some(units) => units.into_iter().flat_map(|unit| self.unit(unit)).collect(),
            None => vec![Action::Warn(format!(
                "recording {n} continues an earlier one, whose frames from {sync_point} ns on are \
                 not kept: it begins at the next sync point"
            ))],
        }
    }

    /// What becomes of a recording that ends before anybody could tell what it would hold.
    pub(super) fn unknown(&self, recording: &Recording, moment: Moment) -> Action {
        let reason = "it ended before the caps of its stream were known, so there is no clip";
        without_clip(recording, moment, reason.into(), &self.surroundings())
    }
}
