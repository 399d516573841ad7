//! Whole sessions, against the bench's router.

use trellis_plugin::bench::Bench;
use trellis_plugin::{event, fault};

use super::*;

const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";
const INFORM: [&str; 1] = [VERSION];

fn router() -> Bench {
    let mut bench = Bench::new("Device.");
    bench
        .parameter(VERSION, "string", "7.15")
        .parameter("Device.DeviceInfo.X_MIKROTIK_SystemIdentity", "string", "MikroTik")
        .parameter("Device.DeviceInfo.X_MIKROTIK_ArchName", "string", "arm")
        .parameter("Device.ManagementServer.PeriodicInformEnable", "boolean", "1");
    bench.settings(json!({
        "identity": "cpe-{serial}",
        "periodic-inform-interval": 0,
        "firmware": { "version": "7.16", "url": "http://files/{version}/{arch}.xml" },
    }));
    bench
}

fn run(bench: &mut Bench, events: &[&str]) {
    bench.session(events, &INFORM);
    again(bench);
}

fn again(bench: &mut Bench) {
    bench.run::<MikroTik>().unwrap();
}

fn key(bench: &Bench) -> String {
    let download = bench.rpcs().iter().find_map(|rpc| rpc.strip_prefix("Download "));
    download.unwrap().split(' ').next().unwrap().to_owned()
}

fn assert_idle(bench: &mut Bench) {
    run(bench, &[event::PERIODIC]);
    assert!(bench.rpcs().is_empty(), "{:?}", bench.rpcs());
    assert_eq!(bench.memory_writes(), 0);
}

#[test]
fn a_router_gets_its_name_and_its_firmware_once() {
    let mut bench = router();
    run(&mut bench, &[event::BOOTSTRAP]);
    assert_eq!(bench.value("Device.DeviceInfo.X_MIKROTIK_SystemIdentity"), Some("cpe-S1"));
    assert_eq!(bench.fact("device.architecture"), Some(&"arm".into()));
    assert_eq!(bench.fact("firmware.state"), Some(&"downloading".into()));
    assert!(bench.rpcs().iter().any(|rpc| rpc.ends_with(" http://files/7.16/arm.xml")));
    let key = key(&bench);
    assert!(key.len() <= 32, "{key}");
    assert_idle(&mut bench);

    bench.parameter(VERSION, "string", "7.16");
    bench.session(&[event::BOOT, event::TRANSFER_COMPLETE], &INFORM).completed(&key, 0);
    again(&mut bench);
    assert_eq!(bench.fact("firmware.state"), Some(&"current".into()));
    assert_idle(&mut bench);
}

#[test]
fn a_failed_download_is_not_repeated() {
    let mut bench = router();
    run(&mut bench, &[event::BOOTSTRAP]);
    let key = key(&bench);
    bench.session(&[event::TRANSFER_COMPLETE], &INFORM).completed(&key, 9018);
    again(&mut bench);
    assert_eq!(bench.fact("firmware.state"), Some(&"failed".into()));
    assert_idle(&mut bench);
    bench.wait(3_600);
    assert_idle(&mut bench);
}

#[test]
fn a_refused_download_is_not_repeated() {
    let mut bench = router();
    bench.fault("Download", fault::RESOURCES_EXCEEDED);
    run(&mut bench, &[event::BOOTSTRAP]);
    assert_eq!(bench.fact("firmware.state"), Some(&"failed".into()));
    assert_idle(&mut bench);
}

#[test]
fn success_is_the_version_and_not_the_transfer() {
    let mut bench = router();
    run(&mut bench, &[event::BOOTSTRAP]);
    let key = key(&bench);
    bench.session(&[event::BOOT, event::TRANSFER_COMPLETE], &INFORM).completed(&key, 0);
    again(&mut bench);
    assert_eq!(bench.fact("firmware.state"), Some(&"failed".into()));
    assert!(!bench.rpcs().iter().any(|rpc| rpc.starts_with("Download")));
}

#[test]
fn silence_fails_after_a_day_and_another_version_begins_anew() {
    let mut bench = router();
    run(&mut bench, &[event::BOOTSTRAP]);
    bench.wait(86_400);
    run(&mut bench, &[event::PERIODIC]);
    assert_eq!(bench.fact("firmware.state"), Some(&"failed".into()));
    bench.settings(json!({
        "periodic-inform-interval": 0,
        "firmware": { "version": "7.17", "url": "http://files/{version}/{arch}.xml" },
    }));
    run(&mut bench, &[event::PERIODIC]);
    assert_eq!(bench.fact("firmware.state"), Some(&"downloading".into()));
}

#[test]
fn without_firmware_settings_nothing_is_said() {
    let mut bench = router();
    run(&mut bench, &[event::BOOTSTRAP]);
    bench.settings(json!({ "periodic-inform-interval": 0 }));
    run(&mut bench, &[event::PERIODIC]);
    assert_eq!(bench.fact("firmware.state"), None);
    assert_idle(&mut bench);
}

#[test]
fn a_name_needs_all_its_parts() {
    let device = |serial: &str| DeviceId {
        manufacturer: "MikroTik".to_owned(),
        oui: "E48D8C".to_owned(),
        product_class: "hAP mini".to_owned(),
        serial_number: serial.to_owned(),
    };
    assert_eq!(name("cpe-{serial}", &device("B7")), Some("cpe-B7".to_owned()));
    assert_eq!(name("{oui}/{product-class}", &device("")), Some("E48D8C/hAP mini".to_owned()));
    assert_eq!(name("cpe-{serial}", &device("")), None);
    assert_eq!(name("", &device("B7")), None);
}
