//! What is drawn where: boxes with their labels, zones, and the mark of a recording.

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_6X10 as FONT;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};
use evr_core::detection::{BoundingBox, Detection};

use super::canvas::{Area, Canvas, Colour};

const WHITE: Colour = [255; 3];
const BLACK: Colour = [0; 3];
const RED: Colour = [230, 30, 40];
const ZONE: Colour = [250, 205, 60];
/// Told apart by eye, also on grey streets. Objects take them by their identity or their class.
const COLOURS: [Colour; 8] = [
    [46, 204, 113],
    [52, 152, 219],
    [231, 126, 35],
    [155, 89, 182],
    [26, 188, 156],
    [236, 72, 153],
    [132, 204, 22],
    [99, 102, 241],
];

/// What a box says beside itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub(super) label: bool,
    pub(super) confidence: bool,
    pub(super) track_id: bool,
}

/// Draws on one frame.
pub(super) struct Painter<'c, 'a, 'b> {
    canvas: &'c mut Canvas<'a, 'b>,
    /// Pixels of a line.
    line: i32,
    /// Pixels of the frame a pixel of the font.
    scale: i32,
}

impl<'c, 'a, 'b> Painter<'c, 'a, 'b> {
    /// `line` and `scale` of 0 are chosen by the frame's height.
    pub(super) fn new(canvas: &'c mut Canvas<'a, 'b>, line: u32, scale: u32) -> Self {
        let (_, height) = canvas.size();
        let or = |asked: u32, by_height: i32| match i32::try_from(asked) {
            Ok(0) | Err(_) => (height / by_height).max(1),
            Ok(asked) => asked,
        };
        Self {
            line: or(line, 270),
            scale: or(scale, 360),
            canvas,
        }
    }

    pub(super) fn detection(&mut self, detection: &Detection, words: Words) {
        let identity = detection.track_id.unwrap_or(i64::from(detection.label_id));
        let colour = COLOURS[identity.rem_euclid(COLOURS.len() as i64) as usize];
        let frame = self.area(&detection.bbox);
        self.outline(frame, colour);
        let text = text(detection, words);
        if !text.is_empty() {
            self.caption(&text, frame.x, frame.y, colour);
        }
    }

    /// A polygon and its name.
    pub(super) fn zone(&mut self, name: &str, corners: &[(f64, f64)]) {
        let (width, height) = self.canvas.size();
        let at = |&(x, y): &(f64, f64)| {
            let along = |share: f64, size: i32| (share * f64::from(size - 1)).round() as i32;
            (along(x, width), along(y, height))
        };
        let points = || corners.iter().map(at);
        let next = points().skip(1).chain(points().take(1));
        for (from, to) in points().zip(next) {
            self.stroke(from, to);
        }
        if let Some((x, y)) = points().next()
            && !name.is_empty()
        {
            self.caption(name, x, y, ZONE);
        }
    }

    /// A red disc and three letters in the corner, on a ground that tells them from any picture.
    pub(super) fn recording_mark(&mut self) {
        let (width, _) = self.canvas.size();
        let height = self.text_height();
        let radius = height / 3;
        let left = width - self.text_width("REC") - 3 * height;
        let (x, y) = (left + radius, height / 2 + radius);
        let ground = Area {
            x: left - height / 2,
            y: height / 4,
            width: self.text_width("REC") + 3 * radius + height,
            height: height + height / 3,
        };
        self.canvas.fill(ground, BLACK);
        for dy in -radius..=radius {
            let half = f64::from(radius * radius - dy * dy).sqrt() as i32;
            let row = Area {
                x: x - half,
                y: y + dy,
                width: 2 * half + 1,
                height: 1,
            };
            self.canvas.fill(row, RED);
        }
        self.words("REC", x + 2 * radius, y - height / 2, WHITE);
    }

    fn area(&self, bbox: &BoundingBox) -> Area {
        let (width, height) = self.canvas.size();
        let at = |share: f64, size: i32| (share * f64::from(size)).round() as i32;
        let (x, y) = (at(bbox.l, width), at(bbox.t, height));
        Area {
            x,
            y,
            width: at(bbox.l + bbox.w, width) - x,
            height: at(bbox.t + bbox.h, height) - y,
        }
    }

    /// The four sides, inwards.
    fn outline(&mut self, area: Area, colour: Colour) {
        let line = self.line.min(area.width).min(area.height).max(1);
        let across = Area {
            height: line,
            ..area
        };
        let down = Area {
            width: line,
            ..area
        };
        for side in [
            across,
            down,
            Area {
                y: area.y + area.height - line,
                ..across
            },
            Area {
                x: area.x + area.width - line,
                ..down
            },
        ] {
            self.canvas.fill(side, colour);
        }
    }

    /// A straight line as dots of its own width.
    fn stroke(&mut self, from: (i32, i32), to: (i32, i32)) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let steps = dx.abs().max(dy.abs()).max(1);
        for step in 0..=steps {
            let along = |from: i32, by: i32| {
                from + (i64::from(by) * i64::from(step) / i64::from(steps)) as i32
            };
            let dot = Area {
                x: along(from.0, dx) - self.line / 2,
                y: along(from.1, dy) - self.line / 2,
                width: self.line,
                height: self.line,
            };
            self.canvas.fill(dot, ZONE);
        }
    }

    /// White words on a ground, above a place, or below it at the frame's upper edge.
    fn caption(&mut self, text: &str, x: i32, y: i32, ground: Colour) {
        let (frame_width, _) = self.canvas.size();
        let (width, height) = (self.text_width(text) + 2 * self.scale, self.text_height());
        let x = x.min(frame_width - width).max(0);
        let y = if y >= height { y - height } else { y };
        let area = Area {
            x,
            y,
            width,
            height,
        };
        self.canvas.fill(area, ground);
        self.words(text, x + self.scale, y, WHITE);
    }

    fn words(&mut self, text: &str, x: i32, y: i32, colour: Colour) {
        let mut ink = Ink {
            canvas: self.canvas,
            origin: (x, y),
            scale: self.scale,
            colour,
        };
        let style = MonoTextStyle::new(&FONT, BinaryColor::On);
        let text = Text::with_baseline(text, Point::zero(), style, Baseline::Top);
        let Ok(_) = text.draw(&mut ink);
    }

    fn text_width(&self, text: &str) -> i32 {
        // As one line: a label is a few words.
        let letters = i32::try_from(text.chars().count().min(200)).unwrap_or(200);
        letters * FONT.character_size.width as i32 * self.scale
    }

    fn text_height(&self) -> i32 {
        FONT.character_size.height as i32 * self.scale
    }
}

fn text(detection: &Detection, words: Words) -> String {
    let mut parts = Vec::new();
    if words.label {
        // Letters that the font lacks come out as question marks; control characters are none.
        let label = detection.label.chars().filter(|c| !c.is_control()).take(60);
        parts.push(label.collect::<String>());
    }
    if let Some(id) = detection.track_id.filter(|_| words.track_id) {
        parts.push(format!("#{id}"));
    }
    if words.confidence {
        parts.push(format!("{:.0}%", detection.confidence * 100.0));
    }
    parts.join(" ")
}

/// Where letters are set: each pixel of the font is a square of the frame.
struct Ink<'c, 'a, 'b> {
    canvas: &'c mut Canvas<'a, 'b>,
    origin: (i32, i32),
    scale: i32,
    colour: Colour,
}

impl OriginDimensions for Ink<'_, '_, '_> {
    fn size(&self) -> Size {
        // The canvas cuts off what is beyond it.
        Size::new(u32::MAX, u32::MAX)
    }
}

impl DrawTarget for Ink<'_, '_, '_> {
    type Color = BinaryColor;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        for Pixel(point, colour) in pixels {
            if colour.is_on() {
                let square = Area {
                    x: self.origin.0 + point.x * self.scale,
                    y: self.origin.1 + point.y * self.scale,
                    width: self.scale,
                    height: self.scale,
                };
                self.canvas.fill(square, self.colour);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_says_what_it_was_asked_to() {
        let detection = Detection {
            label: "per\nson".into(),
            label_id: 0,
            confidence: 0.876,
            bbox: BoundingBox::from_corners(0.0, 0.0, 1.0, 1.0),
            track_id: Some(7),
            distance: None,
            position: None,
        };
        let words = |label, confidence, track_id| Words {
            label,
            confidence,
            track_id,
        };
        assert_eq!(text(&detection, words(true, true, true)), "person #7 88%");
        assert_eq!(text(&detection, words(false, true, false)), "88%");
        assert_eq!(text(&detection, words(false, false, false)), "");
    }
}
