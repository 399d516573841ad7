//! Software modules; since CWMP 1.2.

use crate::{Cpe, Operation, Result, host};

impl Cpe {
    /// Installs, updates or removes software modules (ChangeDUState). The results come in a
    /// later session, as [`completed_operations`](Self::completed_operations) with this key.
    pub fn change_du_state(&mut self, operations: &[Operation], command_key: &str) -> Result<()> {
        Ok(host::software::change_du_state(operations, command_key)?)
    }
}
