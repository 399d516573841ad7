//! Clocks and random numbers of a run, such that a run over a recording is the same again.
//!
//! The clock stands still during a run: it is the host's `now`, as for every plugin. The monotonic
//! clock goes on with each look at it. Random numbers for hash tables come from a seed that is
//! recorded; those for secrets do not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// The time of the run, and nothing else.
struct Standing(Duration);

/// A clock that only its readers move.
struct Read(AtomicU64);

/// How far the monotonic clock goes on with each look at it, in nanoseconds.
const STEP_NS: u64 = 1_000;

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

impl HostMonotonicClock for Read {
    fn resolution(&self) -> u64 {
        STEP_NS
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(STEP_NS, Ordering::Relaxed)
    }
}

/// Random bytes that one call gives.
const RANDOM_BYTES_MAX: u64 = 4 << 10;

/// Gives a run its clocks and its random numbers. In a `rehearsal` those for secrets come from the
/// seed too.
pub(crate) fn set_up(wasi: &mut WasiCtxBuilder, now_seconds: u64, seed: u64, rehearsal: bool) {
    wasi.max_random_size(RANDOM_BYTES_MAX)
        .wall_clock(Standing(Duration::from_secs(now_seconds)))
        .monotonic_clock(Read(AtomicU64::new(STEP_NS)))
        .insecure_random_seed(u128::from(seed) << 64 | u128::from(!seed))
        .insecure_random(StdRng::seed_from_u64(seed));
    if rehearsal {
        wasi.secure_random(StdRng::seed_from_u64(!seed));
    }
}
