//! Where in space something is that a detector found, told from a map of depth of the same frame.
//!
//! Belongs here: the geometry of a lens without distortion, and the choice of the one depth that
//! stands for an object. Where a map comes from does not, nor what a distance counts for.
//!
//! # The depth of an object
//!
//! A box holds its object and, at its edges and between arms and legs, what is behind it; stereo
//! knows nothing of some of its pixels and is wrong about a few. So of the middle half of the box,
//! in both directions, at most [`GRID`] by [`GRID`] evenly spaced pixels are looked at. Where fewer
//! than [`LEAST_KNOWN`] of them are known, nothing is told. The known depths z₁ ≤ … ≤ zₙ have, above
//! each, so many neighbours:
//!
//! c(i) = #{ j : zᵢ ≤ zⱼ ≤ [`REACH`]·zᵢ }
//!
//! The object begins at the nearest zᵢ with c(i) ≥ [`LEAST_SHARE`]·n, and its depth is the median of
//! the fullest such neighbourhood that begins between there and [`REACH`] times as far. So what
//! is behind cannot win, however much of the box it fills, as long as the object has its share; and
//! specks before the object cannot, as they have none. Neighbourhoods are as wide as their depth is
//! great: near by, things are thick for their distance, and far away the noise of stereo is.

use crate::detection::BoundingBox;

/// How many pixels are looked at along each side, at most.
pub const GRID: usize = 32;
/// The share of the pixels looked at that must be known.
pub const LEAST_KNOWN: f64 = 0.2;
/// The share of the known pixels that makes an object of what has one depth.
pub const LEAST_SHARE: f64 = 0.25;
/// How many times as far the back of an object is as its front.
pub const REACH: f64 = 1.1;

/// Why a map of depth or its lens is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SpaceError {
    /// The bytes are not those of a map of that size.
    #[error("a map of depth of {0}x{1} has {2} bytes, where each pixel takes 2")]
    Size(usize, usize, usize),
    /// No picture comes of such a lens.
    #[error(
        "a lens of focal length {0:?} and principal point {1:?} shows nothing: give fractions of the frame"
    )]
    Lens((f64, f64), (f64, f64)),
}

/// A lens without distortion, in fractions of the frame: horizontal ones of its width, vertical ones
/// of its height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lens {
    focal: (f64, f64),
    centre: (f64, f64),
}

impl Lens {
    /// # Errors
    /// Where a focal length is not above 0 or a number is none.
    pub fn new(focal: (f64, f64), centre: (f64, f64)) -> Result<Self, SpaceError> {
        let numbers = [focal.0, focal.1, centre.0, centre.1];
        let sound = numbers.iter().all(|it| it.is_finite()) && focal.0 > 0.0 && focal.1 > 0.0;
        sound
            .then_some(Self { focal, centre })
            .ok_or(SpaceError::Lens(focal, centre))
    }

    /// Focal lengths.
    pub fn focal(&self) -> (f64, f64) {
        self.focal
    }

    /// Principal point.
    pub fn centre(&self) -> (f64, f64) {
        self.centre
    }

    /// What shows at a point of the frame and is so far away along the camera's axis, in any unit:
    /// right of the camera, below it, before it.
    pub fn position(&self, (x, y): (f64, f64), depth: f64) -> [f64; 3] {
        [
            (x - self.centre.0) / self.focal.0 * depth,
            (y - self.centre.1) / self.focal.1 * depth,
            depth,
        ]
    }
}

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Metres from the camera, as the crow flies.
    pub distance: f64,
    /// Metres to the right of the camera, below it and before it, of the middle of the box.
    pub position: [f64; 3],
}

/// The depth of each pixel of a frame, along the camera's axis.
#[derive(Debug, Clone, Copy)]
pub struct DepthMap<'a> {
    width: usize,
    height: usize,
    bytes: &'a [u8],
    lens: Lens,
}

impl<'a> DepthMap<'a> {
    /// From millimetres by rows, 16 bits each, little-endian, 0 where nothing is known. The map need
    /// not be of the frame's size, but shows the same.
    ///
    /// # Errors
    /// Where the bytes are too many or too few.
    pub fn new(
        (width, height): (usize, usize),
        bytes: &'a [u8],
        lens: Lens,
    ) -> Result<Self, SpaceError> {
        let expected = width.checked_mul(height).and_then(|it| it.checked_mul(2));
        if expected != Some(bytes.len()) {
            return Err(SpaceError::Size(width, height, bytes.len()));
        }
        Ok(Self {
            width,
            height,
            bytes,
            lens,
        })
    }

    /// Where the object in a box is; `None` where the map does not say.
    pub fn place(&self, bbox: &BoundingBox) -> Option<Place> {
        let BoundingBox { l, t, w, h } = *bbox;
        let BoundingBox { l, t, w, h } = BoundingBox::from_corners(l, t, l + w, t + h);
        let columns = middle(l, w, self.width);
        let rows = middle(t, h, self.height);
        let looked_at = columns.len() * rows.len();
        let mut known: Vec<u16> = rows
            .flat_map(|y| columns.clone().map(move |x| (x, y)))
            .map(|(x, y)| self.millimetres(x, y))
            .filter(|depth| *depth > 0)
            .collect();
        if known.is_empty() || (known.len() as f64) < LEAST_KNOWN * looked_at as f64 {
            return None;
        }
        known.sort_unstable();
        let depth = f64::from(nearest(&known)) / 1000.0;
        let position = self.lens.position((l + w / 2.0, t + h / 2.0), depth);
        let [x, y, z] = position;
        Some(Place {
            distance: (x * x + y * y + z * z).sqrt(),
            position,
        })
    }

    fn millimetres(&self, x: usize, y: usize) -> u16 {
        let at = 2 * (y * self.width + x);
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }
}

/// The pixels that are looked at along one side of a box, which begins at `from` and is `long`, in
/// fractions of a frame of `size` pixels. None where the box is empty.
fn middle(from: f64, long: f64, size: usize) -> impl ExactSizeIterator<Item = usize> + Clone {
    let pixel = |fraction: f64| fraction * size as f64;
    let first = pixel(from + long / 4.0).floor() as usize;
    let end = (pixel(from + long * 0.75).ceil() as usize).min(size);
    let pixels = match long > 0.0 {
        true => end.saturating_sub(first),
        false => 0,
    };
    let looks = pixels.min(GRID);
    // In the middle of each of so many equal stretches.
    (0..looks).map(move |n| first + (2 * n + 1) * pixels / (2 * looks))
}

/// The depth that stands for an object, of what is known of its box, the nearest first.
fn nearest(known: &[u16]) -> u16 {
    let least = (LEAST_SHARE * known.len() as f64).max(1.0);
    let mut end = 0;
    // Where the neighbourhood of each begins and ends.
    let spans = known.iter().enumerate().map(|(from, depth)| {
        let back = REACH * f64::from(*depth);
        end += known[end..].partition_point(|depth| f64::from(*depth) <= back);
        from..end
    });
    let mut spans = spans.skip_while(|span| (span.len() as f64) < least);
    // Where no neighbourhood has its share, all is one.
    let front = spans.next().unwrap_or(0..known.len());
    let back = REACH * f64::from(known[front.start]);
    let fullest = spans
        .take_while(|span| f64::from(known[span.start]) <= back)
        .fold(front, |fullest, span| {
            if span.len() > fullest.len() {
                span
            } else {
                fullest
            }
        });
    known[fullest.start + (fullest.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: (usize, usize) = (160, 120);
    const PERSON: BoundingBox = BoundingBox {
        l: 0.25,
        t: 0.25,
        w: 0.5,
        h: 0.5,
    };

    fn lens() -> Lens {
        Lens::new((0.75, 1.0), (0.5, 0.5)).expect("a sound lens")
    }

    fn map(depth: impl Fn(usize, usize) -> u16) -> Vec<u8> {
        let pixels = (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x, y)));
        pixels
            .flat_map(|(x, y)| depth(x, y).to_le_bytes())
            .collect()
    }

    fn place(bytes: &[u8], bbox: BoundingBox) -> Option<Place> {
        let map = DepthMap::new(SIZE, bytes, lens()).expect("all bytes are there");
        map.place(&bbox)
    }

    fn depth(bytes: &[u8], bbox: BoundingBox) -> Option<f64> {
        place(bytes, bbox).map(|place| place.position[2])
    }

    /// Numbers that look random, one a pixel.
    fn noise(x: usize, y: usize) -> usize {
        let mixed = (x * 7919 + y * 104_729 + 13).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed >> 40
    }

    #[test]
    fn a_person_before_a_far_wall_is_where_he_stands() {
        // A body of a third of the box's width, a little round, before a wall.
        let scene = map(|x, y| match x.abs_diff(80) {
            off @ 0..14 if (30..90).contains(&y) => 2500 + (off * off) as u16,
            _ => 9000,
        });
        let depth = depth(&scene, PERSON).expect("all is known");
        assert!((2.5..2.6).contains(&depth), "{depth}");
    }

    #[test]
    fn what_half_fills_its_box_wins_over_what_is_behind_it() {
        let scene = map(|x, _| if x < 72 { 3000 } else { 3600 });
        assert_eq!(depth(&scene, PERSON), Some(3.0));
    }

    #[test]
    fn specks_and_thin_things_before_an_object_are_not_it() {
        // One pixel in eight is wrong, and a rope hangs before the person.
        let scene = map(|x, y| match (noise(x, y) % 8, x) {
            (0, _) => 400 + (noise(y, x) % 900) as u16,
            (_, 78..82) => 1500,
            _ => 4000,
        });
        assert_eq!(depth(&scene, PERSON), Some(4.0));
    }

    #[test]
    fn what_is_hardly_known_is_not_told() {
        let known = |share| map(|x, y| if noise(x, y) % 100 < share { 4000 } else { 0 });
        assert_eq!(depth(&known(10), PERSON), None);
        assert_eq!(depth(&known(0), PERSON), None);
        assert_eq!(depth(&known(40), PERSON), Some(4.0));
    }

    #[test]
    fn noise_of_far_stereo_does_not_draw_an_object_near() {
        // Disparities of 2 pixels and their noise, of a third of a pixel either way.
        let scene = map(|x, y| {
            let disparity = 2.0 + ((noise(x, y) % 1000) as f64 / 1000.0 - 0.5) * 0.66;
            (40_000.0 / disparity) as u16
        });
        let depth = depth(&scene, PERSON).expect("all is known");
        assert!((depth - 20.0).abs() < 3.0, "{depth}");
    }

    #[test]
    fn a_box_that_is_empty_or_no_box_says_nothing() {
        let scene = map(|_, _| 2000);
        let empty = BoundingBox { w: 0.0, ..PERSON };
        let none = BoundingBox {
            l: f64::NAN,
            ..PERSON
        };
        let outside = BoundingBox { l: 1.5, ..PERSON };
        for bbox in [empty, none, outside] {
            assert_eq!(place(&scene, bbox), None, "{bbox:?}");
        }
    }

    #[test]
    fn of_a_box_beyond_the_frame_that_part_counts_which_is_within() {
        let scene = map(|x, _| if x >= 140 { 2000 } else { 5000 });
        let leaving = BoundingBox {
            l: 0.875,
            w: 0.5,
            ..PERSON
        };
        let seen = BoundingBox {
            l: 0.875,
            w: 0.125,
            ..PERSON
        };
        assert_eq!(place(&scene, leaving), place(&scene, seen));
        assert_eq!(depth(&scene, leaving), Some(2.0));
    }

    #[test]
    fn a_box_smaller_than_a_pixel_has_the_pixels_depth() {
        let scene = map(|x, y| (100 * x + y) as u16);
        let tiny = BoundingBox {
            l: 0.5,
            t: 0.5,
            w: 1e-6,
            h: 1e-6,
        };
        assert_eq!(depth(&scene, tiny), Some(8.06));
    }

    #[test]
    fn a_position_is_right_of_below_and_before_the_camera() {
        let scene = map(|_, _| 3000);
        let place = place(
            &scene,
            BoundingBox {
                l: 0.75,
                t: 0.5,
                w: 0.25,
                h: 0.25,
            },
        );
        let place = place.expect("all is known");
        assert_eq!(place.position, [1.5, 0.375, 3.0]);
        assert!((place.distance - (1.5_f64 * 1.5 + 0.375 * 0.375 + 9.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_map_and_a_lens_that_are_none_are_refused() {
        let short = DepthMap::new((4, 4), &[0; 31], lens());
        assert_eq!(short.err(), Some(SpaceError::Size(4, 4, 31)));
        assert!(DepthMap::new((usize::MAX, 2), &[], lens()).is_err());
        for focal in [(0.0, 1.0), (1.0, f64::NAN), (-1.0, 1.0)] {
            assert!(Lens::new(focal, (0.5, 0.5)).is_err(), "{focal:?}");
        }
    }

    fn any_box() -> impl Strategy<Value = BoundingBox> {
        (0.0..1.0, 0.0..1.0, 0.0..1.0, 0.0..1.0)
            .prop_map(|(a, b, c, d)| BoundingBox::from_corners(a, b, c, d))
    }

    /// Depths of 8 by 6 tiles.
    fn any_scene() -> impl Strategy<Value = Vec<u16>> {
        let depth = prop_oneof![1 => Just(0), 3 => 300..20_000_u16];
        proptest::collection::vec(depth, 48)
    }

    fn tiled(tiles: &[u16]) -> Vec<u8> {
        map(|x, y| tiles[y / 20 * 8 + x / 20])
    }

    proptest! {
        #[test]
        fn a_depth_is_one_that_the_map_holds_and_its_distance_no_less(
            tiles in any_scene(), bbox in any_box(),
        ) {
            if let Some(place) = place(&tiled(&tiles), bbox) {
                let [x, y, z] = place.position;
                prop_assert!(tiles.contains(&((z * 1000.0).round() as u16)));
                prop_assert!(place.distance >= z);
                prop_assert!((place.distance - x.hypot(y).hypot(z)).abs() < 1e-9);
            }
        }

        #[test]
        fn the_ray_to_a_position_goes_through_the_middle_of_its_box(
            tiles in any_scene(), bbox in any_box(),
        ) {
            if let Some(place) = place(&tiled(&tiles), bbox) {
                let [x, y, z] = place.position;
                let seen = (0.5 + 0.75 * x / z, 0.5 + 1.0 * y / z);
                prop_assert!((seen.0 - bbox.l - bbox.w / 2.0).abs() < 1e-9);
                prop_assert!((seen.1 - bbox.t - bbox.h / 2.0).abs() < 1e-9);
            }
        }

        #[test]
        fn in_a_mirror_all_is_as_far(tiles in any_scene()) {
            let mirrored: Vec<_> = tiles.chunks(8).flat_map(|row| row.iter().rev().copied()).collect();
            let there = depth(&tiled(&tiles), PERSON);
            prop_assert_eq!(there, depth(&tiled(&mirrored), PERSON));
        }

        #[test]
        fn twice_as_far_is_told_as_twice_as_far(tiles in any_scene(), bbox in any_box()) {
            let doubled: Vec<_> = tiles.iter().map(|depth| 2 * depth).collect();
            let there = depth(&tiled(&tiles), bbox).map(|depth| 2.0 * depth);
            let far = depth(&tiled(&doubled), bbox);
            prop_assert_eq!(there.is_some(), far.is_some());
            prop_assert!((there.unwrap_or(0.0) - far.unwrap_or(0.0)).abs() < 1e-9);
        }

        #[test]
        fn whatever_lies_behind_or_is_unknown_changes_no_depth(
            background in any_scene(), front in 300..15_000_u16, share in 3..=8_usize,
        ) {
            // The object takes `share` of each eight columns.
            let behind = |depth: u16| match depth {
                0 => 0,
                _ => depth.max((f64::from(front) * REACH).ceil() as u16 + 1),
            };
            let scene = map(|x, y| match x % 8 < share {
                true => front,
                false => behind(background[y / 20 * 8 + x / 20]),
            });
            prop_assert_eq!(depth(&scene, PERSON), Some(f64::from(front) / 1000.0));
        }
    }
}
