//! What the SDK tells of one frame, read out of its structures into plain values.
//!
//! Belongs here: the reading and its caution. Numbers of enumerations that are unknown here become
//! "unknown", lists are cut to what they can hold, and what is not a number becomes "not there".

use super::abi;
use super::matrix::Rows;
use super::modules::CLASSES;

/// An eye's rectified picture, BGRA, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub width: usize,
    pub height: usize,
    pub data: Vec<u8>,
}

/// Distances along the left camera's axis in millimetres; 0 is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepthMap {
    pub width: usize,
    pub height: usize,
    pub data: Vec<u16>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frame {
    /// When it was taken, in ns since 1970.
    pub captured: u64,
    /// The SDK found it damaged.
    pub corrupted: bool,
    /// Frames the SDK has dropped since the camera was opened.
    pub dropped: u32,
    /// Frames that went missing since then: those, and the ones that newer ones replaced before
    /// anyone fetched them.
    pub lost: u64,
    pub left: Option<Image>,
    pub right: Option<Image>,
    pub depth: Option<DepthMap>,
    /// Whether objects or bodies were looked for in this frame.
    pub detected: bool,
    pub objects: Vec<Object>,
    pub pose: Option<Pose>,
    pub sensors: Option<Sensors>,
}

/// An object or a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// The SDK's number of its track.
    pub id: Option<i32>,
    pub label: &'static str,
    /// The class of an own model.
    pub raw_label: Option<i32>,
    /// From 0 to 1.
    pub confidence: f32,
    /// Left, top, right and bottom in fractions of the picture.
    pub bounds: [f32; 4],
    /// Millimetres in the coordinate system that was asked for.
    pub position: Option<[f32; 3]>,
    /// Millimetres a second.
    pub velocity: Option<[f32; 3]>,
    /// Width, height and length in millimetres.
    pub dimensions: Option<[f32; 3]>,
    pub tracking: &'static str,
    pub moving: bool,
    pub is_body: bool,
}

impl Object {
    /// Metres from where positions are measured.
    pub fn distance(&self) -> Option<f32> {
        let [x, y, z] = self.position?;
        Some((x * x + y * y + z * z).sqrt() / 1000.0)
    }
}

/// Where the camera is.
#[derive(Debug, Clone, PartialEq)]
pub struct Pose {
    /// Millimetres.
    pub position: [f32; 3],
    /// Quaternion x, y, z, w.
    pub orientation: [f32; 4],
    /// From 0 to 100.
    pub confidence: i32,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sensors {
    pub imu: Option<Imu>,
    /// Hectopascals.
    pub pressure: Option<f32>,
    /// Microteslas.
    pub magnetic_field: Option<[f32; 3]>,
    /// Degrees Celsius.
    pub temperature: Temperatures,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Temperatures {
    pub imu: Option<f32>,
    pub barometer: Option<f32>,
    pub left: Option<f32>,
    pub right: Option<f32>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Imu {
    /// Metres a second squared.
    pub acceleration: [f32; 3],
    /// Degrees a second.
    pub angular_velocity: [f32; 3],
    /// Quaternion x, y, z, w.
    pub orientation: [f32; 4],
    /// ns since 1970.
    pub taken: u64,
}

fn finite<const N: usize>(values: [f32; N]) -> Option<[f32; N]> {
    values
        .iter()
        .all(|value| value.is_finite())
        .then_some(values)
}

/// The rows without what pads them.
pub(super) fn image(rows: Rows<'_>) -> Image {
    let bytes = rows.width * 4;
    let mut data = Vec::with_capacity(bytes * rows.height);
    for row in rows.bytes.chunks(rows.step) {
        data.extend_from_slice(&row[..bytes]);
    }
    Image {
        width: rows.width,
        height: rows.height,
        data,
    }
}

/// Depth from 32-bit floats: what is no number, negative or beyond 65.535 m is not known.
pub(super) fn depth(rows: Rows<'_>) -> DepthMap {
    let mut data = Vec::with_capacity(rows.width * rows.height);
    for row in rows.bytes.chunks(rows.step) {
        let (values, _) = row[..rows.width * 4].as_chunks::<4>();
        data.extend(
            values
                .iter()
                .map(|&bytes| millimetres(f32::from_ne_bytes(bytes))),
        );
    }
    DepthMap {
        width: rows.width,
        height: rows.height,
        data,
    }
}

fn millimetres(value: f32) -> u16 {
    let rounded = value.round();
    if (0.0..=f32::from(u16::MAX)).contains(&rounded) {
        rounded as u16
    } else {
        0
    }
}

pub(super) fn pose(data: &abi::PoseData) -> Option<Pose> {
    (data.valid != 0).then_some(())?;
    Some(Pose {
        position: finite(data.translation)?,
        orientation: finite(data.rotation)?,
        confidence: data.pose_confidence,
    })
}

pub(super) fn sensors(data: &abi::SensorsData) -> Sensors {
    let imu = || {
        (data.imu.is_available != 0).then_some(())?;
        Some(Imu {
            acceleration: finite(data.imu.linear_acceleration)?,
            angular_velocity: finite(data.imu.angular_velocity)?,
            orientation: finite(data.imu.orientation)?,
            taken: data.imu.timestamp_ns,
        })
    };
    let pressure = (data.barometer.is_available != 0).then_some(data.barometer.pressure);
    let field = (data.magnetometer.is_available != 0).then_some(data.magnetometer.field_calibrated);
    // The SDK says -100 of a sensor that is not there.
    let degrees =
        |at: usize| Some(data.temperature[at]).filter(|value| (-99.0..200.0).contains(value));
    Sensors {
        imu: imu(),
        pressure: pressure.filter(|value| value.is_finite()),
        magnetic_field: field.and_then(finite),
        temperature: Temperatures {
            imu: degrees(0),
            barometer: degrees(1),
            left: degrees(2),
            right: degrees(3),
        },
    }
}

/// What objects and bodies have in common.
struct Found {
    id: i32,
    tracking_state: i32,
    action_state: i32,
    confidence: f32,
    corners: [[f32; 2]; 4],
    position: [f32; 3],
    velocity: [f32; 3],
    dimensions: [f32; 3],
}

/// Reads one, or nothing where it has no box within a picture of `size`.
fn found(data: &Found, label: &'static str, size: (f32, f32)) -> Option<Object> {
    let bounds = bounds(&data.corners, size)?;
    Some(Object {
        id: Some(data.id).filter(|&id| id >= 0),
        label,
        raw_label: None,
        confidence: Some(data.confidence / 100.0)
            .filter(|value| value.is_finite())?
            .clamp(0.0, 1.0),
        bounds,
        position: finite(data.position),
        velocity: finite(data.velocity),
        dimensions: finite(data.dimensions),
        tracking: match data.tracking_state {
            0 => "off",
            1 => "ok",
            2 => "searching",
            3 => "terminate",
            _ => "unknown",
        },
        moving: data.action_state == 1,
        is_body: false,
    })
}

/// The upright box around four corners in pixels, in fractions of the picture it was cut to.
fn bounds(corners: &[[f32; 2]; 4], (width, height): (f32, f32)) -> Option<[f32; 4]> {
    let axis = |at: usize, size: f32| {
        let values = finite(corners.map(|corner| corner[at]))?;
        let least = values.into_iter().fold(f32::INFINITY, f32::min);
        let most = values.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let (from, to) = (
            (least / size).clamp(0.0, 1.0),
            (most / size).clamp(0.0, 1.0),
        );
        (from < to).then_some((from, to))
    };
    let (left, right) = axis(0, width)?;
    let (top, bottom) = axis(1, height)?;
    Some([left, top, right, bottom])
}

/// At most as many as a list holds, whatever the SDK says.
fn listed<T>(count: i32, list: &[T]) -> &[T] {
    &list[..usize::try_from(count).unwrap_or(0).min(list.len())]
}

/// The objects whose boxes lie in a picture of `size` pixels.
pub(super) fn objects(data: &abi::Objects, size: (f32, f32), own_model: bool) -> Vec<Object> {
    let read = |object: &abi::ObjectData| {
        let known = usize::try_from(object.label).ok();
        let label = known.and_then(|label| CLASSES.get(label)).copied();
        let data = Found {
            id: object.id,
            tracking_state: object.tracking_state,
            action_state: object.action_state,
            confidence: object.confidence,
            corners: object.bounding_box_2d,
            position: object.position,
            velocity: object.velocity,
            dimensions: object.dimensions,
        };
        let mut read = found(&data, label.unwrap_or("unknown"), size)?;
        read.raw_label = own_model.then_some(object.raw_label);
        Some(read)
    };
    listed(data.nb_objects, &data.list)
        .iter()
        .filter_map(read)
        .collect()
}

/// The bodies whose boxes lie in a picture of `size` pixels.
pub(super) fn bodies(data: &abi::Bodies, size: (f32, f32)) -> Vec<Object> {
    let read = |body: &abi::BodyData| {
        let data = Found {
            id: body.id,
            tracking_state: body.tracking_state,
            action_state: body.action_state,
            confidence: body.confidence,
            corners: body.bounding_box_2d,
            position: body.position,
            velocity: body.velocity,
            dimensions: body.dimensions,
        };
        let mut read = found(&data, CLASSES[0], size)?;
        read.is_body = true;
        Some(read)
    };
    listed(data.nb_bodies, &data.list)
        .iter()
        .filter_map(read)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_that_is_no_distance_is_not_known() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 65_536.0] {
            assert_eq!(millimetres(value), 0, "{value}");
        }
        assert_eq!(millimetres(1234.5), 1235);
        assert_eq!(millimetres(65_535.0), 65_535);
    }

    #[test]
    fn a_box_is_upright_and_cut_to_the_picture() {
        let corners = [[-10.0, 20.0], [50.0, 18.0], [52.0, 60.0], [0.0, 61.0]];
        assert_eq!(
            bounds(&corners, (100.0, 100.0)),
            Some([0.0, 0.18, 0.52, 0.61])
        );
        let outside = corners.map(|[x, y]| [x + 200.0, y]);
        assert_eq!(bounds(&outside, (100.0, 100.0)), None);
        assert_eq!(bounds(&[[f32::NAN; 2]; 4], (100.0, 100.0)), None);
    }
}
