//! The SDK's modules beside pictures and depth: positional tracking, objects, bodies.
//!
//! Belongs here: what is asked of each, and its translation into the structures of `abi`. Lengths
//! are in millimetres.

use std::ffi::CString;
use std::path::PathBuf;

use super::abi;

#[derive(Debug, Clone, PartialEq)]
pub struct Tracking {
    /// 0 GEN_1, 1 GEN_2, 2 GEN_3.
    pub mode: i32,
    pub set_as_static: bool,
    pub area_memory: bool,
    pub imu_fusion: bool,
    pub pose_smoothing: bool,
    pub floor_as_origin: bool,
    pub gravity_as_origin: bool,
    pub area_file: Option<PathBuf>,
    pub depth_min_range: f32,
    /// Where the camera is at first.
    pub initial_position: [f32; 3],
    /// Roll, pitch and yaw in degrees at first.
    pub initial_rotation: [f32; 3],
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            mode: 0,
            set_as_static: false,
            area_memory: true,
            imu_fusion: true,
            pose_smoothing: true,
            floor_as_origin: false,
            gravity_as_origin: true,
            area_file: None,
            depth_min_range: -1.0,
            initial_position: [0.0; 3],
            initial_rotation: [0.0; 3],
        }
    }
}

/// The classes of the SDK's own detector in its order.
pub const CLASSES: [&str; 7] = [
    "person",
    "vehicle",
    "bag",
    "animal",
    "electronics",
    "fruit-vegetable",
    "sport",
];

#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    pub instance: u32,
    pub tracking: bool,
    /// `SL_OBJECT_DETECTION_MODEL`; 6 runs `onnx_file`.
    pub model: i32,
    pub filter_mode: i32,
    /// From 0 to 100.
    pub confidence: f32,
    pub max_range: f32,
    pub prediction_timeout: f32,
    pub reduced_precision: bool,
    /// Least confidence by class, from 0 to 100; negative leaves the class out.
    pub class_confidence: [f32; 7],
    pub onnx_file: Option<PathBuf>,
    pub onnx_shape: (i32, i32),
}

impl Default for Detection {
    fn default() -> Self {
        Self {
            instance: 0,
            tracking: true,
            model: 1,
            filter_mode: 2,
            confidence: 50.0,
            max_range: 20_000.0,
            prediction_timeout: 0.2,
            reduced_precision: false,
            class_confidence: [35.0; 7],
            onnx_file: None,
            onnx_shape: (512, 512),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct BodyTracking {
    /// 0 fast, 1 medium, 2 accurate.
    pub model: i32,
    /// 0, 1, 2 for 18, 34 and 38 key points.
    pub format: i32,
    pub reduced_precision: bool,
    pub fitting: bool,
    pub tracking: bool,
    pub max_range: f32,
    pub prediction_timeout: f32,
    pub confidence: f32,
    pub min_keypoints: i32,
    pub smoothing: f32,
}

impl Default for BodyTracking {
    fn default() -> Self {
        Self {
            model: 1,
            format: 1,
            reduced_precision: false,
            fitting: true,
            tracking: true,
            max_range: 20_000.0,
            prediction_timeout: 0.2,
            confidence: 20.0,
            min_keypoints: 5,
            smoothing: 0.0,
        }
    }
}

impl Tracking {
    pub(super) fn parameters(&self) -> abi::PositionalTrackingParameters {
        abi::PositionalTrackingParameters {
            initial_world_rotation: quaternion(self.initial_rotation),
            initial_world_position: self.initial_position,
            enable_area_memory: self.area_memory.into(),
            enable_pose_smoothing: self.pose_smoothing.into(),
            set_floor_as_origin: self.floor_as_origin.into(),
            set_as_static: self.set_as_static.into(),
            enable_imu_fusion: self.imu_fusion.into(),
            depth_min_range: self.depth_min_range,
            set_gravity_as_origin: self.gravity_as_origin.into(),
            mode: self.mode,
            enable_localization_only: 0,
            enable_2d_ground_mode: 0,
        }
    }
}

/// Roll about x, then pitch about y, then yaw about z, in degrees, as x, y, z, w.
fn quaternion(degrees: [f32; 3]) -> [f32; 4] {
    let [(sr, cr), (sp, cp), (sy, cy)] = degrees.map(|angle| (angle.to_radians() / 2.0).sin_cos());
    [
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy,
    ]
}

impl Detection {
    pub(super) fn parameters(
        &self,
        onnx: &CString,
        no_group: &CString,
    ) -> abi::ObjectDetectionParameters {
        abi::ObjectDetectionParameters {
            instance_module_id: self.instance,
            enable_tracking: self.tracking.into(),
            enable_segmentation: 0,
            detection_model: self.model,
            fused_objects_group_name: no_group.as_ptr(),
            custom_onnx_file: onnx.as_ptr(),
            custom_onnx_dynamic_input_shape: abi::Resolution {
                width: self.onnx_shape.0,
                height: self.onnx_shape.1,
            },
            max_range: self.max_range,
            batch_enable: 0,
            batch_retention_time: 0.0,
            batch_latency: 0.0,
            filtering_mode: self.filter_mode,
            prediction_timeout_s: self.prediction_timeout,
            allow_reduced_precision_inference: self.reduced_precision.into(),
        }
    }

    pub(super) fn runtime(&self) -> abi::ObjectDetectionRuntimeParameters {
        let kept = |confidence: f32| confidence >= 0.0;
        abi::ObjectDetectionRuntimeParameters {
            detection_confidence_threshold: self.confidence,
            object_class_filter: self.class_confidence.map(|value| kept(value).into()),
            // 0 would mean "no threshold of its own", which is another than "anything counts".
            object_confidence_threshold: self.class_confidence.map(|value| value.max(1.0) as i32),
            tracking: [abi::TrackingHints::UNSET; 8],
        }
    }
}

impl BodyTracking {
    pub(super) fn parameters(&self, instance: u32) -> abi::BodyTrackingParameters {
        abi::BodyTrackingParameters {
            instance_module_id: instance,
            enable_tracking: self.tracking.into(),
            enable_segmentation: 0,
            detection_model: self.model,
            enable_body_fitting: self.fitting.into(),
            body_format: self.format,
            body_selection: 0,
            max_range: self.max_range,
            prediction_timeout_s: self.prediction_timeout,
            allow_reduced_precision_inference: self.reduced_precision.into(),
        }
    }

    pub(super) fn runtime(&self) -> abi::BodyTrackingRuntimeParameters {
        abi::BodyTrackingRuntimeParameters {
            detection_confidence_threshold: self.confidence,
            minimum_keypoints_threshold: self.min_keypoints,
            skeleton_smoothing: self.smoothing,
        }
    }
}
