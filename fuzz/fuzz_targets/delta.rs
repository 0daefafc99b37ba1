#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| etcdive_fuzz::targets::delta(data));
