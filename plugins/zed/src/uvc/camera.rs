//! A camera that is read without the SDK: raw pictures of both eyes, settings, sensors.
//!
//! Belongs here: which camera, what is done on opening, and waiting for one that has gone. No
//! thread is needed for pictures: the kernel keeps the first that nobody has taken, and who comes
//! late passes over them to the next one. Whoever calls [`Camera::next`] waits here, in pieces
//! short enough to be interrupted.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::capture::{Capture, Look, Video};
use super::discover::{self, Found, Roots};
use super::error::UvcError;
use super::modes::{Mode, Model};
use super::picture::{i420_bytes, to_i420};
use super::sensors::{Readings, Sensors};
use super::unit::{EYES, Eye, Unit, UnitError};
use crate::control::{Control, Controls, Setting, Side};

/// Which of the cameras that are plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// By the order of their nodes, from 0.
    Id(usize),
    Serial(u32),
}

#[derive(Debug, Clone)]
pub struct Options {
    pub roots: Roots,
    pub pick: Pick,
    pub mode: Mode,
    /// Whether to read the sensors' controller.
    pub sensors: bool,
    /// How long a camera that has gone is waited for.
    pub reconnect_timeout: Duration,
    /// How often it is looked for meanwhile.
    pub reconnect_interval: Duration,
    /// How long a camera may send nothing before it counts as gone.
    pub silence: Duration,
}

impl Options {
    pub fn new(pick: Pick, mode: Mode) -> Self {
        Self {
            roots: Roots::default(),
            pick,
            mode,
            sensors: true,
            reconnect_timeout: Duration::from_secs(30),
            reconnect_interval: Duration::from_secs(1),
            silence: Duration::from_secs(5),
        }
    }
}

/// What an opened camera is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    pub model: Model,
    /// What stands on it, where it could be read.
    pub serial: Option<u32>,
    pub node: PathBuf,
    pub mode: Mode,
    pub has_sensors: bool,
}

/// A raw picture of both eyes, left beside right: I420, without padding.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub width: usize,
    pub height: usize,
    pub data: Vec<u8>,
    /// When it was taken, in ns since 1970.
    pub captured: u64,
    pub sensors: Option<Readings>,
    /// Pictures lost since the camera was opened.
    pub lost: u64,
}

/// What comes out of a camera, in order.
#[derive(Debug)]
pub enum Event {
    Frame(Box<Frame>),
    /// Something that should be told and stops nothing.
    Warning(String),
    /// The camera has gone; frames go on if it comes back.
    Lost(String),
    Back(Info),
}

/// A camera that runs.
struct Running {
    capture: Capture,
    sensors: Option<Sensors>,
    /// When it last had pictures for us, old ones among them.
    heard: Instant,
    /// Pictures that are still to be skipped.
    fading: u32,
}

enum Link {
    Up(Box<Running>),
    Down { since: Instant, retry: Instant },
}

pub struct Camera {
    options: Options,
    link: Link,
    info: Info,
    controls: Controls,
    told: VecDeque<Event>,
}

/// A green tint over half of the picture fades during the first ones.
const FADING: u32 = 5;
/// The widest eye for which USB 2 has room.
const USB2_WIDTH: u32 = 672;
/// How long a wait goes on before it looks whether it is interrupted.
const PIECE: Duration = Duration::from_millis(50);

mod control_id {
    pub const BRIGHTNESS: u32 = 0x98_0900;
    pub const CONTRAST: u32 = 0x98_0901;
    pub const SATURATION: u32 = 0x98_0902;
    pub const HUE: u32 = 0x98_0903;
    pub const AUTO_WHITE_BALANCE: u32 = 0x98_090c;
    pub const GAMMA: u32 = 0x98_0910;
    pub const WHITE_BALANCE: u32 = 0x98_091a;
    pub const SHARPNESS: u32 = 0x98_091b;
}

impl Camera {
    /// Finds and starts the camera that was picked.
    ///
    /// # Errors
    ///
    /// When it is not there, or cannot send what is asked.
    pub fn open(options: Options) -> Result<Self, UvcError> {
        let mut told = VecDeque::new();
        let (running, info) = open(&options, &mut told)?;
        Ok(Self {
            options,
            link: Link::Up(Box::new(running)),
            info,
            controls: Controls::default(),
            told,
        })
    }

    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Waits for what comes next; nothing once `interrupted` is set.
    ///
    /// # Errors
    ///
    /// When the camera has gone and not come back.
    pub fn next(&mut self, interrupted: &AtomicBool) -> Result<Option<Event>, UvcError> {
        loop {
            if interrupted.load(Ordering::Acquire) {
                return Ok(None);
            }
            if let Some(event) = self.told.pop_front() {
                return Ok(Some(event));
            }
            match &mut self.link {
                Link::Up(running) => match running.next(&self.options) {
                    Ok(Some(frame)) => return Ok(Some(Event::Frame(Box::new(frame)))),
                    Ok(None) => {}
                    Err(err) => {
                        let now = Instant::now();
                        self.told.push_back(Event::Lost(err.to_string()));
                        self.link = Link::Down {
                            since: now,
                            retry: now + self.options.reconnect_interval,
                        };
                    }
                },
                Link::Down { since, retry } => {
                    let wait = retry.saturating_duration_since(Instant::now());
                    if !wait.is_zero() {
                        thread::sleep(wait.min(PIECE));
                        continue;
                    }
                    let since = *since;
                    self.reopen(since)?;
                }
            }
        }
    }

    /// One try to have the camera back.
    fn reopen(&mut self, since: Instant) -> Result<(), UvcError> {
        let mut options = self.options.clone();
        // The same camera, wherever it is now, if it is known by number.
        if let Some(serial) = self.info.serial {
            options.pick = Pick::Serial(serial);
        }
        let mut told = VecDeque::new();
        if let Ok((running, info)) = open(&options, &mut told) {
            self.link = Link::Up(Box::new(running));
            self.info = info;
            self.told.append(&mut told);
            for control in self.controls.clone().iter() {
                self.set(control);
            }
            self.told.push_back(Event::Back(self.info.clone()));
        } else if since.elapsed() >= self.options.reconnect_timeout {
            return Err(UvcError::Gone {
                seconds: self.options.reconnect_timeout.as_secs(),
            });
        } else {
            self.link = Link::Down {
                since,
                retry: Instant::now() + self.options.reconnect_interval,
            };
        }
        Ok(())
    }

    /// Changes a setting; a warning comes next if the camera refuses.
    pub fn set(&mut self, control: Control) {
        self.controls.set(control);
        let Link::Up(running) = &mut self.link else {
            return;
        };
        if let Err(reason) = apply(running.capture.video(), self.info.mode, control) {
            let text = format!("the camera refused {control:?}: {reason}");
            self.told.push_back(Event::Warning(text));
        }
    }
}

impl Running {
    /// The next picture, or nothing after a while.
    fn next(&mut self, options: &Options) -> Result<Option<Frame>, UvcError> {
        let (width, height) = (
            2 * options.mode.width as usize,
            options.mode.height as usize,
        );
        let look = self.capture.next(PIECE, |picture| {
            let mut data = vec![0; i420_bytes(width, height)];
            to_i420(picture.bytes, picture.stride, width, height, &mut data);
            Frame {
                width,
                height,
                data,
                captured: picture.captured,
                sensors: None,
                lost: 0,
            }
        })?;
        let mut frame = match look {
            Look::Nothing if self.heard.elapsed() > options.silence => {
                return Err(UvcError::Silent {
                    node: self.capture.path().to_owned(),
                    seconds: options.silence.as_secs(),
                });
            }
            Look::Nothing => return Ok(None),
            // The silence was on our side.
            Look::Stale => {
                self.heard = Instant::now();
                return Ok(None);
            }
            Look::Picture(frame) => frame,
        };
        self.heard = Instant::now();
        if self.fading > 0 {
            self.fading -= 1;
            return Ok(None);
        }
        frame.lost = self.capture.lost();
        frame.sensors = self.sensors.as_ref().map(Sensors::newest);
        Ok(Some(frame))
    }
}

/// The camera that was picked, opened, with its serial number where it tells one.
fn pick(options: &Options) -> Result<(Found, Video, Result<u32, String>), UvcError> {
    let cameras = discover::cameras(&options.roots);
    let count = cameras.len();
    if count == 0 {
        return Err(UvcError::NoCamera {
            sysfs: options.roots.sys.clone(),
        });
    }
    let open = |found: Found| {
        found.model()?;
        let video = Video::open(&found.node)?;
        let serial = serial(&video);
        Ok((found, video, serial))
    };
    match options.pick {
        Pick::Id(id) => match cameras.into_iter().nth(id) {
            Some(found) => open(found),
            None => Err(UvcError::NoId { id, count }),
        },
        Pick::Serial(wanted) => {
            let mut others = Vec::new();
            for found in cameras {
                let node = found.node.display().to_string();
                others.push(match open(found) {
                    Ok((found, video, Ok(serial))) if serial == wanted => {
                        return Ok((found, video, Ok(serial)));
                    }
                    Ok((_, _, Ok(serial))) => format!("{node} has {serial}"),
                    Ok((_, _, Err(reason))) => format!("{node} does not tell its own ({reason})"),
                    Err(err) => err.to_string(),
                });
            }
            Err(UvcError::NoSerial {
                serial: wanted,
                found: others.join(", "),
            })
        }
    }
}

fn serial(video: &Video) -> Result<u32, String> {
    let unit = Unit::new(video);
    let serial = unit.and_then(|mut unit| unit.serial());
    serial.map_err(|err| err.to_string())
}

fn open(options: &Options, told: &mut VecDeque<Event>) -> Result<(Running, Info), UvcError> {
    let (found, video, serial) = pick(options)?;
    let model = found.model()?;
    let mut warn = |text: String| told.push_back(Event::Warning(text));
    let on_usb2 = Unit::new(&video).is_ok_and(|unit| unit.is_usb2());
    if on_usb2 && options.mode.width > USB2_WIDTH {
        return Err(UvcError::Usb2 { node: found.node });
    }
    if let Err(reason) = begin(&video) {
        warn(format!(
            "{} keeps the settings it had: {reason}",
            found.node.display()
        ));
    }
    if let Err(reason) = &serial {
        let node = found.node.display();
        warn(format!(
            "{node} does not tell its serial number, so it has neither calibration nor sensors: {reason}"
        ));
    }
    let serial = serial.ok();
    let wanted = serial.filter(|_| options.sensors);
    let controller = wanted.and_then(|serial| discover::sensors(&options.roots, model, serial));
    let sensors = controller.and_then(|controller| {
        let sensors = Sensors::open(&controller.node, controller.firmware);
        let node = controller.node.display();
        sensors
            .inspect_err(|err| warn(format!("{node} cannot be read ({err}): no sensors")))
            .ok()
    });
    let capture = video.start(options.mode)?;
    let info = Info {
        model,
        serial,
        node: found.node,
        mode: options.mode,
        has_sensors: sensors.is_some(),
    };
    let running = Running {
        capture,
        sensors,
        heard: Instant::now(),
        fading: FADING,
    };
    Ok((running, info))
}

/// What a camera is told first: it keeps what another program left.
fn begin(video: &Video) -> Result<(), String> {
    let text = |err: UnitError| err.to_string();
    let mut unit = Unit::new(video).map_err(text)?;
    let mut switches = || {
        unit.set_led(true)?;
        unit.set_auto_exposure(true)?;
        unit.enable_sync()
    };
    switches().map_err(|err| err.to_string())?;
    let white = video.set_control(control_id::AUTO_WHITE_BALANCE, 1);
    white.map_err(|err| err.to_string())
}

fn apply(video: &Video, mode: Mode, control: Control) -> Result<(), String> {
    let (setting, value) = match control {
        Control::Value(setting, value) => (setting, value),
        Control::ExposureRange(..) => {
            return Err("its bounds cannot be set without the SDK; use backend=sdk".into());
        }
        Control::ExposureRegion(side, region) => return set_region(video, mode, side, region),
    };
    let id = match setting {
        Setting::Brightness => control_id::BRIGHTNESS,
        Setting::Contrast => control_id::CONTRAST,
        Setting::Hue => control_id::HUE,
        Setting::Saturation => control_id::SATURATION,
        Setting::Sharpness => control_id::SHARPNESS,
        Setting::Gamma => control_id::GAMMA,
        Setting::WhiteBalance => control_id::WHITE_BALANCE,
        Setting::AutoWhiteBalance => control_id::AUTO_WHITE_BALANCE,
        Setting::Gain | Setting::Exposure | Setting::AutoExposure | Setting::Led => {
            return set_register(video, mode, setting, value);
        }
    };
    // White balance comes in hundreds.
    let value = match setting {
        Setting::WhiteBalance => value - value.rem_euclid(100),
        _ => value,
    };
    video.set_control(id, value).map_err(|err| err.to_string())
}

/// What the kernel's own controls do not reach.
fn set_register(video: &Video, mode: Mode, setting: Setting, value: i32) -> Result<(), String> {
    let mut unit = Unit::new(video).map_err(|err| err.to_string())?;
    let percent = u32::try_from(value).unwrap_or(0).min(100);
    let longest = mode.longest_exposure();
    // What the camera holds afterwards, since it takes writes that it does not carry out.
    let mut set = || match setting {
        Setting::Gain => {
            unit.set_gain(percent)?;
            Ok(unit.gain()? == percent)
        }
        Setting::Exposure => {
            unit.set_exposure(percent, longest)?;
            Ok(unit.exposure(longest)? == percent)
        }
        Setting::AutoExposure => {
            unit.set_auto_exposure(value != 0)?;
            Ok(unit.auto_exposure()? == (value != 0))
        }
        _ => unit.set_led(value != 0).map(|()| true),
    };
    match set().map_err(|err: io::Error| err.to_string())? {
        true => Ok(()),
        false => Err("it did not take the value".into()),
    }
}

fn set_region(
    video: &Video,
    mode: Mode,
    side: Side,
    region: Option<[u16; 4]>,
) -> Result<(), String> {
    let whole = |size: u32| u16::try_from(size).unwrap_or(u16::MAX);
    let region = region.unwrap_or([0, 0, whole(mode.width), whole(mode.height)]);
    let mut unit = Unit::new(video).map_err(|err| err.to_string())?;
    let meant = |eye: &Eye| match side {
        Side::Both => true,
        Side::Left => *eye == Eye::Left,
        Side::Right => *eye == Eye::Right,
    };
    for eye in EYES.into_iter().filter(meant) {
        unit.set_exposure_region(eye, region)
            .map_err(|err| err.to_string())?;
    }
    Ok(())
}
