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
