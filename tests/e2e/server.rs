//! A server of its own for each test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use trellis_cpe::{Cpe, Identity, Model, Options};
use trellis_store::{DeviceKey, SledSettings, SledStore};

use crate::warm;

const WAIT_MAX: Duration = Duration::from_secs(60);

/// A running `trellis serve` on a folder and a port of its own.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    address: String,
    operator: String,
    plugins: PathBuf,
    starts: usize,
}

/// The plugins that ship.
pub(crate) fn shipped() -> PathBuf {
    built("plugins")
}

/// The plugins that tests use.
pub(crate) fn guests() -> PathBuf {
    built("guests")
}

pub(crate) fn built(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_trellis")).ancestors().nth(2).expect("target");
    let folder = target.join(name);
    assert!(folder.is_dir(), "{} is missing: run `cargo xtask plugins`", folder.display());
    folder
}

impl Server {
    /// Starts a server with the plugins of a folder.
    pub(crate) fn start(plugins: &Path) -> Self {
        Self::with_config(plugins, "")
    }

    /// Starts a server with a configuration.
    pub(crate) fn with_config(plugins: &Path, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        warm::bring(&folder.path().join("data"));
        Self::begin(folder, plugins, config)
    }

    /// Starts a server with a command for a shell, which has the data and the plugins in this folder.
    pub(crate) fn with_command(folder: TempDir, command: &str) -> Self {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("exec {command}")]);
        // As `launch` has it.
        shell.envs([
            ("TRELLIS_CWMP__LISTEN", "127.0.0.1:0"),
            ("TRELLIS_OPERATOR__LISTEN", "127.0.0.1:0"),
            ("TRELLIS_LOG__FORMAT", "json"),
        ]);
        let (child, address, operator) = ready(shell, folder.path(), 0);
        let plugins = folder.path().join("plugins");
        Self { child, folder, address, operator, plugins, starts: 1 }
    }

    /// Starts a server that has compiled nothing yet.
    pub(crate) fn cold(plugins: &Path) -> Self {
        Self::begin(tempfile::tempdir().expect("a folder"), plugins, "")
    }

    fn begin(folder: TempDir, plugins: &Path, config: &str) -> Self {
        std::fs::write(folder.path().join("trellis.toml"), config).expect("written");
        let (child, address, operator) = launch(folder.path(), plugins, 0);
        Self { child, folder, address, operator, plugins: plugins.to_owned(), starts: 1 }
    }

    /// The ACS URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.addresses().first().expect("an address"))
    }

    /// All addresses for devices.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.address.split(", ").map(str::to_owned).collect()
    }

    /// The operator's address.
    pub(crate) fn operator(&self) -> &str {
        &self.operator
    }

    /// The token of the API, which the first start has shown.
    pub(crate) fn token(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("output")).expect("output");
        text.split_whitespace().last().expect("a token").to_owned()
    }

    /// Asks the API as a program does: the status and the answer's JSON.
    pub(crate) fn api(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        self.api_as(&self.token(), method, path, body)
    }

    /// The same with another token.
    pub(crate) fn api_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> (u16, Value) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent = ureq::Agent::from(config);
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.operator))
            .header("Authorization", format!("Bearer {token}"))
            .body(body)
            .expect("a request");
        let mut answer = agent.run(request).expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Asks the API and expects it to be content.
    pub(crate) fn api_ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let (status, answer) = self.api(method, path, &body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Runs the command line against this server: whether it succeeded, and what it printed.
    pub(crate) fn trellis(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_trellis"))
            .args(arguments)
            .env("TRELLIS_API", format!("http://{}", self.operator))
            .env("TRELLIS_TOKEN", self.token())
            .output()
            .expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes another configuration, for the next start.
    pub(crate) fn configure(&self, config: &str) {
        std::fs::write(self.folder.path().join("trellis.toml"), config).expect("written");
    }

    /// Kills the process as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Starts again on the same data.
    pub(crate) fn restart(&mut self) {
        let (child, address, operator) = launch(self.folder.path(), &self.plugins, self.starts);
        self.starts += 1;
        self.child = child;
        self.address = address;
        self.operator = operator;
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().expect("kill runs").success());
    }

    /// Sends SIGTERM and waits for a clean end.
    pub(crate) fn stop(&mut self) {
        self.terminate();
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}: {}", self.log_text());
    }

    /// The memory that the process has, in MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let file = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(file).expect("it runs");
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
        let kib: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
        kib / 1024
    }

    /// What becomes of a second server on the same data.
    pub(crate) fn second(&self) -> std::io::Result<std::process::Output> {
        Command::new(env!("CARGO_BIN_EXE_trellis"))
            .args(["serve", "--cwmp", "127.0.0.1:0", "--operator", "127.0.0.1:0", "--data"])
            .arg(self.data())
            .arg("--plugins")
            .arg(&self.plugins)
            .output()
    }

    /// Stops the server and opens what it left.
    pub(crate) fn into_store(mut self) -> (SledStore, TempDir) {
        self.stop();
        let store = SledStore::open(SledSettings::new(self.data().join("db"))).expect("it opens");
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        (store, folder)
    }

    /// All lines of the log.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = self.log_text();
        // The last line may be on its way.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// The log as text.
    pub(crate) fn log_text(&self) -> String {
        let mut text = String::new();
        for number in 0..self.starts {
            let file = self.folder.path().join(format!("log-{number}"));
            text.push_str(&std::fs::read_to_string(file).unwrap_or_default());
        }
        text
    }

    /// The line of the `number`th session of a device, once it is there.
    pub(crate) fn session(&self, device: &DeviceKey, number: usize) -> Value {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let found = self
                .log()
                .into_iter()
                .filter(|line| line["message"] == "session")
                .filter(|line| line["span"]["device"] == device.as_str())
                .nth(number);
            if let Some(line) = found {
                return line;
            }
            assert!(Instant::now() < deadline, "no session {number} of {device}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the `number`th session of a device learned.
    pub(crate) fn facts(&self, device: &DeviceKey, number: usize) -> BTreeMap<String, String> {
        let line = self.session(device, number);
        serde_json::from_str(line["facts"].as_str().expect("facts")).expect("a JSON object")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        warm::leave(&self.data());
    }
}

fn launch(folder: &Path, plugins: &Path, number: usize) -> (Child, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
    command
        .args(["serve", "--cwmp", "127.0.0.1:0", "--operator", "127.0.0.1:0"])
        .args(["--log-format", "json"])
        .args(["--log", "info,trellis_session=debug,plugin=debug"])
        .arg("--config")
        .arg(folder.join("trellis.toml"))
        .arg("--data")
        .arg(folder.join("data"))
        .arg("--plugins")
        .arg(plugins)
        // Sessions that a test leaves open are not waited for.
        .env("TRELLIS_SESSION__STOP_SECONDS_MAX", "3");
    ready(command, folder, number)
}

/// Starts a server and waits until it is ready.
fn ready(mut command: Command, folder: &Path, number: usize) -> (Child, String, String) {
    let log = folder.join(format!("log-{number}"));
    let file = std::fs::File::create(&log).expect("a file");
    let output = std::fs::File::options().create(true).append(true).open(folder.join("output"));
    let started = command.stdout(output.expect("a file")).stderr(file).spawn();
    let mut child = started.expect("the server starts");
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut ready = lines.filter_map(|line| {
            let text = |name: &str| line[name].as_str().map(str::to_owned);
            Some((text("cwmp")?, text("operator")?))
        });
        if let Some((address, operator)) = ready.next() {
            return (child, address, operator);
        }
        let ended = child.try_wait().expect("its state");
        assert!(ended.is_none() && Instant::now() < deadline, "the server is not ready: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a server says of a configuration that it refuses.
pub(crate) fn refused(config: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trellis.toml");
    std::fs::write(&file, config).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
    let output = command.args(["serve", "--config"]).arg(&file).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{text}");
    text
}

/// A simulated device of a built-in model.
pub(crate) fn device(model: &str, number: u32) -> Cpe {
    device_with(model, number, Options::default())
}

/// A simulated device with options.
pub(crate) fn device_with(model: &str, number: u32, options: Options) -> Cpe {
    let model = Model::built_in(model).expect("a model");
    let identity = Identity::numbered(&model, "T", number);
    Cpe::new(Arc::new(model), identity, Arc::new(options))
}

/// A simulated device that the guest plugin serves as `behaviour` says.
pub(crate) fn guest(behaviour: &str, number: u32) -> Cpe {
    identified("Guest", behaviour, number)
}

/// A simulated device that the plugin `gate` serves as `behaviour` says.
pub(crate) fn at_the_gate(behaviour: &str, number: u32) -> Cpe {
    identified("Gate", behaviour, number)
}

/// A simulated device of this manufacturer and product class.
pub(crate) fn identified(manufacturer: &str, product_class: &str, number: u32) -> Cpe {
    let model = Model::built_in("tr181").expect("a model");
    let mut identity = Identity::numbered(&model, "G", number);
    identity.manufacturer = manufacturer.to_owned();
    identity.product_class = product_class.to_owned();
    Cpe::new(Arc::new(model), identity, Arc::new(Options::default()))
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT_MAX;
    while !so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The key under which the server knows a device.
pub(crate) fn key(cpe: &Cpe) -> DeviceKey {
    let identity = cpe.identity();
    DeviceKey::from(&trellis_cwmp::DeviceId {
        manufacturer: identity.manufacturer.clone(),
        oui: identity.oui.clone(),
        product_class: identity.product_class.clone(),
        serial_number: identity.serial_number.clone(),
    })
}
