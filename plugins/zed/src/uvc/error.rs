//! What can go wrong with a camera that is read without the SDK.

use std::io;
use std::path::PathBuf;

use super::modes::Model;

#[derive(Debug, thiserror::Error)]
pub enum UvcError {
    #[error(
        "no ZED, ZED Mini, ZED 2 or ZED 2i is at {sysfs}: plug one into a USB 3 port, or use \
         backend=sdk, which GMSL cameras need"
    )]
    NoCamera { sysfs: PathBuf },
    #[error("no ZED camera here has serial number {serial}: {found}")]
    NoSerial { serial: u32, found: String },
    #[error("there is no ZED camera number {id}: {count} are plugged in")]
    NoId { id: usize, count: usize },
    #[error(
        "the {model} at {node} has a firmware from before this protocol: update it with the SDK's ZED Explorer"
    )]
    OldFirmware { model: Model, node: PathBuf },
    #[error("no camera gives {width}x{height} without the SDK: choose HD2K, HD1080, HD720 or VGA")]
    Size { width: u32, height: u32 },
    #[error(
        "{width}x{height} comes at {rates} frames a second and not at {fps}: choose one of these as camera-fps"
    )]
    Rate {
        width: u32,
        height: u32,
        fps: u32,
        rates: String,
    },
    #[error("{node} cannot be opened ({cause}): {}", open_cure(cause))]
    Open { node: PathBuf, cause: io::Error },
    #[error("{node}: {what} failed ({cause}); unplug the camera and plug it in again")]
    Call {
        node: PathBuf,
        what: &'static str,
        cause: io::Error,
    },
    #[error("{node} is no camera that streams")]
    NoCapture { node: PathBuf },
    #[error(
        "{node} hangs on USB 2, which has room for VGA only: use a USB 3 port or camera-resolution=VGA"
    )]
    Usb2 { node: PathBuf },
    #[error(
        "{node} gives {width}x{height} where {wanted} was asked for: choose another camera-resolution"
    )]
    Format {
        node: PathBuf,
        width: u32,
        height: u32,
        wanted: String,
    },
    #[error(
        "{node} has sent no picture for {seconds} s: check the cable, and that the port is USB 3"
    )]
    Silent { node: PathBuf, seconds: u64 },
    #[error("the camera has gone and did not come back within {seconds} s: check cable and power")]
    Gone { seconds: u64 },
    #[error("the camera's flash memory holds no serial number: {found:02x?}")]
    Serial { found: [u8; 6] },
    #[error("{what} is no register value of this camera")]
    Value { what: String },
    #[error(
        "the camera's control unit takes blocks of {length} bytes, which is none of 64 and 384"
    )]
    BlockLength { length: usize },
}

fn open_cure(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            "add the user to the group video, or install a udev rule for vendor 2b03"
        }
        io::ErrorKind::ResourceBusy => "another program holds it",
        _ => "unplug the camera and plug it in again",
    }
}
