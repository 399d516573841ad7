//! One version of one plugin, ready to run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use trellis_cwmp::{CwmpVersion, DeviceId, ParameterList};
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::cli;

use crate::bindings::{VendorPlugin, VendorPluginPre};
use crate::cache::{Cache, hex};
use crate::engine::PluginEngine;
use crate::fault::RunFault;
use crate::limits::{Limits, LimitsMax};
use crate::manifest::Manifest;
use crate::matcher::CompiledMatcher;
use crate::run::prepare;
use crate::state::{Context, Memory, Portions, RunState};

/// The largest file that is taken for a plugin, in bytes.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// A plugin that was checked, compiled and linked.
pub struct Plugin {
    /// What it says about itself.
    pub manifest: Manifest,
    /// The SHA-256 of its file.
    pub digest: String,
    pub(crate) name: Arc<str>,
    pub(crate) matchers: Vec<CompiledMatcher>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) settings: Arc<str>,
    pub(crate) engine: PluginEngine,
    pub(crate) instance: VendorPluginPre<RunState>,
}

/// Why a file is no plugin, or not one that this server can run.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub struct LoadError {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong, and what to change.
    pub reason: String,
}

impl Plugin {
    /// Loads a file. Compiles it unless the cache has it, which may take seconds: not on the
    /// session's path. `settings` go over the manifest's defaults.
    pub(crate) async fn load(
        engine: &PluginEngine,
        cache: Arc<Cache>,
        file: &Path,
        limits: (&Limits, &LimitsMax),
        settings: impl FnOnce(&str) -> serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, LoadError> {
        let fail = |reason: String| LoadError { file: file.to_owned(), reason };
        let length =
            tokio::fs::metadata(file).await.map_err(|error| fail(error.to_string()))?.len();
        if length > FILE_BYTES_MAX {
            return Err(fail(format!("it has {length} bytes; the limit is {FILE_BYTES_MAX}")));
        }
        let wasm = tokio::fs::read(file).await.map_err(|error| fail(error.to_string()))?;
        let digest = hex(&Sha256::digest(&wasm));
        let compiler = engine.engine.clone();
        let compiled = tokio::task::spawn_blocking(move || cache.component(&compiler, &wasm)).await;
        let component = compiled
            .map_err(|error| fail(error.to_string()))?
            .map_err(|error| fail(format!("it is not a WebAssembly component: {error:#}")))?;
        let instance = link(engine, &component).map_err(|error| {
            fail(format!("it does not fit the world trellis:acs/vendor-plugin@0.1: {error:#}"))
        })?;
        let json = describe(engine, &instance, limits.0).await.map_err(&fail)?;
        let manifest = Manifest::parse(&json)
            .map_err(|problem| fail(format!("its manifest is not usable: {problem}")))?;
        let mut effective = manifest.settings.defaults.clone();
        merge(&mut effective, settings(&manifest.name));
        let matchers = manifest.matchers.iter().map(crate::matcher::Matcher::compile);
        Ok(Self {
            digest,
            name: Arc::from(manifest.name.as_str()),
            matchers: matchers.collect::<Result<_, _>>().map_err(&fail)?,
            limits: Arc::new(limits.0.with_wishes(&manifest.limits, limits.1)),
            settings: Arc::from(serde_json::Value::Object(effective).to_string()),
            engine: engine.clone(),
            instance,
            manifest,
        })
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({} {})", self.manifest.name, self.manifest.version)
    }
}

fn link(
    engine: &PluginEngine,
    component: &Component,
) -> wasmtime::Result<VendorPluginPre<RunState>> {
    let mut linker = Linker::<RunState>::new(&engine.engine);
    wasi(&mut linker)?;
    VendorPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    VendorPluginPre::new(linker.instantiate_pre(component)?)
}

/// The WASI that language toolchains link in: clocks, random numbers, an empty environment,
/// and output that goes to the log. Files and sockets are not there to be imported.
fn wasi(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, RunState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, RunState::cli)
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
        inform_parameters: ParameterList::new(),
        root: String::new(),
        changed_elsewhere: false,
        retry_count: 0,
        transfers: Vec::new(),
        operations: Vec::new(),
        requested_downloads: Vec::new(),
        portions: Portions::default(),
        methods_lacking: BTreeSet::new(),
        now_seconds: 0,
        memory: Memory::new(),
    };
    let limits = Arc::new(limits.clone());
    let wall = limits.wall;
    let state = RunState::new(context, Arc::from("{}"), Arc::from("describe"), limits, asks);
    let mut store = Store::new(&engine.engine, state);
    let call = async {
        prepare(&mut store)?;
        let instance = instance.instantiate_async(&mut store).await?;
        instance.call_describe(&mut store).await
    };
    match tokio::time::timeout(wall, call).await {
        Ok(Ok(json)) => Ok(json),
        Ok(Err(error)) => {
            let fault = RunFault::explain(&error, store.data());
            Err(format!("its describe() failed: {}", fault.message))
        }
        Err(_) => Err(format!("its describe() took longer than {} s", wall.as_secs())),
    }
}

/// Lays settings over others: objects field by field, everything else whole.
fn merge(
    under: &mut serde_json::Map<String, serde_json::Value>,
    over: serde_json::Map<String, serde_json::Value>,
) {
    for (name, value) in over {
        match (under.get_mut(&name), value) {
            (Some(serde_json::Value::Object(under)), serde_json::Value::Object(over)) => {
                merge(under, over);
            }
            (_, value) => {
                under.insert(name, value);
            }
        }
    }
}
