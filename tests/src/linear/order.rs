//! Giving each call its earliest moment.

use super::{Fault, Kind, Operation, fault};

/// An append that is stored: from when on, and until when, it can have taken effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub(super) begun: u64,
    /// [`u64::MAX`] where nobody was told.
    pub(super) ended: u64,
    /// The operations that say so.
    pub(super) beginner: usize,
    pub(super) ender: usize,
}

/// Where an answer that changes nothing stands among the writes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) after: Option<usize>,
    pub(super) before: Option<usize>,
}

/// The writes in their order, with the looks between them.
pub(super) struct Order<'a> {
    operations: &'a [Operation],
    writes: Vec<Write>,
    /// Behind each write, and at the start: the operations that look there, and the write that they
    /// must come before.
    looks: Vec<Vec<(usize, Option<usize>)>>,
    count: usize,
}

/// A moment, and the operation for which it is not earlier.
type Moment = (u64, usize);

impl<'a> Order<'a> {
    pub(super) fn new(operations: &'a [Operation], writes: Vec<Write>) -> Self {
        Self {
            operations,
            looks: vec![Vec::new(); writes.len() + 1],
            writes,
            count: 0,
        }
    }

    pub(super) fn look(&mut self, operation: usize, look: Look) {
        let behind = look.after.map_or(0, |write| write + 1);
        self.looks[behind].push((operation, look.before));
        self.count += 1;
    }

    pub(super) fn writes(&self) -> &[Write] {
        &self.writes
    }

    pub(super) fn looks(&self) -> usize {
        self.count
    }

    /// Goes through the writes and gives each call the earliest moment that is left to it.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let mut now: Moment = (0, 0);
        // The earliest moment of each write, as far as looks before it tell.
        let mut earliest: Vec<Moment> = self
            .writes
            .iter()
            .map(|write| (write.begun, write.beginner))
            .collect();
        for behind in 0..=self.writes.len() {
            if let Some(write) = behind.checked_sub(1) {
                now = now.max(earliest[write]);
                if now.0 > self.writes[write].ended {
                    return self.out_of_order(self.writes[write].ender, now);
                }
            }
            for (operation, before) in &self.looks[behind] {
                let looked = &self.operations[*operation];
                let moment = now.max((looked.begun, *operation));
                if moment.0 > looked.ended {
                    return self.out_of_order(*operation, moment);
                }
                match before {
                    Some(write) if *write < behind => {
                        return self.out_of_order(*operation, moment);
                    }
                    Some(write) => earliest[*write] = earliest[*write].max(moment),
                    None => {}
                }
            }
        }
        Ok(())
    }

    fn out_of_order(&self, operation: usize, (_, cause): Moment) -> Result<(), Fault> {
        let [operation, cause] = [operation, cause].map(|at| &self.operations[at]);
        fault(
            Kind::Order,
            format_args!(
                "`{operation}` was answered before `{cause}` began, and must have come after it"
            ),
        )
    }
}
