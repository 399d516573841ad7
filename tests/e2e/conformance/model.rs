//! The data model (TR-106, TR-181, TR-098).

use serde_json::json;
use trellis_store::Store;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn s140_aliases_are_not_sent_to_a_device_that_does_not_say_it_knows_them() {
    let server = scripted(&json!([{ "do": "get", "names": ["Device.T.[mine].V"] }]));
    let (_, end) = open(&server).await;
    assert_eq!(end.status, 204, "{}", end.text());
    assert!(said(&server, 0)["step.1"].contains("AliasBasedAddressing"), "{:?}", said(&server, 0));
    let name = "Device.ManagementServer.AliasBasedAddressing";
    let (_, asked) = open_with(&server, &with_parameter(&script_inform(), name, "true")).await;
    assert!(asked.text().contains("Device.T.[mine].V"), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s141_wildcards_are_not_sent_to_a_device_that_does_not_say_it_knows_them() {
    let supported = "Device.ManagementServer.InstanceWildcardsSupported";
    let steps = json!([
        { "do": "get", "names": ["Device.T.*.V"] },
        { "do": "get", "names": [supported] },
        { "do": "get", "names": ["Device.T.*.V"] },
        { "do": "get", "names": ["Device.T.*"] },
    ]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    assert!(asked.text().contains(supported), "{}", asked.text());
    let asked = post(&mut cpe, &typed_values(&asked, &[(supported, "xsd:boolean", "1")])).await;
    assert!(asked.text().contains("Device.T.*.V"), "{}", asked.text());
    assert_eq!(post(&mut cpe, &values_of(&asked, &[("Device.T.1.V", "x")])).await.status, 204);
    let told = said(&server, 0);
    assert!(told["step.1"].contains("InstanceWildcardsSupported"), "{told:?}");
    assert!(told["step.4"].contains("last"), "{told:?}");
    // Another session asks again before it uses any.
    let (_, asked) = open(&server).await;
    assert!(asked.text().contains(supported), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s104_after_a_bootstrap_wildcards_are_asked_for_before_they_are_used() {
    let supported = "Device.ManagementServer.InstanceWildcardsSupported";
    let steps = json!([
        { "do": "get", "names": [supported] },
        { "do": "get", "names": ["Device.T.*.V"] },
    ]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    let asked = post(&mut cpe, &typed_values(&asked, &[(supported, "xsd:boolean", "1")])).await;
    assert_eq!(post(&mut cpe, &values_of(&asked, &[("Device.T.1.V", "x")])).await.status, 204);
    let bootstrap = with_events(&script_inform(), &[("0 BOOTSTRAP", ""), ("1 BOOT", "")]);
    let (mut cpe, asked) = open_with(&server, &bootstrap).await;
    assert!(asked.text().contains(supported), "{}", asked.text());
    let end = post(&mut cpe, &typed_values(&asked, &[(supported, "xsd:boolean", "0")])).await;
    assert_eq!(end.status, 204, "no wildcard is sent: {}", end.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s143_a_secret_that_reads_back_empty_is_no_change_and_stays_stored() {
    let server = Server::with_config(
        &crate::server::shipped(),
        "[plugins.settings.standard.parameters]\n\
         \".ManagementServer.ConnectionRequestPassword\" = \"s3cret\"\n",
    );
    let mut cpe = crate::server::device("tr181", 1);
    cpe.session(&server.url()).await.expect("a session");
    let name = "Device.ManagementServer.ConnectionRequestPassword";
    assert_eq!(cpe.get(name).as_deref(), Some("s3cret"));
    cpe.queue_event("1 BOOT", "");
    let report = cpe.session(&server.url()).await.expect("a session");
    let wrote = report.methods().contains(&"SetParameterValues");
    assert!(!wrote, "{:?}", report.methods());
    assert_eq!(cpe.get(name).as_deref(), Some("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s144_a_device_with_another_root_has_another_tree() {
    let server = Server::start(&guests());
    open_with(&server, &with_parameter(&script_inform(), "Device.A", "1")).await;
    let old = script_inform().replace("Device.DeviceInfo", "InternetGatewayDevice.DeviceInfo");
    open_with(&server, &with_parameter(&old, "InternetGatewayDevice.A", "2")).await;
    let (store, _folder) = server.into_store();
    let tree = store.tree(&device()).await.expect("readable");
    let roots: Vec<&String> = tree.0.keys().collect();
    assert!(roots.iter().all(|name| name.starts_with("InternetGatewayDevice.")), "{roots:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s145_devices_are_told_apart_by_their_identity_and_not_by_their_address() {
    let server = Server::start(&guests());
    for serial in ["S1", "S2", "S1"] {
        open_with(&server, &inform("nothing", serial)).await;
    }
    let (store, _folder) = server.into_store();
    let devices = store.devices(None, 10).await.expect("readable");
    let sessions: Vec<_> = devices.iter().map(|(key, it)| (key.as_str(), it.sessions)).collect();
    assert_eq!(sessions, [("00D09E-nothing-S1", 2), ("00D09E-nothing-S2", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s142_a_row_that_is_named_by_its_alias_is_the_row_with_its_number() {
    let server = scripted(&json!([
        { "do": "get", "names": ["Device.WiFi.SSID.7."] },
        { "do": "get", "names": ["Device.WiFi.SSID."] },
    ]));
    let told =
        with_parameter(&script_inform(), "Device.ManagementServer.AliasBasedAddressing", "1");
    let (mut cpe, asked) = open_with(&server, &told).await;
    let by_number = [("Device.WiFi.SSID.7.Alias", "main"), ("Device.WiFi.SSID.7.SSID", "one")];
    let asked = post(&mut cpe, &values_of(&asked, &by_number)).await;
    let by_alias =
        [("Device.WiFi.SSID.[main].SSID", "two"), ("Device.WiFi.SSID.[guest].SSID", "x")];
    assert_eq!(post(&mut cpe, &values_of(&asked, &by_alias)).await.status, 204);
    let (store, _folder) = server.into_store();
    let tree = store.tree(&device()).await.expect("readable");
    assert_eq!(tree.0["Device.WiFi.SSID.7.SSID"].value.as_deref(), Some("two"));
    assert!(!tree.0.contains_key("Device.WiFi.SSID.[main].SSID"), "there is one row");
    assert!(tree.0.contains_key("Device.WiFi.SSID.[guest].SSID"), "its number is not known");
}
