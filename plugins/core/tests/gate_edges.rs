//! What the gate's vectors leave out: stop and start, late and lost analysis, media that ends or
//! breaks off, bounds, streams beside. Streams and settings are those of the vectors.

use evr_core::{
    gate::{Bounds, Cause, Config, REFERENCE, StreamId, Unit},
    signal::Action,
    time::{MILLISECOND, SECOND},
};

mod gate;
use gate::{
    oracle::Said,
    run::{Op, Run, run},
    stream::{Dts, FRAME, camera, display, encode, in_order},
    table::{
        PAD, config, live, ms, of, recorded, row, rows, said, triggers, unwatermarked,
        with_b_frames,
    },
};

#[test]
fn a_trigger_keeps_a_stopped_recording_open_for_its_minimum() {
    let signals = [
        said(0, Action::Start),
        said(3000, Action::Trigger),
        said(7000, Action::Stop),
    ];
    let run = of(&config(), &signals);
    assert_eq!(rows(&run), [(-5000, -6000, 23_000, -6000, 22_960, 725)]);
    assert_eq!(run.recordings()[0].closed.cause, Cause::Elapsed);
}

#[test]
fn stop_with_nothing_to_stop_is_ignored() {
    let signals = [
        said(-3000, Action::Stop),
        said(0, Action::Trigger),
        said(4000, Action::Stop),
    ];
    let run = of(&config(), &signals);
    assert_eq!(rows(&run), [(-5000, -6000, 20_000, -6000, 19_960, 650)]);
    assert_eq!((run.stats.accepted, run.stats.ignored), (1, 2));
}

#[test]
fn an_activation_that_ends_before_it_starts_leaves_nothing_and_is_counted() {
    let config = Config {
        signal_offset: 3 * SECOND,
        ..config()
    };
    let run = of(&config, &[said(0, Action::Start), said(2000, Action::Stop)]);
    assert!(run.recordings().is_empty());
    assert_eq!(
        (run.stats.empty, run.stats.recordings, run.stats.accepted),
        (1, 0, 2)
    );
}

#[test]
fn a_held_recording_waits_for_a_stop_that_comes_late() {
    let signals = [said(0, Action::Start), said(7300, Action::Stop)];
    let media = camera(ms(-10_000), ms(60_000), 2 * SECOND);
    let run = recorded(&config(), &live(media, &signals, 8 * SECOND));
    assert_eq!(rows(&run), [(-5000, -6000, 7300, -6000, 7280, 333)]);
}

#[test]
fn a_shut_gate_holds_its_pre_roll_and_one_group_and_no_more() {
    let media = camera(ms(-10_000), ms(110_000), 2 * SECOND);
    let held = recorded(&config(), &live(media, &[], 0)).held.2;
    assert!((5 * SECOND..=7 * SECOND).contains(&held), "held {held}");
    let media = camera(ms(-10_000), ms(110_000), 2 * SECOND);
    let held = recorded(&config(), &live(media, &[], 3 * SECOND)).held.2;
    assert!(
        (8 * SECOND..=10 * SECOND).contains(&held),
        "held with a lag {held}"
    );
}

#[test]
fn an_open_gate_holds_no_more_than_it_must() {
    let media = camera(ms(-10_000), ms(110_000), 2 * SECOND);
    let held = recorded(&config(), &live(media, &triggers([0, 5000, 60_000]), 0))
        .held
        .2;
    assert!(held <= 8 * SECOND, "held {held}");
}

#[test]
fn a_manual_trigger_while_the_analysis_lags_gets_its_whole_pre_roll() {
    let mut ops = live(
        camera(ms(-10_000), ms(110_000), 2 * SECOND),
        &[],
        4 * SECOND,
    );
    let after = |op: &Op| matches!(op, Op::Push(REFERENCE, unit) if unit.pts == 0);
    let place = ops.iter().position(after).expect("a frame is shown at 0");
    ops.insert(place + 1, Op::Signal(None, None, Action::Trigger));
    assert_eq!(
        rows(&recorded(&config(), &ops)),
        [(-5000, -6000, 20_000, -6000, 19_960, 650)]
    );
}

#[test]
fn a_manual_trigger_after_the_analysis_has_ended_gets_its_whole_pre_roll() {
    let mut ops = live(camera(ms(-10_000), ms(110_000), 2 * SECOND), &[], 0);
    let at = |time| move |op: &Op| matches!(op, Op::Push(REFERENCE, unit) if unit.pts == time);
    let place = ops.iter().position(at(0)).expect("a frame is shown at 0");
    ops.insert(place + 1, Op::Signal(None, None, Action::Trigger));
    let place = ops
        .iter()
        .position(at(ms(-8000)))
        .expect("a frame is shown at −8 s");
    ops.insert(place, Op::PadEos(PAD));
    ops.retain(|op| !matches!(op, Op::Watermark(..)));
    assert_eq!(
        rows(&recorded(&config(), &ops)),
        [(-5000, -6000, 20_000, -6000, 19_960, 650)]
    );
}

#[test]
fn a_manual_trigger_with_no_pad_at_all_gets_its_whole_pre_roll() {
    let mut ops: Vec<Op> = Vec::new();
    for unit in camera(ms(-10_000), ms(60_000), 2 * SECOND) {
        let now = unit.pts;
        ops.push(Op::Push(REFERENCE, unit));
        if now == 0 {
            ops.push(Op::Signal(None, None, Action::Trigger));
        }
    }
    ops.push(Op::Eos(REFERENCE));
    assert_eq!(
        rows(&recorded(&config(), &ops)),
        [(-5000, -6000, 20_000, -6000, 19_960, 650)]
    );
}

#[test]
fn a_pad_that_stalls_is_waited_for_no_longer_than_the_lag_allowed() {
    let config = Config {
        max_signal_lag: 10 * SECOND,
        ..config()
    };
    let mut ops = live(camera(ms(-10_000), ms(60_000), 2 * SECOND), &[], 0);
    // The analysis stalls at −5 s; a manual trigger comes at 20 s.
    ops.retain(|op| !matches!(op, Op::Watermark(_, time) if *time > ms(-5000)));
    let after = |op: &Op| matches!(op, Op::Push(REFERENCE, unit) if unit.pts == ms(20_000));
    let place = ops
        .iter()
        .position(after)
        .expect("a frame is shown at 20 s");
    ops.insert(place + 1, Op::Signal(None, None, Action::Trigger));
    let before_eos = ops
        .iter()
        .position(|op| matches!(op, Op::Eos(_)))
        .expect("it ends");
    let run = run(&config, &ops[..before_eos]);
    assert_eq!(rows(&run), [(15_000, 14_000, 40_000, 14_000, 39_960, 650)]);
    assert!(run.stats.forced > 0, "it is counted");
}

#[test]
fn media_without_a_trigger_leaves_nothing_but_its_end() {
    let run = of(&config(), &[]);
    assert!(run.recordings().is_empty());
    assert_eq!(run.stats.accepted + run.stats.ignored + run.stats.empty, 0);
}

#[test]
fn the_end_of_the_media_waits_for_watermarked_pads() {
    let mut ops = live(
        camera(ms(-10_000), ms(8000), 2 * SECOND),
        &triggers([6000]),
        3 * SECOND,
    );
    assert!(matches!(ops.pop(), Some(Op::PadEos(_))));
    let waiting = run(&config(), &ops);
    assert!(!waiting.ended(REFERENCE), "the pad may still say something");
    for leaves in [
        Op::PadEos(PAD),
        Op::RemovePad(PAD),
        Op::Watermarked(PAD, false),
    ] {
        let run = recorded(&config(), &[ops.clone(), vec![leaves]].concat());
        assert_eq!(rows(&run), [(1000, 0, 8000, 0, 7960, 200)]);
    }
}

#[test]
fn a_secondary_stream_is_cut_from_the_sync_point_to_the_end() {
    let audio: Vec<Unit<u32>> = (0u32..)
        .zip((-500..3000).map(|n| n * 20 * MILLISECOND + 7))
        .map(|(payload, pts)| Unit {
            pts,
            dts: None,
            duration: Some(20 * MILLISECOND),
            sync: true,
            bytes: 10,
            payload,
        })
        .collect();
    let stream = StreamId(1);
    let video = live(
        camera(ms(-10_000), ms(60_000), 2 * SECOND),
        &triggers([0, 26_000]),
        0,
    );
    let sound = audio.iter().map(|unit| Op::Push(stream, unit.clone()));
    let sound: Vec<Op> = sound.chain([Op::Eos(stream)]).collect();
    let add = vec![Op::AddStream(stream)];
    // How long a stream that is silent is waited for.
    let patient = Config {
        max_signal_lag: 1000 * SECOND,
        ..config()
    };
    for (name, order) in [
        ("sound last", [add.clone(), video.clone(), sound.clone()]),
        ("sound first", [add, sound, video]),
    ] {
        let run = recorded(&patient, &order.concat());
        assert!(run.ended(stream), "it ends too");
        let cut: Vec<(i64, i64, usize)> = run
            .beside(stream)
            .iter()
            .map(|r| {
                let pts = || r.units.iter().map(|unit| unit.pts);
                (
                    pts().min().unwrap_or(0),
                    pts().max().unwrap_or(0),
                    r.units.len(),
                )
            })
            .collect();
        assert_eq!(
            cut,
            [
                (ms(-6000) + 7, ms(19_980) + 7, 1300),
                (ms(20_000) + 7, ms(45_980) + 7, 1300)
            ],
            "{name}"
        );
    }
}

#[test]
fn a_secondary_stream_is_waited_for_as_long_as_a_lagging_analysis_and_what_comes_later_is_counted()
{
    let stream = StreamId(1);
    // From the sync point at -6 s to 20 s.
    let lag = config().max_signal_lag;
    for (media_end, kept) in [
        (20 * SECOND + lag - FRAME, 1300),
        (20 * SECOND + lag + 2 * FRAME, 0),
    ] {
        let video = live(
            camera(ms(-10_000), media_end, 2 * SECOND),
            &triggers([0]),
            0,
        );
        // Its end waits for the sound.
        let video = video.into_iter().filter(|op| !matches!(op, Op::Eos(_)));
        let sound = (-500..1500).map(|n| {
            Op::Push(
                stream,
                Unit {
                    pts: n * 20 * MILLISECOND,
                    dts: None,
                    duration: Some(20 * MILLISECOND),
                    sync: true,
                    bytes: 10,
                    payload: 100_000 + (n + 500) as u32,
                },
            )
        });
        let ops: Vec<Op> = [Op::AddStream(stream)]
            .into_iter()
            .chain(video)
            .chain(sound)
            .chain([Op::Eos(REFERENCE), Op::Eos(stream)])
            .collect();
        let run = recorded(&config(), &ops);
        let beside = run.beside(stream);
        let units = beside.iter().map(|r| r.units.len()).sum::<usize>();
        assert_eq!((units, run.stats.missed), (kept, 1300 - kept as u64));
    }
}

#[test]
fn a_signal_from_behind_the_end_of_the_media_leaves_nothing_and_is_counted_empty() {
    for time in [8000, 9000, 20_000] {
        let config = Config {
            signal_offset: 0,
            ..config()
        };
        let media = camera(ms(-10_000), ms(8000), 2 * SECOND);
        let run = recorded(&config, &live(media, &triggers([time]), 0));
        assert_eq!(
            (rows(&run), run.stats.empty),
            (vec![], 1),
            "a trigger at {time} ms"
        );
    }
}

#[test]
fn an_activation_that_is_stopped_before_its_start_leaves_nothing_wherever_the_sync_points_lie() {
    let config = Config {
        signal_offset: 3 * SECOND,
        ..config()
    };
    // The last sync point before the start lies at 2 s, before the stop.
    for lag in [0, 8 * SECOND] {
        let media = camera(ms(-10_000), ms(60_000), 2 * SECOND);
        let signals = [said(0, Action::Start), said(2500, Action::Stop)];
        let run = recorded(&config, &live(media, &signals, lag));
        assert_eq!((rows(&run), run.stats.empty), (vec![], 1), "lag {lag}");
    }
}

#[test]
fn a_stop_before_the_start_leaves_the_next_trigger_to_the_next_recording() {
    let config = Config {
        signal_offset: 7 * SECOND,
        ..config()
    };
    let signals = [
        said(0, Action::Start),
        said(1000, Action::Stop),
        said(2000, Action::Trigger),
    ];
    let run = of(&config, &signals);
    assert_eq!(rows(&run), [(9000, 8000, 22_000, 8000, 21_960, 350)]);
    assert_eq!(run.stats.empty, 1);
}

#[test]
fn a_sync_point_that_left_beyond_the_end_begins_the_next_recording() {
    // I at 20.08 leaves the gate for its leading picture at 20.00.
    let gop = format!("bbI{}PP", "bbP".repeat(15));
    let media = encode(
        &display(ms(-10_000), FRAME, &gop.repeat(35)),
        FRAME,
        Dts::Given,
        in_order,
    );
    let config = Config {
        maximum_activation: 20 * SECOND,
        ..config()
    };
    let run = recorded(&config, &live(media, &triggers([10, 25_090]), 0));
    let second = &run.recordings()[1];
    assert_eq!(row(second), (20_090, 20_080, 45_090, 20_080, 45_160, 627));
    assert_eq!((second.again, second.closed.continues_from), (1, Some(1)));
}

#[test]
fn a_picture_that_left_beyond_the_end_stands_in_the_next_recording_even_alone() {
    // P at 20.12 leaves the gate for the B at 20.04; the next recording asks for it alone.
    let config = Config {
        signal_offset: 0,
        minimum_activation: 10 * MILLISECOND,
        maximum_activation: 10 * MILLISECOND,
        ..config()
    };
    let signals = [said(20_040, Action::Trigger), said(20_120, Action::Trigger)];
    let run = recorded(&config, &live(with_b_frames(35), &signals, 0));
    assert_eq!(run.recordings().len(), 2);
    let pts: Vec<i64> = run.recordings()[1]
        .units
        .iter()
        .map(|unit| unit.pts / MILLISECOND)
        .collect();
    assert_eq!(pts, [20_000, 20_120, 20_040, 20_080]);
}

#[test]
fn a_start_that_follows_a_stop_is_ended_by_the_maximum() {
    let signals = [
        said(0, Action::Start),
        said(3000, Action::Stop),
        said(4000, Action::Start),
    ];
    let run = of(&config(), &signals);
    assert_eq!(rows(&run), [(-5000, -6000, 40_000, -6000, 39_960, 1150)]);
    assert_eq!(run.recordings()[0].closed.cause, Cause::Maximum);
}

#[test]
fn an_end_in_a_gap_of_the_media_is_the_same_however_late_the_signal() {
    let config = Config {
        max_signal_lag: 100 * SECOND,
        ..config()
    };
    let mut ends = Vec::new();
    for lag in [0, 30 * SECOND] {
        let mut ops = live(
            camera(ms(-10_000), ms(8000), 2 * SECOND),
            &triggers([0]),
            lag,
        );
        let eos = ops
            .iter()
            .position(|op| matches!(op, Op::Eos(_)))
            .expect("it ends");
        ops.insert(eos, Op::Gap(REFERENCE, ms(30_000)));
        if lag == 0 {
            ops.insert(eos + 1, Op::Watermark(PAD, ms(30_000)));
        }
        let run = recorded(&config, &ops);
        ends.push((rows(&run), run.recordings()[0].closed.cause));
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0].0, [(-5000, -6000, 20_000, -6000, 7960, 350)]);
}

#[test]
fn a_bound_holds_also_for_media_that_waits_for_an_activation_before_it() {
    // The start lies before the media; the pad stalls right after it.
    let bounds = Bounds {
        time: Some(5 * SECOND),
        ..Bounds::default()
    };
    let config = Config {
        bounds,
        signal_offset: 0,
        ..config()
    };
    let mut ops = vec![Op::AddPad(PAD), Op::Watermarked(PAD, true)];
    ops.push(Op::Signal(Some(PAD), Some(ms(-1000)), Action::Start));
    ops.push(Op::Watermark(PAD, ms(-1000)));
    let media = camera(0, ms(25_000), 2 * SECOND);
    ops.extend(media.into_iter().map(|unit| Op::Push(REFERENCE, unit)));
    let run = run(&config, &ops);
    assert!(run.held.2 <= 9 * SECOND, "held {}", run.held.2);
    assert!(run.stats.forced > 0);
}

#[test]
fn a_flush_closes_the_recording_on_every_stream() {
    let mut ops = vec![Op::AddStream(StreamId(1))];
    ops.extend(live(
        camera(ms(-10_000), ms(10_000), 2 * SECOND),
        &triggers([0]),
        0,
    ));
    ops.truncate(ops.len() - 2);
    ops.push(Op::Flush);
    let run = run(&config(), &ops);
    for stream in [REFERENCE, StreamId(1)] {
        let closed = &run.beside(stream)[0].closed;
        assert_eq!((closed.id, closed.cause), (1, Cause::Flush));
    }
}

#[test]
fn the_evaluation_window_holds_back_the_first_signal_of_a_pad_without_latency_too() {
    let config = Config {
        signal_latency: 0,
        ..config()
    };
    for (arrival, asked, late) in [(800, -5900, 0), (1000, -5000, 1), (1200, -5000, 1)] {
        let media = camera(ms(-10_000), ms(60_000), 2 * SECOND);
        let run = recorded(
            &config,
            &unwatermarked(media, &[(0, 0), (ms(arrival), ms(-900))]),
        );
        assert_eq!(row(&run.recordings()[0]).0, asked, "arrival {arrival}");
        assert_eq!(
            (run.stats.accepted, run.stats.late),
            (2, late),
            "arrival {arrival}"
        );
    }
}

/// The calls until all that is known by a frame has been told.
fn until(frame: i64, config: &Config, signals: &[Said]) -> Run {
    let mut ops = live(camera(ms(-10_000), ms(60_000), 2 * SECOND), signals, 0);
    let told = |op: &Op| matches!(op, Op::Watermark(_, time) if *time == ms(frame));
    let place = ops.iter().position(told).expect("a frame is shown then");
    ops.truncate(place + 1);
    run(config, &ops)
}

#[test]
fn a_recording_opens_with_the_frame_of_its_signal_and_all_that_is_held_goes_out_at_once() {
    assert_eq!(until(-40, &config(), &triggers([0])).open(), None);
    // From −6.00 to 0.00.
    assert_eq!(until(0, &config(), &triggers([0])).open(), Some(151));
    assert_eq!(until(40, &config(), &triggers([0])).open(), Some(152));
}

#[test]
fn a_recording_closes_as_soon_as_no_signal_can_touch_it_any_more() {
    let signals = triggers([0]);
    assert_eq!(until(24_960, &config(), &signals).open(), Some(650));
    assert_eq!(until(25_000, &config(), &signals).recordings().len(), 1);
    let prompt = Config {
        signal_offset: 0,
        ..config()
    };
    assert_eq!(until(19_960, &prompt, &signals).open(), Some(500));
    assert_eq!(until(20_000, &prompt, &signals).recordings().len(), 1);
    // At the maximum nothing can touch it.
    let endless = triggers((0..4).map(|n| n * 10_000));
    assert_eq!(until(39_960, &config(), &endless).open(), Some(1150));
    assert_eq!(until(40_000, &config(), &endless).recordings().len(), 1);
}
