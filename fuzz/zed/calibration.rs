//! A calibration file: refused, or such that both eyes can be bent by it.

use evr_zed::calibration::Calibration;
use evr_zed::rectify::Rectified;

use super::Outcome;

pub fn body(data: &[u8]) -> Outcome {
    let calibration = Calibration::parse(&String::from_utf8_lossy(data));
    let mut outcome = Outcome::Refused;
    for (width, height) in [(2208, 1242), (1920, 1080), (1280, 720), (672, 376)] {
        let rig = match calibration.rig(width, height) {
            Ok(rig) => rig,
            Err(err) => {
                assert!(!err.to_string().is_empty());
                continue;
            }
        };
        if let Ok(rectified) = Rectified::new(&rig) {
            assert!(rectified.focal > 0.0 && rectified.baseline > 0.0);
            outcome = Outcome::Taken;
        }
    }
    outcome
}
