//! The memory that the SDK's C library and this crate share: its structures, as 5.0 to 5.2 lay
//! them out on 64-bit machines.
//!
//! Belongs here: `#[repr(C)]` types, the assertions that hold their sizes and offsets, and the few
//! numbers of its enumerations that we pass. What the values mean to the rest of the crate stands
//! in `params` (towards the SDK) and `read` (from it). Names are the SDK's without `SL_`.
//!
//! The library's own `enum` and `bool` fields are plain numbers here: a value that Rust's types do
//! not know would be undefined behaviour, and what the SDK writes is not ours to promise.

use std::ffi::{c_char, c_void};
use std::mem::{offset_of, size_of};

/// Most objects or bodies that one list holds.
pub const MAX_OBJECTS: usize = 75;

/// `SL_MEM_CPU`.
pub const MEM_CPU: i32 = 0;
/// `SL_VIEW_LEFT` and `SL_VIEW_RIGHT`: numbers that every version shares.
pub const VIEW_LEFT: i32 = 0;
pub const VIEW_RIGHT: i32 = 1;
/// `SL_MEASURE_DEPTH`: 32-bit floats in the unit of the parameters.
pub const MEASURE_DEPTH: i32 = 1;
/// `SL_TIME_REFERENCE_IMAGE`.
pub const TIME_IMAGE: i32 = 0;
/// `SL_UNIT_MILLIMETER`.
pub const UNIT_MILLIMETRE: i32 = 0;
/// `SL_INPUT_TYPE`.
pub const INPUT_USB: i32 = 0;
pub const INPUT_SVO: i32 = 1;
pub const INPUT_STREAM: i32 = 2;
pub const INPUT_GMSL: i32 = 3;

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct InitParameters {
    pub input_type: i32,
    pub resolution: i32,
    pub camera_fps: i32,
    pub camera_device_id: i32,
    pub camera_image_flip: i32,
    pub camera_disable_self_calib: u8,
    pub enable_right_side_measure: u8,
    pub svo_real_time_mode: u8,
    pub depth_mode: i32,
    pub depth_stabilization: i32,
    pub depth_minimum_distance: f32,
    pub depth_maximum_distance: f32,
    pub coordinate_unit: i32,
    pub coordinate_system: i32,
    pub sdk_gpu_id: i32,
    pub sdk_verbose: i32,
    pub sensors_required: u8,
    pub enable_image_enhancement: u8,
    pub open_timeout_sec: f32,
    pub async_grab_camera_recovery: u8,
    pub grab_compute_capping_fps: f32,
    pub enable_image_validity_check: u8,
    pub maximum_working_resolution: Resolution,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Resolution {
    pub width: i32,
    pub height: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RuntimeParameters {
    pub measure3d_reference_frame: i32,
    pub enable_depth: u8,
    pub enable_fill_mode: u8,
    pub confidence_threshold: i32,
    pub texture_confidence_threshold: i32,
    pub remove_saturated_areas: u8,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rect {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct ImuData {
    pub is_available: u8,
    pub timestamp_ns: u64,
    /// Degrees a second.
    pub angular_velocity: [f32; 3],
    /// Metres a second squared.
    pub linear_acceleration: [f32; 3],
    pub angular_velocity_uncalibrated: [f32; 3],
    pub linear_acceleration_uncalibrated: [f32; 3],
    /// Quaternion x, y, z, w.
    pub orientation: [f32; 4],
    pub covariances: [[f32; 9]; 3],
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct BarometerData {
    pub is_available: u8,
    pub timestamp_ns: u64,
    /// Hectopascals.
    pub pressure: f32,
    pub relative_altitude: f32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct MagnetometerData {
    pub is_available: u8,
    pub timestamp_ns: u64,
    /// Microteslas.
    pub field_calibrated: [f32; 3],
    pub field_uncalibrated: [f32; 3],
    pub heading: [f32; 4],
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct SensorsData {
    pub imu: ImuData,
    pub barometer: BarometerData,
    pub magnetometer: MagnetometerData,
    /// Of the IMU, the barometer, the left and the right sensor, in degrees Celsius.
    pub temperature: [f32; 4],
    pub camera_moving_state: i32,
    pub image_sync_trigger: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct PoseData {
    pub valid: u8,
    pub timestamp_ns: u64,
    /// Quaternion x, y, z, w.
    pub rotation: [f32; 4],
    pub translation: [f32; 3],
    pub pose_confidence: i32,
    /// Covariances and twist, which nobody reads here.
    pub rest: [f32; 78],
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ObjectData {
    pub id: i32,
    pub unique_object_id: [u8; 37],
    pub raw_label: i32,
    pub label: i32,
    pub sublabel: i32,
    pub tracking_state: i32,
    pub action_state: i32,
    pub position: [f32; 3],
    /// From 0 to 100.
    pub confidence: f32,
    pub mask: *mut c_void,
    /// Corners in pixels, clockwise from the top left.
    pub bounding_box_2d: [[f32; 2]; 4],
    pub head_position: [f32; 3],
    pub velocity: [f32; 3],
    pub dimensions: [f32; 3],
    pub bounding_box: [[f32; 3]; 8],
    pub head_bounding_box: [f32; 32],
    pub position_covariance: [f32; 6],
}

#[repr(C)]
pub struct Objects {
    pub nb_objects: i32,
    pub timestamp: u64,
    pub is_new: i32,
    pub is_tracked: i32,
    pub detection_model: i32,
    pub list: [ObjectData; MAX_OBJECTS],
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct BodyData {
    pub id: i32,
    pub unique_object_id: [u8; 37],
    pub tracking_state: i32,
    pub action_state: i32,
    pub position: [f32; 3],
    pub velocity: [f32; 3],
    pub position_covariance: [f32; 6],
    /// From 0 to 100.
    pub confidence: f32,
    pub mask: *mut c_void,
    /// Corners in pixels, clockwise from the top left.
    pub bounding_box_2d: [[f32; 2]; 4],
    pub head_position: [f32; 3],
    pub dimensions: [f32; 3],
    pub bounding_box: [[f32; 3]; 8],
    /// The head's boxes, key points and joints, which nobody reads here.
    pub skeleton: [f32; 758],
}

#[repr(C)]
pub struct Bodies {
    pub nb_bodies: i32,
    pub timestamp: u64,
    pub is_new: i32,
    pub is_tracked: i32,
    pub inference_precision: i32,
    pub body_format: i32,
    pub list: [BodyData; MAX_OBJECTS],
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ObjectDetectionParameters {
    pub instance_module_id: u32,
    pub enable_tracking: u8,
    pub enable_segmentation: u8,
    pub detection_model: i32,
    pub fused_objects_group_name: *const c_char,
    pub custom_onnx_file: *const c_char,
    pub custom_onnx_dynamic_input_shape: Resolution,
    pub max_range: f32,
    pub batch_enable: u8,
    pub batch_retention_time: f32,
    pub batch_latency: f32,
    pub filtering_mode: i32,
    pub prediction_timeout_s: f32,
    pub allow_reduced_precision_inference: u8,
}

/// As 5.2 lays it out; 5.0 and 5.1 read only the first 60 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ObjectDetectionRuntimeParameters {
    pub detection_confidence_threshold: f32,
    pub object_class_filter: [i32; 7],
    pub object_confidence_threshold: [i32; 7],
    /// For all objects, then for each class.
    pub tracking: [TrackingHints; 8],
}

/// What 5.2 may be told of how objects move.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TrackingHints {
    pub acceleration_preset: i32,
    pub velocity_smoothing_factor: f32,
    pub min_velocity_threshold: f32,
    pub prediction_timeout_s: f32,
    pub min_confirmation_time_s: f32,
}

impl TrackingHints {
    /// Leaves each to the SDK: it reads negative values so.
    pub const UNSET: Self = Self {
        acceleration_preset: 0,
        velocity_smoothing_factor: -1.0,
        min_velocity_threshold: -1.0,
        prediction_timeout_s: -1.0,
        min_confirmation_time_s: -1.0,
    };
}

/// As 5.1 and 5.2 lay it out; 5.0 reads only the first 48 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct PositionalTrackingParameters {
    pub initial_world_rotation: [f32; 4],
    pub initial_world_position: [f32; 3],
    pub enable_area_memory: u8,
    pub enable_pose_smoothing: u8,
    pub set_floor_as_origin: u8,
    pub set_as_static: u8,
    pub enable_imu_fusion: u8,
    pub depth_min_range: f32,
    pub set_gravity_as_origin: u8,
    pub mode: i32,
    pub enable_localization_only: u8,
    pub enable_2d_ground_mode: u8,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct BodyTrackingParameters {
    pub instance_module_id: u32,
    pub enable_tracking: u8,
    pub enable_segmentation: u8,
    pub detection_model: i32,
    pub enable_body_fitting: u8,
    pub body_format: i32,
    pub body_selection: i32,
    pub max_range: f32,
    pub prediction_timeout_s: f32,
    pub allow_reduced_precision_inference: u8,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct BodyTrackingRuntimeParameters {
    pub detection_confidence_threshold: f32,
    pub minimum_keypoints_threshold: i32,
    pub skeleton_smoothing: f32,
}

/// Holds at compile time that a structure has its size and its fields their places.
macro_rules! layout {
    ($type:ty, $size:literal $(, $field:ident @ $at:literal)* $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size);
            $(assert!(offset_of!($type, $field) == $at);)*
        };
    };
}

layout!(InitParameters, 84, input_type @ 0, resolution @ 4, camera_fps @ 8,
    camera_device_id @ 12, camera_image_flip @ 16, camera_disable_self_calib @ 20,
    enable_right_side_measure @ 21, svo_real_time_mode @ 22, depth_mode @ 24,
    depth_stabilization @ 28, depth_minimum_distance @ 32, depth_maximum_distance @ 36,
    coordinate_unit @ 40, coordinate_system @ 44, sdk_gpu_id @ 48, sdk_verbose @ 52,
    sensors_required @ 56, enable_image_enhancement @ 57, open_timeout_sec @ 60,
    async_grab_camera_recovery @ 64, grab_compute_capping_fps @ 68,
    enable_image_validity_check @ 72, maximum_working_resolution @ 76);
layout!(RuntimeParameters, 20, measure3d_reference_frame @ 0, enable_depth @ 4,
    enable_fill_mode @ 5, confidence_threshold @ 8, texture_confidence_threshold @ 12,
    remove_saturated_areas @ 16);
layout!(Rect, 16);
layout!(ImuData, 192, is_available @ 0, timestamp_ns @ 8, angular_velocity @ 16,
    linear_acceleration @ 28, angular_velocity_uncalibrated @ 40,
    linear_acceleration_uncalibrated @ 52, orientation @ 64, covariances @ 80);
layout!(SensorsData, 296, imu @ 0, barometer @ 192, magnetometer @ 216, temperature @ 272,
    camera_moving_state @ 288, image_sync_trigger @ 292);
layout!(BarometerData, 24, timestamp_ns @ 8, pressure @ 16, relative_altitude @ 20);
layout!(MagnetometerData, 56, timestamp_ns @ 8, field_calibrated @ 16,
    field_uncalibrated @ 28, heading @ 40);
layout!(PoseData, 360, valid @ 0, timestamp_ns @ 8, rotation @ 16, translation @ 32,
    pose_confidence @ 44);
layout!(ObjectData, 408, id @ 0, unique_object_id @ 4, raw_label @ 44, label @ 48,
    sublabel @ 52, tracking_state @ 56, action_state @ 60, position @ 64, confidence @ 76,
    mask @ 80, bounding_box_2d @ 88, head_position @ 120, velocity @ 132, dimensions @ 144,
    bounding_box @ 156, position_covariance @ 380);
layout!(Objects, 30632, nb_objects @ 0, timestamp @ 8, is_new @ 16, is_tracked @ 20,
    detection_model @ 24, list @ 32);
layout!(BodyData, 3296, id @ 0, unique_object_id @ 4, tracking_state @ 44, action_state @ 48,
    position @ 52, velocity @ 64, position_covariance @ 76, confidence @ 100, mask @ 104,
    bounding_box_2d @ 112, head_position @ 144, dimensions @ 156, bounding_box @ 168);
layout!(Bodies, 247232, nb_bodies @ 0, timestamp @ 8, is_new @ 16, is_tracked @ 20,
    inference_precision @ 24, body_format @ 28, list @ 32);
layout!(ObjectDetectionParameters, 72, instance_module_id @ 0, enable_tracking @ 4,
    enable_segmentation @ 5, detection_model @ 8, fused_objects_group_name @ 16,
    custom_onnx_file @ 24, custom_onnx_dynamic_input_shape @ 32, max_range @ 40,
    batch_enable @ 44, filtering_mode @ 56, prediction_timeout_s @ 60,
    allow_reduced_precision_inference @ 64);
layout!(ObjectDetectionRuntimeParameters, 220, detection_confidence_threshold @ 0,
    object_class_filter @ 4, object_confidence_threshold @ 32, tracking @ 60);
layout!(PositionalTrackingParameters, 52, initial_world_rotation @ 0,
    initial_world_position @ 16, enable_area_memory @ 28, enable_pose_smoothing @ 29,
    set_floor_as_origin @ 30, set_as_static @ 31, enable_imu_fusion @ 32,
    depth_min_range @ 36, set_gravity_as_origin @ 40, mode @ 44,
    enable_localization_only @ 48);
layout!(BodyTrackingParameters, 36, instance_module_id @ 0, enable_tracking @ 4,
    detection_model @ 8, enable_body_fitting @ 12, body_format @ 16, body_selection @ 20,
    max_range @ 24, prediction_timeout_s @ 28, allow_reduced_precision_inference @ 32);
layout!(BodyTrackingRuntimeParameters, 12);
