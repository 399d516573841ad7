//! What a plugin can be called for.

use serde::{Deserialize, Serialize};

use crate::bindings::hooks::admission::Decision;

/// What a refusal without a proper code becomes (TR-069 A.5.2).
const REQUEST_DENIED: u32 = 8001;

/// What a run calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// `provision`: the server's turn in a session.
    Provision,
    /// `actions.run`: what an operator queued.
    Action {
        /// Which action.
        name: String,
        /// Its arguments, as JSON that fits its schema.
        arguments: String,
    },
    /// `admission.admit`: whether a device may come in.
    Admit,
    /// `expiry.expired`: the time for this is over.
    Expired {
        /// Which deadline.
        deadline: String,
    },
}

/// What a hook answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It has done what it was called for.
    Done,
    /// An action's result, as JSON.
    Result(String),
    /// Whether the device may come in.
    Admission(Admission),
}

/// Whether a device may come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// It may.
    Accept,
    /// It may not; its Inform is answered with this fault.
    Refuse {
        /// 8000 to 8006 or 8800 to 8899 (TR-069 A.5.2).
        code: u32,
        /// Says why.
        text: String,
    },
    /// It is recorded, and nothing is asked of it. The text says why.
    Quarantine(String),
}

/// Whom a run can speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The device, whose turn it is to answer.
    Device,
    /// Nobody: the device has yet to be let in. What is kept must not change.
    AtInform,
    /// Nobody: the device is not there.
    Nobody,
}

impl Hook {
    /// The name of what is called, for logs and histories.
    pub fn name(&self) -> &str {
        match self {
            Self::Provision => "provision",
            Self::Action { .. } => "action",
            Self::Admit => "admit",
            Self::Expired { .. } => "expired",
        }
    }

    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Provision | Self::Action { .. } => Reach::Device,
            Self::Admit => Reach::AtInform,
            Self::Expired { .. } => Reach::Nobody,
        }
    }
}

impl From<Decision> for Admission {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Accept => Self::Accept,
            Decision::Quarantine(why) => Self::Quarantine(why),
            Decision::Refuse(refusal) => {
                // A code that means something else to a device must not reach it.
                let code = match refusal.code {
                    code @ (8000..=8006 | 8800..=8899) => code,
                    _ => REQUEST_DENIED,
                };
                Self::Refuse { code, text: refusal.text }
            }
        }
    }
}
