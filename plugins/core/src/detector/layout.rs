//! How a model's outputs are to be read: a small vocabulary that the families of detectors share.

use serde::Deserialize;

/// Where a model's boxes, scores and classes stand. Outputs are named by their index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    /// Boxes `[1,N,4]` and scores `[1,N,columns]` of the same boxes: SSD before its suppression,
    /// DETR.
    Split {
        /// The output with the boxes.
        boxes: usize,
        /// The output with the scores.
        scores: usize,
        /// Scores a box, of which `Layout::classes` from `first` on are classes.
        columns: usize,
        /// Column of the first class; a background may stand before it or behind the last.
        first: usize,
    },
    /// Boxes `[1,N,4]`, one score and one class number each: what is left when the graph ends in a
    /// choice of its own (TensorFlow's detection API, RT-DETR, D-FINE, torchvision).
    Labelled {
        /// The output with the boxes.
        boxes: usize,
        /// The output with the scores.
        scores: usize,
        /// The output with the class numbers.
        labels: usize,
        /// The output that says how many of them count, where there is one.
        count: Option<usize>,
        /// The number of the first class.
        first: i32,
    },
    /// `[1,N,width]`: a box, perhaps an objectness, the classes' scores; YOLOv5, v7, YOLOX.
    Rows {
        /// The output.
        output: usize,
        /// Elements a box.
        width: usize,
        /// Whether the fifth element says that there is an object at all.
        objectness: bool,
        /// The boxes are offsets in the cells of a grid (YOLOX).
        grid: bool,
    },
    /// `[1,width,N]`: boxes, then the classes' scores; YOLOv8, v9, 11.
    Columns {
        /// The output.
        output: usize,
        /// Elements a box.
        width: usize,
    },
    /// `[1,N,6]`: box, score, class; YOLOv10, YOLO26.
    EndToEnd {
        /// The output.
        output: usize,
    },
    /// Scores and distances to the four sides, each a distribution over `bins` values (NanoDet).
    Distances {
        /// Outputs with scores `[1,cells,classes]` and distances `[1,cells,4*bins]`, a pair a
        /// stride; a single pair of one output holds all, scores first.
        levels: Vec<(usize, usize)>,
        /// Values a side.
        bins: usize,
    },
}

/// The four numbers of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// Left, top, right, bottom.
    Xyxy,
    /// Top, left, bottom, right.
    Yxyx,
    /// Centre, then width and height.
    Cxcywh,
}

/// What a box's numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Pixels of the model's input.
    Pixels,
    /// Shares of the model's input.
    Fractions,
}

/// What is still to be done to scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// They are probabilities.
    None,
    /// Each is a logit of its own.
    Sigmoid,
    /// Those of a box are logits of one choice.
    Softmax,
}

/// Which overlapping boxes are one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suppression {
    /// Those of one class.
    PerClass,
    /// Any.
    Agnostic,
    /// None: the model has chosen.
    None,
}

/// How a model's outputs are to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Its name, as a model config says it.
    pub name: LayoutName,
    /// Where things stand.
    pub reader: Reader,
    /// How many classes the model tells apart; `None` where its tensors do not say.
    pub classes: Option<usize>,
    /// The four numbers of a box.
    pub coding: Coding,
    /// What they count.
    pub unit: Unit,
    /// What is still to be done to scores.
    pub activation: Activation,
    /// What the model expects to be done to overlapping boxes.
    pub suppression: Suppression,
    /// A box is of its best class alone.
    pub one_class: bool,
    /// Pixels a cell, a number a level; where boxes lie on a grid.
    pub strides: Vec<u32>,
}

/// The families of detectors, by the names that a model config gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutName {
    /// SSD before its suppression.
    Ssd,
    /// TensorFlow's detection API and others whose graph ends with chosen boxes.
    Detections,
    /// DETR and its kin whose scores are logits.
    Detr,
    /// YOLOX.
    Yolox,
    /// YOLOv5, YOLOv7.
    Yolov5,
    /// YOLOv8, v9, 11.
    Yolov8,
    /// YOLOv10, YOLO26 and other `[1,N,6]`.
    EndToEnd,
    /// NanoDet, NanoDet-Plus.
    Nanodet,
}

/// The layouts that are understood, for people.
pub(super) const SUPPORTED: &str = "ssd (outputs `boxes` [1,N,4], `scores` [1,N,classes]), \
    detections (`detection_boxes`, `detection_scores`, `detection_classes`, or `boxes` [1,N,4], \
    `scores` [1,N], `labels` [1,N]), detr (`dets` or `pred_boxes` [1,N,4], `labels` or `logits` \
    [1,N,classes]), yolox and yolov5 ([1,N,5+classes]), yolov8 ([1,4+classes,N]), end-to-end \
    ([1,N,6]), nanodet ([1,N,classes+4*bins])";
