//! Vouchers and options (TR-069 A.4.1.3, A.4.1.4); deprecated since CWMP 1.2.

use super::Body;
use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::xml::Xml;

/// Gives vouchers to the CPE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetVouchers {
    /// Base64 texts, at least one.
    pub voucher_list: Vec<String>,
}

/// Asks for options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetOptions {
    /// Which one; nothing for all.
    pub option_name: String,
}

/// The options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetOptionsResponse {
    /// May be empty.
    pub option_list: Vec<OptionStruct>,
}

/// One option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionStruct {
    /// At most 64 characters.
    pub option_name: String,
    /// The voucher's serial number.
    pub voucher_sn: u32,
    /// Bit 0: enabled; bit 1: set up.
    pub state: u32,
    /// 0 disabled, 1 enabled with expiration, 2 enabled for ever.
    pub mode: u32,
    /// When it begins.
    pub start_date: String,
    /// When it ends.
    pub expiration_date: Option<String>,
    /// Whether it can move to another device.
    pub is_transferable: bool,
}

// === impl Body ===

impl Body for SetVouchers {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut list = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "VoucherList" => {
                    let value = xml.array(&child, "base64", Xml::string)?;
                    xml.first(&mut list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { voucher_list: xml.required(list) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.array("VoucherList", "soapenc:base64", &self.voucher_list, |out, voucher| {
            out.text("base64", voucher)
        })
    }
}

impl Body for GetOptions {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut name = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "OptionName" => xml.string_into(&mut name)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { option_name: xml.required(name) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("OptionName", &self.option_name)
    }
}

impl Body for GetOptionsResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut list = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "OptionList" => {
                    let value = xml.array(&child, "OptionStruct", read_option)?;
                    xml.first(&mut list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { option_list: xml.required(list) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.array("OptionList", "cwmp:OptionStruct", &self.option_list, |out, option| {
            out.element("OptionStruct", |out| {
                out.text("OptionName", &option.option_name)?;
                out.number("VoucherSN", option.voucher_sn)?;
                out.number("State", option.state)?;
                out.number("Mode", option.mode)?;
                out.text("StartDate", &option.start_date)?;
                out.optional("ExpirationDate", option.expiration_date.as_deref())?;
                out.boolean("IsTransferable", option.is_transferable)
            })
        })
    }
}

fn read_option(xml: &mut Xml<'_>) -> Result<OptionStruct, DecodeError> {
    let (mut option_name, mut voucher_sn, mut state, mut mode) = (None, None, None, None);
    let (mut start_date, mut expiration_date, mut is_transferable) = (None, None, None);
    while let Some(child) = xml.child()? {
        match child.name() {
            "OptionName" => xml.string_into(&mut option_name)?,
            "VoucherSN" => xml.number_into(&mut voucher_sn)?,
            "State" => xml.number_into(&mut state)?,
            "Mode" => xml.number_into(&mut mode)?,
            "StartDate" => xml.string_into(&mut start_date)?,
            "ExpirationDate" => xml.string_into(&mut expiration_date)?,
            "IsTransferable" => xml.boolean_into(&mut is_transferable)?,
            _ => xml.skip_unknown()?,
        }
    }
    Ok(OptionStruct {
        option_name: xml.required(option_name),
        voucher_sn: xml.required(voucher_sn),
        state: xml.required(state),
        mode: xml.required(mode),
        start_date: xml.required(start_date),
        expiration_date,
        is_transferable: xml.required(is_transferable),
    })
}
