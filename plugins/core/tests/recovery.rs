//! What is read back of an MP4 that ends anywhere, or was damaged.
//!
//! `data/killed.mp4.part` was written by mp4mux (H.264 with B-frames, 10 frames a second, and AAC at
//! 8 kHz) until its process was killed.

use evr_core::recovery::{Media, Movie, Scan, ScanError};
use evr_core::time::{MILLISECOND, SECOND};

const KILLED: &[u8] = include_bytes!("data/killed.mp4.part");

/// Where each index ends, and how many pictures and sounds there are by then: counted in the file's
/// `stsz` and `trun` boxes.
const INDEXES: [(usize, usize, usize); 6] = [
    (5294, 10, 7),
    (8325, 18, 14),
    (8983, 20, 16),
    (12738, 30, 23),
    (16065, 39, 30),
    (16438, 40, 32),
];

fn scan(file: &[u8]) -> Result<Movie, ScanError> {
    let mut scan = Scan::new(file.len() as u64);
    let mut steps = 0;
    while let Some((at, length)) = scan.need() {
        let at = usize::try_from(at).expect("within the file");
        scan.feed(&file[at..at + length]);
        steps += 1;
        assert!(steps <= file.len(), "it comes to an end");
    }
    scan.finish()
}

fn counts(file: &[u8]) -> (usize, usize) {
    let movie = scan(file).unwrap_or_default();
    let of = |video: bool| {
        let tracks = movie.tracks.iter();
        let tracks =
            tracks.filter(|track| matches!(track.codec.media, Media::Video { .. }) == video);
        tracks.map(|track| track.samples.len()).sum()
    };
    (of(true), of(false))
}

#[test]
fn wherever_a_file_ends_every_sample_that_its_indexes_tell_of_is_found() {
    for length in 0..=KILLED.len() {
        let told = INDEXES.iter().rev().find(|(end, ..)| *end <= length);
        let expected = told.map_or((0, 0), |&(_, video, audio)| (video, audio));
        assert_eq!(counts(&KILLED[..length]), expected, "{length} bytes");
    }
}

#[test]
fn a_file_without_an_index_says_so() {
    assert_eq!(scan(&KILLED[..100]), Err(ScanError::NoIndex));
    assert_eq!(scan(&[]), Err(ScanError::NoIndex));
}

#[test]
fn an_index_without_its_samples_says_so() {
    // The box of samples before the first index is cut out, and its places with it.
    let (_, video, audio) = INDEXES[0];
    let mut file = KILLED[..INDEXES[0].0].to_vec();
    let places = [b"stco".as_slice()];
    for at in 0..file.len() - 4 {
        if places.contains(&&file[at..at + 4]) {
            let count = u32::from_be_bytes(file[at + 8..at + 12].try_into().expect("4")) as usize;
            file[at + 12..at + 12 + 4 * count].fill(0x7f);
        }
    }
    assert_eq!(scan(&file), Err(ScanError::NoSample(video + audio)));
}

#[test]
fn times_sync_points_and_codecs_are_as_they_were() {
    let movie = scan(KILLED).expect("it has indexes");
    let [video, audio] = &movie.tracks[..] else {
        panic!("two tracks");
    };
    assert_eq!(&video.codec.format, b"avc1");
    assert_eq!(
        video.codec.media,
        Media::Video {
            width: 32,
            height: 32
        }
    );
    assert_eq!(video.codec.config.as_ref().map(|config| config[0]), Some(1));
    let mut shown: Vec<_> = video.samples.iter().map(|sample| sample.pts).collect();
    shown.sort_unstable();
    assert!((0..100 * MILLISECOND).contains(&shown[0]));
    for (n, pts) in shown.iter().enumerate() {
        // The camera began a little after the sound.
        let expected = shown[0] + n as i64 * SECOND / 10;
        assert!(
            (pts - expected).abs() < MILLISECOND,
            "frame {n} is shown at {pts} ns"
        );
    }
    for (n, sample) in video.samples.iter().enumerate() {
        assert_eq!(sample.sync, n % 10 == 0, "frame {n}");
        assert!(sample.dts <= sample.pts, "frame {n}");
        let bytes = &KILLED[sample.offset as usize..][..sample.size as usize];
        let first = u32::from_be_bytes(bytes[..4].try_into().expect("4")) as usize;
        assert!(
            first + 4 <= bytes.len(),
            "frame {n} begins with the length of a NAL unit"
        );
    }
    assert!(
        video
            .samples
            .windows(2)
            .all(|pair| pair[0].dts < pair[1].dts)
    );
    assert_eq!(&audio.codec.format, b"mp4a");
    assert_eq!(
        audio.codec.media,
        Media::Audio {
            rate: 8000,
            channels: 1
        }
    );
    // AAC LC, 8 kHz, mono (ISO/IEC 14496-3, 1.6.2.1).
    let config = audio.codec.config.as_deref().expect("it has one");
    assert_eq!(config[..2], [0x15, 0x88]);
    for pair in audio.samples.windows(2) {
        let step = pair[1].dts - pair[0].dts;
        assert!((step - 128 * MILLISECOND).abs() < MILLISECOND, "{step} ns");
    }
}

/// Whatever the bytes are: it ends, and tells only of what the file holds.
fn read_anything(file: &[u8]) {
    let Ok(movie) = scan(file) else { return };
    assert!(movie.samples() > 0);
    for sample in movie.tracks.iter().flat_map(|track| &track.samples) {
        assert!(sample.offset + u64::from(sample.size) <= file.len() as u64);
    }
}

#[test]
fn damaged_files_end_and_tell_only_of_what_they_hold() {
    let mut state = 1_u64;
    let mut random = move |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    for _ in 0..20_000 {
        let mut file = KILLED[..random(KILLED.len()) + 1].to_vec();
        for _ in 0..=random(8) {
            let at = random(file.len());
            match random(3) {
                0 => file[at] ^= 1 << random(8),
                1 => file[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
                _ => {
                    let end = (at + 4).min(file.len());
                    file[at..end].fill([0, 0xff][random(2)]);
                }
            }
        }
        read_anything(&file);
    }
}
