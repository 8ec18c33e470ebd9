//! What a camera feels, on its pictures: one custom meta a frame, `GstEvrZedMeta`, without
//! coordinates, so that scaling and conversion keep it. Positions are in metres here, as everywhere
//! in the plugin.
//!
//! Its structure has, where the camera knows them: `acceleration` (m/s², three doubles),
//! `angular-velocity` (degrees a second), `orientation` (quaternion x, y, z, w), `magnetic-field`
//! (µT), `pressure` (hPa), `humidity` (percent), `temperature`, `temperature-left`,
//! `temperature-right` (°C), `position` (metres) and `rotation` of the camera, `calibrated`.

use evr_zed::{sdk, svo, uvc};
use serde_json::{Map, Value};

use crate::bridge::{detection, meta};

const META: &str = "GstEvrZedMeta";

/// Makes the meta known; harmless to repeat.
pub(super) fn register_meta() {
    meta::make_known(META);
}

fn array<const N: usize>(values: [f32; N]) -> gst::Array {
    gst::Array::new(values.map(f64::from))
}

fn metres(millimetres: [f32; 3]) -> [f32; 3] {
    millimetres.map(|value| value / 1000.0)
}

/// Where an object is, for its region of interest; nothing where that is not known.
pub(super) fn space(object: &sdk::Object) -> Option<gst::Structure> {
    let position = metres(object.position?).map(f64::from);
    let mut space = detection::space(f64::from(object.distance()?), Some(position));
    space.set("tracking", object.tracking);
    space.set("moving", object.moving);
    space.set("body", object.is_body);
    if let Some(velocity) = object.velocity {
        space.set("velocity", array(metres(velocity)));
    }
    if let Some(dimensions) = object.dimensions {
        space.set("dimensions", array(metres(dimensions)));
    }
    Some(space)
}

fn set<const N: usize>(fields: &mut gst::StructureRef, name: &str, values: Option<[f32; N]>) {
    if let Some(values) = values {
        fields.set(name, array(values));
    }
}

fn set_number(fields: &mut gst::StructureRef, name: &str, value: Option<f32>) {
    if let Some(value) = value {
        fields.set(name, f64::from(value));
    }
}

pub(super) fn attach_sdk(
    buffer: &mut gst::BufferRef,
    frame: &sdk::Frame,
) -> Result<(), glib::BoolError> {
    if frame.sensors.is_none() && frame.pose.is_none() {
        return Ok(());
    }
    let mut meta = gst::meta::CustomMeta::add(buffer, META)?;
    let fields = meta.mut_structure();
    fields.set("calibrated", true);
    if let Some(sensors) = &frame.sensors {
        let imu = sensors.imu.as_ref();
        set(fields, "acceleration", imu.map(|imu| imu.acceleration));
        set(
            fields,
            "angular-velocity",
            imu.map(|imu| imu.angular_velocity),
        );
        set(fields, "orientation", imu.map(|imu| imu.orientation));
        set(fields, "magnetic-field", sensors.magnetic_field);
        set_number(fields, "pressure", sensors.pressure);
        set_number(fields, "temperature", sensors.temperature.imu);
        set_number(fields, "temperature-left", sensors.temperature.left);
        set_number(fields, "temperature-right", sensors.temperature.right);
    }
    if let Some(pose) = &frame.pose {
        set(fields, "position", Some(metres(pose.position)));
        set(fields, "rotation", Some(pose.orientation));
    }
    Ok(())
}

pub(super) fn attach_uvc(
    buffer: &mut gst::BufferRef,
    readings: &uvc::Readings,
) -> Result<(), glib::BoolError> {
    let mut meta = gst::meta::CustomMeta::add(buffer, META)?;
    let fields = meta.mut_structure();
    fields.set("calibrated", false);
    set(
        fields,
        "acceleration",
        readings.imu.map(|imu| imu.acceleration),
    );
    set(
        fields,
        "angular-velocity",
        readings.imu.map(|imu| imu.angular_velocity),
    );
    set(fields, "magnetic-field", readings.magnetic_field);
    let environment = readings.environment;
    set_number(fields, "pressure", environment.map(|read| read.pressure));
    set_number(fields, "humidity", environment.map(|read| read.humidity));
    set_number(
        fields,
        "temperature",
        readings.imu.map(|imu| imu.temperature),
    );
    let [left, right] = readings.camera_temperature;
    set_number(fields, "temperature-left", left);
    set_number(fields, "temperature-right", right);
    Ok(())
}

pub(super) fn attach_svo(
    buffer: &mut gst::BufferRef,
    felt: &svo::Sensed,
) -> Result<(), glib::BoolError> {
    let mut meta = gst::meta::CustomMeta::add(buffer, META)?;
    let fields = meta.mut_structure();
    fields.set("calibrated", false);
    set(fields, "acceleration", felt.acceleration);
    set(fields, "angular-velocity", felt.angular_velocity);
    set(fields, "orientation", felt.orientation);
    set_number(fields, "temperature", felt.temperature);
    Ok(())
}

/// Gives a picture what the one that it was made from carries.
pub(super) fn carry(from: &gst::BufferRef, to: &mut gst::BufferRef) -> Result<(), glib::BoolError> {
    let Ok(meta) = gst::meta::CustomMeta::from_buffer(from, META) else {
        return Ok(());
    };
    let mut carried = gst::meta::CustomMeta::add(to, META)?;
    for (name, value) in meta.structure().iter() {
        carried.mut_structure().set_value(name, value.clone());
    }
    Ok(())
}

/// What a picture carries, as members `sensors` and `pose` of an object, where it carries any.
pub(super) fn json(buffer: &gst::BufferRef) -> Map<String, Value> {
    let Ok(meta) = gst::meta::CustomMeta::from_buffer(buffer, META) else {
        return Map::new();
    };
    let (mut sensors, mut pose) = (Map::new(), Map::new());
    for (name, value) in meta.structure().iter() {
        let of = match name.as_str() {
            "position" | "rotation" => &mut pose,
            _ => &mut sensors,
        };
        of.extend(plain(value).map(|value| (name.replace('-', "_"), value)));
    }
    let members = [("sensors", sensors), ("pose", pose)].into_iter();
    let members = members.filter(|(_, fields)| !fields.is_empty());
    members
        .map(|(name, fields)| (name.to_owned(), fields.into()))
        .collect()
}

/// A truth value, a number or numbers.
fn plain(value: &glib::Value) -> Option<Value> {
    if let Ok(truth) = value.get::<bool>() {
        return Some(truth.into());
    }
    if let Ok(number) = value.get::<f64>() {
        return Some(number.into());
    }
    let numbers = value.get::<gst::Array>().ok()?;
    Some(numbers.iter().filter_map(|number| plain(number)).collect())
}
