//! Any message that the encoder can make.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use trellis_cwmp::*;

/// Text of at most so many characters, among them those that XML treats apart. Devices put white
/// space around almost anything, so only values keep theirs.
fn text(characters_max: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        8 => proptest::char::range('!', '~'),
        1 => prop::sample::select(vec!['&', '<', '>', '"', '\'', ' ', ']', 'ä', '€', '𝄞']),
    ];
    vec(character, 0..=characters_max.min(12))
        .prop_map(|characters| characters.into_iter().collect::<String>().trim().to_owned())
}

/// A value and its type.
fn value() -> impl Strategy<Value = (String, ValueType)> {
    let of = |kind: ValueType, text: BoxedStrategy<String>| text.prop_map(move |it| (it, kind));
    prop_oneof![
        of(ValueType::String, text(64).boxed()),
        of(ValueType::String, "[ \t\r\na-z\\]>]{0,8}".boxed()),
        of(ValueType::Int, any::<i32>().prop_map(|it| it.to_string()).boxed()),
        of(ValueType::UnsignedInt, any::<u32>().prop_map(|it| it.to_string()).boxed()),
        of(ValueType::Long, any::<i64>().prop_map(|it| it.to_string()).boxed()),
        of(ValueType::UnsignedLong, any::<u64>().prop_map(|it| it.to_string()).boxed()),
        of(ValueType::Boolean, "(0|1|true|false)".boxed()),
        of(ValueType::DateTime, time().boxed()),
        of(ValueType::Base64, "([A-Za-z0-9+/]{4}){0,4}".boxed()),
        of(ValueType::Base64Binary, "([A-Za-z0-9+/]{4}){0,4}".boxed()),
        of(ValueType::HexBinary, "([A-F0-9]{2}){0,4}".boxed()),
        of(ValueType::Decimal, "-?[0-9]{1,4}\\.[0-9]{1,4}".boxed()),
    ]
}

fn name() -> impl Strategy<Value = String> {
    "(Device|InternetGatewayDevice)(\\.[A-Z][A-Za-z0-9_]{0,8}){1,4}\\.?"
}

fn key() -> impl Strategy<Value = String> {
    text(32)
}

fn url() -> impl Strategy<Value = String> {
    "(http://[a-z]{1,8}/[a-z?&=]{0,8})?"
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0001-01-01T00:00:00Z".to_owned()),
        "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9])T[01][0-9]:[0-5][0-9]:[0-5][0-9](Z|\\+0[0-9]:00)?",
    ]
}

fn secret() -> impl Strategy<Value = Secret> {
    text(64).prop_map(Secret::new)
}

fn list<T: Strategy>(item: T) -> impl Strategy<Value = Vec<T::Value>>
where
    T::Value: std::fmt::Debug,
{
    vec(item, 1..4)
}

fn parameter_list() -> impl Strategy<Value = ParameterList> {
    list((name(), value())).prop_map(|rows| {
        let rows = rows.iter();
        rows.map(|(name, (value, kind))| (name.as_str(), value.as_str(), *kind)).collect()
    })
}

fn uuid() -> impl Strategy<Value = String> {
    "[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"
}

fn file_type() -> impl Strategy<Value = String> {
    prop_oneof![Just("1 Firmware Upgrade Image".to_owned()), "X 00D09E [a-z&<]{1,8}"]
}

fn access_list() -> impl Strategy<Value = Vec<String>> {
    vec(Just("Subscriber".to_owned()), 0..2)
}

fn fault_struct() -> impl Strategy<Value = FaultStruct> {
    // Those that both transfers and deployment units have.
    (prop::sample::select(vec![0_u32, 9001, 9012, 9015, 9018]), text(256))
        .prop_map(|(fault_code, fault_string)| FaultStruct { fault_code, fault_string })
}

fn result(operation: Option<&'static str>) -> impl Strategy<Value = OpResultStruct> {
    let texts = (uuid(), name(), text(32), name(), time(), time());
    let state = prop::sample::select(vec!["Installed", "Uninstalled", "Failed"]);
    (texts, state, any::<bool>(), fault_struct()).prop_map(
        move |(texts, state, resolved, fault)| {
            let (uuid, deployment_unit_ref, version, execution_unit_ref_list, start, complete) =
                texts;
            OpResultStruct {
                uuid,
                deployment_unit_ref,
                version,
                current_state: state.to_owned(),
                resolved,
                execution_unit_ref_list,
                start_time: start,
                complete_time: complete,
                fault,
                operation_performed: operation.map(str::to_owned),
            }
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    let install = (url(), of(uuid()), of(text(64)), of(secret()), of(name())).prop_map(
        |(url, uuid, username, password, execution_env_ref)| {
            Operation::Install(InstallOpStruct { url, uuid, username, password, execution_env_ref })
        },
    );
    let update = (of(uuid()), of(text(32)), of(url()), of(text(64)), of(secret())).prop_map(
        |(uuid, version, url, username, password)| {
            Operation::Update(UpdateOpStruct { uuid, version, url, username, password })
        },
    );
    let uninstall =
        (uuid(), of(text(32)), of(name())).prop_map(|(uuid, version, execution_env_ref)| {
            Operation::Uninstall(UninstallOpStruct { uuid, version, execution_env_ref })
        });
    prop_oneof![install, update, uninstall]
}

fn status() -> impl Strategy<Value = TransferStatus> {
    (0_u32..2, time(), time()).prop_map(|(status, start_time, complete_time)| TransferStatus {
        status,
        start_time,
        complete_time,
    })
}

fn window() -> impl Strategy<Value = TimeWindowStruct> {
    let mode = prop::sample::select(vec!["1 At Any Time", "2 Immediately", "3 When Idle"]);
    (0_u32..1_000, 1_u32..1_000, mode, text(256), -1..9_i32).prop_map(
        |(window_start, length, mode, user_message, max_retries)| TimeWindowStruct {
            window_start,
            window_end: window_start + length,
            window_mode: mode.to_owned(),
            user_message,
            max_retries,
        },
    )
}

/// The arguments that Download and ScheduleDownload share.
fn file() -> impl Strategy<Value = (String, String, String, String, Secret, u32, String)> {
    (key(), file_type(), url(), text(256), secret(), any::<u32>(), text(256))
}

/// A message and what the standard calls it, for each that there is.
pub(crate) fn messages() -> Vec<BoxedStrategy<Message>> {
    let mut all = parameters();
    all.extend(reports());
    all.extend(transfers());
    all.extend(control());
    all.extend(without_arguments());
    all
}

fn parameters() -> Vec<BoxedStrategy<Message>> {
    let info =
        (name(), any::<bool>()).prop_map(|(name, writable)| ParameterInfoStruct { name, writable });
    let attributes =
        (name(), 0_u32..7, access_list()).prop_map(|(name, notification, access_list)| {
            ParameterAttributeStruct { name, notification, access_list }
        });
    let change = (name(), any::<bool>(), 0_u32..7, any::<bool>(), access_list()).prop_map(
        |(name, notification_change, notification, access_list_change, access_list)| {
            SetParameterAttributesStruct {
                name,
                notification_change,
                notification,
                access_list_change,
                access_list,
            }
        },
    );
    let object = || "Device(\\.[A-Z][a-z]{0,4}){1,2}\\.";
    vec![
        (parameter_list(), key())
            .prop_map(|(parameter_list, parameter_key)| {
                Message::SetParameterValues(SetParameterValues { parameter_list, parameter_key })
            })
            .boxed(),
        (0_u32..2)
            .prop_map(|status| {
                Message::SetParameterValuesResponse(SetParameterValuesResponse { status })
            })
            .boxed(),
        list(name())
            .prop_map(|parameter_names| {
                Message::GetParameterValues(GetParameterValues { parameter_names })
            })
            .boxed(),
        parameter_list()
            .prop_map(|parameter_list| {
                Message::GetParameterValuesResponse(GetParameterValuesResponse { parameter_list })
            })
            .boxed(),
        (name(), any::<bool>())
            .prop_map(|(parameter_path, next_level)| {
                Message::GetParameterNames(GetParameterNames { parameter_path, next_level })
            })
            .boxed(),
        vec(info, 0..4)
            .prop_map(|parameter_list| {
                Message::GetParameterNamesResponse(GetParameterNamesResponse { parameter_list })
            })
            .boxed(),
        list(change)
            .prop_map(|parameter_list| {
                Message::SetParameterAttributes(SetParameterAttributes { parameter_list })
            })
            .boxed(),
        list(name())
            .prop_map(|parameter_names| {
                Message::GetParameterAttributes(GetParameterAttributes { parameter_names })
            })
            .boxed(),
        list(attributes)
            .prop_map(|parameter_list| {
                let response = GetParameterAttributesResponse { parameter_list };
                Message::GetParameterAttributesResponse(response)
            })
            .boxed(),
        (object(), key())
            .prop_map(|(object_name, parameter_key)| {
                Message::AddObject(AddObject { object_name, parameter_key })
            })
            .boxed(),
        (1_u32.., 0_u32..2)
            .prop_map(|(instance_number, status)| {
                Message::AddObjectResponse(AddObjectResponse { instance_number, status })
            })
            .boxed(),
        (object(), key())
            .prop_map(|(object_name, parameter_key)| {
                Message::DeleteObject(DeleteObject { object_name, parameter_key })
            })
            .boxed(),
        (0_u32..2)
            .prop_map(|status| Message::DeleteObjectResponse(DeleteObjectResponse { status }))
            .boxed(),
    ]
}

fn reports() -> Vec<BoxedStrategy<Message>> {
    let device_id = (text(64), "[0-9A-F]{6}", text(64), text(64)).prop_map(
        |(manufacturer, oui, product_class, serial_number)| DeviceId {
            manufacturer,
            oui,
            product_class,
            serial_number,
        },
    );
    let code = prop::sample::select(vec!["0 BOOTSTRAP", "2 PERIODIC", "M Reboot", "X 00D09E Odd"]);
    let event = (code, key())
        .prop_map(|(code, command_key)| EventStruct { event_code: code.to_owned(), command_key });
    let rest = (1_u32..9, time(), any::<u32>(), parameter_list());
    let argument = (text(256), text(256)).prop_map(|(name, value)| ArgStruct { name, value });
    let rejected = (name(), 9000_u32..9033, text(64)).prop_map(
        |(parameter_name, fault_code, fault_string)| SetParameterValuesFault {
            parameter_name,
            fault_code,
            fault_string,
        },
    );
    vec![
        (device_id, list(event), rest)
            .prop_map(|(device_id, event, rest)| {
                let (max_envelopes, current_time, retry_count, parameter_list) = rest;
                Message::Inform(Inform {
                    device_id,
                    event,
                    max_envelopes,
                    current_time,
                    retry_count,
                    parameter_list,
                })
            })
            .boxed(),
        (1_u32..9)
            .prop_map(|max_envelopes| Message::InformResponse(InformResponse { max_envelopes }))
            .boxed(),
        (key(), fault_struct(), time(), time())
            .prop_map(|(command_key, fault_struct, start_time, complete_time)| {
                let it = TransferComplete { command_key, fault_struct, start_time, complete_time };
                Message::TransferComplete(it)
            })
            .boxed(),
        (
            (url(), url(), file_type(), text(256)),
            any::<(bool, u32)>(),
            fault_struct(),
            time(),
            time(),
        )
            .prop_map(|(texts, (is_download, file_size), fault_struct, start, complete)| {
                let (announce_url, transfer_url, file_type, target_file_name) = texts;
                Message::AutonomousTransferComplete(AutonomousTransferComplete {
                    announce_url,
                    transfer_url,
                    is_download,
                    file_type,
                    file_size,
                    target_file_name,
                    fault_struct,
                    start_time: start,
                    complete_time: complete,
                })
            })
            .boxed(),
        (list(result(None)), key())
            .prop_map(|(results, command_key)| {
                Message::DUStateChangeComplete(DUStateChangeComplete { results, command_key })
            })
            .boxed(),
        list(result(Some("Install")))
            .prop_map(|results| {
                let it = AutonomousDUStateChangeComplete { results };
                Message::AutonomousDUStateChangeComplete(it)
            })
            .boxed(),
        (file_type(), vec(argument, 0..3))
            .prop_map(|(file_type, file_type_arg)| {
                Message::RequestDownload(RequestDownload { file_type, file_type_arg })
            })
            .boxed(),
        (text(32), url(), text(256), url())
            .prop_map(|(command, referer, arg, next)| {
                Message::Kicked(Kicked { command, referer, arg, next })
            })
            .boxed(),
        url().prop_map(|next_url| Message::KickedResponse(KickedResponse { next_url })).boxed(),
        (
            prop::sample::select(vec!["Client", "Server"]),
            9000_u32..9033,
            text(64),
            vec(rejected, 0..3),
        )
            .prop_map(|(blame, fault_code, fault_string, set_parameter_values_fault)| {
                Message::Fault(Fault {
                    soap_fault_code: blame.to_owned(),
                    soap_fault_string: "CWMP fault".to_owned(),
                    fault_code,
                    fault_string,
                    set_parameter_values_fault,
                })
            })
            .boxed(),
    ]
}

fn transfers() -> Vec<BoxedStrategy<Message>> {
    let queued = (key(), 1_u32..4)
        .prop_map(|(command_key, state)| QueuedTransferStruct { command_key, state });
    let any_queued = (key(), 1_u32..4, any::<bool>(), file_type(), any::<u32>(), text(256))
        .prop_map(|(command_key, state, is_download, file_type, file_size, target_file_name)| {
            AllQueuedTransferStruct {
                command_key,
                state,
                is_download,
                file_type,
                file_size,
                target_file_name,
            }
        });
    vec![
        (file(), any::<u32>(), url(), url())
            .prop_map(|(file, delay_seconds, success_url, failure_url)| {
                let (command_key, file_type, url, username, password, file_size, target) = file;
                Message::Download(Download {
                    command_key,
                    file_type,
                    url,
                    username,
                    password,
                    file_size,
                    target_file_name: target,
                    delay_seconds,
                    success_url,
                    failure_url,
                })
            })
            .boxed(),
        status().prop_map(Message::DownloadResponse).boxed(),
        (key(), file_type(), url(), text(256), secret(), any::<u32>())
            .prop_map(|(command_key, file_type, url, username, password, delay_seconds)| {
                let it = Upload { command_key, file_type, url, username, password, delay_seconds };
                Message::Upload(it)
            })
            .boxed(),
        status().prop_map(Message::UploadResponse).boxed(),
        (file(), vec(window(), 1..3))
            .prop_map(|(file, time_window_list)| {
                let (command_key, file_type, url, username, password, file_size, target) = file;
                Message::ScheduleDownload(ScheduleDownload {
                    command_key,
                    file_type,
                    url,
                    username,
                    password,
                    file_size,
                    target_file_name: target,
                    time_window_list,
                })
            })
            .boxed(),
        key()
            .prop_map(|command_key| Message::CancelTransfer(CancelTransfer { command_key }))
            .boxed(),
        vec(queued, 0..4)
            .prop_map(|transfer_list| {
                Message::GetQueuedTransfersResponse(GetQueuedTransfersResponse { transfer_list })
            })
            .boxed(),
        vec(any_queued, 0..4)
            .prop_map(|transfer_list| {
                let it = GetAllQueuedTransfersResponse { transfer_list };
                Message::GetAllQueuedTransfersResponse(it)
            })
            .boxed(),
        (list(operation()), key())
            .prop_map(|(operations, command_key)| {
                Message::ChangeDUState(ChangeDUState { operations, command_key })
            })
            .boxed(),
    ]
}

fn control() -> Vec<BoxedStrategy<Message>> {
    let option = ((text(64), any::<u32>(), 0_u32..4, 0_u32..3), time(), of(time()), any::<bool>())
        .prop_map(|((option_name, voucher_sn, state, mode), start_date, expires, movable)| {
            OptionStruct {
                option_name,
                voucher_sn,
                state,
                mode,
                start_date,
                expiration_date: expires,
                is_transferable: movable,
            }
        });
    vec![
        list("[A-Z][A-Za-z]{1,20}")
            .prop_map(|method_list| {
                Message::GetRPCMethodsResponse(GetRPCMethodsResponse { method_list })
            })
            .boxed(),
        key().prop_map(|command_key| Message::Reboot(Reboot { command_key })).boxed(),
        (1_u32.., key())
            .prop_map(|(delay_seconds, command_key)| {
                Message::ScheduleInform(ScheduleInform { delay_seconds, command_key })
            })
            .boxed(),
        list("([A-Za-z0-9+/]{4}){1,4}")
            .prop_map(|voucher_list| Message::SetVouchers(SetVouchers { voucher_list }))
            .boxed(),
        text(64).prop_map(|option_name| Message::GetOptions(GetOptions { option_name })).boxed(),
        vec(option, 0..3)
            .prop_map(|option_list| Message::GetOptionsResponse(GetOptionsResponse { option_list }))
            .boxed(),
    ]
}

fn without_arguments() -> Vec<BoxedStrategy<Message>> {
    let all = [
        Message::AutonomousDUStateChangeCompleteResponse,
        Message::AutonomousTransferCompleteResponse,
        Message::CancelTransferResponse,
        Message::ChangeDUStateResponse,
        Message::DUStateChangeCompleteResponse,
        Message::FactoryReset,
        Message::FactoryResetResponse,
        Message::GetAllQueuedTransfers,
        Message::GetQueuedTransfers,
        Message::GetRPCMethods,
        Message::RebootResponse,
        Message::RequestDownloadResponse,
        Message::ScheduleDownloadResponse,
        Message::ScheduleInformResponse,
        Message::SetParameterAttributesResponse,
        Message::SetVouchersResponse,
        Message::TransferCompleteResponse,
    ];
    all.into_iter().map(|message| Just(message).boxed()).collect()
}
