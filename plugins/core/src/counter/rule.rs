//! What one rule asks for, and whether that makes sense.

use super::labels::{Labels, LabelsError};
use super::rules_file::RulesError;
use super::shape::{Direction, Extent, Line, ListError, Reference, Zone};
use super::volume::Bounds;
use crate::time::Nanos;

/// The most zones, and the most lines, of one rule.
pub const MAX_SHAPES: usize = 64;

/// The most bytes of a name: signals tell many of them, and have to stay shorter than
/// [`MAX_LINE`](crate::signal::MAX_LINE).
pub const MAX_NAME: usize = 128;

/// What a rule says, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Emit {
    /// A trigger for each observation in which it holds.
    #[default]
    WhilePresent,
    /// A start when it begins to hold, and a stop when it has ceased for `absence_time`.
    OnChange,
}

/// One rule; by default every object counts, and one is enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// As signals name it; empty for the one that the element's properties make.
    pub name: String,
    /// Where it stands in a rules file, such as `$.rules[0]`.
    pub path: String,
    /// What its signals are labelled; `None` for the most frequent label that counts.
    pub signal_label: Option<String>,
    /// The labels that count.
    pub labels: Labels,
    /// The model's own numbers of the classes that count; empty for all.
    pub class_ids: Vec<i32>,
    /// The confidence from which an object counts, where its label has none of its own.
    pub min_confidence: f64,
    /// An object whose confidence is just its threshold does not count, as in Azure's sample.
    pub above: bool,
    /// The share of the frame from which an object counts.
    pub min_area: f64,
    /// The share of the frame up to which an object counts.
    pub max_area: f64,
    /// The distance from the camera, in metres, from which an object counts.
    pub min_distance: Option<f64>,
    /// The distance up to which it does. Where either is asked for, an object whose distance is not
    /// known does not count.
    pub max_distance: Option<f64>,
    /// How many make it hold.
    pub min_count: u32,
    /// How many are too many; `None` for no limit.
    pub max_count: Option<u32>,
    /// Objects count in any of these; empty for everywhere.
    pub zones: Vec<Zone>,
    /// Objects count in none of the zones instead. Where one of them is in space, an object whose
    /// position is not known does not count.
    pub outside: bool,
    /// What of an object must lie there; in space, its position.
    pub reference: Reference,
    /// A crossing of any of these makes it hold; empty: presence does.
    pub lines: Vec<Line>,
    /// Which crossings do.
    pub direction: Direction,
    /// How long an object must have counted before it does.
    pub min_dwell: Nanos,
    /// In how many observations it must hold …
    pub confirm_frames: u32,
    /// … of how many; 0 for as many.
    pub window_frames: u32,
    /// What is missed for less has not gone.
    pub absence_time: Nanos,
    /// What was there last is gone where nobody has looked for so long, and for `absence_time`.
    pub unobserved_time: Nanos,
    /// What it says.
    pub emit: Emit,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            name: String::new(),
            path: String::new(),
            signal_label: None,
            labels: Labels::default(),
            class_ids: Vec::new(),
            min_confidence: 0.0,
            above: false,
            min_area: 0.0,
            max_area: 1.0,
            min_distance: None,
            max_distance: None,
            min_count: 1,
            max_count: None,
            zones: Vec::new(),
            outside: false,
            reference: Reference::default(),
            lines: Vec::new(),
            direction: Direction::default(),
            min_dwell: 0,
            confirm_frames: 1,
            window_frames: 0,
            absence_time: crate::time::SECOND,
            unobserved_time: 10 * crate::time::SECOND,
            emit: Emit::default(),
        }
    }
}

/// Why a rule is refused. Each sentence is preceded by the element's name and, in a rules file, by
/// the rule's path.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// The labels are wrong, or the model cannot find one.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// The model has no class of this number.
    #[error(
        "class-id holds {id}, which is no class of the model {model}: take one of its {count}, \
         from {first} to {last}"
    )]
    Class {
        /// What was asked for.
        id: i32,
        /// The model's name.
        model: String,
        /// How many classes it has.
        count: usize,
        /// The least of their numbers.
        first: i32,
        /// The greatest.
        last: i32,
    },
    /// No share of 1, or the wrong way round.
    #[error("{member} is {value}: give a number from 0 to 1")]
    Share {
        /// The member.
        member: &'static str,
        /// What it is.
        value: f64,
    },
    /// No distance.
    #[error("{member} is {value}: give metres, 0 or more")]
    Distance {
        /// The member.
        member: &'static str,
        /// What it is.
        value: f64,
    },
    /// Nothing lies between.
    #[error("min-{0} is greater than max-{0}, so nothing counts: swap them")]
    Bounds(&'static str),
    /// No count is both.
    #[error(
        "min-count is {min} and max-count {max}, so it never holds: lower min-count to {max} or \
         raise max-count to {min}"
    )]
    Counts {
        /// How many there must be.
        min: u32,
        /// How many there may be.
        max: u32,
    },
    /// It always holds.
    #[error("min-count is 0, which always holds: give max-count too, or 1 and more")]
    Always,
    /// More frames than there are.
    #[error("confirm-frames is {confirm} of only {window} window-frames: ask for as many or fewer")]
    Confirm {
        /// How many must hold.
        confirm: u32,
        /// Of how many.
        window: u32,
    },
    /// A time before its start.
    #[error("{0} is negative: give 0 or more nanoseconds")]
    Negative(&'static str),
    /// Crossings happen, they do not last.
    #[error("{0} cannot be asked of a rule with lines, as a crossing does not last: leave one out")]
    Lines(&'static str),
    /// More than fit.
    #[error("there are {count} {member}: give at most {MAX_SHAPES} a rule")]
    Many {
        /// The member.
        member: &'static str,
        /// How many it names.
        count: usize,
    },
    /// Too much to tell with each signal.
    #[error("the name {name:.20}… has {} bytes: give one of at most {MAX_NAME}", .name.len())]
    Name {
        /// The name.
        name: String,
    },
    /// Only shapes tell outside from inside.
    #[error("outside is asked for without a zone: name one")]
    Outside,
    /// A list of zones or lines cannot be read.
    #[error(transparent)]
    List(#[from] ListError),
}

impl RuleError {
    /// The member of a rule, or the first of two, that is wrong.
    fn member(&self) -> Option<&'static str> {
        match self {
            Self::Labels(_) => Some("labels"),
            Self::Class { .. } => Some("class-id"),
            Self::Share { member, .. }
            | Self::Distance { member, .. }
            | Self::Many { member, .. }
            | Self::Negative(member) => Some(member),
            Self::Bounds("distance") => Some("min-distance"),
            Self::Bounds(_) => Some("min-area"),
            Self::Counts { .. } | Self::Always => Some("min-count"),
            Self::Confirm { .. } => Some("confirm-frames"),
            Self::Lines(asked) => asked.split('=').next(),
            Self::Outside => Some("outside"),
            // Only properties hold such lists, each of its own; a name may be that of a shape.
            Self::List(_) | Self::Name { .. } => None,
        }
    }
}

impl Rule {
    /// The share of a box that lies in a zone which counts it by overlap, where nobody says another.
    pub const MIN_OVERLAP: f64 = 0.5;

    /// A distance as properties and members give it: 0 asks for none.
    pub fn distance(metres: f64) -> Option<f64> {
        Some(metres).filter(|metres| *metres != 0.0)
    }

    /// A greatest count as properties and members give it: the greatest number is no limit.
    pub fn limit(count: u32) -> Option<u32> {
        Some(count).filter(|count| *count != u32::MAX)
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first [`RuleError`].
    pub fn check(&self) -> Result<(), RuleError> {
        let overlap = match self.reference {
            Reference::Overlap(share) => share,
            _ => 1.0,
        };
        for (member, value) in [
            ("min-confidence", self.min_confidence),
            ("min-area", self.min_area),
            ("max-area", self.max_area),
            ("min-overlap", overlap),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(RuleError::Share { member, value });
            }
        }
        if self.min_area > self.max_area {
            return Err(RuleError::Bounds("area"));
        }
        self.check_distance()?;
        if let Some(max) = self.max_count.filter(|max| self.min_count > *max) {
            let min = self.min_count;
            return Err(RuleError::Counts { min, max });
        }
        if self.min_count == 0 && self.max_count.is_none() {
            return Err(RuleError::Always);
        }
        if self.confirm() > self.window() {
            let (confirm, window) = (self.confirm(), self.window());
            return Err(RuleError::Confirm { confirm, window });
        }
        for (member, time) in [
            ("min-dwell", self.min_dwell),
            ("absence-time", self.absence_time),
            ("unobserved-time", self.unobserved_time),
        ] {
            if time < 0 {
                return Err(RuleError::Negative(member));
            }
        }
        let zones = self.zones.iter().map(|zone| &zone.name);
        let lines = self.lines.iter().map(|line| &line.name);
        let own = std::iter::once(&self.name).chain(&self.signal_label);
        if let Some(name) = own.chain(zones).chain(lines).find(|it| it.len() > MAX_NAME) {
            let name = name.clone();
            return Err(RuleError::Name { name });
        }
        for (member, count) in [("zones", self.zones.len()), ("lines", self.lines.len())] {
            if count > MAX_SHAPES {
                return Err(RuleError::Many { member, count });
            }
        }
        if self.outside && self.zones.is_empty() {
            return Err(RuleError::Outside);
        }
        self.check_lines()
    }

    /// Whether it asks for the same, wherever it stands in a rules file.
    pub(super) fn asks_as(&self, other: &Self) -> bool {
        let path = other.path.clone();
        *other
            == Self {
                path,
                ..self.clone()
            }
    }

    /// Whether a model that numbers its classes so can find every class that is asked for; one that
    /// does not tell (`ids` is empty) is believed.
    ///
    /// # Errors
    /// [`RuleError::Class`] for the first that it cannot find.
    pub(super) fn check_classes(&self, model: &str, ids: &[i32]) -> Result<(), RuleError> {
        let unknown = self.class_ids.iter().find(|id| !ids.contains(id));
        let ends = ids.iter().min().zip(ids.iter().max());
        match (unknown, ends) {
            (Some(id), Some((first, last))) => Err(RuleError::Class {
                id: *id,
                model: model.to_owned(),
                count: ids.len(),
                first: *first,
                last: *last,
            }),
            _ => Ok(()),
        }
    }

    /// An error of this rule, with the place of its member in a rules file.
    pub fn error(&self, error: RuleError) -> RulesError {
        let path = &self.path;
        let path = match error.member() {
            _ if path.is_empty() => return RulesError::Property(error),
            None => path.clone(),
            // A group and its key.
            Some(key) if path.starts_with('[') => format!("{path} {key}"),
            Some(member) => format!("{path}.{member}"),
        };
        RulesError::Rule { path, error }
    }

    fn check_distance(&self) -> Result<(), RuleError> {
        let asked = [
            ("min-distance", self.min_distance),
            ("max-distance", self.max_distance),
        ];
        for (member, value) in asked {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value >= 0.0)) {
                return Err(RuleError::Distance { member, value });
            }
        }
        match self.distances().crossed() {
            true => Err(RuleError::Bounds("distance")),
            false => Ok(()),
        }
    }

    /// Whether an object that is so far away, or nobody knows how far, may count.
    pub(super) fn reaches(&self, distance: Option<f64>) -> bool {
        let bounds = self.distances();
        bounds == Bounds::default() || distance.is_some_and(|distance| bounds.holds(distance))
    }

    fn distances(&self) -> Bounds {
        Bounds {
            min: self.min_distance,
            max: self.max_distance,
        }
    }

    /// Whether what lies in none of the zones is known to lie outside them.
    pub(super) fn knows_outside(&self, position: Option<[f64; 3]>) -> bool {
        let mut zones = self.zones.iter();
        position.is_some() || !zones.any(|zone| matches!(zone.extent, Extent::Space(_)))
    }

    fn check_lines(&self) -> Result<(), RuleError> {
        let asked = [
            ("min-dwell", self.min_dwell > 0),
            ("min-count", self.min_count != 1),
            ("max-count", self.max_count.is_some()),
            ("confirm-frames", self.confirm() > 1),
            ("emit=on-change", self.emit == Emit::OnChange),
        ];
        match asked.into_iter().find(|(_, asked)| *asked) {
            Some((member, _)) if !self.lines.is_empty() => Err(RuleError::Lines(member)),
            _ => Ok(()),
        }
    }

    pub(super) fn confirm(&self) -> u32 {
        self.confirm_frames.max(1)
    }

    pub(super) fn window(&self) -> u32 {
        match self.window_frames {
            0 => self.confirm(),
            frames => frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_makes_no_sense_says_which_member_is_wrong() {
        let line = Line::new("l", (0.0, 0.0), (1.0, 1.0)).expect("a line");
        let wrong = [
            (
                Rule {
                    min_area: 0.5,
                    max_area: 0.25,
                    ..Rule::default()
                },
                "min-area is greater",
            ),
            (
                Rule {
                    max_area: f64::NAN,
                    ..Rule::default()
                },
                "max-area is NaN",
            ),
            (
                Rule {
                    min_distance: Some(3.0),
                    max_distance: Some(2.0),
                    ..Rule::default()
                },
                "min-distance is greater",
            ),
            (
                Rule {
                    max_distance: Some(-1.0),
                    ..Rule::default()
                },
                "max-distance is -1",
            ),
            (
                Rule {
                    min_count: 3,
                    max_count: Some(2),
                    ..Rule::default()
                },
                "min-count is 3 and max-count 2, so it never holds",
            ),
            (
                Rule {
                    min_count: 0,
                    ..Rule::default()
                },
                "always holds",
            ),
            (
                Rule {
                    confirm_frames: 3,
                    window_frames: 2,
                    ..Rule::default()
                },
                "3 of only 2",
            ),
            (
                Rule {
                    min_dwell: -1,
                    ..Rule::default()
                },
                "min-dwell is negative",
            ),
            (
                Rule {
                    outside: true,
                    ..Rule::default()
                },
                "without a zone",
            ),
            (
                Rule {
                    reference: Reference::Overlap(1.5),
                    ..Rule::default()
                },
                "min-overlap is 1.5",
            ),
            (
                Rule {
                    lines: vec![line.clone()],
                    emit: Emit::OnChange,
                    ..Rule::default()
                },
                "emit=on-change cannot",
            ),
            (
                Rule {
                    lines: vec![line; 65],
                    ..Rule::default()
                },
                "there are 65 lines",
            ),
            (
                Rule {
                    name: "ü".repeat(65),
                    ..Rule::default()
                },
                "has 130 bytes",
            ),
        ];
        for (rule, says) in wrong {
            let said = rule.check().expect_err(says).to_string();
            assert!(said.contains(says), "{said}");
        }
        assert_eq!(Rule::default().check(), Ok(()));
    }
}
