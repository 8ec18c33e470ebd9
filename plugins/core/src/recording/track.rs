//! One stream in one clip: which units go in, and at what times.
//!
//! A clip begins at 0 with a sync point and never goes back in decode order. A muxer would take
//! anything and write a file that plays wrongly, so what does not fit stops here.

use super::Unit;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// What becomes of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes into the clip at these times, counted from the clip's start; the DTS of the first
    /// units may be negative.
    Write {
        /// `≥ 0`.
        pts: Nanos,
        /// Strictly rising; `None` throughout the clip where upstream knows none.
        dts: Option<Nanos>,
    },
    /// It does not; the clip goes on.
    Skip,
    /// The clip must end before it.
    Break(Break),
}

/// Why a clip ends before its recording does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// Caps or codec data changed; a clip holds one kind of stream.
    #[error("the caps changed within the recording")]
    Caps,
    /// A stream has come that the clip has no track for.
    #[error("another stream began within the recording")]
    Stream,
    /// Audio came back after a pause in which an MP4 had to go on without it.
    #[error("the audio came back after a pause that MP4 cannot hold, as container=matroska can")]
    Silence,
    /// DTS went back by more than can be mended.
    #[error("the time went backwards within the recording")]
    Backwards,
    /// Some units have a DTS and some have none.
    #[error("the buffers lost their DTS within the recording")]
    LostDts,
    /// B-frames without DTS, and nothing that could work the DTS out.
    #[error(
        "the buffers are reordered and have no DTS: put h264timestamper or h265timestamper (gst-plugins-bad) behind the parser"
    )]
    Reordered,
}

impl Break {
    /// Whether another part of the same recording can begin at the next sync point.
    pub fn can_go_on(self) -> bool {
        self != Self::Reordered
    }
}

/// Why a clip holds less than the recording promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The first unit was no sync point.
    #[error("the recording did not begin with a sync point")]
    NoSyncPoint,
    /// The writer could not keep up.
    #[error("the disk could not keep up, so whole groups of pictures were dropped")]
    TooSlow,
    /// The writer could not even keep up with what comes beside the video.
    #[error("the disk could not keep up, so sound was dropped")]
    Silenced,
    /// Units without PTS.
    #[error(
        "buffers without PTS were dropped, each with the rest of its group of pictures: take the \
         video from a container or a camera, as a bare stream tells no times"
    )]
    NoPts,
    /// Units beside the video without PTS, or out of order.
    #[error("buffers beside the video without PTS or out of order were dropped")]
    Disordered,
}

/// A stretch of a clip in which nothing is shown: the camera was away, or media was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Where it begins, running time.
    pub start: Nanos,
    /// Where the next frame can be at the earliest, running time.
    pub end: Nanos,
}

/// A shorter silence is a slow camera and no hole.
const SHORTEST_HOLE: Nanos = SECOND;

/// The timeline of one stream in one clip.
#[derive(Debug)]
pub struct Track {
    /// Bytes that may wait for the writer.
    max_queued: u64,
    /// Somebody behind us works out missing DTS.
    has_timestamper: bool,
    /// How long a unit is shown that does not say so itself.
    frame_duration: Option<Nanos>,
    /// PTS of the first unit.
    start: Option<Nanos>,
    last_pts: Nanos,
    last_dts: Option<Nanos>,
    /// The largest `pts + duration` so far.
    end: Nanos,
    holes: Vec<Hole>,
    frames: u64,
    /// Everything up to the next sync point is dropped.
    skipping: bool,
    loss: Option<Loss>,
}

impl Track {
    /// An empty clip.
    pub fn new(max_queued: u64, has_timestamper: bool, frame_duration: Option<Nanos>) -> Self {
        Self {
            max_queued,
            has_timestamper,
            frame_duration,
            start: None,
            last_pts: 0,
            last_dts: None,
            end: 0,
            holes: Vec::new(),
            frames: 0,
            skipping: false,
            loss: None,
        }
    }

    /// Judges the next unit in decode order while `queued` bytes wait for the writer.
    pub fn push<T>(&mut self, unit: &Unit<T>, queued: u64) -> Verdict {
        let Some(start) = self.start.or(unit.sync.then_some(unit.pts)) else {
            self.loss.get_or_insert(Loss::NoSyncPoint);
            return Verdict::Skip;
        };
        // A leading picture of the first sync point: it does not decode from there.
        if unit.pts < start {
            return Verdict::Skip;
        }
        if self.skips(unit, queued) {
            return Verdict::Skip;
        }
        let dts = match self.dts(unit) {
            Ok(dts) => dts,
            Err(why) => return Verdict::Break(why),
        };

        self.start = Some(start);
        self.note_hole(dts.unwrap_or(unit.pts));
        let since_last =
            (self.frames > 0 && unit.pts > self.last_pts).then(|| unit.pts - self.last_pts);
        let duration = unit.duration.or(self.frame_duration).or(since_last);
        self.end = self.end.max(unit.pts + duration.unwrap_or(0));
        self.last_pts = unit.pts;
        self.last_dts = dts;
        self.frames += 1;
        Verdict::Write {
            pts: unit.pts - start,
            dts: dts.map(|dts| dts - start),
        }
    }

    /// A unit that has no PTS: what follows it cannot be decoded either.
    pub fn lose(&mut self) {
        self.skipping = true;
        self.loss.get_or_insert(Loss::NoPts);
    }

    /// Where the clip begins; `None` while it is empty.
    pub fn start(&self) -> Option<Nanos> {
        self.start
    }

    /// Where its last frame ends.
    pub fn end(&self) -> Nanos {
        self.end
    }

    /// How many units it holds.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The first thing that is missing in it.
    pub fn loss(&self) -> Option<Loss> {
        self.loss
    }

    /// Where nothing is shown for long, in order.
    pub fn holes(&self) -> &[Hole] {
        &self.holes
    }

    /// No later unit is shown before `next`: what lies between the end and that is empty.
    fn note_hole(&mut self, next: Nanos) {
        if self.frames > 0 && next.saturating_sub(self.end) >= SHORTEST_HOLE {
            self.holes.push(Hole {
                start: self.end,
                end: next,
            });
        }
    }

    fn skips<T>(&mut self, unit: &Unit<T>, queued: u64) -> bool {
        if self.skipping {
            // Half, so that a writer at its limit gets a whole group in and not one frame of each.
            self.skipping = !unit.sync || queued > self.max_queued / 2;
        } else if queued.saturating_add(unit.bytes) > self.max_queued && queued > 0 {
            self.skipping = true;
            self.loss.get_or_insert(Loss::TooSlow);
        }
        self.skipping
    }

    fn dts<T>(&self, unit: &Unit<T>) -> Result<Option<Nanos>, Break> {
        match (unit.dts, self.last_dts) {
            (None, Some(_)) => Err(Break::LostDts),
            (Some(_), None) if self.frames > 0 => Err(Break::LostDts),
            (None, None) if self.has_timestamper || self.frames == 0 => Ok(None),
            (None, None) if unit.pts > self.last_pts => Ok(None),
            (None, None) => Err(Break::Reordered),
            (Some(dts), Some(last)) if dts <= last => {
                // Receivers that stamp by arrival repeat a DTS now and then.
                let mended = last + MILLISECOND;
                let slightly = last - dts < 100 * MILLISECOND && mended <= unit.pts;
                slightly.then_some(Some(mended)).ok_or(Break::Backwards)
            }
            (dts, _) => Ok(dts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = MILLISECOND;

    #[test]
    fn a_stretch_without_frames_is_a_hole_and_a_slow_camera_is_none() {
        let mut track = Track::new(1000, false, None);
        for pts in [0, 40, 80, 1100, 5000, 5040] {
            track.push(&unit(pts, pts, pts == 0), 0);
        }
        let hole = Hole {
            start: 1140 * MS,
            end: 5000 * MS,
        };
        assert_eq!(track.holes(), [hole]);
    }

    fn unit(pts: Nanos, dts: impl Into<Option<Nanos>>, sync: bool) -> Unit<()> {
        Unit {
            pts: pts * MS,
            dts: dts.into().map(|dts| dts * MS),
            duration: Some(40 * MS),
            sync,
            bytes: 10,
            payload: (),
        }
    }

    fn written(pts: Nanos, dts: impl Into<Option<Nanos>>) -> Verdict {
        Verdict::Write {
            pts: pts * MS,
            dts: dts.into().map(|dts| dts * MS),
        }
    }

    fn track() -> Track {
        Track::new(100, false, None)
    }

    #[test]
    fn a_clip_starts_at_0_with_a_sync_point_and_its_dts_below() {
        let mut track = track();
        assert_eq!(track.push(&unit(960, 880, false), 0), Verdict::Skip);
        assert_eq!(track.loss(), Some(Loss::NoSyncPoint));
        assert_eq!(track.push(&unit(1000, 920, true), 0), written(0, -80));
        assert_eq!(track.push(&unit(1120, 960, false), 0), written(120, -40));
        assert_eq!(track.push(&unit(1040, 1000, false), 0), written(40, 0));
        assert_eq!((track.frames(), track.end()), (3, 1160 * MS));
    }

    #[test]
    fn leading_pictures_of_the_first_sync_point_stay_out() {
        let mut track = track();
        track.push(&unit(1000, 920, true), 0);
        assert_eq!(track.push(&unit(960, 930, false), 0), Verdict::Skip);
        assert_eq!((track.frames(), track.loss()), (1, None));
    }

    #[test]
    fn a_writer_that_cannot_keep_up_loses_everything_to_the_next_sync_point_that_fits() {
        let mut track = track();
        track.push(&unit(0, 0, true), 0);
        assert_eq!(track.push(&unit(40, 40, false), 95), Verdict::Skip);
        assert_eq!(track.push(&unit(80, 80, false), 0), Verdict::Skip);
        assert_eq!(track.push(&unit(120, 120, true), 60), Verdict::Skip);
        assert_eq!(track.push(&unit(160, 160, true), 50), written(160, 160));
        assert_eq!(track.loss(), Some(Loss::TooSlow));
    }

    #[test]
    fn a_repeated_dts_is_mended_and_a_jump_back_breaks_the_clip() {
        let mut track = track();
        track.push(&unit(0, 0, true), 0);
        assert_eq!(track.push(&unit(40, 0, false), 0), written(40, 1));
        assert_eq!(
            track.push(&unit(80, -200, false), 0),
            Verdict::Break(Break::Backwards)
        );
    }

    #[test]
    fn without_dts_only_streams_in_order_pass_unless_a_timestamper_follows() {
        let mut plain = track();
        plain.push(&unit(0, None, true), 0);
        assert_eq!(plain.push(&unit(120, None, false), 0), written(120, None));
        assert_eq!(
            plain.push(&unit(40, None, false), 0),
            Verdict::Break(Break::Reordered)
        );
        let mut stamped = Track::new(100, true, None);
        stamped.push(&unit(0, None, true), 0);
        stamped.push(&unit(120, None, false), 0);
        assert_eq!(stamped.push(&unit(40, None, false), 0), written(40, None));
        assert_eq!(
            stamped.push(&unit(80, 80, false), 0),
            Verdict::Break(Break::LostDts)
        );
    }

    #[test]
    fn a_unit_without_pts_takes_the_rest_of_its_group_along() {
        let mut track = track();
        track.push(&unit(0, 0, true), 0);
        track.lose();
        assert_eq!(track.push(&unit(80, 80, false), 0), Verdict::Skip);
        assert_eq!(track.push(&unit(120, 120, true), 0), written(120, 120));
        assert_eq!(track.loss(), Some(Loss::NoPts));
    }
}
