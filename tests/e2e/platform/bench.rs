//! The author's bench: a file checked and tried without a server.

use std::process::Command;

use serde_json::Value;

use super::{file, version};
use crate::server::{built, guests};

fn trellis(arguments: &[&str]) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_trellis")).args(arguments).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

const DEVICE: &str = r#"{
    "manufacturer": "Acme Broadband",
    "parameters": {
        "Device.DeviceInfo.SoftwareVersion": { "value": "1.0", "writable": false },
        "Device.WiFi.SSID.1.SSID": "old"
    }
}"#;

#[test]
fn check_says_what_a_file_is_and_why_one_would_be_refused() {
    let plugin = guests().join("gate.wasm");
    let (ok, text) = trellis(&["plugin", "check", plugin.to_str().expect("a path")]);
    assert!(ok, "{text}");
    for wanted in
        ["gate 0.1.0", "admission", "manufacturer: \"Gate\"", "trellis:acs/memory", "bytes"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let (_, text) = trellis(&["plugin", "check", "--json", plugin.to_str().expect("a path")]);
    let shown: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(shown["name"], "gate");
    let folder = tempfile::tempdir().expect("a folder");
    let bad = file(folder.path(), "bad.wasm", b"no plugin");
    let (ok, text) = trellis(&["plugin", "check", bad.to_str().expect("a path")]);
    assert!(!ok && text.contains("bad.wasm: it is not a WebAssembly component"), "{text}");
}

#[test]
fn test_prints_what_a_plugin_does_with_a_device_and_compares_it_with_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = file(folder.path(), "device.json", DEVICE.as_bytes());
    let expected = folder.path().join("expected.txt");
    let plugin = built("examples").join("firmware/firmware.wasm");
    let settings = r#"{"version":"2.0","url":"http://files.example/2.0.bin"}"#;
    let [plugin, device, expect] =
        [&plugin, &device, &expected].map(|it| it.to_str().expect("a path"));
    let common = ["plugin", "test", plugin, "--device", device, "--settings", settings, "--expire"];
    let (ok, text) = trellis(&common);
    assert!(ok, "{text}");
    for wanted in [
        "session 0 BOOTSTRAP, 1 BOOT",
        "> Download 1 Firmware Upgrade Image http://files.example/2.0.bin",
        "fact firmware.state = \"transferring\"",
        "session deadline upgrade",
        "no TransferComplete came",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let compared = [&common[..], &["--expect", expect]].concat();
    assert!(!trellis(&compared).0, "there is nothing to compare with");
    assert!(trellis(&[&compared[..], &["--update"]].concat()).0);
    let (ok, text) = trellis(&compared);
    assert!(ok && text.contains("as expected"), "{text}");
    let changed = std::fs::read_to_string(&expected).expect("written").replace("2.0", "3.0");
    std::fs::write(&expected, changed).expect("written");
    let (ok, text) = trellis(&compared);
    assert!(!ok && text.contains("-  > Download") && text.contains("+  > Download"), "{text}");
}

#[test]
fn test_refuses_settings_actions_and_devices_that_do_not_fit() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = file(folder.path(), "device.json", DEVICE.as_bytes());
    let bad = file(folder.path(), "bad.json", b"{\"parameters\": {}}");
    let number = file(folder.path(), "number.json", b"{\"parameters\": {\"Device.X\": 1}}");
    let plugin = file(folder.path(), "scripted.wasm", &version("7.0.1", false));
    let [plugin, device, bad, number] =
        [&plugin, &device, &bad, &number].map(|it| it.to_str().expect("a path"));
    for (arguments, wanted) in [
        (["--device", bad, "--action", "echo"], "it has no parameters"),
        (["--device", device, "--settings", "{\"greeting\":5}"], "/greeting"),
        (["--device", device, "--action", "echo={}"], "text"),
        (["--device", device, "--action", "none={}"], "has no action \"none\""),
        (["--device", number, "--action", "echo"], "a parameter is a text"),
        (
            ["--device", device, "--events", "BOOT"],
            "\"BOOT\" is no event code; there are \"0 BOOTSTRAP\"",
        ),
    ] {
        let (ok, text) = trellis(&[&["plugin", "test", plugin][..], &arguments].concat());
        assert!(!ok && text.contains(wanted), "{wanted}: {text}");
    }
    let action = "echo={\"text\":\"hi\"}";
    let (ok, text) = trellis(&["plugin", "test", plugin, "--device", device, "--action", action]);
    assert!(ok && text.contains("answered {\"echo\":\"hi\"}"), "{text}");
    let (ok, text) = trellis(&["plugin", "test", plugin, "--device", device, "--json"]);
    assert!(text.contains("the device fits no matcher of the plugin"), "{text}");
    let json = &text[text.find('[').expect("JSON")..=text.rfind(']').expect("JSON")];
    let sessions: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert!(ok && sessions[1]["events"][0] == "2 PERIODIC", "{text}");
    assert_eq!(sessions[0]["runs"][0]["hook"], "provision", "{text}");
}

#[test]
fn test_fails_where_a_run_ends_by_a_trap_or_a_limit_and_not_by_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guests().join("scripted.wasm");
    let plugin = plugin.to_str().expect("a path");
    for (class, wanted) in
        [("error", None), ("panic", Some("provision did not end by itself (panic)"))]
    {
        let device = DEVICE
            .replace("\"parameters\"", &format!("\"product-class\": {class:?}, \"parameters\""));
        let device = file(folder.path(), "device.json", device.as_bytes());
        let device = device.to_str().expect("a path");
        let (ok, text) = trellis(&["plugin", "test", plugin, "--device", device]);
        assert_eq!(ok, wanted.is_none(), "{text}");
        assert!(text.contains("on purpose") && text.contains(wanted.unwrap_or_default()), "{text}");
    }
}
