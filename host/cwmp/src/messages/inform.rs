//! `Inform` and its response (TR-069 A.3.3.1).

use super::{Body, DeviceId, values};
use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::parameters::ParameterList;
use crate::xml::Xml;

/// Opens a session: who the CPE is, why it calls, and some of its parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inform {
    /// Who calls.
    pub device_id: DeviceId,
    /// Why it calls; at most 64, possibly none, in no order (A.3.3.1, Table 40).
    pub event: Vec<EventStruct>,
    /// Always treated as 1.
    pub max_envelopes: u32,
    /// The CPE's local time with offset, as it wrote it; not seldom wrong or missing.
    pub current_time: String,
    /// How many sessions failed before this one.
    pub retry_count: u32,
    /// Forced, changed and chosen parameters.
    pub parameter_list: ParameterList,
}

/// One reason for a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventStruct {
    /// Such as `1 BOOT` or `M Reboot`; matched as a whole.
    pub event_code: String,
    /// The `CommandKey` of the request that led here, for the `M ...` events.
    pub command_key: String,
}

/// Accepts a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InformResponse {
    /// Always 1 (TR-069 3.5).
    pub max_envelopes: u32,
}

impl Default for InformResponse {
    fn default() -> Self {
        Self { max_envelopes: 1 }
    }
}

// === impl Body ===

impl Body for Inform {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut device_id, mut event, mut parameters) = (None, None, None);
        let (mut max_envelopes, mut time, mut retry_count) = (None, None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "DeviceId" => {
                    let value = DeviceId::read(xml)?;
                    xml.first(&mut device_id, value);
                }
                "Event" => {
                    let value = xml.array(&child, "EventStruct", read_event)?;
                    xml.first(&mut event, value);
                }
                "MaxEnvelopes" => xml.number_into(&mut max_envelopes)?,
                "CurrentTime" => xml.string_into(&mut time)?,
                "RetryCount" => xml.number_into(&mut retry_count)?,
                "ParameterList" => {
                    let value = values::read_list(xml, &child)?;
                    xml.first(&mut parameters, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self {
            device_id: xml.required(device_id),
            event: xml.required(event),
            max_envelopes: max_envelopes.unwrap_or(1),
            current_time: xml.required(time),
            retry_count: xml.required(retry_count),
            parameter_list: xml.required(parameters),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        self.device_id.write(out)?;
        out.array("Event", "cwmp:EventStruct", &self.event, |out, event| {
            out.element("EventStruct", |out| {
                out.text("EventCode", &event.event_code)?;
                out.text("CommandKey", &event.command_key)
            })
        })?;
        out.number("MaxEnvelopes", self.max_envelopes)?;
        out.text("CurrentTime", &self.current_time)?;
        out.number("RetryCount", self.retry_count)?;
        values::write_list(&self.parameter_list, out)
    }
}

fn read_event(xml: &mut Xml<'_>) -> Result<EventStruct, DecodeError> {
    let (mut event_code, mut command_key) = (None, None);
    while let Some(child) = xml.child()? {
        match child.name() {
            "EventCode" => xml.string_into(&mut event_code)?,
            "CommandKey" => xml.string_into(&mut command_key)?,
            _ => xml.skip_unknown()?,
        }
    }
    Ok(EventStruct { event_code: xml.required(event_code), command_key: xml.required(command_key) })
}

impl Body for InformResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut max_envelopes = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "MaxEnvelopes" => xml.number_into(&mut max_envelopes)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { max_envelopes: xml.required(max_envelopes) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.number("MaxEnvelopes", self.max_envelopes)
    }
}
