#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dotdo::fuzzing::run("socket_note", data));
