//! What the tests of single cases share: a camera with its analysis, and a recording as a row.

use evr_core::{
    gate::{Bounds, Config, PadId, REFERENCE, Unit},
    signal::Action,
    time::{MILLISECOND, Nanos, SECOND},
};

use super::{
    oracle::Said,
    run::{Op, Recording, Run, run},
    stream::{Dts, FRAME, camera, display, encode, in_order},
};

pub(crate) const PAD: PadId = PadId(0);

pub(crate) fn config() -> Config {
    Config {
        minimum_activation: 20 * SECOND,
        maximum_activation: 40 * SECOND,
        bounds: Bounds::default(),
        ..Config::default()
    }
}

pub(crate) fn ms(milliseconds: i64) -> Nanos {
    milliseconds * MILLISECOND
}

pub(crate) fn triggers(times: impl IntoIterator<Item = i64>) -> Vec<Said> {
    times
        .into_iter()
        .map(|time| Said {
            time: ms(time),
            action: Action::Trigger,
        })
        .collect()
}

/// A camera with its analysis `lag` behind: after each frame the pad tells all up to `lag` before.
pub(crate) fn live(units: Vec<Unit<u32>>, signals: &[Said], lag: Nanos) -> Vec<Op> {
    let mut ops = vec![Op::AddPad(PAD), Op::Watermarked(PAD, true)];
    let mut rest = signals.iter().peekable();
    let mut say = |ops: &mut Vec<Op>, time: Nanos| {
        while let Some(said) = rest.next_if(|said| said.time <= time) {
            ops.push(Op::Signal(Some(PAD), Some(said.time), said.action));
        }
    };
    for unit in units {
        let known = unit.pts - lag;
        ops.push(Op::Push(REFERENCE, unit));
        say(&mut ops, known);
        ops.push(Op::Watermark(PAD, known));
    }
    ops.push(Op::Eos(REFERENCE));
    say(&mut ops, Nanos::MAX);
    ops.push(Op::PadEos(PAD));
    ops
}

/// A camera and a pad without watermarks, whose signals come right after the frame shown at
/// `arrival`.
pub(crate) fn unwatermarked(units: Vec<Unit<u32>>, arrivals: &[(Nanos, Nanos)]) -> Vec<Op> {
    let mut ops = vec![Op::AddPad(PAD)];
    for unit in units {
        let now = unit.pts;
        ops.push(Op::Push(REFERENCE, unit));
        for (_, time) in arrivals.iter().filter(|(arrival, _)| *arrival == now) {
            ops.push(Op::Signal(Some(PAD), Some(*time), Action::Trigger));
        }
    }
    ops.push(Op::Eos(REFERENCE));
    ops.push(Op::PadEos(PAD));
    ops
}

/// Runs and checks what holds for every vector.
pub(crate) fn recorded(config: &Config, ops: &[Op]) -> Run {
    let run = run(config, ops);
    assert!(run.ended(REFERENCE), "the stream ends");
    assert_eq!(run.stats.recordings, run.recordings().len() as u64);
    assert_eq!((run.stats.forced, run.stats.evicted), (0, 0));
    run
}

/// The recordings of a camera until 110 s whose analysis keeps up.
pub(crate) fn of(config: &Config, signals: &[Said]) -> Run {
    recorded(
        config,
        &live(camera(ms(-10_000), ms(110_000), 2 * SECOND), signals, 0),
    )
}

/// Asked start, sync point, end, first and last PTS in milliseconds, number of frames.
pub(crate) fn row(recording: &Recording) -> (i64, i64, i64, i64, i64, usize) {
    let boundary = &recording.closed;
    let pts = || recording.units.iter().map(|unit| unit.pts);
    (
        boundary.asked / MILLISECOND,
        boundary.sync_point / MILLISECOND,
        boundary.end / MILLISECOND,
        pts().min().expect("a recording has a frame") / MILLISECOND,
        pts().max().expect("a recording has a frame") / MILLISECOND,
        recording.units.len(),
    )
}

pub(crate) fn rows(run: &Run) -> Vec<(i64, i64, i64, i64, i64, usize)> {
    run.recordings().iter().map(row).collect()
}

/// Both vectors need it: with less the group at −8 s is gone when the signal comes, with more the
/// start is still open 1.2 s after the first signal.
pub(crate) fn latent() -> Config {
    Config {
        signal_latency: SECOND,
        ..config()
    }
}

pub(crate) fn said(time: i64, action: Action) -> Said {
    Said {
        time: ms(time),
        action,
    }
}

/// A GOP of 2 s, `I b b P b b P … P P`, as often as given.
pub(crate) fn with_b_frames(gops: usize) -> Vec<Unit<u32>> {
    let gop = format!("I{}P", "bbP".repeat(16));
    encode(
        &display(ms(-10_000), FRAME, &gop.repeat(gops)),
        FRAME,
        Dts::Given,
        in_order,
    )
}
