//! From an activation to a recording: where it decodes from, what leaves the gate, when it closes.

use std::sync::Arc;

use super::{
    Gate, NEWS, Open,
    activation::Activation,
    hold::SyncPoint,
    output::{Boundary, Cause, Output, REFERENCE},
    secondary::Window,
};
use crate::time::Nanos;

/// A sync point that has left the gate, and the units behind it with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    pts: Nanos,
    recording: u64,
}

/// Where the sync point of a recording was found.
enum Found {
    Left(Tail),
    Held(SyncPoint),
}

impl<T> Gate<T> {
    /// The next signal belongs to the next activation: closes this one as soon as all of its
    /// media is there.
    pub(super) fn close_for_next(&mut self, known: Nanos) -> bool {
        self.release(known);
        let Some(open) = self
            .open
            .take_if(|open| open.activation.end <= self.media.safe)
        else {
            return false;
        };
        self.finish_at_end(open);
        true
    }

    /// Closes the activation once its media is complete and no later signal can belong to it.
    pub(super) fn close(&mut self, known: Nanos) -> bool {
        let (config, safe) = (&self.config, self.media.safe);
        let done = |open: &mut Open| {
            open.activation.end <= safe && open.activation.settled_at(config) <= known
        };
        let Some(open) = self.open.take_if(done) else {
            return false;
        };
        self.finish_at_end(open);
        true
    }

    fn finish_at_end(&mut self, open: Open) {
        let activation = &open.activation;
        let cause = if let Some(ended) = self.media.ended
            && activation.end > self.media.end
        {
            ended
        } else if activation.stopped {
            Cause::Stop
        } else if activation.end == activation.cap {
            Cause::Maximum
        } else {
            Cause::Elapsed
        };
        self.finish(open, cause);
    }

    pub(super) fn finish(&mut self, open: Open, cause: Cause) {
        let Open {
            activation,
            boundary,
            ..
        } = open;
        let Some(opened) = boundary else {
            self.stats.empty += 1;
            return;
        };
        let end = if self.media.ended.is_some() {
            activation.end.min(self.media.end)
        } else {
            activation.end
        };
        let event_end = if activation.held {
            end
        } else {
            activation.last.min(end)
        };
        let close = Arc::new(Boundary {
            end,
            event_end: event_end.max(opened.event_start),
            cause,
            signals: activation.signals,
            ..(*opened).clone()
        });
        self.previous_end = activation.end;
        if let Some(window) = self.windows.back_mut() {
            window.close = Some(Arc::clone(&close));
        }
        self.out.push_back(Output::Close(REFERENCE, close));
        self.gap = None;
    }

    /// Lets out what certainly belongs to the recording.
    pub(super) fn release(&mut self, known: Nanos) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        let sure = open.activation.sure(known);
        if open.boundary.is_none() {
            open.boundary = self.begin(&open.activation, sure);
        }
        if let Some(boundary) = &open.boundary {
            let (id, sync_point) = (boundary.id, boundary.sync_point);
            while let Some(count) = self.hold.prefix_before(sure) {
                for _ in 0..count {
                    self.release_front(id, sync_point);
                }
            }
            open.released = open.released.max(sure.min(self.media.safe));
            self.forget_tails(open.released);
            if let Some(window) = self.windows.back_mut() {
                window.sure = open.released.min(self.media.end);
            }
        }
        self.tell_news(&mut open);
        self.open = Some(open);
    }

    /// Tells which signals have come since the recording was last spoken of, now and then.
    fn tell_news(&mut self, open: &mut Open) {
        let Some(opened) = &open.boundary else {
            return;
        };
        let (activation, (count, at)) = (&open.activation, open.told);
        let told = count.max(opened.signals.len());
        let news = activation.signals.get(told..).unwrap_or_default();
        if at == Nanos::MIN {
            open.told = (told, open.released);
        } else if !news.is_empty() && open.released >= at.saturating_add(NEWS) {
            let update = Arc::new(Boundary {
                end: activation.end,
                event_end: activation.last.max(opened.event_start),
                signals: news.to_vec(),
                ..**opened
            });
            open.told = (activation.signals.len(), open.released);
            self.out.push_back(Output::Update(REFERENCE, update));
        }
    }

    fn release_front(&mut self, recording: u64, sync_point: Nanos) {
        let Some(unit) = self.hold.pop() else { return };
        if unit.pts < sync_point {
            return; // A leading picture: what it refers to lies before the sync point.
        }
        if unit.sync {
            self.tails.push_back(Tail {
                pts: unit.pts,
                recording,
            });
        }
        self.out.push_back(Output::Unit(REFERENCE, unit));
    }

    /// Of the sync points that have left the gate, only the last before everything has left and
    /// those behind it can begin the next recording.
    fn forget_tails(&mut self, released: Nanos) {
        while self.tails.get(1).is_some_and(|tail| tail.pts <= released) {
            self.tails.pop_front();
        }
    }

    /// Finds where the recording decodes from and opens it, once that and its first unit are certain.
    fn begin(&mut self, activation: &Activation, sure: Nanos) -> Option<Arc<Boundary>> {
        let start = activation.start;
        if self.media.safe <= start {
            return None; // A sync point at or before the start may still come.
        }
        let ended_before = self.media.ended.is_some() && self.media.end <= start;
        if sure <= start || ended_before {
            return None; // Nothing of it is certain yet, or ever will be.
        }
        let (sync_point, continues_from) = match self.find_sync_point(start)? {
            Found::Left(tail) => (tail.pts, Some(tail.recording)),
            Found::Held(sync) => {
                if sync.pts >= sure {
                    return None;
                }
                if self.hold.drop_before(sync) {
                    self.tails.clear();
                }
                (sync.pts, None)
            }
        };
        self.stats.recordings += 1;
        self.stats.short += u64::from(sync_point > start);
        let boundary = Arc::new(Boundary {
            id: self.stats.recordings,
            asked: activation.asked,
            start,
            sync_point,
            end: activation.end,
            event_start: activation.first,
            event_end: activation.last,
            continues_from,
            cause: activation
                .signals
                .first()
                .map_or(Cause::Trigger, |it| it.signal.action.into()),
            signals: activation.signals.clone(),
        });
        self.windows.push_back(Window {
            open: Arc::clone(&boundary),
            sure: start,
            close: None,
        });
        self.out
            .push_back(Output::Open(REFERENCE, Arc::clone(&boundary)));
        Some(boundary)
    }

    fn find_sync_point(&self, start: Nanos) -> Option<Found> {
        let left = || self.tails.iter().rev().find(|tail| tail.pts <= start);
        let held = self.hold.sync_at(start).map(Found::Held);
        held.or_else(|| left().map(|tail| Found::Left(*tail)))
            .or_else(|| self.hold.first_sync().map(Found::Held))
    }
}
