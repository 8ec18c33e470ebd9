//! Scenes made of numbers: a textured wall with a camera's noise, and things that pass.

use super::*;

const WIDTH: usize = 320;
const HEIGHT: usize = 240;
const FRAME: Nanos = 40 * MILLISECOND;

/// A picture of a wall, frame by frame.
struct Scene {
    seed: u64,
    picture: Vec<u8>,
    /// Standard deviation of the noise of a pixel, in levels.
    noise: f64,
}

impl Scene {
    fn new(noise: f64) -> Self {
        Self {
            seed: 7,
            picture: vec![0; WIDTH * HEIGHT],
            noise,
        }
    }

    fn random(&mut self) -> f64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 40) as f64 / (1_u64 << 24) as f64
    }

    /// The wall under this light, with rectangles `(x, y, w, h, level)` in front of it.
    fn draw(&mut self, gain: f64, offset: f64, things: &[(usize, usize, usize, usize, f64)]) {
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let wall = 60.0 + ((x / 20 * 31 + y / 16 * 17) % 90) as f64;
                let thing = things.iter().find(|thing| {
                    (thing.0..thing.0 + thing.2).contains(&x)
                        && (thing.1..thing.1 + thing.3).contains(&y)
                });
                let seen = thing.map_or(wall, |thing| thing.4) * gain + offset;
                // Near enough to a normal deviate.
                let noise = (self.random() + self.random() + self.random() - 1.5) * 2.0;
                self.picture[y * WIDTH + x] = (seen + noise * self.noise).clamp(0.0, 255.0) as u8;
            }
        }
    }

    fn luma(&self) -> Luma<'_> {
        Luma {
            data: &self.picture,
            stride: WIDTH,
            step: 1,
        }
    }
}

fn detector(sensitivity: Sensitivity) -> Detector {
    let mut detector = Detector::new(Config {
        sensitivity,
        ..Config::default()
    });
    detector.resize(WIDTH, HEIGHT).expect("an ordinary size");
    detector
}

/// The frames with motion of a detector that sees what `draw` makes of each.
fn moving(
    sensitivity: Sensitivity,
    noise: f64,
    frames: usize,
    mut draw: impl FnMut(&mut Scene, usize),
) -> Vec<(usize, Motion)> {
    let (mut detector, mut scene) = (detector(sensitivity), Scene::new(noise));
    let mut found = Vec::new();
    for n in 0..frames {
        draw(&mut scene, n);
        let motion = detector.frame(Some(n as Nanos * FRAME), &scene.luma());
        found.extend(motion.expect("a whole frame").map(|motion| (n, motion)));
    }
    found
}

const ALL: [Sensitivity; 3] = [Sensitivity::Low, Sensitivity::Medium, Sensitivity::High];

#[test]
fn a_static_scene_with_noise_under_a_slow_ramp_of_light_does_not_move() {
    for sensitivity in ALL {
        for noise in [0.0, 3.0, 12.0] {
            let found = moving(sensitivity, noise, 300, |scene, n| {
                let dusk = n as f64 / 300.0;
                scene.draw(1.2 - 0.6 * dusk, 10.0 * dusk, &[]);
            });
            assert!(found.is_empty(), "{sensitivity:?} {noise}: {found:?}");
        }
    }
}

#[test]
#[ignore = "for the figures: ten minutes of frames"]
fn soak_ten_minutes_of_noise_under_changing_light_moves_nothing() {
    for sensitivity in ALL {
        let found = moving(sensitivity, 3.0, 15_000, |scene, n| {
            // From day to dusk and back within five minutes.
            let dusk = (1.0 - (n as f64 / 7_500.0 * std::f64::consts::TAU).cos()) / 2.0;
            scene.draw(1.2 - 0.6 * dusk, 10.0 * dusk, &[]);
        });
        println!(
            "measured: ten minutes of a static scene with noise under slowly changing light, frames \
             with motion at sensitivity {sensitivity:?}: {} of 15000",
            found.len()
        );
        assert!(found.is_empty(), "{sensitivity:?}: {found:?}");
    }
}

#[test]
fn a_step_of_light_does_not_move() {
    for sensitivity in ALL {
        let found = moving(sensitivity, 3.0, 120, |scene, n| {
            let light = [(1.0, 0.0), (1.3, 0.0), (1.0, 25.0), (0.6, 0.0)][n / 30];
            scene.draw(light.0, light.1, &[]);
        });
        assert!(found.is_empty(), "{sensitivity:?}: {found:?}");
    }
}

#[test]
fn noise_that_grows_at_once_as_a_camera_switches_to_night_does_not_move() {
    let mut scene = Scene::new(1.0);
    let mut detector = detector(Sensitivity::Medium);
    for n in 0..150 {
        scene.noise = if n < 75 { 1.0 } else { 15.0 };
        scene.draw(1.0, 0.0, &[]);
        let motion = detector.frame(Some(n * FRAME), &scene.luma());
        assert_eq!(motion, Ok(None), "frame {n}");
    }
}

#[test]
fn what_passes_moves_from_its_first_frame_to_its_last_in_its_own_box() {
    for (sensitivity, first) in ALL.into_iter().zip([51, 51, 50]) {
        let found = moving(sensitivity, 3.0, 150, |scene, n| {
            let person = (40 + 3 * n.saturating_sub(50), 100, 24, 60, 200.0);
            let there = (50..100).contains(&n);
            scene.draw(1.0, 0.0, &[person][..usize::from(there)]);
        });
        let frames: Vec<usize> = found.iter().map(|(n, _)| *n).collect();
        assert_eq!(frames, (first..100).collect::<Vec<_>>(), "{sensitivity:?}");
        for (n, motion) in found {
            let l = (40 + 3 * (n - 50)) as f64 / WIDTH as f64;
            let person = crate::detection::BoundingBox {
                l,
                t: 100.0 / HEIGHT as f64,
                w: 24.0 / WIDTH as f64,
                h: 60.0 / HEIGHT as f64,
            };
            assert_eq!(motion.regions.len(), 1, "frame {n}: {motion:?}");
            let overlap = motion.regions[0].bbox.iou(&person);
            assert!(overlap > 0.6, "frame {n}: {overlap} {motion:?}");
        }
    }
}

#[test]
fn what_stops_is_still_within_two_seconds_and_moves_again_when_it_goes() {
    let found = moving(Sensitivity::Medium, 2.0, 400, |scene, n| {
        // In from the left, still from frame 70 to 300, out again.
        let x = 3 * (n.clamp(30, 70) - 30) + 3 * (n.clamp(300, 360) - 300);
        let car = (x, 120, 60, 40, 220.0);
        scene.draw(1.0, 0.0, &[car][..usize::from(n >= 30)]);
    });
    let frames: Vec<usize> = found.iter().map(|(n, _)| *n).collect();
    assert!(frames.contains(&31) && frames.contains(&69));
    assert!(frames.iter().all(|n| !(115..300).contains(n)), "{frames:?}");
    assert!(frames.contains(&305) && frames.contains(&359));
}

#[test]
fn less_than_the_least_area_is_none_and_a_masked_place_does_not_move() {
    let rules = |min_area, zones: &str, masks: &str| Config {
        min_area,
        zones: Zones::parse(zones).expect("right zones"),
        masks: Zones::parse(masks).expect("right masks"),
        ..Config::default()
    };
    let left = "{\"left\":[[0,0],[0.5,0],[0.5,1],[0,1]]}";
    for (config, moves) in [
        (rules(None, "", ""), true),
        (rules(Some(0.02), "", ""), true),
        (rules(Some(0.03), "", ""), false),
        (rules(None, left, ""), true),
        (rules(None, "", left), false),
    ] {
        let mut detector = Detector::new(config.clone());
        detector.resize(WIDTH, HEIGHT).expect("an ordinary size");
        let mut scene = Scene::new(2.0);
        let mut last = None;
        for n in 0..60 {
            // 40 x 48 pixels are 2.5 % of the frame.
            let thing = (20 + n, 100, 40, 48, 220.0);
            scene.draw(1.0, 0.0, &[thing][..usize::from(n > 40)]);
            let motion = detector.frame(None, &scene.luma()).expect("a whole frame");
            last = motion;
        }
        assert_eq!(last.is_some(), moves, "{config:?}");
        let named = last.is_some_and(|motion| motion.zones == ["left"]);
        assert_eq!(named, moves && !config.zones.is_empty());
    }
}

#[test]
fn another_scene_or_a_flush_is_no_motion() {
    let mut scene = Scene::new(2.0);
    let mut detector = detector(Sensitivity::High);
    for n in 0..100 {
        let wall = (0, 0, WIDTH, HEIGHT, 30.0 + n as f64);
        if n == 50 {
            detector.flush();
        }
        // Another room from 25 on, after the flush the first again.
        let other = (25..50).contains(&n);
        scene.draw(1.0, 0.0, &[wall][..usize::from(other)]);
        let motion = detector.frame(Some(n * FRAME), &scene.luma());
        assert_eq!(motion, Ok(None), "frame {n}");
    }
}

#[test]
fn a_frame_of_another_size_is_refused_and_a_new_size_learned() {
    let mut detector = Detector::default();
    let scene = Scene::new(0.0);
    assert_eq!(
        detector.frame(None, &scene.luma()),
        Err(MotionError::Size(0, 0))
    );
    detector.resize(WIDTH, HEIGHT * 2).expect("a size");
    assert_eq!(detector.frame(None, &scene.luma()), Err(MotionError::Short));
    detector.resize(WIDTH, HEIGHT).expect("a size");
    assert_eq!(detector.frame(None, &scene.luma()), Ok(None));
    assert_eq!(detector.resize(1, 1), Err(MotionError::Size(1, 1)));
}

/// Whether something of `side` by `side` pixels that comes to stand at `at` in a still frame of
/// 1080p is motion, and in which zone.
fn in_1080p(zones: &str, at: (usize, usize), side: usize) -> Option<Vec<String>> {
    let (width, height) = (1920, 1080);
    let mut detector = Detector::new(Config {
        zones: Zones::parse(zones).expect("right zones"),
        ..Config::default()
    });
    detector.resize(width, height).expect("an ordinary size");
    let mut data = vec![60; width * height];
    let mut last = None;
    for n in 0..5 {
        if n == 3 {
            for row in data.chunks_exact_mut(width).skip(at.1).take(side) {
                row[at.0..at.0 + side].fill(200);
            }
        }
        let luma = Luma {
            data: &data,
            stride: width,
            step: 1,
        };
        last = detector.frame(None, &luma).expect("a whole frame");
    }
    last.map(|motion| motion.zones)
}

/// A rectangle of 1080p, in pixels, as a zone.
fn zone(name: &str, (x, y, w, h): (usize, usize, usize, usize)) -> String {
    let (l, r) = (x as f64 / 1920.0, (x + w) as f64 / 1920.0);
    let (t, b) = (y as f64 / 1080.0, (y + h) as f64 / 1080.0);
    format!("\"{name}\":[[{l},{t}],[{r},{t}],[{r},{b}],[{l},{b}]]")
}

#[test]
fn a_zone_of_any_size_moves_when_half_of_it_does() {
    // 5 x 5 blocks of 8 x 8 pixels, where the sensitivity asks for 33 in one place.
    let handle = format!("{{{}}}", zone("handle", (800, 400, 40, 40)));
    let moves = |at, side| in_1080p(&handle, at, side).is_some_and(|seen| seen == ["handle"]);
    assert!(moves((800, 400), 40));
    // 4 x 4 blocks, then 3 x 3: 16 and 9 of 25.
    assert!(moves((800, 400), 32));
    assert!(!moves((800, 400), 24));
    // Beside it, and no more of it than before.
    assert!(!moves((824, 424), 40));
    // Half of a zone twice as large as what is asked for is what is asked for.
    let door = format!("{{{}}}", zone("door", (800, 400, 80, 80)));
    assert!(in_1080p(&door, (800, 400), 48).is_some());
    assert!(in_1080p(&door, (800, 400), 40).is_none());
}

#[test]
fn a_zone_in_which_no_blocks_middle_lies_has_the_blocks_that_it_touches() {
    for (what, place) in [
        ("a wire", (800, 400, 60, 2)),
        ("a corner of four blocks", (799, 399, 2, 2)),
        ("the frame's corner", (1919, 1079, 1, 1)),
    ] {
        let zones = format!("{{{}}}", zone("small", place));
        let at = (place.0.min(1860) - 10, place.1.min(1020) - 10);
        let seen = in_1080p(&zones, at, 70);
        assert_eq!(seen.as_deref(), Some(&["small".to_owned()][..]), "{what}");
        assert_eq!(in_1080p(&zones, (100, 100), 70), None, "{what}");
    }
    // So has a mask: it would have hidden nothing.
    let masked = |masks: &str| {
        let grid = Grid::new(1920, 1080).expect("it has blocks");
        let masks = Zones::parse(masks).expect("right masks");
        let bits = zones::bits(&grid, &Zones::default(), &masks);
        bits.iter().filter(|bits| **bits == 0).count()
    };
    assert_eq!(
        masked(&format!("{{{}}}", zone("clock", (802, 401, 60, 2)))),
        8
    );
}

#[test]
fn the_noise_in_small_zones_does_not_move() {
    // Of one block each, of four, and of sixteen.
    let sizes = [2.0, 4.0, 8.0];
    let zones: Vec<String> = (0..32)
        .map(|n| {
            let (x, y) = (f64::from(n % 8) * 40.0 + 6.0, f64::from(n / 8) * 60.0 + 8.0);
            let size = sizes[n as usize % sizes.len()];
            let (l, r) = (x / WIDTH as f64, (x + size) / WIDTH as f64);
            let (t, b) = (y / HEIGHT as f64, (y + size) / HEIGHT as f64);
            format!("[[{l},{t}],[{r},{t}],[{r},{b}],[{l},{b}]]")
        })
        .collect();
    let zones = Zones::parse(&format!("[{}]", zones.join(","))).expect("right zones");
    for sensitivity in ALL {
        let mut detector = Detector::new(Config {
            sensitivity,
            zones: zones.clone(),
            ..Config::default()
        });
        detector.resize(WIDTH, HEIGHT).expect("an ordinary size");
        let mut scene = Scene::new(6.0);
        for n in 0..100 {
            scene.draw(1.2 - 0.004 * n as f64, 0.0, &[]);
            let motion = detector.frame(Some(n * FRAME), &scene.luma());
            assert_eq!(motion, Ok(None), "{sensitivity:?} frame {n}");
        }
    }
}
