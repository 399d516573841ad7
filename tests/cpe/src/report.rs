//! What one session did, for tests to look at and for the program to print.

use std::time::Duration;

use crate::events::Event;
use crate::fault::CpeFault;
use crate::request::AcsRequest;
use crate::response::{AcsFault, AcsResponse};
use crate::version::CwmpVersion;

/// A request of the ACS and the answer to it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The ID of the request.
    pub id: String,
    /// The request.
    pub request: AcsRequest,
    /// The Body element of the response, or the fault.
    pub answer: Result<String, CpeFault>,
}

impl Exchange {
    /// The name of the method.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.request.method()
    }

    /// The code of the fault, if the answer was one.
    #[must_use]
    pub fn fault_code(&self) -> Option<u16> {
        self.answer.as_ref().err().map(|fault| fault.code)
    }
}

/// A request of the CPE and how the ACS took it.
#[derive(Debug, Clone)]
pub struct OwnRequest {
    /// The method.
    pub method: String,
    /// The response, or the fault of the ACS.
    pub answer: Result<AcsResponse, AcsFault>,
}

/// A session that ended well.
#[derive(Debug, Clone)]
pub struct SessionReport {
    /// The device.
    pub serial_number: String,
    /// The version that was agreed on.
    pub version: CwmpVersion,
    /// The events of the Inform.
    pub events: Vec<Event>,
    /// The names of the parameters in the Inform.
    pub informed: Vec<String>,
    /// The RetryCount of the Inform.
    pub retry_count: u32,
    /// What the CPE asked after the Inform.
    pub own_requests: Vec<OwnRequest>,
    /// What the ACS asked.
    pub requests: Vec<Exchange>,
    /// How many TCP connections were used.
    pub connections: u32,
    /// How long it took.
    pub elapsed: Duration,
}

impl SessionReport {
    /// The methods the ACS called, in order.
    #[must_use]
    pub fn methods(&self) -> Vec<&'static str> {
        self.requests.iter().map(Exchange::method).collect()
    }

    /// The event codes of the Inform.
    #[must_use]
    pub fn event_codes(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.code.as_str()).collect()
    }
}
