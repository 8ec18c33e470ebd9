//! The times of a file's pictures that come as a camera's do, with the time at which they were
//! taken. Those of files that are read here have their place in the file, see `play`.

/// Which times pictures of a file get that were taken at others.
#[derive(Default)]
pub(super) struct FileTimes {
    /// When a picture was taken, in ns since 1970, and the time that it got.
    known: Option<(u64, gst::ClockTime)>,
}

impl FileTimes {
    /// The time in the file, or in real time one that keeps the pace of the file from `running` on.
    pub(super) fn of(&mut self, captured: u64, running: Option<gst::ClockTime>) -> gst::ClockTime {
        let begin = running.unwrap_or_default();
        let (known, at) = *self.known.get_or_insert((captured, begin));
        let since = gst::ClockTime::try_from(captured.saturating_sub(known));
        let time = at.saturating_add(since.unwrap_or(gst::ClockTime::MAX));
        match running {
            // It is there, so its time has come: the file went on while nobody took pictures.
            Some(running) if running < time => {
                self.known = Some((captured, running));
                running
            }
            _ => time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanoseconds: u64) -> gst::ClockTime {
        gst::ClockTime::from_nseconds(nanoseconds)
    }

    #[test]
    fn a_file_begins_at_zero_and_goes_as_its_pictures_were_taken() {
        let mut times = FileTimes::default();
        let of = [700, 733, 800, 790].map(|captured| times.of(captured, None));
        assert_eq!(of, [0, 33, 100, 90].map(at));
    }

    #[test]
    fn in_real_time_no_picture_is_ahead_of_the_pipeline_and_late_ones_stay_late() {
        let mut times = FileTimes::default();
        let mut of = |captured, running| times.of(captured, Some(at(running)));
        assert_eq!(of(700, 5), at(5));
        // It went on for 300 while nobody took pictures.
        assert_eq!(of(1033, 38), at(38));
        assert_eq!(of(1066, 71), at(71));
        assert_eq!(of(1099, 120), at(104));
        assert_eq!(of(u64::MAX, 150), at(150));
    }
}
