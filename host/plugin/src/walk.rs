//! All names below a path.

use trellis_cwmp::ParameterInfoStruct;

use crate::bindings::types;
use crate::portions::TOO_MUCH;
use crate::state::{Failure, RunState};

impl RunState {
    /// Asks for everything at once, and level by level where the device cannot.
    pub(crate) async fn walk_names(
        &mut self,
        path: String,
    ) -> Result<Vec<ParameterInfoStruct>, Failure> {
        if !self.context.portions.by_level {
            match self.read_names(path.clone(), false).await {
                Err(Failure::Guest(types::Error::Fault(fault)))
                    if TOO_MUCH.contains(&fault.code) => {}
                other => return other,
            }
        }
        let mut found: Vec<ParameterInfoStruct> = Vec::new();
        let mut objects = vec![path];
        while let Some(object) = objects.pop() {
            for row in self.read_names(object.clone(), true).await? {
                // A device that lists the object itself would be asked for ever.
                let is_below = row.name.len() > object.len() && row.name.starts_with(&object);
                if is_below && row.name.ends_with('.') {
                    objects.push(row.name.clone());
                }
                if is_below {
                    found.push(row);
                }
            }
            self.fits(found.iter().map(|row| row.name.len()))?;
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }
}
