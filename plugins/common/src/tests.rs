//! Whole sessions, against the bench's device.

use trellis_plugin::bench::Bench;
use trellis_plugin::serde_json::{Value as Json, json};
use trellis_plugin::{Cpe, Manifest, Plugin, Result, event, fault};

use crate::{Extra, Settings, defaults, provision};

struct Common;

impl Plugin for Common {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("common", "0.0.0").settings(json!({}), defaults())
    }

    fn provision(cpe: &mut Cpe, settings: Settings) -> Result<()> {
        provision(cpe, &settings, Extra::default()).map(|_| ())
    }
}

const INFORM: [&str; 2] =
    ["Device.DeviceInfo.SoftwareVersion", "Device.ManagementServer.ConnectionRequestURL"];

fn router() -> Bench {
    let mut bench = Bench::new("Device.");
    bench
        .parameter("Device.DeviceInfo.SoftwareVersion", "string", "1.0")
        .parameter("Device.DeviceInfo.HardwareVersion", "string", "A")
        .parameter("Device.DeviceInfo.ModelName", "string", "FR")
        .parameter("Device.DeviceInfo.UpTime", "unsignedInt", "42")
        .parameter(
            "Device.ManagementServer.ConnectionRequestURL",
            "string",
            "http://10.0.0.9:7547/",
        )
        .parameter("Device.ManagementServer.PeriodicInformEnable", "boolean", "0")
        .parameter("Device.ManagementServer.PeriodicInformInterval", "unsignedInt", "60")
        .parameter("Device.WiFi.SSID.1.SSID", "string", "home")
        .parameter("Device.WiFi.SSID.1.Enable", "boolean", "1")
        .parameter("Device.IP.Interface.1.IPv4Address.1.IPAddress", "string", "10.0.0.9")
        .parameter("Device.PPP.Interface.1.IPCP.LocalIPAddress", "string", "")
        .parameter("Device.DHCPv4.Client.1.IPAddress", "string", "")
        .parameter("Device.Hosts.HostNumberOfEntries", "unsignedInt", "3")
        .parameter("Device.Time.NTPServer1", "string", "")
        .parameter("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "string", "");
    bench
}

fn run(bench: &mut Bench, events: &[&str], inform: &[&str]) -> Vec<String> {
    bench.session(events, inform);
    bench.run::<Common>().unwrap();
    let method = |rpc: &String| rpc.split(' ').next().unwrap().to_owned();
    bench.rpcs().iter().map(method).collect()
}

fn with_settings(bench: &mut Bench, parameters: &Json) {
    bench.settings(json!({ "parameters": parameters }));
}

fn assert_idle(bench: &mut Bench) {
    assert!(run(bench, &[event::PERIODIC], &INFORM).is_empty(), "{:?}", bench.rpcs());
    assert_eq!(bench.memory_writes(), 0);
}

const READ: &str = "GetParameterValues";
const WRITE: &str = "SetParameterValues";
const WATCH: &str = "SetParameterAttributes";

#[test]
fn first_contact_takes_four_requests() {
    let mut bench = router();
    let rpcs = run(&mut bench, &[event::BOOTSTRAP, event::BOOT], &INFORM);
    assert_eq!(rpcs, [READ, READ, WRITE, WATCH]);
    assert_eq!(bench.value("Device.ManagementServer.PeriodicInformInterval"), Some("3600"));
    assert_eq!(bench.notification("Device.WiFi.SSID.1.SSID"), Some(1));
    assert_eq!(bench.notification("Device.DeviceInfo.UpTime"), Some(0));
    for (name, fact) in [
        ("device.software-version", "1.0".into()),
        ("device.model", "FR".into()),
        ("device.uptime-s", 42.0.into()),
        ("wan.ipv4-address", "10.0.0.9".into()),
        ("wifi.ssid", "home".into()),
        ("lan.hosts", 3.0.into()),
        ("config.state", "applied".into()),
    ] {
        assert_eq!(bench.fact(name), Some(&fact), "{name}");
    }
}

#[test]
fn a_periodic_session_is_free() {
    let mut bench = router();
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_idle(&mut bench);
}

#[test]
fn a_heartbeat_is_free_even_for_an_unknown_device() {
    let mut bench = router();
    assert!(run(&mut bench, &[event::HEARTBEAT], &INFORM).is_empty());
    assert_eq!(bench.memory_writes(), 0);
}

#[test]
fn facts_follow_the_inform_without_a_request() {
    let mut bench = router();
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    bench.parameter("Device.WiFi.SSID.1.SSID", "string", "cave");
    let rpcs = run(&mut bench, &[event::VALUE_CHANGE], &["Device.WiFi.SSID.1.SSID"]);
    assert!(rpcs.is_empty());
    assert_eq!(bench.fact("wifi.ssid"), Some(&"cave".into()));
    assert_idle(&mut bench);
}

#[test]
fn a_refresh_is_one_request_and_finds_new_rows() {
    let mut bench = router();
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    bench.parameter("Device.WiFi.SSID.2.SSID", "string", "guests").wait(86_400);
    assert_eq!(run(&mut bench, &[event::PERIODIC], &INFORM), [READ, WATCH]);
    assert_eq!(bench.fact("wifi.ssids"), Some(&"home, guests".into()));
    assert_idle(&mut bench);
    bench.wait(86_400);
    assert_eq!(run(&mut bench, &[event::PERIODIC], &INFORM), [READ]);
}

#[test]
fn another_software_version_is_learned_anew() {
    let mut bench = router();
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    bench.parameter("Device.DeviceInfo.SoftwareVersion", "string", "2.0");
    assert_eq!(run(&mut bench, &[event::BOOT], &INFORM), [READ, READ, WATCH]);
    assert_eq!(bench.fact("device.software-version"), Some(&"2.0".into()));
    assert_idle(&mut bench);
}

#[test]
fn settings_are_kept_on_the_device() {
    let mut bench = router();
    let ntp = "Device.Time.NTPServer1";
    with_settings(&mut bench, &json!({ ".Time.NTPServer1": "a" }));
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(bench.value(ntp), Some("a"));
    assert_eq!(bench.notification(ntp), Some(1));

    with_settings(&mut bench, &json!({ ".Time.NTPServer1": "b" }));
    assert_eq!(run(&mut bench, &[event::PERIODIC], &INFORM), [READ, WRITE, WATCH]);
    assert_eq!(bench.value(ntp), Some("b"));
    assert_idle(&mut bench);

    bench.parameter(ntp, "string", "mine");
    assert_eq!(run(&mut bench, &[event::VALUE_CHANGE], &[ntp]), [READ, WRITE]);
    assert_eq!(bench.value(ntp), Some("b"));
    assert!(run(&mut bench, &[event::VALUE_CHANGE], &[ntp]).is_empty());
    assert_eq!(run(&mut bench, &[event::BOOT], &INFORM), [READ]);
}

#[test]
fn secrets_are_written_once_and_never_compared() {
    let mut bench = router();
    let key = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
    with_settings(&mut bench, &json!({ key: "s3cret" }));
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(bench.value(key), Some("s3cret"));
    // The device reads it back empty.
    bench.parameter(key, "string", "");
    assert_eq!(run(&mut bench, &[event::BOOT], &INFORM), [READ]);
    assert!(!bench.rpcs()[0].contains(key));
}

#[test]
fn settings_that_the_device_cannot_take_now_wait_for_a_day() {
    let mut bench = router();
    with_settings(&mut bench, &json!({ ".Time.NTPServer1": "a" }));
    bench.fault(WRITE, fault::REQUEST_DENIED);
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(bench.fact("config.state"), Some(&"failed".into()));
    assert!(bench.fact("config.fault").is_some());
    assert_idle(&mut bench);
    assert!(run(&mut bench, &[event::BOOT], &INFORM).is_empty());

    bench.settings(json!({ "parameters": { ".Time.NTPServer1": "a" }, "refresh-interval": 0 }));
    bench.wait(86_400);
    assert_eq!(run(&mut bench, &[event::PERIODIC], &INFORM), [READ, WRITE, WATCH]);
    assert_eq!(bench.fact("config.state"), Some(&"applied".into()));
    assert_eq!(bench.fact("config.fault"), None);
}

#[test]
fn one_setting_that_the_device_refuses_does_not_hold_up_the_others() {
    let mut bench = router();
    bench.read_only("Device.Time.NTPServer1");
    with_settings(&mut bench, &json!({ ".Time.NTPServer1": "a", ".WiFi.SSID.1.SSID": "b" }));
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(bench.value("Device.WiFi.SSID.1.SSID"), Some("b"));
    assert_eq!(bench.value("Device.ManagementServer.PeriodicInformInterval"), Some("3600"));
    assert_eq!(bench.fact("config.state"), Some(&"incomplete".into()));
    let fault = "the device refuses Device.Time.NTPServer1";
    assert_eq!(bench.fact("config.fault"), Some(&fault.into()));
    assert_idle(&mut bench);
    assert_eq!(run(&mut bench, &[event::BOOT], &INFORM), [READ]);
}

#[test]
fn one_setting_that_is_refused_without_a_name_is_found() {
    let mut bench = router();
    with_settings(&mut bench, &json!({ ".Time.NTPServer1": "a" }));
    // All of it, then the half and the single one that it is in.
    for _ in 0..2 {
        bench.fault("SetParameterValues Device.ManagementServer.", fault::INVALID_ARGUMENTS);
    }
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(bench.value("Device.Time.NTPServer1"), Some("a"));
    assert_eq!(bench.value("Device.ManagementServer.PeriodicInformInterval"), Some("3600"));
    assert_eq!(bench.fact("config.state"), Some(&"incomplete".into()));
}

#[test]
fn a_reset_that_the_device_does_not_tell_of_is_noticed_after_its_restart() {
    let mut bench = router();
    let key = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
    with_settings(&mut bench, &json!({ key: "s3cret" }));
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    bench
        .parameter(key, "string", "")
        .parameter("Device.ManagementServer.PeriodicInformInterval", "unsignedInt", "60")
        .forget_notifications();
    let rpcs = run(&mut bench, &[event::BOOT], &INFORM);
    assert_eq!(rpcs, [READ, WRITE, READ, WRITE, WATCH]);
    assert_eq!(bench.value(key), Some("s3cret"));
    assert_eq!(bench.notification("Device.WiFi.SSID.1.SSID"), Some(1));
    assert_idle(&mut bench);
}

#[test]
fn texts_of_any_length_do_not_keep_the_device_from_being_configured() {
    let mut bench = router();
    for number in 1..60 {
        let name = format!("Device.WiFi.SSID.{number}.SSID");
        bench.parameter(&name, "string", &format!("network-{number}-{}", "x".repeat(20)));
    }
    bench.parameter("Device.DeviceInfo.SoftwareVersion", "string", &"v".repeat(100_000));
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(bench.value("Device.ManagementServer.PeriodicInformInterval"), Some("3600"));
    assert_idle(&mut bench);
}

#[test]
fn a_device_without_some_objects_is_read_in_three_requests() {
    let mut bench = Bench::new("InternetGatewayDevice.");
    bench
        .parameter("InternetGatewayDevice.DeviceInfo.ModelName", "string", "old")
        .parameter("InternetGatewayDevice.ManagementServer.PeriodicInformEnable", "boolean", "1")
        .parameter(
            "InternetGatewayDevice.WANDevice.1.WANConnectionDevice.1.WANIPConnection.1.\
             ExternalIPAddress",
            "string",
            "203.0.113.7",
        );
    bench.settings(json!({ "periodic-inform-interval": 0 }));
    let rpcs = run(&mut bench, &[event::BOOTSTRAP], &[]);
    assert_eq!(rpcs, [READ, "GetParameterNames", READ, WATCH]);
    assert_eq!(bench.fact("device.model"), Some(&"old".into()));
    assert_eq!(bench.fact("wan.ipv4-address"), Some(&"203.0.113.7".into()));
    bench.wait(86_400);
    assert_eq!(run(&mut bench, &[event::PERIODIC], &[]), [READ]);
}

#[test]
fn an_object_too_large_is_read_by_its_names() {
    let mut bench = router();
    bench
        .fault("GetParameterValues Device.DeviceInfo.", fault::RESOURCES_EXCEEDED)
        .fault("GetParameterValues Device.DeviceInfo.", fault::RESOURCES_EXCEEDED);
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(bench.fact("device.model"), Some(&"FR".into()));
    assert_eq!(bench.fact("wifi.ssid"), Some(&"home".into()));
    bench.wait(86_400);
    assert_eq!(run(&mut bench, &[event::PERIODIC], &INFORM), [READ, "GetParameterNames", READ]);
    assert!(!bench.rpcs()[0].contains("Device.DeviceInfo. "));
}

#[test]
fn new_rows_of_a_table_that_is_read_by_its_names_are_found() {
    let mut bench = router();
    bench
        .fault("GetParameterValues Device.DeviceInfo. ", fault::RESOURCES_EXCEEDED)
        .fault("GetParameterValues Device.WiFi.SSID.", fault::RESOURCES_EXCEEDED);
    run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(bench.fact("wifi.ssids"), Some(&"home".into()));
    bench.parameter("Device.WiFi.SSID.2.SSID", "string", "guests").wait(86_400);
    run(&mut bench, &[event::PERIODIC], &INFORM);
    assert_eq!(bench.fact("wifi.ssids"), Some(&"home, guests".into()));
    assert_eq!(bench.notification("Device.WiFi.SSID.2.SSID"), Some(1));
}

#[test]
fn a_table_without_end_costs_a_bounded_number_of_requests() {
    let mut bench = router();
    for number in 1..=300 {
        let name = format!("Device.IP.Interface.{number}.IPv4Address.1.IPAddress");
        bench.parameter(&name, "string", "10.0.0.1");
    }
    bench
        .fault("GetParameterValues Device.DeviceInfo. ", fault::RESOURCES_EXCEEDED)
        .fault("GetParameterValues Device.IP.Interface.", fault::RESOURCES_EXCEEDED);
    let rpcs = run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert!(rpcs.len() < 160, "{}", rpcs.len());
    assert_eq!(bench.fact("config.state"), Some(&"applied".into()));
}

#[test]
fn names_that_cannot_be_watched_are_left_out() {
    let mut bench = router();
    bench.fault(WATCH, fault::NOTIFICATION_REJECTED);
    let rpcs = run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(rpcs, [READ, READ, WRITE, WATCH, WATCH, WATCH]);
    assert_eq!(bench.notification("Device.WiFi.SSID.1.SSID"), Some(1));
}

#[test]
fn many_names_are_watched_in_several_requests() {
    let mut bench = router();
    let names: Vec<String> = (0..120).map(|n| format!("Device.Users.User.{n}.Name")).collect();
    let mut parameters = Json::Object(Default::default());
    for name in &names {
        bench.parameter(name, "string", "x");
        parameters[name] = json!("y");
    }
    with_settings(&mut bench, &parameters);
    let rpcs = run(&mut bench, &[event::BOOTSTRAP], &INFORM);
    assert_eq!(rpcs.iter().filter(|rpc| *rpc == WATCH).count(), 3, "{rpcs:?}");
    assert_eq!(bench.notification(&names[119]), Some(1));
}
