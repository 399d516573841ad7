//! Requests and what devices answer (TR-069 A.3, A.4).

use serde_json::json;
use trellis_store::Store;

use super::*;
use crate::raw::with_names;
use crate::server::shipped;

#[tokio::test(flavor = "multi_thread")]
async fn s079_get_rpc_methods_lists_what_is_answered_and_nothing_else() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    let list = post(&mut cpe, &envelope("2", "<cwmp:GetRPCMethods></cwmp:GetRPCMethods>")).await;
    let text = list.text();
    let methods: Vec<&str> =
        text.split("<string>").skip(1).filter_map(|it| it.split('<').next()).collect();
    assert!(methods.contains(&"Inform") && methods.contains(&"TransferComplete"), "{methods:?}");
    let all = [
        "GetRPCMethods",
        "TransferComplete",
        "AutonomousTransferComplete",
        "RequestDownload",
        "Kicked",
        "DUStateChangeComplete",
        "AutonomousDUStateChangeComplete",
        "GetParameterValues",
        "Reboot",
        "Download",
        "AddObject",
        "FactoryReset",
    ];
    for method in all {
        let request = envelope("3", &format!("<cwmp:{method}></cwmp:{method}>"));
        let answer = post(&mut cpe, &request).await;
        let answered = !answer.text().contains("<FaultCode>8000<");
        assert_eq!(answered, methods.contains(&method), "{method}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s080_an_autonomous_transfer_complete_is_answered() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    let request = envelope("2", super::session::AUTONOMOUS_TRANSFER_COMPLETE);
    assert!(holds(&post(&mut cpe, &request).await, "AutonomousTransferCompleteResponse"));
}

fn set_two() -> Json {
    json!([{ "do": "set", "values": [["Device.A", "string", "x"], ["Device.B", "string", "y"]] }])
}

#[tokio::test(flavor = "multi_thread")]
async fn s081_every_parameter_that_a_fault_names_is_told_and_nothing_counts_as_changed() {
    let server = scripted(&set_two());
    let (mut cpe, asked) = open(&server).await;
    let detail = |name: &str, code: u32| {
        format!(
            "<SetParameterValuesFault><ParameterName>{name}</ParameterName>\
             <FaultCode>{code}</FaultCode><FaultString>no</FaultString></SetParameterValuesFault>"
        )
    };
    let details = detail("Device.A", 9007) + &detail("Device.B", 9008);
    assert_eq!(post(&mut cpe, &fault_with(&asked, 9003, &details)).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "fault 9003: no; Device.A 9007; Device.B 9008");
    let (store, _folder) = server.into_store();
    let tree = trellis_store::Store::tree(&store, &device()).await.expect("readable");
    assert!(!tree.0.contains_key("Device.A"), "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn s082_a_fault_without_details_is_told_as_it_is() {
    let server = scripted(&set_two());
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &fault(&asked, 9007)).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "fault 9007: no");
}

#[tokio::test(flavor = "multi_thread")]
async fn s083_status_1_is_committed_and_no_reboot_follows_by_itself() {
    let server = scripted(&set_two());
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &status(&asked, "SetParameterValues", 1)).await.status, 204);
    assert!(said(&server, 0)["step.1"].contains("AfterSession"), "{:?}", said(&server, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn s084_a_parameter_twice_in_one_request_is_refused() {
    let twice = [["Device.A", "string", "x"], ["Device.A", "string", "y"]];
    let server = scripted(&json!([{ "do": "set", "values": twice }]));
    let (_, end) = open(&server).await;
    assert_eq!(end.status, 204, "{}", end.text());
    assert!(said(&server, 0)["step.1"].contains("twice"), "{:?}", said(&server, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn s085_after_a_session_lost_in_add_object_the_table_is_read_before_it_is_added_again() {
    let keys = [["Description", "string", "mine"]];
    let table = "Device.T.";
    let steps = json!([{ "do": "ensure-instance", "table": table, "keys": keys }]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    assert!(holds(&asked, "GetParameterNames"), "{}", asked.text());
    let asked = post(&mut cpe, &with_names(&id(&asked), &[])).await;
    assert!(holds(&asked, "AddObject"), "{}", asked.text());
    // The answer is lost; the row is there.
    let (mut cpe, asked) = open(&server).await;
    assert!(holds(&asked, "GetParameterNames"), "{}", asked.text());
    let asked = post(&mut cpe, &with_names(&id(&asked), &[("Device.T.7.", true)])).await;
    assert!(holds(&asked, "GetParameterValues"), "{}", asked.text());
    let end = post(&mut cpe, &values_of(&asked, &[("Device.T.7.Description", "mine")])).await;
    assert_eq!(end.status, 204, "{}", end.text());
    assert_eq!(said(&server, 1)["step.1"], "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn s087_no_values_below_a_path_is_an_answer() {
    let server = scripted(&json!([{ "do": "get", "names": ["Device.T."] }]));
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &values_of(&asked, &[])).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn s088_a_name_that_is_answered_twice_counts_once() {
    let server = scripted(&json!([{ "do": "get", "names": ["Device.A"] }]));
    let (mut cpe, asked) = open(&server).await;
    let twice = values_of(&asked, &[("Device.A", "1"), ("Device.A", "1")]);
    assert_eq!(post(&mut cpe, &twice).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "Device.A=string:1");
}

#[tokio::test(flavor = "multi_thread")]
async fn s089_one_bad_name_among_fifty_does_not_hide_the_others() {
    let names: Vec<String> = (0..50).map(|n| format!("Device.P{n}.V")).collect();
    let wanted: Vec<_> = names.iter().map(|name| json!([name, "", "same"])).collect();
    let server = scripted(&json!([{ "do": "ensure", "values": wanted }]));
    let bad = |asked: &[&str]| asked.contains(&"Device.P17.V").then_some(9005);
    assert_eq!(read_to_the_end(&server, &names, bad).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "0 written, 1 missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn s090_a_tree_too_large_for_one_answer_is_walked_level_by_level() {
    let server = scripted(&json!([{ "do": "walk", "path": "Device." }]));
    let (mut cpe, asked) = open(&server).await;
    assert!(asked.text().contains("<NextLevel>0</NextLevel>"), "{}", asked.text());
    let asked = post(&mut cpe, &fault(&asked, 9004)).await;
    assert!(asked.text().contains("<NextLevel>1</NextLevel>"), "{}", asked.text());
    let asked = post(&mut cpe, &with_names(&id(&asked), &[("Device.A.", false)])).await;
    assert!(asked.text().contains("<ParameterPath>Device.A.</ParameterPath>"), "{}", asked.text());
    let end = post(&mut cpe, &with_names(&id(&asked), &[("Device.A.X", true)])).await;
    assert_eq!(end.status, 204, "{}", end.text());
    assert_eq!(said(&server, 0)["step.1"], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn s091_what_may_be_written_added_or_deleted_is_told() {
    let server = scripted(&json!([{ "do": "names", "path": "Device.T." }]));
    let (mut cpe, asked) = open(&server).await;
    let names = [("Device.T.1.", true), ("Device.T.2.", false), ("Device.T.N", false)];
    assert_eq!(post(&mut cpe, &with_names(&id(&asked), &names)).await.status, 204);
    let (store, _folder) = server.into_store();
    let tree = trellis_store::Store::tree(&store, &device()).await.expect("readable");
    for (name, writable) in names {
        assert_eq!(tree.0[name].writable, Some(writable), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s092_a_device_that_does_not_know_the_empty_path_is_asked_for_its_root() {
    let server = scripted(&json!([{ "do": "names", "path": "" }]));
    let (mut cpe, asked) = open(&server).await;
    assert!(asked.text().contains("<ParameterPath></ParameterPath>"), "{}", asked.text());
    let asked = post(&mut cpe, &fault(&asked, 9005)).await;
    assert!(asked.text().contains("<ParameterPath>Device.</ParameterPath>"), "{}", asked.text());
    let end = post(&mut cpe, &with_names(&id(&asked), &[("Device.A.", false)])).await;
    assert_eq!(end.status, 204);
    assert!(said(&server, 0)["step.1"].contains("Device.A."), "{:?}", said(&server, 0));
}

fn added(asked: &Response, number: u32) -> String {
    let body = format!("<InstanceNumber>{number}</InstanceNumber><Status>0</Status>");
    answer(asked, &format!("<cwmp:AddObjectResponse>{body}</cwmp:AddObjectResponse>"))
}

#[tokio::test(flavor = "multi_thread")]
async fn s093_the_instance_number_that_the_device_chose_is_used() {
    let keys = [["Description", "string", "mine"]];
    let steps = json!([{ "do": "ensure-instance", "table": "Device.T.", "keys": keys }]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    let asked = post(&mut cpe, &with_names(&id(&asked), &[("Device.T.2.", true)])).await;
    let asked = post(&mut cpe, &values_of(&asked, &[("Device.T.2.Description", "other")])).await;
    assert!(holds(&asked, "AddObject"), "{}", asked.text());
    let asked = post(&mut cpe, &added(&asked, 7)).await;
    assert!(asked.text().contains("Device.T.7.Description"), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s094_an_object_is_deleted_by_its_number_and_the_others_keep_theirs() {
    let steps = json!([
        { "do": "names", "path": "Device.T." },
        { "do": "delete", "row": "Device.T.2." },
        { "do": "delete", "row": "Device.T.2" },
    ]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    let rows = [("Device.T.1.", true), ("Device.T.2.", true), ("Device.T.3.", true)];
    let asked = post(&mut cpe, &with_names(&id(&asked), &rows)).await;
    assert!(asked.text().contains("<ObjectName>Device.T.2.</ObjectName>"), "{}", asked.text());
    assert_eq!(post(&mut cpe, &status(&asked, "DeleteObject", 0)).await.status, 204);
    assert!(said(&server, 0)["step.3"].starts_with("refused"), "{:?}", said(&server, 0));
    let (store, _folder) = server.into_store();
    let tree = trellis_store::Store::tree(&store, &device()).await.expect("readable");
    let left: Vec<&str> =
        tree.0.keys().map(String::as_str).filter(|it| it.starts_with("Device.T")).collect();
    assert_eq!(left, ["Device.T.1.", "Device.T.3."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s095_attributes_that_are_not_to_change_are_sent_in_valid_form() {
    let access = json!(["Subscriber"]);
    let steps = json!([{ "do": "set-attributes", "name": "Device.A", "access_list": access }]);
    let server = scripted(&steps);
    let (_, asked) = open(&server).await;
    let wanted = "<SetParameterAttributesStruct><Name>Device.A</Name>\
                  <NotificationChange>0</NotificationChange><Notification>0</Notification>\
                  <AccessListChange>1</AccessListChange>";
    assert!(asked.text().contains(wanted), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s096_a_notification_that_the_device_denies_is_told() {
    let steps = json!([{ "do": "set-attributes", "name": "Device.A", "notification": 2 }]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &fault(&asked, 9009)).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "fault 9009: no");
}

#[tokio::test(flavor = "multi_thread")]
async fn s097_a_method_that_the_device_does_not_have_is_not_asked_for_again() {
    let steps = json!([
        { "do": "options", "name": "" },
        { "do": "options", "name": "" },
    ]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    assert!(holds(&asked, "GetOptions"), "{}", asked.text());
    assert_eq!(post(&mut cpe, &fault(&asked, 9000)).await.status, 204);
    let told = said(&server, 0);
    assert!(told["step.1"].starts_with("fault 9000"), "{told:?}");
    assert!(told["step.2"].starts_with("refused: the device does not have GetOptions"), "{told:?}");
    // Neither in the next session, nor after that session until the software is another.
    let (_, end) = open(&server).await;
    assert_eq!(end.status, 204, "{}", end.text());
    let other = script_inform().replace(">1.0</Value>", ">2.0</Value>");
    let (_, asked) = open_with(&server, &other).await;
    assert!(holds(&asked, "GetOptions"), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s098_one_boot_completes_two_reboots() {
    let server = scripted(&json!([{ "do": "events" }]));
    let events = [("1 BOOT", ""), ("M Reboot", "one"), ("M Reboot", "two")];
    let (_, end) = open_with(&server, &with_events(&script_inform(), &events)).await;
    assert_eq!(end.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "1 BOOT/,M Reboot/one,M Reboot/two");
}

#[tokio::test(flavor = "multi_thread")]
async fn s099_a_delay_of_0_is_refused() {
    let server = scripted(&json!([{ "do": "schedule-inform", "delay": 0, "key": "k" }]));
    let (_, end) = open(&server).await;
    assert_eq!(end.status, 204, "{}", end.text());
    assert!(said(&server, 0)["step.1"].contains("DelaySeconds"), "{:?}", said(&server, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn s100_kicked_is_answered_with_the_next_url() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    let body = "<cwmp:Kicked><Command>c</Command><Referer></Referer><Arg></Arg>\
                <Next>http://next.example/</Next></cwmp:Kicked>";
    let text = post(&mut cpe, &envelope("2", body)).await.text();
    assert!(text.contains("<NextURL>http://next.example/</NextURL>"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s086_a_parameter_key_that_is_not_ours_is_told_to_the_plugin() {
    let server = scripted(&json!([
        { "do": "changed" },
        { "do": "parameter-key", "key": "ours" },
        { "do": "set", "values": [["Device.X", "string", "x"]] },
    ]));
    let key = "Device.ManagementServer.ParameterKey";
    for told in ["before", "ours", "theirs", "ours"] {
        // With an event that is kept until a plugin has seen it.
        let inform = with_events(&script_inform(), &[("4 VALUE CHANGE", "")]);
        let (mut cpe, asked) = open_with(&server, &with_parameter(&inform, key, told)).await;
        assert!(asked.text().contains("<ParameterKey>ours</ParameterKey>"), "{}", asked.text());
        assert_eq!(post(&mut cpe, &status(&asked, "SetParameterValues", 0)).await.status, 204);
    }
    // A fact that stays as it is is no news.
    let seen = (0..4).map(|number| said(&server, number).get("step.1").cloned());
    let seen: Vec<_> = seen.map(Option::unwrap_or_default).collect();
    assert_eq!(seen, ["false", "", "true", "false"]);
    let (store, _folder) = server.into_store();
    let header = store.device(&device()).await.expect("readable").expect("known");
    assert_eq!(header.acknowledged_parameter_key.as_deref(), Some("ours"));
    assert_eq!(header.changed_elsewhere_ms, None, "it has been changed by us since");
}

#[tokio::test(flavor = "multi_thread")]
async fn s086_a_device_that_was_changed_by_another_is_looked_at_again() {
    let server = Server::start(&shipped());
    let mut cpe = crate::server::device("tr181", 1);
    cpe.session(&server.url()).await.expect("a session");
    let quiet = cpe.session(&server.url()).await.expect("a session");
    assert_eq!(quiet.requests.len(), 0, "{:?}", quiet.methods());
    assert!(cpe.set("Device.ManagementServer.ParameterKey", "another ACS"), "there is one");
    let looked = cpe.session(&server.url()).await.expect("a session");
    assert!(looked.methods().contains(&"GetParameterValues"), "{:?}", looked.methods());
    let quiet = cpe.session(&server.url()).await.expect("a session");
    assert_eq!(quiet.requests.len(), 0, "once is enough: {:?}", quiet.methods());
}
