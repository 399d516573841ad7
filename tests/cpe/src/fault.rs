//! The faults of a CPE.

use crate::write::element;

/// One SetParameterValuesFault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterFault {
    /// The parameter.
    pub name: String,
    /// Its own fault code.
    pub code: u16,
}

/// A fault the CPE answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpeFault {
    /// A code of the 9000 range.
    pub code: u16,
    /// The FaultString.
    pub text: String,
    /// The parameters at fault, for SetParameterValues only.
    pub parameters: Vec<ParameterFault>,
}

impl CpeFault {
    /// A fault with the standard's own text for the code.
    #[must_use]
    pub fn new(code: u16) -> Self {
        Self { code, text: fault_text(code).to_owned(), parameters: Vec::new() }
    }

    /// A fault with a text that says more.
    #[must_use]
    pub fn because(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), parameters: Vec::new() }
    }

    /// The Body element of the fault.
    #[must_use]
    pub fn xml(&self) -> String {
        let side =
            if matches!(self.code, 9003 | 9005..=9008 | 9020 | 9021) { "Client" } else { "Server" };
        let details: String = self
            .parameters
            .iter()
            .map(|fault| {
                [
                    "<SetParameterValuesFault>".to_owned(),
                    element("ParameterName", &fault.name),
                    element("FaultCode", &fault.code.to_string()),
                    element("FaultString", fault_text(fault.code)),
                    "</SetParameterValuesFault>".to_owned(),
                ]
                .concat()
            })
            .collect();
        [
            "<soapenv:Fault>".to_owned(),
            element("faultcode", side),
            element("faultstring", "CWMP fault"),
            "<detail><cwmp:Fault>".to_owned(),
            element("FaultCode", &self.code.to_string()),
            element("FaultString", &self.text),
            details,
            "</cwmp:Fault></detail></soapenv:Fault>".to_owned(),
        ]
        .concat()
    }
}

/// A text for each code.
#[must_use]
pub fn fault_text(code: u16) -> &'static str {
    match code {
        9000 => "Method not supported",
        9001 => "Request denied",
        9002 => "Internal error",
        9003 => "Invalid arguments",
        9004 => "Resources exceeded",
        9005 => "Invalid parameter name",
        9006 => "Invalid parameter type",
        9007 => "Invalid parameter value",
        9008 => "Attempt to set a non-writable parameter",
        9009 => "Notification request rejected",
        9010 => "File transfer failure",
        9011 => "Upload failure",
        9012 => "File transfer server authentication failure",
        9013 => "Unsupported protocol for file transfer",
        9015 => "Unable to contact file server",
        9016 => "Unable to access file",
        9017 => "Unable to complete download",
        9018 => "File corrupted or otherwise unusable",
        9019 => "File authentication failure",
        9020 => "Unable to complete download within specified time windows",
        9021 => "Cancelation of file transfer not permitted",
        9022 => "Invalid UUID format",
        9023 => "Unknown execution environment",
        9028 => "Unknown deployment unit",
        _ => "CPE fault",
    }
}
