//! From what the SDK gives of a frame to the picture that was asked for.
//!
//! Belongs here: laying out bytes. The SDK's pictures are rectified already.

use evr_zed::sdk::{DepthMap, Frame, Image};
use gst_video::{VideoFormat, VideoInfo};

use super::ZedSrcStreamType;

/// The picture in one plane: its size and bytes, rows without padding.
pub(super) struct Packed {
    pub width: usize,
    pub height: usize,
    pub bytes: Vec<u8>,
}

/// What pictures of that type are, of a frame like this one.
pub(super) fn info(
    frame: &Frame,
    show: ZedSrcStreamType,
    fps: gst::Fraction,
) -> Option<Result<VideoInfo, glib::BoolError>> {
    let eye = frame.left.as_ref().or(frame.right.as_ref());
    let eye = eye.map(|eye| (eye.width, eye.height));
    let depth = frame.depth.as_ref().map(|map| (map.width, map.height));
    let (width, height) = eye.or(depth)?;
    let (format, width, height) = match show {
        ZedSrcStreamType::Left | ZedSrcStreamType::Right => (VideoFormat::Bgra, width, height),
        ZedSrcStreamType::TopBottom | ZedSrcStreamType::LeftDepth => {
            (VideoFormat::Bgra, width, 2 * height)
        }
        ZedSrcStreamType::SideBySide => (VideoFormat::Bgra, 2 * width, height),
        ZedSrcStreamType::Depth => (VideoFormat::Gray16Le, width, height),
    };
    let info = VideoInfo::builder(format, width as u32, height as u32);
    Some(info.fps(fps).build())
}

impl Packed {
    fn bgra(image: Image) -> Self {
        Self {
            width: image.width,
            height: image.height,
            bytes: image.data,
        }
    }

    /// The bytes with rows as far apart as GStreamer has them by default.
    pub(super) fn aligned(self, info: &VideoInfo) -> Vec<u8> {
        let stride = usize::try_from(info.stride()[0]).unwrap_or(0);
        let row = self.bytes.len() / self.height.max(1);
        if stride <= row {
            return self.bytes;
        }
        let mut bytes = Vec::with_capacity(stride * self.height);
        for row in self.bytes.chunks(row) {
            bytes.extend_from_slice(row);
            bytes.resize(bytes.len().next_multiple_of(stride), 0);
        }
        bytes
    }
}

/// The picture of that type, or nothing where the SDK gave less than it was asked for.
pub(super) fn pack(frame: &mut Frame, show: ZedSrcStreamType) -> Option<Packed> {
    let (left, right, depth) = (frame.left.take(), frame.right.take(), frame.depth.take());
    match show {
        ZedSrcStreamType::Left => left.map(Packed::bgra),
        ZedSrcStreamType::Right => right.map(Packed::bgra),
        ZedSrcStreamType::TopBottom => above(left?, &right?.data),
        ZedSrcStreamType::SideBySide => beside(&left?, &right?),
        ZedSrcStreamType::Depth => depth.map(gray),
        ZedSrcStreamType::LeftDepth => {
            let distances = depth?
                .data
                .into_iter()
                .flat_map(|mm| u32::from(mm).to_le_bytes());
            above(left?, &distances.collect::<Vec<_>>())
        }
    }
}

fn above(top: Image, bottom: &[u8]) -> Option<Packed> {
    if top.data.len() != bottom.len() {
        return None;
    }
    let mut packed = Packed::bgra(top);
    packed.bytes.extend_from_slice(bottom);
    packed.height *= 2;
    Some(packed)
}

fn beside(left: &Image, right: &Image) -> Option<Packed> {
    if (left.width, left.height) != (right.width, right.height) {
        return None;
    }
    let row = left.width * 4;
    let rows = left.data.chunks(row).zip(right.data.chunks(row));
    Some(Packed {
        width: 2 * left.width,
        height: left.height,
        bytes: rows
            .flat_map(|(left, right)| [left, right].concat())
            .collect(),
    })
}

fn gray(depth: DepthMap) -> Packed {
    Packed {
        width: depth.width,
        height: depth.height,
        bytes: depth.data.into_iter().flat_map(u16::to_le_bytes).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(bytes: u8) -> Image {
        Image {
            width: 1,
            height: 2,
            data: (0..8).map(|n| bytes + n).collect(),
        }
    }

    fn frame() -> Frame {
        Frame {
            left: Some(image(0)),
            right: Some(image(100)),
            depth: Some(DepthMap {
                width: 1,
                height: 2,
                data: vec![0x0102, 0x0304],
            }),
            ..Frame::default()
        }
    }

    #[track_caller]
    fn packed(show: ZedSrcStreamType) -> (usize, usize, Vec<u8>) {
        let packed = pack(&mut frame(), show).unwrap();
        let told = info(&frame(), show, gst::Fraction::new(30, 1));
        let told = told.unwrap().unwrap();
        let told = (told.width() as usize, told.height() as usize);
        assert_eq!(told, (packed.width, packed.height));
        (packed.width, packed.height, packed.bytes)
    }

    #[test]
    fn eyes_and_depth_are_laid_out_as_asked() {
        gst::init().unwrap();
        let (left, right): (Vec<u8>, Vec<u8>) = ((0..8).collect(), (100..108).collect());
        assert_eq!(packed(ZedSrcStreamType::Left), (1, 2, left.clone()));
        assert_eq!(packed(ZedSrcStreamType::Right), (1, 2, right.clone()));
        let both = [left.clone(), right.clone()].concat();
        assert_eq!(packed(ZedSrcStreamType::TopBottom), (1, 4, both));
        let rows = [&left[..4], &right[..4], &left[4..], &right[4..]].concat();
        assert_eq!(packed(ZedSrcStreamType::SideBySide), (2, 2, rows));
        let numbers = vec![2, 1, 4, 3];
        assert_eq!(packed(ZedSrcStreamType::Depth), (1, 2, numbers));
        let below = [&left[..], &[2, 1, 0, 0, 4, 3, 0, 0]].concat();
        assert_eq!(packed(ZedSrcStreamType::LeftDepth), (1, 4, below));
    }

    #[test]
    fn rows_are_padded_to_where_gstreamer_looks_for_them() {
        gst::init().unwrap();
        let info = info(&frame(), ZedSrcStreamType::Depth, gst::Fraction::new(30, 1));
        let info = info.unwrap().unwrap();
        assert_eq!(info.stride()[0], 4);
        let packed = pack(&mut frame(), ZedSrcStreamType::Depth).unwrap();
        assert_eq!(packed.aligned(&info), [2, 1, 0, 0, 4, 3, 0, 0]);
    }

    #[test]
    fn what_the_sdk_did_not_give_makes_no_picture() {
        let mut frame = Frame {
            right: None,
            ..frame()
        };
        assert!(pack(&mut frame, ZedSrcStreamType::SideBySide).is_none());
    }
}
