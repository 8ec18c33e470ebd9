//! The words that properties of cameras take. Numbers and meaning are those of Stereolabs'
//! element, so that a launch line for it reads the same here.

/// Which way leads to pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcBackend")]
pub(crate) enum ZedSrcBackend {
    #[default]
    #[enum_value(
        name = "The file in location, else the SDK where it is installed, else UVC",
        nick = "auto"
    )]
    Auto,
    #[enum_value(name = "Stereolabs' SDK, opened at run time", nick = "sdk")]
    Sdk,
    #[enum_value(name = "USB cameras without the SDK", nick = "uvc")]
    Uvc,
    #[enum_value(name = "A recording", nick = "file")]
    File,
}

/// Whether pictures are turned for a camera that hangs upside down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcFlip")]
pub(crate) enum ZedSrcFlip {
    #[enum_value(name = "Never", nick = "no")]
    No = 0,
    #[enum_value(name = "Always", nick = "yes")]
    Yes = 1,
    #[default]
    #[enum_value(name = "As gravity says", nick = "auto")]
    Auto = 2,
}

/// Which way the SDK finds depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcDepthMode")]
pub(crate) enum ZedSrcDepthMode {
    #[default]
    #[enum_value(name = "No depth", nick = "none")]
    None = 0,
    #[enum_value(name = "Fast; deprecated by Stereolabs", nick = "performance")]
    Performance = 1,
    #[enum_value(name = "Slow; deprecated by Stereolabs", nick = "quality")]
    Quality = 2,
    #[enum_value(name = "Slowest; deprecated by Stereolabs", nick = "ultra")]
    Ultra = 3,
    #[enum_value(name = "Neural, light", nick = "neural-light")]
    NeuralLight = 4,
    #[enum_value(name = "Neural", nick = "neural")]
    Neural = 5,
    #[enum_value(name = "Neural, most exact", nick = "neural-plus")]
    NeuralPlus = 6,
}

impl ZedSrcDepthMode {
    /// Whether it takes one of the SDK's neural networks.
    pub(super) fn is_neural(self) -> bool {
        matches!(self, Self::NeuralLight | Self::Neural | Self::NeuralPlus)
    }
}

/// Axes in which positions are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcCoordinates")]
pub(crate) enum ZedSrcCoordinates {
    #[default]
    #[enum_value(name = "As in pictures: x right, y down, z away", nick = "image")]
    Image = 0,
    #[enum_value(name = "Left-handed, y up", nick = "left-handed-y-up")]
    LeftHandedYUp = 1,
    #[enum_value(name = "Right-handed, y up", nick = "right-handed-y-up")]
    RightHandedYUp = 2,
    #[enum_value(name = "Right-handed, z up", nick = "right-handed-z-up")]
    RightHandedZUp = 3,
    #[enum_value(name = "Left-handed, z up", nick = "left-handed-z-up")]
    LeftHandedZUp = 4,
    #[enum_value(
        name = "Right-handed, z up, x forward, as ROS",
        nick = "right-handed-z-up-x-fwd"
    )]
    RightHandedZUpXForward = 5,
}

/// From where positions are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcReference")]
pub(crate) enum ZedSrcReference {
    #[default]
    #[enum_value(name = "Where tracking began", nick = "world")]
    World = 0,
    #[enum_value(name = "The camera", nick = "camera")]
    Camera = 1,
}

/// Which generation of positional tracking works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcTrackingMode")]
pub(crate) enum ZedSrcTrackingMode {
    #[default]
    #[enum_value(name = "Generation 1", nick = "gen-1")]
    Gen1 = 0,
    #[enum_value(name = "Generation 2; deprecated by Stereolabs", nick = "gen-2")]
    Gen2 = 1,
    #[enum_value(name = "Generation 3", nick = "gen-3")]
    Gen3 = 2,
}

/// The SDK's detectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcObjectModel")]
pub(crate) enum ZedSrcObjectModel {
    #[enum_value(name = "Any object, fast", nick = "multi-class-fast")]
    MultiFast = 0,
    #[default]
    #[enum_value(name = "Any object, medium", nick = "multi-class-medium")]
    MultiMedium = 1,
    #[enum_value(name = "Any object, accurate", nick = "multi-class-accurate")]
    MultiAccurate = 2,
    #[enum_value(name = "Heads of persons, fast", nick = "person-head-fast")]
    PersonFast = 3,
    #[enum_value(name = "Heads of persons, accurate", nick = "person-head-accurate")]
    PersonAccurate = 4,
    #[enum_value(name = "The own model in od-custom-onnx-file", nick = "custom-yolo")]
    Custom = 6,
}

/// Which objects that overlap are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcObjectFilter")]
pub(crate) enum ZedSrcObjectFilter {
    #[enum_value(name = "None", nick = "none")]
    None = 0,
    #[enum_value(name = "Any", nick = "nms3d")]
    Nms = 1,
    #[default]
    #[enum_value(name = "Those of one class", nick = "nms3d-per-class")]
    NmsPerClass = 2,
}

/// The SDK's detectors of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcBodyModel")]
pub(crate) enum ZedSrcBodyModel {
    #[enum_value(name = "Fast", nick = "fast")]
    Fast = 0,
    #[default]
    #[enum_value(name = "Medium", nick = "medium")]
    Medium = 1,
    #[enum_value(name = "Accurate", nick = "accurate")]
    Accurate = 2,
}

/// How many key points a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcBodyFormat")]
pub(crate) enum ZedSrcBodyFormat {
    #[enum_value(name = "18 key points", nick = "body-18")]
    Body18 = 0,
    #[default]
    #[enum_value(name = "34 key points", nick = "body-34")]
    Body34 = 1,
    #[enum_value(name = "38 key points", nick = "body-38")]
    Body38 = 2,
}

/// Which eyes a setting is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcSide")]
pub(crate) enum ZedSrcSide {
    #[enum_value(name = "The left", nick = "left")]
    Left = 0,
    #[enum_value(name = "The right", nick = "right")]
    Right = 1,
    #[default]
    #[enum_value(name = "Both", nick = "both")]
    Both = 2,
}

/// How SVO files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcCompression")]
pub(crate) enum ZedSrcCompression {
    #[enum_value(name = "Without loss, on the CPU", nick = "lossless")]
    Lossless = 0,
    #[enum_value(name = "H.264", nick = "h264")]
    H264 = 1,
    #[default]
    #[enum_value(name = "H.265", nick = "h265")]
    H265 = 2,
    #[enum_value(name = "H.264 without loss", nick = "h264-lossless")]
    H264Lossless = 3,
    #[enum_value(name = "H.265 without loss", nick = "h265-lossless")]
    H265Lossless = 4,
}
