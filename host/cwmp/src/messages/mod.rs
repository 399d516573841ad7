//! Every message of CWMP, in the standard's names, each with its reading and its writing.

mod attributes;
mod device;
mod fault;
mod generic;
mod inform;
mod objects;
mod options;
mod software;
mod transfer_reports;
mod transfers;
mod values;

pub use attributes::*;
pub use device::*;
pub use fault::*;
pub use generic::*;
pub use inform::*;
pub use objects::*;
pub use options::*;
pub use software::*;
pub use transfer_reports::*;
pub use transfers::*;
pub use values::*;

use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::xml::Xml;

/// A message body that reads and writes the children of its method element.
pub(crate) trait Body: Sized {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError>;
    fn write(&self, out: &mut Output) -> Result<(), EncodeError>;
}

/// The table of messages: those with content, which are structs of the same name, and those
/// without. A macro, because the enum and its three functions must name the same sixty things.
macro_rules! messages {
    (content { $($name:ident,)* } void { $($void:ident,)* }) => {
        /// A CWMP message: what a Body holds.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Message {
            $(#[doc = concat!("`", stringify!($name), "`")] $name($name),)*
            $(#[doc = concat!("`", stringify!($void), "`, which has no arguments")] $void,)*
            /// A SOAP fault with its CWMP detail.
            Fault(Fault),
            /// A method that CWMP does not have, by its name. It is never written.
            Unsupported(String),
            /// An envelope whose Body holds nothing.
            Empty,
        }

        impl Message {
            /// The name of the method element; `Fault` and the empty string for the two
            /// messages that have none.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                    $(Self::$void => stringify!($void),)*
                    Self::Fault(_) => "Fault",
                    Self::Unsupported(name) => name,
                    Self::Empty => "",
                }
            }

            /// Reads the message whose method element has just been opened.
            pub(crate) fn read(xml: &mut Xml<'_>, name: &str) -> Result<Self, DecodeError> {
                match name {
                    $(stringify!($name) => $name::read(xml).map(Self::$name),)*
                    $(stringify!($void) => read_void(xml).map(|()| Self::$void),)*
                    other => {
                        xml.skip()?;
                        Ok(Self::Unsupported(other.to_owned()))
                    }
                }
            }

            /// Writes the children of the method element.
            pub(crate) fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
                match self {
                    $(Self::$name(message) => message.write(out),)*
                    $(Self::$void => Ok(()),)*
                    Self::Fault(_) => Err(EncodeError::NotEncodable("Fault")),
                    Self::Unsupported(_) => Err(EncodeError::NotEncodable("Unsupported")),
                    Self::Empty => Err(EncodeError::NotEncodable("Empty")),
                }
            }
        }
    };
}

messages! {
    content {
        AddObject,
        AddObjectResponse,
        AutonomousDUStateChangeComplete,
        AutonomousTransferComplete,
        CancelTransfer,
        ChangeDUState,
        DUStateChangeComplete,
        DeleteObject,
        DeleteObjectResponse,
        Download,
        DownloadResponse,
        GetAllQueuedTransfersResponse,
        GetOptions,
        GetOptionsResponse,
        GetParameterAttributes,
        GetParameterAttributesResponse,
        GetParameterNames,
        GetParameterNamesResponse,
        GetParameterValues,
        GetParameterValuesResponse,
        GetQueuedTransfersResponse,
        GetRPCMethodsResponse,
        Inform,
        InformResponse,
        Kicked,
        KickedResponse,
        Reboot,
        RequestDownload,
        ScheduleDownload,
        ScheduleInform,
        SetParameterAttributes,
        SetParameterValues,
        SetParameterValuesResponse,
        SetVouchers,
        TransferComplete,
        Upload,
        UploadResponse,
    }
    void {
        AutonomousDUStateChangeCompleteResponse,
        AutonomousTransferCompleteResponse,
        CancelTransferResponse,
        ChangeDUStateResponse,
        DUStateChangeCompleteResponse,
        FactoryReset,
        FactoryResetResponse,
        GetAllQueuedTransfers,
        GetQueuedTransfers,
        GetRPCMethods,
        RebootResponse,
        RequestDownloadResponse,
        ScheduleDownloadResponse,
        ScheduleInformResponse,
        SetParameterAttributesResponse,
        SetVouchersResponse,
        TransferCompleteResponse,
    }
}

impl Message {
    /// Whether this is a request, which the other side must answer: neither a response, a
    /// fault nor nothing.
    pub fn is_request(&self) -> bool {
        match self {
            Self::Fault(_) | Self::Empty => false,
            message => !message.name().ends_with("Response"),
        }
    }

    /// Whether this message answers a request of the given name (E-04).
    pub fn answers(&self, request: &str) -> bool {
        self.name().strip_suffix("Response") == Some(request)
    }
}

fn read_void(xml: &mut Xml<'_>) -> Result<(), DecodeError> {
    while xml.child()?.is_some() {
        xml.skip_unknown()?;
    }
    Ok(())
}
