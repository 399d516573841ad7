//! Who may know whom: the lines of docs/ARCHITECTURE.md, held against cargo's own view.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Each room, and what it may depend on in the house.
const ROOMS: [(&str, &[&str]); 10] = [
    ("trellis-cwmp", &[]),
    ("trellis-store", &["trellis-cwmp"]),
    ("trellis-plugin-host", &["trellis-cwmp"]),
    ("trellis-rehearsal", &["trellis-cwmp", "trellis-plugin-host"]),
    ("trellis-catalog", &["trellis-plugin-host", "trellis-store"]),
    (
        "trellis-session",
        &[
            "trellis-catalog",
            "trellis-cwmp",
            "trellis-plugin-host",
            "trellis-rehearsal",
            "trellis-store",
        ],
    ),
    ("trellis-southbound", &["trellis-session"]),
    ("trellis-contact", &["trellis-session", "trellis-store"]),
    (
        "trellis-northbound",
        &[
            "trellis-catalog",
            "trellis-contact",
            "trellis-plugin-host",
            "trellis-session",
            "trellis-store",
        ],
    ),
    (
        "trellis",
        &[
            "trellis-catalog",
            "trellis-contact",
            "trellis-northbound",
            "trellis-plugin-host",
            "trellis-rehearsal",
            "trellis-session",
            "trellis-southbound",
            "trellis-store",
        ],
    ),
];

/// Libraries that only these rooms may name.
const RESERVED: [(&str, &[&str]); 13] = [
    ("axum", &["trellis-northbound"]),
    ("metrics-exporter-prometheus", &["trellis-northbound"]),
    ("wasmtime", &["trellis-plugin-host"]),
    ("wasmtime-wasi", &["trellis-plugin-host"]),
    ("wasmtime-wasi-http", &["trellis-plugin-host"]),
    ("jsonschema", &["trellis-plugin-host"]),
    ("notify", &["trellis-catalog"]),
    ("ureq", &["trellis"]),
    ("utoipa", &["trellis-northbound"]),
    ("hyper", &["trellis-contact", "trellis-northbound", "trellis-southbound"]),
    ("sled", &["trellis-store"]),
    ("quick-xml", &["trellis-cwmp"]),
    ("clap", &["trellis"]),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let normal = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        let normal = all.filter(|dependency| dependency["kind"].is_null());
        normal.map(|dependency| dependency["name"].as_str().expect("a name").to_owned()).collect()
    };
    packages
        .iter()
        .map(|it| (it["name"].as_str().expect("a name").to_owned(), normal(it)))
        .collect()
}

#[test]
fn each_room_knows_only_the_rooms_that_the_architecture_allows() {
    let dependencies = dependencies();
    for (room, allowed) in ROOMS {
        let known = &dependencies[room];
        let rooms = known.iter().filter(|it| ROOMS.iter().any(|(room, _)| room == it));
        for other in rooms {
            assert!(allowed.contains(&other.as_str()), "{room} must not know {other}");
        }
        for (library, owners) in RESERVED {
            assert!(
                owners.contains(&room) || !known.contains(library),
                "{room} must not name {library}, which is for {owners:?}"
            );
        }
    }
}

#[test]
fn the_simulated_device_shares_no_code_with_the_server() {
    let dependencies = dependencies();
    for (room, _) in ROOMS {
        assert!(!dependencies["trellis-cpe"].contains(room), "trellis-cpe must not know {room}");
    }
}

/// The texts of a list in a source file.
fn list_in(file: &str, name: &str) -> BTreeSet<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join(file)).expect("the file is there");
    let (_, rest) = text.split_once(&format!("const {name}: ")).expect("the list is there");
    let (_, rest) = rest.split_once("= [").expect("its begin");
    let (list, _) = rest.split_once("];").expect("its end");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_host_and_the_plugins_that_ship_know_secrets_by_the_same_words() {
    let host = list_in("host/cwmp/src/secret.rs", "SECRET_WORDS");
    assert!(host.contains("password"), "{host:?}");
    assert_eq!(host, list_in("plugins/common/src/desired.rs", "SECRETS"));
}
