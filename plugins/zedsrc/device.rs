//! Which camera is opened, and by which of the two ways.

use std::sync::Arc;

use evr_zed::{sdk, uvc};

use super::asked::Way;
use super::settings::Settings;

pub(super) enum Device {
    Sdk(sdk::Session),
    Uvc(Box<uvc::Camera>),
}

/// The SDK's library, or why there is none.
pub(super) fn library(settings: &Settings) -> Result<Arc<sdk::Sdk>, String> {
    let library = settings.sdk_library();
    let opened = sdk::Sdk::open(library.as_deref(), settings.sdk_allow_newer);
    opened.map_err(|reason| reason.to_string())
}

/// Opens the camera or file, by the SDK's library where that is open already; what is to be told of
/// it that stops nothing goes to `warnings`.
pub(super) fn device(
    settings: &Settings,
    opened: Option<Arc<sdk::Sdk>>,
    warnings: &mut Vec<String>,
) -> Result<Device, String> {
    let by_uvc = || {
        if let Some(name) = settings.needs_sdk() {
            return Err(format!(
                "{name} needs the SDK: use backend=sdk, or leave it out"
            ));
        }
        let camera = uvc::Camera::open(settings.uvc_options()?);
        camera
            .map(|camera| Device::Uvc(Box::new(camera)))
            .map_err(|err| err.to_string())
    };
    let way = settings.way();
    if way == Way::Uvc {
        return by_uvc();
    }
    let library = match opened.map_or_else(|| library(settings), Ok) {
        Ok(library) => library,
        Err(reason) if way == Way::Either => {
            let device =
                by_uvc().map_err(|err| format!("{err}. Nor does the SDK help: {reason}"))?;
            warnings.push(format!(
                "the camera is read without the SDK, by UVC: {reason}"
            ));
            return Ok(device);
        }
        Err(reason) => return Err(reason),
    };
    let options = settings.sdk_options().map_err(|err| err.to_string())?;
    let input = options.input.clone();
    let session = sdk::Session::open(&library, options).map_err(|err| err.to_string())?;
    // The SDK takes a file without asking whose it is.
    let (asked, of) = (settings.serial(), session.info().serial);
    match (input, asked.map_err(|err| err.to_string())?) {
        (sdk::Input::Svo(file), Some(asked)) if asked != of => Err(format!(
            "svo-file-path={} has no pictures of camera {asked}, but of {of}: set camera-sn to that, or leave it out",
            file.display()
        )),
        _ => Ok(Device::Sdk(session)),
    }
}
