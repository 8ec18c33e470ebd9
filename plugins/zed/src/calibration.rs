//! The factory calibration, `SN<serial>.conf`: an INI file with the lenses of both eyes for every
//! mode of the camera and the place of the right eye seen from the left.
//!
//! Numbers hold for the raw picture of exactly their mode, so a picture of any other size has no
//! calibration. Angles stand with the mode's name behind them, `TY` and `TZ` mostly without.

use std::collections::BTreeMap;

use crate::{
    lens::Lens,
    matrix::{Matrix, Vector},
};

/// The modes by their names in the file and the size of one eye's picture.
const MODES: [(&str, u32, u32); 8] = [
    ("2K", 2208, 1242),
    ("FHD", 1920, 1080),
    ("FHD1200", 1920, 1200),
    ("HD", 1280, 720),
    ("SVGA", 960, 600),
    ("VGA", 672, 376),
    ("4K", 3840, 2160),
    ("QHDPLUS", 3200, 1800),
];

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    #[error(
        "an eye's picture of {0}x{1} is no size of a ZED camera (2208x1242, 1920x1080, 1280x720, 672x376, …), and a calibration holds for exactly one size: give the file as the camera wrote it"
    )]
    Size(u32, u32),
    #[error(
        "the calibration file has no [{0}]: take the SN<serial>.conf of the camera that made the pictures"
    )]
    Section(String),
    #[error("the calibration file lacks {1} in [{0}]")]
    Missing(String, String),
    #[error("in [{0}] of the calibration file, {1}={2} is not the number that is due there")]
    Number(String, String, String),
    #[error(
        "[{0}] of the calibration file describes a fisheye lens, which is not supported: only k1, k2, p1, p2, k3 to k6 are"
    )]
    Fisheye(String),
}

/// Both eyes in one mode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rig {
    /// The size of one eye's picture.
    pub size: (u32, u32),
    pub left: Lens,
    pub right: Lens,
    /// A point that the left eye sees at X, the right eye sees at `rotation`·X + `translation`.
    pub rotation: Matrix,
    /// In millimetres; about (−baseline, 0, 0).
    pub translation: Vector,
}

/// What a calibration file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    /// Names in capitals, keys in small letters.
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

impl Calibration {
    /// Reads the file's text. Lines that are no `key=value` are passed over, as the camera's own
    /// tools do; what is missing comes to light when a mode is asked for.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut sections = BTreeMap::<String, BTreeMap<_, _>>::new();
        let mut section = String::new();
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.split([';', '#']).next().unwrap_or_default().trim();
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name.trim().to_ascii_uppercase();
                sections.entry(section.clone()).or_default();
            } else if let Some((key, value)) = line.split_once('=') {
                let keys = sections.entry(section.clone()).or_default();
                keys.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        Self { sections }
    }

    /// Both eyes for pictures of `width` by `height` pixels each.
    ///
    /// # Errors
    /// What the file lacks or states wrongly for this mode.
    pub fn rig(&self, width: u32, height: u32) -> Result<Rig, CalibrationError> {
        let mode = MODES
            .iter()
            .find(|(_, w, h)| (*w, *h) == (width, height))
            .map(|(name, ..)| *name)
            .ok_or(CalibrationError::Size(width, height))?;
        let stereo = self.section("STEREO")?;
        let baseline = stereo.number("Baseline")?;
        if baseline <= 0.0 {
            return Err(stereo.wrong("Baseline"));
        }
        // With the mode's name or, as TY and TZ mostly stand, without.
        let of_mode = |key: &str| {
            let named = stereo.optional(&format!("{key}_{mode}"))?;
            Ok(named.or(stereo.optional(key)?).unwrap_or(0.0))
        };
        let axis = [of_mode("RX")?, of_mode("CV")?, of_mode("RZ")?];
        Ok(Rig {
            size: (width, height),
            left: self.lens("LEFT", mode)?,
            right: self.lens("RIGHT", mode)?,
            rotation: Matrix::rotation(axis),
            translation: [-baseline, of_mode("TY")?, of_mode("TZ")?],
        })
    }

    fn lens(&self, side: &str, mode: &str) -> Result<Lens, CalibrationError> {
        let camera = self.section(&format!("{side}_CAM_{mode}"))?;
        // A newer file keeps the distortion, the same in all modes, in a section of its own.
        let disto = match self.section(&format!("{side}_DISTO")) {
            Ok(disto) => {
                let fisheye = disto.has("k4") && !["p1", "p2", "k5"].iter().any(|k| disto.has(k));
                if fisheye {
                    return Err(CalibrationError::Fisheye(disto.name));
                }
                disto
            }
            Err(_) => self.section(&camera.name)?,
        };
        let of = |key| Ok(disto.optional(key)?.unwrap_or(0.0));
        let lens = Lens {
            fx: camera.number("fx")?,
            fy: camera.number("fy")?,
            cx: camera.number("cx")?,
            cy: camera.number("cy")?,
            k: [
                of("k1")?,
                of("k2")?,
                of("k3")?,
                of("k4")?,
                of("k5")?,
                of("k6")?,
            ],
            p: [of("p1")?, of("p2")?],
        };
        for (key, focal) in [("fx", lens.fx), ("fy", lens.fy)] {
            if focal <= 0.0 {
                return Err(camera.wrong(key));
            }
        }
        Ok(lens)
    }

    fn section(&self, name: &str) -> Result<Section<'_>, CalibrationError> {
        let keys = self.sections.get(name);
        Ok(Section {
            keys: keys.ok_or_else(|| CalibrationError::Section(name.into()))?,
            name: name.into(),
        })
    }
}

struct Section<'a> {
    name: String,
    keys: &'a BTreeMap<String, String>,
}

impl Section<'_> {
    fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    fn optional(&self, key: &str) -> Result<Option<f64>, CalibrationError> {
        let Some(text) = self.keys.get(&key.to_ascii_lowercase()) else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.wrong(key)),
        }
    }

    fn number(&self, key: &str) -> Result<f64, CalibrationError> {
        let missing = || CalibrationError::Missing(self.name.clone(), key.into());
        self.optional(key)?.ok_or_else(missing)
    }

    fn wrong(&self, key: &str) -> CalibrationError {
        let text = self.keys.get(&key.to_ascii_lowercase());
        let text = text.cloned().unwrap_or_default();
        CalibrationError::Number(self.name.clone(), key.into(), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\u{feff}[LEFT_CAM_HD]\r\nfx=700.5\r\nfy = 701\nCX=640\ncy=360\nk1=-0.17\nk2=0.03\n\
        [RIGHT_CAM_HD]\nfx=699\nfy=699.5\ncx=641\ncy=358\np1=0.001 ; by hand\n\
        [STEREO]\nBaseline=119.9\nTY=0.1\nTZ_HD=-0.2\nCV_HD=0.004\nRX_HD=0.003\nRZ_HD=-0.001\n\
        [MISC]\nSensor_ID=x\n";

    #[test]
    fn a_file_is_read_whatever_its_spaces_ends_of_lines_and_comments() {
        let rig = Calibration::parse(FILE).rig(1280, 720).expect("complete");
        assert_eq!((rig.left.fx, rig.left.fy), (700.5, 701.0));
        assert_eq!(rig.left.k[..3], [-0.17, 0.03, 0.0]);
        assert_eq!(rig.right.p, [0.001, 0.0]);
        assert_eq!(rig.translation, [-119.9, 0.1, -0.2]);
        assert_eq!(rig.rotation, Matrix::rotation([0.003, 0.004, -0.001]));
    }

    #[test]
    fn a_section_for_the_distortion_counts_before_the_cameras_own() {
        let text = format!("{FILE}[LEFT_DISTO]\nk1=1\nk2=2\np1=3\np2=4\nk3=5\nk4=6\nk5=7\nk6=8\n");
        let lens = Calibration::parse(&text)
            .rig(1280, 720)
            .expect("whole")
            .left;
        assert_eq!(
            (lens.k, lens.p),
            ([1.0, 2.0, 5.0, 6.0, 7.0, 8.0], [3.0, 4.0])
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str, (w, h)| {
            let rig = Calibration::parse(text).rig(w, h);
            rig.expect_err("something is wrong").to_string()
        };
        let hd = (1280, 720);
        assert!(error(FILE, (640, 480)).contains("640x480 is no size"));
        assert!(error(FILE, (672, 376)).contains("[LEFT_CAM_VGA]"));
        assert!(error("", hd).contains("no [STEREO]"));
        assert!(error(&FILE.replace("cy=360", ""), hd).contains("lacks cy in [LEFT_CAM_HD]"));
        assert!(error(&FILE.replace("119.9", "-1"), hd).contains("Baseline=-1"));
        assert!(error(&FILE.replace("700.5", "700,5"), hd).contains("fx=700,5"));
        assert!(error(&FILE.replace("700.5", "NaN"), hd).contains("fx=NaN"));
        let fisheye = format!("{FILE}[LEFT_DISTO]\nk1=1\nk2=2\nk3=5\nk4=6\n");
        assert!(error(&fisheye, hd).contains("fisheye"));
    }
}
