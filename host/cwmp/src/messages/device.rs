//! Who a CPE is.

use std::fmt;

use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::quirk::Quirk;
use crate::xml::Xml;

/// The identity of a CPE (TR-069 A.3.3.1, Table 36). OUI, ProductClass and SerialNumber make
/// it; Manufacturer is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceId {
    /// The maker's name.
    pub manufacturer: String,
    /// Six hexadecimal digits.
    pub oui: String,
    /// The kind of product; may be empty.
    pub product_class: String,
    /// Unique within OUI and ProductClass.
    pub serial_number: String,
}

/// Prints `OUI-ProductClass-SerialNumber`, or `OUI-SerialNumber` when there is no
/// ProductClass, with every character outside `0-9A-Za-z_` percent-encoded (TR-069 3.4.4).
/// Two devices never print alike, and the text is safe in URLs and file names.
impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", Encoded(&self.oui))?;
        if !self.product_class.is_empty() {
            write!(f, "{}-", Encoded(&self.product_class))?;
        }
        write!(f, "{}", Encoded(&self.serial_number))
    }
}

struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'_' {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

impl DeviceId {
    pub(crate) fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut manufacturer, mut oui) = (None, None);
        let (mut product_class, mut serial_number) = (None, None);
        while let Some(child) = xml.child()? {
            if child.is_prefixed() {
                xml.note(Quirk::QualifiedChild);
            }
            match child.name() {
                "Manufacturer" => xml.string_into(&mut manufacturer)?,
                "OUI" => xml.string_into(&mut oui)?,
                "ProductClass" => xml.string_into(&mut product_class)?,
                "SerialNumber" => xml.string_into(&mut serial_number)?,
                _ => xml.skip_unknown()?,
            }
        }
        let oui: String = xml.required(oui);
        if oui.len() != 6 || !oui.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')) {
            xml.note(Quirk::OddOui);
        }
        Ok(Self {
            manufacturer: xml.required(manufacturer),
            oui,
            product_class: xml.required(product_class),
            serial_number: xml.required(serial_number),
        })
    }

    pub(crate) fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.element("DeviceId", |out| {
            out.text("Manufacturer", &self.manufacturer)?;
            out.text("OUI", &self.oui)?;
            out.text("ProductClass", &self.product_class)?;
            out.text("SerialNumber", &self.serial_number)
        })
    }
}
