//! Has the device tell of changes.

use trellis_plugin::{Cpe, Error, Notification, Result, fault};

/// Watches the names passively: changes come with the next Inform, which costs the device no
/// session of its own. One name that it does not want to be watched fails them all, so the names
/// are split until those are found.
pub(crate) fn watch(cpe: &mut Cpe, names: &[String]) -> Result<()> {
    names.chunks(AT_ONCE).try_for_each(|names| watch_all(cpe, names))
}

/// How many names one request has: each takes some hundred bytes of its 32 KiB.
const AT_ONCE: usize = 50;

fn watch_all(cpe: &mut Cpe, names: &[String]) -> Result<()> {
    let Err(error) = cpe.notify(names, Notification::Passive) else { return Ok(()) };
    let why = match error {
        Error::Fault(fault) => {
            let codes = [fault::INVALID_PARAMETER_NAME, fault::NOTIFICATION_REJECTED];
            if codes.contains(&fault.code) && names.len() > 1 {
                let (left, right) = names.split_at(names.len().div_ceil(2));
                watch_all(cpe, left)?;
                return watch_all(cpe, right);
            }
            fault.text
        }
        // The host's reason, such as a name that is too long: no reason to fail the session.
        Error::Refused(why) => why,
        other => return Err(other),
    };
    cpe.log().debug(format_args!("{} names are not watched: {why}", names.len()));
    Ok(())
}
