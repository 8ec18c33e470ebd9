//! Depth held to a rig that is computed by other means, to what must hold of any pictures, and to a
//! pair of photographs with known disparities.

#[allow(dead_code, reason = "rectification's tests use the rest")]
mod rig;

use evr_zed::{
    calibration::Calibration,
    depth::{Depth, DepthError, Detail, Matcher, Options},
    rectify::Rectified,
    remap::Plane,
};
use proptest::prelude::*;
use rig::{CALIBRATION, HEIGHT, LEFT, WIDTH};

const SIZE: (usize, usize) = (WIDTH, HEIGHT);

fn rectified() -> Rectified {
    let rig = Calibration::parse(CALIBRATION).rig(WIDTH as u32, HEIGHT as u32);
    Rectified::new(&rig.expect("the file is whole")).expect("the rig is sound")
}

/// The rectified pair of a wall.
fn pair(rectified: &Rectified, distance: f64) -> [Vec<u8>; 2] {
    let (raw, maps) = (rig::pictures(distance, 0.0), rectified.maps(1));
    [0, 1].map(|eye| {
        let plane = Plane {
            bytes: &raw[eye],
            stride: WIDTH,
            offset: 0,
        };
        let mut picture = vec![0; WIDTH * HEIGHT];
        maps[eye].apply::<1>(plane, &mut picture, WIDTH, 0);
        picture
    })
}

/// How far away, along the rectified axis, the wall is that the rectified pixel (u, v) shows.
fn true_depth(rectified: &Rectified, distance: f64, u: f64, v: f64) -> f64 {
    let (x, y) = rectified.left(u, v);
    let [x, y] = LEFT.looks([x, y]);
    // Turning the eye changes no length.
    let length = distance * (x * x + y * y + 1.0).sqrt();
    let across = (u - rectified.cx) / rectified.focal;
    let down = (v - rectified.cy) / rectified.focal;
    length / (across * across + down * down + 1.0).sqrt()
}

/// Errors of all known depths as parts of the true ones, sorted, and which part is known.
fn errors(rectified: &Rectified, distance: f64, detail: Detail) -> (Vec<f64>, f64) {
    let [left, right] = pair(rectified, distance);
    let options = Options {
        nearest: 500.0,
        detail,
        ..Options::default()
    };
    let mut depth = Depth::new(SIZE, rectified, options).expect("the options are sound");
    let map = depth
        .map(&left, &right)
        .expect("the pictures have that size");
    assert_eq!((map.width, map.height), SIZE);
    // What stands further left than its disparity is not in the right picture.
    let hidden = (rectified.focal * rectified.baseline / distance).ceil() as usize;
    let (mut errors, mut all) = (Vec::new(), 0usize);
    for v in 0..HEIGHT {
        for u in hidden..WIDTH {
            all += 1;
            let found = f64::from(map.data[v * WIDTH + u]);
            if found > 0.0 {
                let truth = true_depth(rectified, distance, u as f64, v as f64);
                errors.push((found / truth - 1.0).abs());
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    let known = errors.len() as f64 / all as f64;
    (errors, known)
}

#[test]
fn a_wall_at_a_known_distance_is_found_there_within_a_hundredth_and_at_half_the_size_within_two() {
    let rectified = rectified();
    for (distance, detail, limit) in [
        (800.0, Detail::Full, 0.01),
        (1500.0, Detail::Full, 0.01),
        (1500.0, Detail::Half, 0.02),
    ] {
        let (errors, known) = errors(&rectified, distance, detail);
        let of = |part: f64| errors[((errors.len() - 1) as f64 * part) as usize];
        println!(
            "{distance} mm, {detail:?}: {:.1} % known, off by {:.3} % (median), {:.3} % (99 of 100)",
            known * 100.0,
            of(0.5) * 100.0,
            of(0.99) * 100.0
        );
        assert!(known > 0.97, "only {known} of the wall was seen");
        assert!(
            of(0.5) < 0.005,
            "{distance}: half are off by {} or more",
            of(0.5)
        );
        assert!(of(0.99) < limit, "{distance}: off by {}", of(0.99));
    }
}

#[test]
fn pictures_that_show_nothing_have_no_depth() {
    let rectified = rectified();
    let mut depth = Depth::new(SIZE, &rectified, Options::default()).expect("sound");
    for brightness in [0, 255] {
        let blank = vec![brightness; WIDTH * HEIGHT];
        let map = depth
            .map(&blank, &blank)
            .expect("the pictures have that size");
        assert!(map.data.iter().all(|depth| *depth == 0));
    }
}

#[test]
fn what_is_farther_than_was_asked_for_is_unknown() {
    let rectified = rectified();
    let [left, right] = pair(&rectified, 1500.0);
    let options = Options {
        farthest: 1000.0,
        ..Options::default()
    };
    let mut depth = Depth::new(SIZE, &rectified, options).expect("sound");
    let map = depth.map(&left, &right).expect("that size");
    let known = map.data.iter().filter(|depth| **depth > 0).count();
    assert!(
        known * 1000 < map.data.len(),
        "{known} pixels stand where nothing is"
    );
}

#[test]
fn what_cannot_be_asked_is_told() {
    let rectified = rectified();
    let error = |size, options| Depth::new(size, &rectified, options).err();
    let near = |nearest, farthest| Options {
        nearest,
        farthest,
        ..Options::default()
    };
    for (nearest, farthest) in [
        (0.0, 1000.0),
        (1000.0, 1000.0),
        (f64::NAN, 1000.0),
        (300.0, 70_000.0),
    ] {
        let told = error(SIZE, near(nearest, farthest));
        assert!(matches!(told, Some(DepthError::Range(..))), "{told:?}");
    }
    let half = Options {
        detail: Detail::Half,
        ..Options::default()
    };
    for (size, options) in [((1, 9), Options::default()), ((3, 9), half), ((0, 0), half)] {
        assert_eq!(error(size, options), Some(DepthError::Size(size.0, size.1)));
    }
    let mut depth = Depth::new(SIZE, &rectified, half).expect("sound");
    let told = depth.map(&[0; 7], &[0; 7]).unwrap_err();
    assert_eq!(told, DepthError::Picture(7, WIDTH, HEIGHT));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_pictures_give_disparities_that_lie_within_them(
        width in 2usize..90,
        height in 2usize..12,
        last in 0usize..140,
        least in 0u8..=100,
        shift in 0usize..40,
        noise in prop::collection::vec(any::<u8>(), 1..400),
    ) {
        let picture = |shift: usize| -> Vec<u8> {
            let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x + shift, y)));
            pixels.map(|(x, y)| noise[(x * 7 + y * 31) % noise.len()]).collect()
        };
        let (left, right) = (picture(0), picture(shift));
        let mut matcher = Matcher::new((width, height), last, least).unwrap();
        let found = matcher.disparities(&left, &right).unwrap().clone();
        // A matcher that has seen other pictures finds the same.
        let mut used = Matcher::new((width, height), last, least).unwrap();
        used.disparities(&right, &left).unwrap();
        prop_assert_eq!(&found, used.disparities(&left, &right).unwrap());

        for (row, sure) in found.values.chunks(width).zip(found.confidence.chunks(width)) {
            for (x, (value, sure)) in row.iter().zip(sure).enumerate() {
                if *value == 0.0 {
                    prop_assert_eq!(*sure, 0);
                    continue;
                }
                prop_assert!((least.max(1)..=100).contains(sure) || least == 0 && *sure <= 100);
                prop_assert!(*value > 0.0 && *value <= x as f32 + 0.75);
            }
        }
    }
}

/// The Middlebury motorcycle pair, 741x500; `tests/reference/depth.py` writes it into the folder
/// that EVR_TEST_STEREO_PAIR names, and does the same by OpenCV.
#[test]
#[ignore = "needs the pair that tests/reference/depth.py writes: cargo xtask soak"]
fn soak_depth_of_a_photographed_pair_is_nearer_to_the_truth_than_opencvs() {
    let folder =
        std::env::var_os("EVR_TEST_STEREO_PAIR").expect("EVR_TEST_STEREO_PAIR names its folder");
    let folder = std::path::PathBuf::from(folder);
    let read = |name: &str| std::fs::read(folder.join(name)).expect("depth.py wrote it");
    let (left, right, truth) = (read("left.gray"), read("right.gray"), read("truth.f32"));
    let truths = truth
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let mut matcher = Matcher::new((741, 500), 79, 25).expect("sound");
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let begun = std::time::Instant::now();
            matcher.disparities(&left, &right).expect("that size");
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let found = matcher.disparities(&left, &right).expect("that size");
    let (mut all, mut errors) = (0usize, Vec::new());
    for (value, truth) in found.values.iter().zip(truths) {
        if truth.is_finite() && truth > 0.0 {
            all += 1;
            if *value > 0.0 {
                errors.push((value - truth).abs());
            }
        }
    }
    errors.sort_by(f32::total_cmp);
    let part = |limit: f32| {
        let off = errors.iter().filter(|error| **error > limit).count();
        off as f64 / errors.len() as f64 * 100.0
    };
    let known = errors.len() as f64 / all as f64 * 100.0;
    println!(
        "measured: depth of the motorcycle pair, ours: {known:.1} % known, {:.2} % of them off by more than 2 pixels, {:.2} % by more than 1, median {:.3}",
        part(2.0),
        part(1.0),
        errors[errors.len() / 2]
    );
    println!(
        "measured: depth of the motorcycle pair, ours, ms: {:.0}",
        times[4]
    );
    // OpenCV's best: 84.0 % known, 5.47 % of them off; it leaves the leftmost 80 columns out, and of
    // the others knows more than ours and errs more.
    assert!(known > 87.0 && part(2.0) < 4.0, "{known} {}", part(2.0));
}
