//! `memory` and `deadlines`: what lasts from one session to the next.

use crate::bindings::{deadlines, memory};
use crate::fault::{FaultKind, limit_reached};
use crate::hook::Reach;
use crate::host::check_name;
use crate::recording::Call;
use crate::state::RunState;

type Answer<T> = wasmtime::Result<T>;

impl memory::Host for RunState {
    fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.looked_at("memory.get");
        Ok(self.context.notes.memory.get(&key).cloned())
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Answer<Result<(), String>> {
        self.looked_at("memory.set");
        Ok(self.remember(key, value))
    }

    fn delete(&mut self, key: String) -> Answer<()> {
        self.looked_at("memory.delete");
        if self.reach != Reach::AtInform
            && let Some(value) = self.context.notes.memory.remove(&key)
        {
            self.memory_bytes = self.memory_bytes.saturating_sub(key.len() + value.len());
            self.notes_changed = true;
            self.secrets.replaced(&key, &value, &[]);
            self.recorder.note(key.len(), || Call::Memory(key, None));
        }
        Ok(())
    }

    fn keys(&mut self) -> Answer<Vec<String>> {
        self.looked_at("memory.keys");
        Ok(self.context.notes.memory.keys().cloned().collect())
    }
}

impl deadlines::Host for RunState {
    fn set(&mut self, name: String, at: u64) -> Answer<Result<(), String>> {
        self.looked_at("deadlines.set");
        Ok(self.set_deadline(name, at))
    }

    fn clear(&mut self, name: String) -> Answer<()> {
        self.looked_at("deadlines.clear");
        if self.reach != Reach::AtInform {
            self.notes_changed |= self.context.notes.deadlines.remove(&name).is_some();
            self.recorder.note(name.len(), || Call::Deadline(name, None));
        }
        Ok(())
    }

    fn pending(&mut self) -> Answer<Vec<(String, u64)>> {
        self.looked_at("deadlines.pending");
        let deadlines = self.context.notes.deadlines.iter();
        Ok(deadlines.map(|(name, at)| (name.clone(), *at)).collect())
    }
}

/// How far ahead a deadline is at least that a plugin sets when it is woken, in seconds; a nearer one
/// is put off until then.
const WOKEN_AGAIN_MIN: u64 = 10;

impl RunState {
    fn may_note(&self) -> Result<(), String> {
        if self.reach == Reach::AtInform {
            return Err("the device has yet to be let in: nothing can be kept".to_owned());
        }
        Ok(())
    }

    fn remember(&mut self, key: String, value: Vec<u8>) -> Result<(), String> {
        check_name("the key", &key)?;
        self.may_note()?;
        let noted = key.len() + value.len();
        let replaced = self.context.notes.memory.get(&key);
        if replaced == Some(&value) {
            // It changes nothing, and is recorded: in a replay, where what is kept has its secrets
            // masked, it would be news.
            self.recorder.note(noted, || Call::Memory(key, Some(value)));
            return Ok(());
        }
        let replaced = replaced.map_or(0, |value| key.len() + value.len());
        let bytes = self.memory_bytes.saturating_sub(replaced) + key.len() + value.len();
        let limit = self.limits.memory_store_bytes;
        if bytes > limit {
            limit_reached("plugin_memory_store");
            let why = format!("the memory would hold {bytes} bytes; the limit is {limit}");
            self.overrun(FaultKind::MemoryStore, why.clone());
            return Err(why);
        }
        self.recorder.note(noted, || Call::Memory(key.clone(), Some(value.clone())));
        let replaced = self.context.notes.memory.remove(&key);
        self.secrets.replaced(&key, &replaced.unwrap_or_default(), &value);
        self.context.notes.memory.insert(key, value);
        self.memory_bytes = bytes;
        self.notes_changed = true;
        Ok(())
    }

    fn set_deadline(&mut self, name: String, at: u64) -> Result<(), String> {
        check_name("the name of the deadline", &name)?;
        self.may_note()?;
        if !self.has_expiry {
            return Err("the plugin does not export expiry: it cannot be woken".to_owned());
        }
        // Not for the same moment, without end.
        let soonest = self.context.now_seconds.saturating_add(WOKEN_AGAIN_MIN);
        let at = if self.reach == Reach::Nobody { at.max(soonest) } else { at };
        let deadlines = &mut self.context.notes.deadlines;
        let limit = self.limits.deadlines;
        if deadlines.len() >= limit && !deadlines.contains_key(&name) {
            limit_reached("plugin_deadlines");
            return Err(format!("one device can have {limit} deadlines of a plugin"));
        }
        self.notes_changed |= deadlines.insert(name.clone(), at) != Some(at);
        self.recorder.note(name.len(), || Call::Deadline(name, Some(at)));
        Ok(())
    }
}
