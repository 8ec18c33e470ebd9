//! An SVO2 file that is damaged, cut, or none.

use std::io::Cursor;

use evr_zed::svo::{Picture, Recording};

use super::Outcome;

pub fn body(data: &[u8]) -> Outcome {
    let mut recording = match Recording::open(Cursor::new(data), None) {
        Ok(recording) => recording,
        Err(err) => {
            assert!(!err.to_string().is_empty());
            return Outcome::Refused;
        }
    };
    let info = recording.info().clone();
    assert!(info.frames > 0 && info.fps > 0);
    assert!(recording.at(0) < info.frames && recording.at(u64::MAX) < info.frames);
    // A damaged index may name one picture many times.
    for number in 0..info.frames.min(50) {
        let captured = recording.captured(number);
        assert!(captured.is_some_and(|time| i64::try_from(time).is_ok()));
        if let Ok(picture) = recording.picture(number) {
            match picture.expect("it is one of those that are there") {
                Picture::Encoded(unit) => assert!(unit.len() <= data.len().max(64 << 20)),
                Picture::Raw(raw) => {
                    assert_eq!(raw.bytes.len() as u32, raw.width * 2 * raw.height);
                }
            }
        }
        if let Ok(key) = recording.key_before(number) {
            assert!(key <= number);
        }
        // What is no sample is none.
        let _ = recording.sensed(number);
    }
    assert!(matches!(recording.picture(info.frames), Ok(None)));
    Outcome::Taken
}
