//! Four grey JPEG pictures as the YUYV picture that they are the bytes of.
//!
//! Only those of one mode were ever looked at (5120x180 each, of 2560x720), so sizes are taken
//! from the pictures and have to fit each other.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// No camera has pictures of more bytes a row, nor of more rows.
const LARGEST: (usize, usize) = (16_384, 4_096);

/// Both eyes side by side, two bytes a pixel, rows without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yuyv {
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
}

/// Decodes and stacks them; or what is wrong with one.
pub(super) fn decode(strips: [&[u8]; 4]) -> Result<Yuyv, String> {
    let options = DecoderOptions::default()
        .set_max_width(LARGEST.0)
        .set_max_height(LARGEST.1)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut all: Option<Yuyv> = None;
    for strip in strips {
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(strip), options);
        let pixels = decoder
            .decode()
            .map_err(|err| format!("a JPEG strip of it: {err}"))?;
        let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
        let size = decoder
            .info()
            .map(|info| (u32::from(info.width), u32::from(info.height)));
        let (row, rows) = match size {
            Some((row, rows)) if grey && row % 4 == 0 => (row, rows),
            _ => return Err("a JPEG strip of it is no grey picture of whole YUYV pixels".into()),
        };
        match &mut all {
            None => {
                all = Some(Yuyv {
                    width: row / 2,
                    height: rows,
                    bytes: pixels,
                });
            }
            Some(all) if all.width * 2 == row => {
                all.height += rows;
                all.bytes.extend(pixels);
            }
            Some(all) => {
                return Err(format!(
                    "JPEG strips of {} and {row} bytes a row",
                    all.width * 2
                ));
            }
        }
    }
    all.ok_or_else(|| "no JPEG strips".into())
}
