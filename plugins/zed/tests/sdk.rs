//! The SDK's backend against a stand-in for its C library, in the interfaces of 5.0, 5.1 and 5.2,
//! that was written from the documented byte offsets (`sdk/stub.c`). No SDK and no camera was at
//! hand: what is held here is this crate's side of the interface.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use evr_zed::control::{Control, Setting, Side};
use evr_zed::sdk::{
    Abi, BodyTracking, DepthMode, Detection, Event, Frame, Input, Options, Sdk, SdkError, Session,
    Wanted,
};
use tempfile::TempDir;

/// A built stand-in with the file into which it writes what it was asked.
struct Stub {
    folder: TempDir,
}

impl Stub {
    /// `defines` are those of `stub.c`, as `NAME=value`.
    fn build(flavour: u32, defines: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder for the stand-in");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/stub.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-g"])
            .arg(format!("-DFLAVOUR={flavour}"));
        cc.arg(format!(
            "-DLOG=\"{}\"",
            folder.path().join("calls").display()
        ));
        cc.args(defines.iter().map(|define| format!("-D{define}")));
        let built = cc
            .arg(source)
            .arg("-o")
            .arg(folder.path().join("libsl_zed_c.so"))
            .status();
        assert!(built.expect("a C compiler is installed").success());
        Self { folder }
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("libsl_zed_c.so")
    }

    fn sdk(&self) -> Arc<Sdk> {
        Sdk::open(Some(&self.library()), false).expect("the stand-in is accepted")
    }

    fn refusal(&self) -> SdkError {
        Sdk::open(Some(&self.library()), false).expect_err("it is refused")
    }

    fn session(&self, options: Options) -> Session {
        Session::open(&self.sdk(), options).expect("the camera opens")
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default()
    }

    #[track_caller]
    fn was_asked(&self, call: &str) {
        let calls = self.calls();
        assert!(calls.contains(call), "{call:?} is not in\n{calls}");
    }
}

/// Nobody interrupts.
static RUN: AtomicBool = AtomicBool::new(false);

const LEFT: Wanted = Wanted {
    left: true,
    right: false,
    depth: false,
};

fn live() -> Options {
    let mut options = Options::new(Input::Id(0), LEFT);
    options.reconnect_interval = Duration::from_millis(5);
    options
}

fn file() -> Options {
    Options::new(Input::Svo("walk.svo2".into()), LEFT)
}

fn next(session: &Session) -> Event {
    let event = session.next(&RUN).expect("the camera runs");
    event.expect("nobody interrupts")
}

/// The next frame, and what was told before it.
fn frame(session: &Session) -> (Frame, Vec<Event>) {
    let mut before = Vec::new();
    loop {
        match next(session) {
            Event::Frame(frame) => return (*frame, before),
            event => before.push(event),
        }
    }
}

/// Which grab of the stand-in a frame comes from, by its time.
fn grab(frame: &Frame) -> u64 {
    (frame.captured - 1_700_000_000_000_000_000) / 33_333_333
}

#[test]
fn each_release_is_opened_through_its_own_interface() {
    for (flavour, abi) in [(50, Abi::V50), (51, Abi::V51), (52, Abi::V52)] {
        let stub = Stub::build(flavour, &[]);
        assert_eq!(stub.sdk().abi, abi);
        let mut options = Options::new(Input::Serial(38_486_288), LEFT);
        options.log_file = Some("/tmp/zed.log".into());
        options.settings_folder = Some("/etc/zed".into());
        options.opencv_calibration = Some("rig.yml".into());
        options.working_size = (640, 480);
        let session = stub.session(options);
        let info = session.info();
        assert_eq!((info.width, info.height, info.fps), (64, 48, 30.0));
        assert_eq!(
            (info.model, info.serial, info.firmware),
            ("ZED 2i", 38_486_288, 1523)
        );
        assert!(!frame(&session).0.corrupted);
        drop(session);
        stub.was_asked(
            "open input=0 resolution=9 fps=15 device=0 flip=2 depth=0 min=300 max=20000 unit=0",
        );
        stub.was_asked(
            "serial=38486288 svo= ip= port=0 gmsl=0 log=/tmp/zed.log settings=/etc/zed calibration=rig.yml",
        );
        stub.was_asked("init validity=1 enhancement=1 timeout=5 working=640x480");
        stub.was_asked("runtime frame=0 depth=0 fill=0 confidence=50 texture=100");
        stub.was_asked("close");
        // Strings and structures of the library are freed by it, once it can.
        assert_eq!(stub.calls().contains("free"), flavour > 50);
    }
}

#[test]
fn files_and_streams_are_asked_for_by_name() {
    let stub = Stub::build(52, &[]);
    drop(stub.session(file()));
    stub.was_asked("open input=1 ");
    stub.was_asked("svo=walk.svo2");
    let input = Input::Stream {
        host: "192.0.2.7".into(),
        port: 30_000,
    };
    drop(stub.session(Options::new(input, LEFT)));
    stub.was_asked("open input=2 ");
    stub.was_asked("ip=192.0.2.7 port=30000");
}

#[test]
fn a_missing_library_is_named_with_what_to_install() {
    let err = Sdk::open(Some(Path::new("/nowhere/libsl_zed_c.so")), false).unwrap_err();
    let text = err.to_string();
    assert!(text.contains("/nowhere/libsl_zed_c.so"), "{text}");
    assert!(text.contains("install ZED SDK 5.0 to 5.2"), "{text}");
}

#[test]
fn a_library_whose_name_and_functions_disagree_is_refused() {
    let err = Stub::build(51, &["VERSION=\"5.2.0\""]).refusal();
    assert!(matches!(err, SdkError::Disagree { .. }), "{err}");
    let err = Stub::build(52, &["FIND_USB_DEVICE"]).refusal();
    assert!(matches!(err, SdkError::Disagree { .. }), "{err}");
}

#[test]
fn other_releases_are_refused_and_a_newer_5_is_tried_on_demand() {
    let err = Stub::build(50, &["VERSION=\"4.2.5\""]).refusal();
    assert!(err.to_string().contains("ZED SDK 4.2.5"), "{err}");
    assert!(matches!(err, SdkError::TooOld { .. }), "{err}");
    let err = Stub::build(52, &["VERSION=\"beta\""]).refusal();
    assert!(matches!(err, SdkError::Unreadable { .. }), "{err}");
    let newer = Stub::build(52, &["VERSION=\"5.3.0\""]);
    assert!(matches!(newer.refusal(), SdkError::TooNew { .. }));
    let sdk = Sdk::open(Some(&newer.library()), true).unwrap();
    assert_eq!(sdk.abi, Abi::V52);
}

#[test]
fn a_library_that_reads_parameters_elsewhere_is_refused() {
    let stub = Stub::build(51, &["ECHO_SHIFT=4"]);
    let err = Session::open(&stub.sdk(), live()).unwrap_err();
    assert!(matches!(err, SdkError::Echo { .. }), "{err}");
    // The camera is not left open.
    assert!(stub.calls().ends_with("close\n"), "{}", stub.calls());
}

#[test]
fn a_library_that_writes_longer_structures_is_found_out() {
    let stub = Stub::build(52, &["OVERRUN=8"]);
    let session = stub.session(live());
    let err = loop {
        if let Err(err) = session.next(&RUN) {
            break err;
        }
    };
    assert!(matches!(err, SdkError::Overrun { .. }), "{err}");
}

#[test]
fn no_camera_is_said_with_how_many_there_are_and_what_to_check() {
    let stub = Stub::build(52, &["OPEN_CODE=4"]);
    let err = Session::open(&stub.sdk(), live()).unwrap_err().to_string();
    assert!(err.contains("cannot open camera 0"), "{err}");
    assert!(err.contains("camera not detected (code 4)"), "{err}");
    assert!(err.contains("sees 0 ZED cameras"), "{err}");
    assert!(err.contains("check cable"), "{err}");
    // USB first, then GMSL.
    stub.was_asked("open input=0 ");
    stub.was_asked("open input=3 ");
}

#[test]
fn a_warning_while_opening_is_told_and_the_camera_runs() {
    let stub = Stub::build(52, &["OPEN_CODE=-5"]);
    let session = stub.session(live());
    let (_, before) = frame(&session);
    let [Event::Warning(text)] = before.as_slice() else {
        panic!("{before:?}");
    };
    assert!(text.contains("calibration may be off"), "{text}");
}

#[test]
fn a_warning_that_closed_the_camera_is_an_error_with_its_cure() {
    let stub = Stub::build(52, &["OPEN_CODE=-4", "CLOSED_ON_WARNING=1"]);
    let err = Session::open(&stub.sdk(), live()).unwrap_err();
    assert!(matches!(err, SdkError::Warned { .. }), "{err}");
    assert!(
        err.to_string()
            .contains("ask for a mode that the camera has"),
        "{err}"
    );
}

#[test]
fn a_damaged_frame_comes_marked_and_the_next_is_whole() {
    let stub = Stub::build(52, &["CORRUPT_AT=1"]);
    let session = stub.session(file());
    let corrupted: Vec<bool> = (0..3).map(|_| frame(&session).0.corrupted).collect();
    assert_eq!(corrupted, [false, true, false]);
}

#[test]
fn a_file_gives_every_frame_once_and_then_its_end() {
    let stub = Stub::build(51, &["END_AT=20"]);
    let session = stub.session(file());
    for expected in 0..20 {
        assert_eq!(grab(&frame(&session).0), expected);
    }
    assert!(matches!(next(&session), Event::End));
    assert_eq!(session.replaced(), 0);
}

#[test]
fn padding_behind_rows_does_not_reach_the_picture() {
    for pad in [0, 4, 60] {
        let stub = Stub::build(52, &[&format!("PAD={pad}")]);
        let wanted = Wanted {
            left: true,
            right: true,
            depth: true,
        };
        let session = stub.session(Options::new(Input::Svo("walk.svo2".into()), wanted));
        let (frame, _) = frame(&session);
        for (image, blue) in [(frame.left, 0), (frame.right, 128)] {
            let image = image.unwrap();
            assert_eq!((image.width, image.height), (64, 48));
            let expected: Vec<u8> = (0..48)
                .flat_map(|y| (0..64).flat_map(move |x| [blue, x, y, 255]))
                .collect();
            assert!(image.data == expected, "padded by {pad}");
        }
    }
}

#[test]
fn depth_is_in_millimetres_and_what_is_no_number_is_not_known() {
    let wanted = Wanted {
        left: false,
        right: false,
        depth: true,
    };
    for flavour in [50, 51, 52] {
        let stub = Stub::build(flavour, &["PAD=12"]);
        let session = stub.session(Options::new(Input::Svo("walk.svo2".into()), wanted));
        let (frame, before) = frame(&session);
        let depth = frame.depth.unwrap();
        assert_eq!(depth.data.len(), 64 * 48);
        for row in depth.data.chunks(64) {
            assert_eq!(row[..5], [1000, 0, 0, 0, 1004]);
            assert_eq!(row[63], 1063);
        }
        assert!(frame.left.is_none());
        assert!(matches!(&before[..], [Event::Warning(text)] if text.contains("depth-mode")));
        stub.was_asked("depth=5 ");
    }
}

#[test]
fn objects_bring_box_distance_and_track() {
    for flavour in [50, 51, 52] {
        let stub = Stub::build(flavour, &["OBJECTS=3"]);
        let mut options = file();
        options.depth.mode = DepthMode::Neural;
        options.detection = Some(Detection {
            instance: 4,
            class_confidence: [35.0, -1.0, 35.0, 35.0, 35.0, 35.0, 35.0],
            ..Detection::default()
        });
        let session = stub.session(options);
        let (frame, _) = frame(&session);
        assert!(frame.detected);
        let [first, second, third] = frame.objects.as_slice() else {
            panic!("{:?}", frame.objects);
        };
        assert_eq!((first.label, second.label), ("person", "vehicle"));
        assert_eq!((first.id, second.id), (Some(0), Some(1)));
        assert!((first.confidence - 0.8).abs() < 1e-6);
        assert_eq!(first.bounds, [0.0, 2.0 / 48.0, 4.0 / 64.0, 6.0 / 48.0]);
        assert_eq!(second.distance(), Some(1.01));
        assert_eq!((first.moving, second.moving), (true, false));
        assert_eq!(first.tracking, "ok");
        assert_eq!(
            (first.velocity, third.velocity),
            (Some([5.0, 0.0, 0.0]), None)
        );
        assert_eq!(first.dimensions, Some([600.0, 0.0, 0.0]));
        let pose = frame.pose.unwrap();
        assert_eq!(pose.position, [10.0, 20.0, 30.0]);
        assert_eq!(pose.orientation, [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(pose.confidence, 99);
        drop(session);
        stub.was_asked("detection instance=4 tracking=1 model=1 onnx= shape=512 filter=2");
        stub.was_asked("objects instance=4 confidence=50 person=1/35 vehicle=0/1");
        stub.was_asked("tracking w=1 memory=1 gravity=1 mode=0 area=");
        if flavour == 52 {
            stub.was_asked("hints 0 -1 -1");
        }
    }
}

#[test]
fn as_many_objects_as_the_list_holds_are_read_and_not_one_more() {
    let stub = Stub::build(52, &["OBJECTS=75"]);
    let mut options = file();
    options.detection = Some(Detection::default());
    assert_eq!(frame(&stub.session(options.clone())).0.objects.len(), 75);
    // A count beyond the list cannot lead beyond it, nor can a negative one.
    let stub = Stub::build(52, &["OBJECTS=100000"]);
    assert_eq!(frame(&stub.session(options.clone())).0.objects.len(), 75);
    let stub = Stub::build(52, &["OBJECTS=-1"]);
    assert_eq!(frame(&stub.session(options)).0.objects, []);
}

#[test]
fn an_own_model_says_its_own_classes() {
    let stub = Stub::build(51, &["OBJECTS=2"]);
    let mut options = file();
    options.detection = Some(Detection {
        model: 6,
        onnx_file: Some("helmets.onnx".into()),
        ..Detection::default()
    });
    let (frame, _) = frame(&stub.session(options));
    let labels: Vec<_> = frame
        .objects
        .iter()
        .map(|object| object.raw_label)
        .collect();
    assert_eq!(labels, [Some(1000), Some(1001)]);
    stub.was_asked("model=6 onnx=helmets.onnx");
}

#[test]
fn bodies_bring_their_boxes_as_persons() {
    for flavour in [50, 51, 52] {
        let stub = Stub::build(flavour, &[]);
        let mut options = file();
        options.bodies = Some(BodyTracking::default());
        let (frame, _) = frame(&stub.session(options));
        let [first, second] = frame.objects.as_slice() else {
            panic!("{:?}", frame.objects);
        };
        assert!(first.is_body && second.is_body);
        assert_eq!(
            (first.label, first.id, second.id),
            ("person", Some(10), Some(11))
        );
        assert_eq!(
            first.bounds,
            [8.0 / 64.0, 2.0 / 48.0, 12.0 / 64.0, 6.0 / 48.0]
        );
        assert_eq!(first.distance(), Some(2.5));
        assert_eq!(first.tracking, "searching");
        assert_eq!(first.dimensions, Some([0.0, 1750.0, 0.0]));
        stub.was_asked("bodies instance=0 model=1 fitting=1 format=1 range=20000");
    }
}

#[test]
fn sensors_are_read_each_from_its_place() {
    let stub = Stub::build(50, &[]);
    let (frame, _) = frame(&stub.session(file()));
    let sensors = frame.sensors.unwrap();
    let imu = sensors.imu.unwrap();
    assert_eq!(imu.angular_velocity, [1.0, 2.0, 3.0]);
    assert_eq!(imu.acceleration, [9.0, 10.0, 11.0]);
    assert_eq!(imu.orientation, [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(imu.taken, 1_700_000_000_000_000_005);
    assert_eq!(sensors.pressure, Some(1013.25));
    assert_eq!(sensors.magnetic_field, Some([40.0, 41.0, 42.0]));
    assert_eq!(sensors.temperature.imu, Some(31.5));
    assert_eq!(sensors.temperature.left, Some(35.0));
    assert_eq!(sensors.temperature.right, None);
    assert_eq!(frame.dropped, 7);
}

#[test]
fn a_camera_that_was_unplugged_comes_back_with_its_modules() {
    for code in [4, 19, 26] {
        let unplugged = format!("UNPLUG_CODE={code}");
        // Only once it has the setting that it will have forgotten.
        let after = "UNPLUG_AFTER=\"set 6\"";
        let defines = ["UNPLUG_AT=3", after, "ABSENT_OPENS=4", &unplugged];
        let stub = Stub::build(52, &defines);
        let mut options = live();
        options.detection = Some(Detection::default());
        let session = stub.session(options);
        session.set(Control::Value(Setting::Gain, 30));
        let mut lost = 0;
        loop {
            match next(&session) {
                Event::Lost(text) => {
                    assert!(text.contains("check cable"), "{text}");
                    lost += 1;
                }
                Event::Back(info) => {
                    assert_eq!(info.serial, 38_486_288);
                    break;
                }
                _ => {}
            }
        }
        assert_eq!(lost, 1);
        let (frame, _) = frame(&session);
        assert!(grab(&frame) > 3);
        assert!(frame.detected);
        assert_eq!(stub.calls().matches("detection instance").count(), 2);
        assert_eq!(stub.calls().matches("set 6 30").count(), 2);
    }
}

#[test]
fn a_camera_that_stays_away_is_an_error_in_the_end() {
    let stub = Stub::build(52, &["UNPLUG_AT=1", "ABSENT_OPENS=1000"]);
    let mut options = live();
    options.reconnect_timeout = Duration::from_millis(50);
    let session = stub.session(options);
    let err = loop {
        if let Err(err) = session.next(&RUN) {
            break err;
        }
    };
    assert!(matches!(err, SdkError::Gone { .. }), "{err}");
}

#[test]
fn while_the_sdk_looks_for_the_camera_itself_it_is_lost_once_and_back_once() {
    let stub = Stub::build(52, &["UNPLUG_AT=2", "REBOOTS=5"]);
    let mut options = live();
    options.async_recovery = true;
    let session = stub.session(options);
    let mut told = Vec::new();
    while told.len() < 2 {
        match next(&session) {
            Event::Lost(_) => told.push("lost"),
            Event::Back(_) => told.push("back"),
            _ => {}
        }
    }
    assert_eq!(told, ["lost", "back"]);
    frame(&session);
    assert_eq!(stub.calls().matches("open input").count(), 1);
}

#[test]
fn another_failure_of_a_grab_ends_the_stream_with_its_words() {
    let stub = Stub::build(52, &["UNPLUG_AT=1", "UNPLUG_CODE=18"]);
    let session = stub.session(live());
    let err = loop {
        if let Err(err) = session.next(&RUN) {
            break err;
        }
    };
    assert!(err.to_string().contains("CUDA failed (code 18)"), "{err}");
}

#[test]
fn settings_reach_the_camera_and_a_refusal_is_told() {
    let stub = Stub::build(52, &["REFUSED_SETTING=12"]);
    let session = stub.session(file());
    session.set(Control::Value(Setting::Exposure, 80));
    session.set(Control::ExposureRange(28, 1000));
    session.set(Control::ExposureRegion(Side::Both, Some([1, 2, 30, 40])));
    session.set(Control::ExposureRegion(Side::Left, None));
    session.set(Control::Value(Setting::Led, 1));
    loop {
        if let Event::Warning(text) = next(&session) {
            assert!(text.contains("refused Value(Led, 1)"), "{text}");
            break;
        }
    }
    for call in [
        "set 7 80",
        "range 16 28 1000",
        "roi 2 1,2,30,40 reset=0",
        "roi 0 0,0,0,0 reset=1",
    ] {
        stub.was_asked(call);
    }
}

#[test]
fn recording_starts_and_stops_while_running_and_ends_with_the_camera() {
    let stub = Stub::build(52, &[]);
    let session = stub.session(file());
    assert!(!session.is_recording());
    session.record("out.svo2".into(), 2);
    while !session.is_recording() {
        frame(&session);
    }
    stub.was_asked("record out.svo2 mode=2 bitrate=0 fps=0 transcode=0");
    session.stop_recording();
    while session.is_recording() {
        frame(&session);
    }
    stub.was_asked("stop recording");
    session.record("more.svo2".into(), 1);
    while !session.is_recording() {
        frame(&session);
    }
    drop(session);
    assert!(
        stub.calls().ends_with("stop recording\nclose\n"),
        "{}",
        stub.calls()
    );
}

#[test]
fn a_compression_that_the_machine_lacks_is_told_and_nothing_is_recorded() {
    let stub = Stub::build(52, &[]);
    let session = stub.session(file());
    session.record("out.svo2".into(), 4);
    loop {
        if let Event::Warning(text) = next(&session) {
            assert!(
                text.contains("choose another svo-recording-compression"),
                "{text}"
            );
            break;
        }
    }
    assert!(!session.is_recording());
}

#[test]
fn a_slow_reader_of_a_live_camera_gets_the_newest_frame() {
    let stub = Stub::build(52, &[]);
    let session = stub.session(live());
    frame(&session);
    while session.replaced() < 10 {
        std::thread::yield_now();
    }
    assert!(grab(&frame(&session).0) >= 10);
}

#[test]
fn each_frame_says_how_many_went_missing_before_it() {
    let stub = Stub::build(52, &[]);
    let session = stub.session(live());
    for taken in 0..5 {
        let (frame, _) = frame(&session);
        // The SDK has dropped seven from the beginning.
        assert_eq!(frame.lost, grab(&frame) - taken + 7);
        let (replaced, more) = (session.replaced(), 3 * taken);
        while session.replaced() < replaced + more {
            std::thread::yield_now();
        }
    }
}

#[test]
fn whoever_waits_can_be_woken_and_a_session_ends_with_a_frame_unread() {
    let stub = Stub::build(52, &[]);
    let session = stub.session(file());
    assert!(session.next(&AtomicBool::new(true)).unwrap().is_none());
    frame(&session);
    drop(session);
    assert!(stub.calls().ends_with("close\n"));
}
