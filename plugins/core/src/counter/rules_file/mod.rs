//! The rules file: several named rules in one JSON document, as docs/rules.schema.json describes
//! it, with the zones and lines that they name (`shapes`). Members are called as the element's
//! properties are and have their units.

mod shapes;

use std::collections::BTreeSet;

use serde::Deserialize;

use self::shapes::{LineForm, Shapes, ZoneForm};
use super::geometry::ShapeError;
use super::labels::{Labels, LabelsError};
use super::rule::{Emit, Rule, RuleError};
use super::shape::{Direction, Reference};
use super::volume::VolumeError;
use crate::named::Named;
use crate::time::Nanos;

/// Why a rules file is refused. Each sentence is preceded by the element's name and the file's.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RulesError {
    /// Not JSON, or a member of the wrong kind.
    #[error("{path}: {reason}")]
    Read {
        /// Where.
        path: String,
        /// The parser's words.
        reason: String,
    },
    /// A list in place of the document.
    #[error(
        "$: this is a list, and a rules file is an object: give {{\"rules\": […]}} with the list in it"
    )]
    List,
    /// No rule at all.
    #[error("$.rules: there is no rule, so nothing would ever count: give one")]
    Empty,
    /// Two rules of one name, or none.
    #[error("{path}.name: \"{name}\" is empty or taken: give each rule a name of its own")]
    Name {
        /// Of the second.
        path: String,
        /// The name.
        name: String,
    },
    /// A zone or line that is none.
    #[error("{path}: {error}")]
    Shape {
        /// Where.
        path: String,
        /// Why.
        error: ShapeError,
    },
    /// A zone in space that is none.
    #[error("{path}: {error}")]
    Volume {
        /// Where.
        path: String,
        /// Why.
        error: VolumeError,
    },
    /// A zone or line of a name that another has, or that a rule names twice.
    #[error("{path}: \"{name}\" stands here twice: leave one out, or give it a name of its own")]
    Twice {
        /// Of the second.
        path: String,
        /// The name.
        name: String,
    },
    /// A rule names a zone or line that there is not.
    #[error("{path}: there is no \"{name}\" here: use one of {offered}")]
    Unknown {
        /// Where.
        path: String,
        /// What is named.
        name: String,
        /// What there is.
        offered: String,
    },
    /// A rule that makes no sense.
    #[error("{path}: {error}")]
    Rule {
        /// Where.
        path: String,
        /// Why.
        error: RuleError,
    },
    /// The properties make no sense as a rule.
    #[error(transparent)]
    Property(RuleError),
    /// A line of nvdsanalytics' configuration that cannot be read.
    #[error("[{group}] {key}: {reason}")]
    Ini {
        /// The group.
        group: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    #[serde(default)]
    zones: Named<ZoneForm>,
    #[serde(default)]
    lines: Named<LineForm>,
    rules: Vec<Form>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Form {
    name: String,
    signal_label: Option<String>,
    labels: Option<List>,
    min_confidence: Option<f64>,
    min_area: Option<f64>,
    max_area: Option<f64>,
    min_distance: Option<f64>,
    max_distance: Option<f64>,
    min_count: Option<u32>,
    max_count: Option<u32>,
    #[serde(default)]
    zones: Vec<String>,
    #[serde(default)]
    outside: bool,
    reference: Option<ReferenceForm>,
    min_overlap: Option<f64>,
    #[serde(default)]
    lines: Vec<String>,
    direction: Option<DirectionForm>,
    min_dwell: Option<Nanos>,
    confirm_frames: Option<u32>,
    window_frames: Option<u32>,
    absence_time: Option<Nanos>,
    unobserved_time: Option<Nanos>,
    emit: Option<EmitForm>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "give a string such as \"person,truck:0.6\" or a list of strings"
)]
enum List {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ReferenceForm {
    BottomCenter,
    Center,
    Overlap,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DirectionForm {
    Both,
    LeftToRight,
    RightToLeft,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EmitForm {
    WhilePresent,
    OnChange,
}

/// Reads a rules file of either kind: JSON, or what begins with a group or a comment is
/// nvdsanalytics' ini. With sentences about what of it means nothing here.
///
/// # Errors
/// The first [`RulesError`].
pub fn parse_any(text: &str) -> Result<(Vec<Rule>, Vec<String>), RulesError> {
    if is_ini(text.trim_start()) {
        let read = super::nvdsanalytics::parse(text)?;
        return Ok((read.rules, read.notes));
    }
    Ok((parse(text)?, Vec::new()))
}

fn is_ini(text: &str) -> bool {
    let begins_name = |c: char| c.is_alphabetic() || c == '_';
    match text.strip_prefix('[') {
        Some(rest) => rest.trim_start().starts_with(begins_name),
        None => text.starts_with(['#', ';']),
    }
}

/// Reads a rules file in JSON. The rules have been checked.
///
/// # Errors
/// The first [`RulesError`], with its JSON path.
pub fn parse(text: &str) -> Result<Vec<Rule>, RulesError> {
    if text.trim_start().starts_with('[') {
        return Err(RulesError::List);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let document: Document =
        serde_path_to_error::deserialize(&mut reader).map_err(|err| RulesError::Read {
            path: json_path(&err.path().to_string()),
            reason: err.inner().to_string(),
        })?;
    reader.end().map_err(|err| RulesError::Read {
        path: "$".into(),
        reason: err.to_string(),
    })?;
    let shapes = Shapes::read(&document.zones, &document.lines)?;
    if document.rules.is_empty() {
        return Err(RulesError::Empty);
    }
    let mut names = BTreeSet::new();
    let rules = document.rules.iter().enumerate().map(|(n, form)| {
        let path = format!("$.rules[{n}]");
        if form.name.is_empty() || !names.insert(&form.name) {
            let name = form.name.clone();
            return Err(RulesError::Name { path, name });
        }
        form.read(path, &shapes)
    });
    rules.collect()
}

/// In the notation of JSONPath.
fn json_path(path: &str) -> String {
    // What ends too early has no member to name.
    match path.trim_end_matches(['.', '?']) {
        "" => "$".into(),
        path => format!("$.{path}"),
    }
}

impl List {
    fn read(&self, path: &str) -> Result<Labels, RulesError> {
        let refused = |path: String, err: LabelsError| RulesError::Rule {
            path,
            error: err.into(),
        };
        let items = match self {
            Self::One(list) => {
                return Labels::parse(list).map_err(|err| refused(path.to_owned(), err));
            }
            // To let all count is no meaning of a list of those that do.
            Self::Many(items) if items.is_empty() => {
                return Err(refused(path.to_owned(), LabelsError::EmptyList));
            }
            Self::Many(items) => items,
        };
        let mut labels = Labels::default();
        for (n, item) in items.iter().enumerate() {
            let pushed = labels.push(item);
            pushed.map_err(|err| refused(format!("{path}[{n}]"), err))?;
        }
        Ok(labels)
    }
}

impl Form {
    fn read(&self, path: String, shapes: &Shapes) -> Result<Rule, RulesError> {
        let labels = match &self.labels {
            None => Labels::default(),
            Some(list) => list.read(&format!("{path}.labels"))?,
        };
        let overlap = self.min_overlap.unwrap_or(Rule::MIN_OVERLAP);
        if !(0.0..=1.0).contains(&overlap) {
            // Also where nothing goes by it, and the rule would not look.
            let (member, value) = ("min-overlap", overlap);
            let error = RuleError::Share { member, value };
            let path = format!("{path}.{member}");
            return Err(RulesError::Rule { path, error });
        }
        let default = Rule::default();
        let rule = Rule {
            name: self.name.clone(),
            signal_label: self.signal_label.clone(),
            labels,
            min_confidence: self.min_confidence.unwrap_or(default.min_confidence),
            min_area: self.min_area.unwrap_or(default.min_area),
            max_area: self.max_area.unwrap_or(default.max_area),
            min_distance: self.min_distance.and_then(Rule::distance),
            max_distance: self.max_distance.and_then(Rule::distance),
            min_count: self.min_count.unwrap_or(default.min_count),
            max_count: self.max_count.and_then(Rule::limit),
            zones: shapes.zones(&self.zones, &format!("{path}.zones"))?,
            outside: self.outside,
            reference: match self.reference {
                Some(ReferenceForm::Center) => Reference::Center,
                Some(ReferenceForm::Overlap) => Reference::Overlap(overlap),
                Some(ReferenceForm::BottomCenter) | None => Reference::BottomCenter,
            },
            lines: shapes.lines(&self.lines, &format!("{path}.lines"))?,
            direction: match self.direction {
                Some(DirectionForm::LeftToRight) => Direction::LeftToRight,
                Some(DirectionForm::RightToLeft) => Direction::RightToLeft,
                Some(DirectionForm::Both) | None => Direction::Both,
            },
            min_dwell: self.min_dwell.unwrap_or(default.min_dwell),
            confirm_frames: self.confirm_frames.unwrap_or(default.confirm_frames),
            window_frames: self.window_frames.unwrap_or(default.window_frames),
            absence_time: self.absence_time.unwrap_or(default.absence_time),
            unobserved_time: self.unobserved_time.unwrap_or(default.unobserved_time),
            emit: match self.emit {
                Some(EmitForm::OnChange) => Emit::OnChange,
                Some(EmitForm::WhilePresent) | None => Emit::WhilePresent,
            },
            path,
            ..default
        };
        match rule.check() {
            Ok(()) => Ok(rule),
            Err(error) => Err(rule.error(error)),
        }
    }
}

#[cfg(test)]
mod tests;
