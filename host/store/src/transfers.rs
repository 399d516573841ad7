//! A device's transfers: which report ends which.

use crate::records::{Transfer, TransferEnd, TransferOutcome};

/// A row and what is in it.
pub(crate) type Row = (Vec<u8>, Transfer);

/// What is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) changed: Vec<Row>,
    pub(crate) added: Vec<Transfer>,
    pub(crate) dropped: Vec<Vec<u8>>,
}

/// Merges what a session tells into what is known. A transfer that begins is added; one that ends
/// takes the place of the oldest open one of its key; a report that is repeated changes nothing.
pub(crate) fn merge(
    known: Vec<Row>,
    told: Vec<Transfer>,
    now_ms: i64,
    history_max: usize,
) -> Merged {
    let mut merged = Merged::default();
    let known = known.into_iter().map(|(row, transfer)| (row, transfer.at(now_ms)));
    let mut known: Vec<Row> = known.collect();
    for transfer in told {
        let begins = |it: &Transfer| {
            it.is_awaited() && it.command_key == transfer.command_key && transfer.is_report()
        };
        let repeats = |it: &Transfer| repeats(it, &transfer);
        if transfer.is_open() {
            merged.added.push(transfer);
        } else if let Some((row, open)) = awaited(&mut known, begins) {
            open.end = transfer.end;
            merged.changed.push((row.clone(), open.clone()));
        } else if let Some(open) = merged.added.iter_mut().find(|it| begins(it)) {
            open.end = transfer.end;
        } else if !known.iter().map(|(_, it)| it).chain(&merged.added).any(repeats)
            && transfer.end.as_ref().is_none_or(|end| end.outcome != TransferOutcome::Cancelled)
        {
            merged.added.push(transfer);
        }
    }
    // Those that have ended go first: an open one is yet to be told of its end.
    known.sort_by_key(|(_, transfer)| transfer.is_open());
    let surplus = (known.len() + merged.added.len()).saturating_sub(history_max);
    merged.dropped = known.into_iter().take(surplus).map(|(row, _)| row).collect();
    merged.changed.retain(|(row, _)| !merged.dropped.contains(row));
    merged
}

/// The oldest that is open; else the oldest that has expired, whose end comes late.
fn awaited(known: &mut [Row], begins: impl Fn(&Transfer) -> bool) -> Option<&mut Row> {
    let open = known.iter().position(|(_, it)| it.is_open() && begins(it));
    let position = open.or_else(|| known.iter().position(|(_, it)| begins(it)))?;
    known.get_mut(position)
}

fn repeats(known: &Transfer, told: &Transfer) -> bool {
    let same = |known: &TransferEnd, told: &TransferEnd| {
        known.outcome == told.outcome && known.complete_time == told.complete_time
    };
    let ends = known.end.as_ref().zip(told.end.as_ref());
    known.command_key == told.command_key
        && known.is_autonomous() == told.is_autonomous()
        && known.file_type == told.file_type_or(&known.file_type)
        && ends.is_some_and(|(known, told)| same(known, told))
}

impl Transfer {
    /// Whether it tells the end of one that was begun before: a TransferComplete, which says no
    /// method, or a transfer that was cancelled. A request that is done or refused at once has
    /// ended no other one of its key.
    fn is_report(&self) -> bool {
        self.method.is_empty() || self.method == "CancelTransfer"
    }

    /// Whether its end may yet be told.
    fn is_awaited(&self) -> bool {
        self.end.as_ref().is_none_or(|end| end.outcome == TransferOutcome::Expired)
    }

    /// A TransferComplete does not say the type of its file.
    fn file_type_or<'a>(&'a self, other: &'a str) -> &'a str {
        if self.file_type.is_empty() { other } else { &self.file_type }
    }

    /// What it has become by `now_ms`: one that was not heard of in time has expired.
    pub(crate) fn at(mut self, now_ms: i64) -> Self {
        if self.is_open() && now_ms > self.expires_ms {
            self.end = Some(TransferEnd {
                at_ms: self.expires_ms.max(self.requested_ms),
                outcome: TransferOutcome::Expired,
                software_version: String::new(),
                complete_time: String::new(),
            });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(command_key: &str) -> Transfer {
        Transfer {
            command_key: command_key.to_owned(),
            method: "Download".to_owned(),
            file_type: "1 Firmware Upgrade Image".to_owned(),
            software_version: "1.0".to_owned(),
            requested_ms: 1,
            expires_ms: 100,
            end: None,
        }
    }

    fn ended(command_key: &str, complete_time: &str) -> Transfer {
        let end = TransferEnd {
            at_ms: 2,
            outcome: TransferOutcome::Done,
            software_version: "2.0".to_owned(),
            complete_time: complete_time.to_owned(),
        };
        Transfer { end: Some(end), method: String::new(), ..open(command_key) }
    }

    /// One that was begun and has ended.
    fn done(command_key: &str, complete_time: &str) -> Transfer {
        Transfer { end: ended(command_key, complete_time).end, ..open(command_key) }
    }

    fn row(number: u8, transfer: Transfer) -> Row {
        (vec![number], transfer)
    }

    #[test]
    fn an_end_takes_the_place_of_the_oldest_open_one_of_its_key() {
        let known = vec![row(1, open("a")), row(2, open("b")), row(3, open("a"))];
        let merged = merge(known, vec![ended("a", "t")], 50, 9);
        assert_eq!(merged.changed, [row(1, done("a", "t"))]);
        assert!(merged.added.is_empty() && merged.dropped.is_empty());
    }

    #[test]
    fn an_end_that_comes_late_takes_the_place_of_the_one_that_expired() {
        let known = vec![row(1, open("a").at(101)), row(2, open("a"))];
        let merged = merge(known, vec![ended("a", "t"), ended("a", "u")], 50, 9);
        assert_eq!(merged.changed, [row(2, done("a", "t")), row(1, done("a", "u"))]);
    }

    #[test]
    fn a_begin_and_its_end_in_one_step_are_one() {
        let merged = merge(Vec::new(), vec![open("a"), ended("a", "t")], 50, 9);
        assert_eq!(merged.added, [done("a", "t")]);
    }

    #[test]
    fn a_report_that_is_repeated_changes_nothing_and_a_new_one_of_the_same_key_is_added() {
        let known = vec![row(1, ended("a", "t"))];
        assert_eq!(merge(known.clone(), vec![ended("a", "t")], 50, 9), Merged::default());
        assert_eq!(merge(known, vec![ended("a", "u")], 50, 9).added.len(), 1);
    }

    #[test]
    fn a_request_that_is_done_at_once_ends_no_other_one_of_its_key() {
        let known = vec![row(1, open("a"))];
        let merged = merge(known, vec![done("a", "t")], 50, 9);
        assert!(merged.changed.is_empty());
        assert_eq!(merged.added, [done("a", "t")]);
    }

    #[test]
    fn open_transfers_outlive_ended_ones() {
        let known = vec![row(1, open("a")), row(2, ended("b", "t"))];
        assert_eq!(merge(known, vec![open("c")], 50, 2).dropped, [vec![2]]);
    }

    #[test]
    fn what_is_not_heard_of_in_time_has_expired() {
        assert!(open("a").at(100).is_open());
        let expired = open("a").at(101).end.map(|end| end.outcome);
        assert_eq!(expired, Some(TransferOutcome::Expired));
    }
}
