//! What a model's classes are called.

use super::Candidate;
use crate::detection::Detection;

/// The names of COCO's 90 category ids, from id 1; the dataset leaves ten of them unused.
/// Source: the `categories` of COCO 2017's `instances_val2017.json`.
#[rustfmt::skip]
const COCO: [Option<&str>; 90] = [
    Some("person"), Some("bicycle"), Some("car"), Some("motorcycle"), Some("airplane"),
    Some("bus"), Some("train"), Some("truck"), Some("boat"), Some("traffic light"),
    Some("fire hydrant"), None, Some("stop sign"), Some("parking meter"), Some("bench"),
    Some("bird"), Some("cat"), Some("dog"), Some("horse"), Some("sheep"),
    Some("cow"), Some("elephant"), Some("bear"), Some("zebra"), Some("giraffe"),
    None, Some("backpack"), Some("umbrella"), None, None,
    Some("handbag"), Some("tie"), Some("suitcase"), Some("frisbee"), Some("skis"),
    Some("snowboard"), Some("sports ball"), Some("kite"), Some("baseball bat"), Some("baseball glove"),
    Some("skateboard"), Some("surfboard"), Some("tennis racket"), Some("bottle"), None,
    Some("wine glass"), Some("cup"), Some("fork"), Some("knife"), Some("spoon"),
    Some("bowl"), Some("banana"), Some("apple"), Some("sandwich"), Some("orange"),
    Some("broccoli"), Some("carrot"), Some("hot dog"), Some("pizza"), Some("donut"),
    Some("cake"), Some("chair"), Some("couch"), Some("potted plant"), Some("bed"),
    None, Some("dining table"), None, None, Some("toilet"),
    None, Some("tv"), Some("laptop"), Some("mouse"), Some("remote"),
    Some("keyboard"), Some("cell phone"), Some("microwave"), Some("oven"), Some("toaster"),
    Some("sink"), Some("refrigerator"), None, Some("book"), Some("clock"),
    Some("vase"), Some("scissors"), Some("teddy bear"), Some("hair drier"), Some("toothbrush"),
];

/// A name for each class of a model, none for a class that is never meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<Option<String>>,
    /// The model's own number of the first class.
    first_id: i32,
}

/// The classes cannot be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// No built-in names have this many classes.
    #[error(
        "the model has {0} classes, and only COCO's 90 are known by name: give the names, one a \
         line, as label-file"
    )]
    Unknown(usize),
    /// The label file is of another model.
    #[error(
        "{lines} labels do not name the {classes} classes of the model: give one line a class, \
         empty for a class that is not used"
    )]
    Count {
        /// Lines in the file.
        lines: usize,
        /// Scores a box.
        classes: usize,
    },
}

impl Labels {
    /// The names that a model of this many classes goes by when nobody gives others.
    ///
    /// # Errors
    /// [`LabelsError::Unknown`] where none are known.
    pub fn built_in(classes: usize) -> Result<Self, LabelsError> {
        if classes != COCO.len() {
            return Err(LabelsError::Unknown(classes));
        }
        Ok(Self {
            names: COCO.iter().map(|name| name.map(String::from)).collect(),
            first_id: 1,
        })
    }

    /// Reads a label file: one class a line, from the model's first score on; an empty line is a
    /// class that is not used, empty lines at the end do not count.
    ///
    /// # Errors
    /// [`LabelsError::Count`] where the lines are not as many as the classes.
    pub fn parse(text: &str, classes: usize) -> Result<Self, LabelsError> {
        // Some editors begin a file with a byte order mark, which is no part of the first name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
        let mut names: Vec<_> = text
            .lines()
            .map(|line| Some(line.trim().to_owned()).filter(|name| !name.is_empty()))
            .collect();
        if names.is_empty() || names.len() > classes {
            let lines = names.len();
            return Err(LabelsError::Count { lines, classes });
        }
        names.resize(classes, None);
        Ok(Self { names, first_id: 1 })
    }

    /// Every name, in the model's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flatten().map(String::as_str)
    }

    /// The candidate by its name; `None` for a class that is never meant.
    pub fn detection(&self, candidate: &Candidate) -> Option<Detection> {
        let label = self.names.get(candidate.class)?.clone()?;
        Some(Detection {
            label,
            label_id: self.first_id + i32::try_from(candidate.class).ok()?,
            confidence: f64::from(candidate.score),
            bbox: candidate.bbox,
            track_id: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::BoundingBox;

    fn of_class(class: usize) -> Candidate {
        Candidate {
            class,
            place: class,
            score: 0.5,
            bbox: BoundingBox::from_corners(0.0, 0.0, 1.0, 1.0),
        }
    }

    #[test]
    fn coco_has_eighty_names_under_ninety_ids() {
        let coco = Labels::built_in(90).expect("COCO");
        assert_eq!(coco.names().count(), 80);
        for (id, name) in [
            (1, "person"),
            (3, "car"),
            (44, "bottle"),
            (90, "toothbrush"),
        ] {
            let class = usize::try_from(id - 1).expect("positive");
            let detection = coco.detection(&of_class(class)).expect("a used id");
            assert_eq!((detection.label_id, &*detection.label), (id, name));
        }
    }

    #[test]
    fn an_unused_class_and_one_out_of_range_are_no_detections() {
        let coco = Labels::built_in(90).expect("COCO");
        assert_eq!(coco.detection(&of_class(11)), None);
        assert_eq!(coco.detection(&of_class(90)), None);
    }

    #[test]
    fn a_label_file_names_one_class_a_line_and_may_skip_some() {
        let labels = Labels::parse("\u{feff}cat\r\n\r\n dog \n\n", 4).expect("four classes");
        assert_eq!(labels.names().collect::<Vec<_>>(), ["cat", "dog"]);
        let dog = labels.detection(&of_class(2)).expect("named");
        assert_eq!((dog.label_id, &*dog.label), (3, "dog"));
    }

    #[test]
    fn names_for_another_number_of_classes_are_refused() {
        assert_eq!(
            Labels::parse("a\nb\nc\n", 2),
            Err(LabelsError::Count {
                lines: 3,
                classes: 2
            })
        );
        assert!(Labels::parse("\n", 2).is_err());
        assert_eq!(Labels::built_in(20), Err(LabelsError::Unknown(20)));
    }
}
