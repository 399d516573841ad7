//! AddObject and DeleteObject.

use crate::cpe::Cpe;
use crate::fault::CpeFault;
use crate::tree::ObjectError;
use crate::write::element;

use super::Answer;

impl Cpe {
    pub(super) fn add_object(&mut self, object: &str, key: &str) -> Answer {
        let number = self.tree.add(object).map_err(|error| fault(error, object))?;
        self.set_parameter_key(key);
        Ok(format!("{}{}", element("InstanceNumber", &number.to_string()), element("Status", "0")))
    }

    pub(super) fn delete_object(&mut self, object: &str, key: &str) -> Answer {
        self.tree.delete(object).map_err(|error| fault(error, object))?;
        self.changed.retain(|path| !path.starts_with(object));
        self.set_parameter_key(key);
        Ok(element("Status", "0"))
    }
}

fn fault(error: ObjectError, object: &str) -> CpeFault {
    match error {
        ObjectError::Unknown => {
            CpeFault::because(9005, format!("no such table or instance: {object}"))
        }
        ObjectError::Full => CpeFault::because(9004, format!("no room left in {object}")),
    }
}
