//! One file for each demo. Each sets up what it needs, tells its story, and checks its own ending.
//!
//! `checks`, `fate` and `storm` are what several of them share.

pub mod approval;
pub mod cancel;
pub mod change_address;
pub mod change_code;
pub mod chaos;
pub mod checks;
pub mod declined_card;
pub mod deploy;
pub mod duplicate_order;
pub mod errors;
pub mod fate;
pub mod first_order;
pub mod fix_a_bug;
pub mod kill_worker;
pub mod order;
pub mod payment_down;
pub mod progress;
pub mod recurring_order;
pub mod several_items;
pub mod several_machines;
pub mod storm;
pub mod without_temporal;
