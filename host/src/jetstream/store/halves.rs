//! A bounded memory of what was used last.

use std::collections::HashMap;

use cim_core::id::AggregateKey;

/// Values by aggregate, of a bounded size in all.
///
/// When the young half is full it becomes the old one, and the old one is forgotten; what is used
/// of the old moves to the young.
#[derive(Debug)]
pub(super) struct Halves<V> {
    young: HashMap<AggregateKey, Sized<V>>,
    old: HashMap<AggregateKey, Sized<V>>,
    /// The size of the young half.
    size: usize,
    size_max: usize,
}

#[derive(Debug)]
struct Sized<V> {
    value: V,
    size: usize,
}

impl<V> Halves<V> {
    /// Of at most `size_max` each, in whatever unit [`put`](Self::put) counts.
    pub(super) fn new(size_max: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            size: 0,
            size_max,
        }
    }

    pub(super) fn get(&mut self, aggregate: &AggregateKey) -> Option<&V> {
        if !self.young.contains_key(aggregate) {
            let (aggregate, found) = self.old.remove_entry(aggregate)?;
            self.put(aggregate, found.value, found.size);
        }
        Some(&self.young.get(aggregate)?.value)
    }

    pub(super) fn put(&mut self, aggregate: AggregateKey, value: V, size: usize) {
        self.remove(&aggregate);
        if self.size + size > self.size_max {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += size;
        self.young.insert(aggregate, Sized { value, size });
    }

    pub(super) fn remove(&mut self, aggregate: &AggregateKey) {
        if let Some(found) = self.young.remove(aggregate) {
            self.size -= found.size;
        }
        self.old.remove(aggregate);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.size_max);
    }

    /// How many values are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> AggregateKey {
        format!("o.u.d.key.k{number}").parse().expect("a key")
    }

    #[test]
    fn what_is_used_stays_and_the_size_is_bounded() {
        let mut halves = Halves::new(100);
        for number in 0..300 {
            halves.put(key(number), number, 10);
            assert_eq!(halves.get(&key(0)), Some(&0));
            assert!(halves.len() <= 20);
        }
        assert_eq!(halves.get(&key(1)), None);
        assert_eq!(halves.get(&key(299)), Some(&299));
    }

    #[test]
    fn a_value_takes_the_place_of_another_of_its_key() {
        let mut halves = Halves::new(100);
        for number in 0..300 {
            halves.put(key(0), number, 60);
        }
        assert_eq!((halves.size, halves.len()), (60, 1));
        assert_eq!(halves.get(&key(0)), Some(&299));
        halves.remove(&key(0));
        assert_eq!((halves.size, halves.len()), (0, 0));
        assert_eq!(halves.get(&key(0)), None);
    }
}
