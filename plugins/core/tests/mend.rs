//! What is kept of a Matroska file or a transport stream that ends anywhere, or was damaged.
//!
//! `data/killed.mkv.part` and `data/killed.ts.part` were written by matroskamux and mpegtsmux
//! (H.264 with B-frames, 10 frames a second, and AAC at 8 kHz) until their process was killed.

use evr_core::recording::container::Container;
use evr_core::recovery::{Mend, MendError, Mended, Stretch};
use evr_core::time::{MILLISECOND, Nanos, SECOND};

const MKV: &[u8] = include_bytes!("data/killed.mkv.part");
const TS: &[u8] = include_bytes!("data/killed.ts.part");
const FRAME: Nanos = SECOND / 10;

/// Where frames end in `MKV`, and sounds: counted in its blocks.
const MKV_VIDEO: [usize; 39] = [
    1790, 2276, 2316, 2338, 2473, 2508, 2740, 2894, 3161, 3391, 3848, 4259, 4307, 4511, 4880, 5184,
    5435, 5676, 5992, 6237, 6784, 7025, 7261, 7464, 7910, 8230, 8297, 8762, 9107, 9394, 9775,
    10235, 10480, 10687, 11149, 11262, 11523, 11976, 12317,
];
const MKV_AUDIO: [usize; 29] = [
    821, 2036, 2207, 2718, 3075, 3343, 3576, 4063, 4489, 4694, 5078, 5370, 5858, 6172, 6451, 7206,
    7442, 7653, 8100, 8478, 8945, 9334, 9958, 10418, 10664, 10876, 11444, 11703, 12186,
];
/// Where its first cluster begins, and what holds its last frame ends.
const MKV_HEAD: usize = 555;
/// The same for the last packets of the PES packets in `TS`, which tell their length.
const TS_VIDEO: [usize; 38] = [
    1880, 2820, 3384, 3948, 4512, 5076, 6016, 6580, 7520, 8460, 9588, 10716, 11280, 12220, 13348,
    14288, 14852, 15980, 16920, 17860, 18988, 19740, 20680, 21620, 22748, 23688, 24252, 25380,
    26320, 27260, 28200, 29328, 30268, 31208, 32336, 32900, 33840, 34968,
];
const TS_AUDIO: [usize; 29] = [
    376, 2256, 2632, 5452, 6956, 7896, 8836, 9964, 11656, 12596, 13724, 15228, 16356, 17296, 18236,
    20116, 21056, 21996, 23124, 24628, 25756, 26696, 28576, 29704, 30644, 31584, 33276, 34216,
    35344,
];
/// Where the table of streams ends in `TS`.
const TS_HEAD: usize = 752;

fn mend(container: Container, file: &[u8]) -> Result<Mended, MendError> {
    let mut mend = Mend::new(container, file.len() as u64).expect("it can be mended");
    let mut steps = 0;
    while let Some((at, length)) = mend.need() {
        let at = usize::try_from(at).expect("within the file");
        mend.feed(&file[at..at + length]);
        steps += 1;
        assert!(steps <= 2 * file.len() + 2, "it comes to an end");
    }
    mend.finish()
}

/// Does what is to be done.
fn mended(file: &[u8], how: &Mended) -> Vec<u8> {
    let mut good = file[..usize::try_from(how.keep).expect("within the file")].to_vec();
    for patch in &how.patches {
        let at = usize::try_from(patch.at).expect("within the file");
        good[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    good.extend(&how.tail);
    good
}

fn frames(tracks: &[Stretch], kind: &str) -> u64 {
    let tracks = tracks.iter().filter(|track| track.stream.kind == kind);
    tracks.map(|track| track.frames).sum()
}

/// A mended file is one that needs no more of it, and says the same.
fn is_good(container: Container, file: &[u8], how: &Mended) {
    let good = mended(file, how);
    let again = mend(container, &good).expect("it can be read");
    assert_eq!(again.tracks, how.tracks);
    assert_eq!(
        (again.keep, again.patches, again.tail),
        (good.len() as u64, vec![], vec![])
    );
}

fn ends_anywhere(
    container: Container,
    file: &[u8],
    (video, audio): (&[usize], &[usize]),
    head: usize,
) {
    let whole = |ends: &[usize], length| ends.iter().filter(|end| **end <= length).count() as u64;
    for length in 0..=file.len() {
        let expected = (whole(video, length), whole(audio, length));
        let found = mend(container, &file[..length]);
        match found {
            Err(why) if expected == (0, 0) => {
                let told = length >= head;
                let says = if told {
                    MendError::NoFrame
                } else {
                    MendError::NoTracks
                };
                assert_eq!(why, says, "{length} bytes");
            }
            Err(why) => panic!("{length} bytes: {why}"),
            Ok(how) => {
                let found = (frames(&how.tracks, "video"), frames(&how.tracks, "audio"));
                assert_eq!(found, expected, "{length} bytes");
                is_good(container, &file[..length], &how);
            }
        }
    }
}

#[test]
fn wherever_a_matroska_file_ends_every_whole_block_is_kept() {
    ends_anywhere(Container::Matroska, MKV, (&MKV_VIDEO, &MKV_AUDIO), MKV_HEAD);
}

#[test]
fn wherever_a_transport_stream_ends_every_whole_frame_is_kept() {
    // Sound that came before the table of streams is nobody's.
    let early = |end: &&usize| **end > TS_HEAD;
    let audio: Vec<_> = TS_AUDIO.iter().filter(early).copied().collect();
    ends_anywhere(Container::MpegTs, TS, (&TS_VIDEO, &audio), TS_HEAD);
}

#[test]
fn frames_that_do_not_tell_their_length_end_where_bytes_fill_the_packet_or_the_next_begins() {
    let mut file = TS.to_vec();
    for packet in file.chunks_exact_mut(188) {
        if let Some(at) = packet.windows(4).position(|four| four == [0, 0, 1, 0xe0]) {
            packet[at + 4..at + 6].fill(0);
        }
    }
    assert_ne!(file, TS);
    for length in 0..=file.len() {
        let Ok(how) = mend(Container::MpegTs, &file[..length]) else {
            continue;
        };
        let whole = TS_VIDEO.iter().filter(|end| **end <= length).count() as u64;
        let found = frames(&how.tracks, "video");
        // One that fills its packet to the last byte looks like one that goes on.
        assert!(
            found == whole || found + 1 == whole,
            "{length} bytes: {found} of {whole}"
        );
        is_good(Container::MpegTs, &file[..length], &how);
    }
}

fn tells(how: &Mended, codecs: [&str; 2]) {
    let [video, audio] = &how.tracks[..] else {
        panic!("two tracks");
    };
    assert_eq!([video.stream.codec, audio.stream.codec], codecs);
    assert_eq!(how.lead(), Some(video));
    assert_eq!(video.first_sync, Some(video.start));
    let close = |track: &Stretch, step: Nanos| {
        let length = track.end - track.start;
        (length - i64::try_from(track.frames).expect("few") * step).abs() <= 2 * MILLISECOND
    };
    assert!(close(video, FRAME), "{video:?}");
    assert!(close(audio, 128 * MILLISECOND), "{audio:?}");
}

#[test]
fn times_sync_points_and_codecs_are_told() {
    // Cut where the last frames in decode order are the last that are shown.
    let how = mend(Container::Matroska, &MKV[..9394]).expect("it has frames");
    tells(&how, ["h264", "aac"]);
    let video = &how.tracks[0].stream;
    assert_eq!((video.width, video.height), (Some(32), Some(32)));
    let audio = &how.tracks[1].stream;
    assert_eq!((audio.rate, audio.channels), (Some(8000), Some(1)));
    let how = mend(Container::MpegTs, &TS[..27260]).expect("it has frames");
    tells(&how, ["h264", "aac"]);
}

#[test]
fn a_hole_in_a_matroska_file_costs_no_more_than_its_cluster() {
    // Within the second of four clusters.
    let mut file = MKV.to_vec();
    file[5184..5500].fill(0);
    let how = mend(Container::Matroska, &file).expect("it has frames");
    let lost = |ends: &[usize]| {
        ends.iter()
            .filter(|end| (5185..=6451).contains(*end))
            .count()
    };
    let expected = (39 - lost(&MKV_VIDEO) as u64, 29 - lost(&MKV_AUDIO) as u64);
    let found = (frames(&how.tracks, "video"), frames(&how.tracks, "audio"));
    assert_eq!(found, expected);
    is_good(Container::Matroska, &file, &how);
}

#[test]
fn a_hole_in_a_transport_stream_costs_no_more_than_it_covers() {
    let mut file = TS.to_vec();
    file[9000..9100].fill(0);
    file.drain(20_000..20_050);
    let how = mend(Container::MpegTs, &file).expect("it has frames");
    let found = frames(&how.tracks, "video") + frames(&how.tracks, "audio");
    assert!(found >= 38 + 28 - 3, "{found}");
    is_good(Container::MpegTs, &file, &how);
}

#[test]
fn damaged_files_end_and_are_good_once_mended() {
    let mut state = 1_u64;
    let mut random = move |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    for n in 0..8_000 {
        let (container, whole) = [(Container::Matroska, MKV), (Container::MpegTs, TS)][n % 2];
        let mut file = whole[..random(whole.len()) + 1].to_vec();
        for _ in 0..=random(8) {
            // The head is where most can go wrong.
            let most = [file.len(), file.len().min(700)][random(2)];
            let at = random(most);
            match random(3) {
                0 => file[at] ^= 1 << random(8),
                1 => file[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
                _ => {
                    let end = (at + 4).min(file.len());
                    file[at..end].fill([0, 0xff][random(2)]);
                }
            }
        }
        if let Ok(how) = mend(container, &file) {
            assert!(how.lead().is_some());
            assert!(how.keep <= file.len() as u64);
            is_good(container, &file, &how);
        }
    }
}
