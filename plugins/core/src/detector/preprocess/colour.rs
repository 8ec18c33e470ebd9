//! What the numbers in a frame mean: from its components to R, G, B.

/// How R, G, B were turned into the frame's components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601, SD video.
    Bt601,
    /// ITU-R BT.709, HD video.
    Bt709,
    /// ITU-R BT.2020, UHD video.
    Bt2020,
}

/// What the numbers in a frame mean. An RGB or grey frame has a range, but no matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Which colours a Y'CbCr triple is.
    pub matrix: Matrix,
    /// 0..=255, otherwise 16..=235 (chroma 16..=240).
    pub full_range: bool,
}

impl Colour {
    /// R, G, B of 0..=255 as sums of Y, Cb, Cr and 1. Source: ITU-R BT.601, BT.709, BT.2020.
    pub(super) fn ycbcr_to_rgb(self) -> [[f32; 4]; 3] {
        let (kr, kb) = match self.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let kg = 1.0 - kr - kb;
        let (black, luma) = self.luma();
        let chroma = if self.full_range { 1.0 } else { 255.0 / 224.0 };
        let row = |cb: f32, cr: f32| {
            let (cb, cr) = (cb * chroma, cr * chroma);
            [luma, cb, cr, -luma * black - 128.0 * (cb + cr)]
        };
        [
            row(0.0, 2.0 * (1.0 - kr)),
            row(-2.0 * (1.0 - kb) * kb / kg, -2.0 * (1.0 - kr) * kr / kg),
            row(2.0 * (1.0 - kb), 0.0),
        ]
    }

    /// R, G, B of 0..=255 as sums of R, G, B and 1.
    pub(super) fn rgb_to_rgb(self) -> [[f32; 4]; 3] {
        let (black, gain) = self.luma();
        let constant = -gain * black;
        [
            [gain, 0.0, 0.0, constant],
            [0.0, gain, 0.0, constant],
            [0.0, 0.0, gain, constant],
        ]
    }

    /// R, G, B of 0..=255 as sums of a grey, nothing, nothing and 1.
    pub(super) fn grey_to_rgb(self) -> [[f32; 4]; 3] {
        let (black, gain) = self.luma();
        [[gain, 0.0, 0.0, -gain * black]; 3]
    }

    /// The sample that is black, and the gain that makes white 255.
    fn luma(self) -> (f32, f32) {
        if self.full_range {
            (0.0, 1.0)
        } else {
            (16.0, 255.0 / 219.0)
        }
    }
}
