//! Settings: checked when they are set, laid over each other, and told where they come from.

use serde_json::{Value, json};

use crate::server::{Server, guest, guests, key};

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
    assert!(server.trellis(&["plugin", "disable", "scripted"]).0);
    server.api_ok("PUT", path, &json!({ "greeting": 12345 }));
    let (ok, text) = server.trellis(&["plugin", "enable", "scripted"]);
    assert!(!ok && text.contains("/greeting"), "{text}");
    assert!(server.trellis(&["plugin", "remove", "scripted"]).0);
    let wasm = super::version("7.0.2", false);
    assert_eq!(server.api("POST", "/plugins", &wasm).0, 422);
    server.api_ok("PUT", path, &json!({}));
    assert_eq!(server.api("POST", "/plugins", &wasm).0, 201);
}
