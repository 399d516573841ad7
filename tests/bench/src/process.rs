//! The measured process, as the kernel accounts for it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const START_MAX: Duration = Duration::from_secs(60);
/// The kernel's unit of CPU time (`USER_HZ`), the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that ends with this value.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
    /// The operator's address, and what it has printed: the first token.
    operator: String,
    output: PathBuf,
}

impl Process {
    /// Starts a program and waits until it writes its address, as `"cwmp":"..."`, to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = std::fs::File::create(log)?;
        let output = log.with_extension("output");
        let printed = std::fs::File::create(&output)?;
        let mut child = command.stdout(printed).stderr(file).spawn()?;
        let deadline = Instant::now() + START_MAX;
        loop {
            let text = std::fs::read_to_string(log)?;
            let said = |name: &str| {
                let (_, rest) = text.split_once(&format!("\"{name}\":\""))?;
                rest.split('"').next().map(str::to_owned)
            };
            if let Some(address) = said("cwmp") {
                let operator = said("operator").unwrap_or_default();
                return Ok(Self { child, address, operator, output });
            }
            if child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("the server did not start: {text}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the operator's side answers.
    pub(crate) async fn operator_get(&self, path: &str) -> anyhow::Result<String> {
        self.operator(format!("GET {path} HTTP/1.1\r\n")).await
    }

    /// Posts nothing to it.
    pub(crate) async fn operator_post(&self, path: &str) -> anyhow::Result<String> {
        let printed = std::fs::read_to_string(&self.output)?;
        let token = printed.split_whitespace().last().context("no token")?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n"
        );
        self.operator(head).await
    }

    async fn operator(&self, head: String) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.operator).await?;
        let request = format!("{head}Host: trellis\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).context("no status")?;
        ensure!(status.starts_with('2'), "{head}: {status}");
        Ok(answer)
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
