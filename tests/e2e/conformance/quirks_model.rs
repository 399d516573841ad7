//! What real devices do with data models and behaviour that the standard does not have.

use serde_json::json;
use trellis_store::Store;

use super::*;
use crate::raw::{post_bytes, transfer_complete, with_names};
use crate::server::shipped;

#[tokio::test(flavor = "multi_thread")]
async fn q032_other_encodings_are_read_as_they_are_declared() {
    let server = Server::start(&guests());
    let told = inform("nothing", "S1").replace(">Guest<", ">M\u{fc}ller<");
    let declared = format!("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>{told}");
    let latin: Vec<u8> =
        declared.chars().map(|c| u8::try_from(u32::from(c)).expect("latin")).collect();
    let answer = post_bytes(&mut connect(&server.url()), &latin).await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    let bare: Vec<u8> = told.chars().map(|c| u8::try_from(u32::from(c)).expect("latin")).collect();
    let headers = [("Content-Type", "text/xml; charset=iso-8859-1")];
    let answer = connect(&server.url()).post(&bare, &headers).await.expect("an answer");
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    let (store, _folder) = server.into_store();
    let devices = store.devices(None, 9).await.expect("readable");
    assert_eq!(devices[0].1.manufacturer, "M\u{fc}ller");
}

/// What the script read of a device that answers with this text of XML.
async fn read_text(text: &str) -> String {
    let server = scripted(&json!([{ "do": "get", "names": ["Device.A"] }]));
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &values_of(&asked, &[("Device.A", text)])).await.status, 204);
    said(&server, 0)["step.1"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn q037_a_text_with_entities_and_cdata_in_it_is_one_text() {
    let read = read_text("a&amp;b&#x26;c<![CDATA[<d>]]>e").await;
    assert_eq!(read, "Device.A=string:a&b&c<d>e");
}

#[tokio::test(flavor = "multi_thread")]
async fn q040_a_document_type_is_refused() {
    let server = Server::start(&guests());
    let bomb = format!(
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>{}",
        inform("nothing", "S1")
    );
    assert_eq!(post(&mut connect(&server.url()), &bomb).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn q051_the_arguments_of_a_download_are_in_the_order_of_the_schema() {
    let step = json!({ "do": "download", "key": "k", "file_type": "1 Firmware Upgrade Image",
        "url": "http://files.example/f" });
    let server = scripted(&json!([step]));
    let (_, asked) = open(&server).await;
    let text = asked.text();
    let order = [
        "CommandKey",
        "FileType",
        "URL",
        "Username",
        "Password",
        "FileSize",
        "TargetFileName",
        "DelaySeconds",
        "SuccessURL",
        "FailureURL",
    ];
    let places = order.map(|name| text.find(&format!("<{name}>")).expect("an argument"));
    assert!(places.is_sorted(), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn q055_a_device_is_answered_in_the_version_that_it_speaks() {
    let server = scripted(&json!([{ "do": "get", "names": ["Device.A"] }]));
    for urn in ["urn:dslforum-org:cwmp-1-0", "urn:dslforum-org:cwmp-1-1"] {
        let told = in_namespace(&script_inform(), urn, "");
        let mut cpe = connect(&server.url());
        let opened = post(&mut cpe, &told).await;
        let asked = post(&mut cpe, "").await;
        for answer in [opened, asked] {
            let text = answer.text();
            assert!(text.contains(urn) && !text.contains("cwmp-1-2"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q057_devices_with_one_serial_number_and_other_makers_are_told_apart() {
    let server = Server::start(&guests());
    let one = inform("nothing", "99999999");
    for told in [one.clone(), one.replace("00D09E", "00D09F"), one.replace(">nothing<", ">four<")] {
        assert_eq!(post(&mut connect(&server.url()), &told).await.status, 200);
    }
    let (store, _folder) = server.into_store();
    assert_eq!(store.devices(None, 9).await.expect("readable").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn q062_a_name_that_the_device_does_not_have_costs_only_itself() {
    let names: Vec<String> = (0..9).map(|n| format!("Device.P{n}.V")).collect();
    let wanted: Vec<_> = names.iter().map(|name| json!([name, "", "same"])).collect();
    let server = scripted(&json!([{ "do": "ensure", "values": wanted }]));
    let unknown = |asked: &[&str]| asked.contains(&"Device.P4.V").then_some(9005);
    assert_eq!(read_to_the_end(&server, &names, unknown).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "0 written, 1 missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn q065_a_parameter_that_is_said_to_be_read_only_is_written_all_the_same() {
    let server = scripted(&json!([
        { "do": "names", "path": "Device." },
        { "do": "set", "values": [["Device.A", "string", "x"]] },
    ]));
    let (mut cpe, asked) = open(&server).await;
    let asked = post(&mut cpe, &with_names(&id(&asked), &[("Device.A", false)])).await;
    assert!(holds(&asked, "SetParameterValues"), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn q066_a_password_that_reads_back_empty_is_not_written_again() {
    let config = "[plugins.settings.standard.parameters]\n\
                  \".ManagementServer.ConnectionRequestPassword\" = \"s3cret\"\n";
    let server = Server::with_config(&shipped(), config);
    let mut cpe = crate::server::device("tr181", 1);
    cpe.session(&server.url()).await.expect("a session");
    for _ in 0..2 {
        let report = cpe.session(&server.url()).await.expect("a session");
        assert!(report.requests.is_empty(), "{:?}", report.methods());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q067_a_device_that_tells_no_parameter_key_is_not_taken_for_changed() {
    let server = scripted(&json!([
        { "do": "changed" },
        { "do": "parameter-key", "key": "ours" },
        { "do": "set", "values": [["Device.X", "string", "x"]] },
    ]));
    for _ in 0..2 {
        let (mut cpe, asked) = open(&server).await;
        assert_eq!(post(&mut cpe, &status(&asked, "SetParameterValues", 0)).await.status, 204);
    }
    assert_eq!(said(&server, 0)["step.1"], "false");
    assert_eq!(said(&server, 1).get("step.1"), None, "it is no news");
}

#[tokio::test(flavor = "multi_thread")]
async fn q068_that_a_change_waits_for_a_reboot_is_told() {
    let server = scripted(&json!([{ "do": "set", "values": [["Device.A", "string", "x"]] }]));
    for (number, (code, wanted)) in [(0, "Applied"), (1, "AfterSession")].into_iter().enumerate() {
        let (mut cpe, asked) = open(&server).await;
        assert_eq!(post(&mut cpe, &status(&asked, "SetParameterValues", code)).await.status, 204);
        let said = said(&server, number);
        assert_eq!(said["step.1"], wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q069_a_transfer_complete_that_never_comes_is_not_waited_for_forever() {
    let step = json!({ "do": "download", "key": "k", "file_type": "1 Firmware Upgrade Image",
        "url": "http://files.example/f" });
    let server = scripted_with(&json!([step]), "[session]\ntransfer-report-seconds-max = 0\n");
    let (mut cpe, asked) = open(&server).await;
    let begun = answer(
        &asked,
        "<cwmp:DownloadResponse><Status>1</Status><StartTime>0001-01-01T00:00:00Z</StartTime>\
         <CompleteTime>0001-01-01T00:00:00Z</CompleteTime></cwmp:DownloadResponse>",
    );
    assert_eq!(post(&mut cpe, &begun).await.status, 204);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let (store, _folder) = server.into_store();
    let transfers = store.transfers(&device()).await.expect("readable");
    let end = transfers[0].end.as_ref().expect("an end");
    assert_eq!(end.outcome, trellis_store::TransferOutcome::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn q070_a_transfer_complete_of_another_session_or_key_is_answered_and_told() {
    let server = scripted(&json!([{ "do": "transfers" }]));
    let mut cpe = connect(&server.url());
    post(&mut cpe, &with_events(&script_inform(), &[("1 BOOT", "")])).await;
    for key in ["unknown", ""] {
        let answer = post(&mut cpe, &transfer_complete("7", key)).await;
        assert!(holds(&answer, "TransferCompleteResponse"), "{}", answer.text());
    }
    assert_eq!(post(&mut cpe, "").await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "unknown=0,=0");
}

#[tokio::test(flavor = "multi_thread")]
async fn q071_a_reset_without_bootstrap_is_noticed_by_what_was_lost() {
    let config = "[plugins.settings.standard.parameters]\n\".Time.NTPServer1\" = \"ours\"\n";
    let server = Server::with_config(&shipped(), config);
    let mut cpe = crate::server::device("tr181", 1);
    cpe.session(&server.url()).await.expect("a session");
    assert_eq!(cpe.get("Device.Time.NTPServer1").as_deref(), Some("ours"));
    cpe.set("Device.Time.NTPServer1", "factory");
    cpe.boot();
    cpe.session(&server.url()).await.expect("a session");
    assert_eq!(cpe.get("Device.Time.NTPServer1").as_deref(), Some("ours"));
}

#[tokio::test(flavor = "multi_thread")]
async fn q076_a_row_is_found_by_its_keys_when_its_number_has_changed() {
    let server = scripted(&json!([
        { "do": "ensure-instance", "table": "Device.T.", "keys": [["Name", "string", "mine"]] }
    ]));
    for (number, row) in [3, 8].into_iter().enumerate() {
        let (mut cpe, asked) = open(&server).await;
        let rows = [("Device.T.1.", true), (&*format!("Device.T.{row}."), true)];
        let asked = post(&mut cpe, &with_names(&id(&asked), &rows)).await;
        let values = [("Device.T.1.Name", "other"), (&*format!("Device.T.{row}.Name"), "mine")];
        assert_eq!(post(&mut cpe, &values_of(&asked, &values)).await.status, 204);
        assert_eq!(said(&server, number)["step.1"], row.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q077_a_name_twice_in_one_request_is_refused_before_it_is_sent() {
    let twice = json!([["Device.A", "string", "x"], ["Device.A", "string", "y"]]);
    let server = scripted(&json!([{ "do": "set", "values": twice }]));
    assert_eq!(open(&server).await.1.status, 204);
    assert!(said(&server, 0)["step.1"].contains("twice"), "{:?}", said(&server, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn q078_a_vendors_own_type_of_file_is_asked_for() {
    let step = json!({ "do": "download", "key": "k", "file_type": "X 00D09E Ring Tones",
        "url": "http://files.example/f" });
    let server = scripted(&json!([step]));
    let (_, asked) = open(&server).await;
    assert!(asked.text().contains("<FileType>X 00D09E Ring Tones</FileType>"), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn q079_devices_behind_one_address_have_sessions_side_by_side() {
    let server = Server::start(&guests());
    let mut cpes = Vec::new();
    for serial in ["S1", "behind S1", "too"] {
        let mut cpe = connect(&server.url());
        assert!(holds(&post(&mut cpe, &inform("four", serial)).await, "InformResponse"));
        cpes.push(cpe);
    }
    for cpe in &mut cpes {
        assert!(holds(&post(cpe, "").await, "GetParameterValues"));
    }
}
