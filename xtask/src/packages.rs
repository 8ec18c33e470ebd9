//! The Debian packages that the commands need.
//!
//! A package counts as there when the thing that it brings is there, so a machine that has
//! GStreamer from elsewhere is left alone, and nothing is asked of a network when nothing is missing.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::{self, Progress};

/// What shows that a package is installed.
enum Probe {
    /// A program in `PATH`.
    Program(&'static str),
    /// A library with its headers, at least of the version, as pkg-config knows it.
    Library(&'static str, &'static str),
    /// A GStreamer element.
    Element(&'static str),
    /// Python can make a virtual environment with pip in it.
    Venv,
}

/// A Debian package and what shows that it is installed.
pub(crate) struct Package {
    name: &'static str,
    probe: Probe,
}

const fn package(name: &'static str, probe: Probe) -> Package {
    Package { name, probe }
}

/// What building and running the plugin takes.
pub(crate) const PLUGIN: &[Package] = &[
    package("pkg-config", Probe::Program("pkg-config")),
    package(
        "libgstreamer1.0-dev",
        Probe::Library("gstreamer-1.0", "1.22"),
    ),
    package(
        "libgstreamer-plugins-base1.0-dev",
        Probe::Library("gstreamer-video-1.0", "1.22"),
    ),
    package("gstreamer1.0-tools", Probe::Program("gst-launch-1.0")),
    package("gstreamer1.0-plugins-base", Probe::Element("videoconvert")),
    package("gstreamer1.0-plugins-good", Probe::Element("qtdemux")),
    package("gstreamer1.0-plugins-bad", Probe::Element("h264parse")),
    package("gstreamer1.0-plugins-ugly", Probe::Element("x264enc")),
    package("gstreamer1.0-libav", Probe::Element("avdec_h264")),
];

/// What the tests take besides: ffprobe, the second opinion on what was recorded, strace, which shows
/// in what order it reaches the disk, a broker with an observer of it and certificates for it, and a
/// camera's RTSP server.
pub(crate) const CHECKS: &[Package] = &[
    package("ffmpeg", Probe::Program("ffprobe")),
    package("strace", Probe::Program("strace")),
    // Not in everybody's PATH.
    package("mosquitto", Probe::Program("/usr/sbin/mosquitto")),
    package("mosquitto-clients", Probe::Program("mosquitto_sub")),
    package("openssl", Probe::Program("openssl")),
    package(
        "libgstrtspserver-1.0-dev",
        Probe::Library("gstreamer-rtsp-server-1.0", "1.22"),
    ),
];

/// What building takes besides where GStreamer is 1.24 or newer, which has metas of its own for what
/// was found.
pub(crate) const ANALYTICS: &[Package] = &[package(
    "libgstreamer-plugins-bad1.0-dev",
    Probe::Library("gstreamer-analytics-1.0", "1.24"),
)];

/// What the benchmarks compare with.
pub(crate) const BENCHES: &[Package] = &[package(
    "gstreamer1.0-opencv",
    Probe::Element("motioncells"),
)];

/// What the benchmark beside upstream's detector compares with; onnxinference is in Debian 13's.
pub(crate) const UPSTREAM: &[Package] = &[package(
    "gstreamer1.0-plugins-bad",
    Probe::Element("onnxinference"),
)];

/// What fetching from PyPI and converting the model takes.
pub(crate) const PYTHON: &[Package] = &[package("python3-venv", Probe::Venv)];

/// What fetching from npm takes.
pub(crate) const NPM: &[Package] = &[package("npm", Probe::Program("npm"))];

/// What making a Debian chroot takes.
pub(crate) const CHROOT: &[Package] = &[package("debootstrap", Probe::Program("debootstrap"))];

/// Installs those of `packages` that are missing.
pub(crate) fn ensure(packages: &[Package]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|package| !package.probe.is_there())
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_debian() {
        bail!(
            "missing here: what Debian calls {names}; only Debian's packages are installed \
             automatically, so install the like by hand and run the command again"
        );
    }
    install(&missing).with_context(|| {
        format!(
            "cannot install {names}; connect this machine to a Debian mirror, or run \
             `apt-get install {names}` where one is, and repeat the command"
        )
    })?;
    match packages.iter().find(|package| !package.probe.is_there()) {
        Some(package) => bail!(
            "{} is installed but does not give what it should; is this Debian 12 or newer?",
            package.name
        ),
        None => Ok(()),
    }
}

/// The python that Debian's python3-venv belongs to, whatever else comes first in `PATH`.
pub(crate) fn python() -> &'static str {
    const DEBIAN: &str = "/usr/bin/python3";
    if fs::exists(DEBIAN).unwrap_or(false) {
        DEBIAN
    } else {
        "python3"
    }
}

/// Refreshes apt's lists; a fresh machine has none.
pub(crate) fn update_lists() -> Result<()> {
    let _progress = Progress::new("refreshing the list of Debian packages");
    process::capture(apt()?.args(["update", "-q"]))?;
    Ok(())
}

fn install(names: &[&str]) -> Result<()> {
    update_lists()?;
    let _progress = Progress::new(&format!("installing {}", names.join(" ")));
    process::capture(
        apt()?
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(names),
    )?;
    Ok(())
}

/// apt-get, through sudo unless this is root.
fn apt() -> Result<Command> {
    let mut command = if is_root()? {
        Command::new("apt-get")
    } else if Probe::Program("sudo").is_there() {
        let mut sudo = Command::new("sudo");
        sudo.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo
    } else {
        bail!("installing packages takes root or sudo, and this user has neither");
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

/// Whether the user is root.
pub(crate) fn is_root() -> Result<bool> {
    let output = process::capture(Command::new("id").arg("-u"))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// Whether apt looks after this machine.
pub(crate) fn is_debian() -> bool {
    Probe::Program("apt-get").is_there() && Probe::Program("dpkg-deb").is_there()
}

impl Probe {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(name) => env::var_os("PATH").is_some_and(|path| {
                env::split_paths(&path).any(|folder| folder.join(name).is_file())
            }),
            Self::Library(name, version) => process::succeeds(
                Command::new("pkg-config")
                    .arg(format!("--atleast-version={version}"))
                    .arg(name),
            ),
            Self::Element(name) => {
                process::succeeds(Command::new("gst-inspect-1.0").args(["--exists", name]))
            }
            Self::Venv => process::succeeds(
                Command::new(python())
                    .args(["-c", "import ensurepip, venv"])
                    .stdin(Stdio::null()),
            ),
        }
    }
}
