//! Has the device tell of changes.

use trellis_plugin::{Cpe, Error, Notification, Result, fault};

/// Watches the names passively: changes come with the next Inform, which costs the device no
/// session of its own. One name that it does not want to be watched fails them all, so the names
/// are split until those are found.
pub(crate) fn watch(cpe: &mut Cpe, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let Err(error) = cpe.notify(names, Notification::Passive) else { return Ok(()) };
    let Error::Fault(fault) = error else { return Err(error) };
    let single = matches!(fault.code, fault::INVALID_PARAMETER_NAME | fault::NOTIFICATION_REJECTED);
    if !single || names.len() == 1 {
        cpe.log().debug(format_args!("{} names are not watched: {}", names.len(), fault.text));
        return Ok(());
    }
    let (left, right) = names.split_at(names.len().div_ceil(2));
    watch(cpe, left)?;
    watch(cpe, right)
}
