//! An SVO2 file whose records announce more than they have: no memory is taken for it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

use evr_zed::svo::{Recording, SvoError};

/// The system's allocator, which remembers the largest piece that was asked for.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it is the system's allocator but for a number that is kept beside it.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: it came from the system's allocator, of the same layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static WATCHED: Watched = Watched;

const CHANNEL: u8 = 4;
const CHUNK: u8 = 6;
const MESSAGE_INDEX: u8 = 7;
/// 2 GB.
const ANNOUNCED: u32 = 1 << 31;

fn record(code: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u64).to_le_bytes();
    [&[code][..], &length, body].concat()
}

/// A channel whose fields have these lengths by their own words: topic, encoding, metadata.
fn channel(announced: [Option<u32>; 3]) -> Vec<u8> {
    let field = |bytes: &[u8], announced: Option<u32>| {
        let length = announced.unwrap_or(bytes.len() as u32);
        [&length.to_le_bytes()[..], bytes].concat()
    };
    let [topic, encoding, metadata] = announced;
    let body = [
        vec![1, 0, 0, 0],
        field(b"Camera_SN7/side_by_side", topic),
        field(b"zed_sdk_encoded", encoding),
        field(b"\x01\0\0\0a\x01\0\0\0b", metadata),
    ];
    record(CHANNEL, &body.concat())
}

/// A chunk of these records that claims to be compressed by something of so long a name.
fn chunk(name: u32, records: &[u8]) -> Vec<u8> {
    let stored = (records.len() as u64).to_le_bytes();
    let body = [
        &[0; 16][..],
        &stored,
        &[0; 4],
        &name.to_le_bytes(),
        &stored,
        records,
    ];
    record(CHUNK, &body.concat())
}

#[test]
fn no_more_memory_is_taken_than_a_file_has_bytes_whatever_its_records_announce() {
    let sound = channel([None; 3]);
    let index = [&[1, 0][..], &ANNOUNCED.to_le_bytes(), &[0; 32]].concat();
    let hostile = [
        ("a topic", channel([Some(ANNOUNCED), None, None])),
        ("an encoding", channel([None, Some(ANNOUNCED), None])),
        ("metadata", channel([None, None, Some(ANNOUNCED)])),
        (
            "a topic in a chunk",
            chunk(0, &channel([Some(ANNOUNCED), None, None])),
        ),
        ("a compression", chunk(ANNOUNCED, &sound)),
        (
            "an index",
            [chunk(0, &sound), record(MESSAGE_INDEX, &index)].concat(),
        ),
    ];
    for (what, records) in hostile {
        let file = Cursor::new([b"\x89MCAP0\r\n", &records[..]].concat());
        LARGEST.store(0, Ordering::Relaxed);
        let opened = Recording::open(file, None);
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(largest < 1 << 20, "{what}: {largest} bytes at once");
        let err = opened.err();
        assert!(
            matches!(err, Some(SvoError::Empty | SvoError::NoCamera(_))),
            "{what}: {err:?}"
        );
    }
}
