#![doc = include_str!("../README.md")]

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::semicolon_if_nothing_returned,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contract"
)]
#[doc(hidden)]
#[path = "bindings.rs"]
pub mod __bindings;
#[cfg(not(target_family = "wasm"))]
pub mod bench;
mod cpe;
mod deadlines;
mod error;
pub mod event;
mod facts;
pub mod fault;
mod host;
mod log;
mod manifest;
mod memory;
mod plugin;
mod time;
mod value;
mod values;

pub use serde;
pub use serde_json;

use crate::__bindings as bindings;

pub use crate::bindings::trellis::acs::control::DeviceOption;
pub use crate::bindings::trellis::acs::facts::Fact;
pub use crate::bindings::trellis::acs::parameters::{
    AddedObject, AttributeChange, Ensured, ParameterAttributes, ParameterName,
};
pub use crate::bindings::trellis::acs::session::{DeviceId, Event, RequestedDownload, Transfer};
pub use crate::bindings::trellis::acs::software::{
    InstallOperation, Operation, OperationResult, UninstallOperation, UpdateOperation,
};
pub use crate::bindings::trellis::acs::transfers::{
    AnyQueuedTransfer, QueuedTransfer, TransferStatus,
};
pub use crate::bindings::trellis::acs::types::{CpeFault as Fault, ParameterFault};
pub use crate::cpe::{
    Cpe, Download, FIRMWARE, Notification, ScheduledDownload, Status, TimeWindow, Upload,
    VENDOR_CONFIGURATION, WEB_CONTENT,
};
pub use crate::deadlines::Deadlines;
pub use crate::error::{Error, Result};
pub use crate::log::{Level, Log};
pub use crate::manifest::{Limits, Manifest, Matcher};
pub use crate::memory::Memory;
pub use crate::plugin::{Admission, Plugin};
pub use crate::time::Time;
pub use crate::value::{FromValue, Value};
pub use crate::values::{ParameterValue, Values};

#[doc(hidden)]
pub use crate::plugin::{__action, __admit, __describe, __expired, __provision};

/// Makes the component of a [`Plugin`].
///
/// Use it once, in the library that is built for `wasm32-wasip2`. On other targets it only checks
/// that the type is a plugin, so that the same library can be tested natively.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::__bindings::Guest for Component {
                fn describe() -> ::std::string::String {
                    $crate::__describe::<$plugin>()
                }

                fn provision() -> ::core::result::Result<(), ::std::string::String> {
                    $crate::__provision::<$plugin>()
                }
            }

            impl $crate::__bindings::exports::trellis::acs::actions::Guest for Component {
                fn run(
                    name: ::std::string::String,
                    arguments: ::std::string::String,
                ) -> ::core::result::Result<::std::string::String, ::std::string::String> {
                    $crate::__action::<$plugin>(&name, &arguments)
                }
            }

            impl $crate::__bindings::exports::trellis::acs::admission::Guest for Component {
                fn admit() -> $crate::__bindings::exports::trellis::acs::admission::Decision {
                    $crate::__admit::<$plugin>().into()
                }
            }

            impl $crate::__bindings::exports::trellis::acs::expiry::Guest for Component {
                fn expired(
                    name: ::std::string::String,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    $crate::__expired::<$plugin>(&name)
                }
            }

    $crate::__bindings::export_component!(Component with_types_in $crate::__bindings);
        };

        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> ::std::string::String = $crate::__describe::<$plugin>;
    };
}
