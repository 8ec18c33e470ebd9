//! The part of a disparity below the pixel, by brightness.
//!
//! Patterns tell well which pixel is the counterpart and badly how far beside it the thing lies.
//! Brightness tells: one step of least squares moves a small window of the right picture onto the
//! left one's (B. Lucas and T. Kanade, "An iterative image registration technique with an
//! application to stereo vision", IJCAI 1981), with the mean slope of both, which makes the error
//! of the one step of third order, and without the difference of their mean brightness, so that
//! the eyes' exposures may differ.

/// How wide the window is, and how far its centre lies from its left edge.
const WIDE: usize = 8;
const BEFORE: usize = 4;
/// How far it reaches above and below its centre.
const DOWN: usize = 2;
const PIXELS: i32 = (WIDE * (2 * DOWN + 1)) as i32;
/// The least mean square of the slope, in brightness a pixel: below it noise decides.
const LEAST_SLOPE: i32 = 4;
/// A window that lies on an edge of depth may want to go anywhere: not farther than this is
/// believed, in pixels.
const FARTHEST: f32 = 0.75;

/// Improves the known disparities of a picture of `width` by `height` pixels.
#[inline(always)]
pub(super) fn refine(
    left: &[u8],
    right: &[u8],
    (width, height): (usize, usize),
    values: &mut [f32],
) {
    // A slope needs the neighbours on both sides.
    let before = BEFORE + 1;
    let behind = (WIDE - BEFORE).max(before);
    for y in DOWN..height.saturating_sub(DOWN) {
        let rows = (y - DOWN) * width;
        for x in before..width.saturating_sub(behind) {
            let value = &mut values[y * width + x];
            let disparity = value.round();
            let there = x.checked_sub(disparity as usize);
            let Some(there) = there.filter(|there| *there >= before && *value > 0.0) else {
                continue;
            };
            let (ours, theirs) = (&left[rows + x - before..], &right[rows + there - before..]);
            if let Some(shift) = shift(ours, theirs, width)
                && shift.abs() <= FARTHEST
            {
                *value = (disparity + shift).max(0.0);
            }
        }
    }
}

/// By how much more the window of `right` is to be moved to lie on that of `left`; both begin a
/// pixel left of their window.
#[inline(always)]
fn shift(left: &[u8], right: &[u8], width: usize) -> Option<f32> {
    // Sums of each column of the window, so that its columns are added up at once.
    let (mut slopes, mut apart) = ([0i16; WIDE], [0i16; WIDE]);
    let (mut squares, mut products) = ([0i32; WIDE], [0i32; WIDE]);
    for row in 0..=2 * DOWN {
        let left = &left[row * width..][..WIDE + 2];
        let right = &right[row * width..][..WIDE + 2];
        for n in 0..WIDE {
            let of = |picture: &[u8], n: usize| i16::from(picture[n]);
            // Four times the mean slope of both pictures, by central differences.
            let slope = of(left, n + 2) - of(left, n) + of(right, n + 2) - of(right, n);
            let difference = of(left, n + 1) - of(right, n + 1);
            slopes[n] += slope;
            apart[n] += difference;
            squares[n] += i32::from(slope) * i32::from(slope);
            products[n] += i32::from(slope) * i32::from(difference);
        }
    }
    let sum = |columns: [i16; WIDE]| columns.iter().map(|sum| i32::from(*sum)).sum::<i32>();
    let (slopes, apart) = (sum(slopes), sum(apart));
    let squares = squares.iter().sum::<i32>() - slopes * slopes / PIXELS;
    let product = products.iter().sum::<i32>() - slopes * apart / PIXELS;
    let textured = squares >= LEAST_SLOPE * 16 * PIXELS;
    textured.then(|| -4.0 * product as f32 / squares as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (40, 12);

    /// Waves, moved to the right by `shift` pixels.
    fn waves(shift: f64, brighter: f64) -> Vec<u8> {
        let pixels = (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x as f64, y as f64)));
        pixels
            .map(|(x, y)| {
                (100.0 + brighter + 60.0 * ((x - shift) / 2.0 + y / 5.0).sin()).round() as u8
            })
            .collect()
    }

    #[test]
    fn a_disparity_is_moved_onto_what_brightness_says_whatever_the_exposure() {
        for part in [-0.4, -0.1, 0.0, 0.3, 0.5] {
            let (left, right) = (waves(3.0 + part, 0.0), waves(0.0, 30.0));
            let mut values = vec![3.2; SIZE.0 * SIZE.1];
            refine(&left, &right, SIZE, &mut values);
            let found = values[6 * SIZE.0 + 20];
            assert!(
                (f64::from(found) - 3.0 - part).abs() < 0.03,
                "{part}: {found}"
            );
        }
    }

    #[test]
    fn without_texture_or_at_an_edge_of_the_picture_what_was_found_stays() {
        let flat = vec![90; SIZE.0 * SIZE.1];
        let mut values = vec![3.2; SIZE.0 * SIZE.1];
        refine(&flat, &flat, SIZE, &mut values);
        assert!(values.iter().all(|value| *value == 3.2));
        refine(&waves(3.0, 0.0), &waves(0.0, 0.0), SIZE, &mut values);
        assert_eq!((values[0], values[6 * SIZE.0 + 7]), (3.2, 3.2));
    }
}
