//! What both sides understand, and the small methods that fit nowhere else.

use super::Body;
use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::xml::Xml;

/// The methods that the answering side supports (TR-069 A.3.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetRPCMethodsResponse {
    /// All of them, vendor methods included.
    pub method_list: Vec<String>,
}

/// Asks the CPE to restart after the session (TR-069 A.3.2.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reboot {
    /// Comes back with the event `M Reboot`; at most 32 characters.
    pub command_key: String,
}

/// Asks the CPE to call again later (TR-069 A.4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleInform {
    /// Seconds from now; more than zero.
    pub delay_seconds: u32,
    /// Comes back with the event `M ScheduleInform`; at most 32 characters.
    pub command_key: String,
}

/// A user was sent here by a web page (TR-069 A.4.2.1); deprecated since CWMP 1.2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kicked {
    /// What to do; at most 32 characters.
    pub command: String,
    /// Where the user came from; at most 64 characters.
    pub referer: String,
    /// The argument; at most 256 characters.
    pub arg: String,
    /// Where the user goes next; at most 1024 characters.
    pub next: String,
}

/// Where the user goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KickedResponse {
    /// At most 1024 characters.
    pub next_url: String,
}

// === impl Body ===

impl Body for GetRPCMethodsResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut method_list = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "MethodList" => {
                    let value = xml.array(&child, "string", Xml::string)?;
                    xml.first(&mut method_list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { method_list: xml.required(method_list) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.strings("MethodList", &self.method_list)
    }
}

impl Body for Reboot {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        Ok(Self { command_key: read_command_key(xml)? })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("CommandKey", &self.command_key)
    }
}

/// Reads a message whose only argument is a `CommandKey`.
pub(super) fn read_command_key(xml: &mut Xml<'_>) -> Result<String, DecodeError> {
    let mut command_key = None;
    while let Some(child) = xml.child()? {
        match child.name() {
            "CommandKey" => xml.string_into(&mut command_key)?,
            _ => xml.skip_unknown()?,
        }
    }
    Ok(xml.required(command_key))
}

impl Body for ScheduleInform {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut delay_seconds, mut command_key) = (None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "DelaySeconds" => xml.number_into(&mut delay_seconds)?,
                "CommandKey" => xml.string_into(&mut command_key)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self {
            delay_seconds: xml.required(delay_seconds),
            command_key: xml.required(command_key),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.number("DelaySeconds", self.delay_seconds)?;
        out.text("CommandKey", &self.command_key)
    }
}

impl Body for Kicked {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut command, mut referer, mut arg, mut next) = (None, None, None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "Command" => xml.string_into(&mut command)?,
                "Referer" => xml.string_into(&mut referer)?,
                "Arg" => xml.string_into(&mut arg)?,
                "Next" => xml.string_into(&mut next)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self {
            command: xml.required(command),
            referer: xml.required(referer),
            arg: xml.required(arg),
            next: xml.required(next),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("Command", &self.command)?;
        out.text("Referer", &self.referer)?;
        out.text("Arg", &self.arg)?;
        out.text("Next", &self.next)
    }
}

impl Body for KickedResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut next_url = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "NextURL" => xml.string_into(&mut next_url)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { next_url: xml.required(next_url) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("NextURL", &self.next_url)
    }
}
