//! One object: where it is, what it is called and since when it is known.

use serde_json::{Map, Value};

use super::Identity;
use super::kalman::Filter;
use crate::detection::{BoundingBox, Detection, Label};
use crate::time::Nanos;

/// How well an object is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Seen, but too seldom to be a track; not to be seen ends it.
    New,
    /// Seen in the last observation.
    Seen,
    /// Not seen lately, and looked for.
    Lost,
}

/// What was seen under one label, and how surely in sum.
#[derive(Debug)]
struct Vote {
    label: Label,
    label_id: i32,
    weight: f64,
}

#[derive(Debug)]
pub(super) struct Track {
    /// 0 before it is a track.
    pub(super) id: i64,
    pub(super) stage: Stage,
    pub(super) filter: Filter,
    pub(super) hits: u32,
    /// When it was last seen.
    pub(super) last: Nanos,
    first: Nanos,
    confidence: f64,
    /// Never empty; the one with most weight first.
    votes: Vec<Vote>,
}

/// A track that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Its number.
    pub id: i64,
    /// What most of its detections called it.
    pub label: Label,
    /// When it was first and last seen, in running time.
    pub first: Nanos,
    /// See `first`.
    pub last: Nanos,
    /// In how many observations.
    pub hits: u32,
}

impl Ended {
    /// The fact as one JSON object.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("track_id".into(), self.id.into());
        members.insert("label".into(), self.label.as_ref().into());
        members.insert("first".into(), self.first.into());
        members.insert("last".into(), self.last.into());
        members.insert("observations".into(), self.hits.into());
        members
    }
}

impl Track {
    pub(super) fn new(now: Nanos, detection: &Detection, aspect: f64) -> Self {
        Self {
            id: 0,
            stage: Stage::New,
            filter: Filter::new(&detection.bbox, aspect),
            hits: 1,
            last: now,
            first: now,
            confidence: detection.confidence,
            votes: vec![Vote::of(detection)],
        }
    }

    pub(super) fn seen(&mut self, now: Nanos, detection: &Detection, aspect: f64) {
        self.filter.update(&detection.bbox, aspect);
        self.hits = self.hits.saturating_add(1);
        self.last = now;
        self.confidence = detection.confidence;
        match self
            .votes
            .iter_mut()
            .find(|vote| vote.label == detection.label)
        {
            Some(vote) => vote.weight += detection.confidence,
            None => self.votes.push(Vote::of(detection)),
        }
        // Stable: of labels with equal weight the elder stays.
        self.votes.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    }

    pub(super) fn label(&self) -> &str {
        &self.votes[0].label
    }

    pub(super) fn identity(&self, detection: &Detection) -> Identity {
        let vote = &self.votes[0];
        let differs = vote.label != detection.label;
        Identity {
            id: self.id,
            label: differs.then(|| (vote.label.clone(), vote.label_id)),
        }
    }

    pub(super) fn predicted(&self, bbox: BoundingBox) -> Detection {
        let vote = &self.votes[0];
        Detection {
            label: vote.label.clone(),
            label_id: vote.label_id,
            confidence: self.confidence,
            bbox,
            track_id: Some(self.id),
            distance: None,
            position: None,
        }
    }

    pub(super) fn end(&self) -> Ended {
        Ended {
            id: self.id,
            label: self.votes[0].label.clone(),
            first: self.first,
            last: self.last,
            hits: self.hits,
        }
    }
}

impl Vote {
    fn of(detection: &Detection) -> Self {
        Self {
            label: detection.label.clone(),
            label_id: detection.label_id,
            weight: detection.confidence,
        }
    }
}
