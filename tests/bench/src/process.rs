//! The measured process, as the kernel accounts for it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

const START_MAX: Duration = Duration::from_secs(60);
/// The kernel's unit of CPU time (`USER_HZ`), the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that ends with this value.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
}

impl Process {
    /// Starts a program and waits until it writes its address, as `"cwmp":"..."`, to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = std::fs::File::create(log)?;
        let mut child = command.stdout(Stdio::null()).stderr(file).spawn()?;
        let deadline = Instant::now() + START_MAX;
        loop {
            let text = std::fs::read_to_string(log)?;
            let address = text.split("\"cwmp\":\"").nth(1).and_then(|rest| rest.split('"').next());
            if let Some(address) = address {
                return Ok(Self { child, address: address.to_owned() });
            }
            if child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("the server did not start: {text}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// CPU time used so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, which may hold spaces, is in parentheses; user and system time are the
        // 14th and 15th fields.
        let fields = stat.rsplit(')').next().context("no stat")?;
        let ticks: f64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<f64>().unwrap_or_default())
            .sum();
        Ok(ticks / TICKS_PER_SECOND)
    }

    /// Resident memory, in kibibytes.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
        Ok(number.parse()?)
    }

    /// Memory mappings.
    pub(crate) fn mappings(&self) -> anyhow::Result<u32> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.child.id()))?;
        Ok(u32::try_from(maps.lines().count())?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
