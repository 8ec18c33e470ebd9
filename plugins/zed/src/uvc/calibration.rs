//! Where the factory's calibration of a camera is on this machine.
//!
//! Belongs here: the search alone. Nothing is fetched: the file is asked for with the address where
//! Stereolabs hands it out.

use std::path::{Path, PathBuf};

/// Where the SDK's installer keeps calibrations.
const INSTALLED: &str = "/usr/local/zed/settings";

#[derive(Debug, thiserror::Error)]
#[error(
    "there is no SN{serial}.conf in {}: fetch the file from \
     https://calib.stereolabs.com/?SN={serial} and put it there, or name it in calibration-file",
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" or ")
)]
pub struct NoCalibration {
    serial: u32,
    folders: Vec<PathBuf>,
}

/// The calibration of the camera with that serial number, in `folder` or where the SDK has it.
///
/// # Errors
///
/// When there is none, with where to get it.
pub fn file(folder: Option<&Path>, serial: u32) -> Result<PathBuf, NoCalibration> {
    let folders: Vec<PathBuf> = folder
        .into_iter()
        .chain([Path::new(INSTALLED)])
        .map(Path::to_owned)
        .collect();
    let name = format!("SN{serial}.conf");
    let found = folders
        .iter()
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file());
    found.ok_or(NoCalibration { serial, folders })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_looked_for_by_number_and_asked_for_by_address() {
        let folder = tempfile::tempdir().unwrap();
        let err = file(Some(folder.path()), 38_486_288)
            .unwrap_err()
            .to_string();
        assert!(
            err.contains("https://calib.stereolabs.com/?SN=38486288"),
            "{err}"
        );
        assert!(err.contains(INSTALLED), "{err}");
        let path = folder.path().join("SN38486288.conf");
        std::fs::write(&path, "").unwrap();
        assert_eq!(file(Some(folder.path()), 38_486_288).unwrap(), path);
    }
}
