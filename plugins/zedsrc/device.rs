//! Which camera is opened, and by which of the two ways; from there on both are spoken with alike.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use evr_zed::{control::Control, sdk, uvc};

use super::asked::Way;
use super::settings::Settings;

pub(super) enum Device {
    Sdk(sdk::Session),
    Uvc(Box<uvc::Camera>),
}

/// A backend's frame.
pub(super) enum Shot {
    Sdk(Box<sdk::Frame>),
    Uvc(Box<uvc::Frame>),
}

/// What became of waiting for a frame.
pub(super) enum Waited {
    Shot(Shot),
    /// Something to be told that stops nothing.
    Warning(String),
    /// The camera has gone, and is waited for.
    Lost(String),
    End,
    Interrupted,
}

impl Device {
    pub(super) fn wait(&mut self, interrupted: &AtomicBool) -> Result<Waited, String> {
        match self {
            Self::Sdk(session) => match session.next(interrupted) {
                Ok(event) => Ok(event.map_or(Waited::Interrupted, of_sdk)),
                Err(err) => Err(err.to_string()),
            },
            Self::Uvc(camera) => match camera.next(interrupted) {
                Ok(event) => Ok(event.map_or(Waited::Interrupted, of_uvc)),
                Err(err) => Err(err.to_string()),
            },
        }
    }

    pub(super) fn set(&mut self, control: Control) {
        match self {
            Self::Sdk(session) => session.set(control),
            Self::Uvc(camera) => camera.set(control),
        }
    }

    /// Whether an SVO file is being written.
    pub(super) fn is_recording(&self) -> bool {
        match self {
            Self::Sdk(session) => session.is_recording(),
            Self::Uvc(_) => false,
        }
    }
}

fn of_sdk(event: sdk::Event) -> Waited {
    match event {
        sdk::Event::Frame(frame) => Waited::Shot(Shot::Sdk(frame)),
        sdk::Event::Warning(text) => Waited::Warning(text),
        sdk::Event::Lost(text) => Waited::Lost(text),
        sdk::Event::Back(info) => {
            Waited::Warning(format!("the {} {} is back", info.model, info.serial))
        }
        sdk::Event::End => Waited::End,
    }
}

fn of_uvc(event: uvc::Event) -> Waited {
    match event {
        uvc::Event::Frame(frame) => Waited::Shot(Shot::Uvc(frame)),
        uvc::Event::Warning(text) => Waited::Warning(text),
        uvc::Event::Lost(text) => Waited::Lost(text),
        uvc::Event::Back(info) => {
            let node = info.node.display();
            Waited::Warning(format!("the {} at {node} is back", info.model))
        }
    }
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
