//! File transfers, scheduled informs and deployment units.
//!
//! Nothing is fetched: a transfer succeeds, or ends with the fault the options ask for, when the
//! next session is prepared.

use std::time::Instant;

use crate::cpe::Cpe;
use crate::events::{CpeRequest, Event, fault_struct};
use crate::identity::now;
use crate::operation::Operation;
use crate::request::TransferRequest;
use crate::write::element;

/// The value for a time nobody knows.
pub const UNKNOWN_TIME: &str = "0001-01-01T00:00:00Z";

/// What kind of transfer was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferKind {
    /// Download.
    Download,
    /// Upload.
    Upload,
    /// ScheduleDownload.
    ScheduleDownload,
}

impl TransferKind {
    fn event(self) -> &'static str {
        match self {
            Self::Download => "M Download",
            Self::Upload => "M Upload",
            Self::ScheduleDownload => "M ScheduleDownload",
        }
    }
}

/// A transfer that has not happened yet.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// What kind it is.
    pub kind: TransferKind,
    /// Its arguments.
    pub request: TransferRequest,
    /// When it may start.
    pub due: Instant,
}

/// A deployment unit.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its UUID.
    pub uuid: String,
    /// Where it came from.
    pub url: String,
    /// Its instance number.
    pub number: u32,
}

impl Cpe {
    /// Does what has become due; with `all` also what would be due later.
    pub(crate) fn prepare(&mut self, all: bool) {
        let now = Instant::now();
        let is_due = |due: Instant| all || due <= now;
        let (due, later) =
            std::mem::take(&mut self.scheduled).into_iter().partition(|(at, _)| is_due(*at));
        self.scheduled = later;
        let due: Vec<(Instant, String)> = due;
        for (_, key) in due {
            self.queue_event("3 SCHEDULED", "");
            self.queue_event("M ScheduleInform", &key);
        }
        let (due, later) =
            std::mem::take(&mut self.transfers).into_iter().partition(|t| is_due(t.due));
        self.transfers = later;
        let due: Vec<Transfer> = due;
        for transfer in due {
            self.complete(&transfer);
        }
    }

    /// When the next delayed thing becomes due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let scheduled = self.scheduled.iter().map(|(at, _)| *at);
        scheduled.chain(self.transfers.iter().map(|transfer| transfer.due)).min()
    }

    fn complete(&mut self, transfer: &Transfer) {
        let fault = self.options.file_fault.unwrap_or(0);
        let is_firmware = transfer.request.file_type == "1 Firmware Upgrade Image";
        if fault == 0 && is_firmware && transfer.kind != TransferKind::Upload {
            self.install_firmware(&transfer.request.url);
        }
        let start = now("%Y-%m-%dT%H:%M:%SZ", 0);
        let complete = if fault == 0 { start.as_str() } else { UNKNOWN_TIME };
        let event = Event::new(transfer.kind.event(), &transfer.request.command_key);
        self.queue_request(CpeRequest::transfer_complete(event, fault, &start, complete));
    }

    fn install_firmware(&mut self, url: &str) {
        let path = self.tree.path("DeviceInfo.SoftwareVersion");
        let old = self.get(&path).unwrap_or_default();
        let new = version_in(url).unwrap_or_else(|| format!("{old}+1"));
        self.boot();
        self.value_change(&path, &new);
    }

    /// Carries out ChangeDUState; the results are told in the next session.
    pub(crate) fn change_units(&mut self, operations: &[Operation], command_key: &str) {
        let results: String = operations.iter().map(|operation| self.change(operation)).collect();
        let arguments = format!("{results}{}", element("CommandKey", command_key));
        let mut request = CpeRequest::new("DUStateChangeComplete", arguments);
        request.event = Some(Event::new("M ChangeDUState", command_key));
        self.pending.unit_changes.push(request);
    }

    fn change(&mut self, operation: &Operation) -> String {
        match operation {
            Operation::Install { url, uuid, .. } => {
                let number = self.units.iter().map(|unit| unit.number).max().unwrap_or(0) + 1;
                let uuid =
                    uuid.clone().unwrap_or_else(|| made_up_uuid(self.identity.number, number));
                if self.units.iter().any(|unit| unit.uuid == uuid) {
                    return result(&uuid, 0, "Failed", 9026);
                }
                self.units.push(Unit { uuid: uuid.clone(), url: url.clone(), number });
                result(&uuid, number, "Installed", 0)
            }
            Operation::Update { uuid, url, .. } => {
                let found = self.units.iter_mut().find(|unit| match (uuid, url) {
                    (Some(uuid), _) => unit.uuid == *uuid,
                    (None, Some(url)) => unit.url == *url,
                    (None, None) => true,
                });
                let Some(unit) = found else {
                    let unknown = made_up_uuid(0, 0);
                    return result(uuid.as_ref().unwrap_or(&unknown), 0, "Failed", 9028);
                };
                if let Some(url) = url {
                    unit.url.clone_from(url);
                }
                result(&unit.uuid, unit.number, "Installed", 0)
            }
            Operation::Uninstall { uuid, .. } => {
                match self.units.iter().position(|unit| unit.uuid == *uuid) {
                    Some(at) => {
                        let unit = self.units.remove(at);
                        result(&unit.uuid, unit.number, "Uninstalled", 0)
                    }
                    None => result(uuid, 0, "Failed", 9028),
                }
            }
        }
    }
}

/// One Results element of DUStateChangeComplete.
fn result(uuid: &str, number: u32, state: &str, fault: u16) -> String {
    let reference = |object: &str| match number {
        0 => String::new(),
        _ => format!("Device.SoftwareModules.{object}.{number}."),
    };
    let time = now("%Y-%m-%dT%H:%M:%SZ", 0);
    let version = if number == 0 { "" } else { "1.0" };
    [
        "<Results>".to_owned(),
        element("UUID", uuid),
        element("DeploymentUnitRef", &reference("DeploymentUnit")),
        element("Version", version),
        element("CurrentState", state),
        element("Resolved", if fault == 0 { "1" } else { "0" }),
        element("ExecutionUnitRefList", &reference("ExecutionUnit")),
        element("StartTime", &time),
        element("CompleteTime", if fault == 0 { &time } else { UNKNOWN_TIME }),
        fault_struct("Fault", fault),
        "</Results>".to_owned(),
    ]
    .concat()
}

fn made_up_uuid(device: u32, number: u32) -> String {
    format!("{device:08x}-0000-5000-8000-{number:012x}")
}

/// The version in a file name such as `fw-1.2.3.bin`.
fn version_in(url: &str) -> Option<String> {
    let file = url.split(['?', '#']).next()?.rsplit('/').next()?;
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    stem.split(|c: char| !c.is_ascii_digit() && c != '.')
        .map(|run| run.trim_matches('.'))
        .find(|run| run.contains('.'))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn the_new_version_comes_from_the_file_name() {
        assert_eq!(version_in("http://f/fw-1.2.3.bin").as_deref(), Some("1.2.3"));
        assert_eq!(version_in("http://f/routeros-7.14.2-arm.npk?x").as_deref(), Some("7.14.2"));
        assert_eq!(version_in("http://1.2.3.4/firmware.bin"), None);
    }
}
