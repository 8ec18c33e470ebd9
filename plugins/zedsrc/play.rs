//! A recording that is played: where its pictures stand in time, and which of them come too late.
//!
//! Belongs here: everything between a decoded picture and the buffer that leaves. Reading the file
//! is `file`'s, cutting and bending `compose`'s.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use gst::prelude::*;

use super::{
    ZedSrcFileLayout,
    compose::{Composer, format},
    factory,
    file::{self, File, Picture},
    sensed,
    settings::Settings,
};

/// For how long, in a row, pictures may be dropped for being late: a pipeline that can never keep
/// up shall show one now and then.
const MOST_DROPPED: gst::ClockTime = gst::ClockTime::SECOND;

/// What became of asking for a picture.
pub(super) enum Next {
    Picture(gst::Buffer),
    /// A picture of this time in the file was left out.
    Late(Option<gst::ClockTime>),
    End,
    Interrupted,
}

pub(super) struct Played {
    file: File,
    composer: Composer,
    real_time: bool,
    /// How long making the first picture took, where that matters.
    pub made_in: Duration,
    /// Of one picture.
    frame: Option<gst::ClockTime>,
    /// In real time: the running time that the file's beginning has.
    begin: Option<gst::ClockTime>,
    /// The end of the last picture, for one without a time of its own.
    position: gst::ClockTime,
    late_since: Option<gst::ClockTime>,
    discont: bool,
}

impl Played {
    /// Opens a recording; what is to be told of it that stops nothing goes to `warnings`.
    pub(super) fn open(settings: &Settings, warnings: &mut Vec<String>) -> Result<Self, String> {
        let source = settings.file().map_err(|err| err.to_string())?;
        let matching = settings.matching().map_err(|err| err.to_string())?;
        if let Some(asked) = settings.computes() {
            let name = source.name;
            return Err(format!(
                "{asked} needs the SDK, and {name} is read without it: leave it out, or play an SVO file by svo-file-path with backend=sdk"
            ));
        }
        let format = format(settings.stream_type);
        let file = File::open(&source, format, settings.open_timeout);
        let mut file = file.map_err(|err| err.to_string())?;
        let (layout, serial) = match file.svo() {
            None => (settings.file_layout, None),
            Some(svo) => {
                if !svo.whole {
                    let (name, frames) = (&source.name, svo.frames);
                    warnings.push(format!(
                        "{name} was never finished: the {frames} pictures that it holds are shown"
                    ));
                }
                (ZedSrcFileLayout::SideBySide, Some(svo.serial))
            }
        };
        let calibration = factory::calibration(settings, serial, warnings)?;
        let composer = Composer::new(
            file.info(),
            layout,
            settings.stream_type,
            calibration.as_ref(),
            matching,
        );
        let composer = composer.map_err(|err| format!("{}: {err}", source.name))?;
        let first = file.first.take();
        let mut played = Self {
            frame: frame_time(composer.output().fps()),
            real_time: settings.real_time,
            composer,
            file,
            begin: None,
            position: gst::ClockTime::ZERO,
            late_since: None,
            discont: true,
            made_in: Duration::ZERO,
        };
        if let Some(buffer) = first.filter(|_| settings.real_time) {
            let begun = Instant::now();
            played.show(&Picture { buffer, time: None }, gst::ClockTime::ZERO)?;
            played.made_in = begun.elapsed();
            played.discont = true;
        }
        Ok(played)
    }

    pub(super) fn output(&self) -> &gst_video::VideoInfo {
        self.composer.output()
    }

    pub(super) fn duration(&self) -> Option<gst::ClockTime> {
        self.file.duration()
    }

    /// While this is true, nothing waits.
    pub(super) fn interrupted(&self) -> Arc<AtomicBool> {
        self.file.interrupted()
    }

    /// Goes to another place of the file; says whether it could.
    pub(super) fn seek(&mut self, to: gst::ClockTime) -> bool {
        // The first, from the beginning, is no jump.
        let done = (to.is_zero() && self.position.is_zero()) || self.file.seek(to);
        self.position = to;
        self.discont = true;
        done
    }

    /// The next picture, or why there is none; `now` tells the running time.
    pub(super) fn next(&mut self, now: impl Fn() -> gst::ClockTime) -> Result<Next, String> {
        let picture = match self.file.next().map_err(|err| err.to_string())? {
            file::Next::Picture(picture) => picture,
            file::Next::End => return Ok(Next::End),
            file::Next::Interrupted => return Ok(Next::Interrupted),
        };
        match self.place(&picture, now) {
            Some(pts) => self.show(&picture, pts).map(Next::Picture),
            None => {
                self.discont = true;
                Ok(Next::Late(picture.time))
            }
        }
    }

    /// The time of a picture in the segment that is played, or `None` where it comes too late.
    fn place(
        &mut self,
        picture: &Picture,
        now: impl Fn() -> gst::ClockTime,
    ) -> Option<gst::ClockTime> {
        let time = picture.time.unwrap_or(self.position);
        let span = picture.buffer.duration().or(self.frame).unwrap_or_default();
        self.position = time.saturating_add(span);
        if !self.real_time {
            return Some(time);
        }
        let now = now();
        let begin = *self.begin.get_or_insert(now.saturating_sub(time));
        let pts = begin.saturating_add(time);
        if now <= pts.saturating_add(span) {
            self.late_since = None;
            return Some(pts);
        }
        let since = *self.late_since.get_or_insert(pts);
        if pts - since.min(pts) >= MOST_DROPPED {
            self.late_since = None;
            return Some(pts);
        }
        None
    }

    fn show(&mut self, picture: &Picture, pts: gst::ClockTime) -> Result<gst::Buffer, String> {
        let composed = self.composer.compose(&picture.buffer);
        let mut buffer = composed.map_err(|err| err.to_string())?;
        let fields = buffer.make_mut();
        fields.set_pts(pts);
        fields.set_duration(picture.buffer.duration().or(self.frame));
        if std::mem::take(&mut self.discont) {
            fields.set_flags(gst::BufferFlags::DISCONT);
        } else {
            fields.unset_flags(gst::BufferFlags::DISCONT);
        }
        for meta in picture.buffer.iter_meta::<gst::ReferenceTimestampMeta>() {
            gst::ReferenceTimestampMeta::add(
                fields,
                &meta.reference().to_owned(),
                meta.timestamp(),
                meta.duration(),
            );
        }
        sensed::carry(&picture.buffer, fields).map_err(|err| err.to_string())?;
        Ok(buffer)
    }
}

/// How long one picture lasts, where the rate is known.
pub(super) fn frame_time(fps: gst::Fraction) -> Option<gst::ClockTime> {
    let (numer, denom) = (
        u64::try_from(fps.numer()).ok()?,
        u64::try_from(fps.denom()).ok()?,
    );
    gst::ClockTime::SECOND
        .mul_div_floor(denom, numer)
        .filter(|_| numer > 0)
}
