//! The gate's vectors: streams and signals worked out by hand, with what must be recorded.
//!
//! Unless a test says otherwise: 25 fps from −10 s, a sync point every 2 s, no B-frames, one
//! watermarked pad; W 1 s, O −5 s, Tmin 20 s, Tmax 40 s.

use evr_core::{
    gate::{Cause, Config},
    signal::Action,
    time::{MILLISECOND, SECOND},
};

mod gate;
use gate::{
    stream::{Dts, FRAME, camera, display, encode, in_order},
    table::{
        config, latent, live, ms, of, recorded, rows, said, triggers, unwatermarked, with_b_frames,
    },
};

#[test]
fn v1_one_trigger_keeps_the_gate_open_for_the_minimum_from_the_sync_point_before_its_pre_roll() {
    let run = of(&config(), &triggers([0]));
    assert_eq!(rows(&run), [(-5000, -6000, 20_000, -6000, 19_960, 650)]);
    let recording = &run.recordings()[0];
    assert_eq!(
        (recording.opened.cause, recording.closed.cause),
        (Cause::Trigger, Cause::Elapsed)
    );
    assert_eq!(
        (recording.closed.event_start, recording.closed.event_end),
        (0, 0)
    );
    assert_eq!(recording.closed.continues_from, None);
    let stats = run.stats;
    assert_eq!(
        (
            stats.accepted,
            stats.late,
            stats.ignored,
            stats.short,
            stats.empty
        ),
        (1, 0, 0, 0, 0)
    );
}

#[test]
fn v2_a_second_trigger_moves_the_end_to_its_own_minimum() {
    let run = of(&config(), &triggers([0, 5000]));
    assert_eq!(rows(&run), [(-5000, -6000, 25_000, -6000, 24_960, 775)]);
    let closed = &run.recordings()[0].closed;
    assert_eq!((closed.event_start, closed.event_end), (0, ms(5000)));
    assert_eq!(
        closed.signals.iter().map(|s| s.time).collect::<Vec<_>>(),
        [0, ms(5000)]
    );
}

#[test]
fn v3_endless_triggers_give_contiguous_recordings_cut_at_the_maximum() {
    let media = camera(ms(-10_000), ms(100_000), 2 * SECOND);
    let run = recorded(
        &config(),
        &live(media, &triggers((0..10).map(|n| n * 10_000)), 0),
    );
    assert_eq!(
        rows(&run),
        [
            (-5000, -6000, 40_000, -6000, 39_960, 1150),
            (35_000, 40_000, 80_000, 40_000, 79_960, 1000),
            (75_000, 80_000, 100_000, 80_000, 99_960, 500),
        ]
    );
    let causes: Vec<Cause> = run.recordings().iter().map(|r| r.closed.cause).collect();
    assert_eq!(causes, [Cause::Maximum, Cause::Maximum, Cause::Eos]);
    assert!(
        run.recordings()
            .iter()
            .all(|r| r.again == 0 && r.closed.continues_from.is_none())
    );
    assert_eq!(run.stats.accepted, 10);
}

#[test]
fn v4a_within_the_evaluation_window_an_earlier_signal_moves_the_start_back() {
    let media = camera(ms(-10_000), ms(60_000), 2 * SECOND);
    let run = recorded(
        &latent(),
        &unwatermarked(media, &[(0, 0), (ms(800), ms(-2000))]),
    );
    assert_eq!(rows(&run), [(-7000, -8000, 20_000, -8000, 19_960, 700)]);
    assert_eq!((run.stats.accepted, run.stats.late), (2, 0));
}

#[test]
fn v4b_after_the_evaluation_window_an_earlier_signal_is_late_and_listed() {
    let media = camera(ms(-10_000), ms(60_000), 2 * SECOND);
    let run = recorded(
        &latent(),
        &unwatermarked(media, &[(0, 0), (ms(1200), ms(-2000))]),
    );
    assert_eq!(rows(&run), [(-5000, -6000, 20_000, -6000, 19_960, 650)]);
    assert_eq!((run.stats.accepted, run.stats.late), (2, 1));
    let listed = run.recordings()[0]
        .closed
        .signals
        .iter()
        .map(|s| (s.time, s.late));
    assert_eq!(listed.collect::<Vec<_>>(), [(0, false), (ms(-2000), true)]);
}

#[test]
fn v5_a_trigger_whose_pre_roll_touches_the_end_belongs_to_the_same_recording() {
    let run = of(&config(), &triggers([0, 24_000]));
    assert_eq!(rows(&run), [(-5000, -6000, 40_000, -6000, 39_960, 1150)]);
}

#[test]
fn v5_at_the_very_edge_touching_is_still_one_recording_and_a_nanosecond_later_it_is_two() {
    assert_eq!(of(&config(), &triggers([0, 25_000])).recordings().len(), 1);
    let mut signals = triggers([0, 25_000]);
    signals[1].time += 1;
    let run = of(&config(), &signals);
    assert_eq!(rows(&run)[0], (-5000, -6000, 20_000, -6000, 19_960, 650));
    assert_eq!(rows(&run)[1], (20_000, 20_000, 45_000, 20_000, 45_000, 626));
}

#[test]
fn v6_a_trigger_whose_pre_roll_does_not_touch_begins_the_next_recording() {
    let run = of(&config(), &triggers([0, 26_000]));
    assert_eq!(
        rows(&run),
        [
            (-5000, -6000, 20_000, -6000, 19_960, 650),
            (21_000, 20_000, 46_000, 20_000, 45_960, 650),
        ]
    );
}

#[test]
fn v7_the_pre_roll_of_the_next_recording_starts_where_the_last_one_ended() {
    let config = Config {
        minimum_activation: 30 * SECOND,
        maximum_activation: 30 * SECOND,
        ..config()
    };
    let run = of(&config, &triggers([0, 31_000]));
    assert_eq!(
        rows(&run),
        [
            (-5000, -6000, 30_000, -6000, 29_960, 900),
            (26_000, 30_000, 61_000, 30_000, 60_960, 775),
        ]
    );
    assert_eq!(run.recordings()[1].closed.start, ms(30_000));
}

#[test]
fn v7_a_signal_exactly_at_the_maximum_belongs_to_the_next_recording() {
    let config = Config {
        minimum_activation: 30 * SECOND,
        maximum_activation: 30 * SECOND,
        ..config()
    };
    let before = of(&config, &triggers([0, 29_999]));
    assert_eq!(rows(&before), [(-5000, -6000, 30_000, -6000, 29_960, 900)]);
    let at = of(&config, &triggers([0, 30_000]));
    assert_eq!(rows(&at)[1], (25_000, 30_000, 60_000, 30_000, 59_960, 750));
}

#[test]
fn v8_stop_ends_what_start_began_and_a_second_stop_is_ignored() {
    let signals = [
        said(0, Action::Start),
        said(7300, Action::Stop),
        said(9000, Action::Stop),
    ];
    let run = of(&config(), &signals);
    assert_eq!(rows(&run), [(-5000, -6000, 7300, -6000, 7280, 333)]);
    assert_eq!((run.stats.accepted, run.stats.ignored), (2, 1));
    let recording = &run.recordings()[0];
    assert_eq!(
        (recording.opened.cause, recording.closed.cause),
        (Cause::Start, Cause::Stop)
    );
    assert_eq!(
        (recording.closed.event_start, recording.closed.event_end),
        (0, ms(7300))
    );
}

#[test]
fn v9_start_without_stop_ends_at_the_maximum() {
    let run = of(&config(), &[said(0, Action::Start)]);
    assert_eq!(rows(&run), [(-5000, -6000, 40_000, -6000, 39_960, 1150)]);
    assert_eq!(run.recordings()[0].closed.cause, Cause::Maximum);
}

#[test]
fn v10_the_end_of_the_media_cuts_the_recording_and_its_end() {
    let media = camera(ms(-10_000), ms(8000), 2 * SECOND);
    let run = recorded(&config(), &live(media, &triggers([0]), 0));
    assert_eq!(rows(&run), [(-5000, -6000, 8000, -6000, 7960, 350)]);
    assert_eq!(run.recordings()[0].closed.cause, Cause::Eos);
}

#[test]
fn v11_a_recording_whose_pre_roll_lies_before_the_media_starts_with_it_and_is_counted_short() {
    let media = camera(0, ms(60_000), 2 * SECOND);
    let run = recorded(&config(), &live(media, &triggers([1000]), 0));
    assert_eq!(rows(&run), [(-4000, 0, 21_000, 0, 20_960, 525)]);
    assert_eq!(run.stats.short, 1);
}

#[test]
fn v12_a_p_beyond_the_end_goes_out_because_a_b_before_the_end_needs_it() {
    let run = recorded(&config(), &live(with_b_frames(35), &triggers([50]), 0));
    assert_eq!(rows(&run), [(-4950, -6000, 20_050, -6000, 20_120, 653)]);
    let tail: Vec<i64> = run.recordings()[0].units[650..]
        .iter()
        .map(|unit| unit.pts / MILLISECOND)
        .collect();
    assert_eq!(tail, [20_000, 20_120, 20_040], "20.08 is not needed");
}

#[test]
fn v13_leading_pictures_before_the_sync_point_are_dropped() {
    // Two leading pictures before each I: I −5.92, b −6.00, b −5.96 in decode order.
    let gop = format!("bbI{}PP", "bbP".repeat(15));
    let media = encode(
        &display(ms(-10_000), FRAME, &gop.repeat(35)),
        FRAME,
        Dts::Given,
        in_order,
    );
    let run = recorded(&config(), &live(media, &triggers([10]), 0));
    // 649 frames from −5.92 to 20.00; the last is itself a leading picture and needs its I at 20.08.
    assert_eq!(rows(&run), [(-4990, -5920, 20_010, -5920, 20_080, 650)]);
    let units = &run.recordings()[0].units;
    assert!(units[0].sync && units.iter().all(|unit| unit.pts >= ms(-5920)));
}

#[test]
fn v14_a_positive_offset_delays_the_start_and_leaves_the_end() {
    let config = Config {
        signal_offset: 3 * SECOND,
        minimum_activation: 10 * SECOND,
        ..config()
    };
    let run = of(&config, &triggers([0]));
    assert_eq!(rows(&run), [(3000, 2000, 10_000, 2000, 9960, 200)]);
}

#[test]
fn v15_analysis_that_is_eight_seconds_late_changes_nothing() {
    let media = || camera(ms(-10_000), ms(110_000), 2 * SECOND);
    for signals in [
        triggers([0]),
        triggers([0, 26_000]),
        triggers((0..10).map(|n| n * 10_000)),
    ] {
        let prompt = recorded(&config(), &live(media(), &signals, 0));
        let late = recorded(&config(), &live(media(), &signals, 8 * SECOND));
        assert_eq!(rows(&late), rows(&prompt));
        assert!(late.held.2 >= 13 * SECOND, "it was held: {}", late.held.2);
    }
}

#[test]
fn v16_the_last_group_of_a_recording_stands_in_the_next_one_too() {
    let config = Config {
        minimum_activation: 12 * SECOND,
        maximum_activation: 12 * SECOND,
        ..config()
    };
    let media = camera(ms(-10_000), ms(60_000), 10 * SECOND);
    let run = recorded(&config, &live(media, &triggers([0, 15_000]), 0));
    assert_eq!(
        rows(&run),
        [
            (-5000, -10_000, 12_000, -10_000, 11_960, 550),
            (10_000, 10_000, 27_000, 10_000, 26_960, 425),
        ]
    );
    let second = &run.recordings()[1];
    assert_eq!((second.again, second.closed.continues_from), (50, Some(1)));
    assert_eq!(second.closed.start, ms(12_000));
}

#[test]
fn v17_the_last_group_is_needed_also_when_the_asked_start_lies_after_the_previous_end() {
    let config = Config {
        signal_offset: -SECOND,
        minimum_activation: 5 * SECOND,
        maximum_activation: 12 * SECOND,
        ..config()
    };
    let media = camera(ms(-10_000), ms(60_000), 10 * SECOND);
    let run = recorded(&config, &live(media, &triggers([0, 7000]), 0));
    assert_eq!(
        rows(&run),
        [
            (-1000, -10_000, 5000, -10_000, 4960, 375),
            (6000, 0, 12_000, 0, 11_960, 300)
        ]
    );
    assert_eq!(run.recordings()[1].again, 125);
    assert_eq!(run.recordings()[1].closed.continues_from, Some(1));
}

#[test]
fn azure_one_event_records_minus_offset_plus_minimum() {
    let run = of(&config(), &triggers([0]));
    let closed = &run.recordings()[0].closed;
    assert_eq!(closed.end - closed.start, ms(25_000));
}

#[test]
fn azure_two_events_record_their_distance_more() {
    let run = of(&config(), &triggers([0, 5000]));
    let closed = &run.recordings()[0].closed;
    assert_eq!(closed.end - closed.start, ms(30_000));
}

#[test]
fn azure_saturated_events_record_minus_offset_plus_maximum_and_the_next_event_a_new_file() {
    let run = of(&config(), &triggers((0..=4).map(|n| n * 10_000)));
    let closed = &run.recordings()[0].closed;
    assert_eq!(closed.end - closed.start, ms(45_000));
    assert_eq!(run.recordings()[1].closed.asked, ms(35_000));
    assert_eq!(run.recordings().len(), 2);
}

#[test]
fn azure_the_logged_gate_of_thirty_seconds_records_thirty_five() {
    let config = Config {
        minimum_activation: 30 * SECOND,
        maximum_activation: 30 * SECOND,
        ..config()
    };
    let run = of(&config, &triggers([0, 12_000, 29_000]));
    let closed = &run.recordings()[0].closed;
    assert_eq!(
        (closed.end - closed.start, run.recordings().len()),
        (ms(35_000), 1)
    );
}
