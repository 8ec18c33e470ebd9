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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::counter::shape::Extent;
    use crate::counter::volume::{Bounds, Volume};

    #[test]
    fn every_member_is_read() {
        let rules = parse(
            r#"{
                "$schema": "rules.schema.json",
                "zones": {
                    "door": [[0, 0], [0.5, 0], [0.5, 1]],
                    "dock": {"space": {"min-x": -1.5, "max-x": 1.5, "max-z": 3}}
                },
                "lines": {"gate": [[0.5, 0], [0.5, 1]]},
                "rules": [
                    {"name": "loiter", "signal-label": "loitering", "labels": ["person", "dog:0.6"],
                     "min-confidence": 0.5, "min-area": 0.01, "max-area": 0.9, "min-distance": 1,
                     "max-distance": 3.5, "min-count": 2,
                     "max-count": 5, "zones": ["door"], "outside": true,
                     "reference": "overlap", "min-overlap": 0.25, "min-dwell": 7,
                     "confirm-frames": 2, "window-frames": 3, "absence-time": 4,
                     "unobserved-time": 5, "emit": "on-change"},
                    {"name": "crossing", "labels": "person", "lines": ["gate"],
                     "direction": "left-to-right", "reference": "center", "zones": ["dock"]}
                ]
            }"#,
        )
        .expect("a right file");
        let [loiter, crossing] = &rules[..] else {
            panic!("two rules")
        };
        assert_eq!(
            *loiter,
            Rule {
                name: "loiter".into(),
                path: "$.rules[0]".into(),
                signal_label: Some("loitering".into()),
                labels: Labels::parse("person,dog:0.6").expect("a right list"),
                min_confidence: 0.5,
                min_area: 0.01,
                max_area: 0.9,
                min_distance: Some(1.0),
                max_distance: Some(3.5),
                min_count: 2,
                max_count: Some(5),
                zones: loiter.zones.clone(),
                outside: true,
                reference: Reference::Overlap(0.25),
                min_dwell: 7,
                confirm_frames: 2,
                window_frames: 3,
                absence_time: 4,
                unobserved_time: 5,
                emit: Emit::OnChange,
                ..Rule::default()
            }
        );
        assert_eq!(loiter.zones[0].name, "door");
        let bounds = |min, max| Bounds { min, max };
        let dock = Volume::new([
            bounds(Some(-1.5), Some(1.5)),
            Bounds::default(),
            bounds(None, Some(3.0)),
        ]);
        let dock = Extent::Space(dock.expect("bounds in order"));
        assert_eq!(crossing.zones[0].extent, dock);
        assert_eq!(crossing.lines[0].name, "gate");
        assert_eq!(crossing.direction, Direction::LeftToRight);
        assert_eq!(crossing.reference, Reference::Center);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        let rule = |members: &str| format!(r#"{{"rules": [{{"name": "a"{members}}}]}}"#);
        let shapes = |shapes: &str| format!(r#"{{{shapes}, "rules": [{{"name": "a"}}]}}"#);
        for (text, says) in [
            ("{".to_owned(), "$: EOF"),
            (r#"{"rules": []}"#.into(), "$.rules: there is no rule"),
            (
                rule(r#", "min-cuont": 2"#),
                "$.rules[0].min-cuont: unknown field",
            ),
            (
                rule(r#", "min-count": -1"#),
                "$.rules[0].min-count: invalid value",
            ),
            (rule(r#", "labels": 7"#), "$.rules[0].labels: give a string"),
            (
                rule(r#", "labels": "a:2""#),
                "$.rules[0].labels: labels gives \"a\"",
            ),
            (
                rule(r#", "labels": ["a", "b:2"]"#),
                "$.rules[0].labels[1]: labels gives \"b\" the confidence \"2\"",
            ),
            (
                rule(r#", "labels": ["b:"]"#),
                "$.rules[0].labels[0]: labels gives \"b\" the confidence \"\"",
            ),
            (
                rule(r#", "labels": ["a", " "]"#),
                "$.rules[0].labels[1]: this label is empty: name one",
            ),
            (
                rule(r#", "labels": [":0.5"]"#),
                "$.rules[0].labels[0]: this label is empty",
            ),
            (
                rule(r#", "labels": ["a", "b", "a:0.5"]"#),
                "$.rules[0].labels[2]: labels names \"a\" twice",
            ),
            (
                rule(r#", "labels": []"#),
                "$.rules[0].labels: this list holds no label, so nothing would count",
            ),
            (
                rule(r#", "zones": ["b"]"#),
                "$.rules[0].zones[0]: there is no \"b\"",
            ),
            (
                rule(r#", "min-area": 2"#),
                "$.rules[0].min-area: min-area is 2",
            ),
            (
                rule(r#", "max-distance": -2"#),
                "$.rules[0].max-distance: max-distance is -2: give metres",
            ),
            (
                rule(r#", "min-overlap": 2"#),
                "$.rules[0].min-overlap: min-overlap is 2",
            ),
            (
                rule(r#", "max-count": 0"#),
                "$.rules[0].min-count: min-count is 1 and max-count 0, so it never holds: lower \
                 min-count to 0 or raise max-count to 1",
            ),
            (
                rule(r#", "min-count": 0, "max-count": 4294967295"#),
                "$.rules[0].min-count: min-count is 0, which always holds",
            ),
            (
                rule(r#", "outside": true"#),
                "$.rules[0].outside: outside is asked for without a zone",
            ),
            (r#"[{"name": "a"}]"#.into(), "$: this is a list"),
            (
                rule(r#"}, {"name": "a""#),
                "$.rules[1].name: \"a\" is empty or taken",
            ),
            (
                shapes(r#""zones": {"bow": [[0,0],[1,1],[1,0],[0,1]]}"#),
                "$.zones.bow: the polygon crosses itself: its edges 0 and 2 meet",
            ),
            (
                shapes(r#""zones": {"a": [[0,0],[1,0],[1]]}"#),
                "$.zones.a[2]: invalid length",
            ),
            (
                shapes(r#""zones": {"a": 7}"#),
                "$.zones.a: invalid type: integer `7`, expected corners such as",
            ),
            (
                shapes(r#""zones": {"dock": {"space": {}}}"#),
                "$.zones.dock.space: space without a bound holds everything: give one",
            ),
            (
                shapes(r#""zones": {"dock": {"space": {"min-z": 3, "max-z": 2}}}"#),
                "$.zones.dock.space: min-z is greater than max-z",
            ),
            (
                shapes(r#""zones": {"dock": {"space": {"max-zz": 2}}}"#),
                "$.zones.dock.space.max-zz: unknown field",
            ),
            (
                shapes(r#""zones": {"dock": {"spaces": {}}}"#),
                "$.zones.dock.spaces: unknown field",
            ),
            (
                shapes(r#""zones": {"dock": {"space": {"max-z": "near"}}}"#),
                "$.zones.dock.space.max-z: invalid type",
            ),
            (
                shapes(r#""lines": {"dot": [[0.5,0.5],[0.5,0.5]]}"#),
                "$.lines.dot: the line has no length",
            ),
            (shapes(r#""lines": {"l": [[0,0]]}"#), "$.lines.l"),
            (
                shapes(r#""zones": {"a": [[0,0],[1,0],[1,1]], "a": [[0,0],[1,0],[0,1]]}"#),
                "$.zones.a: \"a\" stands here twice",
            ),
            (
                shapes(r#""lines": {"l": [[0,0],[1,0]], "l": [[0,0],[1,1]]}"#),
                "$.lines.l: \"l\" stands here twice",
            ),
            (
                r#"{"zones": {"a": [[0,0],[1,0],[1,1]]}, "rules": [{"name": "r", "zones": ["a", "a"]}]}"#
                    .into(),
                "$.rules[0].zones[1]: \"a\" stands here twice",
            ),
            (
                r#"{"lines": {"l": [[0,0],[1,0]]}, "rules": [{"name": "r", "lines": ["l", "l"]}]}"#
                    .into(),
                "$.rules[0].lines[1]: \"l\" stands here twice",
            ),
            (rule("") + "x", "$: trailing characters"),
        ] {
            let said = parse(&text).expect_err(says).to_string();
            assert!(said.starts_with(says), "{said}");
        }
    }

    #[test]
    fn a_label_in_a_list_may_hold_commas_and_colons() {
        let text =
            r#"{"rules": [{"name": "a", "labels": ["tench, Tinca tinca", "a:b", "c:d:0.6"]}]}"#;
        let rules = parse(text).expect("a right file");
        let threshold = |label| rules[0].labels.threshold(label, 0.5);
        assert_eq!(threshold("tench, Tinca tinca"), Some(0.5));
        assert_eq!(threshold("a:b"), Some(0.5));
        assert_eq!(threshold("c:d"), Some(0.6));
        for other in ["tench", "Tinca tinca", "a", "b", "c", "zebra"] {
            assert_eq!(threshold(other), None, "{other}");
        }
    }

    #[test]
    fn members_that_ask_for_nothing_mean_what_such_properties_mean() {
        let text = r#"{"rules": [{"name": "a", "labels": "", "min-distance": 0, "max-distance": 0,
            "max-count": 4294967295}]}"#;
        let rules = parse(text).expect("a right file");
        let plain = Rule {
            name: "a".into(),
            path: "$.rules[0]".into(),
            ..Rule::default()
        };
        assert_eq!(rules, [plain]);
    }

    #[test]
    fn what_is_no_ini_is_read_as_json() {
        for list in ["[]", " [ {\"name\": \"a\"} ]", "[\n{", "[1, 2]"] {
            let said = parse_any(list).expect_err(list).to_string();
            assert!(said.starts_with("$: this is a list"), "{list}: {said}");
        }
        for ini in ["[property]", "# rules", "; rules"] {
            let said = parse_any(ini).expect_err(ini).to_string();
            assert!(said.starts_with("[property] enable"), "{ini}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,64}") {
            let _ = parse(&text);
        }
    }
}
