//! Where in the ledger a key, or an order's latest reservation, stands.
//!
//! Only a hash and an offset are kept for each, so a million past orders fit in
//! little memory; the ledger's own line says whether a hit is the one looked
//! for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use crate::error::InventoryError;

/// From the hash of a name to the offset of its line.
///
/// Two names with the same hash stand one after the other: the second is found
/// under the next free number.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: HashMap<u64, u64, BuildHasherDefault<AsIs>>,
}

/// What looking up a name came to.
pub(crate) enum Slot<T> {
    /// Nothing is known of it; it belongs at this number.
    Free(u64),
    /// It stands at this number; with what the line holds.
    Taken(u64, T),
}

impl Index {
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
        while let Some(&offset) = self.slots.get(&number) {
            if let Some(found) = read(offset)? {
                return Ok(Slot::Taken(number, found));
            }
            number = number.wrapping_add(1);
        }
        Ok(Slot::Free(number))
    }

    /// Puts an offset at a number that [`Index::find`] gave.
    pub fn set(&mut self, number: u64, offset: u64) {
        self.slots.insert(number, offset);
    }
}

fn hash(name: &str) -> u64 {
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
}
