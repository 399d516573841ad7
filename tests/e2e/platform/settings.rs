//! Settings: checked when they are set, laid over each other, and told where they come from.

use serde_json::{Value, json};

use super::{replaced, version};
use crate::server::{Server, guest, guests, key, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_goes_before_a_tag_a_tag_before_the_plugin_and_each_can_be_taken_back() {
    let server = Server::with_config(
        &guests(),
        "[plugins.settings.scripted]\ngreeting = \"from the file\"\n\
         [plugins.for.ghost]\nlimits = { rpcs = 5 }\n",
    );
    assert!(server.log_text().contains("speaks of a plugin that is not there"));
    for arguments in [["plugin", "settings", "scripted"], ["plugin", "show", "scripted"]] {
        let (ok, text) = server.trellis(&arguments);
        let line = text.lines().find(|line| line.contains("/greeting")).unwrap_or_default();
        assert!(ok && line.ends_with("configuration"), "{text}");
    }
    let mut cpe = guest("settings", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    let greeting = |text: &str| json!({ "greeting": text });
    let effective = format!("/devices/{device}/settings/scripted");
    for (path, settings, wanted, origin) in [
        ("", Value::Null, "from the file", "configuration"),
        ("/plugins/scripted/settings", greeting("of the plugin"), "of the plugin", "plugin"),
        ("/tags/lab/settings/scripted", greeting("of the tag"), "of the tag", "tag lab"),
        (&effective, greeting("of the device"), "of the device", "device"),
        (&effective, json!({}), "of the tag", "tag lab"),
        ("/tags/lab/settings/scripted", json!({}), "of the plugin", "plugin"),
        ("/plugins/scripted/settings", json!({}), "from the file", "configuration"),
    ] {
        if !path.is_empty() {
            server.api_ok("PUT", path, &settings);
        }
        server.api_ok("PUT", &format!("/devices/{device}/tags/lab"), &Value::Null);
        let shown = server.api_ok("GET", &effective, &Value::Null);
        assert_eq!(shown["settings"]["greeting"], wanted, "{path}");
        assert_eq!(shown["origins"]["/greeting"], origin, "{path}");
        cpe.session(&server.url()).await.expect("a session");
        // What the plugin was given.
        let shown = server.api_ok("GET", &format!("/devices/{device}"), &Value::Null);
        assert_eq!(shown["facts"]["settings.greeting"]["value"], wanted, "{path}");
    }
    let shown = server.api_ok("GET", &format!("/devices/{device}"), &Value::Null);
    assert_eq!(shown["tags"], json!(["lab"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_fit_the_schema_are_refused_wherever_they_are_set() {
    let server = Server::start(&guests());
    let mut cpe = guest("settings", 1);
    cpe.session(&server.url()).await.expect("a session");
    let of_device = format!("/devices/{}/settings/scripted", key(&cpe));
    for path in ["/plugins/scripted/settings", "/tags/lab/settings/scripted", &of_device] {
        for settings in [json!({ "greeting": 5 }), json!({ "greeting": "x".repeat(21) })] {
            let (status, answer) = server.api("PUT", path, settings.to_string().as_bytes());
            assert_eq!(status, 422, "{path}: {answer}");
            let detail = answer["detail"].to_string();
            assert!(detail.contains("/greeting"), "{detail}");
            assert!(!detail.contains("xxxxx"), "values are not shown: {detail}");
        }
        let (status, answer) = server.api("PUT", path, b"[1]");
        assert_eq!(status, 400, "{path}: {answer}");
    }
    assert_eq!(server.api("PUT", "/plugins/none/settings", b"{\"a\":1}").0, 404);
    assert_eq!(server.api("PUT", "/tags/a%20b/settings/scripted", b"{}").0, 422);
}

/// The plugin as a version that knows fewer greetings.
fn narrower() -> Vec<u8> {
    replaced(version("7.0.2", false), b"^hello|^.*$", b"^hello|^bye")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_a_narrower_schema_is_refused_with_the_place_of_what_does_not_fit() {
    let server = Server::start(&guests());
    let mut cpe = guest("settings", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    let of_device = format!("/devices/{device}/settings/scripted");
    for (path, place) in [
        ("/plugins/scripted/settings", "/greeting (set for: plugin)".to_owned()),
        ("/tags/lab/settings/scripted", "tag lab: ".to_owned()),
        (of_device.as_str(), format!("device {device}: ")),
    ] {
        server.api_ok("PUT", path, &json!({ "greeting": "good morning" }));
        let (status, answer) = server.api("POST", "/plugins", &narrower());
        let detail = answer["detail"].as_str().unwrap_or_default();
        assert!(status == 422 && detail.contains(&place), "{status} {place}: {answer}");
        assert!(detail.contains("/greeting") && !detail.contains("morning"), "{answer}");
        server.api_ok("PUT", path, &json!({}));
    }
    assert_eq!(server.api("POST", "/plugins", &narrower()).0, 201);
    assert_eq!(server.api("PUT", &of_device, br#"{"greeting":"good morning"}"#).0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_fit_before_is_no_reason_against_what_puts_something_else_right() {
    let server = Server::start(&guests());
    let mut cpe = guest("settings", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = format!("/devices/{}", key(&cpe));
    assert_eq!(server.api("POST", "/plugins", &narrower()).0, 201);
    assert_eq!(server.api("POST", "/plugins", &version("7.0.3", false)).0, 201);
    let (plugin, tag) = ("/plugins/scripted/settings", "/tags/lab/settings/scripted");
    for path in [plugin, tag] {
        server.api_ok("PUT", path, &json!({ "greeting": "good morning" }));
    }
    assert!(server.trellis(&["plugin", "rollback", "scripted"]).0);
    let refused = |path: &str, settings: &Value| {
        let (status, answer) = server.api("PUT", path, settings.to_string().as_bytes());
        assert_eq!(status, 422, "{path} {settings}: {answer}");
    };
    for (path, other) in [(plugin, "good evening"), (tag, "good night")] {
        refused(path, &json!({ "greeting": other }));
        server.api_ok("PUT", path, &json!({ "greeting": "hello there" }));
    }
    // A tag that would have a device's settings not fit, alone or beside another.
    server.api_ok("PUT", plugin, &json!({}));
    assert_eq!(server.api("POST", "/plugins", &version("7.0.4", false)).0, 201);
    server.api_ok("PUT", tag, &json!({ "greeting": "good morning" }));
    assert!(server.trellis(&["plugin", "rollback", "scripted"]).0);
    let (status, answer) = server.api("PUT", &format!("{device}/tags/lab"), b"");
    assert!(status == 422 && answer.to_string().contains("tag lab"), "{status}: {answer}");
    server.api_ok("PUT", &format!("{device}/tags/other"), &Value::Null);
    server.api_ok("PUT", tag, &json!({ "greeting": "bye" }));
    server.api_ok("PUT", &format!("{device}/tags/lab"), &Value::Null);
    refused(tag, &json!({ "greeting": "good morning" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_not_called_with_settings_that_do_not_fit_it_and_the_fault_says_which() {
    let mut server = Server::start(&guests());
    let mut cpe = guest("settings", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    let of_device = format!("/devices/{device}/settings/scripted");
    let last = |server: &Server| {
        let path = format!("/devices/{device}/sessions");
        let sessions = server.api_ok("GET", &path, &Value::Null);
        sessions.as_array().and_then(|it| it.last()).expect("a session")["outcome"].to_string()
    };
    assert_eq!(server.api("POST", "/plugins", &narrower()).0, 201);
    assert_eq!(server.api("POST", "/plugins", &version("7.0.3", false)).0, 201);
    server.api_ok("PUT", &of_device, &json!({ "greeting": "good morning" }));
    // Going back is always possible: it is the way out.
    assert!(server.trellis(&["plugin", "rollback", "scripted"]).0);
    cpe.session(&server.url()).await.expect("a session");
    until("the session is kept", || last(&server).contains("plugin fault: settings"));
    assert!(last(&server).contains("/greeting (set for: device)"), "{}", last(&server));
    let faults = server.api_ok("GET", &format!("/devices/{device}/faults"), &Value::Null);
    assert!(faults.to_string().contains("do not fit scripted 7.0.2"), "{faults}");
    server.api_ok("PUT", &of_device, &json!({ "greeting": "hello again" }));
    cpe.session(&server.url()).await.expect("a session");
    let shown = server.api_ok("GET", &format!("/devices/{device}"), &Value::Null);
    assert_eq!(shown["facts"]["settings.greeting"]["value"], "hello again");
    // The configuration may change between two starts.
    server.api_ok("PUT", &of_device, &json!({}));
    server.stop();
    server.configure("[plugins.settings.scripted]\ngreeting = \"good morning\"\n");
    server.restart();
    assert!(server.log_text().contains("/greeting (set for: configuration)"));
    cpe.session(&server.url()).await.expect("a session");
    until("the session is kept", || last(&server).contains("set for: configuration"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_a_plugin_that_does_not_serve_are_checked_shown_and_taken_back() {
    let server = Server::start(&guests());
    let mut cpe = guest("settings", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    let set =
        |settings: &str| server.trellis(&["device", "settings", &device, "scripted", settings]);
    assert!(server.trellis(&["plugin", "disable", "scripted"]).0);
    let (ok, text) = set("{\"greeting\":\"of the device\"}");
    assert!(ok && text.contains("of the device"), "{text}");
    assert!(!set("{\"greeting\":5}").0, "it does not fit");
    let (ok, text) = server.trellis(&["plugin", "settings", "scripted", "{\"greeting\":5}"]);
    assert!(!ok && text.contains("/greeting"), "{text}");
    let (_, text) = server.trellis(&["plugin", "show", "scripted"]);
    assert!(text.contains("Does what the product class says"), "{text}");
    let greeting = "{\"greeting\":\"of the plugin\"}";
    assert!(server.trellis(&["plugin", "settings", "scripted", greeting]).0);
    assert!(server.trellis(&["plugin", "remove", "scripted"]).0);
    let (ok, text) = server.trellis(&["plugin", "settings", "scripted"]);
    assert!(ok && text.contains("of the plugin"), "{text}");
    let (ok, text) = server.trellis(&["device", "settings", &device, "scripted"]);
    assert!(ok && text.contains("of the device"), "{text}");
    let (ok, text) = server.trellis(&["plugin", "settings", "gate"]);
    assert!(ok && text.contains("/seconds"), "{text}");
    let (ok, text) = set("{\"greeting\":\"another\"}");
    assert!(!ok && text.contains("load it first"), "{text}");
    assert!(set("{}").0 && server.trellis(&["plugin", "settings", "scripted", "{}"]).0);
    assert!(!server.trellis(&["device", "settings", &device, "scripted"]).0, "nothing is set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_pinned_to_what_does_not_serve_is_told_of() {
    let server = Server::start(&guests());
    let mut cpe = guest("version", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    server.api_ok("PUT", "/tags/lab/plugin", &json!({ "plugin": "gate" }));
    server.api_ok("PUT", &format!("/devices/{device}/tags/lab"), &Value::Null);
    let shown = |server: &Server| server.trellis(&["device", "show", &device]).1;
    assert!(shown(&server).contains("gate by the tag lab, which serves it"), "{}", shown(&server));
    let (ok, text) = server.trellis(&["plugin", "disable", "gate"]);
    assert!(ok && text.contains("those that are pinned to it, by nobody"), "{text}");
    assert!(shown(&server).contains("nobody serves the device"), "{}", shown(&server));
    cpe.session(&server.url()).await.expect("a session");
    let sessions = || server.trellis(&["device", "sessions", &device]).1;
    let told = "served by nobody: pinned by the tag lab to the plugin gate, which does not serve";
    until("the session says so", || sessions().contains(told));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_set_and_not_shown_and_what_stands_for_them_is_not_taken() {
    let server = Server::start(&guests());
    let path = "/plugins/scripted/settings";
    let settings = json!({ "wifi": { "passphrase": "not-to-be-seen", "ssid": "home" } });
    server.api_ok("PUT", path, &settings);
    let shown = server.api_ok("GET", path, &Value::Null);
    assert_eq!(shown, json!({ "wifi": { "passphrase": "(secret)", "ssid": "home" } }));
    let (status, answer) = server.api("PUT", path, shown.to_string().as_bytes());
    assert_eq!(status, 422, "{answer}");
    for hidden in [
        json!({ "passwords": ["hunter2"] }),
        json!({ "password": { "value": "hunter2" } }),
        json!({ "apiToken": "hunter2", "snmp-community": "hunter2", "wifi-key": 2 }),
    ] {
        server.api_ok("PUT", path, &hidden);
        let shown = server.api_ok("GET", path, &Value::Null).to_string();
        assert!(!shown.contains("hunter2") && !shown.contains(":2"), "{shown}");
    }
    assert!(!server.log_text().contains("not-to-be-seen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_or_a_tag_can_be_pinned_to_a_plugin_whatever_the_matchers_say() {
    let server = Server::start(&guests());
    let mut cpe = guest("version", 1);
    let served = |server: &Server, cpe: &trellis_cpe::Cpe| {
        let shown = server.api_ok("GET", &format!("/devices/{}", key(cpe)), &Value::Null);
        shown["plugin"]["name"].as_str().unwrap_or_default().to_owned()
    };
    cpe.session(&server.url()).await.expect("a session");
    assert_eq!(served(&server, &cpe), "scripted");
    let device = key(&cpe).to_string();
    let gate = json!({ "plugin": "gate" });
    server.api_ok("PUT", "/tags/lab/plugin", &gate);
    server.api_ok("PUT", &format!("/devices/{device}/tags/lab"), &Value::Null);
    cpe.session(&server.url()).await.expect("a session");
    assert_eq!(served(&server, &cpe), "gate");
    server.api_ok("PUT", &format!("/devices/{device}/plugin"), &json!({ "plugin": "scripted" }));
    cpe.session(&server.url()).await.expect("a session");
    assert_eq!(served(&server, &cpe), "scripted");
    server.api_ok("DELETE", &format!("/devices/{device}/plugin"), &Value::Null);
    server.api_ok("DELETE", &format!("/devices/{device}/tags/lab"), &Value::Null);
    cpe.session(&server.url()).await.expect("a session");
    assert_eq!(served(&server, &cpe), "scripted");
    let path = format!("/devices/{device}/plugin");
    assert_eq!(server.api("PUT", &path, b"{\"plugin\":\"none\"}").0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_fit_no_more_stop_what_would_use_them_and_can_always_be_taken_back() {
    let server = Server::start(&guests());
    let path = "/plugins/scripted/settings";
    server.api_ok("PUT", path, &json!({ "greeting": "good morning" }));
    assert!(server.trellis(&["plugin", "remove", "scripted"]).0);
    let (status, answer) = server.api("POST", "/plugins", &narrower());
    assert!(status == 422 && answer.to_string().contains("/greeting"), "{answer}");
    server.api_ok("PUT", path, &json!({}));
    assert_eq!(server.api("POST", "/plugins", &narrower()).0, 201);
}
