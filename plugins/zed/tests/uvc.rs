//! The UVC backend, through the C library's own calls, against a camera that stands before the
//! kernel: `uvc/shim.c` is loaded ahead of the C library and answers as a ZED 2i's drivers would.
//! No camera was at hand: what is held here is the order and content of this crate's calls.
//!
//! Each test runs itself once more with the stand-in loaded, since it must be there from the start.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use evr_zed::control::{Control, Setting, Side};
use evr_zed::uvc::{Camera, Event, Frame, Mode, Model, Options, Pick, Roots, UvcError};

/// Where the stand-in and its sysfs are, in a process that runs with it.
fn folder() -> Option<PathBuf> {
    env::var_os("ZED_SHIM").map(PathBuf::from)
}

/// Runs `scenario` with the stand-in and `faults`; `name` is the test's own.
#[track_caller]
fn with_camera(name: &str, faults: &[(&str, &str)], scenario: impl FnOnce(&Path)) {
    if let Some(folder) = folder() {
        return scenario(&folder);
    }
    let folder = tempfile::tempdir().expect("a folder for the stand-in");
    let shim = folder.path().join("shim.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/uvc/shim.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&shim)
        .arg(source)
        .status();
    assert!(built.expect("a C compiler is installed").success());
    sysfs(&folder.path().join("sys"));
    let test = env::current_exe().expect("a test knows its own program");
    let mut child = Command::new(test);
    child.args([name, "--exact", "--nocapture"]);
    child
        .env("LD_PRELOAD", &shim)
        .env("ZED_SHIM", folder.path())
        .envs(faults.iter().copied());
    let output = child.output().expect("the test runs again");
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{complaint}");
    assert!(
        text.contains("1 passed"),
        "{name} is no test's name\n{text}"
    );
}

/// One ZED 2i with its sensors, as the kernel shows it.
fn sysfs(root: &Path) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder is made");
        fs::write(path, text).expect("a file is written");
    };
    write(
        "class/video4linux/video0/device/modalias",
        "usb:v2B03pF880d0102dcEF\n",
    );
    write("class/video4linux/video0/index", "0\n");
    write(
        "class/video4linux/video1/device/modalias",
        "usb:v2B03pF880d0102dcEF\n",
    );
    write("class/video4linux/video1/index", "1\n");
    write("devices/1-2/bcdDevice", "0309\n");
    let uevent = "HID_ID=0003:00002B03:0000F881\nHID_UNIQ=38486288\n";
    write("devices/1-2/interface/hid/uevent", uevent);
    write("class/hidraw/hidraw0/dev", "");
    let device = root.join("class/hidraw/hidraw0/device");
    symlink(root.join("devices/1-2/interface/hid"), device).expect("a link is made");
}

fn options(folder: &Path) -> Options {
    let mode = Mode::new(672, 376, 100).expect("a mode of the table");
    let mut options = Options::new(Pick::Id(0), mode);
    options.roots = Roots {
        sys: folder.join("sys"),
        dev: folder.into(),
    };
    options.reconnect_interval = Duration::from_millis(5);
    options
}

fn open(folder: &Path) -> Camera {
    Camera::open(options(folder)).expect("the camera opens")
}

fn next(camera: &mut Camera) -> Event {
    let event = camera
        .next(&AtomicBool::new(false))
        .expect("the camera runs");
    event.expect("nobody interrupts")
}

fn frame(camera: &mut Camera) -> Frame {
    match next(camera) {
        Event::Frame(frame) => *frame,
        event => panic!("no frame but {event:?}"),
    }
}

/// Which picture of the stand-in this is.
fn number(frame: &Frame) -> u8 {
    frame.data[0]
}

fn calls(folder: &Path) -> String {
    fs::read_to_string(folder.join("calls")).unwrap_or_default()
}

#[track_caller]
fn was_called(folder: &Path, call: &str) {
    let calls = calls(folder);
    assert!(
        calls.lines().any(|line| line == call),
        "{call:?} is not in\n{calls}"
    );
}

#[test]
fn pictures_of_both_eyes_come_with_the_time_they_were_taken() {
    let name = "pictures_of_both_eyes_come_with_the_time_they_were_taken";
    with_camera(name, &[], |folder| {
        let mut camera = open(folder);
        let info = camera.info().clone();
        assert_eq!((info.model, info.serial), (Model::Zed2i, Some(38_486_288)));
        assert!(info.has_sensors);
        let first = frame(&mut camera);
        assert_eq!((first.width, first.height), (1344, 376));
        let row = &first.data[1344..2 * 1344];
        assert_eq!((row[0], row[671], row[672], row[1343]), (50, 50, 200, 200));
        let (u, v) = first.data[1344 * 376..].split_at(672 * 188);
        assert!(u.iter().all(|&value| value == 110) && v.iter().all(|&value| value == 140));
        // The first pictures fade in and are skipped.
        assert!(number(&first) >= 5);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_nanos();
        let age = now.abs_diff(first.captured.into());
        assert!(age < 2_000_000_000, "{age} ns");
        let second = frame(&mut camera);
        assert!(second.captured > first.captured);
        drop(camera);
        was_called(folder, "open nonblocking");
        was_called(folder, "format 1344x376");
        was_called(folder, "rate 100/1");
        was_called(folder, "pin 2 = 1");
        was_called(folder, "control 0x98090c = 1");
        was_called(folder, "stream off");
    });
}

#[test]
fn sensors_are_started_read_and_stopped() {
    with_camera("sensors_are_started_read_and_stopped", &[], |folder| {
        let mut camera = open(folder);
        let readings = loop {
            let readings = frame(&mut camera).sensors.expect("a ZED 2i has sensors");
            // More than one controller's patience without a word from us.
            if readings.reports > 400 {
                break readings;
            }
        };
        let imu = readings.imu.expect("each report has it");
        assert!((imu.acceleration[1] - 9.8189).abs() < 1e-3, "{imu:?}");
        drop(camera);
        was_called(folder, "feature 32 01");
        was_called(folder, "feature 21 f2");
        was_called(folder, "feature 32 00");
    });
}

#[test]
fn settings_go_to_the_kernel_or_to_the_extension_unit() {
    with_camera(
        "settings_go_to_the_kernel_or_to_the_extension_unit",
        &[],
        |folder| {
            let mut camera = open(folder);
            for control in [
                Control::Value(Setting::Brightness, 5),
                Control::Value(Setting::Hue, 9),
                Control::Value(Setting::Gamma, 7),
                Control::Value(Setting::AutoWhiteBalance, 0),
                Control::Value(Setting::WhiteBalance, 4650),
                Control::Value(Setting::AutoExposure, 0),
                Control::Value(Setting::Gain, 60),
                Control::Value(Setting::Exposure, 80),
                Control::Value(Setting::Led, 0),
                Control::ExposureRegion(Side::Both, Some([1, 2, 300, 200])),
                Control::ExposureRegion(Side::Right, None),
            ] {
                camera.set(control);
            }
            // Each was read back; a refusal would come before the next picture.
            frame(&mut camera);
            for call in [
                "control 0x980900 = 5",
                "control 0x980903 = 9",
                "control 0x980910 = 7",
                "control 0x98090c = 0",
                "control 0x98091a = 4600",
                "pin 2 = 0",
            ] {
                was_called(folder, call);
            }
            camera.set(Control::ExposureRange(28, 1000));
            let event = next(&mut camera);
            assert!(
                matches!(&event, Event::Warning(text) if text.contains("backend=sdk")),
                "{event:?}"
            );
            camera.set(Control::ExposureRegion(Side::Left, Some([0, 0, 5, 5])));
            let event = next(&mut camera);
            assert!(
                matches!(&event, Event::Warning(text) if text.contains("5x5")),
                "{event:?}"
            );
        },
    );
}

#[test]
fn a_camera_that_ignores_a_value_is_told_of() {
    let name = "a_camera_that_ignores_a_value_is_told_of";
    with_camera(name, &[("ZED_SHIM_DEAF", "1")], |folder| {
        let mut camera = open(folder);
        camera.set(Control::Value(Setting::Gain, 60));
        let event = next(&mut camera);
        let Event::Warning(text) = event else {
            panic!("{event:?}");
        };
        assert!(text.contains("did not take the value"), "{text}");
    });
}

#[test]
fn a_torn_picture_is_not_shown_and_counted() {
    let name = "a_torn_picture_is_not_shown_and_counted";
    // Half a second after the opening, when pictures are being taken on any machine.
    with_camera(name, &[("ZED_SHIM_TORN", "60")], |folder| {
        let mut camera = open(folder);
        loop {
            let frame = frame(&mut camera);
            assert_ne!(number(&frame), 60);
            if number(&frame) > 60 {
                assert!(frame.lost >= 1);
                break;
            }
        }
    });
}

#[test]
fn who_comes_late_gets_a_picture_of_now_and_the_number_of_those_missed() {
    let name = "who_comes_late_gets_a_picture_of_now_and_the_number_of_those_missed";
    with_camera(name, &[], |folder| {
        let mut camera = open(folder);
        let first = frame(&mut camera);
        // Twenty pictures, while the kernel has four buffers.
        thread::sleep(Duration::from_millis(200));
        let before = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let late = frame(&mut camera);
        // As well as two clocks agree.
        let captured = Duration::from_nanos(late.captured);
        assert!(
            captured + Duration::from_millis(2) > before,
            "{captured:?} and {before:?}"
        );
        let missed = (late.captured - first.captured) / 10_000_000 - 1;
        let lost = late.lost - first.lost;
        // Either time may be off by most of a picture, and a picture may come in between.
        assert!(lost.abs_diff(missed) <= 2, "{lost} instead of {missed}");
    });
}

#[test]
fn a_camera_whose_pictures_nobody_took_for_a_while_is_not_gone() {
    let name = "a_camera_whose_pictures_nobody_took_for_a_while_is_not_gone";
    with_camera(name, &[], |folder| {
        let mut options = options(folder);
        options.silence = Duration::from_millis(100);
        let mut camera = Camera::open(options).expect("the camera opens");
        frame(&mut camera);
        // A pause of the pipeline, longer than a camera may be silent.
        thread::sleep(Duration::from_millis(200));
        frame(&mut camera);
        assert_eq!(calls(folder).matches("open ").count(), 1);
    });
}

#[test]
fn a_wall_clock_that_is_set_while_the_camera_runs_makes_no_picture_old() {
    let name = "a_wall_clock_that_is_set_while_the_camera_runs_makes_no_picture_old";
    with_camera(name, &[("ZED_SHIM_STEP", "20")], |folder| {
        let began = SystemTime::now();
        let mut camera = open(folder);
        // The stand-in sets it an hour ahead meanwhile; a picture may be taken just before.
        while number(&frame(&mut camera)) <= 20 {}
        let now = SystemTime::now();
        let ahead = now.duration_since(began).expect("it goes ahead");
        assert!(ahead > Duration::from_secs(3500), "{ahead:?}");
        let captured = UNIX_EPOCH + Duration::from_nanos(frame(&mut camera).captured);
        let age = SystemTime::now().duration_since(captured);
        let age = age.expect("no picture is of the future");
        assert!(age < Duration::from_secs(2), "{age:?}");
    });
}

#[test]
fn a_camera_that_was_unplugged_comes_back_as_it_was_set() {
    let name = "a_camera_that_was_unplugged_comes_back_as_it_was_set";
    with_camera(name, &[("ZED_SHIM_UNPLUG", "8")], |folder| {
        let mut camera = open(folder);
        camera.set(Control::Value(Setting::Brightness, 6));
        let mut told = Vec::new();
        loop {
            match next(&mut camera) {
                Event::Frame(frame) if number(&frame) > 8 => break,
                Event::Frame(_) => {}
                Event::Lost(text) => told.push(text),
                Event::Back(info) => told.push(info.serial.expect("as before").to_string()),
                Event::Warning(text) => panic!("{text}"),
            }
        }
        let [lost, back] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert!(lost.contains("taking a picture failed"), "{lost}");
        assert_eq!(back, "38486288");
        assert_eq!(calls(folder).matches("control 0x980900 = 6").count(), 2);
    });
}

#[test]
fn a_camera_that_stays_away_is_an_error_in_the_end() {
    let name = "a_camera_that_stays_away_is_an_error_in_the_end";
    let faults = [("ZED_SHIM_UNPLUG", "6"), ("ZED_SHIM_AWAY", "100000")];
    with_camera(name, &faults, |folder| {
        let mut options = options(folder);
        options.reconnect_timeout = Duration::from_millis(60);
        let mut camera = Camera::open(options).expect("the camera opens");
        let err = loop {
            if let Err(err) = camera.next(&AtomicBool::new(false)) {
                break err;
            }
        };
        assert!(matches!(err, UvcError::Gone { .. }), "{err}");
    });
}

#[test]
fn a_camera_that_sends_nothing_counts_as_gone() {
    let name = "a_camera_that_sends_nothing_counts_as_gone";
    with_camera(name, &[("ZED_SHIM_SILENT", "1")], |folder| {
        let mut options = options(folder);
        options.silence = Duration::from_millis(100);
        let mut camera = Camera::open(options).expect("the camera opens");
        let event = next(&mut camera);
        assert!(
            matches!(&event, Event::Lost(text) if text.contains("USB 3")),
            "{event:?}"
        );
    });
}

#[test]
fn on_usb_2_only_vga_is_tried() {
    with_camera(
        "on_usb_2_only_vga_is_tried",
        &[("ZED_SHIM_USB2", "1")],
        |folder| {
            let mut larger = options(folder);
            larger.mode = Mode::new(1280, 720, 15).expect("a mode of the table");
            let err = Camera::open(larger).err().expect("it is refused");
            assert!(matches!(err, UvcError::Usb2 { .. }), "{err}");
            frame(&mut open(folder));
        },
    );
}

#[test]
fn a_camera_is_picked_by_its_number_and_others_are_named() {
    with_camera(
        "a_camera_is_picked_by_its_number_and_others_are_named",
        &[],
        |folder| {
            let mut wanted = options(folder);
            wanted.pick = Pick::Serial(38_486_288);
            frame(&mut Camera::open(wanted.clone()).expect("it is there"));
            wanted.pick = Pick::Serial(1);
            let err = Camera::open(wanted.clone())
                .err()
                .expect("it is not there")
                .to_string();
            assert!(err.contains("video0 has 38486288"), "{err}");
            wanted.pick = Pick::Id(1);
            let err = Camera::open(wanted)
                .err()
                .expect("there is but one")
                .to_string();
            assert!(err.contains("1 are plugged in"), "{err}");
        },
    );
}

#[test]
fn whoever_waits_can_be_woken() {
    with_camera(
        "whoever_waits_can_be_woken",
        &[("ZED_SHIM_SILENT", "1")],
        |folder| {
            let mut camera = open(folder);
            assert!(
                camera
                    .next(&AtomicBool::new(true))
                    .expect("nothing fails")
                    .is_none()
            );
        },
    );
}

#[test]
fn without_a_camera_it_is_said_what_to_do() {
    let folder = tempfile::tempdir().expect("an empty folder");
    let err = Camera::open(options(folder.path()))
        .err()
        .expect("there is none")
        .to_string();
    assert!(err.contains("plug one into a USB 3 port"), "{err}");
    // A node that the kernel shows and that is not there.
    sysfs(&folder.path().join("sys"));
    let err = Camera::open(options(folder.path()))
        .err()
        .expect("there is none")
        .to_string();
    assert!(err.contains("video0 cannot be opened"), "{err}");
}
