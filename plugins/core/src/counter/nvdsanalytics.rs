//! Rules as NVIDIA's `nvdsanalytics` writes them: an ini file in pixels of `config-width` by
//! `config-height`, of which the groups of stream 0 are read.
//!
//! Source of the format: the DeepStream manual's page on Gst-nvdsanalytics. What has no match here
//! becomes a note and never a guess: modes, time thresholds, directions of movement, what is misspelt.

use std::collections::BTreeMap;

use super::geometry::{Point, Polygon, side};
use super::rule::Rule;
use super::rules_file::RulesError;
use super::shape::{Direction, Extent, Line, Zone};

/// What was read, and what of it means nothing here.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// One for each region or line.
    pub rules: Vec<Rule>,
    /// Sentences about what is not kept, without the element's name.
    pub notes: Vec<String>,
}

/// Reads such a file. The rules have been checked.
///
/// # Errors
/// [`RulesError::Ini`] with the group and key, or that of a rule.
pub fn parse(text: &str) -> Result<Read, RulesError> {
    let groups = groups(text)?;
    let empty = Group::new("property");
    let property = groups.get("property").unwrap_or(&empty);
    let size = (
        property.number("config-width")?.unwrap_or(1920.0),
        property.number("config-height")?.unwrap_or(1080.0),
    );
    if !(size.0 > 0.0 && size.1 > 0.0) {
        return Err(property.error("config-width", "give a size above 0"));
    }
    let mut read = Read {
        rules: Vec::new(),
        notes: Vec::new(),
    };
    if property.is_off("enable", true)? {
        return Err(property.error("enable", "it is 0, so nothing would count: give 1"));
    }
    for (name, group) in &groups {
        let Some((kind, stream)) = name.rsplit_once("-stream-") else {
            match name.as_str() {
                "property" => group.note(
                    &mut read,
                    &["enable", "config-width", "config-height"],
                    None,
                ),
                _ => read.leave_out(name, "there is no such group here"),
            }
            continue;
        };
        if group.is_off("enable", false)? {
            if !group.keys.contains_key("enable") {
                read.leave_out(name, "it does not say enable=1");
            }
            continue;
        }
        if stream != "0" {
            read.leave_out(name, "only stream 0 is read");
            continue;
        }
        match kind {
            "roi-filtering" => group.regions(&mut read, size, "inverse-roi")?,
            "overcrowding" => group.regions(&mut read, size, "object-threshold")?,
            "line-crossing" => group.lines(&mut read, size)?,
            _ => read.leave_out(name, "there is no such rule here"),
        }
    }
    if read.rules.is_empty() {
        return Err(property.error("enable", "no group of stream 0 gives a region or line"));
    }
    Ok(read)
}

impl Read {
    fn leave_out(&mut self, group: &str, why: &str) {
        self.notes.push(format!("[{group}] is left out: {why}"));
    }
}

struct Group {
    name: String,
    keys: BTreeMap<String, String>,
}

fn groups(text: &str) -> Result<BTreeMap<String, Group>, RulesError> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            groups
                .entry(name.to_owned())
                .or_insert_with(|| Group::new(name));
            current = Some(name.to_owned());
            continue;
        }
        let group = current.as_ref().and_then(|name| groups.get_mut(name));
        let (Some(group), Some((key, value))) = (group, line.split_once('=')) else {
            return Err(RulesError::Ini {
                group: current.unwrap_or_default(),
                key: line.to_owned(),
                reason: "this is neither [group] nor key=value".into(),
            });
        };
        group
            .keys
            .insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(groups)
}

impl Group {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            keys: BTreeMap::new(),
        }
    }

    fn error(&self, key: &str, reason: &str) -> RulesError {
        RulesError::Ini {
            group: self.name.clone(),
            key: key.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, RulesError> {
        let Some(text) = self.keys.get(key) else {
            return Ok(None);
        };
        let numbers = text.split(';').map(str::trim).filter(|n| !n.is_empty());
        let finite = |n: &str| n.parse().ok().filter(|n: &f64| n.is_finite());
        let numbers: Option<Vec<f64>> = numbers.map(finite).collect();
        let reason = "give numbers separated by semicolons";
        numbers.map(Some).ok_or_else(|| self.error(key, reason))
    }

    fn number(&self, key: &str) -> Result<Option<f64>, RulesError> {
        match self.numbers(key)?.as_deref() {
            None => Ok(None),
            Some([number]) => Ok(Some(*number)),
            Some(_) => Err(self.error(key, "give one number")),
        }
    }

    /// Whether a switch is 0; `on` says what it is where it is missing.
    fn is_off(&self, key: &str, on: bool) -> Result<bool, RulesError> {
        Ok(self.number(key)?.map_or(!on, |value| value == 0.0))
    }

    fn points(&self, key: &str, size: (f64, f64)) -> Result<Vec<(f64, f64)>, RulesError> {
        let numbers = self.numbers(key)?.unwrap_or_default();
        if !numbers.len().is_multiple_of(2) {
            return Err(self.error(key, "there is an x without a y"));
        }
        let pairs = numbers.chunks_exact(2);
        Ok(pairs
            .map(|pair| (pair[0] / size.0, pair[1] / size.1))
            .collect())
    }

    /// The classes that count, by the model's numbers; -1 means all.
    fn class_ids(&self) -> Result<Vec<i32>, RulesError> {
        let Some(text) = self.keys.get("class-id") else {
            return Ok(Vec::new());
        };
        let ids = text.split(';').map(str::trim).filter(|id| !id.is_empty());
        let ids: Option<Vec<i32>> = ids.map(|id| id.parse().ok()).collect();
        match ids {
            Some(ids) if ids.iter().any(|id| *id < -1) => {
                Err(self.error("class-id", "give the model's numbers, or -1 for all"))
            }
            Some(ids) if ids.contains(&-1) => Ok(Vec::new()),
            Some(ids) if !ids.is_empty() => Ok(ids),
            _ => Err(self.error("class-id", "give whole numbers separated by semicolons")),
        }
    }

    /// How many objects are a crowd.
    fn threshold(&self) -> Result<Option<u32>, RulesError> {
        let text = self.keys.get("object-threshold");
        let threshold = text.map(|text| text.trim_end_matches(';').parse().ok());
        let reason = "give one whole number, 0 or more";
        threshold.map_or(Ok(None), |number| {
            number
                .map(Some)
                .ok_or_else(|| self.error("object-threshold", reason))
        })
    }

    fn rule(&self, name: &str) -> Result<Rule, RulesError> {
        Ok(Rule {
            name: name.to_owned(),
            path: format!("[{}]", self.name),
            class_ids: self.class_ids()?,
            ..Rule::default()
        })
    }

    /// Notes every key but those that are read: `known`, and what begins with `prefix`.
    fn note(&self, read: &mut Read, known: &[&str], prefix: Option<&str>) {
        let is_read = |key: &str| {
            known.contains(&key) || prefix.is_some_and(|prefix| key.starts_with(prefix))
        };
        for key in self.keys.keys().filter(|key| !is_read(key)) {
            let name = &self.name;
            read.notes
                .push(format!("[{name}] {key} has no match here and is left out"));
        }
    }

    /// The keys that begin with `prefix`, and what follows it.
    fn named(&self, prefix: &str) -> Vec<(String, String)> {
        let keys = self.keys.keys();
        keys.filter_map(|key| Some((key.clone(), key.strip_prefix(prefix)?.to_owned())))
            .collect()
    }

    fn regions(&self, read: &mut Read, size: (f64, f64), extra: &str) -> Result<(), RulesError> {
        self.note(read, &["enable", "class-id", extra], Some("roi-"));
        for (key, name) in self.named("roi-") {
            let corners = self.points(&key, size)?;
            let polygon = Polygon::new(&corners).map_err(|e| self.error(&key, &e.to_string()))?;
            let mut rule = self.rule(&name)?;
            let extent = Extent::Frame(polygon);
            rule.zones.push(Zone { name, extent });
            match extra {
                "inverse-roi" => rule.outside = !self.is_off("inverse-roi", false)?,
                _ => rule.min_count = self.threshold()?.unwrap_or(rule.min_count).max(1),
            }
            self.keep(read, rule)?;
        }
        Ok(())
    }

    fn lines(&self, read: &mut Read, size: (f64, f64)) -> Result<(), RulesError> {
        self.note(
            read,
            &["enable", "class-id", "extended"],
            Some("line-crossing-"),
        );
        let endless = !self.is_off("extended", false)?;
        for (key, name) in self.named("line-crossing-") {
            let points = self.points(&key, size)?;
            let (way, ends) = match points[..] {
                [a, b] => (None, (a, b)),
                [from, to, a, b] => (Some((from, to)), (a, b)),
                _ => return Err(self.error(&key, "give 2 points, or 4 with the direction first")),
            };
            let line =
                Line::new(&name, ends.0, ends.1).map_err(|e| self.error(&key, &e.to_string()))?;
            let mut rule = self.rule(&name)?;
            if let Some((from, to)) = way {
                // Moved so that it begins at the line's first point, the arrow ends on the side to
                // which it leads.
                let tip = (ends.0.0 + to.0 - from.0, ends.0.1 + to.1 - from.1);
                let tip = Point::new(tip.0, tip.1);
                rule.direction = match side(line.from, line.to, tip) {
                    std::cmp::Ordering::Greater => Direction::LeftToRight,
                    std::cmp::Ordering::Less => Direction::RightToLeft,
                    std::cmp::Ordering::Equal => {
                        return Err(self.error(&key, "its direction runs along the line"));
                    }
                };
            }
            rule.lines.push(Line { endless, ..line });
            self.keep(read, rule)?;
        }
        Ok(())
    }

    fn keep(&self, read: &mut Read, mut rule: Rule) -> Result<(), RulesError> {
        // One name may serve a region and a line.
        if read.rules.iter().any(|other| other.name == rule.name) {
            rule.name = format!("{} {}", self.name, rule.name);
        }
        let path = rule.path.clone();
        rule.check()
            .map_err(|error| RulesError::Rule { path, error })?;
        read.rules.push(rule);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::{Counter, Reference, check_labels};
    use crate::detection::{BoundingBox, Detection, Observation};

    const FILE: &str = "
        # pixels of this
        [property]
        enable=1
        config-width=1000
        config-height=500
        osd-mode=2

        [roi-filtering-stream-0]
        enable=1
        roi-RF=100;50;500;50;500;400;100;400;
        inverse-roi=1
        class-id=0;2

        [roi-filtering-stream-1]
        enable=1
        roi-RF=0;0;10;0;10;10

        [overcrowding-stream-0]
        enable=1
        roi-OC=0;0;1000;0;1000;500
        time-threshold=2000
        object-threshold=5
        class-id=-1

        [line-crossing-stream-0]
        enable=1
        line-crossing-Entry=400;250;600;250;500;0;500;500
        class-id=0
        extended=1
        mode=loose

        [direction-detection-stream-0]
        enable=0
        direction-South=1;2;3;4
    ";

    #[test]
    fn regions_and_lines_become_rules_and_the_rest_notes() {
        let read = parse(FILE).expect("a right file");
        let names: Vec<_> = read.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["Entry", "OC", "RF"]);
        let [entry, crowd, filter] = &read.rules[..] else {
            panic!("three rules")
        };
        // The line leads down, and who walks to the right leaves its left side's opposite.
        assert_eq!(entry.direction, Direction::RightToLeft);
        assert!(entry.lines[0].endless);
        assert_eq!((crowd.min_count, crowd.class_ids.len()), (5, 0));
        assert!(filter.outside);
        assert_eq!(filter.class_ids, [0, 2]);
        assert_eq!(filter.reference, Reference::BottomCenter);
        let Extent::Frame(polygon) = &filter.zones[0].extent else {
            panic!("a zone of the frame")
        };
        assert!(polygon.contains(Point::new(0.3, 0.5)));
        assert_eq!(
            read.notes,
            [
                "[line-crossing-stream-0] mode has no match here and is left out",
                "[overcrowding-stream-0] time-threshold has no match here and is left out",
                "[property] osd-mode has no match here and is left out",
                "[roi-filtering-stream-1] is left out: only stream 0 is read",
            ]
        );
    }

    #[test]
    fn what_is_misspelt_is_noted() {
        for (from, to, note) in [
            (
                "class-id=0;2",
                "clas-id=0;2",
                "[roi-filtering-stream-0] clas-id has no match",
            ),
            (
                "inverse-roi",
                "inverse-rio",
                "[roi-filtering-stream-0] inverse-rio has no match",
            ),
            (
                "extended",
                "extend",
                "[line-crossing-stream-0] extend has no match",
            ),
            (
                "[property]",
                "[proprty]",
                "[proprty] is left out: there is no such group",
            ),
            (
                "config-width",
                "config-with",
                "[property] config-with has no match",
            ),
        ] {
            let read = parse(&FILE.replacen(from, to, 1)).expect("a right file");
            assert!(
                read.notes.iter().any(|it| it.starts_with(note)),
                "{:?}",
                read.notes
            );
        }
    }

    fn found(label_id: i32) -> Observation {
        let found = Detection {
            label: "thing".into(),
            label_id,
            confidence: 0.9,
            bbox: BoundingBox::from_corners(0.0, 0.0, 1.0, 1.0),
            track_id: None,
            distance: None,
            position: None,
        };
        Observation {
            detections: vec![found],
            ..Observation::default()
        }
    }

    #[test]
    fn classes_that_are_not_asked_for_do_not_count_nor_does_what_has_no_number() {
        let read = parse(FILE).expect("a right file");
        let mut counter = Counter::new(vec![read.rules[2].clone()]);
        for (label_id, raised) in [(0, 1), (1, 0), (2, 1), (3, 0)] {
            let signals = counter.observe(None, &found(label_id)).expect("counted");
            assert_eq!(signals.len(), raised, "{label_id}");
            assert!(!counter.lacks_numbers());
        }
        assert_eq!(counter.observe(None, &found(-1)), Some(vec![]));
        assert!(counter.lacks_numbers());
    }

    #[test]
    fn a_class_that_the_model_has_not_is_refused_at_its_key() {
        let rules = |id: &str| {
            let text = FILE.replacen("class-id=0;2", &format!("class-id={id}"), 1);
            parse(&text).expect("a right file").rules
        };
        let ids: Vec<_> = (0..80).collect();
        assert_eq!(check_labels(&rules("0;79"), "m", &[], &ids), Ok(()));
        assert_eq!(check_labels(&rules("0;99"), "m", &[], &[]), Ok(()));
        let refused = check_labels(&rules("0;99"), "m", &[], &ids);
        assert_eq!(
            refused.expect_err("no such class").to_string(),
            "[roi-filtering-stream-0] class-id: class-id holds 99, which is no class of the model \
             m: take one of its 80, from 0 to 79"
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_group_and_key() {
        for (from, to, says) in [
            (
                "roi-RF=100;50;500",
                "roi-RF=x;50;500",
                "[roi-filtering-stream-0] roi-RF: give numbers",
            ),
            (
                "line-crossing-Entry=400;250;",
                "line-crossing-Entry=",
                "[line-crossing-stream-0] line-crossing-Entry: ",
            ),
            (
                "400;250;600;250",
                "400;250;400;300",
                "its direction runs along",
            ),
            (
                "config-width=1000",
                "config-width=0",
                "[property] config-width",
            ),
            ("osd-mode=2", "osd-mode", "neither"),
            ("=0;2", "=0;1.7", "] class-id: give whole numbers"),
            ("=0;2", "=nan", "] class-id: give whole numbers"),
            ("=0;2", "=", "] class-id: give whole numbers"),
            ("=0;2", "=-2", "] class-id: give the model's numbers"),
            ("=0;2", "=3000000000", "] class-id: give whole numbers"),
            ("threshold=5", "threshold=nan", "] object-threshold: give"),
            ("threshold=5", "threshold=1.5", "] object-threshold: give"),
            ("threshold=5", "threshold=-1", "] object-threshold: give"),
            ("width=1000", "width=nan", "] config-width: give numbers"),
        ] {
            let said = parse(&FILE.replacen(from, to, 1)).map(|_| ());
            let said = said.err().map(|err| err.to_string()).unwrap_or_default();
            assert!(said.contains(says), "{from}: {said}");
        }
    }
}
