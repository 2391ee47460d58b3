//! Where in the ledger a key, or an order's latest reservation, stands.
//!
//! Only a hash and an offset are kept for each, so a million past orders fit in
//! little memory; the ledger's own line says whether a hit is the one looked
//! for.
//!
//! What the ledger held when it was opened is a sorted list, which takes less
//! memory than a map and is made faster; what came since is in a map.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher},
};

use crate::error::InventoryError;

/// From the hash of a name to the offset of its line.
///
/// Two names with the same hash stand one after the other: the second is found
/// under the next free number.
#[derive(Debug, Default)]
pub(crate) struct Index {
    past: Sorted,
    /// Goes before what stands under the same number in `past`.
    recent: HashMap<u64, u64, BuildHasherDefault<AsIs>>,
}

/// What looking up a name came to.
pub(crate) enum Slot<T> {
    /// Nothing is known of it; it belongs at this number.
    Free(u64),
    /// It stands at this number; with what the line holds.
    Taken(u64, T),
}

impl Index {
    /// From the hash and the offset of each line. Of two with the same hash the
    /// later one is kept if `replaces` says so of their offsets; if not, there
    /// is no index.
    pub fn from_pairs(
        mut pairs: Vec<(u64, u64)>,
        mut replaces: impl FnMut(u64, u64) -> Result<bool, InventoryError>,
    ) -> Result<Option<Self>, InventoryError> {
        // Fast on what consists of a few sorted runs.
        pairs.sort();
        let mut all_replaced = Ok(true);
        pairs.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same && matches!(all_replaced, Ok(true)) {
                all_replaced = replaces(earlier.1, later.1);
                earlier.1 = later.1;
            }
            same
        });
        pairs.shrink_to_fit();
        Ok(all_replaced?.then(|| Self {
            past: Sorted::new(pairs),
            recent: HashMap::default(),
        }))
    }

    fn get(&self, number: u64) -> Option<u64> {
        let recent = self.recent.get(&number).copied();
        recent.or_else(|| self.past.get(number))
    }

    /// Looks for a name. `read` gives what the line at an offset holds if the
    /// line is that name's.
    pub fn find<T>(
        &self,
        name: &str,
        read: impl FnMut(u64) -> Result<Option<T>, InventoryError>,
    ) -> Result<Slot<T>, InventoryError> {
        self.find_from(hash(name), read)
    }

    fn find_from<T>(
        &self,
        mut number: u64,
        mut read: impl FnMut(u64) -> Result<Option<T>, InventoryError>,
    ) -> Result<Slot<T>, InventoryError> {
        while let Some(offset) = self.get(number) {
            if let Some(found) = read(offset)? {
                return Ok(Slot::Taken(number, found));
            }
            number = number.wrapping_add(1);
        }
        Ok(Slot::Free(number))
    }

    /// Puts an offset at a number that [`Index::find`] gave.
    pub fn set(&mut self, number: u64, offset: u64) {
        self.recent.insert(number, offset);
    }
}

/// Pairs of hash and offset by hash, with a table of where to look: halving the
/// list again and again would leave the processor's cache at each step, and a
/// change would take longer the longer the past is.
#[derive(Debug, Default)]
struct Sorted {
    pairs: Vec<(u64, u64)>,
    /// For each value of a hash's first bits, where the pairs with it start;
    /// and at last the end. Empty if there are no pairs.
    starts: Vec<usize>,
    /// The other bits of a hash.
    shift: u32,
}

impl Sorted {
    /// So many hashes have the same first bits, about.
    const TOGETHER: usize = 8;

    fn new(pairs: Vec<(u64, u64)>) -> Self {
        if pairs.is_empty() {
            return Self::default();
        }
        let bits = (pairs.len() / Self::TOGETHER).max(2).ilog2();
        let mut sorted = Self {
            starts: Vec::with_capacity((1 << bits) + 1),
            shift: u64::BITS - bits,
            pairs,
        };
        for (at, (hash, _)) in sorted.pairs.iter().enumerate() {
            let first_bits = (hash >> sorted.shift) as usize;
            while sorted.starts.len() <= first_bits {
                sorted.starts.push(at);
            }
        }
        sorted.starts.resize((1 << bits) + 1, sorted.pairs.len());
        sorted
    }

    fn get(&self, number: u64) -> Option<u64> {
        let first_bits = (number >> self.shift) as usize;
        let start = *self.starts.get(first_bits)?;
        let end = *self.starts.get(first_bits + 1)?;
        let mut together = self.pairs[start..end].iter();
        together
            .find(|(hash, _)| *hash == number)
            .map(|(_, offset)| *offset)
    }
}

/// The hash under which a name is kept.
pub(crate) fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The numbers are hashes already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only u64 are looked up");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_same_hash_are_kept_apart() {
        let lines = ["first", "second"];
        let mut index = Index::default();
        for (offset, line) in lines.iter().enumerate() {
            let slot = index.find_from(u64::MAX, |at| {
                Ok((lines[at as usize] == *line).then_some(()))
            });
            let Ok(Slot::Free(number)) = slot else {
                panic!("{line} is not there yet");
            };
            index.set(number, offset as u64);
        }
        for line in lines {
            let found = index.find_from(u64::MAX, |at| {
                Ok((lines[at as usize] == line).then_some(lines[at as usize]))
            });
            assert!(matches!(found, Ok(Slot::Taken(_, it)) if it == line));
        }
        let third = index.find_from(u64::MAX, |_| Ok(None::<()>));
        assert!(matches!(third, Ok(Slot::Free(1))));
    }

    #[test]
    fn the_later_of_two_lines_of_a_name_is_kept_if_it_may_be() {
        let pairs = vec![(7, 30), (5, 10), (7, 20), (9, 40), (7, 25)];
        let refused = Index::from_pairs(pairs.clone(), |_, later| Ok(later != 30));
        assert!(matches!(refused, Ok(None)));
        let mut replaced = Vec::new();
        let index = Index::from_pairs(pairs, |earlier, later| {
            replaced.push((earlier, later));
            Ok(true)
        });
        assert_eq!(replaced, [(20, 25), (25, 30)]);
        let mut index = index.unwrap().unwrap();
        let at = |index: &Index, number| {
            let slot = index.find_from(number, |offset| Ok(Some(offset)));
            match slot.unwrap() {
                Slot::Taken(_, offset) => Some(offset),
                Slot::Free(_) => None,
            }
        };
        let found = [5, 6, 7, 9].map(|number| at(&index, number));
        assert_eq!(found, [Some(10), None, Some(30), Some(40)]);
        index.set(7, 50);
        index.set(6, 60);
        let found = [5, 6, 7, 9].map(|number| at(&index, number));
        assert_eq!(found, [Some(10), Some(60), Some(50), Some(40)]);
    }

    #[test]
    fn every_pair_is_found_and_nothing_else() {
        for count in [0, 1, 2, 15, 16, 17, 1_000] {
            // Odd, so that no even number is among them; and both ends.
            let spread = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut pairs: Vec<_> = (0..count).map(|at| (spread(at), at)).collect();
            pairs.extend(
                [(0, count), (u64::MAX - 1, count + 1)]
                    .iter()
                    .take(count as usize),
            );
            pairs.sort_unstable();
            let sorted = Sorted::new(pairs.clone());
            for (hash, offset) in &pairs {
                assert_eq!(sorted.get(*hash), Some(*offset), "{count}");
            }
            for at in 0..count {
                assert_eq!(sorted.get(spread(at) + 1), None, "{count}");
            }
            assert_eq!(sorted.get(2), None, "{count}");
        }
    }
}
