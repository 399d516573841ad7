//! Long lists in portions that a device can take.

use trellis_cwmp::{GetParameterValues, Message, ParameterList, cpe_fault};

use crate::arguments::{LIST_BYTES_MAX, name_len};
use crate::bindings::types;
use crate::state::{Failure, RunState};

/// Faults of a device that was asked for too much: a smaller request may succeed (TR-069 A.3.2.3,
/// A.5.1; some devices say 9002).
pub(crate) const TOO_MUCH: [u32; 2] = [cpe_fault::RESOURCES_EXCEEDED, cpe_fault::INTERNAL_ERROR];

/// Values that are read in portions.
pub(crate) struct ReadInPortions<'a> {
    /// What has yet to be asked for, the next portion last.
    open: Vec<Vec<String>>,
    /// Faults after which a portion is halved.
    halve_on: &'a [u32],
    /// The largest portion that was answered, and the smallest that was too much.
    answered: usize,
    too_much: Option<usize>,
}

impl RunState {
    /// Names to be read in portions, each of which is halved when the device answers with one of
    /// these faults.
    pub(crate) fn portions_of<'a>(
        &self,
        names: Vec<String>,
        halve_on: &'a [u32],
    ) -> ReadInPortions<'a> {
        let names_max = self.names_learned.or(self.context.portions.names_max);
        let mut open = cut(names, names_max, |name| name_len(name));
        open.reverse();
        ReadInPortions { open, halve_on, answered: 0, too_much: None }
    }

    /// Reads values, in as many requests as it takes.
    pub(crate) async fn read_values(
        &mut self,
        names: Vec<String>,
    ) -> Result<ParameterList, Failure> {
        if names.is_empty() {
            return self.read_portion(names).await;
        }
        self.check_items("names", names.len())?;
        let mut portions = self.portions_of(names, &[cpe_fault::RESOURCES_EXCEEDED]);
        let mut all: Option<ParameterList> = None;
        let mut bytes = 0_usize;
        while let Some(portion) = portions.next(self).await {
            let (_, list) = portion?;
            bytes += list.iter().map(|row| row.name.len() + row.value.len()).sum::<usize>();
            self.fits([bytes].into_iter())?;
            match &mut all {
                None => all = Some(list),
                Some(all) => list.iter().for_each(|it| all.push(it.name, it.value, it.value_type)),
            }
        }
        Ok(all.unwrap_or_default())
    }

    async fn read_portion(&mut self, names: Vec<String>) -> Result<ParameterList, Failure> {
        let request = Message::GetParameterValues(GetParameterValues { parameter_names: names });
        let list = self.ask(request, |answer| match answer {
            Message::GetParameterValuesResponse(it) => Some(it.parameter_list),
            _ => None,
        });
        list.await
    }
}

impl ReadInPortions<'_> {
    /// The next portion: what was asked, and what was answered. A portion of one name is not
    /// halved: its fault is the name's.
    pub(crate) async fn next(
        &mut self,
        state: &mut RunState,
    ) -> Option<Result<(Vec<String>, ParameterList), Failure>> {
        while let Some(mut names) = self.open.pop() {
            match state.read_portion(names.clone()).await {
                Ok(list) => {
                    self.answered = self.answered.max(names.len());
                    self.learn(state);
                    return Some(Ok((names, list)));
                }
                Err(Failure::Guest(types::Error::Fault(fault)))
                    if self.halve_on.contains(&fault.code) && names.len() > 1 =>
                {
                    if TOO_MUCH.contains(&fault.code) {
                        let least = self.too_much.map_or(names.len(), |it| it.min(names.len()));
                        self.too_much = Some(least);
                    }
                    let rest = names.split_off(names.len() / 2);
                    self.open.push(rest);
                    self.open.push(names);
                }
                Err(failure) => return Some(Err(failure)),
            }
        }
        None
    }

    /// Once every portion is answered, the largest answer is what the device can do, if more was
    /// too much.
    fn learn(&self, state: &mut RunState) {
        let is_clear = self.too_much.is_some_and(|too_much| self.answered < too_much);
        if self.open.is_empty() && is_clear {
            let known = state.names_learned.unwrap_or(usize::MAX);
            state.names_learned = Some(known.min(self.answered));
        }
    }
}

/// Cuts a list so that each part fits into one envelope, and has at most so many items.
pub(crate) fn cut<T>(
    items: Vec<T>,
    items_max: Option<usize>,
    len: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let items_max = items_max.unwrap_or(usize::MAX).max(1);
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let more = len(&item);
        match parts.last_mut() {
            Some(part) if bytes + more <= LIST_BYTES_MAX && part.len() < items_max => {
                bytes += more;
                part.push(item);
            }
            _ => {
                bytes = more;
                parts.push(vec![item]);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_so_that_each_part_fits() {
        let names: Vec<String> = (0..2_000).map(|n| format!("Device.X.{n:0200}")).collect();
        let parts = cut(names.clone(), None, |name| name_len(name));
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 2_000);
        for part in &parts {
            assert!(part.iter().map(|name| name_len(name)).sum::<usize>() <= LIST_BYTES_MAX);
        }
        let parts = cut(names, Some(7), |name| name_len(name));
        assert!(parts.iter().all(|part| part.len() <= 7));
        assert_eq!(parts.len(), 2_000_usize.div_ceil(7));
    }
}
