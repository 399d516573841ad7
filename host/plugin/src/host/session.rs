//! `session`: what the host knows about the session; nothing is sent.

use trellis_cwmp::{FaultStruct, Message};

use crate::bindings::{session, types};
use crate::state::RunState;

impl session::Host for RunState {
    fn get_device_id(&mut self) -> session::DeviceId {
        let id = &self.context.device_id;
        session::DeviceId {
            manufacturer: id.manufacturer.clone(),
            oui: id.oui.clone(),
            product_class: id.product_class.clone(),
            serial_number: id.serial_number.clone(),
        }
    }

    fn cwmp_version(&mut self) -> String {
        self.context.cwmp_version.to_string()
    }

    fn get_events(&mut self) -> Vec<session::Event> {
        let events = self.context.events.iter();
        events
            .map(|event| session::Event {
                code: event.event_code.clone(),
                command_key: event.command_key.clone(),
            })
            .collect()
    }

    fn inform_parameters(&mut self) -> Vec<types::ParameterValue> {
        super::parameters::to_guest_values(&self.context.inform_parameters)
    }

    fn root(&mut self) -> String {
        self.context.root.clone()
    }

    fn retry_count(&mut self) -> u32 {
        self.context.retry_count
    }

    fn completed_transfers(&mut self) -> Vec<session::Transfer> {
        self.context.transfers.iter().filter_map(transfer).collect()
    }

    fn now(&mut self) -> u64 {
        self.context.now_seconds
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
