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
    /// How far it has come.
    step: Step,
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

/// Where the upgrade is in the memory, the name of its deadline, and its command key.
const KEY: &str = "upgrade";

/// What operators see of it.
const STATE: &str = "firmware.state";

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
        let upgrade = cpe.memory().get::<Upgrade>(KEY)?.filter(|it| it.version == *wanted);
        match upgrade.map(|it| it.step) {
            _ if running == *wanted => finish(cpe, wanted),
            None => download(cpe, &settings, wanted),
            Some(step @ (Step::Transferring | Step::TransferringAgain)) => {
                transferred(cpe, &settings, wanted, &running, &step)
            }
            Some(Step::Booting) => booted(cpe, wanted, &running),
            Some(Step::Done) => fail(cpe, wanted, &format!("the device runs {running} again")),
            Some(Step::Failed) => Ok(()),
        }
    }

    fn action(cpe: &mut Cpe, settings: Settings, name: &str, _: Json) -> Result<Json> {
        let Some(wanted) = &settings.version else {
            return Err(Error::other(format!("{name}: no version is set")));
        };
        download(cpe, &settings, wanted)?;
        Ok(json!({ "version": wanted }))
    }

    fn expired(cpe: &mut Cpe, _: Settings, _: &str) -> Result<()> {
        let Some(upgrade) = cpe.memory().get::<Upgrade>(KEY)? else { return Ok(()) };
        let missing = match upgrade.step {
            Step::Transferring | Step::TransferringAgain => "no TransferComplete came",
            Step::Booting => "the device did not restart",
            Step::Done | Step::Failed => return Ok(()),
        };
        fail(cpe, &upgrade.version, missing)
    }
}

/// Step 1: the device is asked to download the file.
fn download(cpe: &mut Cpe, settings: &Settings, wanted: &str) -> Result<()> {
    // Noted before the request: what leaves is known to have left.
    note(cpe, wanted, Step::Transferring, "transferring")?;
    cpe.deadlines().set_in(KEY, settings.transfer_seconds)?;
    ask(cpe, settings, wanted)
}

fn ask(cpe: &mut Cpe, settings: &Settings, wanted: &str) -> Result<()> {
    let status = cpe.download(Download {
        command_key: KEY.to_owned(),
        file_type: FIRMWARE.to_owned(),
        url: settings.url.clone(),
        ..Download::default()
    });
    match status {
        // Some devices have the file by the time they answer; no TransferComplete follows.
        Ok(status) if status.status == 0 => wait_for_boot(cpe, settings, wanted),
        Ok(_) => Ok(()),
        Err(error) if error.is_lost() => Err(error),
        Err(error) => fail(cpe, wanted, &error.to_string()),
    }
}

/// Step 2: the transfer is over, or is still going on.
fn transferred(
    cpe: &mut Cpe,
    settings: &Settings,
    wanted: &str,
    running: &str,
    step: &Step,
) -> Result<()> {
    let completed = cpe.completed_transfers();
    match completed.iter().find(|it| it.command_key == KEY) {
        Some(it) if it.fault_code == 0 => {
            wait_for_boot(cpe, settings, wanted)?;
            // Most devices restart first, and tell of both in one session.
            booted(cpe, wanted, running)
        }
        Some(it) => {
            let why = format!("the transfer failed: {} {}", it.fault_code, it.fault_text);
            fail(cpe, wanted, &why)
        }
        None if *step == Step::Transferring && !is_queued(cpe)? => {
            // The deadline of the first time stands, and there is no third one.
            note(cpe, wanted, Step::TransferringAgain, "transferring")?;
            ask(cpe, settings, wanted)
        }
        None => Ok(()),
    }
}

/// Whether the device has the transfer in its queue. One that cannot tell is waited for.
fn is_queued(cpe: &mut Cpe) -> Result<bool> {
    match cpe.all_queued_transfers() {
        Ok(queue) => Ok(queue.iter().any(|it| it.command_key == KEY)),
        Err(error) if error.is_lost() => Err(error),
        Err(_) => Ok(true),
    }
}

fn wait_for_boot(cpe: &mut Cpe, settings: &Settings, wanted: &str) -> Result<()> {
    note(cpe, wanted, Step::Booting, "booting")?;
    cpe.deadlines().set_in(KEY, settings.boot_seconds)
}

/// Step 3: the device has restarted, and has not the version, or has yet to restart.
fn booted(cpe: &mut Cpe, wanted: &str, running: &str) -> Result<()> {
    if cpe.has_event(event::BOOT) {
        return fail(cpe, wanted, &format!("after the restart the device runs {running}"));
    }
    Ok(())
}

/// Step 4: the device has the version.
fn finish(cpe: &mut Cpe, wanted: &str) -> Result<()> {
    cpe.deadlines().clear(KEY);
    note(cpe, wanted, Step::Done, "done")
}

/// The end of an upgrade that went wrong: an error is a fault that operators see.
fn fail(cpe: &mut Cpe, wanted: &str, why: &str) -> Result<()> {
    cpe.deadlines().clear(KEY);
    note(cpe, wanted, Step::Failed, "failed")?;
    Err(Error::other(format!("the upgrade to {wanted} failed: {why}")))
}

fn note(cpe: &mut Cpe, wanted: &str, step: Step, state: &str) -> Result<()> {
    cpe.memory().set(KEY, &Upgrade { version: wanted.to_owned(), step })?;
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
