//! `control`: restarting, resetting, calling back, and what a device can do.

use trellis_cwmp::*;

use crate::bindings::control::{DeviceOption, Host};
use crate::bindings::types::Error;
use crate::state::{RunState, to_guest};

type Answer<T> = wasmtime::Result<std::result::Result<T, Error>>;

impl Host for RunState {
    async fn get_rpc_methods(&mut self) -> Answer<Vec<String>> {
        let methods = self.ask(Message::GetRPCMethods, |answer| match answer {
            Message::GetRPCMethodsResponse(it) => Some(it.method_list),
            _ => None,
        });
        to_guest(methods.await)
    }

    async fn reboot(&mut self, command_key: String) -> Answer<()> {
        to_guest(self.call(Message::Reboot(Reboot { command_key })).await.map(|_| ()))
    }

    async fn factory_reset(&mut self) -> Answer<()> {
        to_guest(self.call(Message::FactoryReset).await.map(|_| ()))
    }

    async fn schedule_inform(&mut self, delay_seconds: u32, command_key: String) -> Answer<()> {
        let request = Message::ScheduleInform(ScheduleInform { delay_seconds, command_key });
        to_guest(self.call(request).await.map(|_| ()))
    }

    async fn set_vouchers(&mut self, vouchers: Vec<String>) -> Answer<()> {
        let request = Message::SetVouchers(SetVouchers { voucher_list: vouchers });
        to_guest(self.call(request).await.map(|_| ()))
    }

    async fn get_options(&mut self, option_name: String) -> Answer<Vec<DeviceOption>> {
        let request = Message::GetOptions(GetOptions { option_name });
        let options = self.ask(request, |answer| match answer {
            Message::GetOptionsResponse(it) => Some(it.option_list),
            _ => None,
        });
        to_guest(options.await.map(|options| {
            let options = options.into_iter();
            options
                .map(|it| DeviceOption {
                    name: it.option_name,
                    voucher_sn: it.voucher_sn,
                    state: it.state,
                    mode: it.mode,
                    start_date: it.start_date,
                    expiration_date: it.expiration_date,
                    is_transferable: it.is_transferable,
                })
                .collect()
        }))
    }
}
