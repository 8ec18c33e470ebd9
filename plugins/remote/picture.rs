//! A frame as the picture that a server gets.

use evr_core::detector::{Input, Mapping, Preprocessor, TensorMut};
use evr_core::remote::{Picture, RawFormat, RemoteError, bmp, raw};
use gst_video::{VideoFrameRef, VideoInfo};

use crate::bridge::video::{colour, format, planes};

/// How a picture is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Of this quality, 1..=100.
    Jpeg(u8),
    Png,
    Bmp,
    Raw(RawFormat),
}

/// A picture.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    /// In pixels.
    pub(crate) size: (usize, usize),
    /// Where the frame lies in it.
    pub(crate) mapping: Mapping,
}

/// Brings frames of any kind into a tensor; what is prepared for one kind is kept.
#[derive(Debug, Default)]
pub(crate) struct Filler {
    video: Option<(VideoInfo, Input, Preprocessor)>,
}

impl Filler {
    /// Fills `tensor`, which is of `input`; says where the frame lies in it.
    pub(crate) fn fill(
        &mut self,
        buffer: &gst::BufferRef,
        info: &VideoInfo,
        input: &Input,
        tensor: TensorMut<'_>,
    ) -> Result<Mapping, RemoteError> {
        let fault = |err: String| RemoteError::Frame(err);
        let known =
            |video: &&mut (VideoInfo, Input, Preprocessor)| &video.0 == info && &video.1 == input;
        if self.video.as_mut().filter(known).is_none() {
            let Some(format) = format(info) else {
                return Err(fault(format!(
                    "cannot read video of format {}",
                    info.format()
                )));
            };
            let size = (info.width() as usize, info.height() as usize);
            let made = Preprocessor::new(format, size, colour(info), input)
                .map_err(|err| fault(err.to_string()))?;
            self.video = Some((info.clone(), input.clone(), made));
        }
        let Some((_, _, preprocessor)) = &mut self.video else {
            return Err(fault(
                "a frame came before its caps: send caps first".into(),
            ));
        };
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .map_err(|_| fault("a frame's memory cannot be read: send system memory".into()))?;
        preprocessor
            .run(&planes(&frame), tensor)
            .map_err(|err| fault(err.to_string()))?;
        Ok(preprocessor.mapping())
    }
}

/// Makes pictures.
#[derive(Debug)]
pub(crate) struct Painter {
    picture: Picture,
    encoding: Encoding,
    filler: Filler,
    rgb: Vec<u8>,
}

impl Painter {
    pub(crate) fn new(picture: Picture, encoding: Encoding) -> Self {
        Self {
            picture,
            encoding,
            filler: Filler::default(),
            rgb: Vec::new(),
        }
    }

    /// The picture of a frame.
    pub(crate) fn paint(
        &mut self,
        buffer: &gst::BufferRef,
        info: &VideoInfo,
    ) -> Result<Encoded, RemoteError> {
        let frame = (info.width() as usize, info.height() as usize);
        let input = self.picture.input(frame);
        self.rgb.resize(input.elements(), 0);
        let mapping = self
            .filler
            .fill(buffer, info, &input, TensorMut::U8(&mut self.rgb))?;
        let size = (input.width, input.height);
        Ok(Encoded {
            bytes: encode(&self.rgb, size, self.encoding)?,
            size,
            mapping,
        })
    }
}

fn encode(
    rgb: &[u8],
    (width, height): (usize, usize),
    encoding: Encoding,
) -> Result<Vec<u8>, RemoteError> {
    let fault = |err: String| {
        RemoteError::Frame(format!(
            "no picture can be made of a frame ({err}): set width and height"
        ))
    };
    let mut bytes = Vec::new();
    match encoding {
        Encoding::Jpeg(quality) => {
            let side = |side: usize| u16::try_from(side).map_err(|err| fault(err.to_string()));
            let (width, height) = (side(width)?, side(height)?);
            jpeg_encoder::Encoder::new(&mut bytes, quality.clamp(1, 100))
                .encode(rgb, width, height, jpeg_encoder::ColorType::Rgb)
                .map_err(|err| fault(err.to_string()))?;
        }
        Encoding::Png => {
            let side = |side: usize| u32::try_from(side).map_err(|err| fault(err.to_string()));
            let mut encoder = png::Encoder::new(&mut bytes, side(width)?, side(height)?);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_compression(png::Compression::Fast);
            let mut writer = encoder
                .write_header()
                .map_err(|err| fault(err.to_string()))?;
            let written = writer.write_image_data(rgb);
            written.map_err(|err| fault(err.to_string()))?;
            writer.finish().map_err(|err| fault(err.to_string()))?;
        }
        Encoding::Bmp => bytes = bmp(rgb, width, height),
        Encoding::Raw(format) => bytes = raw(rgb, width, format),
    }
    Ok(bytes)
}
