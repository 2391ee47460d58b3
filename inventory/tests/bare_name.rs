//! A file in the folder where the program runs. Alone in its process, for it moves there.

use std::time::SystemTime;

use inventory::{Inventory, Placement, Reservation};
use orders::Item;

#[tokio::test]
async fn a_bare_file_name_is_in_the_current_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::env::set_current_dir(folder.path()).unwrap();
    let location = "inventory.json".into();
    let inventory = Inventory::open(&location, SystemTime::now).await.unwrap();
    let placement = Placement::new("order-1", "run");
    let items = [Item::new("123456", 1)];
    let reserved = inventory.reserve(&placement, &items).await.unwrap();
    assert!(matches!(reserved, Reservation::Reserved { .. }));
    assert!(folder.path().join("ledger.jsonl").exists());
}
