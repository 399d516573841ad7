//! The contract's functions, answered by the bench of this thread.

use super::{Bench, RUNNING};
use crate::bindings::trellis::acs::transfers::AnyQueuedTransfer;

/// Calls from outside [`Bench::run`] have no bench: only a test's mistake leads here.
fn with<T>(call: impl FnOnce(&mut Bench) -> T) -> T {
    RUNNING.with_borrow_mut(|bench| call(bench.get_or_insert_with(|| Bench::new("Device."))))
}

/// A transfer that has not begun, and whose file is not known.
fn queued(command_key: &str, file_type: &str, is_download: bool) -> AnyQueuedTransfer {
    AnyQueuedTransfer {
        command_key: command_key.to_owned(),
        state: 1,
        is_download,
        file_type: file_type.to_owned(),
        file_size: 0,
        target_file_name: String::new(),
    }
}

macro_rules! answers {
    (
        $(#[doc = $doc:literal])* mod $module:ident use { $($used:ident),* $(,)? };
        $(fn $name:ident($bench:ident $(, $argument:ident: $kind:ty)*) $(-> $answer:ty)? $body:block)*
    ) => {
        $(#[doc = $doc])*
        pub(crate) mod $module {
            #[allow(unused_imports, reason = "not every function names a type")]
            use crate::bindings::trellis::acs::$module::*;
            $(use super::super::$used;)*

            $(
                pub(crate) fn $name($($argument: $kind),*) $(-> $answer)? {
                    super::with(|$bench| $body)
                }
            )*
        }
    };
}

answers! {
    mod session use {};
    fn get_device_id(bench) -> DeviceId { bench.device.clone() }
    fn cwmp_version(_bench) -> String { "1.4".to_owned() }
    fn get_events(bench) -> Vec<Event> { bench.told.events.clone() }
    fn inform_parameters(bench) -> Vec<ParameterValue> {
        let parameter = |name: &String| {
            let parameter = bench.parameters.get(name)?;
            Some(ParameterValue {
                name: name.clone(),
                value: parameter.value.clone(),
                value_type: parameter.kind.clone(),
            })
        };
        bench.told.inform.iter().filter_map(parameter).collect()
    }
    fn root(bench) -> String { bench.root.clone() }
    fn retry_count(_bench) -> u32 { 0 }
    fn changed_elsewhere(bench) -> bool { bench.told.changed_elsewhere }
    fn completed_transfers(bench) -> Vec<Transfer> { bench.told.transfers.clone() }
    fn requested_downloads(_bench) -> Vec<RequestedDownload> { Vec::new() }
    fn now(bench) -> u64 { bench.now }
}

answers! {
    mod parameters use {};
    fn get_parameter_values(bench, names: &[String]) -> Result<Vec<ParameterValue>, Error> {
        bench.answer(|it| it.get_values(names))
    }
    fn set_parameter_values(bench, values: &[ParameterValue], _key: &str) -> Result<u32, Error> {
        bench.answer(|it| it.set_values(values))
    }
    fn get_parameter_names(bench, path: &str, next: bool) -> Result<Vec<ParameterName>, Error> {
        bench.answer(|it| it.names(path, next))
    }
    fn get_parameter_attributes(bench, names: &[String])
        -> Result<Vec<ParameterAttributes>, Error> { bench.answer(|it| it.attributes(names)) }
    fn set_parameter_attributes(bench, changes: &[AttributeChange]) -> Result<(), Error> {
        bench.answer(|it| it.set_attributes(changes))
    }
    fn add_object(bench, table: &str, _key: &str) -> Result<AddedObject, Error> {
        bench.answer(|it| it.add(table))
    }
    fn delete_object(bench, row: &str, _key: &str) -> Result<u32, Error> {
        bench.answer(|it| it.delete(row))
    }
    fn ensure_values(bench, values: &[ParameterValue], _key: &str) -> Result<Ensured, Error> {
        bench.answer(|it| it.ensure(values))
    }
    fn ensure_instance(bench, table: &str, keys: &[ParameterValue], _key: &str)
        -> Result<u32, Error> { bench.answer(|it| it.ensure_row(table, keys)) }
    fn walk(bench, path: &str) -> Result<Vec<ParameterName>, Error> {
        bench.answer(|it| it.names(path, false))
    }
}

answers! {
    mod control use {};
    fn get_rpc_methods(bench) -> Result<Vec<String>, Error> {
        bench.request("GetRPCMethods".to_owned())?;
        Ok(["GetRPCMethods", "GetParameterValues"].map(str::to_owned).to_vec())
    }
    fn reboot(bench, key: &str) -> Result<(), Error> { bench.request(format!("Reboot {key}")) }
    fn factory_reset(bench) -> Result<(), Error> { bench.request("FactoryReset".to_owned()) }
    fn schedule_inform(bench, delay: u32, key: &str) -> Result<(), Error> {
        bench.request(format!("ScheduleInform {delay} {key}"))
    }
    fn set_vouchers(bench, _vouchers: &[String]) -> Result<(), Error> {
        bench.request("SetVouchers".to_owned())
    }
    fn get_options(bench, name: &str) -> Result<Vec<DeviceOption>, Error> {
        bench.request(format!("GetOptions {name}"))?;
        Ok(Vec::new())
    }
}

answers! {
    mod transfers use {};
    fn download(bench, request: &DownloadRequest) -> Result<TransferStatus, Error> {
        bench.transfer("Download", &request.url, AnyQueuedTransfer {
            file_size: request.file_size,
            target_file_name: request.target_file_name.clone(),
            ..super::queued(&request.command_key, &request.file_type, true)
        })
    }
    fn upload(bench, request: &UploadRequest) -> Result<TransferStatus, Error> {
        let queued = super::queued(&request.command_key, &request.file_type, false);
        bench.transfer("Upload", &request.url, queued)
    }
    fn schedule_download(bench, request: &ScheduleDownloadRequest) -> Result<(), Error> {
        let queued = AnyQueuedTransfer {
            file_size: request.file_size,
            target_file_name: request.target_file_name.clone(),
            ..super::queued(&request.command_key, &request.file_type, true)
        };
        bench.transfer("ScheduleDownload", &request.url, queued).map(|_| ())
    }
    fn cancel_transfer(bench, key: &str) -> Result<(), Error> {
        bench.request(format!("CancelTransfer {key}"))?;
        bench.queue.retain(|it| it.command_key != key);
        Ok(())
    }
    fn get_queued_transfers(bench) -> Result<Vec<QueuedTransfer>, Error> {
        bench.request("GetQueuedTransfers".to_owned())?;
        let queued = bench.queue.iter();
        let known = |it: &AnyQueuedTransfer| QueuedTransfer {
            command_key: it.command_key.clone(),
            state: it.state,
        };
        Ok(queued.map(known).collect())
    }
    fn get_all_queued_transfers(bench) -> Result<Vec<AnyQueuedTransfer>, Error> {
        bench.request("GetAllQueuedTransfers".to_owned())?;
        Ok(bench.queue.clone())
    }
}

answers! {
    mod software use {};
    fn completed_operations(_bench) -> Vec<OperationResult> { Vec::new() }
    fn change_du_state(bench, operations: &[Operation], key: &str) -> Result<(), Error> {
        bench.request(format!("ChangeDUState {key} {}", operations.len()))
    }
}

answers! {
    mod deadlines use {};
    fn set(bench, name: &str, at: u64) -> Result<(), String> { bench.set_deadline(name, at) }
    fn clear(bench, name: &str) {
        if bench.may_keep().is_ok() {
            bench.note(&format!("  deadline {name} cleared"));
            bench.deadlines.remove(name);
        }
    }
    fn pending(bench) -> Vec<(String, u64)> {
        bench.deadlines.iter().map(|(name, at)| (name.clone(), *at)).collect()
    }
}

answers! {
    mod memory use {};
    fn get(bench, key: &str) -> Option<Vec<u8>> { bench.memory.get(key).cloned() }
    fn set(bench, key: &str, value: &[u8]) -> Result<(), String> {
        bench.remember(key, Some(value))
    }
    fn delete(bench, key: &str) {
        // At the Inform nothing is deleted, as on the server, which does not say so.
        let _ = bench.remember(key, None);
    }
    fn keys(bench) -> Vec<String> { bench.memory.keys().cloned().collect() }
}

answers! {
    mod settings use {};
    fn get(bench) -> String { bench.settings.clone().unwrap_or_default().to_string() }
    fn revision(bench, part: &str) -> String {
        let settings = bench.settings.clone().unwrap_or_default();
        crate::bench::digest(&settings.pointer(part).cloned().unwrap_or_default().to_string())
    }
}

answers! {
    mod facts use {};
    fn publish(bench, name: &str, value: &Fact) -> Result<(), String> {
        bench.publish(name, Some(value))
    }
    fn withdraw(bench, name: &str) {
        // As above.
        let _ = bench.publish(name, None);
    }
}

answers! {
    mod log use {};
    fn write(bench, level: Level, message: &str) {
        let name = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        bench.note_log(name, message);
        bench.log.push(format!("{level:?} {message}"));
    }
}
