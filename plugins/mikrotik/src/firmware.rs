//! Brings the router to a version of RouterOS, with one Download for each version and address.
//!
//! RouterOS is made of packages. The file that a Download of type `1 Firmware Upgrade Image`
//! fetches is an XML list of their addresses; the router fetches the packages, restarts into
//! them, and reports the end of the transfer. Success is the version that it then reports, not
//! the transfer. What failed is not tried again until the operator sets another version or
//! address: a router that restarts in vain each hour is worse than an old one.

use serde::{Deserialize, Serialize};
use trellis_plugin::serde_json::{Value as Json, json};
use trellis_plugin::{Cpe, Download, FIRMWARE, Result, event};
use trellis_plugin_common::Device;
use trellis_plugin_common::{cut, tell};

use crate::ARCHITECTURE;

const KEY: &str = "firmware";

/// How long a transfer may take until it counts as failed, in seconds: the standard gives the
/// router an hour to begin, and a slow line needs a few more.
const TRANSFER_S_MAX: u64 = 86_400;

/// The longest address that the standard allows.
const URL_BYTES_MAX: usize = 256;

/// The version of RouterOS that the router shall have, and where it is. One Download is asked for
/// with the same version and address; when it fails, that is published and not tried again.
#[derive(Clone, Debug, Deserialize)]
pub struct Firmware {
    /// As the router reports it, such as `7.15.3`.
    pub version: String,
    /// Where the list of packages is; `{arch}` and `{version}` are replaced.
    pub url: String,
    /// For the file server; empty when it asks for none.
    #[serde(default)]
    pub username: String,
    /// For the file server; empty when it asks for none.
    #[serde(default)]
    pub password: String,
}

/// The Download that was asked for, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Attempt {
    version: String,
    url: String,
    command_key: String,
    started_at: u64,
    /// Why it failed; `None` while it is under way.
    fault: Option<String>,
}

/// What to do in this session.
#[derive(Debug, PartialEq)]
enum Step {
    /// Nothing is due.
    Nothing,
    /// The router has the version.
    Done,
    /// Download from this address.
    Start(String),
    /// The attempt under way failed.
    Fail(String),
    /// It cannot begin.
    Block(String),
}

pub(crate) fn schema() -> Json {
    json!({
        "type": ["object", "null"],
        "description": "The version of RouterOS that the router shall have, and where the XML \
                        list of its packages is; {arch} and {version} are replaced.",
        "required": ["version", "url"],
        "properties": {
            "version": { "type": "string" },
            "url": { "type": "string" },
            "username": { "type": "string" },
            "password": { "type": "string" },
        },
    })
}

/// Does what is due in this session.
pub(crate) fn provision(cpe: &mut Cpe, wanted: Option<&Firmware>, device: &Device) -> Result<()> {
    if cpe.has_event(event::HEARTBEAT) {
        return Ok(());
    }
    // A record that cannot be read is taken for none, as in a router that is new here.
    let attempt = cpe.memory().get::<Attempt>(KEY).unwrap_or_default();
    let Some(wanted) = wanted else {
        if attempt.is_some() {
            forget(cpe);
        }
        return Ok(());
    };
    match step(cpe, wanted, attempt.as_ref(), device) {
        Step::Nothing => Ok(()),
        Step::Done => {
            if attempt.is_some() {
                cpe.memory().delete(KEY);
            }
            publish(cpe, "current", None)
        }
        Step::Start(url) => start(cpe, wanted, url),
        Step::Fail(fault) => match attempt {
            Some(attempt) => fail(cpe, attempt, &fault),
            None => Ok(()),
        },
        Step::Block(fault) => publish(cpe, "blocked", Some(&fault)),
    }
}

fn step(cpe: &Cpe, wanted: &Firmware, attempt: Option<&Attempt>, device: &Device) -> Step {
    let Some(current) = device.get("DeviceInfo.SoftwareVersion") else { return Step::Nothing };
    // Some releases have their channel behind the version: `7.15.3 (stable)`.
    if current.split_whitespace().next() == Some(wanted.version.as_str()) {
        return Step::Done;
    }
    let url = match address(&wanted.url, &wanted.version, device.get(ARCHITECTURE)) {
        Ok(url) => url,
        Err(fault) => return Step::Block(fault),
    };
    let same = |attempt: &&Attempt| attempt.version == wanted.version && attempt.url == url;
    let Some(attempt) = attempt.filter(same) else { return Step::Start(url) };
    if attempt.fault.is_some() {
        return Step::Nothing;
    }
    let completed = cpe.completed_transfers();
    let ended = completed.iter().find(|transfer| transfer.command_key == attempt.command_key);
    let fault = match ended {
        Some(transfer) if transfer.fault_code != 0 => {
            Some(format!("the router's fault {}: {}", transfer.fault_code, transfer.fault_text))
        }
        Some(_) => Some(format!("transferred, but the router still has {current}")),
        None if cpe.has_event(event::BOOTSTRAP) => {
            Some("the router was reset meanwhile".to_owned())
        }
        None if cpe.now().saturating_sub(attempt.started_at) >= TRANSFER_S_MAX => {
            Some("the router did not report the transfer's end".to_owned())
        }
        None => None,
    };
    fault.map_or(Step::Nothing, Step::Fail)
}

fn start(cpe: &mut Cpe, wanted: &Firmware, url: String) -> Result<()> {
    let started_at = cpe.now();
    let attempt = Attempt {
        version: wanted.version.clone(),
        url: url.clone(),
        // At most 32 bytes, and another one for each attempt.
        command_key: format!("firmware-{started_at}"),
        started_at,
        fault: None,
    };
    // Before the request: it is on disk when the request leaves, so that a lost session cannot
    // lead to a second download.
    cpe.memory().set(KEY, &attempt)?;
    cpe.log().info(format_args!("downloading RouterOS {}", wanted.version));
    let answer = cpe.download(Download {
        command_key: attempt.command_key.clone(),
        file_type: FIRMWARE.to_owned(),
        url,
        username: wanted.username.clone(),
        password: wanted.password.clone(),
        ..Download::default()
    });
    match answer {
        Ok(_) => publish(cpe, "downloading", None),
        Err(error) if error.is_lost() => Err(error),
        Err(error) => fail(cpe, attempt, &error.to_string()),
    }
}

fn fail(cpe: &mut Cpe, attempt: Attempt, fault: &str) -> Result<()> {
    cpe.log().warn(format_args!("RouterOS {} failed: {fault}", attempt.version));
    // Kept first: an attempt whose failure is not remembered would be repeated.
    let fault = cut(fault, FAULT_BYTES_MAX).to_owned();
    cpe.memory().set(KEY, &Attempt { fault: Some(fault.clone()), ..attempt })?;
    publish(cpe, "failed", Some(&fault))
}

/// How much of the device's own words is kept, in bytes.
const FAULT_BYTES_MAX: usize = 512;

fn forget(cpe: &mut Cpe) {
    cpe.memory().delete(KEY);
    cpe.withdraw_fact("firmware.state");
    cpe.withdraw_fact("firmware.fault");
}

fn publish(cpe: &mut Cpe, state: &str, fault: Option<&str>) -> Result<()> {
    tell(cpe, "firmware.state", state)?;
    match fault {
        Some(fault) => tell(cpe, "firmware.fault", fault)?,
        None => cpe.withdraw_fact("firmware.fault"),
    }
    Ok(())
}

/// The template with the router's architecture and the version; the error says what is missing.
fn address(template: &str, version: &str, architecture: Option<&str>) -> Result<String, String> {
    let mut url = template.replace("{version}", version);
    if url.contains("{arch}") {
        let Some(architecture) = architecture else {
            return Err("the router does not tell its architecture".to_owned());
        };
        url = url.replace("{arch}", architecture);
    }
    if url.len() > URL_BYTES_MAX {
        return Err(format!("the address is longer than {URL_BYTES_MAX} bytes"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_the_architecture() {
        let url = |arch| address("http://f/{arch}-{version}", "7", arch);
        assert_eq!(url(Some("arm")), Ok("http://f/arm-7".to_owned()));
        assert!(url(None).is_err());
        assert!(address(&"x".repeat(257), "7", None).is_err());
    }
}
