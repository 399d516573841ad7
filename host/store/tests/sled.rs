//! The store's verbs on a real folder.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use trellis_store::*;

fn open(folder: &std::path::Path) -> SledStore {
    SledStore::open(SledSettings { history_max: 3, ..SledSettings::new(folder) }).expect("it opens")
}

fn value(name: &str, value: &str) -> TreeChange {
    TreeChange::Value {
        name: name.to_owned(),
        value: value.to_owned(),
        value_type: "string".to_owned(),
        at_ms: 1,
    }
}

fn task() -> Task {
    Task {
        created_ms: 1,
        work: Work::Request { method: "Reboot".to_owned(), envelope: vec![1, 2] },
        sent_ms: None,
        attempts: 0,
        result: None,
    }
}

#[tokio::test]
async fn what_was_recorded_is_there_after_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = DeviceKey::from_text("00D09E-GW-1");
    {
        let store = open(folder.path());
        let mut header = Device { oui: "00D09E".to_owned(), ..Device::default() };
        header.publish("wifi.ssid", FactValue::Text("home".to_owned()), 5);
        store.record_inform(&key, &mut header, Forget::Nothing).await.expect("recorded");
        let notes = Notes { memory: [("step".to_owned(), vec![7])].into(), ..Notes::default() };
        let changes = Changes {
            notes: Some(("standard".to_owned(), notes)),
            tree: vec![value("Device.A", "1")],
            ..Changes::default()
        };
        store.record(&key, changes).await.expect("recorded");
        store.enqueue_task(&key, &task()).await.expect("queued");
        // No close: what was acknowledged must not need it.
    }
    let store = open(folder.path());
    let header = store.device(&key).await.expect("readable").expect("there");
    assert_eq!(header.facts["wifi.ssid"].value, FactValue::Text("home".to_owned()));
    assert_eq!(store.notes(&key, "standard").await.expect("readable").memory["step"], [7]);
    assert_eq!(store.notes(&key, "other").await.expect("readable"), Notes::default());
    let tree = store.tree(&key).await.expect("readable");
    assert_eq!(tree.0["Device.A"].value.as_deref(), Some("1"));
    assert_eq!(store.open_tasks(&key).await.expect("readable").len(), 1);
}

#[tokio::test]
async fn a_task_that_is_done_moves_from_the_open_to_the_done_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, key) = (open(folder.path()), DeviceKey::from_text("00D09E-1"));
    let id = store.enqueue_task(&key, &task()).await.expect("queued");
    let result = Some(TaskResult { at_ms: 2, outcome: Ok(vec![9]) });
    let changes = Changes { tasks: vec![(id, Task { result, ..task() })], ..Changes::default() };
    store.record(&key, changes).await.expect("recorded");
    assert!(store.open_tasks(&key).await.expect("readable").is_empty());
    let done = store.done_tasks(&key).await.expect("readable");
    assert_eq!(done.iter().map(|(done, _)| *done).collect::<Vec<_>>(), [id]);
}

#[tokio::test]
async fn a_bootstrap_forgets_the_tree_and_keeps_the_memory_and_other_devices() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let (one, two) = (DeviceKey::from_text("00D09E-1"), DeviceKey::from_text("00D09E-10"));
    for key in [&one, &two] {
        let changes = Changes { tree: vec![value("Device.A", "1")], ..Changes::default() };
        store.record(key, changes).await.expect("recorded");
    }
    store
        .record_inform(&one, &mut Device::default(), Forget::TreeAndTransfers)
        .await
        .expect("recorded");
    assert_eq!(store.tree(&one).await.expect("readable"), Tree::default());
    assert_eq!(store.tree(&two).await.expect("readable").0.len(), 1);
}

#[tokio::test]
async fn the_history_of_a_device_is_bounded_and_the_oldest_go_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, key) = (open(folder.path()), DeviceKey::from_text("00D09E-1"));
    for number in 0..5 {
        let fault = Fault {
            at_ms: number,
            blame: "plugin".to_owned(),
            plugin: None,
            kind: "trap".to_owned(),
            message: String::new(),
            backtrace: Vec::new(),
        };
        store
            .record(&key, Changes { faults: vec![fault], ..Changes::default() })
            .await
            .expect("recorded");
    }
    let faults = store.faults(&key).await.expect("readable");
    assert_eq!(faults.iter().map(|fault| fault.at_ms).collect::<Vec<_>>(), [2, 3, 4]);
}

fn transfer(command_key: &str, outcome: Option<TransferOutcome>) -> Transfer {
    Transfer {
        command_key: command_key.to_owned(),
        method: if outcome.is_none() { "Download".to_owned() } else { String::new() },
        file_type: "1 Firmware Upgrade Image".to_owned(),
        software_version: "1.0".to_owned(),
        requested_ms: 1,
        expires_ms: i64::MAX,
        end: outcome.map(|outcome| TransferEnd {
            at_ms: 2,
            outcome,
            software_version: "2.0".to_owned(),
            complete_time: command_key.to_owned(),
        }),
    }
}

async fn record_transfers(store: &SledStore, key: &DeviceKey, transfers: Vec<Transfer>) {
    let changes = Changes { transfers, ..Changes::default() };
    store.record(key, changes).await.expect("recorded");
}

#[tokio::test]
async fn an_open_transfer_outlives_those_that_have_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, key) = (open(folder.path()), DeviceKey::from_text("00D09E-1"));
    record_transfers(&store, &key, vec![transfer("open", None)]).await;
    for number in 0..5 {
        record_transfers(
            &store,
            &key,
            vec![transfer(&number.to_string(), Some(TransferOutcome::Done))],
        )
        .await;
    }
    record_transfers(&store, &key, vec![transfer("open", Some(TransferOutcome::Done))]).await;
    let transfers = store.transfers(&key).await.expect("readable");
    let keys: Vec<_> = transfers.iter().map(|it| it.command_key.as_str()).collect();
    assert_eq!(keys, ["open", "3", "4"]);
}

#[tokio::test]
async fn what_informs_tell_is_part_of_the_tree_and_newer_than_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, key) = (open(folder.path()), DeviceKey::from_text("00D09E-1"));
    let changes = Changes { tree: vec![value("Device.A", "old")], ..Changes::default() };
    store.record(&key, changes).await.expect("recorded");
    let mut header = Device::default();
    header.inform("Device.A", "new", trellis_cwmp::ValueType::String, 9);
    store.record_inform(&key, &mut header, Forget::Nothing).await.expect("recorded");
    let tree = store.tree(&key).await.expect("readable");
    assert_eq!(tree.0["Device.A"].value.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_bootstrap_with_a_large_inform_forgets_the_old_tree_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, key) = (open(folder.path()), DeviceKey::from_text("00D09E-1"));
    let changes = Changes { tree: vec![value("Device.Old", "1")], ..Changes::default() };
    store.record(&key, changes).await.expect("recorded");
    let mut header = Device::default();
    for number in 0..2_000 {
        let name = format!("Device.New.{number}");
        header.inform(&name, "a value of some length", trellis_cwmp::ValueType::String, 1);
    }
    store.record_inform(&key, &mut header, Forget::TreeAndTransfers).await.expect("recorded");
    let tree = store.tree(&key).await.expect("readable");
    assert_eq!(tree.0.len(), 2_000);
    assert!(!tree.0.contains_key("Device.Old"));
}

#[tokio::test]
async fn devices_are_listed_in_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for number in 0..5 {
        let key = DeviceKey::from_text(format!("00D09E-{number}"));
        store.record_inform(&key, &mut Device::default(), Forget::Nothing).await.expect("recorded");
    }
    let first = store.devices(None, 3).await.expect("readable");
    let rest = store.devices(first.last().map(|it| &it.0), 3).await.expect("readable");
    assert_eq!((first.len(), rest.len()), (3, 2));
    assert_eq!(rest[0].0.as_str(), "00D09E-3");
}

#[test]
fn a_folder_in_use_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let _first = open(folder.path());
    let second = SledStore::open(SledSettings::new(folder.path()));
    let error = second.err().expect("it is refused").to_string();
    assert!(error.contains("another trellis uses it"), "{error}");
}

#[tokio::test]
async fn transcripts_are_found_by_time_device_and_plugin_page_by_page_until_they_are_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let transcript = |number: i64| StoredTranscript {
        at_ms: 1_000 + number,
        device: DeviceKey::from_text(format!("00D09E-GW-{}", number % 7)),
        plugin: if number % 2 == 0 { "even" } else { "odd" }.to_owned(),
        // Some are so large that a row holds only a few.
        json: format!("{number} {}", "x".repeat(usize::try_from(number % 3).expect("small") << 15)),
    };
    for batch in [0..100, 100..101, 101..200] {
        // Sessions end in another order than they began.
        let batch = batch.rev().map(transcript).collect();
        store.add_transcripts(batch).await.expect("kept");
    }
    let device = Some(DeviceKey::from_text("00D09E-GW-3"));
    for (query, wanted) in [
        (TranscriptQuery::default(), (0..200).collect::<Vec<i64>>()),
        (TranscriptQuery { since_ms: 1_150, ..Default::default() }, (150..200).collect()),
        (
            TranscriptQuery { device, plugin: Some("odd".to_owned()), ..Default::default() },
            (0..200).filter(|it| it % 7 == 3 && it % 2 == 1).collect(),
        ),
    ] {
        for limit in [1, 7, 500] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let query = TranscriptQuery { after, limit, ..query.clone() };
                let page = store.transcripts(query).await.expect("readable");
                assert!(page.found.len() <= limit);
                found.extend(page.found);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let wanted: Vec<_> = wanted.iter().map(|number| transcript(*number)).collect();
            assert!(found == wanted, "{query:?} by {limit}: {} found", found.len());
        }
    }
    store.drop_transcripts(1_101, 50_000).await.expect("dropped");
    let all = TranscriptQuery { limit: 500, ..Default::default() };
    let left = store.transcripts(all).await.expect("readable").found;
    assert!(left.iter().all(|it| it.at_ms >= 1_101) && left.len() == 99, "{}", left.len());
}

#[tokio::test]
async fn a_page_of_large_transcripts_ends_before_its_number_is_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let large = |number: i64| StoredTranscript {
        at_ms: 1_000 + number,
        device: DeviceKey::from_text("00D09E-GW-1"),
        plugin: "large".to_owned(),
        json: "x".repeat(3 << 20),
    };
    store.add_transcripts((0..5).map(large).collect()).await.expect("kept");
    let (mut pages, mut found, mut after) = (0, 0, None);
    loop {
        let query = TranscriptQuery { after, limit: 500, ..Default::default() };
        let page = store.transcripts(query).await.expect("readable");
        pages += 1;
        found += page.found.len();
        after = page.next;
        if after.is_none() {
            break;
        }
        assert!(page.found.len() <= 3, "{}", page.found.len());
    }
    assert_eq!((pages, found), (2, 5));
}
