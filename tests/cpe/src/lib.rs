//! A simulated CPE.
