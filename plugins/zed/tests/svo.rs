//! SVO2 files as the documented layout has them, written by an independent MCAP writer: what is
//! listed, found and refused, whole, cut and damaged.

mod film;

use std::io::Cursor;

use evr_zed::svo::{Encoding, Picture, Recording, SvoError};
use film::{FRAMES, Film, GAP, KEY, START};
use mcap::{Compression, WriteOptions};

type Open = Recording<Cursor<Vec<u8>>>;

fn open(bytes: Vec<u8>) -> Result<Open, SvoError> {
    Recording::open(Cursor::new(bytes), None)
}

/// Every way in which a writer may lay out a file.
fn layouts() -> Vec<(&'static str, WriteOptions)> {
    let small = || WriteOptions::new().chunk_size(Some(500));
    vec![
        ("one chunk", WriteOptions::new().compression(None)),
        ("plain chunks", small().compression(None)),
        ("lz4", small().compression(Some(Compression::Lz4))),
        ("zstd", small().compression(Some(Compression::Zstd))),
        ("no chunks", WriteOptions::new().use_chunks(false)),
        (
            "plain, no indexes",
            small().compression(None).emit_message_indexes(false),
        ),
        ("lz4, no indexes", small().emit_message_indexes(false)),
    ]
}

#[test]
fn all_pictures_are_listed_whatever_the_layout_of_the_file() {
    for (layout, options) in layouts() {
        let mut recording = open(Film::default().write(options)).unwrap();
        let info = recording.info().clone();
        assert_eq!(
            (info.serial, info.frames, info.whole),
            (film::SERIAL, FRAMES, true),
            "{layout}"
        );
        assert_eq!((info.encoding, info.fps), (Encoding::H264, 60), "{layout}");
        assert_eq!(
            info.header.sdk_version.as_deref(),
            Some("5.0.1"),
            "{layout}"
        );
        for number in 0..FRAMES {
            assert_eq!(
                recording.captured(number),
                Some(film::time(number)),
                "{layout}"
            );
            let picture = recording.picture(number).unwrap();
            assert_eq!(
                picture,
                Some(Picture::Encoded(film::unit(number))),
                "{layout}"
            );
            let felt = recording.sensed(number).unwrap().unwrap();
            assert!(felt.time <= film::time(number), "{layout}");
            assert!(felt.time + film::SENSED > film::time(number), "{layout}");
        }
        assert_eq!(recording.picture(FRAMES).unwrap(), None);
    }
}

#[test]
fn a_time_leads_to_the_picture_that_is_seen_then_and_to_its_key() {
    let mut recording = open(Film::default().write(WriteOptions::new())).unwrap();
    assert_eq!(recording.info().start, START);
    for number in 0..FRAMES {
        let since = film::time(number) - START;
        assert_eq!(recording.at(since), number);
        assert_eq!(recording.at(since + GAP / 2), number);
        assert_eq!(recording.key_before(number).unwrap(), number / KEY * KEY);
    }
    assert_eq!(recording.at(u64::MAX), FRAMES - 1);
}

#[test]
fn a_file_that_was_cut_off_is_read_as_far_as_it_goes() {
    for (layout, options) in layouts() {
        let whole = Film::default().write(options);
        let mut most = 0;
        for cut in (0..whole.len()).step_by(397) {
            let mut recording = match open(whole[..cut].to_vec()) {
                Ok(recording) => recording,
                Err(err) => {
                    assert_eq!(most, 0, "{layout}, {cut}: {err}");
                    continue;
                }
            };
            let frames = recording.info().frames;
            assert!(
                frames >= most,
                "{layout}, {cut}: fewer than from a shorter file"
            );
            most = frames;
            let last = recording.picture(frames - 1).unwrap();
            assert_eq!(
                last,
                Some(Picture::Encoded(film::unit(frames - 1))),
                "{layout}"
            );
        }
        assert_eq!(most, FRAMES, "{layout}");
    }
}

#[test]
fn a_cut_in_plain_records_loses_the_cut_picture_alone() {
    let options = WriteOptions::new().use_chunks(false);
    let whole = Film::default().write(options);
    let last = film::unit(FRAMES - 1);
    let at = whole
        .windows(last.len())
        .position(|bytes| bytes == last)
        .unwrap();
    let recording = open(whole[..at + 4].to_vec()).unwrap();
    assert_eq!(
        (recording.info().frames, recording.info().whole),
        (FRAMES - 1, false)
    );
}

#[test]
fn of_several_cameras_one_is_chosen_by_its_number() {
    let other = Film {
        serial: film::SERIAL + 1,
        ..Film::default()
    };
    let bytes = film::write(WriteOptions::new(), &[Film::default(), other]);
    let of = |serial| Recording::open(Cursor::new(bytes.clone()), serial);
    assert_eq!(of(None).unwrap().info().serial, film::SERIAL);
    let chosen = of(Some(film::SERIAL + 1)).unwrap();
    assert_eq!(
        (chosen.info().serial, chosen.info().frames),
        (film::SERIAL + 1, FRAMES)
    );
    let err = of(Some(7)).err().unwrap().to_string();
    assert!(
        err.contains("camera 7") && err.contains("12345678, 12345679"),
        "{err}"
    );
}

#[test]
fn what_is_no_svo2_file_is_refused_by_what_it_is() {
    let says = |bytes: Vec<u8>, words: &[&str]| {
        let err = open(bytes).err().unwrap().to_string();
        for word in words {
            assert!(err.contains(word), "{err} lacks {word}");
        }
    };
    says(Vec::new(), &["begins with nothing"]);
    says(
        b"\x01SVO file of old".to_vec(),
        &["\"\\x01SVO fil\"", "SDK 4.0", "backend=sdk"],
    );
    let topics = Film {
        topic: "lidar",
        ..Film::default()
    };
    says(
        topics.write(WriteOptions::new()),
        &["Camera_SN12345678/lidar", "Camera_SN<serial>/side_by_side"],
    );
    let unknown = Film {
        units: (0..FRAMES).map(|_| b"\x89PNG and more".to_vec()).collect(),
        ..Film::default()
    };
    says(
        unknown.write(WriteOptions::new()),
        &["89 50 4e 47", "H.264 or H.265"],
    );
    let no_parameters = Film {
        units: vec![vec![0, 0, 0, 1, 0x41, 7]],
        ..Film::default()
    };
    says(
        no_parameters.write(WriteOptions::new()),
        &["without the parameters"],
    );
    let nothing = Film {
        units: Vec::new(),
        ..Film::default()
    };
    says(
        nothing.write(WriteOptions::new()),
        &["not one whole picture"],
    );
}

#[test]
fn a_picture_of_a_time_that_no_clock_shows_is_an_error_that_names_it() {
    let whole = Film::default().write(WriteOptions::new().use_chunks(false));
    let of = |time: u64| {
        let mut bytes = whole.clone();
        let logged = film::time(5).to_le_bytes();
        let at = whole.windows(8).position(|bytes| bytes == logged);
        let at = at.expect("the time of the fifth picture's message");
        bytes[at..at + 8].copy_from_slice(&time.to_le_bytes());
        open(bytes)
    };
    let latest = i64::MAX as u64;
    assert_eq!(of(latest).unwrap().captured(5), Some(latest));
    for time in [latest + 1, u64::MAX] {
        let err = of(time).err().unwrap().to_string();
        assert!(
            err.contains("picture 5") && err.contains(&time.to_string()),
            "{err}"
        );
    }
}

#[test]
fn a_picture_of_another_kind_than_the_first_is_an_error_that_names_it() {
    let mut film = Film::default();
    film.units[5] = vec![0, 0, 0, 1, 0x40, 1, 9];
    let mut recording = open(film.write(WriteOptions::new())).unwrap();
    assert!(recording.picture(4).is_ok());
    let err = recording.picture(5).unwrap_err().to_string();
    assert!(
        err.contains("picture 5") && err.contains("H265 and not H264"),
        "{err}"
    );
}
