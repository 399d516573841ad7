//! Kinds of devices, as metrics name them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::conversation::cut;
use crate::metric::limit_reached;

/// Manufacturer, product class and software version.
pub(crate) type Kind = [String; 3];

/// The kinds that metrics tell apart. Devices name themselves and each name is a series, so that
/// there must be an end to them: further kinds are `other`.
pub(crate) struct Kinds {
    seen: Mutex<HashSet<Kind>>,
    kinds_max: usize,
}

impl Kinds {
    /// None yet.
    pub(crate) fn new(kinds_max: usize) -> Self {
        Self { seen: Mutex::default(), kinds_max }
    }

    /// What metrics call a kind.
    pub(crate) fn label(&self, kind: [&str; 3]) -> Kind {
        let kind = kind.map(cut);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(&kind) {
            if seen.len() >= self.kinds_max {
                drop(seen);
                limit_reached("metric_kinds");
                return ["other", "other", "other"].map(str::to_owned);
            }
            seen.insert(kind.clone());
        }
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_kinds_are_not_told_apart() {
        let kinds = Kinds::new(1);
        assert_eq!(kinds.label(["A", "B", "1"]), ["A", "B", "1"]);
        assert_eq!(kinds.label(["A", "B", "2"]), ["other", "other", "other"]);
        assert_eq!(kinds.label(["A", "B", "1"]), ["A", "B", "1"]);
    }
}
