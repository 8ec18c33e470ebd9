//! The little of linear algebra that two cameras need: 3×3 matrices and rotations.

pub type Vector = [f64; 3];

/// A 3×3 matrix by rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matrix(pub [Vector; 3]);

impl Matrix {
    pub const IDENTITY: Self = Self([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);

    /// The rotation about `axis` by as many radians as the axis is long (Rodrigues' formula).
    #[must_use]
    pub fn rotation(axis: Vector) -> Self {
        let angle = norm(axis);
        if angle < 1e-12 {
            return Self::IDENTITY;
        }
        let [x, y, z] = axis.map(|component| component / angle);
        let (sin, cos) = angle.sin_cos();
        let rest = 1.0 - cos;
        Self([
            [
                cos + x * x * rest,
                x * y * rest - z * sin,
                x * z * rest + y * sin,
            ],
            [
                y * x * rest + z * sin,
                cos + y * y * rest,
                y * z * rest - x * sin,
            ],
            [
                z * x * rest - y * sin,
                z * y * rest + x * sin,
                cos + z * z * rest,
            ],
        ])
    }

    #[must_use]
    pub fn transposed(self) -> Self {
        let [a, b, c] = self.0;
        Self([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [a[2], b[2], c[2]]])
    }

    #[must_use]
    pub fn apply(self, v: Vector) -> Vector {
        self.0.map(|row| dot(row, v))
    }

    /// `self` after `first`.
    #[must_use]
    pub fn after(self, first: Self) -> Self {
        let columns = first.transposed().0;
        Self(self.0.map(|row| columns.map(|column| dot(row, column))))
    }
}

#[must_use]
pub fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[must_use]
pub fn norm(v: Vector) -> f64 {
    dot(v, v).sqrt()
}

#[must_use]
pub fn cross(a: Vector, b: Vector) -> Vector {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_about_z_takes_x_to_y_and_back() {
        let turn = Matrix::rotation([0.0, 0.0, std::f64::consts::FRAC_PI_2]);
        let [x, y, z] = turn.apply([1.0, 0.0, 0.0]);
        assert!(x.abs() < 1e-12 && (y - 1.0).abs() < 1e-12 && z == 0.0);
        let round = turn.transposed().after(turn);
        for (row, expected) in round.0.iter().zip(Matrix::IDENTITY.0) {
            for (a, b) in row.iter().zip(expected) {
                assert!((a - b).abs() < 1e-12);
            }
        }
    }
}
