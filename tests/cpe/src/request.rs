//! The RPC methods an ACS calls, as read from its envelopes.

use roxmltree::Node;

use crate::error::{CpeError, violation};
use crate::fields::{ENCODING, Fields, XSD, XSI, name, only_attributes, plain, resolve, text};
use crate::operation::Operation;
use crate::value::DataType;

/// One entry of a SetParameterValues list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetValue {
    /// The parameter.
    pub name: String,
    /// The local name of the `xsi:type`.
    pub type_name: String,
    /// The value as text.
    pub value: String,
}

/// One entry of a SetParameterAttributes list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAttributes {
    /// Parameter or partial path.
    pub name: String,
    /// The new notification, if it is to change.
    pub notification: Option<u8>,
    /// The new access list, if it is to change.
    pub access_list: Option<Vec<String>>,
}

/// The arguments of Download, Upload and ScheduleDownload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransferRequest {
    /// CommandKey.
    pub command_key: String,
    /// FileType.
    pub file_type: String,
    /// URL.
    pub url: String,
    /// Username.
    pub username: String,
    /// Password.
    pub password: String,
    /// FileSize, 0 for uploads.
    pub file_size: u32,
    /// TargetFileName, empty for uploads.
    pub target_file_name: String,
    /// DelaySeconds, or the start of the first time window.
    pub delay_seconds: u32,
    /// Start and end of each time window of ScheduleDownload.
    pub windows: Vec<(u32, u32)>,
}

/// A request of the ACS.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the arguments of the standard")]
pub enum AcsRequest {
    GetRPCMethods,
    SetParameterValues { values: Vec<SetValue>, parameter_key: String },
    GetParameterValues { names: Vec<String> },
    GetParameterNames { path: String, next_level: bool },
    SetParameterAttributes { list: Vec<SetAttributes> },
    GetParameterAttributes { names: Vec<String> },
    AddObject { object: String, parameter_key: String },
    DeleteObject { object: String, parameter_key: String },
    Reboot { command_key: String },
    FactoryReset,
    Download(TransferRequest),
    Upload(TransferRequest),
    ScheduleInform { delay_seconds: u32, command_key: String },
    GetQueuedTransfers,
    GetAllQueuedTransfers,
    ScheduleDownload(TransferRequest),
    CancelTransfer { command_key: String },
    ChangeDUState { operations: Vec<Operation>, command_key: String },
    GetOptions { option_name: String },
    SetVouchers { vouchers: usize },
}

impl AcsRequest {
    /// Reads the method element.
    pub(crate) fn parse(node: Node<'_, '_>, urn: &str) -> Result<Self, CpeError> {
        let mut fields = Fields::of(node)?;
        let request = match name(node) {
            "GetRPCMethods" => Self::GetRPCMethods,
            "SetParameterValues" => Self::SetParameterValues {
                values: set_values(fields.array("ParameterList", urn, "ParameterValueStruct")?)?,
                parameter_key: fields.string("ParameterKey", 32)?,
            },
            "GetParameterValues" => Self::GetParameterValues { names: names(&mut fields)? },
            "GetParameterNames" => Self::GetParameterNames {
                path: path(fields.string("ParameterPath", 256)?)?,
                next_level: fields.boolean("NextLevel")?,
            },
            "SetParameterAttributes" => {
                let list = fields.array("ParameterList", urn, "SetParameterAttributesStruct")?;
                if list.is_empty() {
                    return violation("the ParameterList is empty");
                }
                let list = list.into_iter().map(set_attributes).collect::<Result<_, _>>()?;
                Self::SetParameterAttributes { list }
            }
            "GetParameterAttributes" => Self::GetParameterAttributes { names: names(&mut fields)? },
            "AddObject" => Self::AddObject {
                object: path(fields.string("ObjectName", 256)?)?,
                parameter_key: fields.string("ParameterKey", 32)?,
            },
            "DeleteObject" => Self::DeleteObject {
                object: path(fields.string("ObjectName", 256)?)?,
                parameter_key: fields.string("ParameterKey", 32)?,
            },
            "Reboot" => Self::Reboot { command_key: fields.string("CommandKey", 32)? },
            "FactoryReset" => Self::FactoryReset,
            "Download" => Self::Download(download(&mut fields)?),
            "Upload" => Self::Upload(upload(&mut fields)?),
            "ScheduleInform" => Self::ScheduleInform {
                delay_seconds: fields.number("DelaySeconds")?,
                command_key: fields.string("CommandKey", 32)?,
            },
            "GetQueuedTransfers" => Self::GetQueuedTransfers,
            "GetAllQueuedTransfers" => Self::GetAllQueuedTransfers,
            "ScheduleDownload" => Self::ScheduleDownload(schedule_download(&mut fields, urn)?),
            "CancelTransfer" => {
                Self::CancelTransfer { command_key: fields.string("CommandKey", 32)? }
            }
            "ChangeDUState" => change_du_state(&mut fields, urn)?,
            "GetOptions" => Self::GetOptions { option_name: fields.string("OptionName", 64)? },
            "SetVouchers" => Self::SetVouchers { vouchers: vouchers(&mut fields)? },
            other => return violation(format!("{other} is not a method of an ACS")),
        };
        fields.finish()?;
        let oldest = request.since();
        if urn < oldest {
            return violation(format!("{} does not exist in {urn}", request.method()));
        }
        Ok(request)
    }

    /// The name of the method.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::GetRPCMethods => "GetRPCMethods",
            Self::SetParameterValues { .. } => "SetParameterValues",
            Self::GetParameterValues { .. } => "GetParameterValues",
            Self::GetParameterNames { .. } => "GetParameterNames",
            Self::SetParameterAttributes { .. } => "SetParameterAttributes",
            Self::GetParameterAttributes { .. } => "GetParameterAttributes",
            Self::AddObject { .. } => "AddObject",
            Self::DeleteObject { .. } => "DeleteObject",
            Self::Reboot { .. } => "Reboot",
            Self::FactoryReset => "FactoryReset",
            Self::Download(_) => "Download",
            Self::Upload(_) => "Upload",
            Self::ScheduleInform { .. } => "ScheduleInform",
            Self::GetQueuedTransfers => "GetQueuedTransfers",
            Self::GetAllQueuedTransfers => "GetAllQueuedTransfers",
            Self::ScheduleDownload(_) => "ScheduleDownload",
            Self::CancelTransfer { .. } => "CancelTransfer",
            Self::ChangeDUState { .. } => "ChangeDUState",
            Self::GetOptions { .. } => "GetOptions",
            Self::SetVouchers { .. } => "SetVouchers",
        }
    }

    /// The arguments in brief, for reports.
    #[must_use]
    pub fn brief(&self) -> String {
        match self {
            Self::SetParameterValues { values, parameter_key } => {
                let pairs: Vec<String> =
                    values.iter().map(|entry| format!("{}={}", entry.name, entry.value)).collect();
                format!("{} key={parameter_key}", pairs.join(" "))
            }
            Self::GetParameterValues { names } | Self::GetParameterAttributes { names } => {
                names.join(" ")
            }
            Self::GetParameterNames { path, next_level } => {
                format!("{path} next_level={next_level}")
            }
            Self::SetParameterAttributes { list } => {
                let entries: Vec<String> =
                    list.iter().map(|e| format!("{}={:?}", e.name, e.notification)).collect();
                entries.join(" ")
            }
            Self::AddObject { object, .. } | Self::DeleteObject { object, .. } => object.clone(),
            Self::Reboot { command_key } | Self::CancelTransfer { command_key } => {
                command_key.clone()
            }
            Self::Download(transfer)
            | Self::Upload(transfer)
            | Self::ScheduleDownload(transfer) => {
                format!("{} {} {}", transfer.file_type, transfer.url, transfer.command_key)
            }
            Self::ScheduleInform { delay_seconds, command_key } => {
                format!("{delay_seconds} s {command_key}")
            }
            Self::ChangeDUState { operations, command_key } => {
                format!("{} operations {command_key}", operations.len())
            }
            Self::GetOptions { option_name } => option_name.clone(),
            Self::SetVouchers { vouchers } => format!("{vouchers} vouchers"),
            Self::GetRPCMethods
            | Self::FactoryReset
            | Self::GetQueuedTransfers
            | Self::GetAllQueuedTransfers => String::new(),
        }
    }

    /// The oldest namespace that has the method; the namespaces sort by age.
    fn since(&self) -> &'static str {
        match self {
            Self::GetAllQueuedTransfers => "urn:dslforum-org:cwmp-1-1",
            Self::ScheduleDownload(_)
            | Self::CancelTransfer { .. }
            | Self::ChangeDUState { .. } => "urn:dslforum-org:cwmp-1-2",
            _ => "urn:dslforum-org:cwmp-1-0",
        }
    }
}

/// Instance wildcards and aliases need a CPE that announced them, which none of ours does.
fn path(text: String) -> Result<String, CpeError> {
    if text.split('.').any(|node| node == "*" || node.starts_with('[')) {
        return violation(format!("{text:?} uses a wildcard or alias this CPE does not support"));
    }
    Ok(text)
}

fn names(fields: &mut Fields<'_, '_>) -> Result<Vec<String>, CpeError> {
    let names = fields.strings("ParameterNames", 256)?;
    if names.is_empty() {
        return violation("the ParameterNames are empty");
    }
    names.into_iter().map(path).collect()
}

fn set_values(list: Vec<Node<'_, '_>>) -> Result<Vec<SetValue>, CpeError> {
    let mut values: Vec<SetValue> = Vec::with_capacity(list.len());
    for node in list {
        let mut fields = Fields::of(node)?;
        let name = path(fields.string("Name", 256)?)?;
        let node = fields.element("Value")?;
        fields.finish()?;
        only_attributes(node, &[(XSI, "type")])?;
        let Some(qname) = node.attribute((XSI, "type")) else {
            return violation(format!("the Value of {name} lacks xsi:type"));
        };
        let (namespace, type_name) = resolve(node, qname)?;
        let exists = match namespace {
            Some(XSD) => type_name != "base64" && DataType::parse(type_name).is_some(),
            Some(ENCODING) => type_name == "base64",
            _ => false,
        };
        if !exists {
            return violation(format!("the xsi:type {qname:?} of {name} is no simple type"));
        }
        if values.iter().any(|known| known.name == name) {
            return violation(format!("{name} is in the list twice"));
        }
        values.push(SetValue { name, type_name: type_name.to_owned(), value: text(node)? });
    }
    Ok(values)
}

fn set_attributes(node: Node<'_, '_>) -> Result<SetAttributes, CpeError> {
    let mut fields = Fields::of(node)?;
    let name = path(fields.string("Name", 256)?)?;
    let change_notification = fields.boolean("NotificationChange")?;
    let notification: u8 = fields.number("Notification")?;
    if notification > 6 {
        return violation(format!("Notification {notification} does not exist"));
    }
    let change_list = fields.boolean("AccessListChange")?;
    let list = fields.strings("AccessList", 64)?;
    fields.finish()?;
    Ok(SetAttributes {
        name,
        notification: change_notification.then_some(notification),
        access_list: change_list.then_some(list),
    })
}

fn download(fields: &mut Fields<'_, '_>) -> Result<TransferRequest, CpeError> {
    let mut transfer = transfer(fields)?;
    transfer.file_size = fields.number("FileSize")?;
    transfer.target_file_name = fields.string("TargetFileName", 256)?;
    transfer.delay_seconds = fields.number("DelaySeconds")?;
    fields.string("SuccessURL", 256)?;
    fields.string("FailureURL", 256)?;
    Ok(transfer)
}

fn upload(fields: &mut Fields<'_, '_>) -> Result<TransferRequest, CpeError> {
    let mut transfer = transfer(fields)?;
    transfer.delay_seconds = fields.number("DelaySeconds")?;
    Ok(transfer)
}

fn transfer(fields: &mut Fields<'_, '_>) -> Result<TransferRequest, CpeError> {
    Ok(TransferRequest {
        command_key: fields.string("CommandKey", 32)?,
        file_type: fields.string("FileType", 64)?,
        url: fields.string("URL", 256)?,
        username: fields.string("Username", 256)?,
        password: fields.string("Password", 256)?,
        ..TransferRequest::default()
    })
}

fn schedule_download(fields: &mut Fields<'_, '_>, urn: &str) -> Result<TransferRequest, CpeError> {
    let mut transfer = transfer(fields)?;
    transfer.file_size = fields.number("FileSize")?;
    transfer.target_file_name = fields.string("TargetFileName", 256)?;
    for node in fields.array("TimeWindowList", urn, "TimeWindowStruct")? {
        let mut window = Fields::of(node)?;
        transfer.windows.push((window.number("WindowStart")?, window.number("WindowEnd")?));
        window.string("WindowMode", 64)?;
        window.string("UserMessage", 256)?;
        window.number::<i32>("MaxRetries")?;
        window.finish()?;
    }
    if !matches!(transfer.windows.len(), 1 | 2) {
        return violation(format!("{} time windows, 1 or 2 may be", transfer.windows.len()));
    }
    transfer.delay_seconds = transfer.windows.first().map_or(0, |(start, _)| *start);
    Ok(transfer)
}

fn change_du_state(fields: &mut Fields<'_, '_>, urn: &str) -> Result<AcsRequest, CpeError> {
    let mut operations = Vec::new();
    while let Some(node) = fields.optional("Operations") {
        operations.push(Operation::parse(node, urn)?);
    }
    if operations.is_empty() {
        return violation("there are no Operations");
    }
    let command_key = fields.string("CommandKey", 32)?;
    Ok(AcsRequest::ChangeDUState { operations, command_key })
}

fn vouchers(fields: &mut Fields<'_, '_>) -> Result<usize, CpeError> {
    let vouchers = fields.array("VoucherList", ENCODING, "base64")?;
    if vouchers.is_empty() {
        return violation("the VoucherList is empty");
    }
    for voucher in &vouchers {
        plain(*voucher)?;
    }
    Ok(vouchers.len())
}
