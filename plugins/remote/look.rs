//! What the user says of the pictures that a server gets.

use evr_core::remote::{Picture, PictureError, RawFormat};

use super::picture::{Encoding, Painter};

/// What a picture is encoded as.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrRemoteImageFormat")]
pub enum ImageFormat {
    /// Small.
    #[default]
    #[enum_value(name = "JPEG", nick = "jpeg")]
    Jpeg,
    /// Without loss.
    #[enum_value(name = "PNG", nick = "png")]
    Png,
    /// Without loss, large and quickly made.
    #[enum_value(name = "BMP", nick = "bmp")]
    Bmp,
    /// Samples alone, in the layout of `pixel-format`.
    #[enum_value(name = "Raw samples", nick = "raw")]
    Raw,
}

/// The layout of raw samples.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrRemotePixelFormat")]
#[allow(missing_docs, reason = "the names are the layouts")]
pub enum PixelFormat {
    #[enum_value(name = "Planes Y, U, V", nick = "yuv420p")]
    Yuv420p,
    #[enum_value(name = "5, 6, 5 bits, big endian", nick = "rgb565be")]
    Rgb565be,
    #[enum_value(name = "5, 6, 5 bits, little endian", nick = "rgb565le")]
    Rgb565le,
    #[enum_value(name = "5 bits each, big endian", nick = "rgb555be")]
    Rgb555be,
    #[enum_value(name = "5 bits each, little endian", nick = "rgb555le")]
    Rgb555le,
    #[default]
    #[enum_value(name = "R, G, B", nick = "rgb24")]
    Rgb24,
    #[enum_value(name = "B, G, R", nick = "bgr24")]
    Bgr24,
    #[enum_value(name = "A, R, G, B", nick = "argb")]
    Argb,
    #[enum_value(name = "R, G, B, A", nick = "rgba")]
    Rgba,
    #[enum_value(name = "A, B, G, R", nick = "abgr")]
    Abgr,
    #[enum_value(name = "B, G, R, A", nick = "bgra")]
    Bgra,
}

/// How a frame is brought to the size that is set.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrRemoteScaling")]
pub enum Scaling {
    /// To fit inside.
    #[enum_value(
        name = "In its own shape, as large as fits",
        nick = "preserve-aspect-ratio"
    )]
    PreserveAspectRatio,
    /// In the middle of black.
    #[default]
    #[enum_value(name = "In its own shape, with black bars", nick = "pad")]
    Pad,
    /// Distorted.
    #[enum_value(name = "Distorted to fill it", nick = "stretch")]
    Stretch,
}

/// The pictures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) image_format: ImageFormat,
    /// 1..=100.
    pub(crate) jpeg_quality: u32,
    pub(crate) pixel_format: PixelFormat,
    /// In pixels; 0 is for what follows from the height, or the frame's.
    pub(crate) width: u32,
    /// As the width.
    pub(crate) height: u32,
    pub(crate) scaling: Scaling,
}

impl Look {
    /// Who makes them.
    ///
    /// # Errors
    /// Where they cannot be made of any frame.
    pub(crate) fn painter(&self) -> Result<Painter, PictureError> {
        let side = |side: u32| (side > 0).then_some(side as usize);
        let picture = Picture {
            scaling: match self.scaling {
                Scaling::PreserveAspectRatio => evr_core::remote::Scaling::PreserveAspectRatio,
                Scaling::Pad => evr_core::remote::Scaling::Pad,
                Scaling::Stretch => evr_core::remote::Scaling::Stretch,
            },
            width: side(self.width),
            height: side(self.height),
        };
        picture.check()?;
        Ok(Painter::new(picture, self.encoding()))
    }

    /// What they are encoded as.
    pub(crate) fn encoding(&self) -> Encoding {
        match self.image_format {
            ImageFormat::Jpeg => Encoding::Jpeg(self.jpeg_quality.min(100) as u8),
            ImageFormat::Png => Encoding::Png,
            ImageFormat::Bmp => Encoding::Bmp,
            ImageFormat::Raw => Encoding::Raw(self.raw_format()),
        }
    }

    fn raw_format(&self) -> RawFormat {
        match self.pixel_format {
            PixelFormat::Yuv420p => RawFormat::Yuv420p,
            PixelFormat::Rgb565be => RawFormat::Rgb565be,
            PixelFormat::Rgb565le => RawFormat::Rgb565le,
            PixelFormat::Rgb555be => RawFormat::Rgb555be,
            PixelFormat::Rgb555le => RawFormat::Rgb555le,
            PixelFormat::Rgb24 => RawFormat::Rgb24,
            PixelFormat::Bgr24 => RawFormat::Bgr24,
            PixelFormat::Argb => RawFormat::Argb,
            PixelFormat::Rgba => RawFormat::Rgba,
            PixelFormat::Abgr => RawFormat::Abgr,
            PixelFormat::Bgra => RawFormat::Bgra,
        }
    }
}
