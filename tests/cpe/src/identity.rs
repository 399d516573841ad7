//! Who a device is: the DeviceId, and the values that differ between devices of one type.

use std::time::Instant;

use jiff::tz::{Offset, TimeZone};

use crate::error::CpeError;
use crate::model::Model;

/// The identity of one device, with its clock.
#[derive(Debug, Clone)]
pub struct Identity {
    /// DeviceId.Manufacturer.
    pub manufacturer: String,
    /// DeviceId.OUI.
    pub oui: String,
    /// DeviceId.ProductClass.
    pub product_class: String,
    /// DeviceId.SerialNumber.
    pub serial_number: String,
    /// The number of the device, from which addresses are made.
    pub number: u32,
    /// The ACS URL the device was given.
    pub acs_url: String,
    /// When the device came up last.
    pub(crate) booted: Instant,
}

impl Identity {
    /// Device `number` of a type, with a serial number such as `TR181-000001`.
    #[must_use]
    pub fn numbered(model: &Model, prefix: &str, number: u32) -> Self {
        Self::new(model, &format!("{prefix}{number:06}"), number)
    }

    /// A device with the given serial number.
    #[must_use]
    pub fn new(model: &Model, serial_number: &str, number: u32) -> Self {
        Self {
            manufacturer: model.manufacturer.clone(),
            oui: model.oui.clone(),
            product_class: model.product_class.clone(),
            serial_number: serial_number.to_owned(),
            number,
            acs_url: String::new(),
            booted: Instant::now(),
        }
    }

    /// Fills in the placeholders of a model value. What is no placeholder stays.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                out.push('{');
                rest = after;
                continue;
            };
            match self.placeholder(name) {
                Some(value) => out.push_str(&value),
                None => {
                    out.push('{');
                    out.push_str(name);
                    out.push('}');
                }
            }
            rest = tail;
        }
        out.push_str(rest);
        out
    }

    fn placeholder(&self, name: &str) -> Option<String> {
        Some(match name {
            "manufacturer" => self.manufacturer.clone(),
            "oui" => self.oui.clone(),
            "product_class" => self.product_class.clone(),
            "serial" => self.serial_number.clone(),
            "number" => self.number.to_string(),
            "acs" => self.acs_url.clone(),
            "uptime" => self.booted.elapsed().as_secs().to_string(),
            "now" => now("%Y-%m-%dT%H:%M:%SZ", 0),
            "ipv4" => {
                let [_, b, c, d] = self.number.to_be_bytes();
                format!("10.{b}.{c}.{d}")
            }
            _ => {
                let add = name.strip_prefix("mac")?;
                self.mac(if add.is_empty() { 0 } else { add.strip_prefix('+')?.parse().ok()? })
            }
        })
    }

    /// The device's address plus `add`; each device owns sixteen.
    fn mac(&self, add: u32) -> String {
        let [_, b, c, d] = self.number.wrapping_mul(16).wrapping_add(add).to_be_bytes();
        let mut oui = self.oui.as_str();
        let mut parts = Vec::with_capacity(6);
        while let Some((pair, rest)) = oui.split_at_checked(2) {
            parts.push(pair.to_owned());
            oui = rest;
        }
        parts.extend([b, c, d].map(|byte| format!("{byte:02X}")));
        parts.join(":")
    }

    /// Checks the limits a DeviceId has on the wire.
    pub fn check(&self) -> Result<(), CpeError> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
        if self.oui.len() != 6 || !self.oui.bytes().all(hex) {
            return Err(CpeError::Model(format!("{:?} is not an OUI", self.oui)));
        }
        for text in [&self.manufacturer, &self.product_class, &self.serial_number] {
            if text.chars().count() > 64 {
                return Err(CpeError::Model(format!("{text:?} is longer than 64 characters")));
            }
        }
        Ok(())
    }
}

/// The current time in the given form, at an offset of whole hours from UTC.
pub(crate) fn now(form: &str, offset_hours: i8) -> String {
    let zone = Offset::from_hours(offset_hours).map_or(TimeZone::UTC, Offset::to_time_zone);
    jiff::Timestamp::now().to_zoned_datetime(zone).strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_other_braces_stay() {
        let model = Model::built_in("tr181").unwrap();
        let identity = Identity::numbered(&model, "T-", 258);
        assert_eq!(identity.fill("sn {serial}, {number}"), "sn T-000258, 258");
        assert_eq!(identity.fill("{ipv4} {x} {"), "10.0.1.2 {x} {");
        let oui: Vec<&str> = (0..3).filter_map(|n| model.oui.get(n * 2..n * 2 + 2)).collect();
        assert_eq!(identity.fill("{mac+1}"), format!("{}:00:10:21", oui.join(":")));
        identity.check().unwrap();
    }
}
