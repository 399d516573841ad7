//! What wasmtime generates from `wit/`.

#![allow(missing_docs, reason = "generated; the documentation is in wit/")]
#![allow(clippy::all, reason = "generated")]
#![allow(clippy::as_conversions, reason = "generated")]
#![allow(unsafe_code, reason = "generated: lifting and lowering by layout")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "vendor-plugin",
    imports: {
        "trellis:acs/parameters": async | trappable,
        "trellis:acs/control": async | trappable,
        "trellis:acs/transfers": async | trappable,
        "trellis:acs/software.change-du-state": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});

/// What a plugin may export besides; each of them by itself.
pub(crate) mod hooks {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package trellis:host;
            world hooks {
                export trellis:acs/actions@0.1.0;
                export trellis:acs/admission@0.1.0;
                export trellis:acs/expiry@0.1.0;
            }
        ",
        world: "trellis:host/hooks",
        exports: { default: async },
    });

    pub(crate) use exports::trellis::acs::{actions, admission, expiry};
}

pub(crate) use trellis::acs::{
    control, deadlines, facts, log, memory, parameters, session, settings, software, transfers,
    types,
};
