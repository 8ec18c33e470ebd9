//! The first vectors, to see the gate move; `tests/gate_vectors.rs` has them all.

use super::*;
use crate::time::{MILLISECOND, SECOND};

fn frames(from: Nanos, to: Nanos, gop: Nanos) -> impl Iterator<Item = Unit<()>> {
    (from * 25..to * 25).map(move |n| Unit {
        pts: n * 40 * MILLISECOND,
        dts: Some(n * 40 * MILLISECOND),
        duration: Some(40 * MILLISECOND),
        sync: n % (gop * 25) == 0,
        bytes: 1,
        payload: (),
    })
}

fn config() -> Config {
    Config {
        minimum_activation: 20 * SECOND,
        maximum_activation: 40 * SECOND,
        ..Config::default()
    }
}

#[test]
fn one_trigger_records_from_the_sync_point_before_its_pre_roll() {
    let mut gate = Gate::new(config());
    let pad = PadId(0);
    gate.add_pad(pad);
    gate.set_watermarked(pad, true);
    for unit in frames(-10, 50, 2) {
        let time = unit.pts;
        gate.push(REFERENCE, unit);
        if time == 0 {
            gate.signal(Some(pad), Some(0), Signal::default());
        }
        gate.watermark(pad, time);
    }
    gate.eos(REFERENCE);
    gate.pad_eos(pad);
    let mut units = Vec::new();
    let mut close = None;
    while let Some(output) = gate.poll() {
        match output {
            Output::Unit(_, unit) => units.push(unit.pts),
            Output::Close(_, boundary) => close = Some(boundary),
            _ => {}
        }
    }
    let close = close.expect("a recording");
    assert_eq!(
        (close.asked, close.sync_point, close.end),
        (-5 * SECOND, -6 * SECOND, 20 * SECOND)
    );
    assert_eq!(units.len(), 650);
    assert_eq!(units.last(), Some(&(20 * SECOND - 40 * MILLISECOND)));
    assert_eq!(gate.stats().held_buffers, 0);
}

#[test]
fn what_a_recording_learns_is_told_once_a_second_and_no_signal_twice() {
    let mut gate = Gate::new(config());
    let pad = PadId(0);
    gate.add_pad(pad);
    gate.set_watermarked(pad, true);
    let (mut told, mut at, mut close) = (Vec::new(), Vec::new(), None);
    for unit in frames(0, 30, 2) {
        let time = unit.pts;
        gate.push(REFERENCE, unit);
        if (5 * SECOND..15 * SECOND).contains(&time) {
            gate.signal(Some(pad), Some(time), Signal::default());
        }
        gate.watermark(pad, time);
        while let Some(output) = gate.poll() {
            match output {
                Output::Open(_, boundary) => told.extend(boundary.signals.clone()),
                Output::Update(_, boundary) => {
                    let newest = boundary.signals.last().expect("news");
                    assert_eq!(boundary.event_end, newest.time);
                    told.extend(boundary.signals.clone());
                    at.push(time);
                }
                Output::Close(_, boundary) => close = Some(boundary),
                _ => {}
            }
        }
    }
    assert!(close.is_none());
    assert!((10..=11).contains(&at.len()), "told at {at:?}");
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= NEWS));
    let times: Vec<_> = told.iter().map(|accepted| accepted.time).collect();
    let signalled: Vec<_> = frames(5, 15, 2).map(|unit| unit.pts).collect();
    assert_eq!(times, signalled);
}

#[test]
fn a_pad_that_joins_before_any_media_does_not_lag() {
    let mut gate = Gate::new(config());
    let pad = PadId(0);
    gate.add_pad(pad);
    gate.set_watermarked(pad, true);
    for unit in frames(-10, 15, 2) {
        gate.push(REFERENCE, unit);
    }
    assert_eq!(gate.stats().forced, 0);
    assert_eq!(
        gate.stats().held_buffers,
        625,
        "nothing is known, so nothing goes"
    );
    for unit in frames(15, 21, 2) {
        gate.push(REFERENCE, unit);
    }
    assert_eq!(
        gate.stats().forced,
        1,
        "30 s without a word is too far behind"
    );
}

#[test]
fn a_bound_is_kept_where_signals_come_in_band() {
    let bounds = Bounds {
        buffers: Some(60),
        ..Bounds::default()
    };
    let mut gate = Gate::new(Config { bounds, ..config() });
    gate.signal(None, Some(3 * SECOND), Signal::default());
    for unit in frames(0, 10, 2) {
        gate.push(REFERENCE, unit);
        assert!(gate.stats().held_buffers <= 60 + 50);
    }
    assert!(gate.is_open());
}

#[test]
fn a_stream_that_is_flushed_alone_is_told_anew_where_it_stands() {
    let beside = StreamId(1);
    let mut gate = Gate::new(config());
    gate.add_stream(beside);
    for unit in frames(0, 3, 2) {
        gate.push(REFERENCE, unit);
    }
    while gate.poll().is_some() {}
    gate.flush_stream(beside);
    assert_eq!(gate.poll(), Some(Output::Gap(beside, 0)));
}

#[test]
fn media_that_ends_before_any_came_waits_for_no_signal() {
    let mut gate: Gate<()> = Gate::new(config());
    let pad = PadId(0);
    gate.add_pad(pad);
    gate.set_watermarked(pad, true);
    gate.signal(Some(pad), Some(SECOND), Signal::default());
    gate.watermark(pad, 2 * SECOND);
    gate.eos(REFERENCE);
    assert_eq!(gate.poll(), Some(Output::Eos(REFERENCE)));
}
