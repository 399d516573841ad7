//! The HTTP side that devices see.
