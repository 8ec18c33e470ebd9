//! Rectification held to a rig that is computed by other means.

#[allow(dead_code, reason = "each test file uses its own share")]
mod rig;

use evr_zed::{calibration::Calibration, rectify::Rectified, remap::Plane};
use rig::{BASELINE, CALIBRATION, HEIGHT, LEFT, RIGHT, WIDTH};

fn rectified() -> Rectified {
    let rig = Calibration::parse(CALIBRATION).rig(WIDTH as u32, HEIGHT as u32);
    Rectified::new(&rig.expect("the file is whole")).expect("the rig is sound")
}

/// Finds, by Newton's method, where the rectified picture of one eye shows a raw pixel.
fn shows(to_raw: impl Fn(f64, f64) -> (f64, f64), goal: [f64; 2]) -> [f64; 2] {
    let mut at = goal;
    for _ in 0..12 {
        let here = to_raw(at[0], at[1]);
        let (dx, dy) = (to_raw(at[0] + 0.01, at[1]), to_raw(at[0], at[1] + 0.01));
        let (a, c) = ((dx.0 - here.0) * 100.0, (dx.1 - here.1) * 100.0);
        let (b, d) = ((dy.0 - here.0) * 100.0, (dy.1 - here.1) * 100.0);
        let (ex, ey) = (goal[0] - here.0, goal[1] - here.1);
        let det = a * d - b * c;
        at = [
            at[0] + (d * ex - b * ey) / det,
            at[1] + (a * ey - c * ex) / det,
        ];
    }
    at
}

#[test]
fn a_point_stands_in_the_same_row_of_both_pictures_and_its_shift_tells_its_distance() {
    let rectified = rectified();
    assert!(
        (rectified.baseline - (BASELINE.powi(2) + 0.61f64.powi(2) + 0.43f64.powi(2)).sqrt()).abs()
            < 1e-9
    );
    let mut seen = 0;
    for distance in [400.0, 1500.0, 8000.0] {
        for i in -10..=10 {
            for j in -6..=6 {
                let point = [
                    distance * f64::from(i) * 0.08,
                    distance * f64::from(j) * 0.08,
                    distance,
                ];
                let left = shows(|u, v| rectified.left(u, v), LEFT.sees(point));
                let right = shows(
                    |u, v| rectified.right(u, v),
                    RIGHT.sees(rig::to_right(point)),
                );
                let inside = |at: [f64; 2]| {
                    (0.0..WIDTH as f64).contains(&at[0]) && (0.0..HEIGHT as f64).contains(&at[1])
                };
                if !inside(left) || !inside(right) {
                    continue;
                }
                seen += 1;
                let vertical = left[1] - right[1];
                assert!(vertical.abs() < 0.01, "{point:?}: {vertical} rows apart");
                // The turned eyes look a little aside, so the distance along their axis differs.
                let depth = rectified.focal * rectified.baseline / (left[0] - right[0]);
                assert!((depth / distance - 1.0).abs() < 0.02, "{point:?}: {depth}");
            }
        }
    }
    assert!(seen > 300, "only {seen} points lay in both pictures");
}

#[test]
fn no_pixel_of_the_result_lies_outside_the_raw_picture() {
    let rectified = rectified();
    let mut nearest = f64::MAX;
    for u in 0..WIDTH {
        for v in 0..HEIGHT {
            for (x, y) in [
                rectified.left(u as f64, v as f64),
                rectified.right(u as f64, v as f64),
            ] {
                let (w, h) = (WIDTH as f64 - 1.0, HEIGHT as f64 - 1.0);
                nearest = nearest.min(x).min(y).min(w - x).min(h - y);
            }
        }
    }
    assert!(nearest > -0.05, "{nearest} pixels beyond an edge");
    assert!(
        nearest < 1.0,
        "{nearest} pixels of the raw picture are given away"
    );
}

/// How far `right` must be moved from `shift` so that the patch of `left` around (x, y) lies on
/// it: Lucas and Kanade's least squares, repeated.
fn apart(left: &[u8], right: &[u8], (x, y): (usize, usize), shift: f64) -> [f64; 2] {
    let sample = |picture: &[u8], x: f64, y: f64| {
        let (column, row) = (x.floor(), y.floor());
        let (a, b) = (x - column, y - row);
        let at = row as usize * WIDTH + column as usize;
        let of = |at: usize| f64::from(picture[at]);
        (of(at) * (1.0 - a) + of(at + 1) * a) * (1.0 - b)
            + (of(at + WIDTH) * (1.0 - a) + of(at + WIDTH + 1) * a) * b
    };
    let mut moved = [-shift, 0.0];
    for _ in 0..10 {
        let (mut xx, mut xy, mut yy, mut xt, mut yt) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for v in y - 20..=y + 20 {
            for u in x - 20..=x + 20 {
                let (u, v) = (u as f64 + moved[0], v as f64 + moved[1]);
                let dx = (sample(right, u + 1.0, v) - sample(right, u - 1.0, v)) / 2.0;
                let dy = (sample(right, u, v + 1.0) - sample(right, u, v - 1.0)) / 2.0;
                let dt = sample(left, u - moved[0], v - moved[1]) - sample(right, u, v);
                xx += dx * dx;
                xy += dx * dy;
                yy += dy * dy;
                xt += dx * dt;
                yt += dy * dt;
            }
        }
        let det = xx * yy - xy * xy;
        moved[0] += (yy * xt - xy * yt) / det;
        moved[1] += (xx * yt - xy * xt) / det;
    }
    moved
}

#[test]
fn rectified_pictures_of_a_wall_differ_by_no_row_anywhere() {
    let distance = 1500.0;
    let raw = rig::pictures(distance, 0.0);
    let rectified = rectified();
    let maps = rectified.maps(1);
    let pictures: Vec<Vec<u8>> = raw
        .iter()
        .zip(&maps)
        .map(|(raw, map)| {
            let plane = Plane {
                bytes: raw,
                stride: WIDTH,
                offset: 0,
            };
            let mut picture = vec![0; WIDTH * HEIGHT];
            map.apply::<1>(plane, &mut picture, WIDTH, 0);
            picture
        })
        .collect();
    let shift = rectified.focal * rectified.baseline / distance;
    let (mut worst, mut before) = (0f64, 0f64);
    // From edge to edge, as far as the patch lies in both: 20 pixels, one for the slope, the shift.
    let margin = 23;
    let columns = (margin + shift.ceil() as usize..WIDTH - margin).step_by(31);
    for x in columns.chain([WIDTH - margin]) {
        for y in (margin..HEIGHT - margin)
            .step_by(25)
            .chain([HEIGHT - margin])
        {
            let [across, down] = apart(&pictures[0], &pictures[1], (x, y), shift);
            worst = worst.max(down.abs());
            let depth = rectified.focal * rectified.baseline / -across;
            assert!((depth / distance - 1.0).abs() < 0.03, "{x},{y}: {depth} mm");
            // What is apart by rows does not lie in both at the edges.
            if (80..WIDTH - 40).contains(&x) && (32..HEIGHT - 32).contains(&y) {
                before = before.max(apart(&raw[0], &raw[1], (x, y), shift)[1].abs());
            }
        }
    }
    println!("vertical shift: {before:.2} rows raw, {worst:.3} rectified");
    assert!(worst < 0.02, "{worst} rows apart");
    assert!(before > 5.0, "the raw pictures show nothing to be undone");
}
