//! `kill -9` at any moment: what was acknowledged is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use trellis_store::{FactValue, Store};

use crate::server::{Server, guest, guests, key};

const DEVICES: u32 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_during_load_loses_no_device_no_fact_and_no_memory() {
    let mut server = Server::start(&guests());
    let acknowledged: Arc<Vec<AtomicU32>> =
        Arc::new((0..DEVICES).map(|_| AtomicU32::new(0)).collect());
    for round in 0..3_u64 {
        let mut load = tokio::task::JoinSet::new();
        for number in 0..DEVICES {
            let (url, acknowledged) = (server.url(), Arc::clone(&acknowledged));
            load.spawn(async move {
                let mut cpe = guest("remember", number);
                // A session that ends with 204 is acknowledged.
                while cpe.session(&url).await.is_ok() {
                    acknowledged[usize::try_from(number).expect("small")]
                        .fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(300 + 170 * round)).await;
        server.kill();
        while load.join_next().await.is_some() {}
        server.restart();
    }
    let total: u32 = acknowledged.iter().map(|it| it.load(Ordering::SeqCst)).sum();
    println!("{total} sessions were acknowledged");
    assert!(total > DEVICES);
    let (store, _folder) = server.into_store();
    for number in 0..DEVICES {
        let sessions = acknowledged[usize::try_from(number).expect("small")].load(Ordering::SeqCst);
        if sessions == 0 {
            continue;
        }
        let key = key(&guest("remember", number));
        let header = store.device(&key).await.expect("readable").expect("the device is there");
        assert!(header.sessions >= u64::from(sessions));
        let memory = store.notes(&key, "scripted").await.expect("readable");
        let remembered: u32 =
            serde_json::from_slice(&memory.memory["sessions"]).expect("what the guest wrote");
        assert!(remembered >= sessions, "device {number}: {remembered} of {sessions}");
        let FactValue::Number(fact) = header.facts["guest.sessions"].value else {
            panic!("not a number")
        };
        assert!(fact >= f64::from(sessions), "device {number}: {fact} of {sessions}");
        assert!(header.facts.contains_key("device.software-version"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_task_survives_a_kill_and_runs_once_in_the_next_session() {
    use trellis_cwmp::{Envelope, Header, Message, Reboot, encode, namespace};
    use trellis_store::{SledSettings, SledStore, Task, Work};
    let mut server = Server::start(&guests());
    let mut cpe = guest("nothing", 1);
    cpe.session(&server.url()).await.expect("a session");
    server.kill();
    let request = encode(&Envelope {
        namespace: namespace::CWMP_1_2.to_owned(),
        header: Header::default(),
        message: Message::Reboot(Reboot { command_key: "task-1".to_owned() }),
    })
    .expect("encoded");
    {
        let store = SledStore::open(SledSettings::new(server.data().join("db"))).expect("it opens");
        let task = Task {
            created_ms: 1,
            work: Work::Request { method: "Reboot".to_owned(), envelope: request },
            sent_ms: None,
            attempts: 0,
            result: None,
        };
        store.enqueue_task(&key(&cpe), &task).await.expect("queued");
    }
    server.restart();
    server.kill();
    server.restart();
    let report = cpe.session(&server.url()).await.expect("a session");
    assert_eq!(report.methods(), ["Reboot"]);
    let report = cpe.session(&server.url()).await.expect("a session");
    assert!(report.event_codes().contains(&"M Reboot"), "{:?}", report.event_codes());
    assert!(report.requests.is_empty());
    let (store, _folder) = server.into_store();
    let done = store.done_tasks(&key(&cpe)).await.expect("readable");
    assert!(done[0].1.result.as_ref().is_some_and(|result| result.outcome.is_ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_a_session_in_flight_finish() {
    use crate::raw::{connect, inform, post, values};
    let mut server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("four", "S1")).await;
    assert!(post(&mut cpe, "").await.text().contains("GetParameterValues"));
    let url = server.url();
    let stopping = tokio::task::spawn_blocking(move || server.stop());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut other = connect(&url);
    assert_eq!(post(&mut other, &inform("four", "S2")).await.status, 503);
    for id in ["1", "2", "3"] {
        assert!(post(&mut cpe, &values(id)).await.text().contains("GetParameterValues"));
    }
    assert_eq!(post(&mut cpe, &values("4")).await.status, 204);
    stopping.await.expect("a clean end");
}
