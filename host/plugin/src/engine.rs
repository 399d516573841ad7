//! The one engine that runs all plugins, sized for the sessions that may be open at once.

use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::limits::Limits;

/// How the engine is sized.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Plugin runs at once, parked ones included. Default: what [`mappings_max`] allows, at
    /// most 10,000.
    pub runs_max: usize,
    /// Whether a file is compiled on all cores at once. Default no: sessions need them too.
    pub compile_on_all_cores: bool,
}

/// Runs plugins. Clones share it.
#[derive(Clone)]
pub struct PluginEngine {
    pub(crate) engine: Engine,
    /// One permit per run, so that the pool below is never what says no.
    pub(crate) permits: Arc<Semaphore>,
}

/// Memory mappings that a parked run was measured to take, copy-on-write memories off.
const MAPPINGS_PER_RUN: usize = 5;
/// Mappings that the rest of the process takes.
const MAPPINGS_RESERVED: usize = 5_000;
const RUNS_DEFAULT_MAX: usize = 10_000;
/// A plugin's stack; twice what its code may use, since host functions run on it too.
const STACK_BYTES: usize = 512 << 10;
/// Fuel between two chances for other tasks: about half a millisecond.
pub(crate) const FUEL_YIELD_INTERVAL: u64 = 2_000_000;

/// How many runs may be parked at once before the kernel's limit on memory mappings
/// (`vm.max_map_count`) is met, beyond which the process would be killed.
pub fn mappings_max() -> usize {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    let mappings: usize = text.trim().parse().unwrap_or(65_530);
    mappings.saturating_sub(MAPPINGS_RESERVED) / MAPPINGS_PER_RUN
}

impl Default for EngineSettings {
    fn default() -> Self {
        let runs_max = mappings_max().min(RUNS_DEFAULT_MAX);
        Self { runs_max, compile_on_all_cores: false }
    }
}

impl PluginEngine {
    /// Makes the engine. It reserves address space, not memory.
    pub fn new(settings: &EngineSettings) -> anyhow::Result<Self> {
        let runs = u32::try_from(settings.runs_max.max(1))?.saturating_add(64);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(runs)
            .total_stacks(runs)
            .total_core_instances(runs.saturating_mul(64))
            .total_memories(runs.saturating_mul(4))
            .total_tables(runs.saturating_mul(8))
            .max_memories_per_component(4)
            .max_tables_per_component(8)
            .max_core_instances_per_component(64)
            .max_memory_size(Limits::MEMORY_BYTES_CAP)
            .table_elements(20_000)
            .decommit_batch_size(32)
            .max_unused_warm_slots(256);
        let mut config = Config::new();
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .wasm_component_model(true)
            .parallel_compilation(settings.compile_on_all_cores)
            .concurrency_support(false)
            .consume_fuel(true)
            .memory_init_cow(false)
            .memory_reservation(128 << 20)
            .memory_guard_size(64 << 10)
            .max_wasm_stack(STACK_BYTES / 2)
            .async_stack_size(STACK_BYTES)
            .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20))
            .generate_address_map(true);
        let engine = Engine::new(&config)?;
        Ok(Self { engine, permits: Arc::new(Semaphore::new(settings.runs_max.max(1))) })
    }
}
