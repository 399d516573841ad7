//! A simulated CPE.
//!
//! The simulator plays a home gateway towards an ACS: whole sessions as the standard describes
//! them ([`Cpe::session`], [`Cpe::run`]), or single odd bytes for conformance tests ([`Http`]).
//! It shares no code with the server under test. It reads the server's envelopes with its own
//! strict reader ([`Envelope`]) and reports every rule the server breaks as
//! [`CpeError::Violation`].
//!
//! Many thousands of devices fit in one process: a [`Model`] is shared, and a [`Cpe`] holds only
//! what differs from it.

mod cpe;
mod envelope;
mod error;
mod events;
mod fault;
mod fields;
mod http;
mod identity;
mod model;
mod operation;
mod report;
mod request;
mod response;
mod rpc;
mod run;
mod session;
mod transfers;
mod tree;
mod value;
mod version;
mod write;

pub use crate::cpe::{Cpe, Options};
pub use crate::envelope::{Envelope, Message, REQUEST_BYTES_MAX};
pub use crate::error::CpeError;
pub use crate::events::{CpeRequest, Event, Events};
pub use crate::fault::{CpeFault, ParameterFault, fault_text};
pub use crate::http::{COOKIE_BYTES_MAX, Cookies, Http, HttpOptions, Response, Url};
pub use crate::identity::Identity;
pub use crate::model::{Access, Model, ObjectKind, Parameter, Table};
pub use crate::operation::Operation;
pub use crate::report::{Exchange, OwnRequest, SessionReport};
pub use crate::request::{AcsRequest, SetAttributes, SetValue, TransferRequest};
pub use crate::response::{AcsFault, AcsResponse};
pub use crate::rpc::Answer;
pub use crate::run::Command;
pub use crate::session::{check_empty, read_envelope};
pub use crate::transfers::{Transfer, TransferKind, UNKNOWN_TIME, Unit};
pub use crate::tree::{Attributes, ObjectError, Tree};
pub use crate::value::{DataType, Syntax};
pub use crate::version::CwmpVersion;
pub use crate::write::{
    Inform, TypedValue, array, element, envelope, escape, inform_xml, parameter_list, strings,
};
