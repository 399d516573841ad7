//! The operations of ChangeDUState, which are told apart by their `xsi:type`.

use roxmltree::Node;

use crate::error::{CpeError, violation};
use crate::fields::{Fields, XSI, only_attributes, resolve};

/// One operation of ChangeDUState.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// InstallOpStruct.
    Install {
        /// Where the deployment unit is.
        url: String,
        /// Its UUID, if the ACS chose it.
        uuid: Option<String>,
        /// The execution environment.
        environment: Option<String>,
    },
    /// UpdateOpStruct.
    Update {
        /// Which deployment unit.
        uuid: Option<String>,
        /// Which version of it.
        version: Option<String>,
        /// The new source.
        url: Option<String>,
    },
    /// UninstallOpStruct.
    Uninstall {
        /// Which deployment unit.
        uuid: String,
        /// Which version of it.
        version: Option<String>,
    },
}

impl Operation {
    /// Reads one Operations element by its `xsi:type`.
    pub(crate) fn parse(node: Node<'_, '_>, urn: &str) -> Result<Self, CpeError> {
        only_attributes(node, &[(XSI, "type")])?;
        let Some(qname) = node.attribute((XSI, "type")) else {
            return violation("Operations lacks xsi:type");
        };
        let (namespace, kind) = resolve(node, qname)?;
        let mut fields = Fields::of(node)?;
        let operation = match kind {
            "InstallOpStruct" => {
                let url = fields.string("URL", 1024)?;
                let uuid = uuid(&mut fields)?;
                fields.optional_string("Username", 256)?;
                fields.optional_string("Password", 256)?;
                let environment = fields.optional_string("ExecutionEnvRef", 256)?;
                Self::Install { url, uuid, environment }
            }
            "UpdateOpStruct" => {
                let uuid = uuid(&mut fields)?;
                let version = fields.optional_string("Version", 32)?;
                let url = fields.optional_string("URL", 1024)?;
                fields.optional_string("Username", 256)?;
                fields.optional_string("Password", 256)?;
                Self::Update { uuid, version, url }
            }
            "UninstallOpStruct" => {
                let Some(uuid) = uuid(&mut fields)? else {
                    return violation("UninstallOpStruct lacks <UUID>");
                };
                let version = fields.optional_string("Version", 32)?;
                fields.optional_string("ExecutionEnvRef", 256)?;
                Self::Uninstall { uuid, version }
            }
            _ => return violation(format!("{qname:?} is no operation")),
        };
        fields.finish()?;
        if namespace != Some(urn) {
            return violation(format!("the xsi:type {qname:?} is not in {urn}"));
        }
        Ok(operation)
    }
}

fn uuid(fields: &mut Fields<'_, '_>) -> Result<Option<String>, CpeError> {
    let Some(uuid) = fields.optional_string("UUID", 36)? else {
        return Ok(None);
    };
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    let hex = uuid.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    if lengths != [8, 4, 4, 4, 12] || !hex {
        return violation(format!("{uuid:?} is no UUID"));
    }
    Ok(Some(uuid))
}
