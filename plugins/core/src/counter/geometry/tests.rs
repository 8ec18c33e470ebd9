//! Zones and boxes by hand, and against what dots on a grid say.

use super::*;
use proptest::prelude::*;

const L: [(f64, f64); 6] = [
    (0.0, 0.0),
    (0.5, 0.0),
    (0.5, 0.5),
    (1.0, 0.5),
    (1.0, 1.0),
    (0.0, 1.0),
];

fn bbox(l: f64, t: f64, w: f64, h: f64) -> BoundingBox {
    BoundingBox { l, t, w, h }
}

/// Whether a segment goes through the inside of a box, exactly: it does unless all of it lies
/// on one side of the box, or all of the box on one side of it.
fn cuts(a: Point, b: Point, upper: Point, lower: Point) -> bool {
    let beside = a.x.max(b.x) <= upper.x
        || a.x.min(b.x) >= lower.x
        || a.y.max(b.y) <= upper.y
        || a.y.min(b.y) >= lower.y;
    let right = Point {
        x: lower.x,
        ..upper
    };
    let left = Point {
        x: upper.x,
        ..lower
    };
    let sides = [upper, right, lower, left].map(|corner| side(a, b, corner));
    let apart = sides.contains(&Ordering::Less) && sides.contains(&Ordering::Greater);
    !beside && apart
}

#[test]
fn a_concave_zone_holds_its_inside_and_its_outline_and_no_more() {
    for corners in [L.to_vec(), L.iter().rev().copied().collect()] {
        let zone = Polygon::new(&corners).expect("an L");
        for (x, y) in [
            (0.25, 0.25),
            (0.5, 0.25),
            (0.75, 0.75),
            (0.0, 0.0),
            (0.5, 0.5),
        ] {
            assert!(zone.contains(Point::new(x, y)), "({x}, {y})");
        }
        for (x, y) in [(0.75, 0.25), (0.500_001, 0.499_999), (1.1, 0.75)] {
            assert!(!zone.contains(Point::new(x, y)), "({x}, {y})");
        }
    }
}

#[test]
fn the_share_of_a_box_in_a_concave_zone_is_exact() {
    let zone = Polygon::new(&L).expect("an L");
    assert!((zone.share(&bbox(0.25, 0.25, 0.5, 0.5)) - 0.75).abs() < 1e-12);
    assert_eq!(zone.share(&bbox(0.6, 0.1, 0.2, 0.2)), 0.0);
    assert_eq!(zone.share(&bbox(0.1, 0.1, 0.2, 0.2)), 1.0);
    assert_eq!(zone.share(&bbox(0.75, 0.25, 0.0, 0.0)), 0.0);
}

#[test]
fn a_share_that_is_just_reached_is_enough_and_none_of_a_box_is_not() {
    let zone = [(0.2, 0.0), (1.0, 0.0), (1.0, 1.0), (0.2, 1.0)];
    let zone = Polygon::new(&zone).expect("a rectangle");
    let half = bbox(0.1, 0.0, 0.2, 0.5);
    assert!(zone.overlaps(&half, 0.5));
    assert!(!zone.overlaps(&half, 0.500_01));
    let at_the_edge = bbox(0.2, 0.1, 0.3, 0.3);
    assert_eq!(zone.share(&at_the_edge), 1.0);
    assert!(zone.overlaps(&at_the_edge, 1.0));
    // Of a share of nothing, something.
    assert!(zone.overlaps(&bbox(0.1, 0.1, 0.100_001, 0.1), 0.0));
    for beside in [bbox(0.1, 0.1, 0.1, 0.1), bbox(0.05, 0.1, 0.1, 0.1)] {
        assert!(!zone.overlaps(&beside, 0.0), "{beside:?}");
    }
}

#[test]
fn outlines_that_touch_themselves_are_refused_with_their_edges() {
    let refused = |corners: &[(f64, f64)]| Polygon::new(corners).expect_err("no zone");
    let bow = [(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)];
    assert_eq!(
        refused(&bow),
        ShapeError::Crossing {
            first: 0,
            second: 2
        }
    );
    let flat = [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)];
    assert!(matches!(refused(&flat), ShapeError::Crossing { .. }));
    let twice = [(0.0, 0.0), (0.0, 0.0), (1.0, 1.0), (1.0, 0.0)];
    assert!(matches!(refused(&twice), ShapeError::Crossing { .. }));
    assert_eq!(refused(&[(0.0, 0.0), (1.0, 1.0)]), ShapeError::Corners(2));
    assert!(matches!(
        refused(&[(0.0, 0.0), (1.5, 0.0), (1.0, 1.0)]),
        ShapeError::Outside { .. }
    ));
    let nan = [(0.0, 0.0), (f64::NAN, 0.0), (1.0, 1.0)];
    assert!(matches!(refused(&nan), ShapeError::Outside { .. }));
}

/// As many corners as that on a circle.
fn ring(corners: usize) -> Vec<(f64, f64)> {
    let angle = |n| n as f64 / corners as f64 * std::f64::consts::TAU;
    let corner = |n| {
        (
            0.5 + 0.4 * f64::cos(angle(n)),
            0.5 + 0.4 * f64::sin(angle(n)),
        )
    };
    (0..corners).map(corner).collect()
}

#[test]
fn an_outline_of_more_corners_than_can_be_checked_at_once_is_refused() {
    let most = Polygon::new(&ring(MAX_CORNERS)).expect("a circle, almost");
    let square = bbox(0.1, 0.1, 0.8, 0.8);
    let circle = std::f64::consts::FRAC_PI_4;
    assert!((most.share(&square) - circle).abs() < 1e-4);
    let refused = Polygon::new(&ring(MAX_CORNERS + 1));
    assert_eq!(refused, Err(ShapeError::Many(MAX_CORNERS + 1)));
}

#[test]
fn an_outline_may_end_where_it_began() {
    let closed = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)];
    assert_eq!(Polygon::new(&closed), Polygon::new(&closed[..3]));
}

proptest! {
    #[test]
    fn a_triangle_holds_what_lies_on_one_side_of_all_its_edges(
        grid in proptest::array::uniform8(0..=8_u8),
    ) {
        let at = |n: usize| (f64::from(grid[2 * n]) / 8.0, f64::from(grid[2 * n + 1]) / 8.0);
        let corners = [at(0), at(1), at(2)];
        let p = Point::new(at(3).0, at(3).1);
        let Ok(triangle) = Polygon::new(&corners) else { return Ok(()) };
        let [a, b, c] = corners.map(|(x, y)| Point::new(x, y));
        let sides = [side(a, b, p), side(b, c, p), side(c, a, p)];
        let inside = sides.iter().all(|s| s.is_le()) || sides.iter().all(|s| s.is_ge());
        prop_assert_eq!(triangle.contains(p), inside);
    }

    #[test]
    fn a_share_is_all_of_a_box_inside_nothing_of_one_outside_and_else_what_dots_say(
        grid in proptest::collection::vec((0..=8_u8, 0..=8_u8), 3..7),
        (l, t, w, h) in (0..=14_u8, 0..=14_u8, 1..=8_u8, 1..=8_u8),
        nudge in 0..=1_u8,
    ) {
        let at = |n: u8| f64::from(n) / 8.0;
        let corners: Vec<_> = grid.iter().map(|&(x, y)| (at(x), at(y))).collect();
        let Ok(polygon) = Polygon::new(&corners) else { return Ok(()) };
        // Between the grid's points, too, where no fraction is a whole number of steps.
        let off = f64::from(nudge) * 0.01;
        let (l, t) = (f64::from(l) / 16.0 + off, f64::from(t) / 16.0 + off);
        let (w, h) = (f64::from(w) / 16.0, f64::from(h) / 16.0);
        let share = polygon.share(&bbox(l, t, w, h));
        const DOTS: u32 = 40;
        let along = |n: u32| (f64::from(n) + 0.5) / f64::from(DOTS);
        let dots = (0..DOTS * DOTS).map(|n| {
            Point::new(l + w * along(n % DOTS), t + h * along(n / DOTS))
        });
        let inside = dots.filter(|dot| polygon.contains(*dot)).count();
        let counted = inside as f64 / f64::from(DOTS * DOTS);
        prop_assert!((share - counted).abs() < 0.06, "{} for {}", share, counted);
        let ends = [(l, t), (l + w, t), (l + w, t + h), (l, t + h)].map(|(x, y)| Point::new(x, y));
        let crossed = (0..polygon.corners.len()).any(|n| {
            let (a, b) = polygon.edge(n);
            cuts(a, b, ends[0], ends[2])
        });
        if !crossed {
            prop_assert_eq!(share, if inside > 0 { 1.0 } else { 0.0 });
        }
        prop_assert_eq!(polygon.overlaps(&bbox(l, t, w, h), 0.0), crossed || inside > 0);
    }

    #[test]
    fn turning_a_line_round_swaps_its_sides(grid in proptest::array::uniform6(0..=1_000_000_u32)) {
        let at = |n: usize| Point::new(f64::from(grid[2 * n]) / 1e6, f64::from(grid[2 * n + 1]) / 1e6);
        prop_assert_eq!(side(at(0), at(1), at(2)), side(at(1), at(0), at(2)).reverse());
    }
}
