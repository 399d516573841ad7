//! Whatever is written can be read, says the same, and is valid against the schemas.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

mod any_message;
mod shared_files;

use std::process::Command;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use trellis_cwmp::{Envelope, Header, Message, decode, encode, namespace};

/// How many of each message are tried.
const EACH: u32 = 100;

/// How many of each message the validator sees.
const EACH_VALIDATED: u32 = 5;

fn envelope(message: Message) -> Envelope {
    let header = Header { id: Some("1".to_owned()), ..Header::default() };
    Envelope { namespace: namespace::CWMP_1_2.to_owned(), header, message }
}

#[test]
fn every_kind_of_message_is_tried() {
    let mut runner = TestRunner::deterministic();
    let mut names: Vec<String> = any_message::messages()
        .iter()
        .map(|any| any.new_tree(&mut runner).expect("a message").current().name().to_owned())
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), count), (55, 55), "{names:?}");
}

#[test]
fn what_is_written_is_read_as_the_same_without_a_repair() {
    for any in any_message::messages() {
        let mut runner = TestRunner::new(Config { cases: EACH, ..Config::default() });
        let result = runner.run(&any, |message| {
            let envelope = envelope(message);
            let written = encode(&envelope).expect("it can be written");
            let read = decode(&written, None).expect("it can be read");
            assert_eq!(read.envelope, envelope, "{}", String::from_utf8_lossy(&written));
            assert!(read.quirks.is_empty(), "{:?}", read.quirks);
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn what_is_written_is_valid_against_the_schemas() {
    let Some(folder) = shared_files::folder("cwmp") else { return };
    if !shared_files::has_lxml() {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut runner = TestRunner::deterministic();
    let mut written = Vec::new();
    for any in any_message::messages() {
        for _ in 0..EACH_VALIDATED {
            let message = any.new_tree(&mut runner).expect("a message").current();
            let path = out.path().join(format!("{}-{}.xml", written.len(), message.name()));
            let bytes = encode(&envelope(message)).expect("it can be written");
            std::fs::write(&path, bytes).expect("it can be stored");
            written.push(path);
        }
    }
    let result = Command::new("python3").arg(folder.join("validate.py")).args(&written).output();
    let result = result.expect("the validator runs");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stdout));
}
