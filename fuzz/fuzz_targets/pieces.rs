#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| voxload_fuzz::pieces(data));
