//! What lies beside a clip: an unfinished sidecar with its news, a finished one, a journal's end.

use evr_core::recording::journal::{Healing, heal};
use evr_core::recording::recovered::{self, Found};
use evr_core::recording::retention;
use evr_core::recording::sidecar::{ClipFile, Stream};
use evr_core::time::{Nanos, SECOND};

use super::Outcome;

/// Reads the same text as each of them.
pub fn body(data: &[u8]) -> Outcome {
    journal(data);
    let ours = retention::ours("clip", data);
    // Who removes a clip by this name must not reach another directory.
    assert!(ours.is_none_or(|ours| !ours.clip.contains('/')));
    let text = String::from_utf8_lossy(data);
    let length = i64::try_from(data.len()).unwrap_or(0) * SECOND;
    for duration in [0, 1, length, Nanos::MAX] {
        recover(&text, duration);
    }
    let _ = recovered::finished(&text, data.len() as u64);
    match recovered::unfinished(&text) {
        Some(_) => Outcome::Taken,
        None => Outcome::Refused,
    }
}

/// Whatever stood there, what is made of it says what the file holds.
fn recover(text: &str, duration: Nanos) {
    let found = Found {
        file: ClipFile {
            name: "clip.mp4".into(),
            container: "mp4",
            bytes: 1000,
        },
        duration,
        frames: 7,
        streams: vec![Stream::new("video", "h264")],
        modified: 10 * SECOND,
    };
    let told = recovered::sidecar(Some(text), "door", &found);
    assert_eq!(told["state"], "recovered");
    assert_eq!(told["clip"]["path"], "clip.mp4");
    assert_eq!(told["clip"]["frames"], 7);
    let end = told["event"]["end_offset"].as_f64().unwrap_or(0.0);
    assert!(end <= duration as f64 / 1e9 + 1e-6);
}

/// A journal that was healed needs no more of it.
fn journal(data: &[u8]) {
    let healed = match heal(data, true) {
        Some(Healing::Cut(bytes)) => data[..data.len() - bytes as usize].to_vec(),
        Some(Healing::End) => [data, b"\n"].concat(),
        Some(Healing::None) | None => data.to_vec(),
    };
    assert!(matches!(heal(&healed, true), Some(Healing::None)));
}
