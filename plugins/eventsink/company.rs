//! The streams of a clip beside the leading one: what of them goes in, and when their silence is
//! told.

use std::sync::Arc;

use evr_core::detection::Detection;
use evr_core::recording::Unit;
use evr_core::recording::beside::Place;
use evr_core::recording::meta;
use evr_core::recording::track::Loss;
use evr_core::time::{Nanos, SECOND};

use super::pads::Kind;
use super::recorder::Action;
use super::streams::{Stream, Streams};
use super::writer::{MAX_QUEUED, Writer};

/// A stream that is so far behind the leading one is silent: the muxer is told not to wait.
const SILENT: Nanos = SECOND;
/// The same of media that waits for us, whose threads may be that far apart.
const SILENT_FILE: Nanos = 10 * SECOND;
/// The same where the muxer cannot be told: the clip goes on without that stream.
const MUTE: Nanos = 5 * SECOND;

/// Bytes that may wait for the disk before sound is dropped too: it goes on for long where pictures
/// no longer find room.
const MAX_WAITING: u64 = 2 * MAX_QUEUED;

/// A stream beside the leading one.
struct Fellow {
    kind: Kind,
    /// Its number in the writer; of lines of JSON none.
    track: Option<usize>,
    /// What was taken of it.
    place: Place,
    /// What the muxer knows of it: nothing is missing before.
    told: Nanos,
    /// Units written.
    units: u64,
    /// The same counters of the stream when the clip began.
    lost: u64,
}

/// All of them.
#[derive(Default)]
pub(super) struct Company {
    fellows: Vec<Fellow>,
    loss: Option<Loss>,
    /// What lines of JSON say was seen; `None` where there is no such stream.
    seen: Option<Vec<(Nanos, Vec<Detection>)>>,
    warned: bool,
    /// Something came of a track without which the clip has gone on.
    sound_is_back: bool,
}

/// Where a clip stands.
pub(super) struct Span {
    /// PTS of its first unit.
    pub(super) start: Nanos,
    /// Nothing at or behind it is due.
    pub(super) until: Nanos,
}

impl Company {
    /// Those of which something is known.
    pub(super) fn new(streams: &Streams, start: Nanos) -> Self {
        let mut company = Self::default();
        let known = streams
            .beside()
            .filter(|(_, stream)| stream.input.is_some());
        for (kind, stream) in known {
            // The leading stream has number 0.
            let track = 1 + company.audio().count();
            company.fellows.push(Fellow {
                kind,
                track: (kind != Kind::Meta).then_some(track),
                place: Place::default(),
                told: start,
                units: 0,
                lost: lost(stream),
            });
            if kind == Kind::Meta {
                company.seen = Some(vec![]);
            }
        }
        company
    }

    /// The pads of those that have a track, in the order of their tracks.
    pub(super) fn audio(&self) -> impl Iterator<Item = Kind> {
        let fellows = self.fellows.iter().filter(|fellow| fellow.track.is_some());
        fellows.map(|fellow| fellow.kind)
    }

    pub(super) fn loss(&self) -> Option<Loss> {
        self.loss
    }

    /// Whether only another part can hold what has come.
    pub(super) fn needs_a_part(&self) -> bool {
        self.sound_is_back
    }

    pub(super) fn take_seen(&mut self) -> Option<Vec<(Nanos, Vec<Detection>)>> {
        self.seen.take()
    }

    /// Takes all that is due.
    pub(super) fn advance(
        &mut self,
        streams: &Streams,
        writer: &Arc<Writer>,
        span: &Span,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        for fellow in &mut self.fellows {
            let all = streams.beside();
            let Some((_, stream)) = all.into_iter().find(|(kind, _)| *kind == fellow.kind) else {
                continue;
            };
            if lost(stream) > fellow.lost {
                self.loss.get_or_insert(Loss::Disordered);
            }
            while let Some(unit) = stream.units.next(&mut fellow.place, span.start, span.until) {
                let Some(track) = fellow.track else {
                    let lines = read(unit, self.seen.get_or_insert_default());
                    if lines > 0 && !std::mem::replace(&mut self.warned, true) {
                        actions.push(Action::Warn(meta::MetaError::NotAnObject.to_string()));
                    }
                    continue;
                };
                if writer.is_ended(track) {
                    // The next part takes it.
                    self.sound_is_back = true;
                    break;
                }
                fellow.told = unit.pts;
                // Media that waits for us is never dropped.
                if !writer.patient && writer.queued() >= MAX_WAITING {
                    self.loss.get_or_insert(Loss::Silenced);
                    continue;
                }
                fellow.units += 1;
                actions.push(Action::Write {
                    writer: writer.clone(),
                    track,
                    buffer: unit.payload.clone(),
                    pts: unit.pts - span.start,
                    dts: None,
                });
            }
        }
        actions
    }

    /// Tells the muxer of streams that say nothing, now that the leading one is at `now`.
    pub(super) fn tell_silence(
        &mut self,
        writer: &Arc<Writer>,
        start: Nanos,
        now: Nanos,
        bears_silence: bool,
    ) -> Vec<Action> {
        let silent = if writer.patient { SILENT_FILE } else { SILENT };
        let mut actions = Vec::new();
        for fellow in &mut self.fellows {
            let Some(track) = fellow.track.filter(|track| !writer.is_ended(*track)) else {
                continue;
            };
            let behind = now - fellow.told;
            if fellow.units > 0 && !bears_silence {
                if behind > MUTE && !writer.patient {
                    actions.push(Action::EndTrack(writer.clone(), track));
                }
            } else if behind > silent {
                actions.push(Action::Gap {
                    writer: writer.clone(),
                    track,
                    pts: fellow.told - start,
                    until: now - start,
                });
                fellow.told = now;
            }
        }
        actions
    }
}

/// Units of a stream that could not be placed.
fn lost(stream: &Stream) -> u64 {
    stream.untimed + stream.units.disordered()
}

/// Reads a buffer of lines; says how many were none.
fn read(unit: &Unit<gst::Buffer>, seen: &mut Vec<(Nanos, Vec<Detection>)>) -> usize {
    let Ok(text) = unit.payload.map_readable() else {
        return 1;
    };
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.trim_ascii().is_empty());
    let mut refused = 0;
    for line in lines {
        match meta::read(line, unit.pts) {
            Ok(observation) => seen.extend(observation),
            Err(_) => refused += 1,
        }
    }
    refused
}
