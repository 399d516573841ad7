//! The fault codes that devices answer with, for [`Error::is_fault`](crate::Error::is_fault).
//! Codes from 9800 to 9899 are the vendors' own.

/// The device does not know the method.
pub const METHOD_NOT_SUPPORTED: u32 = 9000;
/// The device does not want to, and does not say why.
pub const REQUEST_DENIED: u32 = 9001;
/// The device failed. Some answer so to requests that are too large.
pub const INTERNAL_ERROR: u32 = 9002;
/// An argument is wrong; SetParameterValues lists the parameters at fault.
pub const INVALID_ARGUMENTS: u32 = 9003;
/// The request is too large for the device, or a table is full.
pub const RESOURCES_EXCEEDED: u32 = 9004;
/// The device does not have this parameter or object.
pub const INVALID_PARAMETER_NAME: u32 = 9005;
/// The value has another type than the parameter.
pub const INVALID_PARAMETER_TYPE: u32 = 9006;
/// The value is not one that the parameter can have.
pub const INVALID_PARAMETER_VALUE: u32 = 9007;
/// The parameter cannot be written.
pub const NON_WRITABLE_PARAMETER: u32 = 9008;
/// The parameter cannot be watched in this way.
pub const NOTIFICATION_REJECTED: u32 = 9009;
/// The transfer failed (in CWMP 1.0: the download).
pub const TRANSFER_FAILED: u32 = 9010;
/// The upload failed.
pub const UPLOAD_FAILED: u32 = 9011;
/// The file server did not accept the user name or password.
pub const AUTHENTICATION_FAILED: u32 = 9012;
/// The device does not speak the URL's protocol.
pub const UNSUPPORTED_PROTOCOL: u32 = 9013;
/// The device cannot join the multicast group.
pub const MULTICAST_JOIN_FAILED: u32 = 9014;
/// The device cannot reach the file server.
pub const SERVER_UNREACHABLE: u32 = 9015;
/// The file server does not give the file.
pub const FILE_INACCESSIBLE: u32 = 9016;
/// The download broke off.
pub const DOWNLOAD_INCOMPLETE: u32 = 9017;
/// The file is damaged or of no use to the device.
pub const FILE_CORRUPTED: u32 = 9018;
/// The file's signature is missing or wrong.
pub const FILE_NOT_AUTHENTICATED: u32 = 9019;
/// The transfer could not be completed within its time windows.
pub const OUTSIDE_TIME_WINDOWS: u32 = 9020;
/// The transfer can no longer be cancelled.
pub const CANCEL_NOT_PERMITTED: u32 = 9021;
/// The UUID's form is wrong.
pub const INVALID_UUID: u32 = 9022;
/// There is no such execution environment.
pub const UNKNOWN_EXECUTION_ENVIRONMENT: u32 = 9023;
/// The execution environment is disabled.
pub const DISABLED_EXECUTION_ENVIRONMENT: u32 = 9024;
/// The module does not run in this execution environment.
pub const EXECUTION_ENVIRONMENT_MISMATCH: u32 = 9025;
/// The module is installed already.
pub const DUPLICATE_DEPLOYMENT_UNIT: u32 = 9026;
/// The device has no room for the module.
pub const SYSTEM_RESOURCES_EXCEEDED: u32 = 9027;
/// There is no such module.
pub const UNKNOWN_DEPLOYMENT_UNIT: u32 = 9028;
/// The module's state does not allow it.
pub const INVALID_DEPLOYMENT_UNIT_STATE: u32 = 9029;
/// The module may not be replaced by an older one.
pub const DOWNGRADE_NOT_PERMITTED: u32 = 9030;
/// The operation needs a version.
pub const VERSION_NOT_SPECIFIED: u32 = 9031;
/// This version of the module is installed already.
pub const VERSION_EXISTS: u32 = 9032;
