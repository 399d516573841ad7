//! Software modules (TR-069 A.4.1.10, A.4.2.3, A.4.2.4); since CWMP 1.2.

use super::{Body, FaultStruct};
use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::quirk::Quirk;
use crate::secret::Secret;
use crate::xml::{Element, Xml};

/// Asks the CPE to install, update and uninstall deployment units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeDUState {
    /// At least one; a CPE takes at least 16.
    pub operations: Vec<Operation>,
    /// Ties the DUStateChangeComplete to this request; at most 32 characters.
    pub command_key: String,
}

/// One operation on a deployment unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `InstallOpStruct`
    Install(InstallOpStruct),
    /// `UpdateOpStruct`
    Update(UpdateOpStruct),
    /// `UninstallOpStruct`
    Uninstall(UninstallOpStruct),
}

impl Operation {
    /// The password that it goes with, if there is one.
    pub fn password(&self) -> Option<&Secret> {
        match self {
            Self::Install(it) => it.password.as_ref(),
            Self::Update(it) => it.password.as_ref(),
            Self::Uninstall(_) => None,
        }
    }
}

/// Installs a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallOpStruct {
    /// Where it is; at most 1024 characters.
    pub url: String,
    /// Its UUID; the CPE makes one when there is none.
    pub uuid: Option<String>,
    /// For the file server.
    pub username: Option<String>,
    /// For the file server.
    pub password: Option<Secret>,
    /// Where to install it: a path that ends with a dot.
    pub execution_env_ref: Option<String>,
}

/// Updates units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateOpStruct {
    /// Which one.
    pub uuid: Option<String>,
    /// Which of its versions.
    pub version: Option<String>,
    /// Where the new one is.
    pub url: Option<String>,
    /// For the file server.
    pub username: Option<String>,
    /// For the file server.
    pub password: Option<Secret>,
}

/// Uninstalls a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UninstallOpStruct {
    /// Which one.
    pub uuid: String,
    /// Which of its versions; all when there is none.
    pub version: Option<String>,
    /// From where; everywhere when there is none.
    pub execution_env_ref: Option<String>,
}

/// The operations of a ChangeDUState have ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DUStateChangeComplete {
    /// At least one for each operation, possibly more.
    pub results: Vec<OpResultStruct>,
    /// The key of the request.
    pub command_key: String,
}

/// Deployment units changed without the ACS asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutonomousDUStateChangeComplete {
    /// What changed; each says which operation.
    pub results: Vec<OpResultStruct>,
}

/// What became of one deployment unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpResultStruct {
    /// The unit.
    pub uuid: String,
    /// Its path, which ends with a dot.
    pub deployment_unit_ref: String,
    /// Its version.
    pub version: String,
    /// `Installed`, `Uninstalled` or `Failed`.
    pub current_state: String,
    /// Whether it has all it depends on.
    pub resolved: bool,
    /// Paths, separated by commas.
    pub execution_unit_ref_list: String,
    /// When it began, or Unknown Time.
    pub start_time: String,
    /// When it was done, or Unknown Time.
    pub complete_time: String,
    /// Code 0 is success.
    pub fault: FaultStruct,
    /// `Install`, `Update` or `Uninstall`: in AutonomousDUStateChangeComplete only.
    pub operation_performed: Option<String>,
}

// === impl Body ===

impl Body for ChangeDUState {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut operations, mut command_key) = (Vec::new(), None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "Operations" => operations.push(Operation::read(xml, &child)?),
                "CommandKey" => xml.string_into(&mut command_key)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { operations, command_key: xml.required(command_key) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        self.operations.iter().try_for_each(|operation| operation.write(out))?;
        out.text("CommandKey", &self.command_key)
    }
}

impl Operation {
    fn read<'a>(xml: &mut Xml<'a>, element: &Element<'a>) -> Result<Self, DecodeError> {
        let (mut url, mut uuid, mut version) = (None, None, None);
        let (mut username, mut password, mut execution_env_ref) = (None, None, None);
        let xsi_type = xml.attribute(element, "type")?.unwrap_or_default();
        while let Some(child) = xml.child()? {
            match child.name() {
                "URL" => xml.string_into(&mut url)?,
                "UUID" => xml.string_into(&mut uuid)?,
                "Version" => xml.string_into(&mut version)?,
                "Username" => xml.string_into(&mut username)?,
                "Password" => xml.secret_into(&mut password)?,
                "ExecutionEnvRef" => xml.string_into(&mut execution_env_ref)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(match xsi_type.rsplit(':').next().unwrap_or_default() {
            "UpdateOpStruct" => {
                Self::Update(UpdateOpStruct { uuid, version, url, username, password })
            }
            "UninstallOpStruct" => {
                let uuid = xml.required(uuid);
                Self::Uninstall(UninstallOpStruct { uuid, version, execution_env_ref })
            }
            other => {
                if other != "InstallOpStruct" {
                    xml.note(Quirk::UnknownType);
                }
                let url = xml.required(url);
                Self::Install(InstallOpStruct { url, uuid, username, password, execution_env_ref })
            }
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        let name = match self {
            Self::Install(_) => "cwmp:InstallOpStruct",
            Self::Update(_) => "cwmp:UpdateOpStruct",
            Self::Uninstall(_) => "cwmp:UninstallOpStruct",
        };
        out.element_with("Operations", ("xsi:type", name), |out| match self {
            Self::Install(it) => {
                out.text("URL", &it.url)?;
                out.optional("UUID", it.uuid.as_deref())?;
                out.optional("Username", it.username.as_deref())?;
                out.optional("Password", it.password.as_ref().map(Secret::reveal))?;
                out.optional("ExecutionEnvRef", it.execution_env_ref.as_deref())
            }
            Self::Update(it) => {
                out.optional("UUID", it.uuid.as_deref())?;
                out.optional("Version", it.version.as_deref())?;
                out.optional("URL", it.url.as_deref())?;
                out.optional("Username", it.username.as_deref())?;
                out.optional("Password", it.password.as_ref().map(Secret::reveal))
            }
            Self::Uninstall(it) => {
                out.text("UUID", &it.uuid)?;
                out.optional("Version", it.version.as_deref())?;
                out.optional("ExecutionEnvRef", it.execution_env_ref.as_deref())
            }
        })
    }
}

impl Body for DUStateChangeComplete {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut results, mut command_key) = (Vec::new(), None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "Results" => OpResultStruct::read_into(xml, &mut results, true)?,
                "CommandKey" => xml.string_into(&mut command_key)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { results, command_key: xml.required(command_key) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        self.results.iter().try_for_each(|result| result.write(out))?;
        out.text("CommandKey", &self.command_key)
    }
}

impl Body for AutonomousDUStateChangeComplete {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut results = Vec::new();
        while let Some(child) = xml.child()? {
            match child.name() {
                "Results" => OpResultStruct::read_into(xml, &mut results, true)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { results })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        self.results.iter().try_for_each(|result| result.write(out))
    }
}

impl OpResultStruct {
    /// Reads a `Results` element: one result directly inside, or, from devices that take it
    /// for an array, any number of wrapped ones.
    fn read_into(
        xml: &mut Xml<'_>,
        results: &mut Vec<Self>,
        may_wrap: bool,
    ) -> Result<(), DecodeError> {
        let (mut uuid, mut deployment_unit_ref, mut version) = (None, None, None);
        let (mut current_state, mut resolved, mut units) = (None, None, None);
        let (mut start_time, mut complete_time, mut fault) = (None, None, None);
        let mut operation_performed = None;
        let mut wrapped = false;
        while let Some(child) = xml.child()? {
            match child.name() {
                "OpResultStruct" | "AutonOpResultStruct" if may_wrap => {
                    xml.note(Quirk::WrappedStruct);
                    wrapped = true;
                    Self::read_into(xml, results, false)?;
                }
                "UUID" => xml.string_into(&mut uuid)?,
                "DeploymentUnitRef" => xml.string_into(&mut deployment_unit_ref)?,
                "Version" => xml.string_into(&mut version)?,
                "CurrentState" => xml.string_into(&mut current_state)?,
                "Resolved" => xml.boolean_into(&mut resolved)?,
                "ExecutionUnitRefList" => xml.string_into(&mut units)?,
                "StartTime" => xml.string_into(&mut start_time)?,
                "CompleteTime" => xml.string_into(&mut complete_time)?,
                "Fault" => {
                    let value = FaultStruct::read(xml)?;
                    xml.first(&mut fault, value);
                }
                "OperationPerformed" => xml.string_into(&mut operation_performed)?,
                _ => xml.skip_unknown()?,
            }
        }
        if !wrapped {
            results.push(Self {
                uuid: xml.required(uuid),
                deployment_unit_ref: xml.required(deployment_unit_ref),
                version: xml.required(version),
                current_state: xml.required(current_state),
                resolved: xml.required(resolved),
                execution_unit_ref_list: xml.required(units),
                start_time: xml.required(start_time),
                complete_time: xml.required(complete_time),
                fault: xml.required(fault),
                operation_performed,
            });
        }
        Ok(())
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.element("Results", |out| {
            out.text("UUID", &self.uuid)?;
            out.text("DeploymentUnitRef", &self.deployment_unit_ref)?;
            out.text("Version", &self.version)?;
            out.text("CurrentState", &self.current_state)?;
            out.boolean("Resolved", self.resolved)?;
            out.text("ExecutionUnitRefList", &self.execution_unit_ref_list)?;
            out.text("StartTime", &self.start_time)?;
            out.text("CompleteTime", &self.complete_time)?;
            self.fault.write("Fault", out)?;
            out.optional("OperationPerformed", self.operation_performed.as_deref())
        })
    }
}
