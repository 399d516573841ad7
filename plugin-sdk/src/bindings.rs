//! The generated side of the contract in `wit/`. The rest of the crate gives it a face.

wit_bindgen::generate!({
    world: "full-vendor-plugin",
    path: "../wit",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "trellis_plugin::__bindings",
    additional_derives: [PartialEq],
});
