//! A frame's memory as something on which rectangles of one colour can be drawn, whatever its
//! format. Everything else is made of such.

use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrameRef};

/// What can be drawn on.
pub(super) const FORMATS: [VideoFormat; 8] = [
    VideoFormat::I420,
    VideoFormat::Nv12,
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgba,
    VideoFormat::Bgra,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
];

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

/// A frame that is drawn on.
pub(super) struct Canvas<'a, 'b> {
    frame: &'a mut VideoFrameRef<&'b mut gst::BufferRef>,
}

/// A rectangle in pixels that may reach beyond the frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

/// One component of a pixel: its plane, its byte in a pixel, the bytes from pixel to pixel, and how
/// many pixels of the frame one stands for, each way.
struct Component {
    plane: u32,
    first: usize,
    step: usize,
    pixels: usize,
    value: u8,
}

impl<'a, 'b> Canvas<'a, 'b> {
    pub(super) fn new(frame: &'a mut VideoFrameRef<&'b mut gst::BufferRef>) -> Self {
        Self { frame }
    }

    /// Width and height in pixels.
    pub(super) fn size(&self) -> (i32, i32) {
        let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        (side(self.frame.width()), side(self.frame.height()))
    }

    /// Fills the part of `area` that lies in the frame.
    pub(super) fn fill(&mut self, area: Area, colour: Colour) {
        let (width, height) = self.size();
        let within = |from: i32, length: i32, size: i32| {
            let from_inside = from.clamp(0, size);
            let to = from.saturating_add(length).clamp(from_inside, size);
            from_inside as usize..to as usize
        };
        let columns = within(area.x, area.width, width);
        let rows = within(area.y, area.height, height);
        if columns.is_empty() || rows.is_empty() {
            return;
        }
        for component in self.components(colour) {
            let Component {
                plane,
                first,
                step,
                pixels,
                value,
            } = component;
            let Some(&stride) = self.frame.plane_stride().get(plane as usize) else {
                return;
            };
            let (Ok(stride), Ok(data)) =
                (usize::try_from(stride), self.frame.plane_data_mut(plane))
            else {
                return;
            };
            let columns = columns.start / pixels..columns.end.div_ceil(pixels);
            for row in rows.start / pixels..rows.end.div_ceil(pixels) {
                let start = row * stride + columns.start * step + first;
                let end = row * stride + columns.end * step;
                // A plane that is shorter than its caps promise is left as it is.
                if let Some(samples) = data.get_mut(start..end) {
                    samples
                        .iter_mut()
                        .step_by(step)
                        .for_each(|sample| *sample = value);
                }
            }
        }
    }

    fn components(&self, [r, g, b]: Colour) -> [Component; 3] {
        let packed = |step: usize, places: [usize; 3]| {
            let mut values = [r, g, b].into_iter();
            places.map(|first| Component {
                plane: 0,
                first,
                step,
                pixels: 1,
                value: values.next().unwrap_or(0),
            })
        };
        match self.frame.format() {
            VideoFormat::Rgb => packed(3, [0, 1, 2]),
            VideoFormat::Bgr => packed(3, [2, 1, 0]),
            VideoFormat::Rgba | VideoFormat::Rgbx => packed(4, [0, 1, 2]),
            VideoFormat::Bgra | VideoFormat::Bgrx => packed(4, [2, 1, 0]),
            format => {
                let [y, cb, cr] = self.to_ycbcr([r, g, b]);
                let chroma = |plane, first, step, value| Component {
                    plane,
                    first,
                    step,
                    pixels: 2,
                    value,
                };
                let luma = Component {
                    pixels: 1,
                    ..chroma(0, 0, 1, y)
                };
                match format {
                    VideoFormat::Nv12 => [luma, chroma(1, 0, 2, cb), chroma(1, 1, 2, cr)],
                    _ => [luma, chroma(1, 0, 1, cb), chroma(2, 0, 1, cr)],
                }
            }
        }
    }

    /// Source: ITU-R BT.601, BT.709, BT.2020.
    fn to_ycbcr(&self, colour: Colour) -> [u8; 3] {
        let colorimetry = self.frame.info().colorimetry();
        let (kr, kb) = match colorimetry.matrix() {
            VideoColorMatrix::Bt709 => (0.2126, 0.0722),
            VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
            _ => (0.299, 0.114),
        };
        let (black, luma, chroma) = match colorimetry.range() {
            VideoColorRange::Range0_255 => (0.0, 255.0, 255.0),
            _ => (16.0, 219.0, 224.0),
        };
        let [r, g, b] = colour.map(|value| f32::from(value) / 255.0);
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        [
            black + luma * y,
            128.0 + chroma * (b - y) / (2.0 * (1.0 - kb)),
            128.0 + chroma * (r - y) / (2.0 * (1.0 - kr)),
        ]
        .map(|value: f32| value.round() as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey frame on which a red rectangle was drawn, as the values of a pixel in and beside it.
    fn drawn(format: VideoFormat, area: Area, places: [(usize, usize); 2]) -> [[u8; 3]; 2] {
        gst::init().expect("GStreamer is installed");
        let info = gst_video::VideoInfo::builder(format, 9, 7).build();
        let info = info.expect("a sound size");
        let mut buffer = gst::Buffer::from_mut_slice(vec![100; info.size()]);
        let buffer = buffer.get_mut().expect("one owner");
        let mut frame =
            VideoFrameRef::from_buffer_ref_writable(buffer, &info).expect("a sound frame");
        Canvas::new(&mut frame).fill(area, [255, 0, 0]);
        places.map(|(x, y)| {
            let canvas = Canvas::new(&mut frame);
            let components = canvas.components([0; 3]);
            components.map(|component| {
                let stride = canvas.frame.plane_stride()[component.plane as usize] as usize;
                let (x, y) = (x / component.pixels, y / component.pixels);
                let data = canvas.frame.plane_data_mut(component.plane).expect("there");
                data[y * stride + x * component.step + component.first]
            })
        })
    }

    #[test]
    fn a_rectangle_has_its_colour_in_every_format_and_ends_where_it_ends() {
        let area = Area {
            x: 2,
            y: 2,
            width: 4,
            height: 2,
        };
        for format in FORMATS {
            let red = match format {
                // BT.601, limited.
                VideoFormat::I420 | VideoFormat::Nv12 => [81, 90, 240],
                _ => [255, 0, 0],
            };
            let seen = drawn(format, area, [(5, 3), (6, 4)]);
            assert_eq!(seen, [red, [100; 3]], "{format:?}");
        }
    }

    #[test]
    fn what_reaches_beyond_the_frame_is_cut_off() {
        let area = |x, y, width, height| Area {
            x,
            y,
            width,
            height,
        };
        for (area, corner) in [
            (area(-5, -5, 100, 100), 255),
            (area(8, 6, i32::MAX, i32::MAX), 255),
            (area(9, 0, 5, 5), 100),
            (area(-20, 0, 10, 10), 100),
            (area(3, 3, -1, 4), 100),
        ] {
            let [seen, _] = drawn(VideoFormat::Rgb, area, [(8, 6), (0, 0)]);
            assert_eq!(seen[0], corner, "{area:?}");
        }
    }
}
