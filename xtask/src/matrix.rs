//! `cargo xtask matrix`: a command, by default the tests, on a newer GStreamer, in a Debian 13 chroot.
//!
//! The chroot lives in the cache and is made once. It borrows this machine's Rust, checkout and
//! downloads through mounts that vanish with the process that made them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::process::{self, Progress};
use crate::{assets, launch, packages, recordings, workspace};

const RELEASE: &str = "trixie";
const MIRROR: &str = "http://deb.debian.org/debian";
/// Whom this machine trusts, which may be a proxy of its own.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// What the base lacks and no probe of ours looks for: a C compiler for build scripts and linking.
const INCLUDE: &str = "ca-certificates,gcc,git,libc6-dev";

/// Makes the chroot if it is not there, and runs `cargo xtask <command>` in it.
pub(crate) fn run(command: &str) -> Result<()> {
    if !packages::is_root()? {
        bail!("a chroot takes root: run the command as root, for example in a container");
    }
    packages::ensure(packages::CHROOT)?;
    // Fetched out here, so that the chroot needs neither npm nor pip.
    packages::ensure(packages::PLUGIN)?;
    assets::prepare_all()?;
    let chroot = chroot(&Cache::open()?)?;
    println!("running `cargo xtask {command}` on Debian {RELEASE} …");
    let script = script(&chroot, command)?;
    process::show(Command::new("unshare").args(["--mount", "sh", "-euc", &script]))
}

fn chroot(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.path(&format!("debian-{RELEASE}"));
    let done = folder.join("debootstrap-is-done");
    if done.exists() {
        return Ok(folder);
    }
    let _progress = Progress::new(&format!("making a Debian {RELEASE} chroot"));
    recordings::empty(&folder)?;
    let mut debootstrap = Command::new("debootstrap");
    debootstrap
        .args([
            "--variant=minbase",
            &format!("--include={INCLUDE}"),
            RELEASE,
        ])
        .arg(&folder)
        .arg(MIRROR);
    process::capture(&mut debootstrap)
        .with_context(|| format!("cannot make a chroot from {MIRROR}; is it reachable?"))?;
    fs::write(done, "")?;
    Ok(folder)
}

/// A shell script that mounts what is borrowed, then runs the command; it must run in a mount
/// namespace of its own.
fn script(chroot: &Path, command: &str) -> Result<String> {
    let home = PathBuf::from(env::var_os("HOME").context("HOME is not set")?);
    let toolchain = |name: &str, folder: &str| {
        env::var_os(name).map_or_else(|| home.join(folder), PathBuf::from)
    };
    let (cargo, rustup) = (
        toolchain("CARGO_HOME", ".cargo"),
        toolchain("RUSTUP_HOME", ".rustup"),
    );
    let target = workspace::target()?.join(format!("matrix-{RELEASE}"));
    let cache = Cache::open()?.path("");
    fs::create_dir_all(&target)?;

    let mut script = String::from("mount --make-rprivate /\n");
    for folder in [workspace::root(), &target, &cargo, &rustup] {
        let inside = chroot.join(folder.strip_prefix("/").unwrap_or(folder));
        let (from, to) = (
            launch::quote(&folder.to_string_lossy()),
            launch::quote(&inside.to_string_lossy()),
        );
        script += &format!("mkdir -p {to}\nmount --bind {from} {to}\n");
    }
    let quoted = |path: &Path| launch::quote(&path.to_string_lossy());
    let root = quoted(chroot);
    // The downloads appear at a place of their own: the chroot itself lies in their folder.
    script += &format!(
        "mkdir -p {root}/var/cache/xdg/gst-plugin-evr\n\
         mount --bind {cache} {root}/var/cache/xdg/gst-plugin-evr\n\
         mount -t proc proc {root}/proc\n\
         mount --rbind /dev {root}/dev\n\
         cp /etc/resolv.conf {root}/etc/resolv.conf\n\
         if [ -e {CERTIFICATES} ]; then cp {CERTIFICATES} {root}{CERTIFICATES}; fi\n",
        cache = quoted(&cache)
    );
    // A model that only benchmarks take and that may lie anywhere.
    let model = env::var_os("EVR_BENCH_MODEL").map(PathBuf::from);
    if let Some(model) = &model {
        script += &format!("cp {} {root}/tmp/bench.onnx\n", quoted(model));
    }
    script += &format!(
        "exec chroot {root} env -i HOME=/root PATH={cargo}/bin:/usr/sbin:/usr/bin:/sbin:/bin \
         CARGO_HOME={cargo} RUSTUP_HOME={rustup} CARGO_TARGET_DIR={target} \
         XDG_CACHE_HOME=/var/cache/xdg LANG=C.UTF-8 {second_model} \
         sh -euc 'cd \"$1\"; exec cargo xtask \"$2\"' sh {workspace} {command}\n",
        second_model = model.map_or("", |_| "EVR_BENCH_MODEL=/tmp/bench.onnx"),
        cargo = quoted(&cargo),
        rustup = quoted(&rustup),
        target = quoted(&target),
        workspace = quoted(workspace::root()),
        command = launch::quote(command),
    );
    Ok(script)
}
