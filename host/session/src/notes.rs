//! What an exchange teaches about the device itself, beside its parameters.

use trellis_cwmp::{Message, ParameterList, cpe_fault};

use crate::metric::limit_reached;
use crate::visit::Visit;

/// The parameter that holds a device's password for connection requests, below its root.
const LOGIN: &str = ".ManagementServer.ConnectionRequestPassword";

/// The parameter with which diagnostics are started, and which tells their end.
const DIAGNOSTICS: &str = "DiagnosticsState";

/// How the states begin in which diagnostics have ended (TR-181, `DiagnosticsState`).
const ENDS: [&str; 3] = ["Complete", "Error", "Cancel"];

/// Diagnostics that are waited for at once.
const DIAGNOSTICS_MAX: usize = 32;

impl Visit {
    /// Takes note of what a request and its answer tell.
    pub(crate) fn note(&mut self, request: &Message, answer: &Message) {
        match (request, answer) {
            // For as long as it has this software.
            (_, Message::Fault(fault)) if fault.fault_code == cpe_fault::METHOD_NOT_SUPPORTED => {
                let method = request.name().to_owned();
                self.header_changed |= self.header.methods_lacking.insert(method);
            }
            (Message::SetParameterValues(it), Message::SetParameterValuesResponse(_)) => {
                self.note_change(&it.parameter_key);
                self.note_set(&it.parameter_list);
            }
            (Message::AddObject(it), Message::AddObjectResponse(_)) => {
                self.note_change(&it.parameter_key);
            }
            (Message::DeleteObject(it), Message::DeleteObjectResponse(_)) => {
                self.note_change(&it.parameter_key);
            }
            (Message::GetParameterValues(_), Message::GetParameterValuesResponse(it)) => {
                self.note_diagnostics(&it.parameter_list);
            }
            _ => {}
        }
    }

    /// The device has made a change, and has its key (TR-069 A.3.2.1).
    fn note_change(&mut self, parameter_key: &str) {
        let header = &mut self.header;
        if header.acknowledged_parameter_key.as_deref() != Some(parameter_key) {
            parameter_key.clone_into(&mut header.parameter_key);
            header.acknowledged_parameter_key = Some(parameter_key.to_owned());
            self.header_changed = true;
        }
        self.header_changed |= header.changed_elsewhere_ms.take().is_some();
    }

    fn note_set(&mut self, list: &ParameterList) {
        let header = &mut self.header;
        for row in list.iter() {
            // What the operator wants goes before what the server would give.
            if !header.has_login && row.name.ends_with(LOGIN) {
                header.has_login = true;
                self.header_changed = true;
            }
            let Some(object) = diagnostics(row.name).filter(|_| row.value == "Requested") else {
                continue;
            };
            if header.diagnostics.len() < DIAGNOSTICS_MAX {
                self.header_changed |= header.diagnostics.insert(object.to_owned());
            } else if !header.diagnostics.contains(object) {
                limit_reached("diagnostics");
            }
        }
    }

    /// Diagnostics whose result was read are not waited for any more.
    fn note_diagnostics(&mut self, list: &ParameterList) {
        if self.header.diagnostics.is_empty() {
            return;
        }
        let is_end = |state: &str| ENDS.iter().any(|end| state.starts_with(end));
        let ended = list.iter().filter(|row| is_end(row.value));
        for object in ended.filter_map(|row| diagnostics(row.name)) {
            self.header_changed |= self.header.diagnostics.remove(object);
        }
    }
}

/// The object whose diagnostics a parameter starts.
pub(crate) fn diagnostics(name: &str) -> Option<&str> {
    name.strip_suffix(DIAGNOSTICS).filter(|object| object.ends_with('.'))
}
