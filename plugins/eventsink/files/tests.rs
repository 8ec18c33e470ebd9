//! Names that many want at once, what becomes of them, and what a crash leaves.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn a_name_is_taken_once_whether_it_is_being_written_or_finished() {
    let directory = tempfile::tempdir().expect("a directory");
    let stem = directory.path().join("new/clip");
    let stem = stem.to_str().expect("UTF-8");
    let first = Files::reserve(stem, "mp4").expect("free");
    let second = Files::reserve(stem, "mp4").expect("-2 is free");
    assert_eq!(first.clip_name(), "clip.mp4");
    assert_eq!(second.clip_name(), "clip-2.mp4");
    first.secure("{}").expect("written");
    first.write_thumbnail(b"jpeg").expect("written");
    first.publish(true).expect("published");
    second.abandon();
    let third = Files::reserve(stem, "mp4").expect("-2 is free again");
    assert_eq!(third.clip_name(), "clip-2.mp4");
    assert!(!first.clip_part().exists());
    assert_eq!(fs::read(first.thumbnail()).expect("a file"), b"jpeg");
}

#[test]
fn recordings_that_want_one_name_at_once_each_get_their_own_whatever_the_container() {
    let directory = tempfile::tempdir().expect("a directory");
    let stem = directory.path().join("new/deep/clip");
    let stem = stem.to_str().expect("UTF-8");
    std::thread::scope(|scope| {
        for extension in ["mp4", "mkv", "mp4", "ts"] {
            scope.spawn(move || {
                for _ in 0..25 {
                    let files = Files::reserve(stem, extension).expect("one is free");
                    files.secure(&files.clip_name()).expect("written");
                    files.publish(false).expect("published");
                }
            });
        }
    });
    let entries = fs::read_dir(directory.path().join("new/deep")).expect("a directory");
    let (sidecars, clips): (Vec<_>, Vec<_>) = entries
        .map(|entry| entry.expect("an entry").path())
        .partition(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        });
    assert_eq!((sidecars.len(), clips.len()), (100, 100));
    for sidecar in sidecars {
        let clip = fs::read_to_string(&sidecar).expect("readable");
        assert!(sidecar.with_file_name(&clip).exists(), "{clip}");
        assert_eq!(Path::new(&clip).file_stem(), sidecar.file_stem());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_no_half_sidecar_or_picture() {
    let directory = tempfile::tempdir().expect("a directory");
    let stem = directory.path().join("clip");
    let files = Files::reserve(stem.to_str().expect("UTF-8"), "mp4").expect("free");
    fs::remove_file(files.sidecar_part()).expect("it is there");
    for part in [".json.part.new", ".jpg.part"] {
        std::os::unix::fs::symlink("/dev/full", files.with(part)).expect("new");
    }
    assert!(files.secure("{}").is_err());
    assert!(files.write_thumbnail(b"jpeg").is_err());
    let left = fs::read_dir(directory.path()).expect("a directory");
    assert_eq!(left.count(), 1, "more than the clip's .part");
}

#[test]
fn what_others_put_under_our_names_meanwhile_is_not_overwritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let stem = directory.path().join("clip");
    let files = Files::reserve(stem.to_str().expect("UTF-8"), "mp4").expect("free");
    files.secure("{}").expect("written");
    for theirs in [files.clip(), files.sidecar()] {
        fs::write(&theirs, b"theirs").expect("written");
        let err = files.publish(false).expect_err("it is taken");
        assert_eq!(err.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&theirs).expect("a file"), b"theirs");
        assert!(files.clip_part().exists() && files.sidecar_part().exists());
        fs::remove_file(theirs).expect("it is there");
    }
    for n in ["", "-2", "-3"] {
        fs::write(files.clip_part(), n).expect("written");
        fs::write(files.sidecar_part(), b"{}").expect("written");
        let aside = files.set_aside().expect("renamed");
        assert!(
            aside
                .to_str()
                .expect("UTF-8")
                .ends_with(&format!(".part.broken{n}"))
        );
        assert_eq!(fs::read(aside).expect("a file"), n.as_bytes());
    }
}

#[test]
fn a_start_that_looks_for_remains_keeps_no_recording_from_its_lock() {
    let directory = tempfile::tempdir().expect("a directory");
    let stem = directory.path().join("clip");
    let stem = stem.to_str().expect("UTF-8");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let sidecar = format!("{stem}{SIDECAR_PART}");
            while !done.load(Ordering::Relaxed) {
                let remains = Files::remains(Path::new(&sidecar));
                assert!(remains.is_none(), "{remains:?}");
            }
        });
        for n in 0..2000 {
            let files = Files::reserve(stem, "mp4").expect("free");
            let other = File::open(files.clip_part()).expect("it is there");
            let locked = other.try_lock();
            assert!(matches!(locked, Err(TryLockError::WouldBlock)), "{n}");
            fs::write(files.sidecar_part(), "known").expect("written");
            files.discard();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_holds_media_is_not_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let stem = directory.path().join("clip");
    let files = Files::reserve(stem.to_str().expect("UTF-8"), "mp4").expect("free");
    fs::write(files.clip_part(), b"media").expect("written");
    files.abandon();
    assert!(files.clip_part().exists());
}

#[test]
fn sinks_that_start_at_once_find_the_same_directory_good() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    try_directory(path).expect("writable");
                }
            });
        }
    });
}

#[test]
fn a_directory_that_cannot_be_is_found_out_and_a_good_one_stays_empty() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, b"").expect("written");
    assert!(try_directory(file.join("x").to_str().expect("UTF-8")).is_err());
    let good = directory.path().join("good");
    fs::create_dir(&good).expect("made");
    // As a crash in the middle of it leaves.
    fs::write(good.join(PROBE), b"").expect("written");
    try_directory(good.to_str().expect("UTF-8")).expect("writable");
    assert_eq!(fs::read_dir(good).expect("a directory").count(), 0);
}
