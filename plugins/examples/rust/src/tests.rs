//! Whole sessions with a device in memory: `cargo test` needs no server and no WebAssembly.

use trellis_plugin::bench::Bench;
use trellis_plugin::event;

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
fn a_device_without_wifi_is_a_fault() {
    let error = Bench::new("InternetGatewayDevice.").run::<Wifi>().unwrap_err();
    let path = "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.SSID";
    assert_eq!(error, format!("the device has no {path}"));
}
