#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cim_tests::fuzz::snapshots(data));
