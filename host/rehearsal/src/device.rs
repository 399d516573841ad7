//! A simulated device: a tree of parameters that answers requests as the standard says.

use std::collections::BTreeMap;

use serde::Deserialize;
use trellis_cwmp::*;

/// A device, as a JSON file describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Device {
    /// The maker's name.
    #[serde(default = "acme")]
    pub manufacturer: String,
    /// Six hexadecimal digits.
    #[serde(default = "oui")]
    pub oui: String,
    /// The kind of product.
    #[serde(default = "product_class")]
    pub product_class: String,
    /// Its number.
    #[serde(default = "serial_number")]
    pub serial_number: String,
    /// The version of CWMP that it speaks.
    #[serde(default = "cwmp_version")]
    pub cwmp_version: String,
    /// What its Informs tell, by name. Default: its versions and its ParameterKey, as far as it has
    /// them.
    #[serde(default)]
    pub inform: Option<Vec<String>>,
    /// Its parameters, by their full names: a text, or an object.
    pub parameters: BTreeMap<String, Parameter>,
    /// Tables that rows can be added to, though they may be empty, such as `Device.NAT.PortMapping.`:
    /// what a new row has, by the names below it.
    #[serde(default)]
    pub tables: BTreeMap<String, BTreeMap<String, Parameter>>,
    /// The last number of a row that a table gave.
    #[serde(skip)]
    instances: BTreeMap<String, u32>,
}

/// A parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a parameter is a text such as \"1\", or an object with `value`, and with `type` and \
                 `writable` where they are not \"string\" and true; `value` is a text too"
)]
pub enum Parameter {
    /// A text that can be set.
    Text(String),
    /// Anything else.
    Full(FullParameter),
}

/// A parameter, in full.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FullParameter {
    /// Its exact text.
    pub value: String,
    /// Its type without prefix.
    #[serde(default = "string", rename = "type")]
    pub value_type: String,
    /// Whether it can be set.
    #[serde(default = "yes")]
    pub writable: bool,
}

/// A file that describes no device.
#[derive(Debug)]
pub struct DeviceError(String);

fn acme() -> String {
    "Acme".to_owned()
}
fn oui() -> String {
    "00D09E".to_owned()
}
fn product_class() -> String {
    "Test".to_owned()
}
fn serial_number() -> String {
    "1".to_owned()
}
fn cwmp_version() -> String {
    "1.4".to_owned()
}
fn string() -> String {
    "string".to_owned()
}
fn yes() -> bool {
    true
}

/// The time of what has no time (TR-069 A.2.1).
pub(crate) const UNKNOWN_TIME: &str = "0001-01-01T00:00:00Z";

/// What Informs tell of every device, below its root.
const FORCED: [&str; 4] = [
    "DeviceInfo.HardwareVersion",
    "DeviceInfo.SoftwareVersion",
    "DeviceInfo.ProvisioningCode",
    "ManagementServer.ParameterKey",
];

impl Device {
    /// Reads a device from JSON. The error says where it is wrong.
    pub fn from_json(text: &str) -> Result<Self, DeviceError> {
        let device: Self =
            serde_json::from_str(text).map_err(|error| DeviceError(error.to_string()))?;
        if device.parameters.is_empty() {
            return Err(DeviceError("it has no parameters".to_owned()));
        }
        if CwmpVersion::parse(&device.cwmp_version).is_none() {
            let version = &device.cwmp_version;
            return Err(DeviceError(format!("cwmp-version is {version:?}; it is such as 1.4")));
        }
        Ok(device)
    }

    /// `Device.` or `InternetGatewayDevice.`.
    pub fn root(&self) -> String {
        let first = self.parameters.keys().next().map(String::as_str).unwrap_or_default();
        first.split_inclusive('.').next().unwrap_or_default().to_owned()
    }

    /// What an Inform tells.
    pub(crate) fn inform_parameters(&self) -> ParameterList {
        let root = self.root();
        let forced = FORCED.iter().map(|name| format!("{root}{name}")).collect();
        let names: Vec<String> = self.inform.clone().unwrap_or(forced);
        let mut list = ParameterList::new();
        for name in &names {
            if let Some(it) = self.parameters.get(name) {
                list.push(name, it.value(), it.value_type());
            }
        }
        list
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, request: &Message) -> Message {
        match self.try_answer(request) {
            Ok(answer) => answer,
            Err((code, faults)) => Message::Fault(Fault {
                soap_fault_code: "Client".to_owned(),
                soap_fault_string: "CWMP fault".to_owned(),
                fault_code: code,
                fault_string: text(code).to_owned(),
                set_parameter_values_fault: faults,
            }),
        }
    }

    fn try_answer(&mut self, request: &Message) -> Result<Message, Refusal> {
        let begun = TransferStatus {
            status: 1,
            start_time: UNKNOWN_TIME.to_owned(),
            complete_time: UNKNOWN_TIME.to_owned(),
        };
        Ok(match request {
            Message::GetParameterValues(it) => {
                let mut parameter_list = ParameterList::new();
                for name in &it.parameter_names {
                    let found: Vec<_> = self.below(name).collect();
                    if found.is_empty() && self.tables_below(name).next().is_none() {
                        return Err((cpe_fault::INVALID_PARAMETER_NAME, Vec::new()));
                    }
                    for (name, it) in found {
                        parameter_list.push(name, it.value(), it.value_type());
                    }
                }
                Message::GetParameterValuesResponse(GetParameterValuesResponse { parameter_list })
            }
            Message::SetParameterValues(it) => {
                self.set(&it.parameter_list)?;
                self.set_key(&it.parameter_key);
                Message::SetParameterValuesResponse(SetParameterValuesResponse { status: 0 })
            }
            Message::GetParameterNames(it) => self.names(it)?,
            Message::GetParameterAttributes(it) => {
                let found = it.parameter_names.iter().flat_map(|name| self.below(name));
                let rows = found.map(|(name, _)| ParameterAttributeStruct {
                    name: name.clone(),
                    notification: 0,
                    access_list: Vec::new(),
                });
                let parameter_list = rows.collect();
                Message::GetParameterAttributesResponse(GetParameterAttributesResponse {
                    parameter_list,
                })
            }
            Message::SetParameterAttributes(_) => Message::SetParameterAttributesResponse,
            Message::AddObject(it) => self.add(it)?,
            Message::DeleteObject(it) => {
                let before = self.parameters.len();
                self.parameters.retain(|name, _| !name.starts_with(&it.object_name));
                if self.parameters.len() == before {
                    return Err((cpe_fault::INVALID_PARAMETER_NAME, Vec::new()));
                }
                Message::DeleteObjectResponse(DeleteObjectResponse { status: 0 })
            }
            Message::Reboot(_) => Message::RebootResponse,
            Message::FactoryReset => Message::FactoryResetResponse,
            Message::ScheduleInform(_) => Message::ScheduleInformResponse,
            Message::Download(_) => Message::DownloadResponse(begun),
            Message::Upload(_) => Message::UploadResponse(begun),
            _ => return Err((cpe_fault::METHOD_NOT_SUPPORTED, Vec::new())),
        })
    }

    /// The parameters that a name or a path names.
    fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a String, &'a Parameter)> {
        self.parameters.iter().filter(move |(name, _)| {
            if is_path(path) { name.starts_with(path) } else { name.as_str() == path }
        })
    }

    /// All or none.
    fn set(&mut self, list: &ParameterList) -> Result<(), Refusal> {
        let fault = |name: &str, code: u32| SetParameterValuesFault {
            parameter_name: name.to_owned(),
            fault_code: code,
            fault_string: text(code).to_owned(),
        };
        let faults: Vec<_> = list
            .iter()
            .filter_map(|row| match self.parameters.get(row.name) {
                None => Some(fault(row.name, cpe_fault::INVALID_PARAMETER_NAME)),
                Some(it) if !it.writable() => Some(fault(row.name, NOT_WRITABLE)),
                Some(it) if it.value_type() != row.value_type => Some(fault(row.name, WRONG_TYPE)),
                Some(_) => None,
            })
            .collect();
        if !faults.is_empty() {
            return Err((cpe_fault::INVALID_ARGUMENTS, faults));
        }
        for row in list.iter() {
            if let Some(known) = self.parameters.get_mut(row.name) {
                let value_type = known.value_type().local_name().to_owned();
                let value = row.value.to_owned();
                *known = Parameter::Full(FullParameter { value, value_type, writable: true });
            }
        }
        Ok(())
    }

    fn set_key(&mut self, key: &str) {
        let name = format!("{}ManagementServer.ParameterKey", self.root());
        if let Some(known) = self.parameters.get_mut(&name) {
            let (value, value_type) = (key.to_owned(), string());
            *known = Parameter::Full(FullParameter { value, value_type, writable: false });
        }
    }

    fn names(&self, asked: &GetParameterNames) -> Result<Message, Refusal> {
        let path = &asked.parameter_path;
        // What is there, and whether it can be set or be added to.
        let parameters = self.below(path).map(|(name, it)| (name, it.writable()));
        let there = parameters.chain(self.tables_below(path).map(|table| (table, true)));
        let mut names: BTreeMap<String, bool> = BTreeMap::new();
        for (whole, writable) in there {
            let rest = whole.strip_prefix(path.as_str()).unwrap_or_default();
            if rest.is_empty() && !is_path(path) {
                names.insert(whole.clone(), writable);
            }
            let mut end = path.len();
            for part in rest.split_inclusive('.') {
                end += part.len();
                let name = whole.get(..end).unwrap_or_default().to_owned();
                let writable = writable && name == *whole;
                *names.entry(name).or_default() |= writable;
                if asked.next_level {
                    break;
                }
            }
        }
        if names.is_empty() && self.tables_below(path).next().is_none() {
            return Err((cpe_fault::INVALID_PARAMETER_NAME, Vec::new()));
        }
        let rows = names.into_iter().map(|(name, writable)| ParameterInfoStruct { name, writable });
        let parameter_list = rows.collect();
        Ok(Message::GetParameterNamesResponse(GetParameterNamesResponse { parameter_list }))
    }

    /// The tables at a path or below it.
    fn tables_below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a String> {
        self.tables.keys().filter(move |table| is_path(path) && table.starts_with(path))
    }

    /// Adds a row, as the table says; else with the parameters that the last one has, without values.
    fn add(&mut self, asked: &AddObject) -> Result<Message, Refusal> {
        let table = &asked.object_name;
        let rows = self.below(table).filter_map(|(name, _)| {
            name.strip_prefix(table.as_str())?.split('.').next()?.parse::<u32>().ok()
        });
        let last = rows.max();
        let row: Vec<(String, Parameter)> = match (self.tables.get(table), last) {
            (Some(row), _) => row.clone().into_iter().collect(),
            (None, Some(last)) => {
                let last = format!("{table}{last}.");
                let empty = |it: &Parameter| FullParameter {
                    value: String::new(),
                    value_type: it.value_type().local_name().to_owned(),
                    writable: it.writable(),
                };
                self.below(&last)
                    .filter_map(|(name, it)| {
                        let name = name.strip_prefix(&last)?.to_owned();
                        Some((name, Parameter::Full(empty(it))))
                    })
                    .collect()
            }
            (None, None) => return Err((cpe_fault::INVALID_PARAMETER_NAME, Vec::new())),
        };
        // A number is not given twice.
        let given = self.instances.get(table).copied().max(last).unwrap_or_default();
        let instance_number = given.saturating_add(1);
        self.instances.insert(table.clone(), instance_number);
        let named = |name: String| format!("{table}{instance_number}.{name}");
        self.parameters.extend(row.into_iter().map(|(name, it)| (named(name), it)));
        Ok(Message::AddObjectResponse(AddObjectResponse { instance_number, status: 0 }))
    }
}

/// Whether a name stands for all that is below it.
fn is_path(name: &str) -> bool {
    name.is_empty() || name.ends_with('.')
}

/// A fault's code, and why single parameters could not be set.
type Refusal = (u32, Vec<SetParameterValuesFault>);

/// An attempt to set what cannot be set (TR-069 A.5.1).
const NOT_WRITABLE: u32 = 9008;

/// A value of another type than the parameter's.
const WRONG_TYPE: u32 = 9006;

fn text(code: u32) -> &'static str {
    match code {
        cpe_fault::METHOD_NOT_SUPPORTED => "Method not supported",
        cpe_fault::INVALID_ARGUMENTS => "Invalid arguments",
        cpe_fault::INVALID_PARAMETER_NAME => "Invalid parameter name",
        NOT_WRITABLE => "Attempt to set a non-writable parameter",
        WRONG_TYPE => "Invalid parameter type",
        _ => "Request denied",
    }
}

impl Parameter {
    /// Its exact text.
    pub fn value(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Full(it) => &it.value,
        }
    }

    fn value_type(&self) -> ValueType {
        let name = match self {
            Self::Text(_) => "string",
            Self::Full(it) => &it.value_type,
        };
        ValueType::ALL.into_iter().find(|it| it.local_name() == name).unwrap_or_default()
    }

    fn writable(&self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::Full(it) => it.writable,
        }
    }
}

impl std::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it describes no device: {}", self.0)
    }
}

impl std::error::Error for DeviceError {}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn device(tables: &str) -> Device {
        let parameters = r#"{"Device.A": "a", "Device.B": {"value": "1", "type": "int"}}"#;
        Device::from_json(&format!("{{\"parameters\": {parameters}{tables}}}")).expect("a device")
    }

    fn add(device: &mut Device) -> Message {
        device.answer(&Message::AddObject(AddObject {
            object_name: "Device.Map.".to_owned(),
            parameter_key: String::new(),
        }))
    }

    #[test]
    fn rows_can_be_added_to_a_table_that_is_empty_and_no_number_comes_twice() {
        let mut device = device(r#", "tables": {"Device.Map.": {"Enable": "0"}}"#);
        for number in 1..=2 {
            let Message::AddObjectResponse(added) = add(&mut device) else { panic!("a fault") };
            assert_eq!(added.instance_number, number);
            let row = format!("Device.Map.{number}.");
            assert!(device.parameters.contains_key(&format!("{row}Enable")));
            let delete = DeleteObject { object_name: row, parameter_key: String::new() };
            let deleted = device.answer(&Message::DeleteObject(delete));
            assert!(matches!(deleted, Message::DeleteObjectResponse(_)));
        }
        let (parameter_path, next_level) = ("Device.".to_owned(), true);
        let names = device
            .answer(&Message::GetParameterNames(GetParameterNames { parameter_path, next_level }));
        let Message::GetParameterNamesResponse(names) = names else { panic!("a fault") };
        let names: Vec<_> = names.parameter_list.into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["Device.A", "Device.B", "Device.Map."]);
    }

    #[test]
    fn a_table_that_is_not_there_and_a_value_of_another_type_are_faults() {
        let mut device = device("");
        assert!(matches!(add(&mut device), Message::Fault(it) if it.fault_code == 9005));
        let mut parameter_list = ParameterList::new();
        parameter_list.push("Device.B", "2", ValueType::String);
        let parameter_key = String::new();
        let set = SetParameterValues { parameter_list, parameter_key };
        let Message::Fault(fault) = device.answer(&Message::SetParameterValues(set)) else {
            panic!("no fault")
        };
        assert_eq!(fault.set_parameter_values_fault.first().map(|it| it.fault_code), Some(9006));
    }
}
