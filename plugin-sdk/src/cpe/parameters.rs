//! Reading and changing parameters.

use crate::values::to_wire;
use crate::{
    AddedObject, AttributeChange, Cpe, Ensured, Error, FromValue, ParameterAttributes,
    ParameterName, Result, Value, Values, host,
};

/// When the device applies a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has been applied.
    Applied,
    /// It is accepted, and applied after the session. Do not reboot the device for it.
    AfterSession,
}

/// How the device tells that a parameter's value changed by another hand than the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification {
    /// Not at all.
    Off,
    /// With the next Inform.
    Passive,
    /// At once, with a session of its own.
    Active,
    /// Another of the standard's numbers: 3 to 6 since CWMP 1.4.
    Other(u32),
}

impl Notification {
    /// The standard's number.
    pub fn code(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Passive => 1,
            Self::Active => 2,
            Self::Other(code) => code,
        }
    }
}

impl Status {
    pub(crate) fn of(code: u32) -> Self {
        if code == 0 { Self::Applied } else { Self::AfterSession }
    }
}

impl Cpe {
    /// The key that the changes from here on leave in the device's `ManagementServer.ParameterKey`
    /// (at most 32 bytes). Empty at first.
    pub fn set_parameter_key(&mut self, key: impl Into<String>) {
        self.parameter_key = key.into();
    }

    /// Reads one parameter (GetParameterValues).
    ///
    /// ```no_run
    /// # fn run(cpe: &mut trellis_plugin::Cpe) -> trellis_plugin::Result<()> {
    /// let uptime_s = cpe.get::<u32>("Device.DeviceInfo.UpTime")?;
    /// # Ok(()) }
    /// ```
    pub fn get<T: FromValue>(&mut self, name: &str) -> Result<T> {
        self.get_many([name])?.parse(name)
    }

    /// Reads several (GetParameterValues): parameters by their full path, and objects, whose path
    /// ends with a dot, with everything below them. One name that the device does not have fails
    /// all, with [`fault::INVALID_PARAMETER_NAME`](crate::fault::INVALID_PARAMETER_NAME).
    pub fn get_many<N: Into<String>>(
        &mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Values> {
        Ok(host::parameters::get_parameter_values(&texts(names))?.into())
    }

    /// Writes parameters, all or none (SetParameterValues).
    ///
    /// ```no_run
    /// # fn run(cpe: &mut trellis_plugin::Cpe) -> trellis_plugin::Result<()> {
    /// cpe.set([("Device.Time.Enable", true.into()), ("Device.Time.NTPServer1", "ntp".into())])?;
    /// # Ok(()) }
    /// ```
    pub fn set<N: Into<String>>(
        &mut self,
        values: impl IntoIterator<Item = (N, Value)>,
    ) -> Result<Status> {
        let values = to_wire(values);
        Ok(Status::of(host::parameters::set_parameter_values(&values, &self.parameter_key)?))
    }

    /// Reads parameters and writes those whose value is another one. Names that the device does
    /// not have are reported, and are no fault.
    pub fn ensure<N: Into<String>>(
        &mut self,
        values: impl IntoIterator<Item = (N, Value)>,
    ) -> Result<Ensured> {
        Ok(host::parameters::ensure_values(&to_wire(values), &self.parameter_key)?)
    }

    /// Finds the row of a table, such as `Device.NAT.PortMapping.`, in which all of `keys` have
    /// these values, or adds one. The keys' names are relative to the row. The answer is the
    /// row's instance number.
    pub fn ensure_instance<N: Into<String>>(
        &mut self,
        table: &str,
        keys: impl IntoIterator<Item = (N, Value)>,
    ) -> Result<u32> {
        let keys = to_wire(keys);
        Ok(host::parameters::ensure_instance(table, &keys, &self.parameter_key)?)
    }

    /// The names directly below an object (GetParameterNames with NextLevel).
    pub fn names(&mut self, path: &str) -> Result<Vec<ParameterName>> {
        Ok(host::parameters::get_parameter_names(path, true)?)
    }

    /// All names below a path, and its own, in one request (GetParameterNames). A device for
    /// which that is too much answers
    /// [`fault::RESOURCES_EXCEEDED`](crate::fault::RESOURCES_EXCEEDED); [`walk`](Self::walk) then
    /// goes on level by level.
    pub fn all_names(&mut self, path: &str) -> Result<Vec<ParameterName>> {
        Ok(host::parameters::get_parameter_names(path, false)?)
    }

    /// All names below a path, in as many requests as the device needs.
    pub fn walk(&mut self, path: &str) -> Result<Vec<ParameterName>> {
        Ok(host::parameters::walk(path)?)
    }

    /// How parameters are watched, and who else may write them (GetParameterAttributes).
    pub fn attributes<N: Into<String>>(
        &mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Vec<ParameterAttributes>> {
        Ok(host::parameters::get_parameter_attributes(&texts(names))?)
    }

    /// Changes attributes, in this order, all or none (SetParameterAttributes).
    pub fn set_attributes(&mut self, changes: &[AttributeChange]) -> Result<()> {
        Ok(host::parameters::set_parameter_attributes(changes)?)
    }

    /// Watches parameters or objects: the device tells when their values change. It holds for
    /// the rows that exist now.
    pub fn notify<N: Into<String>>(
        &mut self,
        names: impl IntoIterator<Item = N>,
        notification: Notification,
    ) -> Result<()> {
        let change = |name: N| AttributeChange {
            name: name.into(),
            notification: Some(notification.code()),
            access_list: None,
        };
        self.set_attributes(&names.into_iter().map(change).collect::<Vec<_>>())
    }

    /// Adds a row to a table (AddObject). The number is the device's choice.
    pub fn add_object(&mut self, table: &str) -> Result<AddedObject> {
        Ok(host::parameters::add_object(table, &self.parameter_key)?)
    }

    /// Removes a row, such as `Device.NAT.PortMapping.3.` (DeleteObject).
    pub fn delete_object(&mut self, row: &str) -> Result<Status> {
        Ok(Status::of(host::parameters::delete_object(row, &self.parameter_key)?))
    }

    /// Reads what may not be there: `None` where the device has no such parameter or object.
    pub fn try_get_many<N: Into<String>>(
        &mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Option<Values>> {
        match self.get_many(names) {
            Ok(values) => Ok(Some(values)),
            Err(Error::Fault(fault)) if fault.code == crate::fault::INVALID_PARAMETER_NAME => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn texts<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}
