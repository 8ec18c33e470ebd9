//! Random cases: small numbers that shrink well, and how they become a stream, signals and calls.

use evr_core::{
    gate::{Bounds, Config, PadId, REFERENCE, StreamId, Unit},
    signal::Action,
    time::{Nanos, SECOND},
};
use proptest::prelude::*;

use super::{
    oracle::{Media, Said},
    run::Op,
    schedule::{self, Dice, Source},
    stream::{Dts, FRAME, Kind, Picture, encode},
};

/// One group of pictures: leading B-pictures, I, then B-pictures and P in turn.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    leading: usize,
    frames: usize,
    between: usize,
}

impl Group {
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::B; self.leading];
        kinds.push(Kind::I);
        for n in 1..self.frames {
            let anchor = n % (self.between + 1) == 0 || n + 1 == self.frames;
            kinds.push(if anchor { Kind::P } else { Kind::B });
        }
        kinds
    }
}

fn group() -> impl Strategy<Value = Group> {
    let frames = prop_oneof![4 => 1..=12usize, 1 => Just(1), 1 => 13..=50usize];
    (
        prop_oneof![2 => Just(0), 1 => 0..=2usize],
        frames,
        prop_oneof![1 => Just(0), 1 => 0..=3usize],
    )
        .prop_map(|(leading, frames, between)| Group {
            leading,
            frames,
            between,
        })
}

/// The media of a case.
#[derive(Debug, Clone)]
pub(crate) struct Film {
    groups: Vec<Group>,
    first: i64,
    /// So many units at the beginning have not been received.
    skipped: usize,
    /// At which picture how many are missing.
    pub(crate) holes: Vec<(usize, i64)>,
    dts: Dts,
    pyramid: bool,
}

pub(crate) fn film() -> impl Strategy<Value = Film> {
    (
        prop_oneof![
            6 => prop::collection::vec(group(), 1..8),
            1 => (1..60usize).prop_map(|n| vec![Group { leading: 0, frames: 1, between: 0 }; n]),
        ],
        -100..100i64,
        prop_oneof![3 => Just(0), 1 => 0..6usize],
        prop::collection::vec((0..100usize, 1..40i64), 0..3),
        prop_oneof![Just(Dts::Given), Just(Dts::Missing), Just(Dts::Mixed)],
        any::<bool>(),
    )
        .prop_map(|(groups, first, skipped, holes, dts, pyramid)| Film {
            groups,
            first,
            skipped,
            holes,
            dts,
            pyramid,
        })
}

impl Film {
    /// The units, places counted from 0.
    pub(crate) fn units(&self, dice: &mut Dice) -> Vec<Unit<u32>> {
        let kinds = self.groups.iter().flat_map(Group::kinds);
        let mut pictures = Vec::new();
        let mut pts = self.first * FRAME;
        for (n, kind) in kinds.enumerate() {
            pts += self
                .holes
                .iter()
                .filter(|hole| hole.0 == n)
                .map(|hole| hole.1 * FRAME)
                .sum::<i64>();
            pictures.push(Picture { pts, kind });
            pts += FRAME;
        }
        let order = |length, _run| {
            if self.pyramid {
                dice.shuffled(length)
            } else {
                (0..length).collect()
            }
        };
        let mut units = encode(&pictures, FRAME, self.dts, order);
        units.drain(..self.skipped.min(units.len() - 1));
        for (place, unit) in (0..).zip(&mut units) {
            unit.payload = place;
        }
        units
    }
}

/// A signal of a case: which frame it speaks of (a little before the first to a little after the
/// last), how far from it, what it says and who says it.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    frame: usize,
    aside: i64,
    action: Action,
    pub(crate) pad: usize,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![4 => Just(Action::Trigger), 1 => Just(Action::Start), 1 => Just(Action::Stop)]
}

pub(crate) fn words(most: usize) -> impl Strategy<Value = Vec<Word>> {
    let aside = prop_oneof![3 => Just(0i64), 1 => Just(1), 1 => Just(-1), 1 => -FRAME..FRAME];
    let word =
        (0..1000usize, aside, action(), 0..3usize).prop_map(|(frame, aside, action, pad)| Word {
            frame,
            aside,
            action,
            pad,
        });
    prop::collection::vec(word, 0..most)
}

/// What the words say, each with the number of its pad. Two pads never speak of the same time,
/// or their order would be that of arrival; nor, where `apart`, does one speak of a frame's time.
pub(crate) fn said(
    words: &[Word],
    units: &[Unit<u32>],
    pads: usize,
    apart: bool,
) -> Vec<(usize, Said)> {
    let first = units.iter().map(|unit| unit.pts).min().unwrap_or(0);
    let last = units.iter().map(|unit| unit.pts).max().unwrap_or(0);
    let frames = ((last - first) / FRAME + 40) as usize;
    let mut said: Vec<(usize, Said)> = Vec::new();
    for word in words {
        let mut time = first + ((word.frame % frames) as i64 - 20) * FRAME + word.aside;
        if apart && time.rem_euclid(FRAME) == 0 {
            time += 3;
        }
        let same = said
            .iter()
            .find(|(_, other)| other.time == time)
            .map(|&(pad, _)| pad);
        let pad = same.unwrap_or(word.pad % pads.max(1));
        said.push((
            pad,
            Said {
                time,
                action: word.action,
            },
        ));
    }
    said
}

/// O, Tmin and Tmax in quarters of a frame where they are wanted to meet frames, else uneven.
#[derive(Debug, Clone)]
pub(crate) struct Spans {
    offset: i64,
    minimum: i64,
    more: i64,
    window: i64,
    uneven: i64,
}

pub(crate) fn spans() -> impl Strategy<Value = Spans> {
    (
        prop_oneof![1 => Just(0), 4 => -40..=0i64, 2 => 0..=20i64],
        1..=30i64,
        prop_oneof![1 => Just(0), 3 => 0..=60i64],
        0..=30i64,
        prop_oneof![3 => Just(0i64), 1 => 1..FRAME],
    )
        .prop_map(|(offset, minimum, more, window, uneven)| Spans {
            offset,
            minimum,
            more,
            window,
            uneven,
        })
}

impl Spans {
    /// Settings that bound nothing and wait for watermarked pads for ever.
    pub(crate) fn config(&self) -> Config {
        let minimum = self.minimum * FRAME + self.uneven;
        Config {
            evaluation_window: self.window * FRAME,
            signal_offset: (self.offset * FRAME).min(minimum - 1),
            minimum_activation: minimum,
            maximum_activation: minimum + self.more * FRAME,
            signal_latency: 1_000_000 * SECOND,
            max_signal_lag: 1_000_000 * SECOND,
            bounds: Bounds::default(),
        }
    }
}

/// A case in which every signal comes in time, so that the oracle knows the answer.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) film: Film,
    pub(crate) spans: Spans,
    pub(crate) words: Vec<Word>,
    pub(crate) pads: usize,
    pub(crate) acts: Vec<Action>,
    pub(crate) seed: u64,
}

pub(crate) fn recipe() -> impl Strategy<Value = Recipe> {
    let acts = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(action(), 1..4)];
    (film(), spans(), words(12), 0..=3usize, acts, any::<u64>()).prop_map(
        |(film, spans, words, pads, acts, seed)| Recipe {
            film,
            spans,
            words,
            pads,
            acts,
            seed,
        },
    )
}

/// A case ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) config: Config,
    pub(crate) media: Media,
    pub(crate) signals: Vec<Said>,
    pub(crate) ops: Vec<Op>,
    /// Units of [`BESIDE`].
    pub(crate) beside: Vec<Unit<u32>>,
}

/// The secondary stream of a case that has one.
pub(crate) const BESIDE: StreamId = StreamId(7);

impl Recipe {
    /// The case under the schedule that `turn` picks; only the order of calls differs between
    /// two turns (and, with action signals, the time they speak of).
    pub(crate) fn case(&self, turn: u64, beside: bool) -> Case {
        let mut dice = Dice::new(self.seed);
        let units = self.film.units(&mut dice);
        let apart = !self.acts.is_empty();
        let said = said(&self.words, &units, self.pads, apart);
        let mut signals: Vec<Said> = said.iter().map(|&(_, said)| said).collect();
        let mut dice = Dice::new(self.seed ^ turn.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let mut media = schedule::stream(REFERENCE, &units, &mut dice);
        let gaps = gaps(&media);

        let mut ops: Vec<Op> = (0..self.pads as u32)
            .map(|n| Op::AddPad(PadId(n)))
            .collect();
        ops.extend((0..self.pads as u32).map(|n| Op::Watermarked(PadId(n), true)));
        let mut sources: Vec<Source> = Vec::new();
        for pad in 0..self.pads {
            let mine: Vec<Said> = said
                .iter()
                .filter(|(by, _)| *by == pad)
                .map(|&(_, said)| said)
                .collect();
            sources.push(schedule::pad(PadId(pad as u32), &mine, &mut dice));
        }
        if self.pads == 0 {
            schedule::among(&mut media, None, signals.clone(), passes, &mut dice);
        }
        sources.push(media);
        let sound = if beside {
            sound(&units, &mut dice)
        } else {
            Vec::new()
        };
        if beside {
            ops.push(Op::AddStream(BESIDE));
            sources.push(schedule::stream(BESIDE, &sound, &mut dice));
        }
        ops.extend(schedule::mix(sources, &mut dice));
        signals.extend(schedule::act(&mut ops, &self.acts, &mut dice));
        Case {
            config: self.spans.config(),
            media: Media { units, gaps },
            signals,
            ops,
            beside: sound,
        }
    }
}

/// Up to which time no in-band signal can come any more after a call.
fn passes(op: &Op) -> Nanos {
    match op {
        Op::Push(_, unit) => unit.dts.unwrap_or(unit.pts),
        Op::Gap(_, time) => *time,
        Op::Eos(_) => Nanos::MAX,
        _ => Nanos::MIN,
    }
}

pub(crate) fn gaps(source: &Source) -> Vec<Nanos> {
    let gap = |(_, op): &(Nanos, Op)| match op {
        Op::Gap(_, time) => Some(*time),
        _ => None,
    };
    source.iter().filter_map(gap).collect()
}

/// Sound beside the film: from a little before it to its end, evenly or not.
fn sound(units: &[Unit<u32>], dice: &mut Dice) -> Vec<Unit<u32>> {
    let first = units.iter().map(|unit| unit.pts).min().unwrap_or(0);
    let last = units.iter().map(|unit| unit.pts).max().unwrap_or(0);
    // Half of them meet the frames and what is cut at frames.
    let even = dice.one_in(2);
    let before = dice.below(10 * FRAME as usize) as Nanos;
    let mut pts = first - if even { before / FRAME * FRAME } else { before };
    let rare = if dice.one_in(3) { 20 } else { 1 };
    let mut sound = Vec::new();
    while pts < last {
        let unit = Unit {
            pts,
            dts: None,
            duration: None,
            sync: true,
            bytes: 10,
            payload: sound.len() as u32,
        };
        sound.push(unit);
        let step = 1 + dice.below(2 * FRAME as usize) as Nanos;
        pts += if even { FRAME / 2 } else { rare * step };
    }
    sound
}

impl Recipe {
    /// A case in which pad 0 has no watermarks and every signal of it comes within the latency
    /// that such a pad is allowed.
    pub(crate) fn within_latency(&self, turn: u64) -> Case {
        let mut dice = Dice::new(self.seed);
        let units = self.film.units(&mut dice);
        let said = said(&self.words, &units, self.pads + 1, false);
        let mut dice = Dice::new(self.seed ^ turn.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let latency = dice.below(40) as Nanos * FRAME;
        let mut ops = vec![Op::AddPad(PadId(0))];
        let mut sources: Vec<Source> = Vec::new();
        let of = |pad| {
            let mine = said.iter().filter(move |(by, _)| *by == pad);
            mine.map(|&(_, said)| said).collect::<Vec<Said>>()
        };
        for pad in 1..=self.pads {
            let id = PadId(pad as u32);
            ops.extend([Op::AddPad(id), Op::Watermarked(id, true)]);
            sources.push(schedule::pad(id, &of(pad), &mut dice));
        }
        let mut media = schedule::stream(REFERENCE, &units, &mut dice);
        let gaps = gaps(&media);
        let passes = |op: &Op| match op {
            Op::Push(_, unit) => unit.pts - latency,
            Op::Gap(_, time) => *time - latency,
            Op::Eos(_) => Nanos::MAX,
            _ => Nanos::MIN,
        };
        schedule::among(&mut media, Some(PadId(0)), of(0), passes, &mut dice);
        sources.push(media);
        ops.extend(schedule::mix(sources, &mut dice));
        let config = Config {
            signal_latency: latency,
            ..self.spans.config()
        };
        let signals = said.iter().map(|&(_, said)| said).collect();
        Case {
            config,
            media: Media { units, gaps },
            signals,
            ops,
            beside: Vec::new(),
        }
    }
}

/// A case in which anything goes: the oracle has no answer, but much must hold all the same.
#[derive(Debug, Clone)]
pub(crate) struct Chaos {
    pub(crate) recipe: Recipe,
    bytes: Option<u64>,
    buffers: Option<u64>,
    time: Option<i64>,
    latency: i64,
    lag: i64,
    /// Where in the schedule what is done besides.
    wild: Vec<(usize, u8, i64)>,
}

pub(crate) fn chaos() -> impl Strategy<Value = Chaos> {
    let bound = |most: i64| prop_oneof![1 => Just(None), 1 => (1..most).prop_map(Some)];
    (
        recipe(),
        bound(20_000),
        bound(80),
        bound(100),
        0..60i64,
        0..60i64,
        prop::collection::vec((0..10_000usize, 0..10u8, -60..60i64), 0..12),
    )
        .prop_map(|(recipe, bytes, buffers, time, latency, lag, wild)| Chaos {
            recipe,
            bytes: bytes.map(i64::unsigned_abs),
            buffers: buffers.map(i64::unsigned_abs),
            time,
            latency,
            lag,
            wild,
        })
}

impl Chaos {
    /// The case; its signals mean nothing. With `still`, no new time line begins in it.
    pub(crate) fn case(&self, turn: u64, beside: bool, still: bool) -> Case {
        let mut case = self.recipe.case(turn, beside);
        case.config.bounds = Bounds {
            bytes: self.bytes,
            buffers: self.buffers,
            time: self.time.map(|time| time * FRAME),
        };
        case.config.signal_latency = self.latency * FRAME;
        case.config.max_signal_lag = self.lag * FRAME;
        for &(place, kind, aside) in &self.wild {
            let place = place % (case.ops.len() + 1);
            let newest = case.ops[..place].iter().rev().find_map(|op| match op {
                Op::Push(REFERENCE, unit) => Some(unit.pts),
                _ => None,
            });
            let time = newest.unwrap_or(0) + aside * FRAME;
            let pad = PadId((aside & 3) as u32);
            let op = match kind {
                0 => Op::Signal(None, None, Action::Trigger),
                1 => Op::Signal(None, Some(time), Action::Start),
                2 => Op::Signal(Some(pad), Some(time), Action::Stop),
                3 => Op::Signal(Some(pad), Some(time), Action::Trigger),
                4 => Op::AddPad(pad),
                5 => Op::Watermarked(pad, aside % 2 == 0),
                6 => Op::Watermark(pad, time),
                7 => Op::RemovePad(pad),
                _ if still => Op::Signal(None, None, Action::Stop),
                8 => Op::Flush,
                _ => Op::Discontinuity,
            };
            case.ops.insert(place, op);
        }
        // Whatever pad has come must go, or the end is waited for.
        case.ops.extend((0..8).map(|n| Op::RemovePad(PadId(n))));
        case
    }
}
