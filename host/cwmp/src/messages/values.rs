//! Reading and setting parameter values, and learning parameter names (TR-069 A.3.2.1 to 3).

use super::Body;
use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::parameters::{ParameterList, ValueType};
use crate::quirk::Quirk;
use crate::xml::{Element, Xml};

/// Sets parameters, all or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetParameterValues {
    /// Full parameter paths, none twice.
    pub parameter_list: ParameterList,
    /// Becomes the value of `ManagementServer.ParameterKey`; at most 32 characters.
    pub parameter_key: String,
}

/// The parameters are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetParameterValuesResponse {
    /// 0: applied; 1: committed, applied after the session.
    pub status: u32,
}

/// Asks for values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetParameterValues {
    /// Full paths, or partial paths that end with a dot.
    pub parameter_names: Vec<String>,
}

/// The values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GetParameterValuesResponse {
    /// May be empty, may hold a name twice.
    pub parameter_list: ParameterList,
}

/// Asks for the names below a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetParameterNames {
    /// A full path, or a partial path that ends with a dot, or nothing for the root.
    pub parameter_path: String,
    /// Only the children, not all that is below.
    pub next_level: bool,
}

/// The names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetParameterNamesResponse {
    /// Objects end with a dot, parameters do not.
    pub parameter_list: Vec<ParameterInfoStruct>,
}

/// One name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterInfoStruct {
    /// The full path.
    pub name: String,
    /// Whether the parameter can be set, the table added to, the instance deleted.
    pub writable: bool,
}

/// Reads a `ParameterList` of values.
pub(super) fn read_list<'a>(
    xml: &mut Xml<'a>,
    list: &Element<'a>,
) -> Result<ParameterList, DecodeError> {
    let mut parameters = ParameterList::new();
    xml.members(list, "ParameterValueStruct", |xml| {
        let (mut name, mut value) = (None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "Name" => {
                    let text = xml.token()?;
                    xml.first(&mut name, text);
                }
                "Value" => {
                    let value_type = read_type(xml, &child)?;
                    let text = xml.text()?;
                    xml.first(&mut value, (text, value_type));
                }
                _ => xml.skip_unknown()?,
            }
        }
        let name = xml.required(name);
        let (value, value_type) = value.unwrap_or_else(|| {
            xml.note(Quirk::MissingValue);
            Default::default()
        });
        parameters.push(&name, &value, value_type);
        Ok(())
    })?;
    Ok(parameters)
}

fn read_type<'a>(xml: &mut Xml<'a>, value: &Element<'a>) -> Result<ValueType, DecodeError> {
    let Some(text) = xml.attribute(value, "type")? else {
        xml.note(Quirk::MissingType);
        return Ok(ValueType::String);
    };
    let (is_bound, local) = xml.resolve_name(text.trim());
    let known = ValueType::of_local_name(local);
    if !is_bound {
        xml.note(Quirk::UnprefixedType);
    }
    Ok(known.unwrap_or_else(|| {
        xml.note(Quirk::UnknownType);
        // Some write the size with the type: `xsd:string(256)`.
        let base = local.split('(').next().unwrap_or_default();
        ValueType::of_local_name(base).unwrap_or_default()
    }))
}

/// Writes a `ParameterList` of values.
pub(super) fn write_list(list: &ParameterList, out: &mut Output) -> Result<(), EncodeError> {
    let array_type = format!("cwmp:ParameterValueStruct[{}]", list.len());
    out.element_with("ParameterList", ("soapenc:arrayType", &array_type), |out| {
        list.iter().try_for_each(|parameter| {
            out.element("ParameterValueStruct", |out| {
                out.text("Name", parameter.name)?;
                out.value(parameter.value_type, parameter.value)
            })
        })
    })
}

/// Reads a message whose only argument is the array `ParameterNames`.
pub(super) fn read_names(xml: &mut Xml<'_>) -> Result<Vec<String>, DecodeError> {
    let mut names = None;
    while let Some(child) = xml.child()? {
        match child.name() {
            "ParameterNames" => {
                let value = xml.array(&child, "string", Xml::string)?;
                xml.first(&mut names, value);
            }
            _ => xml.skip_unknown()?,
        }
    }
    Ok(xml.required(names))
}

/// Reads a message whose only argument is `Status`.
pub(super) fn read_status(xml: &mut Xml<'_>) -> Result<u32, DecodeError> {
    let mut status = None;
    while let Some(child) = xml.child()? {
        match child.name() {
            "Status" => xml.number_into(&mut status)?,
            _ => xml.skip_unknown()?,
        }
    }
    Ok(xml.required(status))
}

// === impl Body ===

impl Body for SetParameterValues {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut list, mut key) = (None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "ParameterList" => {
                    let value = read_list(xml, &child)?;
                    xml.first(&mut list, value);
                }
                "ParameterKey" => xml.string_into(&mut key)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { parameter_list: xml.required(list), parameter_key: xml.required(key) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        write_list(&self.parameter_list, out)?;
        out.text("ParameterKey", &self.parameter_key)
    }
}

impl Body for SetParameterValuesResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        Ok(Self { status: read_status(xml)? })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.number("Status", self.status)
    }
}

impl Body for GetParameterValues {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        Ok(Self { parameter_names: read_names(xml)? })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.strings("ParameterNames", &self.parameter_names)
    }
}

impl Body for GetParameterValuesResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut list = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "ParameterList" => {
                    let value = read_list(xml, &child)?;
                    xml.first(&mut list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { parameter_list: xml.required(list) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        write_list(&self.parameter_list, out)
    }
}

impl Body for GetParameterNames {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut path, mut next_level) = (None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "ParameterPath" => xml.string_into(&mut path)?,
                "NextLevel" => xml.boolean_into(&mut next_level)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { parameter_path: xml.required(path), next_level: xml.required(next_level) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("ParameterPath", &self.parameter_path)?;
        out.boolean("NextLevel", self.next_level)
    }
}

impl Body for GetParameterNamesResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut list = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "ParameterList" => {
                    let value = xml.array(&child, "ParameterInfoStruct", read_info)?;
                    xml.first(&mut list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { parameter_list: xml.required(list) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        let member_type = "cwmp:ParameterInfoStruct";
        out.array("ParameterList", member_type, &self.parameter_list, |out, info| {
            out.element("ParameterInfoStruct", |out| {
                out.text("Name", &info.name)?;
                out.boolean("Writable", info.writable)
            })
        })
    }
}

fn read_info(xml: &mut Xml<'_>) -> Result<ParameterInfoStruct, DecodeError> {
    let (mut name, mut writable) = (None, None);
    while let Some(child) = xml.child()? {
        match child.name() {
            "Name" => xml.string_into(&mut name)?,
            "Writable" => xml.boolean_into(&mut writable)?,
            _ => xml.skip_unknown()?,
        }
    }
    Ok(ParameterInfoStruct { name: xml.required(name), writable: xml.required(writable) })
}
