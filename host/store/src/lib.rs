//! What Trellis remembers about devices.
