//! Which cameras are plugged in, by what the kernel shows of them.
//!
//! Belongs here: reading sysfs. Nothing is opened; whether a node streams is found out on opening.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::UvcError;
use super::modes::{Model, Product, VENDOR};

/// Where the kernel shows devices, and where their nodes are. Tests have their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    pub sys: PathBuf,
    pub dev: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            sys: "/sys".into(),
            dev: "/dev".into(),
        }
    }
}

/// A camera that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub product: Product,
    /// Its video node, such as `/dev/video0`.
    pub node: PathBuf,
}

impl Found {
    /// # Errors
    ///
    /// When its firmware cannot be spoken with.
    pub fn model(&self) -> Result<Model, UvcError> {
        match self.product {
            Product::Camera(model) => Ok(model),
            Product::OldFirmware(model) => Err(UvcError::OldFirmware {
                model,
                node: self.node.clone(),
            }),
        }
    }
}

/// Vendor and product in `usb:v2B03pF880d0102dc…`.
pub fn parse_modalias(text: &str) -> Option<(u16, u16)> {
    let rest = text.trim().strip_prefix("usb:v")?;
    let (vendor, rest) = rest.split_at_checked(4)?;
    let product = rest.strip_prefix('p')?.get(..4)?;
    let hex = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain
            .then(|| u16::from_str_radix(digits, 16).ok())
            .flatten()
    };
    Some((hex(vendor)?, hex(product)?))
}

/// The number at the end of `video12`.
fn number(name: &str, stem: &str) -> Option<u32> {
    name.strip_prefix(stem)?.parse().ok()
}

/// Names and numbers in a class of devices, by number. A class that is not there has none.
fn class(roots: &Roots, class: &str, stem: &str) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(roots.sys.join("class").join(class)) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((number(entry.file_name().to_str()?, stem)?, entry.path())))
        .collect();
    found.sort();
    found
}

/// Every ZED with a video node, in the order of the nodes.
pub fn cameras(roots: &Roots) -> Vec<Found> {
    let camera = |(number, path): (u32, PathBuf)| {
        let modalias = fs::read_to_string(path.join("device/modalias")).ok()?;
        let (VENDOR, product) = parse_modalias(&modalias)? else {
            return None;
        };
        // Node 0 of a camera streams; the second one carries metadata.
        let index = fs::read_to_string(path.join("index")).ok();
        if index.is_some_and(|index| index.trim() != "0") {
            return None;
        }
        Some(Found {
            product: Product::of(product)?,
            node: roots.dev.join(format!("video{number}")),
        })
    };
    let nodes = class(roots, "video4linux", "video");
    nodes.into_iter().filter_map(camera).collect()
}

/// A sensors' controller that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Its node, such as `/dev/hidraw0`.
    pub node: PathBuf,
    /// Its release, major in the upper byte.
    pub firmware: u16,
}

/// The sensors' controller of the camera with that serial number, or the only one of its model
/// where controllers tell no number.
pub fn sensors(roots: &Roots, model: Model, serial: u32) -> Option<Controller> {
    let wanted = model.sensors_product()?;
    let mut unnamed = Vec::new();
    for (number, path) in class(roots, "hidraw", "hidraw") {
        let Some((product, said)) = read_uevent(&path.join("device/uevent")) else {
            continue;
        };
        // The USB device is the parent of the interface whose child is the HID device.
        let release = fs::read_to_string(path.join("device/../../bcdDevice")).ok();
        let release = release.and_then(|text| u16::from_str_radix(text.trim(), 16).ok());
        let controller = Controller {
            node: roots.dev.join(format!("hidraw{number}")),
            firmware: release.unwrap_or(0),
        };
        match said {
            _ if product != wanted => {}
            Some(said) if said == serial => return Some(controller),
            Some(_) => {}
            None => unnamed.push(controller),
        }
    }
    match unnamed.len() {
        1 => unnamed.pop(),
        _ => None,
    }
}

/// Product and serial number of one of Stereolabs' HID devices.
fn read_uevent(path: &Path) -> Option<(u16, Option<u32>)> {
    let text = fs::read_to_string(path).ok()?;
    let value = |key| text.lines().find_map(|line| line.strip_prefix(key));
    // Bus, vendor and product in hexadecimal: 0003:00002B03:0000F881.
    let mut id = value("HID_ID=")?.split(':').skip(1);
    let mut hex = || u32::from_str_radix(id.next()?, 16).ok();
    if hex()? != u32::from(VENDOR) {
        return None;
    }
    let product = u16::try_from(hex()?).ok()?;
    let serial = value("HID_UNIQ=").and_then(|text| text.trim().parse().ok());
    Some((product, serial))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: PathBuf, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn tree() -> (tempfile::TempDir, Roots) {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots {
            sys: folder.path().into(),
            dev: "/dev".into(),
        };
        (folder, roots)
    }

    fn video(roots: &Roots, number: u32, modalias: &str, index: Option<&str>) {
        let node = roots.sys.join(format!("class/video4linux/video{number}"));
        write(node.join("device/modalias"), modalias);
        if let Some(index) = index {
            write(node.join("index"), index);
        }
    }

    /// As the kernel lays it out: the class links to the device below its interface and port.
    fn hidraw(roots: &Roots, number: u32, uevent: &str) {
        let port = roots.sys.join(format!("devices/1-{number}"));
        write(port.join("interface/hid/uevent"), uevent);
        write(port.join("bcdDevice"), "0309\n");
        let node = roots.sys.join(format!("class/hidraw/hidraw{number}"));
        fs::create_dir_all(&node).unwrap();
        std::os::unix::fs::symlink(port.join("interface/hid"), node.join("device")).unwrap();
    }

    fn controller(number: u32) -> Option<Controller> {
        Some(Controller {
            node: format!("/dev/hidraw{number}").into(),
            firmware: 777,
        })
    }

    #[test]
    fn a_modalias_gives_vendor_and_product() {
        let whole = "usb:v2B03pF880d0102dcEFdsc02dp01ic0Eisc01ip00in00\n";
        assert_eq!(parse_modalias(whole), Some((0x2b03, 0xf880)));
        assert_eq!(parse_modalias("usb:v2B03pF8"), None);
        assert_eq!(parse_modalias("usb:v+B03pF880"), None);
        assert_eq!(parse_modalias("pci:v00008086d00001E31"), None);
        assert_eq!(parse_modalias("usb:vé"), None);
        assert_eq!(parse_modalias(""), None);
    }

    #[test]
    fn cameras_are_found_in_the_order_of_their_nodes_and_others_are_not() {
        let (_folder, roots) = tree();
        video(&roots, 10, "usb:v2B03pF682d0102", Some("0\n"));
        video(&roots, 2, "usb:v2B03pF880d0102", Some("0\n"));
        video(&roots, 3, "usb:v2B03pF880d0102", Some("1\n"));
        video(&roots, 0, "usb:v046Dp0825d0010", Some("0\n"));
        video(&roots, 4, "platform:vivid", None);
        video(&roots, 5, "usb:v2B03pF580d0102", None);
        let found: Vec<_> = cameras(&roots)
            .into_iter()
            .map(|found| (found.node.display().to_string(), found.product))
            .collect();
        assert_eq!(
            found,
            [
                ("/dev/video2".to_owned(), Product::Camera(Model::Zed2i)),
                ("/dev/video5".to_owned(), Product::OldFirmware(Model::Zed)),
                ("/dev/video10".to_owned(), Product::Camera(Model::ZedMini)),
            ]
        );
    }

    #[test]
    fn a_system_without_cameras_has_none() {
        let (_folder, roots) = tree();
        assert_eq!(cameras(&roots), []);
        assert_eq!(sensors(&roots, Model::Zed2i, 1), None);
    }

    #[test]
    fn an_old_firmware_is_refused_with_its_cure() {
        let found = Found {
            product: Product::OldFirmware(Model::Zed),
            node: "/dev/video0".into(),
        };
        let err = found.model().unwrap_err().to_string();
        assert!(err.contains("update it"), "{err}");
    }

    #[test]
    fn sensors_belong_to_the_camera_with_their_serial_number() {
        let (_folder, roots) = tree();
        hidraw(
            &roots,
            0,
            "HID_ID=0003:0000046D:0000C52B\nHID_UNIQ=38486288\n",
        );
        hidraw(&roots, 1, "HID_ID=0003:00002B03:0000F881\nHID_UNIQ=11\n");
        hidraw(
            &roots,
            2,
            "DRIVER=hid-generic\nHID_ID=0003:00002B03:0000F881\nHID_UNIQ=38486288\n",
        );
        let node = sensors(&roots, Model::Zed2i, 38_486_288);
        assert_eq!(node, controller(2));
        assert_eq!(sensors(&roots, Model::Zed2i, 12), None);
        assert_eq!(sensors(&roots, Model::Zed2, 38_486_288), None);
        assert_eq!(sensors(&roots, Model::Zed, 38_486_288), None);
    }

    #[test]
    fn sensors_without_a_number_are_taken_where_there_is_but_one() {
        let (_folder, roots) = tree();
        hidraw(&roots, 0, "HID_ID=0003:00002B03:0000F681\nHID_UNIQ=\n");
        assert_eq!(sensors(&roots, Model::ZedMini, 5), controller(0));
        hidraw(&roots, 1, "HID_ID=0003:00002B03:0000F681\n");
        assert_eq!(sensors(&roots, Model::ZedMini, 5), None);
    }
}
