//! Each step, and each way to fail, on the bench: no server, no device, no WebAssembly.

use trellis_plugin::Fact;
use trellis_plugin::bench::Bench;
use trellis_plugin::serde_json::json;

use super::FirmwareUpgrade;

const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";

fn bench() -> Bench {
    let mut bench = Bench::new("Device.");
    bench.parameter(VERSION, "string", "1.0");
    bench.settings(json!({ "version": "2.0", "url": "http://files.example/2.0.bin" }));
    bench
}

/// A session with these events.
fn session(bench: &mut Bench, events: &[&str]) -> Result<(), String> {
    bench.session(events, &[VERSION]);
    bench.run::<FirmwareUpgrade>()
}

fn state(bench: &Bench) -> Option<&Fact> {
    bench.fact("firmware.state")
}

#[test]
fn an_upgrade_goes_from_the_download_to_the_version_in_three_sessions() {
    let mut bench = bench();
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    assert_eq!(bench.rpcs().len(), 1, "{:?}", bench.rpcs());
    assert!(bench.rpcs()[0].starts_with("Download"), "{:?}", bench.rpcs());
    assert_eq!(state(&bench), Some(&"transferring".into()));

    // A session in between changes nothing, and has nothing done again.
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    assert_eq!(bench.rpcs(), ["GetAllQueuedTransfers"]);

    bench.session(&["7 TRANSFER COMPLETE"], &[VERSION]).completed("upgrade-1", 0);
    bench.run::<FirmwareUpgrade>().unwrap();
    assert_eq!(state(&bench), Some(&"booting".into()));

    bench.parameter(VERSION, "string", "2.0");
    session(&mut bench, &["1 BOOT"]).unwrap();
    assert_eq!(state(&bench), Some(&"done".into()));
    assert!(bench.deadlines().is_empty());
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    assert!(bench.rpcs().is_empty());
}

#[test]
fn a_device_that_knows_nothing_of_the_transfer_is_asked_a_second_time_and_no_third() {
    let mut bench = bench();
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    let deadlines = bench.deadlines().clone();
    bench.forget_transfers().wait(60);
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    assert_eq!(bench.rpcs().len(), 2, "{:?}", bench.rpcs());
    assert!(bench.rpcs()[1].starts_with("Download"), "{:?}", bench.rpcs());
    assert_eq!(bench.deadlines(), &deadlines, "the time is not given twice");
    bench.forget_transfers();
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    assert!(bench.rpcs().is_empty(), "{:?}", bench.rpcs());
    let error = bench.expire::<FirmwareUpgrade>().unwrap().unwrap_err();
    assert!(error.contains("no TransferComplete came"), "{error}");
}

#[test]
fn a_device_that_cannot_tell_its_queue_is_waited_for() {
    let mut bench = bench();
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    bench.forget_transfers().fault("GetAllQueuedTransfers", 9000);
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    assert_eq!(bench.rpcs(), ["GetAllQueuedTransfers"]);
}

#[test]
fn what_does_not_come_in_time_is_reported_and_not_tried_again() {
    let mut bench = bench();
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    let error = bench.expire::<FirmwareUpgrade>().unwrap().unwrap_err();
    assert!(error.contains("no TransferComplete came"), "{error}");
    assert_eq!(state(&bench), Some(&"failed".into()));
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    assert!(bench.rpcs().is_empty());
}

#[test]
fn a_transfer_that_fails_and_a_boot_into_the_old_version_are_reported() {
    let mut failed = bench();
    session(&mut failed, &["2 PERIODIC"]).unwrap();
    failed.session(&["7 TRANSFER COMPLETE"], &[VERSION]).completed("upgrade-1", 9010);
    let error = failed.run::<FirmwareUpgrade>().unwrap_err();
    assert!(error.contains("9010"), "{error}");

    let mut old = bench();
    session(&mut old, &["2 PERIODIC"]).unwrap();
    old.session(&["7 TRANSFER COMPLETE"], &[VERSION]).completed("upgrade-1", 0);
    old.run::<FirmwareUpgrade>().unwrap();
    session(&mut old, &["1 BOOT"]).unwrap();
    let error = old.expire::<FirmwareUpgrade>().unwrap().unwrap_err();
    assert!(error.contains("after the restart the device runs 1.0"), "{error}");

    let mut silent = bench();
    session(&mut silent, &["2 PERIODIC"]).unwrap();
    silent.session(&["7 TRANSFER COMPLETE"], &[VERSION]).completed("upgrade-1", 0);
    silent.run::<FirmwareUpgrade>().unwrap();
    let error = silent.expire::<FirmwareUpgrade>().unwrap().unwrap_err();
    assert!(error.contains("the device did not restart"), "{error}");
}

#[test]
fn a_boot_that_is_told_again_is_not_taken_for_the_one_that_is_waited_for() {
    let mut bench = bench();
    session(&mut bench, &["1 BOOT"]).unwrap();
    bench.session(&["1 BOOT", "7 TRANSFER COMPLETE"], &[VERSION]).completed("upgrade-1", 0);
    bench.run::<FirmwareUpgrade>().unwrap();
    assert_eq!(state(&bench), Some(&"booting".into()));
    bench.parameter(VERSION, "string", "2.0");
    session(&mut bench, &["1 BOOT"]).unwrap();
    assert_eq!(state(&bench), Some(&"done".into()));
}

#[test]
fn the_end_of_an_earlier_attempt_is_not_taken_for_that_of_this_one() {
    let mut bench = bench();
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    bench.settings(json!({ "version": "3.0", "url": "http://files.example/3.0.bin" }));
    bench.session(&["7 TRANSFER COMPLETE"], &[VERSION]).completed("upgrade-1", 9010);
    bench.run::<FirmwareUpgrade>().unwrap();
    assert_eq!(bench.rpcs(), ["Download upgrade-2 http://files.example/3.0.bin"]);

    // A report of a failure is told again, since the run ended with one.
    bench.session(&["7 TRANSFER COMPLETE"], &[VERSION]).completed("upgrade-2", 9010);
    bench.run::<FirmwareUpgrade>().unwrap_err();
    bench.action::<FirmwareUpgrade>("retry-upgrade", &json!({})).unwrap();
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    assert_eq!(state(&bench), Some(&"transferring".into()));
    bench.session(&["7 TRANSFER COMPLETE"], &[VERSION]).completed("upgrade-3", 0);
    bench.run::<FirmwareUpgrade>().unwrap();
    assert_eq!(state(&bench), Some(&"booting".into()));
}

#[test]
fn nothing_is_reported_of_a_version_that_is_not_wanted_any_more() {
    let mut bench = bench();
    session(&mut bench, &["2 PERIODIC"]).unwrap();
    bench.settings(json!({ "version": null, "url": "" }));
    assert_eq!(bench.expire::<FirmwareUpgrade>(), Some(Ok(())));
}

#[test]
fn an_operator_can_have_it_tried_again() {
    let mut bench = bench();
    bench.fault("Download", 9004);
    session(&mut bench, &["2 PERIODIC"]).unwrap_err();
    assert_eq!(state(&bench), Some(&"failed".into()));
    let answer = bench.action::<FirmwareUpgrade>("retry-upgrade", &json!({})).unwrap();
    assert_eq!(answer, json!({ "version": "2.0" }));
    assert_eq!(state(&bench), Some(&"transferring".into()));
    let again = bench.action::<FirmwareUpgrade>("retry-upgrade", &json!({})).unwrap_err();
    assert!(again.contains("under way"), "{again}");
}
