//! Write a Trellis plugin in Rust.
