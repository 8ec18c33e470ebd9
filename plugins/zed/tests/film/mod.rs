//! Writes SVO2 files as the documented layout has them, of pictures that are given.

use std::collections::BTreeMap;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcap::records::MessageHeader;
use mcap::{WriteOptions, Writer};

pub const SERIAL: u32 = 12_345_678;
/// When the first picture was taken, in ns since 1970.
pub const START: u64 = 1_700_000_000_123_456_789;
/// Between two pictures, about: each is late by a time of its own.
pub const GAP: u64 = 16_666_667;
/// Between two samples of the sensors.
pub const SENSED: u64 = 2_500_000;
pub const FRAMES: usize = 24;
/// From one key picture to the next.
pub const KEY: usize = 8;

/// When picture `number` was taken.
pub fn time(number: usize) -> u64 {
    let number = number as u64;
    START + number * GAP + number * 7919 % 1000
}

/// Something that looks like a picture in H.264.
pub fn unit(number: usize) -> Vec<u8> {
    let mut unit = match number % KEY {
        0 => vec![0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 1, 0, 0, 0, 1, 0x65],
        _ => vec![0, 0, 0, 1, 0x41],
    };
    unit.extend([number as u8 | 0x80; 60]);
    unit
}

/// One camera's part of a file.
#[derive(Debug, Clone)]
pub struct Film {
    pub serial: u32,
    /// What stands behind the camera's name in the topic of its pictures.
    pub topic: &'static str,
    /// Access units; others are written as they are.
    pub units: Vec<Vec<u8>>,
    pub fps: u32,
}

impl Default for Film {
    fn default() -> Self {
        Self {
            serial: SERIAL,
            topic: "side_by_side",
            units: (0..FRAMES).map(unit).collect(),
            fps: 60,
        }
    }
}

/// An access unit between its sizes and its trailer; what is none stays as it is.
fn message(number: usize, unit: &[u8]) -> Vec<u8> {
    if !unit.starts_with(&[0, 0, 0, 1]) {
        return unit.to_vec();
    }
    let length = unit.len() as u32;
    let mut message = (4 + length + 56).to_le_bytes().to_vec();
    message.extend(length.to_le_bytes());
    message.extend(unit);
    let trailer = message.len();
    message.resize(trailer + 56, 0);
    let mut put = |at: usize, bytes: &[u8]| {
        message[trailer + at..trailer + at + bytes.len()].copy_from_slice(bytes);
    };
    put(24, &time(number).to_le_bytes());
    put(32, &length.to_le_bytes());
    put(48, &(number as u32).to_le_bytes());
    message
}

/// What the sensors say in sample `number`: acceleration along x counts the samples.
fn sample(number: u64, time: u64) -> Vec<u8> {
    let mut block = [0; 360];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x10, &time.to_le_bytes());
    put(0x64, &(number as f32).to_le_bytes());
    put(0xe4, &36.5f32.to_le_bytes());
    format!(r#"{{"data":"{}"}}"#, STANDARD.encode(block)).into_bytes()
}

fn header(film: &Film) -> Vec<u8> {
    let mut block = [0; 128];
    for (at, number) in [(0, 2560), (4, 720), (8, film.serial), (12, film.fps)] {
        block[at..at + 4].copy_from_slice(&u32::to_le_bytes(number));
    }
    let block = STANDARD.encode(block);
    format!(
        r#"{{"header":"{block}","ZED_SDK_version":"5.0.1","version":"2.0.2","IMU_frequency":400}}"#
    )
    .into_bytes()
}

/// A file with these cameras.
pub fn write(options: WriteOptions, films: &[Film]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let options = options.library("libmcap stereolabs");
    let mut writer = options.create(&mut bytes).expect("memory takes it");
    let none = BTreeMap::new();
    let channel = |writer: &mut Writer<_>, topic: &str, encoding| {
        let id = writer.add_channel(0, topic, encoding, &none);
        id.expect("a new channel")
    };
    let put = |writer: &mut Writer<_>, channel_id, log_time, data: &[u8]| {
        let header = MessageHeader {
            channel_id,
            sequence: 0,
            log_time,
            publish_time: log_time,
        };
        let put = writer.write_to_known_channel(&header, data);
        put.expect("memory takes it");
    };
    let head = channel(&mut writer, "svo_header", "json");
    let mut pictures = Vec::new();
    for film in films {
        put(&mut writer, head, START, &header(film));
        let camera = format!("Camera_SN{}", film.serial);
        let topic = format!("{camera}/{}", film.topic);
        let shown = channel(&mut writer, &topic, "zed_sdk_encoded");
        let felt = channel(&mut writer, &format!("{camera}/sensors"), "json");
        pictures.push((shown, felt));
    }
    let longest = films.iter().map(|film| film.units.len()).max();
    let mut samples = 0;
    for number in 0..longest.unwrap_or(0) {
        while START - 1000 + samples * SENSED <= time(number) {
            let at = START - 1000 + samples * SENSED;
            for (_, felt) in &pictures {
                put(&mut writer, *felt, at, &sample(samples, at));
            }
            samples += 1;
        }
        for (film, (shown, _)) in films.iter().zip(&pictures) {
            if let Some(unit) = film.units.get(number) {
                put(&mut writer, *shown, time(number), &message(number, unit));
            }
        }
    }
    let foot = channel(&mut writer, "svo_footer", "json");
    put(&mut writer, foot, time(longest.unwrap_or(0)), b"{}");
    writer.finish().expect("memory takes it");
    drop(writer);
    bytes.into_inner()
}

impl Film {
    pub fn write(&self, options: WriteOptions) -> Vec<u8> {
        write(options, std::slice::from_ref(self))
    }
}
