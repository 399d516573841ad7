//! Loads and runs vendor plugins.
