//! What devices want, where they contradict each other: one table, by model.

use trellis_cwmp::{Booleans, Style};
use trellis_plugin_host::{CompiledMatcher, Portions, Traits};

/// How a device wants to be spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// How messages are written.
    pub(crate) style: Style,
    /// How much may be asked at once.
    pub(crate) portions: Portions,
    /// Whether the empty answer that ends the session has status 200 in place of 204.
    pub(crate) ends_with_200: bool,
}

/// One row of the table: what is given holds for the devices that match.
#[derive(Clone, Debug)]
pub struct Quirk {
    /// The devices.
    pub devices: CompiledMatcher,
    /// Whether the empty answer that ends a session has status 200 in place of 204.
    pub ends_with_200: Option<bool>,
    /// How booleans are spelt.
    pub booleans: Option<Booleans>,
    /// Whether messages begin with an XML declaration.
    pub declaration: Option<bool>,
    /// Whether an element without content is one tag in place of two.
    pub self_closing: Option<bool>,
    /// Whether names are asked for level by level only.
    pub names_by_level: Option<bool>,
    /// Names in one GetParameterValues.
    pub names_max: Option<usize>,
    /// Values in one SetParameterValues that the host splits.
    pub values_max: Option<usize>,
}

impl Habits {
    /// What the table says of a device. A later row goes before an earlier one.
    pub(crate) fn of(table: &[Quirk], traits: &Traits<'_>) -> Self {
        let mut habits = Self::default();
        for row in table.iter().filter(|row| row.devices.matches(traits).is_some()) {
            let Self { style, portions, ends_with_200 } = &mut habits;
            take(&mut style.booleans, row.booleans);
            take(&mut style.declaration, row.declaration);
            take(&mut style.self_closing, row.self_closing);
            take(&mut portions.by_level, row.names_by_level);
            take(ends_with_200, row.ends_with_200);
            portions.names_max = row.names_max.or(portions.names_max);
            portions.values_max = row.values_max.or(portions.values_max);
        }
        habits
    }
}

fn take<T: Copy>(habit: &mut T, told: Option<T>) {
    *habit = told.unwrap_or(*habit);
}
