//! The rules of the RPC methods, tried on the built-in models.

use std::sync::Arc;

use crate::cpe::{Cpe, Options};
use crate::fault::CpeFault;
use crate::identity::Identity;
use crate::model::Model;
use crate::request::{AcsRequest, SetAttributes, SetValue, TransferRequest};

fn cpe_with(name: &str, options: Options) -> Cpe {
    let model = Arc::new(Model::built_in(name).unwrap());
    let identity = Identity::numbered(&model, "T-", 1);
    Cpe::new(model, identity, Arc::new(options))
}

fn cpe() -> Cpe {
    cpe_with("tr181", Options::default())
}

fn set(name: &str, type_name: &str, value: &str) -> SetValue {
    SetValue { name: name.into(), type_name: type_name.into(), value: value.into() }
}

fn spv(cpe: &mut Cpe, values: Vec<SetValue>) -> Result<String, CpeFault> {
    cpe.answer(&AcsRequest::SetParameterValues { values, parameter_key: "key-1".into() })
}

fn gpv(cpe: &mut Cpe, names: &[&str]) -> Result<Vec<(String, String)>, CpeFault> {
    let names = names.iter().map(ToString::to_string).collect();
    let xml = cpe.answer(&AcsRequest::GetParameterValues { names })?;
    Ok(pairs(&xml, "Name", "Value"))
}

fn gpn(cpe: &mut Cpe, path: &str, next_level: bool) -> Result<Vec<(String, String)>, CpeFault> {
    let request = AcsRequest::GetParameterNames { path: path.into(), next_level };
    Ok(pairs(&cpe.answer(&request)?, "Name", "Writable"))
}

/// The texts of two elements that follow each other, whatever attributes they have.
fn pairs(xml: &str, first: &str, second: &str) -> Vec<(String, String)> {
    let document =
        format!(r#"<r xmlns:cwmp="c" xmlns:soapenc="e" xmlns:xsi="x" xmlns:xsd="s">{xml}</r>"#);
    let document = roxmltree::Document::parse(&document).unwrap();
    let text = |name: &str| -> Vec<String> {
        document
            .descendants()
            .filter(|node| node.has_tag_name(name))
            .map(|node| node.text().unwrap_or_default().to_owned())
            .collect()
    };
    text(first).into_iter().zip(text(second)).collect()
}

fn names(pairs: &[(String, String)]) -> Vec<&str> {
    pairs.iter().map(|(name, _)| name.as_str()).collect()
}

const MAPPINGS: &str = "Device.NAT.PortMapping.";

fn add(cpe: &mut Cpe, object: &str) -> Result<u32, CpeFault> {
    let request = AcsRequest::AddObject { object: object.into(), parameter_key: "k".into() };
    let xml = cpe.answer(&request)?;
    Ok(pairs(&xml, "InstanceNumber", "Status")[0].0.parse().unwrap())
}

fn delete(cpe: &mut Cpe, object: &str) -> Result<String, CpeFault> {
    cpe.answer(&AcsRequest::DeleteObject { object: object.into(), parameter_key: "k".into() })
}

#[test]
fn a_partial_path_yields_everything_below_it() {
    let mut cpe = cpe();
    let found = gpv(&mut cpe, &["Device.DeviceInfo.MemoryStatus."]).unwrap();
    assert_eq!(
        names(&found),
        ["Device.DeviceInfo.MemoryStatus.Free", "Device.DeviceInfo.MemoryStatus.Total"]
    );
    let all = gpv(&mut cpe, &[""]).unwrap();
    assert_eq!(all.len(), cpe.tree().model().parameters.len());
}

#[test]
fn unknown_names_are_fault_9005_for_the_whole_call() {
    let mut cpe = cpe();
    let fault = gpv(&mut cpe, &["Device.DeviceInfo.UpTime", "Device.Nothing"]).unwrap_err();
    assert_eq!(fault.code, 9005);
    // A path that only starts like an object is none.
    assert_eq!(gpv(&mut cpe, &["Device.DeviceInf."]).unwrap_err().code, 9005);
    assert_eq!(gpv(&mut cpe, &["Device.DeviceInfo"]).unwrap_err().code, 9005);
    assert_eq!(gpn(&mut cpe, "Device.Nothing.", false).unwrap_err().code, 9005);
}

#[test]
fn an_empty_table_yields_an_empty_list() {
    let mut cpe = cpe();
    assert!(gpv(&mut cpe, &["Device.DHCPv4.Client."]).unwrap().is_empty());
    assert!(gpn(&mut cpe, "Device.DHCPv4.Client.", true).unwrap().is_empty());
    let all = gpn(&mut cpe, "Device.DHCPv4.Client.", false).unwrap();
    assert_eq!(names(&all), ["Device.DHCPv4.Client."]);
}

#[test]
fn passwords_read_back_empty() {
    let mut cpe = cpe();
    let path = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
    spv(&mut cpe, vec![set(path, "string", "12345678")]).unwrap();
    assert_eq!(gpv(&mut cpe, &[path]).unwrap()[0].1, "");
    assert_eq!(cpe.get(path).as_deref(), Some("12345678"));
}

#[test]
fn next_level_leaves_out_the_object_itself() {
    let mut cpe = cpe();
    assert_eq!(names(&gpn(&mut cpe, "", true).unwrap()), ["Device."]);
    let level = gpn(&mut cpe, "Device.NAT.", true).unwrap();
    assert_eq!(
        names(&level),
        [
            "Device.NAT.InterfaceSetting.",
            "Device.NAT.PortMapping.",
            "Device.NAT.InterfaceSettingNumberOfEntries",
            "Device.NAT.PortMappingNumberOfEntries",
        ]
    );
    let tree = gpn(&mut cpe, "Device.NAT.", false).unwrap();
    assert!(names(&tree).contains(&"Device.NAT."));
    assert!(names(&tree).contains(&"Device.NAT.PortMapping.1.Enable"));
    let parameter = "Device.DeviceInfo.UpTime";
    assert_eq!(gpn(&mut cpe, parameter, true).unwrap_err().code, 9003);
    assert_eq!(names(&gpn(&mut cpe, parameter, false).unwrap()), [parameter]);
}

#[test]
fn writable_means_add_for_tables_and_delete_for_instances() {
    let mut cpe = cpe();
    let all = gpn(&mut cpe, "Device.", false).unwrap();
    let writable = |path: &str| all.iter().find(|(name, _)| name == path).unwrap().1 == "1";
    assert!(writable("Device.NAT.PortMapping."));
    assert!(writable("Device.NAT.PortMapping.1."));
    assert!(writable("Device.NAT.PortMapping.1.Enable"));
    assert!(!writable("Device.Hosts.Host."));
    assert!(!writable("Device.Hosts.Host.1."));
    assert!(!writable("Device.DeviceInfo.UpTime"));
    assert!(!writable("Device."));
}

#[test]
fn setting_values_is_all_or_nothing_with_a_fault_per_parameter() {
    let mut cpe = cpe();
    let interval = "Device.ManagementServer.PeriodicInformInterval";
    let fault = spv(
        &mut cpe,
        vec![
            set("Device.ManagementServer.PeriodicInformEnable", "boolean", "0"),
            set("Device.Nothing", "string", ""),
            set(interval, "int", "5"),
            set("Device.ManagementServer.CWMPRetryMinimumWaitInterval", "unsignedInt", "0"),
            set("Device.DeviceInfo.UpTime", "unsignedInt", "5"),
        ],
    )
    .unwrap_err();
    assert_eq!(fault.code, 9003);
    let codes: Vec<u16> = fault.parameters.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [9005, 9006, 9007, 9008]);
    assert!(fault.xml().contains("<faultcode>Client</faultcode>"));
    assert_eq!(cpe.get("Device.ManagementServer.PeriodicInformEnable").as_deref(), Some("1"));
    assert_eq!(cpe.get("Device.ManagementServer.ParameterKey").as_deref(), Some(""));

    spv(&mut cpe, vec![set(interval, "unsignedInt", "300")]).unwrap();
    assert_eq!(cpe.get(interval).as_deref(), Some("300"));
    assert_eq!(cpe.get("Device.ManagementServer.ParameterKey").as_deref(), Some("key-1"));
}

#[test]
fn instance_numbers_are_never_used_twice() {
    let mut cpe = cpe();
    let count = "Device.NAT.PortMappingNumberOfEntries";
    assert_eq!(cpe.get(count).as_deref(), Some("1"));
    assert_eq!(add(&mut cpe, MAPPINGS).unwrap(), 2);
    assert_eq!(cpe.get(count).as_deref(), Some("2"));
    delete(&mut cpe, "Device.NAT.PortMapping.2.").unwrap();
    assert_eq!(add(&mut cpe, MAPPINGS).unwrap(), 3);
    delete(&mut cpe, "Device.NAT.PortMapping.1.").unwrap();
    delete(&mut cpe, "Device.NAT.PortMapping.3.").unwrap();
    assert_eq!(cpe.get(count).as_deref(), Some("0"));
    assert!(gpv(&mut cpe, &[MAPPINGS]).unwrap().is_empty());
    assert_eq!(add(&mut cpe, MAPPINGS).unwrap(), 4);
    assert_eq!(cpe.get("Device.ManagementServer.ParameterKey").as_deref(), Some("k"));
}

#[test]
fn a_new_instance_has_the_values_of_the_template_and_nested_tables() {
    let mut cpe = cpe();
    let number = add(&mut cpe, "Device.IP.Interface.").unwrap();
    let object = format!("Device.IP.Interface.{number}.");
    assert_eq!(cpe.get(&format!("{object}MaxMTUSize")).as_deref(), Some("1500"));
    let level = gpn(&mut cpe, &object, true).unwrap();
    assert!(names(&level).contains(&format!("{object}IPv4Address.").as_str()));
    assert!(names(&level).contains(&format!("{object}Stats.").as_str()));
    let inner = add(&mut cpe, &format!("{object}IPv4Address.")).unwrap();
    assert_eq!(inner, 1);
    let address = format!("{object}IPv4Address.1.IPAddress");
    spv(&mut cpe, vec![set(&address, "string", "10.0.0.1")]).unwrap();
    assert_eq!(gpv(&mut cpe, &[&address]).unwrap()[0].1, "10.0.0.1");
    assert_eq!(cpe.get(&format!("{object}IPv4AddressNumberOfEntries")).as_deref(), Some("1"));
    delete(&mut cpe, &object).unwrap();
    assert_eq!(gpv(&mut cpe, &[&address]).unwrap_err().code, 9005);
}

#[test]
fn tables_that_are_fixed_or_full_refuse() {
    let mut cpe = cpe();
    assert_eq!(add(&mut cpe, "Device.Hosts.Host.").unwrap_err().code, 9005);
    assert_eq!(add(&mut cpe, "Device.NAT.").unwrap_err().code, 9005);
    assert_eq!(delete(&mut cpe, "Device.Hosts.Host.1.").unwrap_err().code, 9005);
    assert_eq!(delete(&mut cpe, MAPPINGS).unwrap_err().code, 9005);
    for _ in 1..32 {
        add(&mut cpe, MAPPINGS).unwrap();
    }
    assert_eq!(add(&mut cpe, MAPPINGS).unwrap_err().code, 9004);
}

fn notify(cpe: &mut Cpe, name: &str, notification: u8) -> Result<String, CpeFault> {
    let entry =
        SetAttributes { name: name.into(), notification: Some(notification), access_list: None };
    cpe.answer(&AcsRequest::SetParameterAttributes { list: vec![entry] })
}

#[test]
fn active_notification_makes_a_value_change_event_and_passive_waits() {
    let mut cpe = cpe();
    cpe.events.clear();
    let (active, passive) = ("Device.WiFi.SSID.1.SSID", "Device.WiFi.SSID.2.SSID");
    notify(&mut cpe, active, 2).unwrap();
    notify(&mut cpe, passive, 1).unwrap();
    assert!(!cpe.value_change(passive, "b"));
    assert!(cpe.events().is_empty());
    assert!(cpe.value_change(active, "a"));
    assert_eq!(cpe.events()[0].code, "4 VALUE CHANGE");
    assert_eq!(cpe.changed.len(), 2);
    // What the ACS sets is no news to it.
    spv(&mut cpe, vec![set("Device.DeviceInfo.ProvisioningCode", "string", "x")]).unwrap();
    assert_eq!(cpe.changed.len(), 2);
}

#[test]
fn notification_can_be_refused_or_forced() {
    let mut cpe = cpe();
    assert_eq!(notify(&mut cpe, "Device.DeviceInfo.UpTime", 2).unwrap_err().code, 9009);
    assert_eq!(notify(&mut cpe, "Device.DeviceInfo.", 2).unwrap_err().code, 9009);
    assert_eq!(notify(&mut cpe, "Device.DeviceInfo.ModelName", 4).unwrap_err().code, 9003);
    notify(&mut cpe, "Device.DeviceInfo.", 0).unwrap();
    let attributes = cpe.tree().attributes("Device.DeviceInfo.SoftwareVersion");
    assert_eq!(attributes.notification, 2);
    let request =
        AcsRequest::GetParameterAttributes { names: vec!["Device.DeviceInfo.UpTime".into()] };
    let found = pairs(&cpe.answer(&request).unwrap(), "Name", "Notification");
    assert_eq!(found, [("Device.DeviceInfo.UpTime".to_owned(), "0".to_owned())]);
}

#[test]
fn a_download_is_reported_in_the_next_session_with_the_new_version() {
    let mut cpe = cpe();
    cpe.events.clear();
    let transfer = TransferRequest {
        command_key: "dl-1".into(),
        file_type: "1 Firmware Upgrade Image".into(),
        url: "http://f/fw-9.9.1.bin".into(),
        ..TransferRequest::default()
    };
    let xml = cpe.answer(&AcsRequest::Download(transfer)).unwrap();
    assert!(xml.starts_with("<cwmp:DownloadResponse><Status>1</Status>"), "{xml}");
    cpe.prepare(true);
    let codes: Vec<&str> = cpe.events().iter().map(|event| event.code.as_str()).collect();
    assert_eq!(codes, ["1 BOOT", "4 VALUE CHANGE", "7 TRANSFER COMPLETE", "M Download"]);
    assert_eq!(cpe.get("Device.DeviceInfo.SoftwareVersion").as_deref(), Some("9.9.1"));
    assert_eq!(cpe.requests.len(), 1);
}

#[test]
fn a_cancelled_transfer_is_never_reported() {
    let mut cpe = cpe();
    cpe.events.clear();
    let transfer = TransferRequest {
        command_key: "up-1".into(),
        file_type: "3 Vendor Configuration File 1".into(),
        url: "http://f/up".into(),
        ..TransferRequest::default()
    };
    cpe.answer(&AcsRequest::Upload(transfer)).unwrap();
    let all = cpe.answer(&AcsRequest::GetAllQueuedTransfers).unwrap();
    assert_eq!(pairs(&all, "CommandKey", "IsDownload"), [("up-1".to_owned(), "0".to_owned())]);
    cpe.answer(&AcsRequest::CancelTransfer { command_key: "up-1".into() }).unwrap();
    cpe.prepare(true);
    assert!(cpe.events().is_empty());
}

#[test]
fn a_factory_reset_brings_back_the_defaults_and_bootstraps() {
    let mut cpe = cpe();
    add(&mut cpe, MAPPINGS).unwrap();
    spv(&mut cpe, vec![set("Device.WiFi.SSID.1.SSID", "string", "mine")]).unwrap();
    cpe.answer(&AcsRequest::FactoryReset).unwrap();
    cpe.after_session();
    assert_eq!(cpe.get("Device.WiFi.SSID.1.SSID").as_deref(), Some("Home-1"));
    assert_eq!(cpe.get("Device.NAT.PortMappingNumberOfEntries").as_deref(), Some("1"));
    assert_eq!(cpe.get("Device.ManagementServer.ParameterKey").as_deref(), Some(""));
    let codes: Vec<&str> = cpe.events().iter().map(|event| event.code.as_str()).collect();
    assert_eq!(codes, ["0 BOOTSTRAP", "1 BOOT"]);
}

#[test]
fn two_reboots_are_one_boot_with_both_keys() {
    let mut cpe = cpe();
    cpe.events.clear();
    for key in ["a", "b"] {
        cpe.answer(&AcsRequest::Reboot { command_key: key.into() }).unwrap();
    }
    cpe.after_session();
    let events: Vec<(&str, &str)> =
        cpe.events().iter().map(|e| (e.code.as_str(), e.command_key.as_str())).collect();
    assert_eq!(events, [("1 BOOT", ""), ("M Reboot", "a"), ("M Reboot", "b")]);
}

#[test]
fn diagnostics_end_with_results_and_their_event() {
    let mut cpe = cpe();
    cpe.events.clear();
    let ping = "Device.IP.Diagnostics.IPPing.";
    spv(&mut cpe, vec![set(&format!("{ping}DiagnosticsState"), "string", "Requested")]).unwrap();
    cpe.after_session();
    assert_eq!(cpe.get(&format!("{ping}DiagnosticsState")).as_deref(), Some("Complete"));
    assert_eq!(cpe.get(&format!("{ping}SuccessCount")).as_deref(), Some("4"));
    assert_eq!(cpe.events()[0].code, "8 DIAGNOSTICS COMPLETE");
}

#[test]
fn unsupported_methods_are_fault_9000_and_not_listed() {
    let options = Options { unsupported: vec!["FactoryReset".into()], ..Options::default() };
    let mut cpe = cpe_with("tr098", options);
    assert_eq!(cpe.answer(&AcsRequest::FactoryReset).unwrap_err().code, 9000);
    let methods = cpe.answer(&AcsRequest::GetRPCMethods).unwrap();
    assert!(!methods.contains("FactoryReset") && methods.contains("<string>Upload</string>"));
    // The model is one of CWMP 1.0.
    assert!(!methods.contains("ChangeDUState"));
}

#[test]
fn waiting_times_grow_as_the_standard_says() {
    let mut cpe = cpe();
    for (failures, range) in [(1, (5.0, 10.0)), (2, (10.0, 20.0)), (40, (2560.0, 5120.0))] {
        cpe.failures_since_boot = failures;
        assert_eq!(cpe.back_off_range(), range);
    }
}
