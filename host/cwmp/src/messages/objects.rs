//! Adding and deleting table rows (TR-069 A.3.2.6, A.3.2.7).

use super::{Body, values};
use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::xml::Xml;

/// Adds a row to a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddObject {
    /// The table's path, with the final dot.
    pub object_name: String,
    /// Becomes the value of `ManagementServer.ParameterKey`; at most 32 characters.
    pub parameter_key: String,
}

/// The row is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddObjectResponse {
    /// Chosen by the CPE, arbitrary, at least 1.
    pub instance_number: u32,
    /// 0: applied; 1: committed, applied after the session.
    pub status: u32,
}

/// Deletes a row of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteObject {
    /// The row's path, with instance number and final dot.
    pub object_name: String,
    /// Becomes the value of `ManagementServer.ParameterKey`; at most 32 characters.
    pub parameter_key: String,
}

/// The row is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteObjectResponse {
    /// 0: applied; 1: committed, applied after the session.
    pub status: u32,
}

// === impl Body ===

fn read_object(xml: &mut Xml<'_>) -> Result<(String, String), DecodeError> {
    let (mut name, mut key) = (None, None);
    while let Some(child) = xml.child()? {
        match child.name() {
            "ObjectName" => xml.string_into(&mut name)?,
            "ParameterKey" => xml.string_into(&mut key)?,
            _ => xml.skip_unknown()?,
        }
    }
    Ok((xml.required(name), xml.required(key)))
}

impl Body for AddObject {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (object_name, parameter_key) = read_object(xml)?;
        Ok(Self { object_name, parameter_key })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("ObjectName", &self.object_name)?;
        out.text("ParameterKey", &self.parameter_key)
    }
}

impl Body for AddObjectResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut instance_number, mut status) = (None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "InstanceNumber" => xml.number_into(&mut instance_number)?,
                "Status" => xml.number_into(&mut status)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { instance_number: xml.required(instance_number), status: xml.required(status) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.number("InstanceNumber", self.instance_number)?;
        out.number("Status", self.status)
    }
}

impl Body for DeleteObject {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (object_name, parameter_key) = read_object(xml)?;
        Ok(Self { object_name, parameter_key })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("ObjectName", &self.object_name)?;
        out.text("ParameterKey", &self.parameter_key)
    }
}

impl Body for DeleteObjectResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        Ok(Self { status: values::read_status(xml)? })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.number("Status", self.status)
    }
}
