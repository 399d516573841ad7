//! Restarting, resetting, calling back, and what a device can do.

use crate::{Cpe, DeviceOption, Result, host};

impl Cpe {
    /// The methods that the device knows (GetRPCMethods).
    pub fn rpc_methods(&mut self) -> Result<Vec<String>> {
        Ok(host::control::get_rpc_methods()?)
    }

    /// Restarts the device after the session (Reboot). The next one has the events
    /// [`BOOT`](crate::event::BOOT) and [`M_REBOOT`](crate::event::M_REBOOT) with the key.
    pub fn reboot(&mut self, command_key: &str) -> Result<()> {
        Ok(host::control::reboot(command_key)?)
    }

    /// Resets the device after the session (FactoryReset). The next one has the event
    /// [`BOOTSTRAP`](crate::event::BOOTSTRAP).
    pub fn factory_reset(&mut self) -> Result<()> {
        Ok(host::control::factory_reset()?)
    }

    /// Has the device call again in so many seconds, at least 1 (ScheduleInform). That session
    /// has the event [`M_SCHEDULE_INFORM`](crate::event::M_SCHEDULE_INFORM) with the key.
    pub fn schedule_inform(&mut self, delay_seconds: u32, command_key: &str) -> Result<()> {
        Ok(host::control::schedule_inform(delay_seconds, command_key)?)
    }

    /// Sets vouchers, each in base64 (SetVouchers). Deprecated since CWMP 1.2.
    pub fn set_vouchers(&mut self, vouchers: &[String]) -> Result<()> {
        Ok(host::control::set_vouchers(vouchers)?)
    }

    /// Options and their vouchers; an empty name asks for all (GetOptions). Deprecated since
    /// CWMP 1.2.
    pub fn options(&mut self, option_name: &str) -> Result<Vec<DeviceOption>> {
        Ok(host::control::get_options(option_name)?)
    }
}
