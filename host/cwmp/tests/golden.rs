//! Every message of the standard, once, as a schema-valid envelope.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod shared_files;

use std::process::Command;

use trellis_cwmp::{decode, encode};

#[test]
fn s066_every_golden_message_round_trips() {
    let Some(folder) = shared_files::folder("cwmp/golden") else { return };
    let files = shared_files::files(&folder, "xml");
    for file in &files {
        let bytes = std::fs::read(file).expect("the file can be read");
        let first =
            decode(&bytes, None).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(first.quirks.is_empty(), "{}: {:?}", file.display(), first.quirks);
        assert_eq!(file.file_stem().expect("a name"), first.envelope.message.name());
        let written = encode(&first.envelope).expect("it can be written");
        let second = decode(&written, None).expect("what was written can be read");
        assert_eq!(first, second, "{}", file.display());
        assert_eq!(canonical(&bytes), canonical(&written), "{}", file.display());
    }
    println!("{} golden messages round-trip", files.len());
    assert_eq!(files.len(), 55);
}

#[test]
fn s066_what_the_encoder_writes_is_valid_against_the_schemas() {
    let Some(folder) = shared_files::folder("cwmp/golden") else { return };
    if !shared_files::has_lxml() {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut written = Vec::new();
    for file in shared_files::files(&folder, "xml") {
        let bytes = std::fs::read(&file).expect("the file can be read");
        let decoded = decode(&bytes, None).expect("it can be read");
        let path = out.path().join(file.file_name().expect("a name"));
        std::fs::write(&path, encode(&decoded.envelope).expect("it can be written"))
            .expect("it can be stored");
        written.push(path);
    }
    let result = Command::new("python3")
        .arg(folder.join("../validate.py"))
        .args(&written)
        .output()
        .expect("the validator runs");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stdout));
}

/// The text without prefixes' names and declarations: what must be the same in both.
fn canonical(xml: &[u8]) -> String {
    let text = String::from_utf8(xml.to_vec()).expect("UTF-8");
    let body = &text[text.find("Body>").expect("a body")..];
    let body = body.replace(">true<", ">1<").replace(">false<", ">0<");
    body.replace("soapenv:", "soap:").replace("soapenc:", "enc:").trim().to_owned()
}
