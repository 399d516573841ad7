//! Whatever an Authorization header holds, reading it and holding it against a credential ends.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| trellis_southbound::fuzz::authorization(bytes));
