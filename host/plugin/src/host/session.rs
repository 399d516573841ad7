//! `session`: what the host knows about the session; nothing is sent.

use trellis_cwmp::{FaultStruct, Message, RequestDownload};

use crate::bindings::{session, types};
use crate::state::RunState;

impl session::Host for RunState {
    fn get_device_id(&mut self) -> wasmtime::Result<session::DeviceId> {
        self.looked_at("session.get-device-id");
        let id = &self.context.device_id;
        Ok(session::DeviceId {
            manufacturer: id.manufacturer.clone(),
            oui: id.oui.clone(),
            product_class: id.product_class.clone(),
            serial_number: id.serial_number.clone(),
        })
    }

    fn cwmp_version(&mut self) -> wasmtime::Result<String> {
        self.looked_at("session.cwmp-version");
        Ok(self.context.cwmp_version.to_string())
    }

    fn get_events(&mut self) -> wasmtime::Result<Vec<session::Event>> {
        self.looked_at("session.get-events");
        let events = self.context.events.iter();
        Ok(events
            .map(|event| session::Event {
                code: event.event_code.clone(),
                command_key: event.command_key.clone(),
            })
            .collect())
    }

    fn inform_parameters(&mut self) -> wasmtime::Result<Vec<types::ParameterValue>> {
        self.looked_at("session.inform-parameters");
        Ok(super::parameters::to_guest_values(&self.context.inform_parameters))
    }

    fn root(&mut self) -> wasmtime::Result<String> {
        self.looked_at("session.root");
        Ok(self.context.root.clone())
    }

    fn retry_count(&mut self) -> wasmtime::Result<u32> {
        self.looked_at("session.retry-count");
        Ok(self.context.retry_count)
    }

    fn changed_elsewhere(&mut self) -> wasmtime::Result<bool> {
        self.looked_at("session.changed-elsewhere");
        Ok(self.context.changed_elsewhere)
    }

    fn completed_transfers(&mut self) -> wasmtime::Result<Vec<session::Transfer>> {
        self.looked_at("session.completed-transfers");
        Ok(self.context.transfers.iter().filter_map(transfer).collect())
    }

    fn requested_downloads(&mut self) -> wasmtime::Result<Vec<session::RequestedDownload>> {
        self.looked_at("session.requested-downloads");
        let requested = self.context.requested_downloads.iter();
        let arguments = |it: &RequestDownload| {
            let arguments = it.file_type_arg.iter();
            arguments.map(|argument| (argument.name.clone(), argument.value.clone())).collect()
        };
        Ok(requested
            .map(|it| session::RequestedDownload {
                file_type: it.file_type.clone(),
                arguments: arguments(it),
            })
            .collect())
    }

    fn now(&mut self) -> wasmtime::Result<u64> {
        self.looked_at("session.now");
        Ok(self.context.now_seconds)
    }
}

fn transfer(message: &Message) -> Option<session::Transfer> {
    let (command_key, file_type, fault, start_time, complete_time) = match message {
        Message::TransferComplete(it) => {
            (&it.command_key, "", &it.fault_struct, &it.start_time, &it.complete_time)
        }
        Message::AutonomousTransferComplete(it) => (
            &String::new(),
            it.file_type.as_str(),
            &it.fault_struct,
            &it.start_time,
            &it.complete_time,
        ),
        _ => return None,
    };
    let FaultStruct { fault_code, fault_string } = fault;
    Some(session::Transfer {
        command_key: command_key.clone(),
        file_type: file_type.to_owned(),
        fault_code: *fault_code,
        fault_text: fault_string.clone(),
        start_time: start_time.clone(),
        complete_time: complete_time.clone(),
    })
}
