//! What becomes of the frames, and of the stream, when the server fails.

use std::time::{Duration, Instant};

use gst::prelude::*;

use super::common::http::{Say, Server as HttpServer};
use super::common::secrets::{Log, are_kept};
use super::common::{self, PATIENCE, failed_and_left_it_alone, launch, next_warning, until};
use super::server::Server;
use super::{Run, counts, observed, warnings};

#[test]
fn a_fault_of_the_server_is_a_frame_that_was_not_inferred() {
    let server = Server::start();
    let faults = [
        (
            r#"{"refuse": 2}"#,
            "INVALID_ARGUMENT and said \"cannot decode\"",
        ),
        (
            r#"{"credentials": "Basic abc"}"#,
            "UNAUTHENTICATED and said \"who are you?\": set user and password",
        ),
        (r#"{"undescribed": true}"#, "no media stream descriptor"),
        (r#"{"huge": true}"#, "longer than 4194304 bytes"),
        (r#"{"silent": true}"#, "did not answer in time"),
        ("no JSON", "ended the session with UNKNOWN"),
    ];
    for (wish, sentence) in faults {
        let timeout = match sentence {
            "did not answer in time" => 3_000_000_000,
            _ => PATIENCE.nseconds(),
        };
        let settings = format!("mode=sync timeout={timeout} max-rate=1/1");
        let run = Run::new(&server.location(), 5, wish, &settings);
        assert_eq!(run.observed(), vec![None; 5], "{wish}");
        assert_eq!(run.counts(), [0, 1, 0], "{wish}: {:?}", run.warnings);
        assert_eq!(run.warnings.len(), 1, "{wish}: {:?}", run.warnings);
        let warning = &run.warnings[0];
        assert!(
            warning.starts_with("grpc: ") && warning.contains(sentence),
            "{wish}: {warning}"
        );
    }
}

#[test]
fn frames_before_and_after_a_refused_one_are_inferred() {
    let server = Server::start();
    let line = format!(
        "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=20/1 \
         ! grpcdetect name=grpc mode=sync timeout=60000000000 location={} ! appsink name=out sync=false",
        server.location()
    );
    let pipeline = launch(&line);
    let element = pipeline.by_name("grpc").expect("it is there");
    // Each session has two good frames.
    element.set_property("extension-configuration", r#"{"refuse": 4}"#);
    let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
    let begun = Instant::now();
    pipeline.set_state(gst::State::Playing).expect("it starts");
    until("frames are inferred after a refused one", || {
        counts(&element)[0] >= 4
    });
    assert!(pipeline.send_event(gst::event::Eos::new()));
    let samples = std::iter::from_fn(|| out.try_pull_sample(PATIENCE));
    let seen: Vec<_> = samples
        .map(|sample| observed(sample.buffer().expect("a frame")).is_some())
        .collect();
    let warnings = warnings(&pipeline);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(seen[..3], [true, true, false], "{seen:?}");
    failed_and_left_it_alone(counts(&element), seen.len(), begun.elapsed());
    assert!(warnings[0].contains("cannot decode"), "{warnings:?}");
    assert!(server.said("session").len() >= 2);
}

#[test]
fn a_server_that_is_not_there_or_no_such_server_stops_nothing() {
    // Port 1 of loopback has no server.
    let gone = Run::new("http://127.0.0.1:1", 5, "", "mode=sync");
    gone.failed_and_left_it_alone();
    let http = HttpServer::start(|_, _| Say::status(200));
    let other = Run::new(&http.address, 5, "", "mode=sync");
    other.failed_and_left_it_alone();
    for warning in gone.warnings.iter().chain(&other.warnings) {
        assert!(warning.contains("cannot be reached"), "{warning}");
    }
}

#[test]
fn frames_pass_a_silent_server_and_stopping_waits_for_nobody() {
    let server = Server::start();
    let begun = Instant::now();
    let line = format!(
        "videotestsrc num-buffers=100 ! video/x-raw,width=64,height=48 ! grpcdetect name=grpc \
         mode=latest timeout=60000000000 max-requests=2 location={} ! appsink name=out sync=false",
        server.location()
    );
    let pipeline = launch(&line);
    let element = pipeline.by_name("grpc").expect("it is there");
    element.set_property("extension-configuration", r#"{"silent": true}"#);
    let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let frames = std::iter::from_fn(|| out.try_pull_sample(PATIENCE)).count();
    assert_eq!(frames, 100);
    server.wait_for("sample", 2);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(server.said("sample").len(), 2, "no more than max-requests");

    element.set_property_from_str("mode", "sync");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    server.wait_for("sample", 3);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_frame_that_finds_the_shared_memory_full_is_not_inferred() {
    let server = Server::start();
    let line = format!(
        "videotestsrc is-live=true ! video/x-raw,format=RGB,width=64,height=48,framerate=50/1 \
         ! grpcdetect name=grpc mode=latest max-requests=2 image-format=raw \
         data-transfer=shared-memory shared-memory-size=10000 location={} ! fakesink sync=false",
        server.location()
    );
    let pipeline = launch(&line);
    let element = pipeline.by_name("grpc").expect("it is there");
    element.set_property("extension-configuration", r#"{"delay": 0.5}"#);
    pipeline.set_state(gst::State::Playing).expect("it starts");
    // The place is free again when the answer comes.
    until("frames are inferred, and others find no room", || {
        let [inferences, failures, _] = counts(&element);
        inferences >= 2 && failures >= 1
    });
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let warning = next_warning(&bus).unwrap_or_default();
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(
        counts(&element)[2],
        0,
        "a full memory is no reason to leave the server alone"
    );
    let full = "has not yet acknowledged the pictures that fill the shared memory of 10000 bytes";
    assert!(warning.contains(full), "{warning}");
    // Nobody ever wrote where the server might read.
    let samples = server.said("sample");
    assert!(samples.iter().all(|sample| sample["offset"] == 0));
}

#[test]
fn a_server_that_dies_is_asked_again_when_it_is_back() {
    let server = Server::start();
    let port = server.port.to_string();
    let line = format!(
        "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=20/1 \
         ! grpcdetect name=grpc mode=latest location={} ! fakesink name=out sync=false",
        server.location()
    );
    let pipeline = launch(&line);
    let element = pipeline.by_name("grpc").expect("it is there");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    until("the server answers", || counts(&element)[0] > 3);
    drop(server);
    until("its end is noticed", || counts(&element)[1] > 0);
    let passed = |element: &gst::Element| element.property::<u64>("skipped");
    let then = passed(&element);
    until("frames pass without it", || passed(&element) > then);
    let answered = counts(&element)[0];
    let server = Server::with(&[&port]);
    until("it answers again", || counts(&element)[0] > answered + 3);
    let warnings = warnings(&pipeline);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(server.said("session").len(), 1);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("cannot be reached"), "{warnings:?}");
}

#[test]
fn a_server_that_only_listens_is_called_anew() {
    let server = Server::start();
    let line = format!(
        "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=20/1 \
         ! grpcdetect name=grpc mode=latest max-requests=1 timeout=500000000 \
         location={} ! fakesink sync=false",
        server.location()
    );
    let pipeline = launch(&line);
    let element = pipeline.by_name("grpc").expect("it is there");
    element.set_property("extension-configuration", r#"{"silent": true}"#);
    pipeline.set_state(gst::State::Playing).expect("it starts");
    server.wait_for("sample", 3);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(counts(&element)[0], 0);
    // A session counts its messages, from its descriptor on.
    let samples = server.said("sample");
    let numbers = samples[..3].iter().map(|said| said["sample"].as_u64());
    let numbers: Vec<_> = numbers.collect();
    assert_eq!(
        numbers,
        [2, 3, 2].map(Some),
        "one late picture alone ends no session"
    );
}

#[test]
fn a_server_proves_who_it_is() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let made = made.expect("a certificate can be made");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    let server = Server::with(&["0", &key, &certificate]);
    let location = server.location().replace("http", "https");
    let stranger = Run::new(&location, 1, "", "mode=sync");
    assert_eq!(stranger.counts(), [0, 1, 0]);
    assert!(
        stranger.warnings[0].contains("certificate"),
        "{:?}",
        stranger.warnings
    );
    let known = Run::new(
        &location,
        1,
        "",
        &format!("mode=sync ca-file={certificate}"),
    );
    assert_eq!(known.counts(), [1, 0, 0], "{:?}", known.warnings);
}

#[test]
fn wrong_settings_are_refused_in_one_sentence() {
    for (settings, sentence) in [
        ("", "location is not set"),
        ("location=ftp://host/", "location is `ftp://host/`"),
        (
            "location=http://host:1/score",
            "no address of a gRPC server",
        ),
        (
            "location=http://host?code=pw1234",
            "location is `http://host`",
        ),
        (
            "location=http://me:pw1234@host",
            "set user and password instead",
        ),
        ("location=http://host password=pw1234", "set user too"),
        (
            "location=http://host width=10",
            "needs both width and height",
        ),
        ("location=https://host ca-file=/nowhere", "/nowhere"),
        (
            "location=http://host data-transfer=shared-memory shared-memory-size=1099511627776",
            "/dev/shm does not give that",
        ),
    ] {
        let line = format!("videotestsrc ! grpcdetect name=grpc {settings} ! fakesink");
        let error = common::refusal(&line);
        assert!(
            error.starts_with("grpc: ") && error.contains(sentence),
            "{settings}: {error}"
        );
        assert!(!error.contains("pw1234"), "{error}");
    }
}

#[test]
fn no_secret_can_be_read_back() {
    common::init();
    let log = Log::begin("grpcdetect");
    let server = Server::start();
    let wish = r#"{"credentials": "Basic somebody else's"}"#;
    let run = Run::new(
        &server.location(),
        2,
        wish,
        "mode=sync user=me password=s3cr3t",
    );
    run.failed_and_left_it_alone();
    are_kept("s3cr3t", &run.element, &log);
}
