//! `software`: deployment units.

use trellis_cwmp::*;

use crate::bindings::software::{Host, Operation as GuestOperation, OperationResult};
use crate::bindings::types::Error;
use crate::state::{RunState, to_guest};

impl Host for RunState {
    fn completed_operations(&mut self) -> wasmtime::Result<Vec<OperationResult>> {
        self.looked_at("software.completed-operations");
        let results = self.context.operations.iter().cloned();
        Ok(results
            .map(|(command_key, it)| OperationResult {
                command_key,
                uuid: it.uuid,
                deployment_unit_ref: it.deployment_unit_ref,
                version: it.version,
                current_state: it.current_state,
                resolved: it.resolved,
                execution_unit_ref_list: it.execution_unit_ref_list,
                start_time: it.start_time,
                complete_time: it.complete_time,
                fault_code: it.fault.fault_code,
                fault_text: it.fault.fault_string,
                operation_performed: it.operation_performed.unwrap_or_default(),
            })
            .collect())
    }

    async fn change_du_state(
        &mut self,
        operations: Vec<GuestOperation>,
        command_key: String,
    ) -> wasmtime::Result<std::result::Result<(), Error>> {
        let operations = operations.into_iter().map(operation).collect();
        let request = Message::ChangeDUState(ChangeDUState { operations, command_key });
        to_guest(self.call(request).await.map(|_| ()))
    }
}

fn operation(operation: GuestOperation) -> Operation {
    match operation {
        GuestOperation::Install(it) => Operation::Install(InstallOpStruct {
            url: it.url,
            uuid: it.uuid,
            username: it.username,
            password: it.password.map(Secret::new),
            execution_env_ref: it.execution_env_ref,
        }),
        GuestOperation::Update(it) => Operation::Update(UpdateOpStruct {
            uuid: it.uuid,
            version: it.version,
            url: it.url,
            username: it.username,
            password: it.password.map(Secret::new),
        }),
        GuestOperation::Uninstall(it) => Operation::Uninstall(UninstallOpStruct {
            uuid: it.uuid,
            version: it.version,
            execution_env_ref: it.execution_env_ref,
        }),
    }
}
