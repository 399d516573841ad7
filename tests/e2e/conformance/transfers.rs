//! Files and software modules (TR-069 A.3.2.8, A.3.3.2, A.4).

use serde_json::json;
use trellis_store::{Store, Transfer, TransferOutcome};

use super::*;
use crate::raw::transfer_complete;

const FIRMWARE: &str = "1 Firmware Upgrade Image";

fn download(key: &str) -> Json {
    json!({ "do": "download", "key": key, "file_type": FIRMWARE, "url": "http://files.example/f" })
}

fn downloaded(asked: &Response, status: u32) -> String {
    answer(
        asked,
        &format!(
            "<cwmp:DownloadResponse><Status>{status}</Status>\
             <StartTime>2026-01-01T00:00:00Z</StartTime>\
             <CompleteTime>2026-01-01T00:00:00Z</CompleteTime></cwmp:DownloadResponse>"
        ),
    )
}

fn complete_with(key: &str, code: u32) -> String {
    transfer_complete("9", key).replace("<FaultCode>0<", &format!("<FaultCode>{code}<"))
}

async fn transfers(server: Server) -> Vec<Transfer> {
    let (store, _folder) = server.into_store();
    store.transfers(&device()).await.expect("readable")
}

/// What became of each: the fault code, 0 when it is done; nothing while it is open.
fn ends(transfers: &[Transfer]) -> Vec<(&str, Option<u32>)> {
    let code = |outcome: &TransferOutcome| match outcome {
        TransferOutcome::Done => 0,
        TransferOutcome::Failed { code, .. } => *code,
        TransferOutcome::Cancelled => 1,
        TransferOutcome::Expired => 2,
    };
    let ends = transfers.iter().map(|it| it.end.as_ref().map(|end| code(&end.outcome)));
    transfers.iter().map(|it| it.command_key.as_str()).zip(ends).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn s125_a_download_is_done_pending_or_failed_as_its_answer_says() {
    let server = scripted(&json!([download("done"), download("pending"), download("failed")]));
    let (mut cpe, asked) = open(&server).await;
    let asked = post(&mut cpe, &downloaded(&asked, 0)).await;
    let asked = post(&mut cpe, &downloaded(&asked, 1)).await;
    assert_eq!(post(&mut cpe, &fault(&asked, 9010)).await.status, 204);
    let transfers = transfers(server).await;
    let wanted = [("done", Some(0)), ("pending", None), ("failed", Some(9010))];
    assert_eq!(ends(&transfers), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn s126_a_transfer_complete_closes_the_transfer_of_its_key() {
    let server = scripted(&json!([download("a"), download("b"), download("c")]));
    let (mut cpe, mut asked) = open(&server).await;
    for _ in 0..3 {
        asked = post(&mut cpe, &downloaded(&asked, 1)).await;
    }
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("script", SERIAL)).await;
    for (key, code) in [("a", 0), ("b", 9016), ("c", 9899)] {
        let answer = post(&mut cpe, &complete_with(key, code)).await;
        assert!(holds(&answer, "TransferCompleteResponse"), "{}", answer.text());
    }
    let transfers = transfers(server).await;
    assert_eq!(ends(&transfers), [("a", Some(0)), ("b", Some(9016)), ("c", Some(9899))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s127_a_transfer_complete_that_nobody_waits_for_is_answered() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    for key in ["unknown", "", "unknown"] {
        let answer = post(&mut cpe, &complete_with(key, 0)).await;
        assert!(holds(&answer, "TransferCompleteResponse"), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s128_downloads_that_end_in_reverse_order_get_their_own_results() {
    let server = scripted(&json!([download("first"), download("second")]));
    let (mut cpe, asked) = open(&server).await;
    let asked = post(&mut cpe, &downloaded(&asked, 1)).await;
    assert_eq!(post(&mut cpe, &downloaded(&asked, 1)).await.status, 204);
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("script", SERIAL)).await;
    post(&mut cpe, &complete_with("second", 0)).await;
    post(&mut cpe, &complete_with("first", 9010)).await;
    let transfers = transfers(server).await;
    assert_eq!(ends(&transfers), [("first", Some(9010)), ("second", Some(0))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s129_a_url_with_a_user_name_or_too_long_is_refused() {
    let long = format!("http://a/{}", "u".repeat(250));
    let with =
        |url: &str| json!({ "do": "download", "key": "k", "file_type": FIRMWARE, "url": url });
    let server = scripted(&json!([with("http://user:secret@a/"), with(&long)]));
    let (_, end) = open(&server).await;
    assert_eq!(end.status, 204, "{}", end.text());
    let told = said(&server, 0);
    assert!(told["step.1"].contains("user name") && told["step.2"].contains("256"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s132_a_transfer_that_is_not_heard_of_expires_and_a_bootstrap_ends_it() {
    let config = "[session]\ntransfer-report-seconds-max = 1\n";
    let server = scripted_with(&json!([download("a")]), config);
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &downloaded(&asked, 1)).await.status, 204);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    // What comes late is answered all the same, and told.
    let mut cpe = connect(&server.url());
    post(&mut cpe, &script_inform()).await;
    let answer = post(&mut cpe, &complete_with("b", 0)).await;
    assert!(holds(&answer, "TransferCompleteResponse"), "{}", answer.text());
    let transfers = transfers(server).await;
    assert_eq!(ends(&transfers), [("a", Some(2)), ("b", Some(0))]);

    let server = scripted(&json!([download("a")]));
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &downloaded(&asked, 1)).await.status, 204);
    let bootstrap = with_events(&script_inform(), &[("0 BOOTSTRAP", "")]);
    post(&mut connect(&server.url()), &bootstrap).await;
    assert_eq!(ends(&self::transfers(server).await), [("a", Some(2))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s133_a_cancelled_transfer_is_over_and_one_that_cannot_be_cancelled_is_not() {
    let cancel = |key: &str| json!({ "do": "cancel-transfer", "key": key });
    let server = scripted(&json!([download("a"), download("b"), cancel("a"), cancel("b")]));
    let (mut cpe, asked) = open(&server).await;
    let asked = post(&mut cpe, &downloaded(&asked, 1)).await;
    let asked = post(&mut cpe, &downloaded(&asked, 1)).await;
    let asked = post(&mut cpe, &done(&asked, "CancelTransfer")).await;
    assert_eq!(post(&mut cpe, &fault(&asked, 9021)).await.status, 204);
    let transfers = transfers(server).await;
    assert_eq!(ends(&transfers), [("a", Some(1)), ("b", None)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s134_windows_that_overlap_or_are_more_than_two_are_refused() {
    let schedule =
        |windows: Json| json!({ "do": "schedule-download", "key": "k", "windows": windows });
    let server = scripted(&json!([
        schedule(json!([[0, 60], [30, 90]])),
        schedule(json!([[0, 1], [2, 3], [4, 5]])),
    ]));
    let (_, end) = open(&server).await;
    assert_eq!(end.status, 204, "{}", end.text());
    let told = said(&server, 0);
    assert!(told["step.1"].contains("overlap"), "{told:?}");
    assert!(told["step.2"].contains("TimeWindowList has 3 entries"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s135_operations_are_repeated_elements_of_their_types_and_the_key_comes_last() {
    let operations = ["install", "update", "uninstall"];
    let steps = json!([{ "do": "change-du-state", "key": "k", "operations": operations }]);
    let server = scripted(&steps);
    let (_, asked) = open(&server).await;
    let text = asked.text();
    assert_eq!(text.matches("<Operations ").count(), 3, "{text}");
    for kind in ["InstallOpStruct", "UpdateOpStruct", "UninstallOpStruct"] {
        assert!(text.contains(&format!("xsi:type=\"cwmp:{kind}\"")), "{text}");
    }
    assert!(!text.contains("<UUID></UUID>"), "{text}");
    assert!(
        text.contains("</Operations><CommandKey>k</CommandKey></cwmp:ChangeDUState>"),
        "{text}"
    );
}

fn results(count: usize) -> String {
    "<Results><UUID>0b1f3c64-2a4f-4d6e-8f0a-123456789abc</UUID><DeploymentUnitRef>Device.D.1.\
     </DeploymentUnitRef><Version>1</Version><CurrentState>Installed</CurrentState>\
     <Resolved>1</Resolved><ExecutionUnitRefList></ExecutionUnitRefList>\
     <StartTime>2026-01-01T00:00:00Z</StartTime><CompleteTime>2026-01-01T00:00:00Z</CompleteTime>\
     <Fault><FaultCode>0</FaultCode><FaultString></FaultString></Fault></Results>"
        .repeat(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn s136_more_results_than_operations_are_all_told() {
    let server = scripted(&json!([{ "do": "operations" }]));
    let mut cpe = connect(&server.url());
    post(&mut cpe, &script_inform()).await;
    let results = results(3);
    let body = format!(
        "<cwmp:DUStateChangeComplete>{results}<CommandKey>k</CommandKey>\
         </cwmp:DUStateChangeComplete>"
    );
    let answer = post(&mut cpe, &envelope("2", &body)).await;
    assert!(holds(&answer, "DUStateChangeCompleteResponse"), "{}", answer.text());
    assert_eq!(post(&mut cpe, "").await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "k=0,k=0,k=0");
}

#[tokio::test(flavor = "multi_thread")]
async fn s137_an_autonomous_du_state_change_complete_is_answered() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    let results =
        results(1).replace("</Fault>", "</Fault><OperationPerformed>Install</OperationPerformed>");
    let body = format!(
        "<cwmp:AutonomousDUStateChangeComplete>{results}</cwmp:AutonomousDUStateChangeComplete>"
    );
    let answer = post(&mut cpe, &envelope("2", &body)).await;
    assert!(holds(&answer, "AutonomousDUStateChangeCompleteResponse"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s138_stored_firmware_is_6_in_a_download_and_8_in_a_report() {
    let of_type = |file_type: &str| {
        json!({ "do": "download", "key": file_type, "url": "http://files.example/fw",
                "file_type": file_type })
    };
    let server =
        scripted(&json!([of_type("6 Stored Firmware Image"), of_type("8 Stored Firmware Image")]));
    let (mut cpe, asked) = open(&server).await;
    assert!(asked.text().contains("<FileType>6 Stored Firmware Image</FileType>"));
    // The second is refused by the host.
    assert_eq!(post(&mut cpe, &downloaded(&asked, 0)).await.status, 204);
    let refused = &said(&server, 0)["step.2"];
    assert!(refused.contains("FileType") && refused.contains("6 Stored"), "{refused}");
    let mut cpe = connect(&server.url());
    post(&mut cpe, &script_inform()).await;
    let report = envelope(
        "7",
        "<cwmp:AutonomousTransferComplete><AnnounceURL></AnnounceURL>\
         <TransferURL>http://files.example/fw</TransferURL><IsDownload>1</IsDownload>\
         <FileType>8 Stored Firmware Image</FileType><FileSize>1</FileSize>\
         <TargetFileName>fw</TargetFileName><FaultStruct><FaultCode>0</FaultCode>\
         <FaultString></FaultString></FaultStruct><StartTime>0001-01-01T00:00:00Z</StartTime>\
         <CompleteTime>0001-01-01T00:00:00Z</CompleteTime></cwmp:AutonomousTransferComplete>",
    );
    let answer = post(&mut cpe, &report).await;
    assert!(holds(&answer, "AutonomousTransferCompleteResponse"), "{}", answer.text());
    let transfers = transfers(server).await;
    let types: Vec<_> = transfers.iter().map(|it| it.file_type.as_str()).collect();
    assert_eq!(types, ["6 Stored Firmware Image", "6 Stored Firmware Image"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s139_after_a_firmware_upgrade_the_versions_are_compared() {
    for (after, is_fault) in [("2.0", false), ("1.0", true)] {
        let server = scripted(&json!([download("a")]));
        let (mut cpe, asked) = open(&server).await;
        assert_eq!(post(&mut cpe, &downloaded(&asked, 1)).await.status, 204);
        let mut cpe = connect(&server.url());
        let events = [("1 BOOT", ""), ("7 TRANSFER COMPLETE", ""), ("M Download", "a")];
        let told = with_events(&script_inform(), &events).replace(">1.0<", &format!(">{after}<"));
        post(&mut cpe, &told).await;
        let answer = post(&mut cpe, &complete_with("a", 0)).await;
        assert!(holds(&answer, "TransferCompleteResponse"), "{}", answer.text());
        let (store, _folder) = server.into_store();
        let transfers = store.transfers(&device()).await.expect("readable");
        let end = transfers[0].end.as_ref().expect("an end");
        assert_eq!(
            (transfers[0].software_version.as_str(), end.software_version.as_str()),
            ("1.0", after)
        );
        let faults = store.faults(&device()).await.expect("readable");
        let kinds: Vec<_> = faults.iter().map(|it| it.kind.as_str()).collect();
        assert_eq!(kinds, if is_fault { vec!["firmware-unchanged"] } else { Vec::new() });
    }
}
