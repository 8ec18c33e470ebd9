//! What rectifying and depth cost: 720p frames, in one thread; the median time of a frame. Rectified
//! are light and colour in I420, of one eye and of both; depth is that of both eyes' light, with
//! the rectifying that comes before it, from 0.3 m on as zedsrc asks for it by default, and from 1 m.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::{hint::black_box, time::Instant};

use evr_zed::{
    calibration::Calibration,
    depth::{Depth, Detail, Options},
    rectify::Rectified,
    remap::{Map, Plane},
};

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
const ROUNDS: usize = 60;
/// Of depth, which takes longer.
const DEPTHS: usize = 9;

/// A rig like a ZED 2's.
const CALIBRATION: &str = "\
[LEFT_CAM_HD]\nfx=528.3\nfy=528.1\ncx=638.2\ncy=357.4\nk1=-0.041\nk2=0.0112\np1=0.0002\np2=-0.0003\nk3=-0.0049\n\
[RIGHT_CAM_HD]\nfx=527.6\nfy=527.5\ncx=641.7\ncy=361.8\nk1=-0.042\nk2=0.0118\np1=-0.0001\np2=0.0002\nk3=-0.0051\n\
[STEREO]\nBaseline=119.9\nTY=0.05\nTZ=-0.1\nCV_HD=0.004\nRX_HD=-0.003\nRZ_HD=0.001\n";

fn main() {
    let calibration = Calibration::parse(CALIBRATION);
    let rig = calibration.rig(WIDTH as u32, HEIGHT as u32);
    let rectified = Rectified::new(&rig.expect("the file is whole")).expect("the rig is sound");
    let begun = Instant::now();
    let (light, colour) = (rectified.maps(1), rectified.maps(2));
    let making = begun.elapsed().as_secs_f64() * 1e3;
    println!("measured: ms once to lay down the maps of both eyes, 720p: {making:.0}");

    // Both eyes side by side, as a camera delivers them.
    let plane = |width: usize, height: usize| -> Vec<u8> {
        (0..width * height)
            .map(|n| (n * 7 + n / width * 13) as u8)
            .collect()
    };
    let source = [
        plane(2 * WIDTH, HEIGHT),
        plane(WIDTH, HEIGHT / 2),
        plane(WIDTH, HEIGHT / 2),
    ];
    let mut target = vec![0; WIDTH * HEIGHT * 3 / 2];
    for (name, eyes) in [("one eye", 1), ("both eyes", 2)] {
        let median = median(ROUNDS, || {
            for eye in 0..eyes {
                rectify(&source, &mut target, eye, &light[eye], &colour[eye]);
            }
            black_box(&target);
        });
        tell(&format!("to rectify {name} of a 720p frame"), median);
    }

    let texture = texture();
    let mut eyes = [0, 1].map(|_| vec![0; WIDTH * HEIGHT]);
    for (name, detail) in [("half", Detail::Half), ("full", Detail::Full)] {
        for nearest in [300.0, 1000.0] {
            let options = Options {
                nearest,
                detail,
                ..Options::default()
            };
            let depth = Depth::new((WIDTH, HEIGHT), &rectified, options);
            let mut depth = depth.expect("the range is one");
            let median = median(DEPTHS, || {
                for (eye, (bytes, map)) in eyes.iter_mut().zip(&light).enumerate() {
                    let plane = Plane {
                        bytes: &texture,
                        stride: 2 * WIDTH,
                        offset: eye * WIDTH,
                    };
                    map.apply::<1>(plane, bytes, WIDTH, 0);
                }
                black_box(depth.map(&eyes[0], &eyes[1]).expect("the size is right"));
            });
            let what = format!("for depth of a 720p frame at {name} size from {nearest} mm on");
            tell(&what, median);
        }
    }
}

/// The median time in milliseconds of so many runs.
fn median(rounds: usize, mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}

fn tell(what: &str, ms: f64) {
    let rate = 1e3 / ms;
    println!("measured: ms {what}: {ms:.2} ({rate:.1} frames a second on one core)");
}

/// Both eyes before a wall of noise, which the right one sees 24 pixels further left.
fn texture() -> Vec<u8> {
    let noise = |x: usize, y: usize| {
        let mixed =
            (x as u32 / 3).wrapping_mul(0x9e37_79b9) ^ (y as u32 / 3).wrapping_mul(0x85eb_ca6b);
        (mixed.wrapping_mul(mixed >> 7 | 1) >> 24) as u8
    };
    let pixels = (0..HEIGHT).flat_map(|y| (0..2 * WIDTH).map(move |x| (x, y)));
    pixels
        .map(|(x, y)| {
            if x < WIDTH {
                noise(x, y)
            } else {
                noise(x - WIDTH + 24, y)
            }
        })
        .collect()
}

/// One eye, plane by plane.
fn rectify(source: &[Vec<u8>; 3], target: &mut [u8], eye: usize, light: &Map, colour: &Map) {
    let (luma, chroma) = target.split_at_mut(WIDTH * HEIGHT);
    let (blue, red) = chroma.split_at_mut(WIDTH * HEIGHT / 4);
    let planes = source.iter().zip([luma, blue, red]);
    for (n, (bytes, target)) in planes.enumerate() {
        let (map, width) = if n == 0 {
            (light, WIDTH)
        } else {
            (colour, WIDTH / 2)
        };
        let plane = Plane {
            bytes,
            stride: 2 * width,
            offset: eye * width,
        };
        map.apply::<1>(plane, target, width, 0);
    }
}
