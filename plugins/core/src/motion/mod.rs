//! Whether something moves in a picture, and where: from planes of luma to regions and signals.
//!
//! A frame is reduced to a grid of block means (`reduce`); what the light does to all of them is
//! found and taken out (`light`); a background remembers each block and says which move
//! (`background`); those are put together to boxes (`regions`), where motion counts (`zones`), and
//! told as signals (`events`). Not here: frames, metas and pads.

mod background;
mod events;
mod light;
mod reduce;
mod regions;
#[cfg(test)]
mod tests;
mod zones;

use self::background::{Background, Threshold};
pub use self::events::{Events, Told};
use self::reduce::Grid;
pub use self::reduce::Luma;
pub use self::regions::Region;
use self::zones::{Least, MIN_BLOCKS};
pub use self::zones::{Zones, ZonesError};
use crate::time::{MILLISECOND, Nanos, SECOND};

/// What signals and frames call what moves.
pub const LABEL: &str = "motion";

/// How little is motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sensitivity {
    /// Only what is large and stands out.
    Low,
    /// A person at a distance.
    #[default]
    Medium,
    /// Almost everything, in good light.
    High,
}

impl Sensitivity {
    fn threshold(self) -> Threshold {
        let (levels, sigmas) = match self {
            Self::Low => (18.0, 7.0),
            Self::Medium => (11.0, 5.0),
            Self::High => (6.0, 4.0),
        };
        Threshold { levels, sigmas }
    }

    /// Share of the frame that must move in one place.
    fn min_area(self) -> f64 {
        match self {
            Self::Low => 0.004,
            Self::Medium => 0.001,
            Self::High => 0.000_2,
        }
    }

    /// How many frames in a row must show motion before it counts.
    fn confirm(self) -> u32 {
        match self {
            Self::Low | Self::Medium => 2,
            Self::High => 1,
        }
    }
}

/// What counts as motion; by default a person at a distance, anywhere.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// How little is motion.
    pub sensitivity: Sensitivity,
    /// Share of the frame that must move in one place, 0..1, or half of a zone where that is less;
    /// `None` leaves it to the sensitivity.
    pub min_area: Option<f64>,
    /// Where motion counts; empty for everywhere.
    pub zones: Zones,
    /// Where it never does.
    pub masks: Zones,
}

/// What moves in a frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Motion {
    /// Share of the frame that moves, 0..1.
    pub area: f64,
    /// Where, largest first; never empty.
    pub regions: Vec<Region>,
    /// The names of the zones in which it moves.
    pub zones: Vec<String>,
}

/// Why a frame cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MotionError {
    /// No block fits, or too many do.
    #[error("cannot look for motion in {0} x {1} pixels: send frames from 2 x 2 to 8192 x 8192")]
    Size(usize, usize),
    /// Less data than the size says.
    #[error("a frame is shorter than its format says: send whole frames")]
    Short,
}

/// Looks for motion, frame by frame.
#[derive(Debug, Default)]
pub struct Detector {
    config: Config,
    grid: Option<Grid>,
    /// Block by block, the zones that it lies in.
    zones: Vec<u32>,
    least: Least,
    background: Background,
    finder: regions::Finder,
    means: Vec<f32>,
    moving: Vec<u8>,
    last_time: Option<Nanos>,
    /// Frames in a row that showed motion.
    streak: u32,
}

impl Detector {
    /// A detector that knows no scene yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Looks by other rules from the next frame on; what was learned stays.
    pub fn configure(&mut self, config: Config) {
        self.config = config;
        if let Some(grid) = self.grid {
            self.divide(&grid);
        }
    }

    /// Frames have this size from now on; the scene is forgotten if it is another.
    ///
    /// # Errors
    /// [`MotionError::Size`]; frames are then refused.
    pub fn resize(&mut self, width: usize, height: usize) -> Result<(), MotionError> {
        let grid = Grid::new(width, height);
        if grid != self.grid {
            self.flush();
            self.grid = grid;
        }
        let grid = grid.ok_or(MotionError::Size(width, height))?;
        self.divide(&grid);
        Ok(())
    }

    /// Works out where motion counts, and how much of it.
    fn divide(&mut self, grid: &Grid) {
        let config = &self.config;
        self.zones = zones::bits(grid, &config.zones, &config.masks);
        let share = config.min_area.unwrap_or(config.sensitivity.min_area());
        let blocks = (share * grid.blocks() as f64).ceil() as usize;
        self.least = Least::new(blocks.max(MIN_BLOCKS), &config.zones, &self.zones);
    }

    /// What moves in the frame at `time`; `None` where nothing does.
    ///
    /// # Errors
    /// A [`MotionError`] for a frame that is not as [`Self::resize`] said.
    pub fn frame(
        &mut self,
        time: Option<Nanos>,
        luma: &Luma<'_>,
    ) -> Result<Option<Motion>, MotionError> {
        let grid = self.grid.ok_or(MotionError::Size(0, 0))?;
        if !grid.reduce(luma, &mut self.means) {
            return Err(MotionError::Short);
        }
        let seconds = self.elapsed(time);
        let sensitivity = self.config.sensitivity;
        self.background.step(
            &self.means,
            seconds,
            &sensitivity.threshold(),
            &mut self.moving,
        );
        let (regions, seen) = self
            .finder
            .find(&grid, &self.moving, &self.zones, &self.least);
        if regions.is_empty() {
            self.streak = 0;
            return Ok(None);
        }
        self.streak = self.streak.saturating_add(1);
        if self.streak < sensitivity.confirm() {
            return Ok(None);
        }
        Ok(Some(Motion {
            area: regions.iter().map(|region| region.area).sum(),
            zones: self.config.zones.names(seen).map(str::to_owned).collect(),
            regions,
        }))
    }

    /// Seconds since the frame before. A pause is no reason to forget the scene, and two frames of
    /// one time are still two.
    fn elapsed(&mut self, time: Option<Nanos>) -> f32 {
        let last = std::mem::replace(&mut self.last_time, time);
        let elapsed = time.zip(last).map(|(time, last)| time.saturating_sub(last));
        let elapsed = elapsed.filter(|elapsed| *elapsed > 0).unwrap_or(USUAL);
        elapsed.clamp(MILLISECOND, SECOND) as f32 / SECOND as f32
    }

    /// What comes next has nothing to do with what was seen.
    pub fn flush(&mut self) {
        self.background.clear();
        self.last_time = None;
        self.streak = 0;
    }
}

/// Between two frames that do not say.
const USUAL: Nanos = 40 * MILLISECOND;
