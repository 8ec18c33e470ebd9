//! Who feeds the gate when: every source has its own order, the scheduler mixes them.

use std::collections::{BTreeMap, VecDeque};

use evr_core::{
    gate::{PadId, REFERENCE, StreamId, Unit},
    signal::Action,
    time::Nanos,
};

use super::{oracle::Said, run::Op};

/// A small generator of numbers (splitmix64), so that a seed says everything about a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`, which is not 0.
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    /// True once in `sides` throws.
    pub(crate) fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }

    /// The numbers below `length`, shuffled.
    pub(crate) fn shuffled(&mut self, length: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..length).collect();
        for last in (1..length).rev() {
            numbers.swap(last, self.below(last + 1));
        }
        numbers
    }
}

/// Calls that must come in this order, each with the media time at which a live source makes it.
pub(crate) type Source = Vec<(Nanos, Op)>;

/// A stream: its units, with a gap here and there where that is true.
pub(crate) fn stream(id: StreamId, units: &[Unit<u32>], dice: &mut Dice) -> Source {
    let mut source = Source::new();
    for (place, unit) in units.iter().enumerate() {
        if dice.one_in(12) {
            let next = units[place..].iter().map(|unit| unit.pts).min();
            let next = next.expect("there is at least this one");
            source.push((next, Op::Gap(id, next)));
        }
        source.push((unit.dts.unwrap_or(unit.pts), Op::Push(id, unit.clone())));
    }
    let end = units.last().map_or(0, |unit| unit.pts);
    source.push((end, Op::Eos(id)));
    source
}

/// A watermarked pad: its signals in time, but not always in order, and watermarks that are true.
pub(crate) fn pad(id: PadId, signals: &[Said], dice: &mut Dice) -> Source {
    let mut sorted = signals.to_vec();
    sorted.sort_by_key(|said| said.time);
    let mut source = Source::new();
    let mut mark = Nanos::MIN;
    let mut rest = VecDeque::from(sorted);
    while !rest.is_empty() {
        // A few at once, in any order, but equal times as they were said.
        let mut some: Vec<Said> = Vec::new();
        let count = 1 + dice.below(3);
        while let Some(&next) = rest.front() {
            if some.len() >= count && some.last().is_some_and(|last| last.time < next.time) {
                break;
            }
            some.push(next);
            rest.pop_front();
        }
        let (first, last) = (some[0].time, some[some.len() - 1].time);
        if dice.one_in(2) {
            let before = first - 1 - dice.below(200_000_000) as Nanos;
            mark = mark.max(before);
            source.push((mark, Op::Watermark(id, mark)));
        }
        if some.windows(2).all(|two| two[0].time < two[1].time) {
            some = dice
                .shuffled(some.len())
                .into_iter()
                .map(|n| some[n])
                .collect();
        }
        for said in some {
            source.push((last, Op::Signal(Some(id), Some(said.time), said.action)));
        }
        if dice.one_in(2) {
            let room = rest.front().map_or(400_000_000, |next| next.time - last);
            mark = last + dice.below(room as usize) as Nanos;
            source.push((mark, Op::Watermark(id, mark)));
        }
    }
    let end = source.last().map_or(0, |(time, _)| *time);
    if dice.one_in(3) {
        source.push((end, Op::Watermark(id, end + 3_000_000_000)));
    }
    source.push((
        end,
        if dice.one_in(3) {
            Op::RemovePad(id)
        } else {
            Op::PadEos(id)
        },
    ));
    source
}

/// Mixes sources: in half of the cases as live ones, each with its own lag, else as it comes.
pub(crate) fn mix(sources: Vec<Source>, dice: &mut Dice) -> Vec<Op> {
    let live = dice.one_in(2);
    let lag: Vec<Nanos> = sources
        .iter()
        .map(|_| dice.below(3_000_000_000) as Nanos)
        .collect();
    let weight: Vec<usize> = sources.iter().map(|_| 1 + dice.below(20).pow(2)).collect();
    let mut queues: Vec<VecDeque<(Nanos, Op)>> = sources.into_iter().map(VecDeque::from).collect();
    let mut ops = Vec::new();
    loop {
        let ready = (0..queues.len()).filter(|&n| !queues[n].is_empty());
        let next = if live {
            ready.min_by_key(|&n| queues[n][0].0 + lag[n])
        } else {
            let ready: Vec<usize> = ready.collect();
            let total: usize = ready.iter().map(|&n| weight[n]).sum();
            let mut throw = if total == 0 { 0 } else { dice.below(total) };
            ready.into_iter().find(|&n| {
                let hit = throw < weight[n];
                throw = throw.saturating_sub(weight[n]);
                hit
            })
        };
        let Some(next) = next else { return ops };
        ops.push(queues[next].pop_front().expect("it is not empty").1);
    }
}

/// Puts in action signals without a time wherever `wanted` of them can be told apart from late
/// ones, that is while the newest media lies past what all pads have told; returns what they say.
pub(crate) fn act(ops: &mut Vec<Op>, wanted: &[Action], dice: &mut Dice) -> Vec<Said> {
    let mut marks: BTreeMap<PadId, Nanos> = BTreeMap::new();
    let mut newest = None;
    let mut places = Vec::new();
    for (place, op) in ops.iter().enumerate() {
        match op {
            Op::AddPad(pad) => _ = marks.insert(*pad, Nanos::MIN),
            Op::Watermark(pad, time) => _ = marks.insert(*pad, *time),
            Op::PadEos(pad) | Op::RemovePad(pad) => _ = marks.remove(pad),
            Op::Push(REFERENCE, unit) => newest = newest.max(Some(unit.pts)),
            Op::Gap(REFERENCE, time) => newest = newest.max(Some(*time)),
            Op::Eos(REFERENCE) => break,
            _ => {}
        }
        let known = marks.values().min();
        if let (Some(&known), Some(newest)) = (known, newest)
            && known < newest
        {
            places.push((place, newest));
        }
    }
    if places.is_empty() {
        return Vec::new();
    }
    let chosen = wanted
        .iter()
        .map(|&action| (places[dice.below(places.len())], action));
    let mut chosen: Vec<((usize, Nanos), Action)> = chosen.collect();
    chosen.sort_by_key(|&((place, _), _)| place);
    for &((place, _), action) in chosen.iter().rev() {
        ops.insert(place + 1, Op::Signal(None, None, action));
    }
    chosen
        .into_iter()
        .map(|((_, time), action)| Said { time, action })
        .collect()
}

/// Puts each signal among the media, somewhere before the call that says that its time has passed.
/// `passes` says up to which time no signal may come once a call has been made.
pub(crate) fn among(
    media: &mut Source,
    from: Option<PadId>,
    mut signals: Vec<Said>,
    passes: impl Fn(&Op) -> Nanos,
    dice: &mut Dice,
) {
    // Backwards, so that equal times stay in order when each is put before the last.
    signals.sort_by_key(|said| said.time);
    let mut limit = media.len();
    for said in signals.into_iter().rev() {
        let passed = media.iter().position(|(_, op)| passes(op) >= said.time);
        let last = passed.unwrap_or(media.len() - 1).min(limit);
        let place = last - dice.below(6).min(last);
        limit = place;
        let op = Op::Signal(from, Some(said.time), said.action);
        media.insert(place, (said.time, op));
    }
}
