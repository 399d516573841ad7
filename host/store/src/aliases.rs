//! Rows that are named by their aliases (TR-069 3.6.1): each is the row with its number.

use std::collections::HashMap;

use crate::tree::{Tree, TreeChange};

/// Where the alias of a row is, and where one stands in a path.
const ALIAS: &str = ".Alias";
const ALIAS_BEGIN: &str = ".[";

/// Aliases in one path that are looked up; the standard's paths have fewer levels.
const LEVELS_MAX: usize = 16;

/// The numbers of rows by their aliases. They are gathered when the first one is met: most devices
/// name no row so.
#[derive(Default)]
pub(crate) struct Aliases(Option<HashMap<String, u32>>);

impl Aliases {
    /// The change with the numbers of rows in place of their aliases, as far as they are known. What
    /// was known of a row by its alias becomes the row's when the alias is told.
    pub(crate) fn resolve(&mut self, tree: &mut Tree, mut change: TreeChange) -> TreeChange {
        match &mut change {
            TreeChange::Value { name, value, .. } => {
                self.number(tree, name);
                self.take_over(tree, name, value);
            }
            TreeChange::Name { name, .. }
            | TreeChange::Notification { name, .. }
            | TreeChange::Removed { path: name } => self.number(tree, name),
            TreeChange::Only { path, names } => {
                self.number(tree, path);
                if names.iter().any(|name| name.contains(ALIAS_BEGIN)) {
                    let numbered = std::mem::take(names).into_iter().map(|mut name| {
                        self.number(tree, &mut name);
                        name
                    });
                    *names = numbered.collect();
                }
            }
        }
        change
    }

    fn number(&mut self, tree: &Tree, name: &mut String) {
        if !name.contains(ALIAS_BEGIN) {
            return;
        }
        let known = self.0.get_or_insert_with(|| gather(tree));
        let mut numbered = String::with_capacity(name.len());
        let mut rest = name.as_str();
        for _ in 0..LEVELS_MAX {
            let Some((table, row)) = rest.split_once(ALIAS_BEGIN) else { break };
            let Some((alias, after)) = row.split_once(']') else { break };
            numbered.push_str(table);
            numbered.push('.');
            match known.get(&format!("{numbered}[{alias}]")) {
                Some(number) => numbered.push_str(&number.to_string()),
                None => {
                    numbered.push('[');
                    numbered.push_str(alias);
                    numbered.push(']');
                }
            }
            rest = after;
        }
        numbered.push_str(rest);
        *name = numbered;
    }

    /// Takes note of a row's alias.
    fn take_over(&mut self, tree: &mut Tree, name: &str, alias: &str) {
        let Some(row) = name.strip_suffix(ALIAS) else { return };
        let Some((table, number)) = row.rsplit_once('.') else { return };
        let Ok(number) = number.parse::<u32>() else { return };
        if alias.is_empty() {
            return;
        }
        let aliased = format!("{table}.[{alias}]");
        let prefix = format!("{aliased}.");
        if let Some(known) = &mut self.0 {
            known.insert(aliased, number);
        }
        let below =
            tree.0.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix));
        let names: Vec<String> = below.map(|(name, _)| name.clone()).collect();
        for name in names {
            if let (Some(entry), Some(rest)) = (tree.0.remove(&name), name.get(prefix.len()..)) {
                tree.0.entry(format!("{row}.{rest}")).or_insert(entry);
            }
        }
    }
}

fn gather(tree: &Tree) -> HashMap<String, u32> {
    let aliases = tree.0.iter().filter_map(|(name, entry)| {
        let (table, number) = name.strip_suffix(ALIAS)?.rsplit_once('.')?;
        let alias = entry.value.as_deref().filter(|alias| !alias.is_empty())?;
        Some((format!("{table}.[{alias}]"), number.parse().ok()?))
    });
    aliases.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, value: &str) -> TreeChange {
        TreeChange::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            value_type: "string".to_owned(),
            at_ms: 1,
        }
    }

    fn apply(tree: &mut Tree, aliases: &mut Aliases, change: TreeChange) {
        let change = aliases.resolve(tree, change);
        tree.apply(change);
    }

    #[test]
    fn a_row_that_is_named_by_its_alias_is_the_one_with_that_number() {
        let (mut tree, mut aliases) = (Tree::default(), Aliases::default());
        // Before the alias is known, and after.
        for (name, text) in [
            ("Device.A.[x.1].B.[y].C", "one"),
            ("Device.A.7.Alias", "x.1"),
            ("Device.A.[x.1].B.2.Alias", "y"),
            ("Device.A.[x.1].B.[y].D", "two"),
            ("Device.A.[z].D", "three"),
        ] {
            apply(&mut tree, &mut aliases, value(name, text));
        }
        let names: Vec<&str> = tree.0.keys().map(String::as_str).collect();
        let wanted = [
            "Device.A.7.Alias",
            "Device.A.7.B.2.Alias",
            "Device.A.7.B.2.C",
            "Device.A.7.B.2.D",
            "Device.A.[z].D",
        ];
        assert_eq!(names, wanted);
        // What a later session knows.
        let mut aliases = Aliases::default();
        let removed = TreeChange::Removed { path: "Device.A.[x.1].".to_owned() };
        apply(&mut tree, &mut aliases, removed);
        assert_eq!(tree.0.len(), 1);
    }

    #[test]
    fn what_is_no_alias_stays_as_it_is() {
        let (mut tree, mut aliases) = (Tree::default(), Aliases::default());
        let deep = format!("Device{}.X", ".[a]".repeat(40));
        for name in ["Device.A.[open", "Device.A.[].B", "Device.A.[[x]].B", deep.as_str()] {
            apply(&mut tree, &mut aliases, value(name, "1"));
            assert!(tree.0.contains_key(name), "{name}");
        }
    }
}
