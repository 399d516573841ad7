//! The life of one CWMP session.
