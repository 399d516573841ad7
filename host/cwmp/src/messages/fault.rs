//! Faults (TR-069 3.5, A.5).

use std::fmt;

use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::quirk::Quirk;
use crate::xml::Xml;

/// A SOAP fault with its CWMP detail: the other side refused a request, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// SOAP's `faultcode`, such as `Client` or `Server`; the prefix, if any, is kept.
    pub soap_fault_code: String,
    /// SOAP's `faultstring`, which should be `CWMP fault`.
    pub soap_fault_string: String,
    /// The CWMP code: 9000 to 9899 from a CPE, 8000 to 8899 from an ACS.
    pub fault_code: u32,
    /// The CWMP text.
    pub fault_string: String,
    /// Which parameters a SetParameterValues failed on.
    pub set_parameter_values_fault: Vec<SetParameterValuesFault>,
}

/// Why one parameter could not be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetParameterValuesFault {
    /// The full path.
    pub parameter_name: String,
    /// 9000 to 9899.
    pub fault_code: u32,
    /// The text.
    pub fault_string: String,
}

/// The outcome of a transfer or an operation inside another message; code 0 is success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultStruct {
    /// 0, or 9000 to 9899.
    pub fault_code: u32,
    /// At most 256 characters.
    pub fault_string: String,
}

/// The fault codes an ACS may answer with (TR-069 A.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcsFault {
    /// 8000
    MethodNotSupported,
    /// 8001
    RequestDenied,
    /// 8002
    InternalError,
    /// 8003
    InvalidArguments,
    /// 8004
    ResourcesExceeded,
    /// 8005
    RetryRequest,
    /// 8006
    VersionIncompatible,
}

/// The fault codes of a CPE that the server acts on (TR-069 A.5.1).
pub mod cpe_fault {
    /// The device does not have the method.
    pub const METHOD_NOT_SUPPORTED: u32 = 9000;
    /// It does not want to, for no stated reason.
    pub const REQUEST_DENIED: u32 = 9001;
    /// A failure that says no more.
    pub const INTERNAL_ERROR: u32 = 9002;
    /// An argument is wrong.
    pub const INVALID_ARGUMENTS: u32 = 9003;
    /// It is too much for the device.
    pub const RESOURCES_EXCEEDED: u32 = 9004;
    /// A name is unknown.
    pub const INVALID_PARAMETER_NAME: u32 = 9005;
}

impl AcsFault {
    /// The number.
    pub fn code(self) -> u32 {
        match self {
            Self::MethodNotSupported => 8000,
            Self::RequestDenied => 8001,
            Self::InternalError => 8002,
            Self::InvalidArguments => 8003,
            Self::ResourcesExceeded => 8004,
            Self::RetryRequest => 8005,
            Self::VersionIncompatible => 8006,
        }
    }

    /// The standard's text.
    pub fn text(self) -> &'static str {
        match self {
            Self::MethodNotSupported => "Method not supported",
            Self::RequestDenied => "Request denied",
            Self::InternalError => "Internal error",
            Self::InvalidArguments => "Invalid arguments",
            Self::ResourcesExceeded => "Resources exceeded",
            Self::RetryRequest => "Retry request",
            Self::VersionIncompatible => "ACS version incompatible with CPE",
        }
    }

    /// The fault as it goes out: only invalid arguments are the CPE's own doing.
    pub fn to_fault(self) -> Fault {
        Fault {
            soap_fault_code: match self {
                Self::InvalidArguments => "Client".to_owned(),
                _ => "Server".to_owned(),
            },
            soap_fault_string: "CWMP fault".to_owned(),
            fault_code: self.code(),
            fault_string: self.text().to_owned(),
            set_parameter_values_fault: Vec::new(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fault_code, self.fault_string)?;
        for fault in &self.set_parameter_values_fault {
            let SetParameterValuesFault { parameter_name, fault_code, fault_string } = fault;
            write!(f, "; {parameter_name}: {fault_code} {fault_string}")?;
        }
        Ok(())
    }
}

impl Fault {
    /// Reads a `soap:Fault` that has just been opened, and the namespace of its detail.
    pub(crate) fn read_soap(xml: &mut Xml<'_>) -> Result<(Option<String>, Self), DecodeError> {
        let (mut code, mut string, mut detail) = (None, None, None);
        let mut namespace = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "faultcode" => xml.string_into(&mut code)?,
                "faultstring" => xml.string_into(&mut string)?,
                "detail" => {
                    while let Some(child) = xml.child()? {
                        if child.name() == "Fault" {
                            namespace = xml.namespace_of(&child);
                            let value = Self::read_detail(xml)?;
                            xml.first(&mut detail, value);
                        } else {
                            xml.skip_unknown()?;
                        }
                    }
                }
                _ => xml.skip_unknown()?,
            }
        }
        let detail = detail.unwrap_or_else(|| {
            xml.note(Quirk::MissingFaultDetail);
            Self { fault_code: cpe_fault::INTERNAL_ERROR, ..Self::default() }
        });
        let fault = Self {
            soap_fault_code: xml.required(code),
            soap_fault_string: xml.required(string),
            ..detail
        };
        Ok((namespace, fault))
    }

    fn read_detail(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut code, mut string, mut parameters) = (None, None, Vec::new());
        while let Some(child) = xml.child()? {
            match child.name() {
                "FaultCode" => xml.number_into(&mut code)?,
                "FaultString" => xml.string_into(&mut string)?,
                "SetParameterValuesFault" => parameters.push(SetParameterValuesFault::read(xml)?),
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self {
            fault_code: code.unwrap_or_else(|| {
                xml.note(Quirk::MissingFaultDetail);
                cpe_fault::INTERNAL_ERROR
            }),
            fault_string: string.unwrap_or_default(),
            set_parameter_values_fault: parameters,
            ..Self::default()
        })
    }

    /// Writes the whole `soap:Fault`.
    pub(crate) fn write_soap(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.element("soapenv:Fault", |out| {
            out.text("faultcode", &self.soap_fault_code)?;
            out.text("faultstring", &self.soap_fault_string)?;
            out.element("detail", |out| {
                out.method("Fault", |out| {
                    out.number("FaultCode", self.fault_code)?;
                    out.text("FaultString", &self.fault_string)?;
                    self.set_parameter_values_fault.iter().try_for_each(|fault| fault.write(out))
                })
            })
        })
    }
}

impl SetParameterValuesFault {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut name, mut code, mut string) = (None, None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "ParameterName" => xml.string_into(&mut name)?,
                "FaultCode" => xml.number_into(&mut code)?,
                "FaultString" => xml.string_into(&mut string)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self {
            parameter_name: xml.required(name),
            fault_code: xml.required(code),
            fault_string: string.unwrap_or_default(),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.element("SetParameterValuesFault", |out| {
            out.text("ParameterName", &self.parameter_name)?;
            out.number("FaultCode", self.fault_code)?;
            out.text("FaultString", &self.fault_string)
        })
    }
}

impl FaultStruct {
    /// Reads the code and the text, also when a device wraps them in another `FaultStruct`.
    pub(crate) fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        Self::read_level(xml, true)
    }

    fn read_level(xml: &mut Xml<'_>, may_wrap: bool) -> Result<Self, DecodeError> {
        let (mut code, mut string, mut wrapped) = (None, None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "FaultCode" => xml.number_into(&mut code)?,
                "FaultString" => xml.string_into(&mut string)?,
                "FaultStruct" if may_wrap => {
                    xml.note(Quirk::WrappedStruct);
                    wrapped = Some(Self::read_level(xml, false)?);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(match wrapped {
            Some(wrapped) => wrapped,
            None => {
                Self { fault_code: xml.required(code), fault_string: string.unwrap_or_default() }
            }
        })
    }

    pub(crate) fn write(&self, name: &str, out: &mut Output) -> Result<(), EncodeError> {
        out.element(name, |out| {
            out.number("FaultCode", self.fault_code)?;
            out.text("FaultString", &self.fault_string)
        })
    }
}
