//! The device, as a plugin sees it in one session.

mod control;
mod parameters;
mod software;
mod transfers;

use crate::{
    Deadlines, DeviceId, Error, Event, Fact, Log, Memory, OperationResult, RequestedDownload,
    Result, Transfer, Values, host,
};

pub use self::parameters::{Notification, Status};
pub use self::transfers::{
    Download, FIRMWARE, ScheduledDownload, TimeWindow, Upload, VENDOR_CONFIGURATION, WEB_CONTENT,
};

/// The device, for the length of one session.
///
/// What takes `&mut self` asks the device: it sends a request and returns with the answer. What
/// takes `&self` knows the answer already and sends nothing. The first [`Error::Lost`] ends the
/// session: everything asked after it ends the same way.
#[derive(Debug)]
pub struct Cpe {
    parameter_key: String,
}

impl Cpe {
    pub(crate) fn of_session() -> Self {
        Self { parameter_key: String::new() }
    }

    /// Who the device is: manufacturer, OUI, product class and serial number.
    pub fn device(&self) -> DeviceId {
        host::session::get_device_id()
    }

    /// The version of CWMP that the session speaks, such as `1.4`.
    pub fn cwmp_version(&self) -> String {
        host::session::cwmp_version()
    }

    /// Why the device called.
    pub fn events(&self) -> Vec<Event> {
        host::session::get_events()
    }

    /// Whether the device called for this reason; the codes are in [`event`](crate::event).
    pub fn has_event(&self, code: &str) -> bool {
        self.events().iter().any(|event| event.code == code)
    }

    /// The parameters that came with the Inform.
    pub fn inform(&self) -> Values {
        host::session::inform_parameters().into()
    }

    /// The data model's root, `Device.` or `InternetGatewayDevice.`.
    pub fn root(&self) -> String {
        host::session::root()
    }

    /// How many sessions of the device failed before this one.
    pub fn retry_count(&self) -> u32 {
        host::session::retry_count()
    }

    /// Whether somebody else may have changed the device since the last change that it acknowledged:
    /// its ParameterKey is another.
    pub fn changed_elsewhere(&self) -> bool {
        host::session::changed_elsewhere()
    }

    /// The transfers whose end the device reported in this session.
    pub fn completed_transfers(&self) -> Vec<Transfer> {
        host::session::completed_transfers()
    }

    /// Files that the device asked for in this session, such as at its user's wish.
    pub fn requested_downloads(&self) -> Vec<RequestedDownload> {
        host::session::requested_downloads()
    }

    /// What became of software modules, as the device reported it in this session.
    pub fn completed_operations(&self) -> Vec<OperationResult> {
        host::software::completed_operations()
    }

    /// Seconds since 1970. Use no other clock: only this one can be replayed.
    pub fn now(&self) -> u64 {
        host::session::now()
    }

    /// A short text that is another one whenever a part of the settings is: a JSON pointer such as
    /// `/wifi`, or the empty text for all of them. To know in a later session whether it was applied, keep
    /// this in the memory and no hash of your own: in a replay, where secrets are masked, it is what it
    /// was.
    pub fn settings_revision(&self, part: &str) -> String {
        host::settings::revision(part)
    }

    /// What lasts from one session to the next.
    pub fn memory(&self) -> Memory {
        Memory(())
    }

    /// Until when the plugin waits for something.
    pub fn deadlines(&self) -> Deadlines {
        Deadlines(())
    }

    /// The server's log.
    pub fn log(&self) -> Log {
        Log(())
    }

    /// Publishes a normalised fact about the device, such as `wifi.ssid`. Names are the same for
    /// every vendor; a value stays until it is replaced or withdrawn.
    pub fn fact(&mut self, name: &str, value: impl Into<Fact>) -> Result<()> {
        host::facts::publish(name, &value.into()).map_err(Error::Refused)
    }

    /// Withdraws a fact, which need not exist.
    pub fn withdraw_fact(&mut self, name: &str) {
        host::facts::withdraw(name);
    }
}
