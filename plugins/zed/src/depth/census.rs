//! The census transform: a pixel becomes the pattern of which neighbours are darker than it.
//!
//! What is compared afterwards is order and not brightness, so two eyes with different exposure
//! still agree (R. Zabih and J. Woodfill, "Non-parametric local transforms for computing visual
//! correspondence", ECCV 1994). The window is 9 by 7 pixels without its centre, and every other
//! pixel of it is asked, as on a chessboard: a pattern of 30 bits.

/// How far the window reaches from its centre.
const ACROSS: usize = 4;
const DOWN: usize = 3;

/// Bits in a pattern; two patterns differ by no more.
pub(super) const BITS: u8 = 30;

/// The patterns of a picture of `width` by `height` pixels, by rows. Beyond the edges stand the
/// edges' own pixels.
#[inline(always)]
pub(super) fn census(picture: &[u8], (width, height): (usize, usize), patterns: &mut Vec<u32>) {
    let wide = width + 2 * ACROSS;
    // Padded, so that the loop over a row has no edges.
    let padded: Vec<u8> = (0..height)
        .flat_map(|y| {
            let row = &picture[y * width..][..width];
            let before = std::iter::repeat_n(row[0], ACROSS);
            let behind = std::iter::repeat_n(row[width - 1], ACROSS);
            before.chain(row.iter().copied()).chain(behind)
        })
        .collect();
    patterns.clear();
    patterns.resize(width * height, 0);
    for (y, patterns) in patterns.chunks_exact_mut(width).enumerate() {
        let centre = &padded[y * wide + ACROSS..][..width];
        for v in 0..=2 * DOWN {
            let row = (y + v).saturating_sub(DOWN).min(height - 1);
            for u in (1 - v % 2..=2 * ACROSS).step_by(2) {
                if (u, v) == (ACROSS, DOWN) {
                    continue;
                }
                let neighbours = &padded[row * wide + u..][..width];
                for ((pattern, neighbour), centre) in
                    patterns.iter_mut().zip(neighbours).zip(centre)
                {
                    *pattern = *pattern << 1 | u32::from(neighbour < centre);
                }
            }
        }
    }
}
