//! Damage is never silent. Each file is cut at every byte, and bits are flipped in it: afterwards either
//! nothing was lost, or everything is refused with the name of the file and what to do.

mod common;

use std::{fs, path::PathBuf};

use common::{PRODUCT, Shop, order, units};
use inventory::{Change, Entry, Finding, Inventory, InventoryError};

/// Orders in every state, in a ledger with a line of every kind.
async fn shop() -> Shop {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    for number in 1..=5 {
        inventory.reserve(&order(number), &units(10)).await.unwrap();
        inventory
            .record_charge(&order(number), "VISA")
            .await
            .unwrap();
        let address = Some("Rue de l'Été 1");
        inventory
            .record_shipment(&order(number), &units(10)[0], address)
            .await
            .unwrap();
    }
    inventory.restock(&order(1), PRODUCT, 0, 0).await.unwrap();
    inventory.record_recall(&order(5), PRODUCT).await.unwrap();
    inventory.record_refund(&order(5)).await.unwrap();
    inventory.release(&order(5)).await.unwrap();
    inventory.record_refund(&order(6)).await.unwrap();
    inventory.set_stock(PRODUCT, 500, "by hand").await.unwrap();
    assert!(shop.lines().len() >= 20);
    shop
}

/// What came of the damage.
#[derive(Debug, PartialEq, Eq, Clone, Copy, Hash)]
enum Outcome {
    /// Nothing was lost.
    Repaired,
    /// Nothing is done until a person has repaired it.
    Refused,
    /// A stock that was changed is a person's edit; it is in the ledger, after all the rest.
    Adjusted,
}

async fn outcome(shop: &Shop, before: &[Entry]) -> Outcome {
    let files = || [shop.path.clone(), shop.ledger()].map(|path| fs::read(path).ok());
    let damaged = files();
    match Inventory::open(&shop.location, common::now).await {
        Err(error) => {
            assert!(matches!(error, InventoryError::Damaged { .. }), "{error}");
            assert!(!error.is_permanent());
            let text = error.to_string();
            assert!(
                text.contains("inventory.json") || text.contains("ledger.jsonl"),
                "{text}"
            );
            assert!(text.contains(" and try again"), "{text}");
            assert!(text.len() < 600, "{text}");
            assert_eq!(files(), damaged, "what is refused is left as it is");
            // The audit, which reads by itself, is of the same opinion.
            let audit = shop.audit().await;
            assert!(!audit.is_clean() || audit.pending.is_some(), "{text}");
            // An order whose last lines were not read would look as if it had been left behind.
            let is_damage = |finding: &Finding| matches!(finding, Finding::Damaged { .. });
            let damaged = audit.findings.iter().any(is_damage);
            assert!(!damaged || audit.orders.is_empty(), "{audit:?}");
            Outcome::Refused
        }
        Ok(inventory) => {
            let after = inventory.ledger(0, usize::MAX).await.unwrap();
            assert_eq!(after[..before.len()], *before, "something was lost");
            let charged = inventory.record_charge(&order(1), "VISA").await.unwrap();
            assert!(charged.already, "a finished order happened again");
            shop.assert_clean().await;
            let new = &after[before.len()..];
            assert!(
                new.iter().all(|entry| entry.change == Change::Adjusted),
                "{new:?}"
            );
            if new.is_empty() {
                Outcome::Repaired
            } else {
                Outcome::Adjusted
            }
        }
    }
}

/// Damages one of the files in many ways, and counts the outcomes.
async fn damage(
    path: impl Fn(&Shop) -> PathBuf,
    damages: impl Fn(&[u8]) -> Vec<Vec<u8>>,
) -> std::collections::HashMap<Outcome, usize> {
    let shop = shop().await;
    let before = shop.open().await.ledger(0, usize::MAX).await.unwrap();
    let whole = [shop.path.clone(), shop.ledger()].map(|path| (fs::read(&path).unwrap(), path));
    let path = path(&shop);
    let mut outcomes = std::collections::HashMap::new();
    for damaged in damages(&fs::read(&path).unwrap()) {
        for (text, path) in &whole {
            fs::write(path, text).unwrap();
        }
        fs::write(&path, &damaged).unwrap();
        *outcomes.entry(outcome(&shop, &before).await).or_default() += 1;
    }
    outcomes
}

fn cuts(whole: &[u8]) -> Vec<Vec<u8>> {
    (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect()
}

/// 2,000 bits at places that differ from run to run of the file's length only.
fn flips(whole: &[u8]) -> Vec<Vec<u8>> {
    let bits = whole.len() * 8;
    let flip = |number: usize| {
        let bit = number * 7_919 % bits;
        let mut flipped = whole.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    };
    (0..bits.min(2_000)).map(flip).collect()
}

#[tokio::test]
async fn a_ledger_cut_at_any_byte_is_refused() {
    let outcomes = damage(Shop::ledger, cuts).await;
    assert_eq!(
        outcomes.keys().collect::<Vec<_>>(),
        [&Outcome::Refused],
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_flipped_bit_in_the_ledger_is_refused() {
    let outcomes = damage(Shop::ledger, flips).await;
    assert_eq!(
        outcomes.keys().collect::<Vec<_>>(),
        [&Outcome::Refused],
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn an_inventory_file_cut_at_any_byte_is_refused_or_repaired() {
    let outcomes = damage(|shop| shop.path.clone(), cuts).await;
    assert_eq!(outcomes.get(&Outcome::Adjusted), None, "{outcomes:?}");
    // Without its last line break it is whole.
    assert_eq!(outcomes[&Outcome::Repaired], 1, "{outcomes:?}");
}

#[tokio::test]
async fn a_flipped_bit_in_the_inventory_file_is_refused_repaired_or_an_edit() {
    let outcomes = damage(|shop| shop.path.clone(), flips).await;
    // A digit of the stock, and nothing else.
    assert!(outcomes[&Outcome::Adjusted] <= 3 * 8, "{outcomes:?}");
}

#[tokio::test]
async fn lost_lines_are_refused_and_so_is_a_lost_ledger() {
    let shop = shop().await;
    let before = shop.open().await.ledger(0, usize::MAX).await.unwrap();
    let whole = fs::read_to_string(shop.ledger()).unwrap();
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let without = |from: usize, to: usize| [&lines[..from], &lines[to..]].concat().concat();
    let mut damages = vec![String::new(), "\n".to_owned()];
    for number in 0..lines.len() {
        damages.push(without(number, number + 1));
        damages.push(without(number, lines.len()));
        damages.push(without(0, number + 1));
        let mut twice = lines.clone();
        twice.insert(number, lines[number]);
        damages.push(twice.concat());
        let mut swapped = lines.clone();
        swapped.swap(number, (number + 1) % lines.len());
        damages.push(swapped.concat());
    }
    for damaged in damages {
        fs::write(shop.ledger(), &damaged).unwrap();
        assert_eq!(outcome(&shop, &before).await, Outcome::Refused, "{damaged}");
    }
    // A line of another ledger has a checksum of its own, and does not follow from this one's.
    let other = Shop::empty();
    let theirs = other.open().await;
    theirs.reserve(&order(1), &units(10)).await.unwrap();
    theirs
        .record_charge(&order(1), "ANOTHER CARD")
        .await
        .unwrap();
    let foreign = other.lines()[1].clone() + "\n";
    let mut exchanged = lines.clone();
    exchanged[2] = &foreign;
    fs::write(shop.ledger(), exchanged.concat()).unwrap();
    assert_eq!(outcome(&shop, &before).await, Outcome::Refused);
    fs::remove_file(shop.ledger()).unwrap();
    let error = Inventory::open(&shop.location, common::now)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the ledger is missing") && error.contains("try again"),
        "{error}"
    );
    assert!(!shop.audit().await.is_clean());
    // Whoever has it open notices too, and also a change in what was read before.
    fs::write(shop.ledger(), &whole).unwrap();
    let inventory = shop.open().await;
    fs::write(shop.ledger(), whole.replacen("VISA", "visa", 1)).unwrap();
    let error = inventory.reserve(&order(9), &units(1)).await.unwrap_err();
    assert!(
        error.to_string().contains("ledger.jsonl, line 3"),
        "{error}"
    );
    fs::write(shop.ledger(), &whole).unwrap();
    let inventory = shop.open().await;
    fs::write(shop.ledger(), without(lines.len() - 2, lines.len())).unwrap();
    let error = inventory
        .reserve(&order(9), &units(1))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("its last lines are missing"), "{error}");
    fs::write(shop.ledger(), &whole).unwrap();
    inventory.reserve(&order(9), &units(1)).await.unwrap();
    shop.assert_clean().await;
}
