//! What goes over the wire when all is well.

use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;
use serde_json::json;

use super::Run;
use super::server::Server;

#[test]
fn what_the_server_finds_rides_on_the_frame() {
    let server = Server::start();
    let wish = r#"{"sequence": "2a", "class": "dark", "credentials": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}"#;
    let settings = "mode=sync user=Aladdin password=\"open sesame\"";
    let run = Run::new(&server.location(), 3, wish, settings);
    assert_eq!(run.warnings, [""; 0]);
    // A class without a confidence counts as certain.
    let both = Some(vec!["dark".to_owned(), "person".to_owned()]);
    assert_eq!(run.observed(), vec![both; 3]);
    assert_eq!(run.counts(), [3, 0, 0]);
    assert_eq!(run.model, "reference");
    let regions: Vec<_> = run.frames[2]
        .iter_meta::<VideoRegionOfInterestMeta>()
        .collect();
    assert_eq!(regions[0].rect(), (0, 0, 64, 48));
    assert_eq!(regions[1].rect(), (16, 12, 32, 24));
    let param = regions[1].params().next().expect("a detection");
    assert_eq!(param.get("track_id"), Ok(42_i64));

    let sessions = server.said("session");
    assert_eq!(sessions.len(), 1, "one for all frames: {sessions:?}");
    let session = &sessions[0]["session"];
    assert_eq!(session["graph_identifier"]["graph_node_name"], "grpc");
    let pipeline = &session["graph_identifier"]["graph_instance_name"];
    assert!(
        pipeline
            .as_str()
            .is_some_and(|name| name.starts_with("pipeline"))
    );
    assert_eq!(session["extension_configuration"], wish);
    assert_eq!(
        session["media_descriptor"],
        json!({"timescale": 90000, "video_frame_sample_format": {
            "encoding": "JPG", "dimensions": {"width": 64, "height": 48}}})
    );
    assert_eq!(sessions[0]["number"], 1);
    let agent = sessions[0]["metadata"].as_str().expect("a user agent");
    assert!(agent.starts_with("gst-plugin-evr/"), "{agent}");
    let samples = server.said("sample");
    let heads: Vec<_> = samples
        .iter()
        .map(|sample| json!([sample["sample"], sample["ack"], sample["timestamp"]]))
        .collect();
    let expected = [[2, 1, 0], [3, 2, 9000], [4, 3, 18000]];
    assert_eq!(heads, expected.map(|head| json!(head)));
    for sample in samples {
        assert_eq!(sample["content"], "content_bytes");
        assert!(
            sample["begin"]
                .as_str()
                .is_some_and(|begin| begin.starts_with("ffd8ff"))
        );
    }
}

#[test]
fn pictures_are_described_as_they_are() {
    let server = Server::start();
    let sent = |settings: &str| {
        let (sessions, samples) = (server.said("session").len(), server.said("sample").len());
        let run = Run::new(
            &server.location(),
            1,
            r#"{"label": null}"#,
            &format!("mode=sync {settings}"),
        );
        assert_eq!(run.observed(), [Some(vec![])], "nothing was found");
        let session = server.said("session").remove(sessions);
        let format = session["session"]["media_descriptor"]["video_frame_sample_format"].clone();
        (format, server.said("sample").remove(samples))
    };
    let (format, sample) = sent("image-format=png width=32 scaling=preserve-aspect-ratio");
    let dimensions = json!({"width": 32, "height": 24});
    assert_eq!(format, json!({"encoding": "PNG", "dimensions": dimensions}));
    assert_eq!(sample["begin"], "89504e470d0a1a0a");
    // BMP is the contract's 0, which no message spells out.
    let (format, sample) = sent("image-format=bmp width=32 height=24 scaling=stretch");
    assert_eq!(format, json!({"dimensions": dimensions}));
    assert!(
        sample["begin"]
            .as_str()
            .is_some_and(|begin| begin.starts_with("424d"))
    );
    assert_eq!(sample["length"], 54 + 32 * 3 * 24);
    for (name, number, bytes, length) in [
        ("yuv420p", "YUV420P", 1, 32 * 24 * 3 / 2),
        ("rgb565le", "RGB565LE", 2, 32 * 24 * 2),
        ("rgb24", "RGB24", 3, 32 * 24 * 3),
        ("bgra", "BGRA", 4, 32 * 24 * 4),
    ] {
        let settings = format!("image-format=raw pixel-format={name} width=32 height=24");
        let (format, sample) = sent(&settings);
        let expected = json!({"encoding": "RAW", "pixel_format": number,
            "dimensions": dimensions, "stride_bytes": 32 * bytes});
        assert_eq!(format, expected);
        assert_eq!(sample["length"], length);
        assert_eq!(sample["red"], name == "rgb24");
    }
}

#[test]
fn pictures_lie_in_shared_memory_until_they_are_acknowledged() {
    let server = Server::start();
    for wish in ["{}", r#"{"apart": true}"#] {
        let before = server.said("sample").len();
        // One picture is 9216 bytes: each frame takes the place of the one before.
        let settings = "mode=sync data-transfer=shared-memory shared-memory-size=10000 \
                        image-format=raw";
        let run = Run::new(&server.location(), 4, wish, settings);
        assert_eq!(run.warnings, [""; 0], "{wish}");
        assert_eq!(run.observed(), vec![Some(vec!["person".to_owned()]); 4]);
        let session = server.said("session").pop().expect("one");
        let memory = &session["session"]["shared_memory_buffer_transfer_properties"];
        assert_eq!(memory["length_bytes"], "10000");
        let samples = server.said("sample").split_off(before);
        assert_eq!(samples.len(), 4);
        for sample in samples {
            assert_eq!(sample["content"], "content_reference");
            assert_eq!(sample["offset"], 0);
            assert_eq!(sample["length"], 64 * 48 * 3);
            assert_eq!(sample["red"], true, "the server reads the picture");
        }
        let name = memory["handle_name"].as_str().expect("a name");
        drop(run);
        let file = std::path::Path::new("/dev/shm").join(name);
        // The connection's thread ends by itself, soon after the element stops.
        super::common::until("the memory is given back", || !file.exists());
    }
}

#[test]
fn what_was_found_before_rides_along() {
    let server = Server::start();
    let settings = r#"mode=sync ! grpcdetect mode=sync width=64 height=64 scaling=pad extension-configuration="{\"label\": \"helmet\"}" location="#;
    let wish = r#"{"sequence": "8f4f2a529b524b47b5f73f1d0a4c9b11"}"#;
    let run = Run::new(
        &server.location(),
        2,
        wish,
        &format!("{settings}{}", server.location()),
    );
    let both = vec!["person".to_owned(), "helmet".to_owned()];
    assert_eq!(run.observed(), vec![Some(both); 2]);
    let samples = server.said("sample");
    let (heavy, light): (Vec<_>, Vec<_>) = samples
        .iter()
        .partition(|sample| sample["inferences"] != json!([]));
    assert_eq!((light.len(), heavy.len()), (2, 2));
    let inference = &heavy[0]["inferences"][0];
    assert_eq!(inference["type"], "ENTITY");
    assert_eq!(inference["entity"]["tag"]["value"], "person");
    assert_eq!(inference["entity"]["tag"]["confidence"], 0.9);
    // A quarter of the frame down is behind a bar of 8 of 64 rows.
    let expected = json!({"l": 0.25, "t": 0.3125, "w": 0.5, "h": 0.375});
    assert_eq!(inference["entity"]["box"], expected);
    let sequence = inference["sequence_id"].as_str().expect("a track");
    assert_eq!(sequence.len(), 32);
    let region = run.frames[0]
        .iter_meta::<VideoRegionOfInterestMeta>()
        .last();
    let rect = region.expect("the second detector's").rect();
    // What lies in the padded picture is put back where the frame is.
    assert_eq!(rect, (16, 8, 32, 32));
}

#[test]
fn pictures_of_another_size_get_a_session_of_their_own() {
    let server = Server::start();
    let source = |width: u32| {
        format!("videotestsrc num-buffers=2 ! video/x-raw,width={width},height=48 ! all.")
    };
    let line = format!(
        "concat name=all ! grpcdetect name=grpc mode=sync location={} ! fakesink {} {}",
        server.location(),
        source(64),
        source(32),
    );
    let pipeline = super::launch(&line);
    let element = pipeline.by_name("grpc").expect("it is there");
    let bus = pipeline.bus().expect("a pipeline has one");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let end = bus.timed_pop_filtered(super::PATIENCE, &[gst::MessageType::Eos]);
    assert!(end.is_some());
    assert_eq!(super::counts(&element), [4, 0, 0]);
    pipeline.set_state(gst::State::Null).expect("it stops");
    let widths: Vec<_> = server
        .said("session")
        .iter()
        .map(|session| {
            let media = &session["session"]["media_descriptor"];
            media["video_frame_sample_format"]["dimensions"]["width"].clone()
        })
        .collect();
    assert_eq!(widths, [64, 32].map(|width| json!(width)));
}
