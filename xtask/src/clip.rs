//! The clip with two events, on which the demo and most tests run.
//!
//! OpenCV's vtest.avi shows people all the time. The median of each pixel over time is the scene
//! without them, and between stretches of that empty scene stand two stretches of the real video,
//! so what a recording must contain is known to the frame. Encoded as an IP camera would: H.264
//! without B-frames, a keyframe every two seconds.

use std::path::Path;

use anyhow::{Result, bail};

use crate::video::{Decoder, Encoder};

/// The file's name; the number goes up whenever the recipe below changes.
pub(crate) const NAME: &str = "two-events-1.mp4";

const WIDTH: usize = 768;
const HEIGHT: usize = 576;
/// Bytes of one frame in I420: luma, and chroma at a quarter of its size twice.
const FRAME: usize = WIDTH * HEIGHT * 3 / 2;
/// Frames a second.
pub(crate) const RATE: usize = 10;
/// Frames between keyframes.
const GOP: usize = 2 * RATE;
/// Every fifth of the 795 frames gives the same empty scene as all of them, to the eye.
const SAMPLE: usize = 5;

/// A frame's bytes.
type Frame = Vec<u8>;

/// A stretch of the clip.
enum Part {
    /// So many frames of the empty scene.
    Empty(usize),
    /// The video's frames from the first (inclusive) to the last (exclusive).
    Video(usize, usize),
}

/// 30 s: people from 6 s to 12 s and from 20 s to 24 s.
const PARTS: [Part; 5] = [
    Part::Empty(6 * RATE),
    Part::Video(200, 260),
    Part::Empty(8 * RATE),
    Part::Video(400, 440),
    Part::Empty(6 * RATE),
];

/// How long the clip is, in seconds.
pub(crate) const SECONDS: usize = 30;

/// Makes the clip from the video at `source`.
pub(crate) fn make(source: &Path, destination: &Path) -> Result<()> {
    let (samples, kept) = decode(source)?;
    encode(&median(&samples), &kept, destination)
}

/// Decodes the video: every `SAMPLE`th frame, and those that `PARTS` names, one after the other.
fn decode(source: &Path) -> Result<(Vec<Frame>, Vec<Frame>)> {
    let mut decoder = Decoder::start(
        source,
        "avidemux ! decodebin ! videoconvert ! video/x-raw,format=I420",
    )?;
    let (mut samples, mut kept) = (Vec::new(), Vec::new());
    let mut frame = vec![0; FRAME];
    let mut index = 0;
    while decoder.read(&mut frame) {
        if index % SAMPLE == 0 {
            samples.push(frame.clone());
        }
        if PARTS.iter().any(|part| part.takes(index)) {
            kept.push(frame.clone());
        }
        index += 1;
    }
    decoder.finish("the sample video")?;
    if kept.len() != PARTS.iter().map(Part::video_frames).sum::<usize>() {
        bail!("the sample video gave {index} frames, too few: is gstreamer1.0-libav complete?");
    }
    Ok((samples, kept))
}

/// The median of each byte over all frames.
fn median(frames: &[Frame]) -> Frame {
    let mut column = vec![0; frames.len()];
    (0..FRAME)
        .map(|position| {
            for (value, frame) in column.iter_mut().zip(frames) {
                *value = frame[position];
            }
            let middle = column.len() / 2;
            *column.select_nth_unstable(middle).1
        })
        .collect()
}

fn encode(empty: &[u8], kept: &[Frame], destination: &Path) -> Result<()> {
    // No keyframe where a scene changes: only the regular ones, as cameras do.
    let settings = format!(
        "quantizer=23 key-int-max={GOP} option-string=scenecut=0 ! video/x-h264,profile=main"
    );
    let mut encoder = Encoder::start(destination, (WIDTH, HEIGHT), RATE, &settings)?;
    let mut kept = kept.iter();
    for part in &PARTS {
        match part {
            Part::Empty(frames) => (0..*frames).try_for_each(|_| encoder.write(empty)),
            Part::Video(first, end) => kept
                .by_ref()
                .take(end - first)
                .try_for_each(|frame| encoder.write(frame)),
        }?;
    }
    encoder.finish("the clip")
}

impl Part {
    fn takes(&self, index: usize) -> bool {
        matches!(self, Self::Video(first, end) if (*first..*end).contains(&index))
    }

    fn video_frames(&self) -> usize {
        match self {
            Self::Empty(_) => 0,
            Self::Video(first, end) => end - first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_to_the_length() {
        let frames: usize = PARTS
            .iter()
            .map(|part| match part {
                Part::Empty(frames) => *frames,
                Part::Video(..) => part.video_frames(),
            })
            .sum();
        assert_eq!(frames, SECONDS * RATE);
    }

    #[test]
    fn what_passes_by_is_not_in_the_median() {
        let frames = [10, 10, 200, 10, 90].map(|value| vec![value; FRAME]);
        assert!(median(&frames).iter().all(|value| *value == 10));
    }
}
