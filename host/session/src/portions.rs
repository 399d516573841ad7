//! How much the devices of a model can tell at once, as they have shown.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use trellis_store::{Model, Store, StoreError};

use crate::metric::limit_reached;

/// What models have shown. It is small, and read by every session: it is kept in memory.
pub(crate) struct LearnedPortions {
    by_model: Mutex<HashMap<Model, usize>>,
    models_max: usize,
}

/// The least that is remembered of a model.
const NAMES_LEAST: usize = 8;

impl LearnedPortions {
    pub(crate) fn new(learned: Vec<(Model, usize)>, models_max: usize) -> Self {
        Self { by_model: Mutex::new(learned.into_iter().collect()), models_max }
    }

    /// How many names a device of this model may be asked for.
    pub(crate) fn names_max(&self, model: &Model) -> Option<usize> {
        self.lock().get(model).copied()
    }

    /// A device of this model could not tell more. One device speaks for all of its model, so it
    /// cannot make them all be asked for next to nothing.
    pub(crate) async fn learn(
        &self,
        store: &dyn Store,
        model: &Model,
        names_max: usize,
    ) -> Result<(), StoreError> {
        let names_max = names_max.max(NAMES_LEAST);
        {
            let by_model = self.lock();
            let known = by_model.get(model).copied();
            if known.is_some_and(|known| known <= names_max) {
                return Ok(());
            }
            if known.is_none() && by_model.len() >= self.models_max {
                limit_reached("models");
                return Ok(());
            }
        }
        store.learn_portion(model, names_max).await?;
        let mut by_model = self.lock();
        let least = by_model.get(model).copied().unwrap_or(usize::MAX).min(names_max);
        by_model.insert(model.clone(), least);
        drop(by_model);
        tracing::info!(
            manufacturer = model.manufacturer,
            product_class = model.product_class,
            software_version = model.software_version,
            names_max,
            "devices of this model are asked for less at once"
        );
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Model, usize>> {
        self.by_model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
