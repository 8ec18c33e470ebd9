//! Walks whose truth is known, and what a detector makes of them.

use super::metrics::Frames;
use crate::detection::{BoundingBox, Detection};
use crate::time::Nanos;

pub(super) const FRAME: Nanos = 40_000_000;
pub(super) const ASPECT: f64 = 16.0 / 9.0;

/// Numbers that look random and are the same in every run (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

/// A scene: the truth, frame by frame, whoever is nearer first.
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) truth: Frames,
    /// Share of the objects that the detector misses in a frame.
    missed: f64,
}

/// A person whose feet are at `(x, y)`; who is lower in the picture is nearer and larger.
fn person(x: f64, y: f64) -> BoundingBox {
    let h = 0.1 + 0.25 * y;
    let w = 0.4 * h / ASPECT;
    BoundingBox::from_corners(x - w / 2.0, y - h, x + w / 2.0, y)
}

/// Two people cross, again and again, one behind the other.
pub(super) fn crossing() -> Scene {
    let walk = |n: usize| {
        let way = 0.4 * (n as f64 / 50.0).cos();
        vec![(1, person(0.5 - way, 0.8)), (2, person(0.5 + way, 0.77))]
    };
    Scene {
        name: "crossing paths",
        truth: (0..600).map(walk).collect(),
        missed: 0.0,
    }
}

/// People walk past a pillar that hides them for about a second.
pub(super) fn occlusion() -> Scene {
    let pillar = 0.45..0.55;
    let walk = |n: usize| {
        let all = (0..3).map(|k| {
            let way = ((n + 70 * k) % 250) as f64 / 250.0;
            let round = ((n + 70 * k) / 250) as i64 * 3;
            (
                round + k as i64 + 1,
                0.05 + 0.9 * way,
                0.6 + 0.15 * k as f64,
            )
        });
        all.filter(|(_, x, _)| !pillar.contains(x))
            .map(|(id, x, y)| (id, person(x, y)))
            .collect()
    };
    Scene {
        name: "occlusion",
        truth: (0..750).map(walk).collect(),
        missed: 0.0,
    }
}

/// Twelve people go to and fro, and the detector misses three of ten.
pub(super) fn crowd(seed: u64, frames: usize) -> Scene {
    let mut random = Random(seed);
    let mut people: Vec<[f64; 4]> = (0..12)
        .map(|_| {
            let speed = random.between(0.002, 0.006) * if random.unit() < 0.5 { 1.0 } else { -1.0 };
            let drift = random.between(-0.001, 0.001);
            [
                random.between(0.1, 0.9),
                random.between(0.4, 0.9),
                speed,
                drift,
            ]
        })
        .collect();
    let mut walk = |_| {
        for [x, y, speed, drift] in &mut people {
            *speed += random.between(-0.000_2, 0.000_2);
            (*x, *y) = (*x + *speed, *y + *drift);
            if !(0.05..0.95).contains(x) {
                *speed = -*speed;
                *x = x.clamp(0.05, 0.95);
            }
            if !(0.35..0.95).contains(y) {
                *drift = -*drift;
                *y = y.clamp(0.35, 0.95);
            }
        }
        let boxes = people.iter().map(|[x, y, ..]| person(*x, *y));
        (1..).zip(boxes).collect()
    };
    Scene {
        name: "crowd with 30 % missed",
        truth: (0..frames).map(&mut walk).collect(),
        missed: 0.3,
    }
}

impl Scene {
    /// What a detector sees: boxes that tremble, some missed, who is covered for the most part not
    /// seen, or only with low confidence.
    pub(super) fn detections(&self, seed: u64) -> Vec<Vec<Detection>> {
        let mut random = Random(seed);
        let see = |objects: &Vec<(i64, BoundingBox)>| {
            let mut seen = Vec::new();
            for (_, at) in objects {
                let nearer = objects
                    .iter()
                    .filter(|other| other.1.t + other.1.h > at.t + at.h);
                let covered = nearer.map(|other| share(at, &other.1)).fold(0.0, f64::max);
                let missed = random.unit() < self.missed;
                let mut tremble = || random.between(-0.04, 0.04);
                let (dl, dt, dr, db) = (tremble(), tremble(), tremble(), tremble());
                if missed || covered > 0.7 {
                    continue;
                }
                seen.push(Detection {
                    label: "person".into(),
                    label_id: 1,
                    confidence: if covered > 0.4 { 0.3 } else { 0.8 },
                    bbox: BoundingBox::from_corners(
                        at.l + dl * at.w,
                        at.t + dt * at.h,
                        at.l + at.w + dr * at.w,
                        at.t + at.h + db * at.h,
                    ),
                    track_id: None,
                    distance: None,
                    position: None,
                });
            }
            seen
        };
        self.truth.iter().map(see).collect()
    }
}

/// Share of a box that another covers.
fn share(of: &BoundingBox, by: &BoundingBox) -> f64 {
    let w = (of.l + of.w).min(by.l + by.w) - of.l.max(by.l);
    let h = (of.t + of.h).min(by.t + by.h) - of.t.max(by.t);
    w.max(0.0) * h.max(0.0) / of.area()
}
