//! The demonstration: a real server, ten simulated devices, and what their sessions did.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::plugins;
use crate::steps::{announce, binary, bold, build_programs, dim, green, red, run};
use crate::table::table;

/// Model, number of devices.
const DEVICES: [(&str, &str); 3] = [("tr181", "4"), ("tr098", "3"), ("tr181-mikrotik", "3")];
/// Sessions of each device: the first contact, and a periodic one.
const SESSIONS: &str = "2";
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Builds, runs and shows.
pub(crate) fn run_demo(keep: bool) -> anyhow::Result<()> {
    let plugins = plugins::build()?;
    announce("building the server and the simulated devices (the first time takes minutes)");
    build_programs()?;

    let data = std::env::temp_dir().join(format!("trellis-demo-{}", std::process::id()));
    std::fs::create_dir_all(&data)?;
    announce("starting the server on an empty store");
    let mut server = Server::start(&plugins, &data)?;
    let acs = format!("http://{}/", server.address);
    println!("the server listens on {acs}");
    announce("ten devices of three kinds call in");
    let mut shown = Shown::default();
    for (model, count) in DEVICES {
        let mut cpe = Command::new(binary("debug", "cpe"))
            .args(["--acs", &acs, "--model", model, "--count", count, "--sessions", SESSIONS])
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start the simulated devices")?;
        loop {
            match server.lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => shown.take(&line),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(status) = cpe.try_wait()? {
                        if !status.success() {
                            bail!(
                                "the simulated devices of kind {model} are not content: {status}"
                            );
                        }
                        break;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the server has ended"),
            }
        }
    }
    println!("\n{}", shown.table());
    let failed = shown.failed;
    if keep {
        println!("\nThe server goes on at {acs}, data in {}.", data.display());
        println!("Its process is {}; stop it with: kill {}", server.child.id(), server.child.id());
        println!("A device for it: {} --acs {acs} --model tr181", binary("debug", "cpe").display());
        server.keep();
    } else {
        server.stop()?;
        std::fs::remove_dir_all(&data).ok();
    }
    if failed > 0 {
        bail!("{failed} sessions did not end well");
    }
    println!("{}", green("every session ended well"));
    Ok(())
}

struct Server {
    child: Child,
    lines: Receiver<Value>,
    address: String,
    keep: bool,
}

impl Server {
    fn start(plugins: &Path, data: &Path) -> anyhow::Result<Self> {
        let log = data.join("trellis.log");
        let file = std::fs::File::create(&log)?;
        let mut child = Command::new(binary("debug", "trellis"))
            .args([
                "serve",
                "--cwmp",
                "127.0.0.1:0",
                "--operator",
                "127.0.0.1:0",
                "--log-format",
                "json",
            ])
            .args(["--log", "info,trellis_session=debug"])
            .arg("--plugins")
            .arg(plugins)
            .arg("--data")
            .arg(data)
            // A file, not a pipe: with --keep the server outlives this program.
            .stderr(file)
            .spawn()
            .context("cannot start the server")?;
        let (sender, lines) = sync_channel(10_000);
        let path = log.clone();
        thread::spawn(move || follow(&path, &sender));
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            match lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => {
                    let line: Value = line;
                    if let Some(address) = text(&line, "/cwmp") {
                        let address = address.to_owned();
                        return Ok(Self { child, lines, address, keep: false });
                    }
                    if let Some(plugin) = text(&line, "/plugin") {
                        println!(
                            "plugin {} {}",
                            bold(plugin),
                            text(&line, "/version").unwrap_or_default()
                        );
                    }
                }
                Err(_) if child.try_wait()?.is_some() || Instant::now() > deadline => {
                    let log = std::fs::read_to_string(&log).unwrap_or_default();
                    bail!("the server did not start:\n{log}");
                }
                Err(_) => {}
            }
        }
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        // SIGTERM through the shell's kill: the standard library only knows SIGKILL.
        run(Command::new("kill").arg(self.child.id().to_string()))?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server did not stop cleanly: {status}");
        }
        Ok(())
    }

    fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.keep {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Reads a file of JSON lines as it grows.
fn follow(path: &Path, lines: &std::sync::mpsc::SyncSender<Value>) {
    let Ok(file) = std::fs::File::open(path) else { return };
    let mut reader = BufReader::new(file);
    let mut line = String::new();
    loop {
        match reader.read_line(&mut line) {
            Ok(0) => thread::sleep(Duration::from_millis(20)),
            Ok(_) if line.ends_with('\n') => {
                let sent = serde_json::from_str(&line).map(|value| lines.send(value));
                if matches!(sent, Ok(Err(_))) {
                    return;
                }
                line.clear();
            }
            // The rest of the line is still to come.
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// What was shown so far.
#[derive(Default)]
struct Shown {
    /// What the session in progress of each device has done.
    steps: BTreeMap<String, Vec<String>>,
    devices: BTreeMap<String, Device>,
    failed: usize,
}

#[derive(Default)]
struct Device {
    kind: String,
    plugin: String,
    sessions: usize,
    rpcs: Vec<u64>,
    facts: BTreeMap<String, String>,
}

impl Shown {
    fn take(&mut self, line: &Value) {
        let Some(device) = text(line, "/span/device") else { return };
        match text(line, "/message") {
            Some("rpc") => {
                let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
                let step = format!(
                    "  {:<24} {} {} {}",
                    text("method"),
                    text("request"),
                    dim("->"),
                    text("answer")
                );
                self.steps.entry(device.to_owned()).or_default().push(step);
            }
            Some("session") => self.session(device, line),
            _ => {}
        }
    }

    fn session(&mut self, device: &str, line: &Value) {
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| line.get(name).and_then(Value::as_u64).unwrap_or_default();
        let outcome = text("outcome");
        let good = outcome == "ok";
        self.failed += usize::from(!good);
        println!(
            "\n{}  {}  plugin {}  {}  {} ms  {}",
            bold(device),
            text("events"),
            bold(text("plugin")),
            count(number("rpcs"), "RPC"),
            number("ms"),
            if good { green("ok") } else { red(outcome) },
        );
        for step in self.steps.remove(device).unwrap_or_default() {
            println!("{step}");
        }
        let known = self.devices.entry(device.to_owned()).or_default();
        known.kind = format!("{} {}", text("manufacturer"), text("product_class"));
        text("plugin").clone_into(&mut known.plugin);
        known.sessions += 1;
        known.rpcs.push(number("rpcs"));
        let facts: BTreeMap<String, String> =
            serde_json::from_str(text("facts")).unwrap_or_default();
        for (name, value) in &facts {
            println!("  {} {name} = {value}", dim("learned"));
        }
        known.facts.extend(facts);
    }

    fn table(&self) -> String {
        let rows = self.devices.iter().map(|(device, it)| {
            let fact = |name: &str| it.facts.get(name).cloned().unwrap_or_else(|| "-".to_owned());
            let rpcs: Vec<String> = it.rpcs.iter().map(u64::to_string).collect();
            vec![
                device.clone(),
                it.kind.clone(),
                it.plugin.clone(),
                it.sessions.to_string(),
                rpcs.join(", "),
                fact("device.software-version"),
                fact("wifi.ssid"),
                fact("wan.ipv4-address"),
                fact("lan.hosts"),
            ]
        });
        let head =
            ["device", "kind", "plugin", "sessions", "RPCs", "software", "SSID", "WAN", "hosts"];
        table(&head, &rows.collect::<Vec<_>>())
    }
}

/// A text in a line of the log.
fn text<'a>(line: &'a Value, pointer: &str) -> Option<&'a str> {
    line.pointer(pointer)?.as_str()
}

fn count(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
