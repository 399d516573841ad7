//! Paths that only some devices understand: aliases and wildcards (TR-069 A.2.2.2, A.2.2.3).

use trellis_cwmp::{Message, ParameterList};

/// What the device is known to understand. It is not remembered from session to session: a reset
/// may have changed it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addressing {
    aliases: bool,
    wildcards: bool,
}

const ALIASES: &str = "ManagementServer.AliasBasedAddressing";
const WILDCARDS: &str = "ManagementServer.InstanceWildcardsSupported";

impl Addressing {
    /// What an Inform tells.
    pub(crate) fn of(inform: &ParameterList) -> Self {
        let mut addressing = Self::default();
        addressing.take(inform);
        addressing
    }

    /// Takes what the device answers.
    pub(crate) fn learn(&mut self, answer: &Message) {
        if let Message::GetParameterValuesResponse(it) = answer {
            self.take(&it.parameter_list);
        }
    }

    fn take(&mut self, list: &ParameterList) {
        for row in list.iter() {
            let Some((_, name)) = row.name.split_once('.') else { continue };
            let is_true = matches!(row.value.trim(), "1" | "true");
            match name {
                ALIASES => self.aliases = is_true,
                WILDCARDS => self.wildcards = is_true,
                _ => {}
            }
        }
    }

    /// Refuses a path that the device would not understand.
    pub(crate) fn check(self, request: &Message) -> Result<(), String> {
        let mut problem = Ok(());
        paths(request, |path| {
            if problem.is_ok() {
                problem = self.check_path(path);
            }
        });
        problem
    }

    fn check_path(self, path: &str) -> Result<(), String> {
        if path.contains('[') && !self.aliases {
            return Err(format!(
                "{path:?} has an alias, and the device does not say that it knows aliases: \
                 {ALIASES} is not true in its Inform"
            ));
        }
        let nodes = path.strip_suffix('.').unwrap_or(path);
        if !nodes.split('.').any(|node| node == "*") {
            return Ok(());
        }
        if !self.wildcards {
            return Err(format!(
                "{path:?} has a wildcard, and the device has not said in this session that it \
                 knows wildcards: read {WILDCARDS} first"
            ));
        }
        if nodes.ends_with(".*") {
            return Err(format!("{path:?} ends with a wildcard, which cannot be the last node"));
        }
        Ok(())
    }
}

fn paths(request: &Message, mut each: impl FnMut(&str)) {
    match request {
        Message::GetParameterValues(it) => it.parameter_names.iter().for_each(|name| each(name)),
        Message::GetParameterAttributes(it) => {
            it.parameter_names.iter().for_each(|name| each(name));
        }
        Message::SetParameterValues(it) => it.parameter_list.iter().for_each(|row| each(row.name)),
        Message::SetParameterAttributes(it) => {
            it.parameter_list.iter().for_each(|row| each(&row.name));
        }
        Message::GetParameterNames(it) => each(&it.parameter_path),
        Message::AddObject(it) => each(&it.object_name),
        Message::DeleteObject(it) => each(&it.object_name),
        _ => {}
    }
}
