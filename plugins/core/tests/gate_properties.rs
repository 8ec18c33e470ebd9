//! What the gate does for any stream, any signals and any order of calls.
//!
//! `EVR_CASES` is the number of cases of each test, `EVR_SEED` picks other ones; a failure
//! prints the smallest case that still fails.

use evr_core::{
    gate::{Accepted, Cause, REFERENCE, Unit},
    signal::Action,
};
use proptest::{
    prelude::*,
    test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner},
};

mod gate;
use gate::{
    oracle::{Clip, Expected, beside, expected},
    recipe::{BESIDE, Case, chaos, recipe},
    run::{Op, Recording, Run, run, run_with},
    schedule::Dice,
    stream::{FRAME, largest_group},
};

/// A number from the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told how long to search"
)]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs `test` over cases of `strategy`: the same ones every time.
fn check<S: Strategy>(strategy: S, share: u32, test: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S::Value: std::fmt::Debug,
{
    let cases = number("EVR_CASES").unwrap_or(5000) as u32;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("EVR_SEED").unwrap_or(1).to_le_bytes());
    let config = Cases {
        cases: (cases / share).max(1),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Cases::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    if let Err(failure) = runner.run(&strategy, test) {
        panic!("{failure}");
    }
}

/// What a recording says of itself, in the oracle's words.
fn clip(recording: &Recording, expected: &Clip) -> Clip {
    let closed = &recording.closed;
    Clip {
        asked: closed.asked,
        start: closed.start,
        sync: closed.sync_point,
        end: closed.end,
        frames: recording.places(),
        signals: closed
            .signals
            .iter()
            .map(|accepted| accepted.time)
            .collect(),
        continues: closed.continues_from.is_some(),
        causes: if expected.causes.contains(&closed.cause) {
            expected.causes.clone()
        } else {
            vec![closed.cause]
        },
    }
}

/// A recording in one line, for messages.
fn brief(recording: &Recording) -> String {
    let closed = &recording.closed;
    let said = |it: &Accepted| {
        format!(
            "{}{} at {}",
            it.signal.action.as_str(),
            if it.late { " late" } else { "" },
            it.time
        )
    };
    format!(
        "asked {} start {} sync {} end {} {:?} signals {:?} frames {:?}",
        closed.asked,
        closed.start,
        closed.sync_point,
        closed.end,
        closed.cause,
        closed.signals.iter().map(said).collect::<Vec<_>>(),
        recording
            .units
            .iter()
            .map(|unit| (unit.payload, unit.pts))
            .collect::<Vec<_>>()
    )
}

fn same_clips(recordings: &[Recording], expected: &Expected) -> Result<(), TestCaseError> {
    for (recording, clip_expected) in recordings.iter().zip(&expected.clips) {
        prop_assert_eq!(&clip(recording, clip_expected), clip_expected);
    }
    prop_assert_eq!(
        recordings.len(),
        expected.clips.len(),
        "recordings: {:?} but expected {:?}",
        recordings.iter().map(brief).collect::<Vec<_>>(),
        expected
    );
    Ok(())
}

fn agrees(run: &Run, expected: &Expected) -> Result<(), TestCaseError> {
    same_clips(run.recordings(), expected)?;
    let stats = run.stats;
    prop_assert_eq!(stats.recordings, expected.clips.len() as u64);
    prop_assert_eq!(
        (stats.accepted, stats.ignored),
        (expected.accepted, expected.ignored)
    );
    prop_assert_eq!(
        (stats.empty, stats.short),
        (expected.empty, expected.short),
        "empty, short"
    );
    prop_assert_eq!(
        (stats.late, stats.forced, stats.evicted, stats.oversized),
        (0, 0, 0, 0)
    );
    prop_assert_eq!(
        (stats.held_bytes, stats.held_buffers),
        (0, 0),
        "held at the end"
    );
    prop_assert!(run.ended(REFERENCE), "the stream ends");
    Ok(())
}

fn matches_oracle(case: &Case, poll: u64) -> Result<Run, TestCaseError> {
    let mut dice = Dice::new(poll);
    let often = 1 + dice.below(4);
    let run = run_with(&case.config, &case.ops, |_| dice.one_in(often));
    agrees(&run, &expected(&case.media, &case.signals, &case.config))?;
    Ok(run)
}

#[test]
fn recordings_are_what_the_formula_says_whatever_the_interleaving() {
    check(recipe(), 1, |recipe| {
        for turn in 0..2 {
            matches_oracle(&recipe.case(turn, false), turn)?;
        }
        Ok(())
    });
}

#[test]
fn signals_within_the_latency_of_an_unwatermarked_pad_are_as_good_as_watermarked_ones() {
    check(recipe(), 2, |recipe| {
        matches_oracle(&recipe.within_latency(1), 1).map(drop)
    });
}

#[test]
fn a_secondary_stream_has_exactly_the_units_from_the_sync_point_to_the_end() {
    check(recipe(), 2, |recipe| {
        let case = recipe.case(3, true);
        let run = matches_oracle(&case, 3)?;
        prop_assert!(run.ended(BESIDE), "it ends too");
        let ids = |recordings: &[Recording]| -> Vec<u64> {
            recordings
                .iter()
                .map(|recording| recording.closed.id)
                .collect()
        };
        prop_assert_eq!(ids(run.beside(BESIDE)), ids(run.recordings()));
        for recording in run.beside(BESIDE) {
            let closed = &recording.closed;
            let wanted = beside(&case.beside, closed.sync_point, closed.end);
            prop_assert_eq!(recording.places(), wanted, "{}", brief(recording));
        }
        Ok(())
    });
}

#[test]
fn after_a_break_recordings_are_those_of_a_fresh_gate() {
    check(
        (
            recipe(),
            recipe(),
            any::<prop::sample::Index>(),
            any::<bool>(),
        ),
        4,
        |case| {
            let (mut before, mut after, cut, flush) = case;
            after.spans = before.spans.clone();
            before.pads = after.pads;
            let (before, after) = (before.case(4, false), after.case(5, false));
            let leaves = |op: &Op| matches!(op, Op::PadEos(_) | Op::RemovePad(_));
            let joins = |op: &Op| matches!(op, Op::AddPad(_) | Op::Watermarked(..));
            let joined = after.ops.iter().filter(|op| joins(op)).cloned();
            let played = before.ops.iter().filter(|op| !leaves(op) && !joins(op));
            let played = played.take(cut.index(before.ops.len())).cloned();
            let breaks = if flush { Op::Flush } else { Op::Discontinuity };
            let ops: Vec<Op> = joined
                .chain(played)
                .chain([breaks])
                .chain(after.ops.iter().filter(|op| !joins(op)).cloned())
                .collect();
            let run = run(&after.config, &ops);
            let first = run
                .recordings()
                .partition_point(|recording| recording.epoch == 0);
            for recording in &run.recordings()[..first] {
                whole(recording, &before.media.units, End::Anywhere)?;
            }
            let wanted = expected(&after.media, &after.signals, &after.config);
            same_clips(&run.recordings()[first..], &wanted)?;
            prop_assert!(run.ended(REFERENCE), "the stream ends");
            Ok(())
        },
    );
}

/// How exactly a recording ends where it says.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// With the last frame before it.
    Exact,
    /// A stop that came late has found more gone than it wanted.
    Beyond,
    /// The stream broke off.
    Anywhere,
}

/// A recording starts on a sync point and holds what lies between that and its end, in the
/// stream's order, with nothing between left out.
fn whole(recording: &Recording, units: &[Unit<u32>], end: End) -> Result<(), TestCaseError> {
    let closed = &recording.closed;
    let about = brief(recording);
    prop_assert!(!recording.units.is_empty(), "nothing in it: {about}");
    let (first, places) = (&recording.units[0], recording.places());
    prop_assert!(
        first.sync && first.pts == closed.sync_point,
        "where it decodes from: {about}"
    );
    prop_assert!(
        closed.start >= closed.asked && closed.end > closed.start,
        "its times: {about}"
    );
    let last = places[places.len() - 1];
    let shown = |unit: &&Unit<u32>| unit.payload >= first.payload && unit.pts >= first.pts;
    let between: Vec<u32> = units
        .iter()
        .filter(shown)
        .map(|unit| unit.payload)
        .filter(|&place| place <= last)
        .collect();
    prop_assert_eq!(&places, &between, "nothing left out: {}", about);
    let wanted = units
        .iter()
        .filter(shown)
        .rfind(|unit| unit.pts < closed.end);
    let wanted = wanted.map(|unit| unit.payload);
    let ends = match end {
        End::Exact => Some(last) == wanted,
        End::Beyond => Some(last) >= wanted,
        End::Anywhere => true,
    };
    prop_assert!(ends, "up to its end, {wanted:?}: {about}");
    Ok(())
}

/// What holds for any run on one time line.
fn consistent(run: &Run, units: &[Unit<u32>]) -> Result<(), TestCaseError> {
    let stats = run.stats;
    prop_assert_eq!(stats.recordings, run.recordings().len() as u64);
    let listed = run
        .recordings()
        .iter()
        .flat_map(|recording| &recording.closed.signals);
    let (listed, late) = listed.fold((0, 0), |(n, late), it| (n + 1, late + u64::from(it.late)));
    prop_assert!(listed <= stats.accepted && late <= stats.late && stats.late <= stats.accepted);
    prop_assert!(stats.empty > 0 || (listed, late) == (stats.accepted, stats.late));
    prop_assert_eq!(
        (stats.held_bytes, stats.held_buffers),
        (0, 0),
        "held at the end"
    );
    let (mut previous, mut end) = (None, End::Exact);
    for recording in run.recordings() {
        let closed = &recording.closed;
        if closed
            .signals
            .iter()
            .any(|it| it.signal.action == Action::Stop)
        {
            end = End::Beyond; // The next one may continue from this.
        }
        whole(recording, units, end)?;
        prop_assert!(
            previous.is_none_or(|end| closed.start >= end),
            "{}",
            brief(recording)
        );
        let short = closed.sync_point > closed.start;
        prop_assert!(
            !short || stats.short > 0,
            "counted short: {}",
            brief(recording)
        );
        previous = Some(closed.end);
    }
    Ok(())
}

#[test]
fn whatever_comes_every_recording_is_whole_and_the_counters_agree() {
    check(chaos(), 1, |chaos| {
        let case = chaos.case(6, false, true);
        let run = run(&case.config, &case.ops);
        prop_assert!(run.ended(REFERENCE), "the stream ends");
        consistent(&run, &case.media.units)
    });
}

#[test]
fn no_more_is_held_than_a_bound_and_the_group_that_is_needed_and_the_one_that_comes() {
    check(chaos(), 2, |mut chaos| {
        // Over a hole, B-pictures move the DTS back by all of it, and decisions wait as long.
        chaos.recipe.film.holes.clear();
        let case = chaos.case(7, false, true);
        let run = run(&case.config, &case.ops);
        let (time, bytes) = largest_group(&case.media.units);
        let (held, bounds) = (run.held, &case.config.bounds);
        let fits = |held: u64, bound: Option<u64>, group: u64| {
            bound.is_none_or(|bound| held <= bound + 2 * group)
        };
        prop_assert!(
            fits(held.0, bounds.bytes, bytes),
            "{} bytes, a group {bytes}",
            held.0
        );
        prop_assert!(fits(held.1, bounds.buffers, 53), "{} buffers", held.1);
        let bound = bounds.time.map(i64::unsigned_abs);
        let (held, group) = (held.2.unsigned_abs(), (time + 4 * FRAME).unsigned_abs());
        prop_assert!(fits(held, bound, group), "{held} ns, a group {time}");
        Ok(())
    });
}

#[test]
fn streams_run_forward_and_pair_up_through_flushes_and_breaks_with_sound_beside() {
    check(chaos(), 1, |chaos| {
        let case = chaos.case(8, true, false);
        // What follows a break goes on with the same stream: only the reader's checks apply.
        let run = run(&case.config, &case.ops);
        prop_assert_eq!(run.stats.recordings, run.recordings().len() as u64);
        for recording in run.recordings() {
            whole(recording, &case.media.units, End::Anywhere)?;
        }
        for recording in run.beside(BESIDE) {
            let closed = &recording.closed;
            let cut = matches!(
                closed.cause,
                Cause::Flush | Cause::Discontinuity | Cause::Eos
            );
            let inside =
                |unit: &Unit<u32>| unit.pts >= closed.sync_point && (cut || unit.pts < closed.end);
            prop_assert!(recording.units.iter().all(inside), "{}", brief(recording));
        }
        Ok(())
    });
}
