//! What the gate must record, computed from the whole stream and all signals by the formula.
//!
//! Nothing is fed, held or released here: an activation is a set of signals, its end a maximum
//! over that set, a recording a set of frames. Everything is computed again from the beginning
//! whenever it is needed, since nobody waits for it.

use evr_core::{
    gate::{Cause, Config, Unit},
    signal::Action,
    time::Nanos,
};

/// A signal with its media time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) time: Nanos,
    pub(crate) action: Action,
}

/// The signals that one opening of the gate takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Activation {
    pub(crate) members: Vec<Said>,
    pub(crate) end: Nanos,
}

/// What one activation leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clip {
    pub(crate) asked: Nanos,
    pub(crate) start: Nanos,
    pub(crate) sync: Nanos,
    pub(crate) end: Nanos,
    /// Places in decode order.
    pub(crate) frames: Vec<u32>,
    pub(crate) signals: Vec<Nanos>,
    /// An earlier clip holds the sync point too.
    pub(crate) continues: bool,
    /// More than one where the text does not say which.
    pub(crate) causes: Vec<Cause>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Expected {
    pub(crate) clips: Vec<Clip>,
    pub(crate) accepted: u64,
    pub(crate) ignored: u64,
    pub(crate) empty: u64,
    pub(crate) short: u64,
}

/// The media of the reference stream, complete.
#[derive(Debug, Clone, Default)]
pub(crate) struct Media {
    /// In decode order, the payload being the place in it.
    pub(crate) units: Vec<Unit<u32>>,
    /// Nothing is shown between the media before this time and this time.
    pub(crate) gaps: Vec<Nanos>,
}

impl Media {
    /// The time up to which the stream has said anything.
    fn end(&self) -> Option<Nanos> {
        let shown = self
            .units
            .iter()
            .map(|unit| unit.pts + unit.duration.unwrap_or(0));
        shown.chain(self.gaps.iter().copied()).max()
    }
}

/// A start has been said after the last stop.
fn held(members: &[Said]) -> bool {
    let last = |action| members.iter().rposition(|said| said.action == action);
    last(Action::Start) > last(Action::Stop)
}

/// `min(max(En + Tmin, stop), E1 + Tmax)`; held, the cap alone.
fn end(members: &[Said], config: &Config) -> Nanos {
    let cap = members[0].time + config.maximum_activation;
    if held(members) {
        return cap;
    }
    let ends = members.iter().filter_map(|said| match said.action {
        Action::Trigger => Some(said.time + config.minimum_activation),
        Action::Stop => Some(said.time),
        Action::Start => None,
    });
    ends.max().map_or(cap, |end| end.min(cap))
}

/// Whether a signal belongs to the activation that `members` have made so far.
fn belongs(said: Said, members: &[Said], config: &Config) -> bool {
    said.time < members[0].time + config.maximum_activation
        && match said.action {
            Action::Stop => held(members),
            Action::Trigger | Action::Start => {
                said.time + config.signal_offset.min(0) <= end(members, config)
            }
        }
}

/// Cuts all signals, given in any order (equal times in the order of arrival), into activations;
/// the number of ignored ones comes with them.
pub(crate) fn activations(signals: &[Said], config: &Config) -> (Vec<Activation>, u64) {
    let mut rest = signals.to_vec();
    rest.sort_by_key(|said| said.time);
    let (mut found, mut ignored) = (Vec::new(), 0);
    while let Some(first) = rest.iter().position(|said| said.action != Action::Stop) {
        ignored += first as u64;
        let mut members = vec![rest[first]];
        let mut taken = first + 1;
        for &said in &rest[first + 1..] {
            if belongs(said, &members, config) {
                members.push(said);
            } else if said.action == Action::Stop {
                ignored += 1;
            } else {
                break;
            }
            taken += 1;
        }
        let end = end(&members, config);
        found.push(Activation { members, end });
        rest.drain(..taken);
    }
    (found, ignored + rest.len() as u64)
}

/// What must be recorded when all signals come in time and nothing is bounded.
pub(crate) fn expected(media: &Media, signals: &[Said], config: &Config) -> Expected {
    let (activations, ignored) = activations(signals, config);
    let mut all = Expected {
        ignored,
        ..Expected::default()
    };
    for activation in &activations {
        all.accepted += activation.members.len() as u64;
        let previous = all.clips.last().map_or(Nanos::MIN, |clip| clip.end);
        let had = |place: &u32| all.clips.iter().any(|old| old.frames.contains(place));
        let clip = clip(media, activation, previous, config).map(|clip| Clip {
            continues: had(&clip.frames[0]),
            ..clip
        });
        match clip {
            None => all.empty += 1,
            Some(clip) => {
                all.short += u64::from(clip.sync > clip.start);
                all.clips.push(clip);
            }
        }
    }
    all
}

/// The frames of `[start, end)` and those without which they do not decode, from the last sync
/// point at or before the start; `None` if the interval is empty or nothing before its end decodes.
/// An interval that falls into a hole of the media thus keeps the picture that stood before it,
/// even if an earlier clip holds it too.
fn clip(media: &Media, activation: &Activation, previous: Nanos, config: &Config) -> Option<Clip> {
    let asked = activation.members[0].time + config.signal_offset;
    let (start, end) = (asked.max(previous), activation.end);
    let media_end = media.end()?;
    if end.min(media_end) <= start {
        return None;
    }
    let units = &media.units;
    let syncs = || units.iter().filter(|unit| unit.sync);
    let sync = syncs()
        .filter(|unit| unit.pts <= start)
        .max_by_key(|unit| unit.pts)
        .or(syncs().next())?;
    // Decodable: not before the sync point in either order.
    let decodable = |unit: &&Unit<u32>| unit.payload >= sync.payload && unit.pts >= sync.pts;
    let last = units
        .iter()
        .filter(decodable)
        .rfind(|unit| unit.pts < end)?
        .payload;
    let frames = units
        .iter()
        .filter(decodable)
        .map(|unit| unit.payload)
        .filter(|&place| place <= last);
    Some(Clip {
        asked,
        start,
        sync: sync.pts,
        end: end.min(media_end),
        frames: frames.collect(),
        signals: activation.members.iter().map(|said| said.time).collect(),
        continues: false,
        causes: causes(activation, media_end, config),
    })
}

fn causes(activation: &Activation, media_end: Nanos, config: &Config) -> Vec<Cause> {
    let end = activation.end;
    if media_end < end {
        return vec![Cause::Eos];
    }
    let said = |action, time| {
        activation
            .members
            .iter()
            .any(|said| said.action == action && said.time == time)
    };
    let mut causes = Vec::new();
    if end == activation.members[0].time + config.maximum_activation {
        causes.push(Cause::Maximum);
    } else {
        if said(Action::Stop, end) {
            causes.push(Cause::Stop);
        }
        if said(Action::Trigger, end - config.minimum_activation) {
            causes.push(Cause::Elapsed);
        }
    }
    if media_end == end {
        causes.push(Cause::Eos);
    }
    causes
}

/// The units of a secondary stream that belong to a clip.
pub(crate) fn beside(units: &[Unit<u32>], sync: Nanos, end: Nanos) -> Vec<u32> {
    units
        .iter()
        .filter(|unit| (sync..end).contains(&unit.pts))
        .map(|unit| unit.payload)
        .collect()
}
