//! Draws `docs/gate.svg` from what the gate really does. After a change of its rules, draw it anew
//! with `EVR_BLESS=1 cargo test --test gate_picture`.

use std::{fmt::Write, fs, path::Path, sync::Arc};

use evr_core::{
    gate::{Boundary, Config, Gate, Output, PadId, REFERENCE, Unit},
    signal::Signal,
    time::{Nanos, SECOND},
};

/// The scene: 10 fps, a keyframe every 2 s, and an analysis that is 3 s behind.
const FRAMES: i64 = 300;
const FRAME: Nanos = SECOND / 10;
const GOP: i64 = 20;
const LAG: Nanos = 3 * SECOND;
const SIGNALS: [Nanos; 3] = [12 * SECOND, 13 * SECOND, 15 * SECOND];

const LEFT: f64 = 40.0;
const PER_SECOND: f64 = 22.0;

/// What the gate did: the recording, and how far the media was when it opened and closed.
struct Scene {
    close: Arc<Boundary>,
    opened_at: Nanos,
    closed_at: Nanos,
    frames: usize,
}

fn play() -> Scene {
    let config = Config {
        signal_offset: -5 * SECOND,
        minimum_activation: 6 * SECOND,
        maximum_activation: 20 * SECOND,
        ..Config::default()
    };
    config.validate().expect("the scene's settings go together");
    let mut gate = Gate::new(config);
    let pad = PadId(0);
    gate.add_pad(pad);
    gate.set_watermarked(pad, true);

    let (mut opened_at, mut close, mut frames) = (0, None, 0);
    for n in 0..FRAMES {
        let now = n * FRAME;
        let unit = Unit {
            pts: now,
            dts: Some(now),
            duration: Some(FRAME),
            sync: n % GOP == 0,
            bytes: 1,
            payload: (),
        };
        gate.push(REFERENCE, unit);
        let analysed = now - LAG;
        if SIGNALS.contains(&analysed) {
            gate.signal(Some(pad), Some(analysed), Signal::default());
        }
        gate.watermark(pad, analysed);
        while let Some(output) = gate.poll() {
            match output {
                Output::Open(..) => opened_at = now,
                Output::Unit(..) => frames += 1,
                Output::Close(_, boundary) => close = Some((boundary, now)),
                Output::Update(..) | Output::Gap(..) | Output::Eos(_) => {}
            }
        }
    }
    let (close, closed_at) = close.expect("the scene is long enough to close");
    Scene {
        close,
        opened_at,
        closed_at,
        frames,
    }
}

fn x(time: Nanos) -> f64 {
    LEFT + PER_SECOND * time as f64 / SECOND as f64
}

/// A bar from one time to another, with its name in it.
fn bar(svg: &mut String, (from, to): (Nanos, Nanos), y: u32, fill: &str, name: &str) {
    let (left, width) = (x(from), x(to) - x(from));
    writeln!(
        svg,
        r#"<rect x="{left:.1}" y="{y}" width="{width:.1}" height="28" fill="{fill}" stroke="black"/>"#
    )
    .expect("a string takes everything");
    text(svg, left + width / 2.0, y + 19, "middle", name);
}

fn text(svg: &mut String, x: f64, y: u32, anchor: &str, words: &str) {
    writeln!(
        svg,
        r#"<text x="{x:.1}" y="{y}" text-anchor="{anchor}">{words}</text>"#
    )
    .expect("a string takes everything");
}

/// A line down at a time.
fn mark(svg: &mut String, time: Nanos, (top, bottom): (u32, u32), stroke: &str) {
    let x = x(time);
    writeln!(
        svg,
        r#"<line x1="{x:.1}" y1="{top}" x2="{x:.1}" y2="{bottom}" stroke="{stroke}"/>"#
    )
    .expect("a string takes everything");
}

fn draw(scene: &Scene) -> String {
    let close = &scene.close;
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 250\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"720\" height=\"250\" fill=\"#fff\"/>\n",
    );
    text(
        &mut svg,
        LEFT,
        20,
        "start",
        "media: a frame every 0.1 s, a keyframe (line) every 2 s",
    );
    bar(&mut svg, (0, FRAMES * FRAME), 28, "#eef", "");
    for n in (0..FRAMES).step_by(GOP as usize) {
        mark(&mut svg, n * FRAME, (28, 56), "#336");
        let seconds = format!("{} s", n * FRAME / SECOND);
        text(&mut svg, x(n * FRAME), 70, "middle", &seconds);
    }
    let signals = "signals, by the time of the frame that they speak of";
    text(&mut svg, LEFT, 98, "start", signals);
    for time in SIGNALS {
        mark(&mut svg, time, (106, 158), "#c33");
    }
    text(&mut svg, x(SIGNALS[0]) - 4.0, 120, "end", "E1");
    text(&mut svg, x(SIGNALS[2]) + 4.0, 120, "start", "En");

    bar(&mut svg, (close.sync_point, close.start), 130, "#ddd", "");
    bar(
        &mut svg,
        (close.start, close.event_start),
        130,
        "#cde",
        "pre-roll −O",
    );
    bar(
        &mut svg,
        (close.event_start, close.event_end),
        130,
        "#fc9",
        "event",
    );
    bar(
        &mut svg,
        (close.event_end, close.end),
        130,
        "#cde",
        "tail Tmin",
    );
    text(
        &mut svg,
        x(close.sync_point),
        172,
        "start",
        "keyframe at or before E1+O",
    );
    text(&mut svg, x(close.end), 172, "end", "end = En+Tmin");
    let frames = format!("the recording: {} frames", scene.frames);
    text(&mut svg, x(close.end) + 8.0, 149, "start", &frames);

    text(
        &mut svg,
        LEFT,
        200,
        "start",
        "when it was decided, with an analysis 3 s behind",
    );
    mark(&mut svg, scene.opened_at, (206, 236), "#393");
    mark(&mut svg, scene.closed_at, (206, 236), "#393");
    text(
        &mut svg,
        x(scene.opened_at) - 4.0,
        226,
        "end",
        "opened: E1 is known",
    );
    let closed = "closed: no later signal's pre-roll can touch it";
    text(&mut svg, x(scene.closed_at) - 4.0, 226, "end", closed);
    svg.push_str("</svg>\n");
    svg
}

#[test]
fn the_picture_of_the_gate_shows_what_it_does() {
    let scene = play();
    assert_eq!(scene.opened_at, 15 * SECOND);
    assert_eq!(scene.closed_at, 29 * SECOND);
    let picture = draw(&scene);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gate.svg");
    if std::env::var_os("EVR_BLESS").is_some() {
        fs::write(&path, &picture).expect("docs/ can be written");
    }
    let drawn = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        drawn == picture,
        "draw it anew: EVR_BLESS=1 cargo test --test gate_picture"
    );
}
