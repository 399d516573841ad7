//! Whole sessions with a device in memory: `cargo test` needs no server and no WebAssembly.

use trellis_plugin::bench::Bench;
use trellis_plugin::{event, fault};

use super::*;

const SSID: &str = "Device.WiFi.SSID.1.SSID";

#[test]
fn the_name_is_set_once() {
    let mut bench = Bench::new("Device.");
    bench.parameter(SSID, "string", "Acme-1234");
    bench.run::<Wifi>().unwrap();
    assert_eq!(bench.value(SSID), Some("Trellis"));
    assert_eq!(bench.fact("wifi.ssid"), Some(&"Trellis".into()));
    assert_eq!(bench.memory_writes(), 1);

    bench.session(&[event::PERIODIC], &[]);
    bench.run::<Wifi>().unwrap();
    assert_eq!(bench.rpcs(), [format!("GetParameterValues {SSID}")]);
    assert_eq!(bench.memory_writes(), 0);
}

#[test]
fn the_action_holds_until_the_next_session() {
    let mut bench = Bench::new("Device.");
    bench.parameter(SSID, "string", "Acme-1234");
    bench.run::<Wifi>().unwrap();
    let answer = bench.action::<Wifi>("set-ssid", &json!({ "ssid": "Guests" }));
    assert_eq!(answer, Ok(json!({ "ssid": "Guests" })));
    assert_eq!(bench.value(SSID), Some("Guests"));
    assert_eq!(bench.fact("wifi.ssid"), Some(&"Guests".into()));

    bench.session(&[event::PERIODIC], &[]);
    bench.run::<Wifi>().unwrap();
    assert_eq!(bench.value(SSID), Some("Trellis"));
    // The whole of it, against a file; `TRELLIS_UPDATE=1 cargo test` writes it.
    bench.expect("src/transcript.txt").unwrap();
}

#[test]
fn a_device_that_refuses_is_a_fault() {
    let mut bench = Bench::new("Device.");
    bench.fault("SetParameterValues", fault::REQUEST_DENIED);
    let error = bench.action::<Wifi>("set-ssid", &json!({ "ssid": "Guests" })).unwrap_err();
    assert_eq!(error, "the device answered with fault 9001: bench");
}

#[test]
fn a_device_without_wifi_is_a_fault() {
    let error = Bench::new("InternetGatewayDevice.").run::<Wifi>().unwrap_err();
    let path = "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.SSID";
    assert_eq!(error, format!("the device has no {path}"));
}
