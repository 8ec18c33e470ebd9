//! What can be wrong with an SVO2 file.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum SvoError {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error(
        "it is no SVO2 file, since it begins with {0}: SVO files of SDK 4.0 and older are read by \
         the SDK alone, so use backend=sdk or convert it with Stereolabs' ZED_SVO_Editor"
    )]
    NoMcap(String),
    #[error(
        "it is an MCAP file without pictures of a ZED camera, whose topic would be \
         Camera_SN<serial>/side_by_side: it has {0}"
    )]
    NoCamera(String),
    #[error("it has no pictures of camera {serial}, but of {found}: set camera-sn to one of these")]
    OtherCamera { serial: u32, found: String },
    #[error("it holds not one whole picture")]
    Empty,
    #[error(
        "its pictures are encoded in a way that only the SDK knows ({0}): use backend=sdk, or \
         convert it to H.264 or H.265 with Stereolabs' ZED_SVO_Editor"
    )]
    Encoding(String),
    #[error("picture {number} is not what the first one is: {found}")]
    Picture { number: usize, found: String },
    #[error(
        "picture {number} claims to have been taken {time} ns after 1970, which is later than the \
         year 2262: the file is damaged, so write it anew with Stereolabs' ZED_SVO_Editor"
    )]
    Time { number: usize, time: u64 },
    #[error("its chunks are compressed by {0}, which is not supported: only lz4 and zstd are")]
    Compression(String),
    #[error("the file is damaged at byte {at}: {what}")]
    Damaged { at: u64, what: &'static str },
}
