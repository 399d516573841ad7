//! Calls of the host cost a plugin no fuel: they are counted, and others get their turn in between.

use wasmtime::{CallHook, CallHookHandler, StoreContextMut};

use crate::fault::{CallLimit, limit_reached};
use crate::state::RunState;

/// Calls after which the thread is given to others: one call may copy a mebibyte.
const CALLS_IN_A_ROW: u32 = 16;

/// Sees every call of the host, those of WASI too.
pub(crate) struct Toll;

#[async_trait::async_trait]
impl CallHookHandler<RunState> for Toll {
    async fn handle_call_event(
        &self,
        mut store: StoreContextMut<'_, RunState>,
        event: CallHook,
    ) -> wasmtime::Result<()> {
        if !matches!(event, CallHook::CallingHost) {
            return Ok(());
        }
        let state = store.data_mut();
        state.host_calls = state.host_calls.saturating_add(1);
        let limit = state.limits.host_calls;
        if state.host_calls > limit {
            limit_reached("plugin_host_calls");
            return Err(wasmtime::Error::new(CallLimit { limit }));
        }
        if state.host_calls.is_multiple_of(CALLS_IN_A_ROW) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
