//! What can go wrong between this crate and the SDK, each with its cause and its cure.

use super::code::Code;
use super::version::Version;

#[derive(Debug, thiserror::Error)]
pub enum SdkError {
    #[error(
        "the ZED SDK's C library cannot be opened ({cause}): install ZED SDK 5.0 to 5.2 and build \
         its C interface, zed-c-api, which the SDK may not bring, or name libsl_zed_c.so in sdk-library"
    )]
    Absent { cause: String },
    #[error("{library} lacks the function {symbol}: it is no C library of ZED SDK 5.0 to 5.2")]
    Symbol {
        library: String,
        symbol: &'static str,
    },
    #[error(
        "{library} calls its release {text:?}, which is no version: install ZED SDK 5.0 to 5.2"
    )]
    Unreadable { library: String, text: String },
    #[error(
        "{library} belongs to ZED SDK {version}, whose structures differ: install ZED SDK 5.0 to 5.2"
    )]
    TooOld { library: String, version: Version },
    #[error(
        "{library} belongs to ZED SDK {version}, which is newer than what is known here: install \
         5.0 to 5.2, or set sdk-allow-newer=true to try a later 5 as if it were 5.2"
    )]
    TooNew { library: String, version: Version },
    #[error(
        "{library} calls itself {version} but exports the functions of {shown}: the SDK and its C \
         interface are of different releases, so build zed-c-api anew for this SDK"
    )]
    Disagree {
        library: String,
        version: Version,
        shown: String,
    },
    #[error(
        "{library} understood {field} as {echoed} where {passed} was passed: its structures are not \
         those of {version}, so build zed-c-api anew for this SDK"
    )]
    Echo {
        library: String,
        version: Version,
        field: &'static str,
        passed: String,
        echoed: String,
    },
    #[error("the SDK wrote beyond {what}: its structures are not those of the release it names")]
    Overrun { what: &'static str },
    #[error("the SDK has no room for another camera: {open} are open in this process")]
    NoSlot { open: usize },
    #[error("{field} {value:?} contains a zero byte: name another")]
    Text { field: &'static str, value: String },
    #[error("cannot open {what}: {code}; the SDK sees {seen} ZED cameras; {}", code.cure())]
    Open { what: String, code: Code, seen: i32 },
    #[error(
        "opening {what}, the SDK warned ({code}) and its C interface closed it again; {}", code.cure()
    )]
    Warned { what: String, code: Code },
    #[error("{what} failed: {code}; {}", code.cure())]
    Call { what: &'static str, code: Code },
    #[error("{what} is gone ({code}) and did not come back within {seconds} s; {}", code.cure())]
    Gone {
        what: String,
        code: Code,
        seconds: u64,
    },
    #[error("the SDK gave {what} of {width}x{height} with rows of {step} bytes, which cannot be")]
    Picture {
        what: &'static str,
        width: i32,
        height: i32,
        step: i32,
    },
    #[error("the SDK gave no memory for pictures: free some")]
    NoMatrix,
    #[error("no thread for the camera ({cause}): the system has too many")]
    Thread { cause: String },
    #[error("the SDK's thread ended without a word")]
    Died,
}
