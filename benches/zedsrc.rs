//! What rectifying costs: 720p frames in I420, light and colour of one eye and of both, in one
//! thread; the median time of a frame.
//!
//! `cargo xtask bench` keeps the lines that begin with `measured:` in docs/measured.md.

use std::{hint::black_box, time::Instant};

use evr_zed::{
    calibration::Calibration,
    rectify::Rectified,
    remap::{Map, Plane},
};

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
const ROUNDS: usize = 60;

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
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                for eye in 0..eyes {
                    rectify(&source, &mut target, eye, &light[eye], &colour[eye]);
                }
                black_box(&target);
                begun.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let median = times[ROUNDS / 2];
        println!(
            "measured: ms to rectify {name} of a 720p frame: {median:.2} ({:.0} frames a second on one core)",
            1e3 / median
        );
    }
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
