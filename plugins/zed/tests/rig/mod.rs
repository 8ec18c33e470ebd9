//! A stereo camera that was never built: two distorted eyes, slightly turned against each other,
//! that look at a wall with a pattern on it. What they see is computed here from the published
//! formulas alone and shares no line with what is tested.

/// What a factory would write of this camera, for its VGA mode.
pub const CALIBRATION: &str = "\
[LEFT_CAM_VGA]\nfx=352.1\nfy=352.9\ncx=341.2\ncy=183.4\nk1=-0.171\nk2=0.0282\np1=0.0004\np2=-0.0006\nk3=-0.0011\n\
[RIGHT_CAM_VGA]\nfx=349.7\nfy=350.2\ncx=330.1\ncy=192.9\nk1=-0.168\nk2=0.0267\np1=-0.0003\np2=0.0005\nk3=-0.0009\n\
[STEREO]\nBaseline=119.87\nTY=0.61\nTZ=-0.43\nCV_VGA=0.0112\nRX_VGA=-0.0087\nRZ_VGA=0.0064\n";

pub const WIDTH: usize = 672;
pub const HEIGHT: usize = 376;
pub const BASELINE: f64 = 119.87;

pub struct Eye {
    focal: [f64; 2],
    centre: [f64; 2],
    k: [f64; 3],
    p: [f64; 2],
}

pub const LEFT: Eye = Eye {
    focal: [352.1, 352.9],
    centre: [341.2, 183.4],
    k: [-0.171, 0.0282, -0.0011],
    p: [0.0004, -0.0006],
};

pub const RIGHT: Eye = Eye {
    focal: [349.7, 350.2],
    centre: [330.1, 192.9],
    k: [-0.168, 0.0267, -0.0009],
    p: [-0.0003, 0.0005],
};

impl Eye {
    fn bend(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let r2 = x * x + y * y;
        let radial = 1.0 + self.k[0] * r2 + self.k[1] * r2.powi(2) + self.k[2] * r2.powi(3);
        let [p1, p2] = self.p;
        [
            x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
            y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
        ]
    }

    /// The pixel in which the eye sees a point of its own coordinates.
    pub fn sees(&self, [x, y, z]: [f64; 3]) -> [f64; 2] {
        let [x, y] = self.bend([x / z, y / z]);
        [
            x * self.focal[0] + self.centre[0],
            y * self.focal[1] + self.centre[1],
        ]
    }

    /// The direction in which a pixel looks, by Newton's method on numeric derivatives.
    pub fn looks(&self, [u, v]: [f64; 2]) -> [f64; 2] {
        let goal = [
            (u - self.centre[0]) / self.focal[0],
            (v - self.centre[1]) / self.focal[1],
        ];
        let mut at = goal;
        for _ in 0..8 {
            let h = 1e-6;
            let here = self.bend(at);
            let (dx, dy) = (self.bend([at[0] + h, at[1]]), self.bend([at[0], at[1] + h]));
            let (a, c) = ((dx[0] - here[0]) / h, (dx[1] - here[1]) / h);
            let (b, d) = ((dy[0] - here[0]) / h, (dy[1] - here[1]) / h);
            let (ex, ey) = (goal[0] - here[0], goal[1] - here[1]);
            let det = a * d - b * c;
            at = [
                at[0] + (d * ex - b * ey) / det,
                at[1] + (a * ey - c * ex) / det,
            ];
        }
        at
    }
}

/// The right eye's coordinates of a point in the left eye's, in millimetres.
pub fn to_right(point: [f64; 3]) -> [f64; 3] {
    let turned = turn(point, 1.0);
    [turned[0] - BASELINE, turned[1] + 0.61, turned[2] - 0.43]
}

fn from_right(point: [f64; 3]) -> [f64; 3] {
    turn(
        [point[0] + BASELINE, point[1] - 0.61, point[2] + 0.43],
        -1.0,
    )
}

/// Rodrigues' rotation by the vector (RX, CV, RZ), in its vector form.
fn turn(v: [f64; 3], sign: f64) -> [f64; 3] {
    let axis = [-0.0087, 0.0112, 0.0064];
    let angle = axis.iter().map(|a| a * a).sum::<f64>().sqrt();
    let k = axis.map(|a| a / angle);
    let (sin, cos) = (sign * angle).sin_cos();
    let along = (0..3).map(|n| k[n] * v[n]).sum::<f64>() * (1.0 - cos);
    let square = [
        k[1] * v[2] - k[2] * v[1],
        k[2] * v[0] - k[0] * v[2],
        k[0] * v[1] - k[1] * v[0],
    ];
    [0, 1, 2].map(|n| v[n] * cos + square[n] * sin + k[n] * along)
}

/// How bright the wall is at (x, y), in millimetres: waves of many lengths, none repeating the
/// others, so that every place looks different from its neighbours.
pub fn wall(x: f64, y: f64) -> u8 {
    let mut sum = 128.0;
    for n in 0..12u32 {
        let n = f64::from(n);
        let length = 28.0 * 1.37f64.powf(n * 0.7);
        let (sin, cos) = (n * 2.399).sin_cos();
        sum += 13.0 * ((x * cos + y * sin) / length * std::f64::consts::TAU + n * n).sin();
    }
    sum.round().clamp(0.0, 255.0) as u8
}

/// Both eyes in one picture, the left beside the right.
pub fn beside([left, right]: &[Vec<u8>; 2]) -> Vec<u8> {
    let rows = left.chunks(WIDTH).zip(right.chunks(WIDTH));
    rows.flat_map(|(left, right)| [left, right].concat())
        .collect()
}

/// What both eyes see of a wall `distance` mm before the left one, whose pattern stands `shift` mm
/// to the right: brightness by rows, left eye and right.
pub fn pictures(distance: f64, shift: f64) -> [Vec<u8>; 2] {
    let pixels = || (0..HEIGHT).flat_map(|v| (0..WIDTH).map(move |u| [u as f64, v as f64]));
    let left = pixels()
        .map(|pixel| {
            let [x, y] = LEFT.looks(pixel);
            wall(x * distance - shift, y * distance)
        })
        .collect();
    let eye = from_right([0.0; 3]);
    let right = pixels()
        .map(|pixel| {
            let [x, y] = RIGHT.looks(pixel);
            let far = from_right([x, y, 1.0]);
            let way = [0, 1, 2].map(|n| far[n] - eye[n]);
            let steps = (distance - eye[2]) / way[2];
            wall(eye[0] + way[0] * steps - shift, eye[1] + way[1] * steps)
        })
        .collect();
    [left, right]
}
