//! Reads the device's objects with as few requests as it can answer.

use trellis_plugin::{Cpe, Error, Result, Values, fault};

use crate::model::leads_to;
use crate::provision::KEPT_MAX;

/// How many names a request has for a device that cannot answer larger ones.
const NAMES_MAX: usize = 16;

/// How deep below an object such a device is followed.
const DEPTH_MAX: usize = 6;

/// How many questions such a device is asked for the names below its objects.
const QUESTIONS_MAX: usize = 128;

/// What a reading gave.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) values: Values,
    /// The paths that the device answered: asked for together, they save the detours next time.
    pub(crate) paths: Vec<String>,
    /// The objects that are too much for it.
    pub(crate) narrowed: Vec<String>,
}

/// Reads `paths`. What the device does not have is left out; where an object is too much for it,
/// only what leads to one of the patterns `kept` (below the root) is read.
pub(crate) fn read(
    cpe: &mut Cpe,
    root: &str,
    paths: Vec<String>,
    kept: &[&str],
) -> Result<Reading> {
    let code = match cpe.get_many(paths.iter().cloned()) {
        Ok(values) => return Ok(Reading { values, paths, ..Reading::default() }),
        Err(Error::Fault(fault)) => fault.code,
        Err(error) => return Err(error),
    };
    let mut paths = paths;
    if code == fault::INVALID_PARAMETER_NAME {
        let asked = paths.len();
        retain_existing(cpe, root, &mut paths)?;
        if paths.is_empty() {
            return Ok(Reading::default());
        }
        if paths.len() < asked
            && let Some(values) = answered(cpe.get_many(paths.iter().cloned()))?
        {
            return Ok(Reading { values, paths, ..Reading::default() });
        }
    }
    one_by_one(cpe, root, paths, kept)
}

/// Drops the paths whose first object the device does not have.
fn retain_existing(cpe: &mut Cpe, root: &str, paths: &mut Vec<String>) -> Result<()> {
    if let Some(top) = answered(cpe.names(root))? {
        paths.retain(|path| top.iter().any(|object| path.starts_with(&object.name)));
    }
    Ok(())
}

fn one_by_one(cpe: &mut Cpe, root: &str, paths: Vec<String>, kept: &[&str]) -> Result<Reading> {
    let mut reading = Reading::default();
    for path in paths {
        match cpe.get_many([path.as_str()]) {
            Ok(values) => {
                reading.values.extend(values);
                reading.paths.push(path);
            }
            Err(Error::Fault(fault)) if fault.code == fault::INVALID_PARAMETER_NAME => {}
            Err(Error::Fault(_)) if path.ends_with('.') => reading.narrowed.push(path),
            Err(Error::Fault(_)) => {}
            Err(error) => return Err(error),
        }
    }
    reading.values.extend(read_narrowed(cpe, root, &reading.narrowed, kept)?);
    Ok(reading)
}

/// Reads of objects that are too much for the device what leads to one of the patterns.
pub(crate) fn read_narrowed(
    cpe: &mut Cpe,
    root: &str,
    objects: &[String],
    kept: &[&str],
) -> Result<Values> {
    let mut search = Search { root, kept, questions: 0, names: Vec::new() };
    for object in objects {
        search.below(cpe, object, DEPTH_MAX)?;
    }
    let mut values = Values::default();
    for names in search.names.chunks(NAMES_MAX) {
        values.extend(answered(cpe.get_many(names))?.unwrap_or_default());
    }
    Ok(values)
}

/// A search for the names that are worth reading, level by level.
struct Search<'a> {
    root: &'a str,
    kept: &'a [&'a str],
    questions: usize,
    names: Vec<String>,
}

impl Search<'_> {
    fn below(&mut self, cpe: &mut Cpe, object: &str, depth: usize) -> Result<()> {
        let Some(next) = depth.checked_sub(1) else { return Ok(()) };
        self.questions += 1;
        for below in answered(cpe.names(object))?.unwrap_or_default() {
            if self.names.len() >= KEPT_MAX || self.questions >= QUESTIONS_MAX {
                // There is enough to be kept.
                return Ok(());
            }
            let name = below.name.strip_prefix(self.root).unwrap_or_default();
            let node = name.strip_suffix('.').unwrap_or(name);
            if !self.kept.iter().any(|pattern| leads_to(pattern, node)) {
                continue;
            }
            if name.ends_with('.') {
                self.below(cpe, &below.name, next)?;
            } else {
                self.names.push(below.name);
            }
        }
        Ok(())
    }
}

/// `None` for a fault of the device: it is no reason to stop a reading.
pub(crate) fn answered<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Fault(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
