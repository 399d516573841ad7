//! The CWMP messages of TR-069 (CWMP 1.0 to 1.4) and their SOAP encoding.
//!
//! [`decode`] turns the body of one HTTP message into an [`Envelope`] and the list of
//! [`Quirk`]s it had to repair; [`encode`] turns an envelope into bytes that the Broadband
//! Forum's schemas accept. Both directions know all messages, so a simulated CPE, a proxy and
//! the server can use the same types.
//!
//! Decoding is liberal: it matches by local name, resolves prefixes, and repairs what real
//! devices get wrong, but never silently. Encoding is strict.
//!
//! Deliberately absent: I/O, clocks, async, and every decision about a session.

mod boolean;
mod charset;
mod decode;
mod encode;
mod envelope;
mod error;
pub mod file_type;
mod messages;
mod parameters;
mod quirk;
mod repair;
mod secret;
mod style;
mod time;
mod version;
mod xml;

pub use boolean::is_true;
pub use decode::{Decoded, decode, is_empty_post};
pub use encode::{encode, encode_in_style, escaped};
pub use envelope::{Envelope, Header};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use messages::*;
pub use parameters::{Parameter, ParameterList, ValueType};
pub use quirk::{Quirk, Quirks, Sighting};
pub use secret::{Secret, is_secret, is_secret_setting};
pub use style::{Booleans, Style};
pub use time::Time;
pub use version::{CwmpVersion, namespace};
