//! The events of a CPE and the requests that carry their details.
//!
//! An event stays until the ACS has confirmed it: most with the InformResponse, those of
//! transfers and deployment units with the response to the request that tells the details. A
//! lost answer therefore leads to a repetition, never to a loss.

use crate::write::element;

/// One entry of the Event list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// EventCode, such as `1 BOOT`.
    pub code: String,
    /// CommandKey, empty for most codes.
    pub command_key: String,
}

impl Event {
    /// An event with a CommandKey.
    #[must_use]
    pub fn new(code: &str, command_key: &str) -> Self {
        Self { code: code.to_owned(), command_key: command_key.to_owned() }
    }

    /// The CPE request whose response confirms the event.
    #[must_use]
    pub fn confirmed_by(&self) -> &'static str {
        match self.code.as_str() {
            "5 KICKED" => "Kicked",
            "7 TRANSFER COMPLETE" | "M Download" | "M Upload" | "M ScheduleDownload" => {
                "TransferComplete"
            }
            "9 REQUEST DOWNLOAD" => "RequestDownload",
            "10 AUTONOMOUS TRANSFER COMPLETE" => "AutonomousTransferComplete",
            "11 DU STATE CHANGE COMPLETE" | "M ChangeDUState" => "DUStateChangeComplete",
            "12 AUTONOMOUS DU STATE CHANGE COMPLETE" => "AutonomousDUStateChangeComplete",
            _ => "Inform",
        }
    }
}

/// The events that are not confirmed yet.
#[derive(Debug, Clone, Default)]
pub struct Events {
    due: Vec<Event>,
}

impl Events {
    /// Adds an event. Only the `M` events may be there more than once.
    pub fn push(&mut self, event: Event) {
        if event.code.starts_with("M ") || self.due.iter().all(|known| known.code != event.code) {
            self.due.push(event);
        }
    }

    /// The events of the next Inform.
    #[must_use]
    pub fn due(&self) -> &[Event] {
        &self.due
    }

    /// Drops what a successful InformResponse confirms, of the events that were in the Inform.
    pub fn confirm_inform(&mut self, sent: &[Event]) {
        self.due.retain(|event| event.confirmed_by() != "Inform" || !sent.contains(event));
    }

    /// Drops the events one answered request confirms; `last` says whether it was the last
    /// request of its method, on which the shared numbered event depends.
    pub fn confirm_request(&mut self, method: &str, command: Option<&Event>, last: bool) {
        if let Some(at) = command.and_then(|event| self.due.iter().position(|e| e == event)) {
            self.due.remove(at);
        }
        if last {
            self.due.retain(|e| e.code.starts_with("M ") || e.confirmed_by() != method);
        }
    }

    /// Drops what a reboot makes meaningless.
    pub fn reboot(&mut self) {
        let lost = ["4 VALUE CHANGE", "8 DIAGNOSTICS COMPLETE", "13 WAKEUP", "14 HEARTBEAT"];
        self.due.retain(|event| !lost.contains(&event.code.as_str()));
    }

    /// Drops what is never tried again after a failed session.
    pub fn fail(&mut self) {
        self.due.retain(|event| event.code != "6 CONNECTION REQUEST");
    }

    /// Drops everything, as a bootstrap does.
    pub fn clear(&mut self) {
        self.due.clear();
    }
}

/// A request the CPE makes between the InformResponse and its empty POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpeRequest {
    /// The method, such as `TransferComplete`.
    pub method: String,
    /// The arguments as XML.
    pub arguments: String,
    /// The `M` event that belongs to it.
    pub event: Option<Event>,
}

impl CpeRequest {
    /// Any request; `arguments` is the XML inside the method element.
    #[must_use]
    pub fn new(method: &str, arguments: impl Into<String>) -> Self {
        Self { method: method.to_owned(), arguments: arguments.into(), event: None }
    }

    /// A TransferComplete for a transfer whose `M` event is given.
    #[must_use]
    pub fn transfer_complete(event: Event, fault: u16, start: &str, complete: &str) -> Self {
        let arguments = [
            element("CommandKey", &event.command_key),
            fault_struct("FaultStruct", fault),
            element("StartTime", start),
            element("CompleteTime", complete),
        ]
        .concat();
        Self { method: "TransferComplete".to_owned(), arguments, event: Some(event) }
    }

    /// An AutonomousTransferComplete of a download the ACS did not ask for.
    #[must_use]
    pub fn autonomous_transfer_complete(url: &str, file_type: &str, time: &str) -> Self {
        let arguments = [
            element("AnnounceURL", ""),
            element("TransferURL", url),
            element("IsDownload", "1"),
            element("FileType", file_type),
            element("FileSize", "0"),
            element("TargetFileName", ""),
            fault_struct("FaultStruct", 0),
            element("StartTime", time),
            element("CompleteTime", time),
        ]
        .concat();
        Self::new("AutonomousTransferComplete", arguments)
    }

    /// The Body element.
    #[must_use]
    pub fn xml(&self) -> String {
        format!("<cwmp:{0}>{1}</cwmp:{0}>", self.method, self.arguments)
    }
}

/// A FaultStruct; code 0 means success.
pub(crate) fn fault_struct(name: &str, code: u16) -> String {
    let text = if code == 0 { "" } else { crate::fault::fault_text(code) };
    let code = element("FaultCode", &code.to_string());
    format!("<{name}>{code}{}</{name}>", element("FaultString", text))
}
