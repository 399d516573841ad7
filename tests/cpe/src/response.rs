//! The answers of the ACS to requests of the CPE.

use roxmltree::Node;

use crate::envelope::cwmp_urn;
use crate::error::{CpeError, violation};
use crate::fields::{Fields, SOAP, elements, name, plain, resolve};

/// A response of the ACS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcsResponse {
    /// InformResponse, whose MaxEnvelopes was 1.
    Inform,
    /// GetRPCMethodsResponse.
    GetRPCMethods {
        /// The MethodList.
        methods: Vec<String>,
    },
    /// KickedResponse.
    Kicked {
        /// The NextURL.
        next_url: String,
    },
    /// A response without arguments.
    Void {
        /// The method it answers.
        method: &'static str,
    },
}

const VOID: [&str; 5] = [
    "TransferComplete",
    "AutonomousTransferComplete",
    "DUStateChangeComplete",
    "AutonomousDUStateChangeComplete",
    "RequestDownload",
];

impl AcsResponse {
    /// Reads the response to `method`.
    pub(crate) fn parse(method: &str, node: Node<'_, '_>) -> Result<Self, CpeError> {
        let mut fields = Fields::of(node)?;
        let response = match method {
            "Inform" => {
                let envelopes: u32 = fields.number("MaxEnvelopes")?;
                if envelopes != 1 {
                    return violation(format!("MaxEnvelopes is {envelopes}, it is always 1"));
                }
                Self::Inform
            }
            "GetRPCMethods" => {
                let methods = fields.strings("MethodList", 64)?;
                for required in ["Inform", "GetRPCMethods"] {
                    if !methods.iter().any(|method| method == required) {
                        return violation(format!("the MethodList lacks {required}"));
                    }
                }
                Self::GetRPCMethods { methods }
            }
            "Kicked" => Self::Kicked { next_url: fields.string("NextURL", 1024)? },
            _ => match VOID.into_iter().find(|known| *known == method) {
                Some(method) => Self::Void { method },
                None => return violation(format!("{method}Response is no response of an ACS")),
            },
        };
        fields.finish()?;
        Ok(response)
    }

    /// The method the response answers.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Inform => "Inform",
            Self::GetRPCMethods { .. } => "GetRPCMethods",
            Self::Kicked { .. } => "Kicked",
            Self::Void { method } => method,
        }
    }
}

/// A SOAP fault of the ACS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcsFault {
    /// A code of the 8000 range.
    pub code: u16,
    /// The FaultString.
    pub text: String,
}

impl AcsFault {
    /// Reads a fault; its faultcode must fit its FaultCode.
    pub(crate) fn parse(node: Node<'_, '_>) -> Result<(Self, String), CpeError> {
        if name(node) != "Fault" {
            return violation(format!("<{}> in the Body is no message", name(node)));
        }
        let mut fields = Fields::of(node)?;
        let side_node = fields.element("faultcode")?;
        let side = plain(side_node)?;
        let side = match resolve(side_node, &side)? {
            (Some(SOAP), local) if side.contains(':') => local.to_owned(),
            _ => side,
        };
        let faultstring = plain(fields.element("faultstring")?)?;
        if faultstring != "CWMP fault" {
            return violation(format!("the faultstring is {faultstring:?}, not \"CWMP fault\""));
        }
        let detail = fields.element("detail")?;
        fields.finish()?;
        let mut contents = elements(detail)?.into_iter();
        let (Some(fault), None) = (contents.next(), contents.next()) else {
            return violation("the detail of a fault must have exactly one child");
        };
        let urn = cwmp_urn(fault)?;
        if name(fault) != "Fault" {
            return violation(format!("the detail holds <{}>, not <Fault>", name(fault)));
        }
        let mut fields = Fields::of(fault)?;
        let code: u16 = fields.number("FaultCode")?;
        let text = fields.string("FaultString", 1024)?;
        fields.finish()?;
        let due = match code {
            8003 => "Client",
            8000..=8002 | 8004..=8006 => "Server",
            8800..=8899 => side.as_str(),
            _ => return violation(format!("an ACS has no fault code {code}")),
        };
        if side != due || !matches!(due, "Client" | "Server") {
            return violation(format!("faultcode {side:?} does not fit the FaultCode {code}"));
        }
        Ok((Self { code, text }, urn))
    }
}
