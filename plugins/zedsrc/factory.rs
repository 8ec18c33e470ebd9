//! By which calibration pictures are bent: the one that was named, else the factory's of the
//! camera that took them, where it is on this machine.

use std::{fs, path::Path};

use evr_zed::{calibration::Calibration, uvc::calibration};

use super::settings::Settings;

fn read(file: &Path, named: &str) -> Result<Calibration, String> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Calibration::parse(&text)),
        Err(err) => Err(format!("{named}{} cannot be read: {err}", file.display())),
    }
}

/// The calibration of the camera with that serial number. One that is missing stops nothing but
/// depth; otherwise it goes to `warnings`.
pub(super) fn calibration(
    settings: &Settings,
    serial: Option<u32>,
    warnings: &mut Vec<String>,
) -> Result<Option<Calibration>, String> {
    if let Some(file) = settings.calibration_file() {
        return read(&file, "calibration-file=").map(Some);
    }
    let Some(serial) = serial else {
        return Ok(None);
    };
    match calibration::file(settings.settings_folder().as_deref(), serial) {
        Ok(file) => read(&file, "").map(Some),
        Err(missing) if settings.has_depth() => Err(format!("depth is asked for, but {missing}")),
        Err(missing) => {
            warnings.push(format!("pictures stay unrectified: {missing}"));
            Ok(None)
        }
    }
}
