//! Answering the RPC methods of the ACS, with the faults the standard prescribes.

mod attributes;
mod files;
mod objects;
mod parameters;
#[cfg(test)]
mod tests;

use crate::cpe::Cpe;
use crate::fault::CpeFault;
use crate::request::AcsRequest;
use crate::version::CwmpVersion;
use crate::write::strings;

/// All methods of a CPE with the version that brought them.
const METHODS: [(&str, CwmpVersion); 20] = [
    ("GetRPCMethods", CwmpVersion::V1_0),
    ("SetParameterValues", CwmpVersion::V1_0),
    ("GetParameterValues", CwmpVersion::V1_0),
    ("GetParameterNames", CwmpVersion::V1_0),
    ("SetParameterAttributes", CwmpVersion::V1_0),
    ("GetParameterAttributes", CwmpVersion::V1_0),
    ("AddObject", CwmpVersion::V1_0),
    ("DeleteObject", CwmpVersion::V1_0),
    ("Reboot", CwmpVersion::V1_0),
    ("Download", CwmpVersion::V1_0),
    ("Upload", CwmpVersion::V1_0),
    ("FactoryReset", CwmpVersion::V1_0),
    ("ScheduleInform", CwmpVersion::V1_0),
    ("GetQueuedTransfers", CwmpVersion::V1_0),
    ("GetOptions", CwmpVersion::V1_0),
    ("SetVouchers", CwmpVersion::V1_0),
    ("GetAllQueuedTransfers", CwmpVersion::V1_1),
    ("ScheduleDownload", CwmpVersion::V1_2),
    ("CancelTransfer", CwmpVersion::V1_2),
    ("ChangeDUState", CwmpVersion::V1_2),
];

/// The arguments of a response as XML, or a fault.
pub type Answer = Result<String, CpeFault>;

impl Cpe {
    /// Carries out a request. The answer is the whole Body element.
    pub fn answer(&mut self, request: &AcsRequest) -> Answer {
        let method = request.method();
        if !self.supports(method) {
            return Err(CpeFault::new(9000));
        }
        let arguments = match request {
            AcsRequest::GetRPCMethods => Ok(strings("MethodList", &self.methods())),
            AcsRequest::SetParameterValues { values, parameter_key } => {
                self.set_parameter_values(values, parameter_key)
            }
            AcsRequest::GetParameterValues { names } => self.get_parameter_values(names),
            AcsRequest::GetParameterNames { path, next_level } => {
                self.get_parameter_names(path, *next_level)
            }
            AcsRequest::SetParameterAttributes { list } => self.set_parameter_attributes(list),
            AcsRequest::GetParameterAttributes { names } => self.get_parameter_attributes(names),
            AcsRequest::AddObject { object, parameter_key } => {
                self.add_object(object, parameter_key)
            }
            AcsRequest::DeleteObject { object, parameter_key } => {
                self.delete_object(object, parameter_key)
            }
            AcsRequest::Reboot { command_key } => {
                self.pending.reboots.push(command_key.clone());
                Ok(String::new())
            }
            AcsRequest::FactoryReset => {
                self.pending.factory_reset = true;
                Ok(String::new())
            }
            AcsRequest::Download(transfer) => self.download(transfer),
            AcsRequest::Upload(transfer) => self.upload(transfer),
            AcsRequest::ScheduleInform { delay_seconds, command_key } => {
                self.schedule_inform(*delay_seconds, command_key)
            }
            AcsRequest::GetQueuedTransfers => Ok(self.queued_transfers(false)),
            AcsRequest::GetAllQueuedTransfers => Ok(self.queued_transfers(true)),
            AcsRequest::ScheduleDownload(transfer) => self.schedule_download(transfer),
            AcsRequest::CancelTransfer { command_key } => {
                self.transfers.retain(|transfer| transfer.request.command_key != *command_key);
                Ok(String::new())
            }
            AcsRequest::ChangeDUState { operations, command_key } => {
                // Sixteen operations are what a CPE has to take.
                if operations.len() > 16 {
                    return Err(CpeFault::new(9004));
                }
                self.change_units(operations, command_key);
                Ok(String::new())
            }
            AcsRequest::GetOptions { option_name } => Ok(files::options(option_name)),
            AcsRequest::SetVouchers { .. } => Ok(String::new()),
        };
        arguments
            .map(|arguments| format!("<cwmp:{method}Response>{arguments}</cwmp:{method}Response>"))
    }

    fn supports(&self, method: &str) -> bool {
        let lists = [&self.options.unsupported, &self.tree.model().unsupported];
        lists.into_iter().all(|list| list.iter().all(|name| name != method))
    }

    fn methods(&self) -> Vec<String> {
        METHODS
            .into_iter()
            .filter(|(method, since)| *since <= self.version() && self.supports(method))
            .map(|(method, _)| method.to_owned())
            .collect()
    }

    /// Remembers the ParameterKey of a successful change.
    fn set_parameter_key(&mut self, key: &str) {
        let path = self.tree.path("ManagementServer.ParameterKey");
        self.tree.set(&path, key);
    }

    /// The parameters a path names: one, or all below an object.
    fn selected(&self, path: &str) -> Result<Vec<String>, CpeFault> {
        if path.is_empty() || (path.ends_with('.') && self.tree.object(path).is_some()) {
            Ok(self.tree.parameters(path))
        } else if self.tree.find(path).is_some() {
            Ok(vec![path.to_owned()])
        } else {
            Err(CpeFault::because(9005, format!("no such parameter or object: {path}")))
        }
    }
}
