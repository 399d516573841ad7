//! GetParameterAttributes and SetParameterAttributes.

use crate::cpe::Cpe;
use crate::fault::CpeFault;
use crate::request::SetAttributes;
use crate::write::{array, element, strings};

use super::Answer;

impl Cpe {
    pub(super) fn get_parameter_attributes(&self, names: &[String]) -> Answer {
        let mut xml = String::new();
        let mut count = 0_usize;
        for name in names {
            for path in self.selected(name)? {
                let attributes = self.tree.attributes(&path);
                count = count.saturating_add(1);
                xml.push_str("<ParameterAttributeStruct>");
                xml.push_str(&element("Name", &path));
                xml.push_str(&element("Notification", &attributes.notification.to_string()));
                xml.push_str(&strings("AccessList", &attributes.access_list));
                xml.push_str("</ParameterAttributeStruct>");
            }
        }
        Ok(array("ParameterList", "cwmp:ParameterAttributeStruct", count, &xml))
    }

    /// All entries or none; where entries overlap the later one wins.
    pub(super) fn set_parameter_attributes(&mut self, list: &[SetAttributes]) -> Answer {
        let mut changes = Vec::new();
        for entry in list {
            // Lightweight notifications need a protocol these devices do not have.
            if entry.notification.is_some_and(|notification| notification > 2) {
                return Err(CpeFault::because(9003, "no lightweight notifications here"));
            }
            let selected = self.selected(&entry.name)?;
            if entry.notification == Some(2) {
                let denied = selected.iter().find(|path| {
                    self.tree.find(path).is_some_and(|found| found.access.denies_active)
                });
                if let Some(path) = denied {
                    return Err(CpeFault::because(9009, format!("{path} changes too often")));
                }
            }
            changes.extend(selected.into_iter().map(|path| (path, entry)));
        }
        for (path, entry) in changes {
            let mut attributes = self.tree.attributes(&path);
            if let Some(notification) = entry.notification {
                attributes.notification = notification;
            }
            if let Some(access_list) = &entry.access_list {
                attributes.access_list.clone_from(access_list);
            }
            self.tree.set_attributes(&path, attributes);
        }
        Ok(String::new())
    }
}
