//! Whatever bytes come, the decoder ends, and what it takes can be written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_cwmp::{decode, encode, is_empty_post};

fuzz_target!(|bytes: &[u8]| {
    // The first byte chooses what the HTTP header says of the encoding.
    let (charset, body) = match bytes.split_first() {
        Some((b'1', body)) => (Some("iso-8859-1"), body),
        Some((b'6', body)) => (Some("utf-16"), body),
        Some((b'?', body)) => (Some("no such encoding"), body),
        _ => (None, bytes),
    };
    let _ = is_empty_post(body);
    let Ok(decoded) = decode(body, charset) else { return };
    // Devices may send what the standard does not allow us to write.
    let Ok(written) = encode(&decoded.envelope) else { return };
    let again = decode(&written, None).expect("what we write can be read");
    assert_eq!(again.envelope.message, decoded.envelope.message);
});
