//! What goes into the open clip, and how a recording goes on in another file where one cannot hold
//! it all.

use evr_core::recording::Unit;
use evr_core::recording::track::Break;

use super::{Action, Recorder, Stage};
use crate::eventsink::clip::{Clip, Surroundings};

impl Recorder {
    pub(super) fn write(&mut self, unit: Unit<gst::Buffer>) -> Vec<Action> {
        let around = Surroundings {
            config: &self.config,
            streams: &self.streams,
            epoch: self.epoch,
        };
        let Stage::Open(clip) = &mut self.stage else {
            return vec![];
        };
        let again = unit.clone();
        match clip.push(unit, &around) {
            Ok(actions) => {
                if let Some(id) = clip.id().filter(|_| self.previous.is_none()) {
                    self.previous = Some((clip.recording.id, id.into()));
                }
                actions
            }
            Err(why) => {
                let Stage::Open(clip) = std::mem::replace(&mut self.stage, Stage::Over) else {
                    return vec![];
                };
                let mut actions = self.next_part(*clip, why);
                let around = Surroundings {
                    config: &self.config,
                    streams: &self.streams,
                    epoch: self.epoch,
                };
                // A new part takes any unit, or waits for a sync point, so this ends here.
                if let Stage::Open(clip) = &mut self.stage
                    && let Ok(more) = clip.push(again, &around)
                {
                    actions.extend(more);
                }
                actions
            }
        }
    }

    /// Goes on in another part.
    pub(super) fn part(&mut self, why: Break) -> Vec<Action> {
        match std::mem::replace(&mut self.stage, Stage::Shut) {
            Stage::Open(clip) => self.next_part(*clip, why),
            other => {
                self.stage = other;
                vec![]
            }
        }
    }

    /// Ends a part and, where that helps, opens the next one of the same recording.
    fn next_part(&mut self, part: Clip, why: Break) -> Vec<Action> {
        self.stage = match self.streams.lead_input() {
            Some(input) if why.can_go_on() => {
                let mut next = Clip::new(part.recording.clone(), part.moment(), input.clone());
                next.set_identity(part.identity());
                Stage::Open(Box::new(next))
            }
            _ => Stage::Over,
        };
        if part.id().is_none() {
            return vec![];
        }
        part.end(Some(why.to_string()), &self.surroundings())
            .into_iter()
            .collect()
    }

    /// Gives a part that another stream has made necessary the frames from the last sync point
    /// on, or frames would be missing between the two.
    pub(super) fn again(&mut self) -> Vec<Action> {
        let units = self.kept.last_group();
        units
            .into_iter()
            .flat_map(|unit| self.write(unit))
            .collect()
    }
}
