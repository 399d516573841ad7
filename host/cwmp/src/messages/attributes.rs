//! Notification and access of parameters (TR-069 A.3.2.4, A.3.2.5).

use super::{Body, values};
use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::xml::Xml;

/// Sets attributes, all or none, in list order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetParameterAttributes {
    /// At least one.
    pub parameter_list: Vec<SetParameterAttributesStruct>,
}

/// What to set on one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetParameterAttributesStruct {
    /// A full or a partial path.
    pub name: String,
    /// Whether `notification` counts.
    pub notification_change: bool,
    /// 0 off, 1 passive, 2 active; 3 to 6 since CWMP 1.4. Written even when it does not count.
    pub notification: u32,
    /// Whether `access_list` counts.
    pub access_list_change: bool,
    /// Who may write besides the ACS, such as `Subscriber`.
    pub access_list: Vec<String>,
}

/// Asks for attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetParameterAttributes {
    /// Full or partial paths.
    pub parameter_names: Vec<String>,
}

/// The attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetParameterAttributesResponse {
    /// One for each parameter.
    pub parameter_list: Vec<ParameterAttributeStruct>,
}

/// The attributes of one parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterAttributeStruct {
    /// The full path.
    pub name: String,
    /// 0 to 6.
    pub notification: u32,
    /// Who may write besides the ACS.
    pub access_list: Vec<String>,
}

// === impl Body ===

impl Body for SetParameterAttributes {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut list = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "ParameterList" => {
                    let value = xml.array(&child, "SetParameterAttributesStruct", read_set)?;
                    xml.first(&mut list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { parameter_list: xml.required(list) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        let member_type = "cwmp:SetParameterAttributesStruct";
        out.array("ParameterList", member_type, &self.parameter_list, |out, row| {
            out.element("SetParameterAttributesStruct", |out| {
                out.text("Name", &row.name)?;
                out.boolean("NotificationChange", row.notification_change)?;
                out.number("Notification", row.notification)?;
                out.boolean("AccessListChange", row.access_list_change)?;
                out.strings("AccessList", &row.access_list)
            })
        })
    }
}

fn read_set(xml: &mut Xml<'_>) -> Result<SetParameterAttributesStruct, DecodeError> {
    let (mut name, mut notification, mut access_list) = (None, None, None);
    let (mut notification_change, mut access_list_change) = (None, None);
    while let Some(child) = xml.child()? {
        match child.name() {
            "Name" => xml.string_into(&mut name)?,
            "NotificationChange" => xml.boolean_into(&mut notification_change)?,
            "Notification" => xml.number_into(&mut notification)?,
            "AccessListChange" => xml.boolean_into(&mut access_list_change)?,
            "AccessList" => {
                let value = xml.array(&child, "string", Xml::string)?;
                xml.first(&mut access_list, value);
            }
            _ => xml.skip_unknown()?,
        }
    }
    Ok(SetParameterAttributesStruct {
        name: xml.required(name),
        notification_change: xml.required(notification_change),
        notification: xml.required(notification),
        access_list_change: xml.required(access_list_change),
        access_list: xml.required(access_list),
    })
}

impl Body for GetParameterAttributes {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        Ok(Self { parameter_names: values::read_names(xml)? })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.strings("ParameterNames", &self.parameter_names)
    }
}

impl Body for GetParameterAttributesResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut list = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "ParameterList" => {
                    let value = xml.array(&child, "ParameterAttributeStruct", read_attribute)?;
                    xml.first(&mut list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { parameter_list: xml.required(list) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        let member_type = "cwmp:ParameterAttributeStruct";
        out.array("ParameterList", member_type, &self.parameter_list, |out, row| {
            out.element("ParameterAttributeStruct", |out| {
                out.text("Name", &row.name)?;
                out.number("Notification", row.notification)?;
                out.strings("AccessList", &row.access_list)
            })
        })
    }
}

fn read_attribute(xml: &mut Xml<'_>) -> Result<ParameterAttributeStruct, DecodeError> {
    let (mut name, mut notification, mut access_list) = (None, None, None);
    while let Some(child) = xml.child()? {
        match child.name() {
            "Name" => xml.string_into(&mut name)?,
            "Notification" => xml.number_into(&mut notification)?,
            "AccessList" => {
                let value = xml.array(&child, "string", Xml::string)?;
                xml.first(&mut access_list, value);
            }
            _ => xml.skip_unknown()?,
        }
    }
    Ok(ParameterAttributeStruct {
        name: xml.required(name),
        notification: xml.required(notification),
        access_list: xml.required(access_list),
    })
}
