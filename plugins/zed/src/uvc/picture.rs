//! From what the camera sends to what encoders take: YUYV to I420.
//!
//! Belongs here: this one conversion, for a picture of both eyes. Cutting and bending eyes is done
//! on its result.

/// Bytes of an I420 picture without padding.
pub fn i420_bytes(width: usize, height: usize) -> usize {
    width * height + 2 * (width.div_ceil(2) * height.div_ceil(2))
}

/// Converts `yuyv`, rows of `stride` bytes, into I420 planes without padding, one behind another.
/// Two rows share their mean chroma. `width` is even; rows that `yuyv` lacks stay as they are.
pub fn to_i420(yuyv: &[u8], stride: usize, width: usize, height: usize, out: &mut [u8]) {
    let (luma, chroma) = out.split_at_mut(width * height);
    let half = width / 2;
    let (u, v) = chroma.split_at_mut(half * height.div_ceil(2));
    let rows = yuyv.chunks(stride).map(|row| row.get(..2 * width));
    for (row, to) in rows.clone().zip(luma.chunks_mut(width)) {
        let Some(row) = row else { break };
        for (to, from) in to.iter_mut().zip(row.as_chunks::<2>().0) {
            *to = from[0];
        }
    }
    let rows: Vec<&[u8]> = rows.take(height).map_while(|row| row).collect();
    let targets = u.chunks_mut(half).zip(v.chunks_mut(half));
    for (pair, (u, v)) in rows.chunks(2).zip(targets) {
        let (above, below) = (pair[0], pair[pair.len() - 1]);
        let quads = above
            .as_chunks::<4>()
            .0
            .iter()
            .zip(below.as_chunks::<4>().0);
        for ((a, b), (u, v)) in quads.zip(u.iter_mut().zip(v)) {
            let mean = |at: usize| (u16::from(a[at]) + u16::from(b[at])).div_ceil(2) as u8;
            (*u, *v) = (mean(1), mean(3));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_stays_and_chroma_is_the_mean_of_two_rows() {
        // Two rows of four pixels, six bytes of padding.
        let yuyv = [
            10, 100, 11, 200, 12, 102, 13, 202, 0, 0, 0, 0, 0, 0, //
            20, 110, 21, 211, 22, 112, 23, 212, 0, 0, 0, 0, 0, 0,
        ];
        let mut out = [0; 12];
        assert_eq!(i420_bytes(4, 2), out.len());
        to_i420(&yuyv, 14, 4, 2, &mut out);
        assert_eq!(out[..8], [10, 11, 12, 13, 20, 21, 22, 23]);
        assert_eq!(out[8..10], [105, 107]);
        assert_eq!(out[10..], [206, 207]);
    }

    #[test]
    fn an_odd_last_row_keeps_its_own_chroma_and_a_cut_picture_does_no_harm() {
        let yuyv = [5, 50, 6, 60].repeat(3);
        let mut out = vec![0; i420_bytes(2, 3)];
        to_i420(&yuyv, 4, 2, 3, &mut out);
        assert_eq!(out, [5, 6, 5, 6, 5, 6, 50, 50, 60, 60]);
        let mut out = vec![9; i420_bytes(2, 3)];
        to_i420(&yuyv[..6], 4, 2, 3, &mut out);
        assert_eq!(out[..4], [5, 6, 9, 9]);
    }
}
