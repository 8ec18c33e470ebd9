//! Where downloads live between runs: outside the repository, whole and verified or not at all.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::process;

/// What filling an empty cache takes at its peak: packages, wheels and their unpacked contents.
const NEEDED_KIB: u64 = 1 << 20;

/// The folder of downloads.
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens, and makes if need be, `$XDG_CACHE_HOME/gst-plugin-evr` or `~/.cache/gst-plugin-evr`.
    pub(crate) fn open() -> Result<Self> {
        let base = match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
            (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
            (_, Some(home)) if !home.is_empty() => PathBuf::from(home).join(".cache"),
            _ => {
                bail!("neither XDG_CACHE_HOME nor HOME is set; set one to a folder to download to")
            }
        };
        Self::at(base.join("gst-plugin-evr"))
    }

    fn at(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)
            .map_err(process::explain_disk)
            .with_context(|| format!("cannot make the download folder {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Where `name` lies, or would.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A scratch folder on the cache's disk, so that moving a file from it is atomic.
    pub(crate) fn scratch(&self) -> Result<TempDir> {
        tempfile::Builder::new()
            .prefix(".unfinished-")
            .tempdir_in(&self.folder)
            .map_err(process::explain_disk)
            .with_context(|| format!("cannot write to {}", self.folder.display()))
    }

    /// The cached file `name`; if it is not there, or is not what `sha256` says, `fetch` brings it
    /// into the scratch folder that it is given and says where it put it.
    pub(crate) fn ensure(
        &self,
        name: &str,
        sha256: &str,
        fetch: impl FnOnce(&Path) -> Result<PathBuf>,
    ) -> Result<PathBuf> {
        let path = self.path(name);
        if path.exists() {
            match verify(&path, sha256) {
                Ok(()) => return Ok(path),
                Err(_) => println!("{} is damaged: fetching it again", path.display()),
            }
        }
        self.require_space()?;
        let scratch = self.scratch()?;
        let fetched = fetch(scratch.path()).with_context(|| {
            format!(
                "cannot get {name}; connect this machine, or put the file with SHA-256 {sha256} at {}",
                path.display()
            )
        })?;
        verify(&fetched, sha256)?;
        place(&fetched, &path)?;
        Ok(path)
    }

    /// The cached file `name`, which `make` makes from verified files: it needs no SHA-256 of its own.
    pub(crate) fn ensure_made(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let path = self.path(name);
        if !path.exists() {
            let scratch = self.scratch()?;
            let made = scratch.path().join(name);
            make(&made).with_context(|| format!("cannot make {name}"))?;
            place(&made, &path)?;
        }
        Ok(path)
    }

    /// Refuses to begin what would not fit.
    pub(crate) fn require_space(&self) -> Result<()> {
        let output = process::capture(Command::new("df").arg("-Pk").arg(&self.folder))?;
        let free = free_kib(&String::from_utf8_lossy(&output.stdout));
        if free.is_some_and(|free| free < NEEDED_KIB) {
            bail!(
                "{} has {} MiB free, and the downloads take {} MiB; free some space, or set \
                 XDG_CACHE_HOME to a larger disk",
                self.folder.display(),
                free.unwrap_or_default() / 1024,
                NEEDED_KIB / 1024
            );
        }
        Ok(())
    }
}

/// Fails unless the file's SHA-256 is the expected one.
pub(crate) fn verify(path: &Path, expected: &str) -> Result<()> {
    let found = sha256(path).with_context(|| format!("cannot read {}", path.display()))?;
    if found != expected {
        let name = path.file_name().unwrap_or(path.as_os_str()).display();
        bail!(
            "{name} has the SHA-256 {found} instead of {expected}: it is damaged or not the file \
             that this repository was tested with; try again, and if that repeats, report it"
        );
    }
    Ok(())
}

/// Moves a finished file to its final name; readers see all of it or nothing.
fn place(from: &Path, to: &Path) -> Result<()> {
    File::open(from)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(from, to))
        .map_err(process::explain_disk)
        .with_context(|| format!("cannot put {} in place", to.display()))
}

pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

/// The `Available` column of `df -Pk`.
fn free_kib(df: &str) -> Option<u64> {
    df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn cache() -> (TempDir, Cache) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache::at(folder.path().join("cache")).expect("a cache in it");
        (folder, cache)
    }

    fn write(text: &'static str) -> impl FnOnce(&Path) -> Result<PathBuf> {
        move |scratch| {
            let path = scratch.join("fetched");
            fs::write(&path, text)?;
            Ok(path)
        }
    }

    #[test]
    fn a_cached_file_is_not_fetched_again() {
        let (_folder, cache) = cache();
        let first = cache.ensure("greeting", HELLO, write("hello"));
        assert_eq!(fs::read(first.expect("fetched")).expect("file"), b"hello");
        let second = cache.ensure("greeting", HELLO, |_| bail!("offline"));
        assert!(second.is_ok());
    }

    #[test]
    fn a_damaged_file_is_fetched_again() {
        let (_folder, cache) = cache();
        fs::write(cache.path("greeting"), "hel").expect("written");
        let path = cache.ensure("greeting", HELLO, write("hello"));
        assert_eq!(fs::read(path.expect("fetched")).expect("file"), b"hello");
    }

    #[test]
    fn a_wrong_hash_leaves_nothing_behind_and_says_so() {
        let (_folder, cache) = cache();
        let error = cache
            .ensure("greeting", HELLO, write("hullo"))
            .expect_err("another file");
        assert!(error.to_string().contains("instead of 2cf24dba"), "{error}");
        assert_eq!(fs::read_dir(&cache.folder).expect("folder").count(), 0);
    }

    #[test]
    fn free_space_is_read_from_df() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                    /dev/sda1 100 60 40 60% /\n";
        assert_eq!(free_kib(text), Some(40));
    }
}
