//! The clip with two events as a stereo camera would have recorded it, both eyes side by side.
//!
//! The left eye sees the clip. The right one sees the empty scene as far away as `SCENE`, and before
//! it, pixel by pixel, what differs from the empty scene in the left one: people, of the first event
//! as far away as `NEAR` and of the second as `FAR`. So real people stand at known distances. The
//! camera is none that was ever built; `assets/stereo.conf` is its calibration, by which a disparity
//! of d pixels is 48 m / d away.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::clip;
use crate::video::{Decoder, Encoder};

/// The file's name; the number goes up whenever the recipe below changes.
pub(crate) const NAME: &str = "two-events-stereo-1.mp4";

/// Of one eye: what ZED cameras call VGA.
const WIDTH: usize = 672;
const HEIGHT: usize = 376;
/// Disparities in pixels, even because chroma has half as many: 12 m, 2 m and 4 m.
const SCENE: usize = 4;
const NEAR: usize = 24;
const FAR: usize = 12;
/// From here on, in seconds, whoever comes belongs to the second event.
const SECOND_EVENT: usize = 16;
/// By how much brightness differs where somebody stands.
const DIFFERENT: u8 = 18;
/// How far around such a pixel, in pixels, others are of the same body.
const AROUND: usize = 3;

/// The planes of I420: where each begins, and for how many pixels along each side a sample stands.
const PLANES: [(usize, usize); 3] = [(0, 1), (WIDTH * HEIGHT, 2), (WIDTH * HEIGHT * 5 / 4, 2)];
const FRAME: usize = WIDTH * HEIGHT * 3 / 2;

/// Makes it from the clip at `source`.
pub(crate) fn make(source: &Path, destination: &Path) -> Result<()> {
    let line = format!(
        "qtdemux ! h264parse ! avdec_h264 ! videoscale add-borders=false \
         ! video/x-raw,format=I420,width={WIDTH},height={HEIGHT},pixel-aspect-ratio=1/1"
    );
    let mut decoder = Decoder::start(source, &line)?;
    let size = (2 * WIDTH, HEIGHT);
    let mut encoder = Encoder::start(destination, size, clip::RATE, "quantizer=18")?;
    let mut frame = vec![0; FRAME];
    let mut empty = None;
    let mut frames = 0;
    while decoder.read(&mut frame) {
        // The clip begins with nobody.
        let empty = empty.get_or_insert_with(|| frame.clone());
        let disparity = match frames < SECOND_EVENT * clip::RATE {
            true => NEAR,
            false => FAR,
        };
        encoder.write(&both(&frame, empty, disparity))?;
        frames += 1;
    }
    decoder.finish("the clip")?;
    encoder.finish("the stereo clip")?;
    ensure!(
        frames == clip::SECONDS * clip::RATE,
        "the clip gave {frames} frames"
    );
    Ok(())
}

/// Both eyes side by side, where whoever is not of the empty scene has that disparity.
fn both(left: &[u8], empty: &[u8], disparity: usize) -> Vec<u8> {
    let somebody = somebody(left, empty);
    let mut both = Vec::with_capacity(2 * FRAME);
    for (begin, step) in PLANES {
        let (width, height) = (WIDTH / step, HEIGHT / step);
        let (scene, body) = (SCENE / step, disparity / step);
        for y in 0..height {
            let row = begin + y * width..begin + (y + 1) * width;
            let (left, empty) = (&left[row.clone()], &empty[row]);
            both.extend_from_slice(left);
            let right = both.len();
            both.extend((0..width).map(|x| empty[(x + scene).min(width - 1)]));
            for x in body..width {
                if somebody[y * step * WIDTH + x * step] {
                    both[right + x - body] = left[x];
                }
            }
        }
    }
    both
}

/// Where the frame differs from the empty scene, and around there.
fn somebody(frame: &[u8], empty: &[u8]) -> Vec<bool> {
    let luma = WIDTH * HEIGHT;
    let different: Vec<bool> = frame[..luma]
        .iter()
        .zip(&empty[..luma])
        .map(|(here, there)| here.abs_diff(*there) > DIFFERENT)
        .collect();
    let mut somebody = vec![false; luma];
    for (at, _) in different.iter().enumerate().filter(|(_, it)| **it) {
        let (x, y) = (at % WIDTH, at / WIDTH);
        for y in y.saturating_sub(AROUND)..(y + AROUND + 1).min(HEIGHT) {
            let columns = x.saturating_sub(AROUND)..(x + AROUND + 1).min(WIDTH);
            somebody[y * WIDTH..][columns].fill(true);
        }
    }
    somebody
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stands_in_the_left_eye_stands_further_left_in_the_right_one() {
        let empty = vec![50; FRAME];
        let mut left = empty.clone();
        let (x, y) = (300, 200);
        left[y * WIDTH + x] = 200;
        let both = both(&left, &empty, NEAR);
        assert_eq!(both.len(), 2 * FRAME);
        let row = &both[y * 2 * WIDTH..][..2 * WIDTH];
        let bright: Vec<_> = (0..2 * WIDTH).filter(|x| row[*x] == 200).collect();
        assert_eq!(bright, [x, WIDTH + x - NEAR]);
    }

    #[test]
    fn nobody_stands_in_the_empty_scene() {
        let empty = vec![50; FRAME];
        assert!(somebody(&empty, &empty).iter().all(|it| !it));
    }
}
