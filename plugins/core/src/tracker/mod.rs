//! Which detection is which object: ByteTrack ("Multi-Object Tracking by Associating Every
//! Detection Box", Zhang et al., ECCV 2022) on signed running time, so that it does not matter
//! whether every frame is inferred or every tenth.
//!
//! Tracks are predicted (`kalman`) and associated with the detections (`assign`) twice: all with
//! those of high confidence, then those that were just seen with the rest, since an object that is
//! being covered is still there and only harder to see. Not here: frames and metas.

mod assign;
mod kalman;
mod round;
#[cfg(test)]
mod tests;
mod track;

use self::round::Round;
pub use self::track::Ended;
use self::track::{Stage, Track};
use crate::detection::{BoundingBox, Detection, Label};
use crate::time::{Nanos, SECOND};

/// Between two observations that do not say.
const USUAL: Nanos = SECOND / 30;
/// Least overlap (IoU) of a track with a detection: of high confidence, of low, and of a track that
/// was seen too seldom to be one. ByteTrack's.
const HIGH: f32 = 0.2;
const LOW: f32 = 0.5;
const NEW: f32 = 0.3;

/// How detections become tracks.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// From this confidence on a detection may begin a track.
    pub high_confidence: f64,
    /// Below this one a detection is passed over.
    pub low_confidence: f64,
    /// How many observations in a row make a track; 0 means the same as 1.
    pub min_hits: u32,
    /// For how long an object that is not seen may be found again.
    pub max_age: Nanos,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            high_confidence: 0.5,
            low_confidence: 0.1,
            min_hits: 2,
            max_age: 2 * SECOND,
        }
    }
}

/// Which object a detection is.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The track's number, from 1, never used again.
    pub id: i64,
    /// Its label and that label's number, where most of its detections say another one.
    pub label: Option<(Label, i32)>,
}

/// What an observation made of the tracks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// For each detection, in their order, the object; `None` where it is no track (yet).
    pub identities: Vec<Option<Identity>>,
    /// Tracks that are over.
    pub ended: Vec<Ended>,
}

/// Follows objects from observation to observation.
#[derive(Debug, Default)]
pub struct Tracker {
    config: Config,
    tracks: Vec<Track>,
    last_id: i64,
    /// When the last observation was, and how long after the one before it.
    now: Option<Nanos>,
    pace: Nanos,
    /// Width of the frame over its height.
    aspect: f64,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            aspect: 1.0,
            ..Self::default()
        }
    }

    /// Tracks by other rules from the next observation on.
    pub fn configure(&mut self, config: Config) {
        self.config = config;
    }

    /// Takes what was seen at `time` in a frame that is `aspect` times as wide as high, and says
    /// which object is which. Only for frames that were inferred, each once.
    pub fn observe(
        &mut self,
        time: Option<Nanos>,
        aspect: f64,
        detections: &[Detection],
    ) -> Outcome {
        self.aspect = if aspect > 0.0 { aspect } else { 1.0 };
        let (now, mut ended) = self.advance(time);
        let mut round = Round::new(&self.tracks, detections, self.aspect);
        let low = self.config.low_confidence;
        let high = self.config.high_confidence.max(low);
        let confidence = |n: &usize| detections[*n].confidence;
        let (first, second): (Vec<usize>, Vec<usize>) = (0..detections.len())
            .filter(|n| confidence(n) >= low)
            .partition(|n| confidence(n) >= high);
        round.associate(&first, HIGH, |track| track.stage != Stage::New);
        round.associate(&second, LOW, |track| track.stage == Stage::Seen);
        round.associate(&first, NEW, |track| track.stage == Stage::New);
        let Round { found, taken, .. } = round;

        let mut identities = vec![None; detections.len()];
        for (n, found) in found {
            let detection = &detections[found];
            let track = &mut self.tracks[n];
            track.seen(now, detection, self.aspect);
            if track.stage == Stage::New && track.hits >= self.config.min_hits {
                self.last_id += 1;
                track.id = self.last_id;
            }
            if track.id > 0 {
                track.stage = Stage::Seen;
                identities[found] = Some(track.identity(detection));
            }
        }
        for n in first.into_iter().filter(|n| !taken[*n]) {
            let mut track = Track::new(now, &detections[n], self.aspect);
            if self.config.min_hits <= 1 {
                self.last_id += 1;
                (track.id, track.stage) = (self.last_id, Stage::Seen);
                identities[n] = Some(track.identity(&detections[n]));
            }
            self.tracks.push(track);
        }
        ended.extend(self.retire(now));
        Outcome { identities, ended }
    }

    /// Moves all tracks to the time of an observation, and gives that and the tracks that are over
    /// by then. To a detector that looks seldom two of its looks are not too long.
    fn advance(&mut self, time: Option<Nanos>) -> (Nanos, Vec<Ended>) {
        let last = self.now;
        let next = time.unwrap_or_else(|| last.map_or(0, |last| last.saturating_add(USUAL)));
        // Two observations are never one, whatever their times say.
        let now = last.map_or(next, |last| next.max(last.saturating_add(1)));
        let elapsed = last.map_or(0, |last| now.saturating_sub(last));
        let patience = self.config.max_age.max(self.pace.saturating_mul(2));
        (self.now, self.pace) = (Some(now), elapsed);
        let is_over = |track: &mut Track| now.saturating_sub(track.last) > patience;
        let over = self.tracks.extract_if(.., is_over);
        let told = over.filter(|track| track.id > 0);
        let ended = told.map(|track| track.end()).collect();
        for track in &mut self.tracks {
            track.filter.predict(units(elapsed));
        }
        (now, ended)
    }

    /// Marks the tracks that were not seen `now` and takes away those that are over.
    fn retire(&mut self, now: Nanos) -> Vec<Ended> {
        let max_age = self.config.max_age;
        let mut ended = Vec::new();
        self.tracks.retain_mut(|track| {
            if track.last == now {
                return true;
            }
            let over = track.stage == Stage::New || now.saturating_sub(track.last) > max_age;
            if over && track.id > 0 {
                ended.push(track.end());
            } else if !over {
                track.stage = Stage::Lost;
                track.filter.keep_size();
            }
            !over
        });
        ended
    }

    /// Where the objects of the last observation are at `time`, in a frame that is not inferred.
    pub fn predict(&self, time: Option<Nanos>) -> Vec<Detection> {
        let elapsed = time
            .zip(self.now)
            .map_or(0, |(time, now)| time.saturating_sub(now));
        let tracks = self
            .tracks
            .iter()
            .filter(|track| track.stage == Stage::Seen);
        tracks
            .map(|track| {
                let [l, t, r, b] = track.filter.corners(units(elapsed.clamp(0, SECOND)));
                let (l, r) = (l / self.aspect, r / self.aspect);
                track.predicted(BoundingBox::from_corners(l, t, r, b))
            })
            .filter(|predicted| predicted.bbox.area() > 0.0)
            .collect()
    }

    /// The stream is over, and all tracks with it.
    pub fn finish(&mut self) -> Vec<Ended> {
        (self.now, self.pace) = (None, 0);
        let tracks = self.tracks.drain(..).filter(|track| track.id > 0);
        tracks.map(|track| track.end()).collect()
    }
}

fn units(time: Nanos) -> f64 {
    time as f64 / USUAL as f64
}
