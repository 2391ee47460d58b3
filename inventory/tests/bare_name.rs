//! A file in the folder where the program runs. Alone in its process, for it moves there.

use std::time::SystemTime;

use inventory::{Inventory, Placement, Reservation};
use orders::Item;

#[test]
fn a_bare_file_name_is_in_the_current_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::env::set_current_dir(folder.path()).unwrap();
    let inventory = Inventory::open("inventory.json", SystemTime::now).unwrap();
    let reserved = inventory
        .reserve(&Placement::new("order-1", "run"), &[Item::new("123456", 1)])
        .unwrap();
    assert!(matches!(reserved, Reservation::Reserved { .. }));
    assert!(folder.path().join("ledger.jsonl").exists());
}
