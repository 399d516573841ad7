//! From a file to a plugin: checked, compiled, linked and asked what it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use trellis_cwmp::{CwmpVersion, DeviceId};
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::{cli, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};

use crate::bindings::hooks::{actions, admission, expiry};
use crate::bindings::{VendorPlugin, VendorPluginPre};
use crate::cache::{Cache, hex};
use crate::engine::PluginEngine;
use crate::fault::RunFault;
use crate::hook::Reach;
use crate::http::{Grants, HttpLimits};
use crate::imports;
use crate::limits::{Limits, LimitsMax, OwnLimits};
use crate::manifest::Manifest;
use crate::matcher::Matcher;
use crate::plugin::{Hooks, Plugin};
use crate::run::prepare;
use crate::schema::Schema;
use crate::settings::PluginSettings;
use crate::state::{Context, Notes, Portions, RunState};
use crate::stats::Stats;

/// How plugins are loaded.
#[derive(Clone, Debug)]
pub struct LoaderSettings {
    /// The data folder, for compiled plugins.
    pub data: PathBuf,
    /// The largest file that is taken for a plugin, in bytes. Default 32 MiB.
    pub file_bytes_max: u64,
    /// The limits of every run.
    pub limits: Limits,
    /// What manifests get at most.
    pub limits_max: LimitsMax,
    /// What the operator sets for single plugins, by name.
    pub own_limits: BTreeMap<String, OwnLimits>,
    /// The origins that single plugins may send HTTP requests to, by name.
    pub http: BTreeMap<String, Vec<String>>,
    /// How much of that there is for one run.
    pub http_limits: HttpLimits,
    /// Whether plugins are only tried: one that wants HTTP is taken though nothing is granted to it,
    /// and gets none. Default no.
    pub is_rehearsal: bool,
    /// Whether a file is compiled that was compiled before. Default no.
    pub compiles_anew: bool,
}

impl Default for LoaderSettings {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            file_bytes_max: 32 << 20,
            limits: Limits::default(),
            limits_max: LimitsMax::default(),
            own_limits: BTreeMap::new(),
            http: BTreeMap::new(),
            http_limits: HttpLimits::default(),
            is_rehearsal: false,
            compiles_anew: false,
        }
    }
}

/// Makes plugins of files. Clones share the folder of compiled ones.
#[derive(Clone)]
pub struct Loader {
    engine: PluginEngine,
    cache: Arc<Cache>,
    settings: LoaderSettings,
}

impl Loader {
    /// Opens the folder of compiled plugins. Blocks.
    pub fn new(engine: PluginEngine, settings: LoaderSettings) -> std::io::Result<Self> {
        let cache = Arc::new(Cache::open(&settings.data)?);
        Ok(Self { engine, cache, settings })
    }

    /// The largest file that is taken for a plugin, in bytes.
    pub fn file_bytes_max(&self) -> u64 {
        self.settings.file_bytes_max
    }

    /// Loads a file. Compiles it unless that was done before, which may take seconds: not on the
    /// session's path. The error says what is wrong with the file and what to change.
    pub async fn load(&self, wasm: bytes::Bytes) -> Result<Plugin, String> {
        self.load_file(wasm, None).await
    }

    /// The same for a file that was taken before, of which the digest is known: nothing else is taken
    /// in its place.
    pub async fn load_kept(&self, wasm: bytes::Bytes, digest: &str) -> Result<Plugin, String> {
        self.load_file(wasm, Some(digest)).await
    }

    async fn load_file(&self, wasm: bytes::Bytes, known: Option<&str>) -> Result<Plugin, String> {
        let hashed = wasm.clone();
        let digest = tokio::task::spawn_blocking(move || hex(&Sha256::digest(&hashed))).await;
        let digest = digest.map_err(|error| error.to_string())?;
        if known.is_some_and(|known| known != digest) {
            return Err(
                "its file is damaged; `trellis plugin load` of the same file puts it right"
                    .to_owned(),
            );
        }
        let bytes = u64::try_from(wasm.len()).unwrap_or(u64::MAX);
        let limit = self.settings.file_bytes_max;
        if bytes > limit {
            return Err(format!("it has {bytes} bytes; the limit is {limit}"));
        }
        if !wasm.starts_with(b"\0asm") {
            return Err("it is not a WebAssembly component: it does not begin as one".to_owned());
        }
        if is_core_module(&wasm) {
            return Err("it is a core module of WebAssembly, not a component: build it for \
                        wasm32-wasip2, or make a component of it (docs/plugins.md)"
                .to_owned());
        }
        let (compiler, cache) = (self.engine.engine.clone(), Arc::clone(&self.cache));
        let is_anew = self.settings.compiles_anew;
        let compiling = move || cache.component(&compiler, &wasm, is_anew);
        let compiled = tokio::task::spawn_blocking(compiling).await;
        let component = compiled
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("it is not a WebAssembly component: {error:#}"))?;
        let engine = &self.engine.engine;
        imports::check(engine, &component)?;
        let instance_pre = link(&self.engine, &component).map_err(|error| misfit(&error))?;
        let hooks = hooks(engine, &component, &instance_pre)?;
        let instance = VendorPluginPre::new(instance_pre).map_err(|error| misfit(&error))?;
        // What it wishes for is in what it says: until then it has what it may get at most.
        let (limits, max) = (&self.settings.limits, &self.settings.limits_max);
        let memory_bytes = limits.memory_bytes.max(max.memory_bytes);
        let limits = Limits { memory_bytes, ..limits.clone() };
        let json = describe(&self.engine, &instance, &limits).await?;
        let manifest = Manifest::parse(&json)
            .map_err(|problem| format!("its manifest is not usable: {problem}"))?;
        self.finish(manifest, digest, bytes, imports::imports(engine, &component), instance, hooks)
    }

    /// Holds the manifest against what the file is, and against what the operator allows.
    fn finish(
        &self,
        manifest: Manifest,
        digest: String,
        bytes: u64,
        imports: Vec<String>,
        instance: VendorPluginPre<RunState>,
        hooks: Hooks,
    ) -> Result<Plugin, String> {
        if manifest.admit && hooks.admission.is_none() {
            return Err("it says that it admits devices, and does not export admission".to_owned());
        }
        if !manifest.actions.is_empty() && hooks.actions.is_none() {
            return Err("it has actions, and does not export the interface actions".to_owned());
        }
        let settings = Schema::new(&manifest.settings.schema)
            .map_err(|error| format!("the schema of its settings: {error}"))?;
        settings
            .check(&serde_json::Value::Object(manifest.settings.defaults.clone()))
            .map_err(|error| format!("its defaults do not fit its schema: {error}"))?;
        let schemas = manifest.actions.iter().map(|(name, action)| {
            let schema = Schema::new(&action.schema)
                .map_err(|error| format!("the schema of its action {name}: {error}"))?;
            Ok((name.clone(), schema))
        });
        let actions = schemas.collect::<Result<_, String>>()?;
        let matchers = manifest.matchers.iter().map(Matcher::compile).collect::<Result<_, _>>()?;
        let limits = &self.settings.limits;
        let limits = limits.with_wishes(&manifest.limits, &self.settings.limits_max);
        let limits = match self.settings.own_limits.get(&manifest.name) {
            Some(own) => limits.with_own(own),
            None => limits,
        };
        let granted = self.settings.http.get(&manifest.name).map(Vec::as_slice);
        let grants = Grants::new(granted.unwrap_or_default(), &self.settings.http_limits)?;
        let needs_grant = grants.is_empty() && !self.settings.is_rehearsal;
        if needs_grant && imports.iter().any(|it| it.starts_with("wasi:http/")) {
            let name = &manifest.name;
            return Err(format!(
                "it imports wasi:http, and nothing is granted to {name}: name the origins in the \
                 configuration, [plugins.for.{name}] http = [\"https://...\"]"
            ));
        }
        Ok(Plugin {
            grants: Arc::new(grants),
            digest,
            bytes,
            imports,
            name: Arc::from(manifest.name.as_str()),
            matchers,
            limits: Arc::new(limits),
            settings,
            actions,
            engine: self.engine.clone(),
            instance,
            hooks,
            stats: Stats::new(&manifest.name, &manifest.version),
            manifest,
        })
    }

    /// Removes compiled plugins other than of these files, by their digests, and those that
    /// earlier versions of this program compiled, unless they were used not so long ago. Blocks.
    pub fn sweep(&self, keep: &HashSet<String>, unused: Duration) -> std::io::Result<()> {
        self.cache.sweep(&self.engine.engine, keep, unused)
    }
}

fn misfit(error: &wasmtime::Error) -> String {
    format!("it does not fit the world trellis:acs/vendor-plugin@0.1: {error:#}")
}

/// `\0asm`, and the version and layer of a module; a component has another layer.
fn is_core_module(wasm: &[u8]) -> bool {
    wasm.starts_with(b"\0asm\x01\0\0\0")
}

fn link(engine: &PluginEngine, component: &Component) -> wasmtime::Result<InstancePre<RunState>> {
    let mut linker = Linker::<RunState>::new(&engine.engine);
    wasi(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    VendorPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    linker.instantiate_pre(component)
}

/// The WASI that language toolchains link in: clocks, random numbers, an empty environment,
/// and output that goes to the log. Files and sockets are not there to be imported.
fn wasi(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    // Hash tables ask for these.
    random::insecure::add_to_linker::<_, WasiRandom>(linker, RunState::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, RunState::random)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, RunState::cli)
}

/// The optional interfaces that a component exports.
fn hooks(
    engine: &wasmtime::Engine,
    component: &Component,
    instance: &InstancePre<RunState>,
) -> Result<Hooks, String> {
    let exports: Vec<String> = component
        .component_type()
        .exports(engine)
        .map(|(name, _)| name.split('@').next().unwrap_or_default().to_owned())
        .collect();
    let exports = |name: &str| exports.iter().any(|export| export == name);
    let misfit = |error: wasmtime::Error| misfit(&error);
    Ok(Hooks {
        actions: exports("trellis:acs/actions")
            .then(|| actions::GuestIndices::new(instance))
            .transpose()
            .map_err(misfit)?,
        admission: exports("trellis:acs/admission")
            .then(|| admission::GuestIndices::new(instance))
            .transpose()
            .map_err(misfit)?,
        expiry: exports("trellis:acs/expiry")
            .then(|| expiry::GuestIndices::new(instance))
            .transpose()
            .map_err(misfit)?,
    })
}

/// Asks the plugin for its manifest, in a run of its own with nothing to touch.
async fn describe(
    engine: &PluginEngine,
    instance: &VendorPluginPre<RunState>,
    limits: &Limits,
) -> Result<String, String> {
    let (asks, _nobody) = mpsc::channel(1);
    let context = Context {
        device: String::new(),
        device_id: DeviceId::default(),
        cwmp_version: CwmpVersion::V1_0,
        events: Vec::new(),
        inform_parameters: Arc::default(),
        root: String::new(),
        changed_elsewhere: false,
        retry_count: 0,
        transfers: Vec::new(),
        operations: Vec::new(),
        requested_downloads: Vec::new(),
        portions: Portions::default(),
        methods_lacking: BTreeSet::new(),
        now_seconds: 0,
        notes: Notes::default(),
        settings: PluginSettings::default(),
        seed: 0,
        record_bytes: 0,
        is_rehearsal: false,
        recorded_http: Vec::new(),
        limits: None,
        http_limits: None,
    };
    let limits = Arc::new(limits.clone());
    let wall = limits.wall.min(DESCRIBE_MAX);
    let state = RunState::new(context, Arc::from("describe"), Reach::Nobody, limits, asks);
    let mut store = Store::new(&engine.engine, state);
    let call = async {
        prepare(&mut store)?;
        let instance = instance.instantiate_async(&mut store).await?;
        instance.call_describe(&mut store).await
    };
    match tokio::time::timeout(wall, call).await {
        Ok(Ok(json)) => Ok(json),
        Ok(Err(error)) => {
            // It has been told no secret.
            let printed = store.data().output.shown(str::to_owned);
            let fault = RunFault::explain(&error, &printed, store.data());
            let fault = fault.shown(store.data_mut());
            Err(format!("its describe() failed: {}", fault.message))
        }
        Err(_) => Err(format!("its describe() took longer than {} s", wall.as_secs())),
    }
}

/// How long a file may take to say what it is.
const DESCRIBE_MAX: Duration = Duration::from_secs(10);
