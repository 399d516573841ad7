//! What commands print: for people, or as JSON.

use std::io::{IsTerminal, Write};

use serde_json::Value;

/// Prints a value as JSON.
pub(crate) fn json(value: &Value) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?));
    Ok(())
}

fn is_harmless(c: char) -> bool {
    !c.is_control() || c == '\n' || c == '\t'
}

/// Takes control characters out of a text: devices can send what a terminal obeys.
pub(crate) fn tamed(text: &str) -> String {
    text.chars().map(|c| if is_harmless(c) { c } else { '\u{fffd}' }).collect()
}

/// Takes control characters out of the texts of a value.
pub(crate) fn tame(value: &mut Value) {
    match value {
        Value::String(text) if !text.chars().all(is_harmless) => *text = tamed(text),
        Value::Array(items) => items.iter_mut().for_each(tame),
        Value::Object(fields) => {
            if !fields.keys().all(|name| name.chars().all(is_harmless)) {
                let wild = std::mem::take(fields);
                fields.extend(wild.into_iter().map(|(name, value)| (tamed(&name), value)));
            }
            fields.values_mut().for_each(tame);
        }
        _ => {}
    }
}

/// A text of a value, or a dash.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("-")
}

/// A text as one line.
pub(crate) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// So many of something.
pub(crate) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A number of a value.
pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// Rows in columns; the first row is the head.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|it| width(it).unwrap_or_default()).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        text.push_str(&if number == 0 { bold(line) } else { line.to_owned() });
        text.push('\n');
    }
    text
}

/// Bold on a terminal.
pub(crate) fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// Prints text, and does not mind when nobody reads it.
pub(crate) fn print(text: &str) {
    // A pipe that was closed is no failure of ours.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
