//! A connection to the database that breaks as a change is committed: whether the change was made or not,
//! the retry finds out.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use common::{Store, assert_clean, now, order, postgres, units};
use inventory::{Change, Inventory, InventoryError, Location};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The end of a query, and of the answer to it, in PostgreSQL's protocol.
const COMMIT: &[u8] = b"commit\0";
const COMMITTED: &[u8] = b"COMMIT\0";

/// What breaks the connection.
#[derive(Clone, Copy, PartialEq)]
enum Lost {
    Request,
    Answer,
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|it| it == part)
}

/// Passes on what a client and the database say, until the client commits while `broken` is set: then one
/// of the two never hears of the other again.
async fn pass(mut client: TcpStream, lost: Lost, broken: Arc<AtomicBool>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(postgres().address()).await?;
    let (mut asked, mut answered) = ([0; 65_536], [0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let asked = &asked[..read?];
                if asked.is_empty() {
                    return Ok(());
                }
                let breaks = has(asked, COMMIT) && broken.swap(false, Ordering::SeqCst);
                if breaks && lost == Lost::Request {
                    return Ok(());
                }
                server.write_all(asked).await?;
                let mut answer = Vec::new();
                while breaks && !has(&answer, COMMITTED) {
                    let read = server.read(&mut answered).await?;
                    answer.extend_from_slice(&answered[..read]);
                }
                if breaks {
                    return Ok(());
                }
            }
            read = server.read(&mut answered) => client.write_all(&answered[..read?]).await?,
        }
    }
}

/// An inventory whose connection breaks at the next commit after `broken` is set.
async fn fragile(lost: Lost) -> (Location, Inventory, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(false));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let Location::Postgres(direct) = Store::postgres().location else {
        unreachable!("it is a database");
    };
    let proxy = listener.local_addr().unwrap().to_string();
    let through = direct
        .reveal()
        .replace(&postgres().address().to_string(), &proxy);
    let set = broken.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, lost, set.clone()));
        }
    });
    let through = Location::from(through.as_str());
    let inventory = Inventory::open(&through, now).await.unwrap();
    (Location::Postgres(direct), inventory, broken)
}

/// Each change of an order loses its connection once. Returns whether the retries found their changes.
async fn every_change_loses_its_connection(lost: Lost) -> Vec<bool> {
    let (location, inventory, broken) = fragile(lost).await;
    let placement = order(1);
    macro_rules! twice {
        ($change:expr) => {{
            broken.store(true, Ordering::SeqCst);
            let error = $change.await.unwrap_err();
            assert!(matches!(error, InventoryError::Database { .. }), "{error}");
            assert!(!error.is_permanent());
            assert!(!broken.load(Ordering::SeqCst), "nothing was committed");
            $change.await.unwrap()
        }};
    }
    let reserved = twice!(inventory.reserve(&placement, &units(1)));
    let charged = twice!(inventory.record_charge(&placement, "VISA"));
    let item = &units(1)[0];
    let shipped = twice!(inventory.record_shipment(&placement, item, None));
    let effects = inventory.effects(&placement.order_id).await.unwrap();
    let effects: Vec<_> = effects.iter().map(|it| it.change).collect();
    assert_eq!(
        effects,
        [Change::Reserved, Change::Charged, Change::Shipped]
    );
    assert_clean(&location).await;
    vec![
        !common::is_reserved(&reserved),
        charged.already,
        shipped.already,
    ]
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_by_its_key() {
    let found = every_change_loses_its_connection(Lost::Answer).await;
    assert_eq!(found, [true; 3]);
}

#[tokio::test]
async fn a_commit_that_never_arrives_is_made_by_the_retry() {
    let found = every_change_loses_its_connection(Lost::Request).await;
    assert_eq!(found, [false; 3]);
}
