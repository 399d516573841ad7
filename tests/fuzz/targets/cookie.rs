//! Whatever a Cookie header holds, reading it ends.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| trellis_southbound::fuzz::cookie(bytes));
