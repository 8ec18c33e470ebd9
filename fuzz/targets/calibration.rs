#![no_main]

#[path = "../zed/mod.rs"]
#[allow(dead_code, reason = "each shell calls one body")]
mod zed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    zed::calibration::body(data);
});
