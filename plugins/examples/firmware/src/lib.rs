//! A workflow over several sessions: download firmware, wait for the TransferComplete, wait for the
//! boot, check the version, and report whatever does not come.
//!
//! A session is short, and an upgrade is not. What lasts is in the device's memory: one [`Upgrade`]
//! that says which step was reached. It is on disk before the request that depends on it leaves, so
//! a restart of the server between any two steps changes nothing. One moment is left: the server may
//! stop after that and before the request is out. So a device that calls without having the transfer
//! in its queue is asked a second time. Each wait has a deadline; when it passes,
//! [`Plugin::expired`] says what has not come.

use serde::{Deserialize, Serialize};
use trellis_plugin::serde_json::{Value as Json, json};
use trellis_plugin::{Cpe, Download, Error, FIRMWARE, Manifest, Matcher, Plugin, Result, event};

#[cfg(test)]
mod tests;

/// The plugin.
#[derive(Debug)]
pub struct FirmwareUpgrade;

/// What operators set.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// The version that the device shall have, as it reports it; none where nothing is to be done.
    version: Option<String>,
    /// Where its file is.
    url: String,
    /// How long the device may take for the transfer, in seconds.
    transfer_seconds: u64,
    /// How long the device may take to come back after it, in seconds.
    boot_seconds: u64,
}

/// What is in the memory under [`KEY`].
#[derive(Debug, Deserialize, Serialize)]
struct Upgrade {
    /// The version that it is to bring.
    version: String,
    /// Which attempt it is of all of this device. What comes of an earlier one, or is told again, has
    /// another command key.
    #[serde(default)]
    attempt: u32,
    /// How far it has come.
    step: Step,
    /// What the device ran when it told of a restart after the transfer.
    #[serde(default)]
    ran: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    /// The device was asked to download the file.
    Transferring,
    /// It knew nothing of that, and was asked again.
    TransferringAgain,
    /// The file is there; the device is to restart into it.
    Booting,
    /// The device has the version.
    Done,
    /// Something went wrong; it is not tried again until another version is set.
    Failed,
}

/// Where the upgrade is in the memory, and the name of its deadline.
const KEY: &str = "upgrade";

/// What operators see of it.
const STATE: &str = "firmware.state";

impl Upgrade {
    fn command_key(&self) -> String {
        match self.attempt {
            // As it was before attempts were counted.
            0 => KEY.to_owned(),
            attempt => format!("{KEY}-{attempt}"),
        }
    }
}

impl Plugin for FirmwareUpgrade {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("firmware", env!("CARGO_PKG_VERSION"))
            .description("Upgrades firmware over several sessions of a device")
            .serves(Matcher::new().manufacturer("Acme Broadband"))
            .settings(
                json!({
                    "type": "object",
                    "properties": {
                        "version": { "type": ["string", "null"], "maxLength": 64 },
                        "url": { "type": "string", "maxLength": 256 },
                        "transfer-seconds": { "type": "integer", "minimum": 1 },
                        "boot-seconds": { "type": "integer", "minimum": 1 },
                    },
                    "additionalProperties": false,
                }),
                json!({
                    "version": null,
                    "url": "",
                    "transfer-seconds": 7200,
                    "boot-seconds": 900,
                }),
            )
            .action(
                "retry-upgrade",
                "Tries an upgrade that failed again",
                json!({ "type": "object", "additionalProperties": false }),
            )
    }

    fn provision(cpe: &mut Cpe, settings: Settings) -> Result<()> {
        let Some(wanted) = &settings.version else { return Ok(()) };
        let running = running(cpe)?;
        let known = cpe.memory().get::<Upgrade>(KEY)?;
        let last = known.as_ref().map_or(0, |it| it.attempt);
        let Some(upgrade) = known.filter(|it| it.version == *wanted) else {
            if running == *wanted {
                return cpe.fact(STATE, "done");
            }
            return download(cpe, &settings, wanted, last);
        };
        match upgrade.step {
            Step::Done if running != *wanted => {
                fail(cpe, upgrade, &format!("the device runs {running} again"))
            }
            Step::Done => Ok(()),
            _ if running == *wanted => finish(cpe, upgrade),
            Step::Transferring | Step::TransferringAgain => {
                transferred(cpe, &settings, upgrade, running)
            }
            Step::Booting => booted(cpe, upgrade, running),
            Step::Failed => Ok(()),
        }
    }

    fn action(cpe: &mut Cpe, settings: Settings, name: &str, _: Json) -> Result<Json> {
        let no = |why: &str| Err(Error::other(format!("{name}: {why}")));
        let Some(wanted) = &settings.version else { return no("no version is set") };
        let known = cpe.memory().get::<Upgrade>(KEY)?;
        let last = known.as_ref().map_or(0, |it| it.attempt);
        match known.filter(|it| it.version == *wanted).map(|it| it.step) {
            Some(Step::Done) => no("the device has that version"),
            Some(Step::Transferring | Step::TransferringAgain | Step::Booting) => {
                no("the upgrade is under way")
            }
            Some(Step::Failed) | None => {
                download(cpe, &settings, wanted, last)?;
                Ok(json!({ "version": wanted }))
            }
        }
    }

    fn expired(cpe: &mut Cpe, settings: Settings, _: &str) -> Result<()> {
        let Some(upgrade) = cpe.memory().get::<Upgrade>(KEY)? else { return Ok(()) };
        if settings.version.as_ref() != Some(&upgrade.version) {
            // Nobody waits for that one any more.
            return Ok(());
        }
        let missing = match (&upgrade.step, &upgrade.ran) {
            (Step::Transferring | Step::TransferringAgain, _) => {
                "no TransferComplete came".to_owned()
            }
            (Step::Booting, Some(ran)) => format!("after the restart the device runs {ran}"),
            (Step::Booting, None) => "the device did not restart".to_owned(),
            (Step::Done | Step::Failed, _) => return Ok(()),
        };
        fail(cpe, upgrade, &missing)
    }
}

/// Step 1: the device is asked to download the file, after so many attempts.
fn download(cpe: &mut Cpe, settings: &Settings, wanted: &str, last: u32) -> Result<()> {
    let upgrade = Upgrade {
        version: wanted.to_owned(),
        attempt: last.wrapping_add(1),
        step: Step::Transferring,
        ran: None,
    };
    cpe.deadlines().set_in(KEY, settings.transfer_seconds)?;
    ask(cpe, settings, upgrade)
}

fn ask(cpe: &mut Cpe, settings: &Settings, upgrade: Upgrade) -> Result<()> {
    // Noted before the request: what leaves is known to have left.
    note(cpe, &upgrade, "transferring")?;
    let status = cpe.download(Download {
        command_key: upgrade.command_key(),
        file_type: FIRMWARE.to_owned(),
        url: settings.url.clone(),
        ..Download::default()
    });
    match status {
        // Some devices have the file by the time they answer; no TransferComplete follows.
        Ok(status) if status.status == 0 => wait_for_boot(cpe, settings, upgrade).map(drop),
        Ok(_) => Ok(()),
        Err(error) if error.is_lost() => Err(error),
        Err(error) => fail(cpe, upgrade, &error.to_string()),
    }
}

/// Step 2: the transfer is over, or is still going on.
fn transferred(
    cpe: &mut Cpe,
    settings: &Settings,
    upgrade: Upgrade,
    running: String,
) -> Result<()> {
    let completed = cpe.completed_transfers();
    match completed.iter().find(|it| it.command_key == upgrade.command_key()) {
        Some(it) if it.fault_code == 0 => {
            let upgrade = wait_for_boot(cpe, settings, upgrade)?;
            // Most devices restart first, and tell of both in one session.
            booted(cpe, upgrade, running)
        }
        Some(it) => {
            let why = format!("the transfer failed: {} {}", it.fault_code, it.fault_text);
            fail(cpe, upgrade, &why)
        }
        None if upgrade.step == Step::Transferring && !is_queued(cpe, &upgrade)? => {
            // The deadline of the first time stands, and there is no third one.
            ask(cpe, settings, Upgrade { step: Step::TransferringAgain, ..upgrade })
        }
        // What was noted is on disk before the request leaves; what was published, once the run is over.
        None => cpe.fact(STATE, "transferring"),
    }
}

/// Whether the device has the transfer in its queue. One that cannot tell is waited for.
fn is_queued(cpe: &mut Cpe, upgrade: &Upgrade) -> Result<bool> {
    match cpe.all_queued_transfers() {
        Ok(queue) => Ok(queue.iter().any(|it| it.command_key == upgrade.command_key())),
        Err(error) if error.is_lost() => Err(error),
        Err(_) => Ok(true),
    }
}

fn wait_for_boot(cpe: &mut Cpe, settings: &Settings, upgrade: Upgrade) -> Result<Upgrade> {
    let upgrade = Upgrade { step: Step::Booting, ..upgrade };
    note(cpe, &upgrade, "booting")?;
    cpe.deadlines().set_in(KEY, settings.boot_seconds)?;
    Ok(upgrade)
}

/// Step 3: the device does not run the version, or not yet. Events of a session that was lost are
/// told again: a boot need not be the one that is waited for, so that time decides.
fn booted(cpe: &mut Cpe, upgrade: Upgrade, running: String) -> Result<()> {
    if !cpe.has_event(event::BOOT) {
        return Ok(());
    }
    note(cpe, &Upgrade { ran: Some(running), ..upgrade }, "booting")
}

/// Step 4: the device has the version.
fn finish(cpe: &mut Cpe, upgrade: Upgrade) -> Result<()> {
    cpe.deadlines().clear(KEY);
    note(cpe, &Upgrade { step: Step::Done, ..upgrade }, "done")
}

/// The end of an upgrade that went wrong: an error is a fault that operators see.
fn fail(cpe: &mut Cpe, upgrade: Upgrade, why: &str) -> Result<()> {
    cpe.deadlines().clear(KEY);
    let upgrade = Upgrade { step: Step::Failed, ..upgrade };
    note(cpe, &upgrade, "failed")?;
    Err(Error::other(format!("the upgrade to {} failed: {why}", upgrade.version)))
}

fn note(cpe: &mut Cpe, upgrade: &Upgrade, state: &str) -> Result<()> {
    cpe.memory().set(KEY, upgrade)?;
    cpe.fact(STATE, state)
}

/// The version that runs: every Inform tells it.
fn running(cpe: &mut Cpe) -> Result<String> {
    let name = format!("{}DeviceInfo.SoftwareVersion", cpe.root());
    match cpe.inform().text(&name) {
        Some(version) => Ok(version.to_owned()),
        None => cpe.get::<String>(&name),
    }
}

trellis_plugin::export!(FirmwareUpgrade);
