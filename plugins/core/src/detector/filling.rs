//! How a model's image input is filled: its place and shape from the tensors, its colours from
//! what the family of detectors was trained on.

use super::config::ModelConfig;
use super::input::{Colours, Input, Resize, Sample};
use super::layout::{Activation, Layout, LayoutName, Reader};
use super::metadata;
use super::model::{Element, ModelInfo, TensorInfo};

/// Width and height of an input that leaves them open, where nobody says.
const OPEN: usize = 640;
/// The grey that the YOLO family pads with.
const GREY: f32 = 114.0;
/// ImageNet's colours, as most classifiers and what grew from them are trained. Source:
/// torchvision's `transforms`.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// The same in 0..=255 and B, G, R. Source: NanoDet's configs.
const NANODET: ([f32; 3], [f32; 3]) = ([103.53, 116.28, 123.675], [57.375, 57.12, 58.395]);

/// A model's image input as its tensors say it.
#[derive(Debug)]
pub(super) struct Frame {
    index: usize,
    interleaved: bool,
    sample: Sample,
    pub(super) width: usize,
    pub(super) height: usize,
    size_input: Option<usize>,
}

impl Frame {
    /// `None` where the inputs are not understood.
    pub(super) fn of(model: &ModelInfo, config: &ModelConfig) -> Option<Self> {
        let mut image = None;
        let mut size_input = None;
        for (index, tensor) in model.inputs.iter().enumerate() {
            if tensor.element == Element::I64 && matches!(tensor.shape[..], [1 | -1, 2]) {
                size_input = Some(index);
            } else if image.is_none() {
                image = Some((index, tensor));
            } else {
                return None;
            }
        }
        let (index, tensor) = image?;
        let (interleaved, height, width) = planes(tensor)?;
        // Ultralytics says the size of an open input as `imgsz`, height first.
        let told = model
            .metadata
            .get("imgsz")
            .and_then(|text| metadata::numbers(text));
        let told = |place: usize| told.as_ref()?.get(place).copied();
        Some(Self {
            index,
            interleaved,
            sample: match tensor.element {
                Element::F32 => Sample::F32,
                Element::F16 => Sample::F16,
                Element::U8 => Sample::U8,
                _ => return None,
            },
            width: side(width, config.width, told(1).or(told(0)))?,
            height: side(height, config.height, told(0))?,
            size_input,
        })
    }

    /// The input of a detector of this layout.
    pub(super) fn fill(&self, layout: &Layout, config: &ModelConfig) -> Input {
        let usual = Usual::of(layout, self.sample);
        Input {
            index: self.index,
            width: self.width,
            height: self.height,
            interleaved: self.interleaved,
            sample: self.sample,
            resize: config.resize.unwrap_or(usual.resize),
            pad: config.pad.unwrap_or(GREY),
            colours: config.colours.unwrap_or(usual.colours),
            scale: config.scale.unwrap_or(usual.scale),
            mean: config.mean.unwrap_or(usual.mean),
            std: config.std.unwrap_or(usual.std),
            size_input: self.size_input,
        }
    }
}

/// What a family was trained on.
#[derive(Debug, Clone, Copy)]
struct Usual {
    resize: Resize,
    colours: Colours,
    scale: f32,
    mean: [f32; 3],
    std: [f32; 3],
}

impl Usual {
    fn of(layout: &Layout, sample: Sample) -> Self {
        let as_they_are = Self {
            resize: Resize::Stretch,
            colours: Colours::Rgb,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        };
        let shares = Self {
            scale: 1.0 / 255.0,
            ..as_they_are
        };
        let detr = matches!(
            layout.reader,
            Reader::Rows {
                objectness: false,
                ..
            }
        );
        let usual = match layout.name {
            // Colours enter as -1..=1, as the MobileNets were trained.
            LayoutName::Ssd => Self {
                scale: 2.0 / 255.0,
                mean: [1.0; 3],
                ..as_they_are
            },
            LayoutName::Yolox => Self {
                resize: Resize::LetterboxTopLeft,
                colours: Colours::Bgr,
                ..as_they_are
            },
            LayoutName::Yolov5 if detr => shares,
            LayoutName::Yolov5 | LayoutName::Yolov8 | LayoutName::EndToEnd => Self {
                resize: Resize::Letterbox,
                ..shares
            },
            LayoutName::Nanodet => Self {
                colours: Colours::Bgr,
                mean: NANODET.0,
                std: NANODET.1,
                ..as_they_are
            },
            LayoutName::Detr if layout.activation == Activation::Softmax || layout.is_rf_detr() => {
                Self {
                    mean: IMAGENET.0,
                    std: IMAGENET.1,
                    ..shares
                }
            }
            LayoutName::Detr => shares,
            LayoutName::Detections if layout.starts_at_one() => as_they_are,
            LayoutName::Detections => shares,
        };
        match sample {
            // Whole numbers leave no room for anything else.
            Sample::U8 => Self {
                resize: usual.resize,
                colours: usual.colours,
                ..as_they_are
            },
            _ => usual,
        }
    }
}

impl Layout {
    /// RF-DETR counts COCO's 91 categories, others its 80 classes.
    fn is_rf_detr(&self) -> bool {
        self.classes == Some(91)
    }

    /// TensorFlow's numbers begin at 1, since 0 is its background.
    fn starts_at_one(&self) -> bool {
        matches!(self.reader, Reader::Labelled { first: 1, .. })
    }
}

/// Whether an image is interleaved, its height and its width.
fn planes(tensor: &TensorInfo) -> Option<(bool, i64, i64)> {
    match tensor.shape[..] {
        [1 | -1, 3, height, width] if width != 3 => Some((false, height, width)),
        [1 | -1, height, width, 3] => Some((true, height, width)),
        [-1, -1, height, width] => Some((false, height, width)),
        _ => None,
    }
}

/// One side of the input: what the model fixes, else what the user or the exporter says.
fn side(fixed: i64, asked: Option<usize>, told: Option<usize>) -> Option<usize> {
    let side = match fixed {
        -1 => asked.or(told).unwrap_or(OPEN),
        fixed => usize::try_from(fixed).ok()?,
    };
    (1..=1 << 13).contains(&side).then_some(side)
}
