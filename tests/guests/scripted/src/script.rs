//! A plugin that does what its settings say, step by step; each step's outcome is a fact.

use serde::Deserialize;
use trellis_plugin::{
    AttributeChange, Cpe, Download, Error, InstallOperation, Operation, Result, ScheduledDownload,
    Time, TimeWindow, UninstallOperation, UpdateOperation, Upload, Value,
    serde_json::Value as Json,
};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Step {
    Get {
        names: Vec<String>,
    },
    Set {
        values: Vec<Parameter>,
    },
    Ensure {
        values: Vec<Parameter>,
    },
    EnsureInstance {
        table: String,
        keys: Vec<Parameter>,
    },
    ParameterKey {
        key: String,
    },
    Names {
        path: String,
    },
    AllNames {
        path: String,
    },
    Walk {
        path: String,
    },
    Attributes {
        names: Vec<String>,
    },
    SetAttributes {
        name: String,
        notification: Option<u32>,
        access_list: Option<Vec<String>>,
    },
    Add {
        table: String,
    },
    Delete {
        row: String,
    },
    RpcMethods,
    Reboot {
        key: String,
    },
    FactoryReset,
    ScheduleInform {
        delay: u32,
        key: String,
    },
    SetVouchers {
        vouchers: Vec<String>,
    },
    Options {
        name: String,
    },
    Download {
        key: String,
        file_type: String,
        url: String,
        #[serde(default)]
        delay: u32,
    },
    Upload {
        key: String,
        file_type: String,
        url: String,
    },
    ScheduleDownload {
        key: String,
        windows: Vec<(u32, u32)>,
    },
    CancelTransfer {
        key: String,
    },
    QueuedTransfers,
    AllQueuedTransfers,
    ChangeDuState {
        key: String,
        operations: Vec<String>,
    },
    Time {
        name: String,
    },
    Changed,
    Events,
    Transfers,
    Operations,
    Version,
}

/// Name, type (empty where it is not told) and text.
type Parameter = (String, String, String);

/// Runs the steps of `settings.script`. Only a lost session ends it early.
pub(crate) fn run(cpe: &mut Cpe, settings: &Json) -> Result<()> {
    let script = settings.get("script").cloned().unwrap_or_default();
    let steps: Vec<Step> = trellis_plugin::serde_json::from_value(script).map_err(Error::other)?;
    for (number, step) in (1..).zip(steps) {
        let said = match perform(cpe, step) {
            Ok(said) => said,
            Err(Error::Fault(fault)) => {
                let mut said = format!("fault {}: {}", fault.code, fault.text);
                for parameter in fault.parameters {
                    said.push_str(&format!("; {} {}", parameter.name, parameter.code));
                }
                said
            }
            Err(Error::Refused(why)) => format!("refused: {why}"),
            Err(lost) => return Err(lost),
        };
        let end = said.floor_char_boundary(1000);
        cpe.fact(&format!("step.{number}"), &said[..end])?;
    }
    Ok(())
}

fn perform(cpe: &mut Cpe, step: Step) -> Result<String> {
    Ok(match step {
        Step::Get { names } => {
            let values = cpe.get_many(names)?;
            let pairs = values
                .iter()
                .map(|it| format!("{}={}:{}", it.name, it.value.type_name(), it.value.text()));
            pairs.collect::<Vec<_>>().join(" ")
        }
        Step::Set { values } => text(cpe.set(parameters(values))?),
        Step::Ensure { values } => {
            let ensured = cpe.ensure(parameters(values))?;
            format!("{} written, {} missing", ensured.written.len(), ensured.missing.len())
        }
        Step::EnsureInstance { table, keys } => {
            cpe.ensure_instance(&table, parameters(keys))?.to_string()
        }
        Step::ParameterKey { key } => {
            cpe.set_parameter_key(key);
            String::new()
        }
        Step::Names { path } => text(cpe.names(&path)?),
        Step::AllNames { path } => text(cpe.all_names(&path)?),
        Step::Walk { path } => cpe.walk(&path)?.len().to_string(),
        Step::Attributes { names } => text(cpe.attributes(names)?),
        Step::SetAttributes { name, notification, access_list } => {
            text(cpe.set_attributes(&[AttributeChange { name, notification, access_list }])?)
        }
        Step::Add { table } => text(cpe.add_object(&table)?),
        Step::Delete { row } => text(cpe.delete_object(&row)?),
        Step::RpcMethods => cpe.rpc_methods()?.join(","),
        Step::Reboot { key } => text(cpe.reboot(&key)?),
        Step::FactoryReset => text(cpe.factory_reset()?),
        Step::ScheduleInform { delay, key } => text(cpe.schedule_inform(delay, &key)?),
        Step::SetVouchers { vouchers } => text(cpe.set_vouchers(&vouchers)?),
        Step::Options { name } => text(cpe.options(&name)?),
        Step::Download { key, file_type, url, delay } => text(cpe.download(Download {
            command_key: key,
            file_type,
            url,
            delay_seconds: delay,
            ..Download::default()
        })?),
        Step::Upload { key, file_type, url } => {
            text(cpe.upload(Upload { command_key: key, file_type, url, ..Upload::default() })?)
        }
        Step::ScheduleDownload { key, windows } => {
            let window = |(start, end)| TimeWindow {
                start,
                end,
                mode: "1 At Any Time".to_owned(),
                ..TimeWindow::default()
            };
            text(cpe.schedule_download(ScheduledDownload {
                command_key: key,
                file_type: "1 Firmware Upgrade Image".to_owned(),
                url: "http://files.example/f".to_owned(),
                windows: windows.into_iter().map(window).collect(),
                ..ScheduledDownload::default()
            })?)
        }
        Step::CancelTransfer { key } => text(cpe.cancel_transfer(&key)?),
        Step::QueuedTransfers => cpe.queued_transfers()?.len().to_string(),
        Step::AllQueuedTransfers => cpe.all_queued_transfers()?.len().to_string(),
        Step::ChangeDuState { key, operations } => {
            let operations: Vec<_> = operations.iter().map(|it| operation(it)).collect();
            text(cpe.change_du_state(&operations, &key)?)
        }
        Step::Time { name } => format!("{:?}", cpe.get::<Time>(&name)?),
        Step::Changed => cpe.changed_elsewhere().to_string(),
        Step::Events => {
            let events = cpe.events();
            let pairs = events.iter().map(|it| format!("{}/{}", it.code, it.command_key));
            pairs.collect::<Vec<_>>().join(",")
        }
        Step::Transfers => {
            let transfers = cpe.completed_transfers();
            let pairs = transfers.iter().map(|it| format!("{}={}", it.command_key, it.fault_code));
            pairs.collect::<Vec<_>>().join(",")
        }
        Step::Operations => {
            let results = cpe.completed_operations();
            let pairs = results.iter().map(|it| format!("{}={}", it.command_key, it.fault_code));
            pairs.collect::<Vec<_>>().join(",")
        }
        Step::Version => cpe.cwmp_version(),
    })
}

fn parameters(values: Vec<Parameter>) -> Vec<(String, Value)> {
    values.into_iter().map(|(name, kind, text)| (name, Value::of_type(kind, text))).collect()
}

const UUID: &str = "0b1f3c64-2a4f-4d6e-8f0a-123456789abc";

fn operation(name: &str) -> Operation {
    match name {
        "install" => Operation::Install(InstallOperation {
            url: "http://files.example/app".to_owned(),
            uuid: None,
            username: None,
            password: None,
            execution_env_ref: None,
        }),
        "update" => Operation::Update(UpdateOperation {
            uuid: Some(UUID.to_owned()),
            version: None,
            url: None,
            username: None,
            password: None,
        }),
        _ => Operation::Uninstall(UninstallOperation {
            uuid: UUID.to_owned(),
            version: None,
            execution_env_ref: None,
        }),
    }
}

fn text(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}
