//! From motion in frames to signals: the first frame with motion raises one at once; while motion
//! goes on, the frames of a window raise one together, whose time is that of the last of them.
//! So both ends of a motion are told to the frame, with few signals between.

use serde_json::{Map, Value, json};

use super::{Motion, Region};
use crate::signal::{Action, Signal, When};
use crate::time::Nanos;

/// Decides which motion is worth a signal. `T` is what a frame is to the caller, and comes back
/// with the signal that speaks of it.
#[derive(Debug)]
pub struct Events<T> {
    window: Nanos,
    /// Until when motion is gathered, once some was told.
    open_until: Option<Nanos>,
    pending: Option<Pending<T>>,
}

/// Motion that was seen and not told yet.
#[derive(Debug)]
struct Pending<T> {
    first: Nanos,
    last: Nanos,
    /// The last frame.
    at: T,
    frames: u64,
    /// What moved in the frame in which most did.
    most: Motion,
}

/// A signal, and the frame that it speaks of.
#[derive(Debug, PartialEq)]
pub struct Told<T> {
    /// The signal.
    pub signal: Signal,
    /// What the frame is to the caller.
    pub at: T,
}

impl<T> Events<T> {
    /// Gathers motion over windows of this length; 0 raises a signal for each frame.
    pub fn new(window: Nanos) -> Self {
        Self {
            window,
            open_until: None,
            pending: None,
        }
    }

    /// Gathers over another length from now on; what was gathered stays.
    pub fn configure(&mut self, window: Nanos) {
        self.window = window;
    }

    /// Takes what moved in the frame at `time`, possibly nothing, and gives the signals to tell
    /// now, in the order of their times.
    pub fn observe(&mut self, time: Option<Nanos>, motion: Option<Motion>, at: T) -> Vec<Told<T>> {
        let mut told = Vec::new();
        let Some(time) = time else {
            // Without a time nothing can be gathered.
            told.extend(motion.map(|motion| Told {
                signal: signal(None, None, 1, &motion),
                at,
            }));
            return told;
        };
        // One that runs backwards has left the window, too: it would be open for ever.
        let left = |until: Nanos| time >= until || until.saturating_sub(time) > self.window;
        if self.open_until.is_some_and(left) {
            self.open_until = None;
            if let Some(pending) = self.pending.take() {
                told.push(pending.tell());
                // It may go on: what follows is gathered with it.
                self.open_until = Some(time.saturating_add(self.window));
            }
        }
        let Some(motion) = motion else { return told };
        if self.open_until.is_none() {
            told.push(Told {
                signal: signal(Some(time), None, 1, &motion),
                at,
            });
            if self.window > 0 {
                self.open_until = Some(time.saturating_add(self.window));
            }
        } else {
            self.gather(time, motion, at);
        }
        told
    }

    fn gather(&mut self, time: Nanos, motion: Motion, at: T) {
        match &mut self.pending {
            None => {
                self.pending = Some(Pending {
                    first: time,
                    last: time,
                    at,
                    frames: 1,
                    most: motion,
                });
            }
            Some(pending) => {
                (pending.last, pending.at) = (time, at);
                pending.frames += 1;
                if motion.area > pending.most.area {
                    pending.most = motion;
                }
            }
        }
    }

    /// Whether all signals up to the last frame have been told; else one will come whose time
    /// lies before it.
    pub fn all_told(&self) -> bool {
        self.pending.is_none()
    }

    /// The stream or its segment ends, or another window holds: what is still to be told.
    pub fn finish(&mut self) -> Option<Told<T>> {
        self.open_until = None;
        self.pending.take().map(Pending::tell)
    }

    /// Forgets what was not told: the stream was flushed.
    pub fn flush(&mut self) {
        self.open_until = None;
        self.pending = None;
    }
}

impl<T> Pending<T> {
    fn tell(self) -> Told<T> {
        Told {
            signal: signal(Some(self.last), Some(self.first), self.frames, &self.most),
            at: self.at,
        }
    }
}

/// Says why: how much of the picture moved at most, in how many frames since when, in which zones,
/// and where.
fn signal(time: Option<Nanos>, since: Option<Nanos>, frames: u64, motion: &Motion) -> Signal {
    let mut body = Map::new();
    body.insert("label".into(), super::LABEL.into());
    body.insert("count".into(), motion.regions.len().into());
    body.insert("area".into(), rounded(motion.area).into());
    if let Some(since) = since {
        body.insert("since".into(), since.into());
    }
    body.insert("frames".into(), frames.into());
    if !motion.zones.is_empty() {
        body.insert("zones".into(), motion.zones.clone().into());
    }
    let objects: Vec<Value> = motion.regions.iter().map(object).collect();
    body.insert("objects".into(), objects.into());
    Signal {
        action: Action::Trigger,
        id: None,
        when: time.map(When::Media),
        body,
    }
}

/// A region in the words of every other object.
fn object(region: &Region) -> Value {
    let bbox = &region.bbox;
    json!({
        "label": super::LABEL,
        "confidence": rounded(region.fill()),
        "box": {
            "l": rounded(bbox.l),
            "t": rounded(bbox.t),
            "w": rounded(bbox.w),
            "h": rounded(bbox.h),
        },
    })
}

/// A millionth of the frame is less than a pixel of any camera; more digits are noise.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::BoundingBox;

    fn moved(area: f64) -> Option<Motion> {
        let bbox = BoundingBox::from_corners(0.25, 0.5, 0.5, 0.75);
        Some(Motion {
            area,
            regions: vec![Region { bbox, area }],
            zones: Vec::new(),
        })
    }

    /// Frames 10 apart, `#` with motion: the frame at which each signal was told, its time, what
    /// came with it, how many frames it speaks of and whether all was told then.
    fn run(window: Nanos, frames: &str) -> Vec<(usize, Nanos, usize, u64, bool)> {
        let mut events = Events::new(window);
        let mut told = Vec::new();
        for (n, frame) in frames.chars().enumerate() {
            let motion = moved(0.1).filter(|_| frame == '#');
            for Told { signal, at } in events.observe(Some(10 * n as Nanos), motion, n) {
                let Some(When::Media(time)) = signal.when else {
                    panic!("a signal has its frame's time");
                };
                let frames = signal.body["frames"].as_u64().expect("a number");
                told.push((n, time, at, frames, events.all_told()));
            }
        }
        told
    }

    #[test]
    fn the_first_motion_is_told_at_once_and_the_last_at_the_windows_end() {
        assert_eq!(
            run(50, "..######.........#...."),
            [
                (2, 20, 2, 1, true),
                (7, 60, 6, 4, false),
                (12, 70, 7, 1, true),
                (17, 170, 17, 1, true)
            ]
        );
    }

    #[test]
    fn a_window_of_nothing_tells_each_frame() {
        let told: Vec<usize> = run(0, ".##.#").iter().map(|told| told.2).collect();
        assert_eq!(told, [1, 2, 4]);
    }

    #[test]
    fn time_that_runs_backwards_closes_the_window() {
        let mut events = Events::new(50);
        let times = [1000, 1010, 10, 20, 70];
        let told = times.map(|time| {
            let told = events.observe(Some(time), moved(0.1), time);
            told.into_iter().map(|told| told.at).collect::<Vec<_>>()
        });
        assert_eq!(told, [vec![1000], vec![], vec![1010], vec![], vec![20]]);
    }

    #[test]
    fn one_frame_of_motion_is_told_once() {
        assert_eq!(run(50, ".#.............."), [(1, 10, 1, 1, true)]);
    }

    #[test]
    fn a_signal_says_how_much_moved_since_when_and_where() {
        let mut events = Events::new(1000);
        events.observe(Some(0), moved(0.01), ());
        events.observe(Some(10), moved(0.02), ());
        events.observe(Some(20), moved(0.062_5), ());
        events.observe(Some(30), moved(0.03), ());
        assert!(!events.all_told());
        let told = events.finish().expect("three frames are untold");
        assert_eq!(
            Value::Object(told.signal.to_json()).to_string(),
            r#"{"action":"trigger","media_time":30,"label":"motion","count":1,"area":0.0625,"#
                .to_owned()
                + r#""since":10,"frames":3,"objects":[{"label":"motion","confidence":1.0,"#
                + r#""box":{"l":0.25,"t":0.5,"w":0.25,"h":0.25}}]}"#
        );
        assert_eq!(events.finish(), None);
    }

    #[test]
    fn a_flush_forgets_and_a_frame_without_time_is_told_at_once() {
        let mut events = Events::new(1000);
        assert_eq!(events.observe(Some(0), moved(0.1), ()).len(), 1);
        assert_eq!(events.observe(Some(10), moved(0.1), ()).len(), 0);
        events.flush();
        assert_eq!(events.finish(), None);
        let told = events.observe(None, moved(0.1), ());
        assert_eq!((told.len(), told[0].signal.when), (1, None));
    }
}
