//! Calibration files that are damaged, thousands of them: each is refused with a sentence or makes
//! a pair of pictures, and none panics.

#[allow(dead_code, reason = "each test file uses its own share")]
mod rig;

use evr_zed::{calibration::Calibration, rectify::Rectified, remap::Plane};
use rig::{CALIBRATION, HEIGHT, WIDTH};

const FILES: u64 = 4000;

/// What stands in files that were cut, typed or exported wrongly.
const PIECES: [&str; 16] = [
    "", "=", "[", "]", "-", "0", "9", "1e308", "-1e-320", "NaN", "inf", "1,5", "\n", "\r\n",
    "\u{feff}", "é",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as usize % bound
    }

    /// The file with some of it overwritten or taken out.
    fn damage(&mut self) -> String {
        let mut text: Vec<char> = CALIBRATION.chars().collect();
        for _ in 0..=self.below(6) {
            let at = self.below(text.len());
            let end = (at + self.below(8)).min(text.len());
            let piece = PIECES[self.below(PIECES.len())];
            text.splice(at..end, piece.chars());
        }
        text.into_iter().collect()
    }
}

#[test]
fn a_damaged_calibration_is_refused_or_makes_pictures() {
    let source = vec![100; WIDTH * HEIGHT];
    let plane = Plane {
        bytes: &source,
        stride: WIDTH,
        offset: 0,
    };
    let (mut refused, mut made) = (0, 0);
    for seed in 0..FILES {
        let text = Random(seed).damage();
        let rig = Calibration::parse(&text).rig(WIDTH as u32, HEIGHT as u32);
        let rectified = match rig.map(|rig| Rectified::new(&rig)) {
            Err(err) => {
                assert!(!err.to_string().is_empty());
                refused += 1;
                continue;
            }
            Ok(Err(_)) => {
                refused += 1;
                continue;
            }
            Ok(Ok(rectified)) => rectified,
        };
        assert!(rectified.focal > 0.0 && rectified.baseline > 0.0, "{text}");
        made += 1;
        // Making maps takes a while, so only some are tried to the end.
        if made % 50 == 1 {
            for map in rectified.maps(1) {
                let mut picture = vec![0; WIDTH * HEIGHT];
                map.apply::<1>(plane, &mut picture, WIDTH, 0);
                assert!(picture.iter().all(|pixel| *pixel == 100), "{text}");
            }
        }
    }
    assert!(
        refused > 500 && made > 100,
        "{refused} refused, {made} made"
    );
}

#[test]
fn text_that_is_no_calibration_at_all_is_refused() {
    let mut random = Random(1);
    for _ in 0..2000 {
        let length = random.below(400);
        let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        let calibration = Calibration::parse(&String::from_utf8_lossy(&bytes));
        assert!(calibration.rig(WIDTH as u32, HEIGHT as u32).is_err());
    }
}
