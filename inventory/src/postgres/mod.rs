//! The store for many machines: a PostgreSQL database.
//!
//! A change is one transaction, and it is correct under `READ COMMITTED` because of three things:
//! - It first takes a lock on the order. Two submissions of an order may name different products, and a
//!   late charge may meet a refund; so the order's past stands still while a rule looks at it.
//! - It then locks the stock rows that it touches, always in the order of their IDs, so that two changes
//!   never wait for each other. A charge touches none.
//! - The key of an entry is unique. If the answer to a commit is lost, the retry finds the entry.
//!
//! What belongs together is sent together, without waiting for each answer. So a charge takes two round
//! trips, and a reservation three.

mod address;
mod tls;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use deadpool_postgres::{
    Client, ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError,
    RecyclingMethod, Runtime,
};
use futures::TryStreamExt;
use tokio_postgres::{
    Error, Row,
    types::{FromSql, Json, ToSql, Type},
};

pub use self::address::Address;
use self::address::reason;
use crate::{
    DEFAULT_PRODUCT, FIRST_ORDER, FIRST_STOCK,
    audit::Auditor,
    audit_report::Audit,
    entry::{Change, Entry},
    error::InventoryError,
    facts::{Facts, OrderPast, Rule},
    placement::{Identity, Placement, Product},
    rules,
};

const SCHEMA: &str = include_str!("schema.sql");
/// The schema that the address names is created if it does not exist.
const OWN_SCHEMA: &str = "do $$ begin if current_schema() is null then \
                          execute format('create schema %I', current_setting('search_path')); \
                          end if; end $$";
const META: &str = "select version, id from inventory_meta";
const NO_SCHEMA: &str = "there are no tables";
/// The schema that this program makes and understands.
const VERSION: i32 = 1;

/// For each connection. A client that is cut off in the middle of a change must not keep its locks: the
/// server ends a transaction that waits for its client this long.
const SESSION: &str = "set idle_in_transaction_session_timeout = '5s'; set lock_timeout = '10s'";

/// How long a new connection may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long a change may wait for a free connection, and how long it may then take. Both together are
/// below the time that an attempt at an activity has.
const CHANGING: Duration = Duration::from_secs(20);

/// The order's lock is its own: an order has no row before its first entry.
const LOCK: &str =
    "select pg_advisory_xact_lock(hashtextextended($1, 0)), nextval('inventory_seq')";
const PAST: &str = "select * from inventory_ledger where key >= $1 and key < $2 order by seq";
/// Numbers are drawn while the stock is locked, so that a product's entries are numbered in the order in
/// which they count.
const STOCK: &str = "select product, in_stock, nextval('inventory_seq') from (select product, in_stock \
                     from inventory_stock where product = any($1) order by product for update) locked";
/// Entries come as JSON, in the form that they have in `ledger.jsonl`.
const APPEND: &str = r#"with entry as (select * from jsonb_to_recordset($1) as entry (seq bigint,
    at timestamptz, "orderID" text, "productID" text, change text, quantity bigint, "inStock" integer,
    key text, confirmation text, payment text, address text, more boolean, removed boolean)),
    stocked as (insert into inventory_stock select "productID", "inStock", "orderID" from entry
    where "inStock" is not null on conflict (product) do update
    set in_stock = excluded.in_stock, order_id = excluded.order_id)
    insert into inventory_ledger select seq, at, "orderID", "productID", change, quantity, "inStock",
    key, confirmation, payment, address, coalesce(more, false), coalesce(removed, false) from entry"#;

type Value<'a> = &'a (dyn ToSql + Sync);

/// A database, with the connections to it.
pub(crate) struct Postgres {
    pool: Pool,
    shown: String,
    /// The inventory's identity, as the latest connection found it.
    id: Arc<Mutex<String>>,
    /// Whether a connection makes the schema if there is none. Whoever only reads does not.
    may_create: Arc<AtomicBool>,
}

impl Postgres {
    /// Connects when it is first used.
    pub fn at(address: &Address) -> Result<Self, InventoryError> {
        let settings = address.settings()?;
        let config = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let mut database = settings.config.clone();
        database
            .connect_timeout(CONNECTING)
            .keepalives_idle(Duration::from_secs(10))
            .tcp_user_timeout(CHANGING);
        let connector = tls::connector(&settings)?;
        let manager = Manager::from_config(database, connector, config);
        let id = Arc::new(Mutex::new(String::new()));
        let may_create = Arc::new(AtomicBool::new(false));
        let shared = (id.clone(), may_create.clone());
        let prepare = Hook::async_fn(move |client, _| {
            let (found, may_create) = shared.clone();
            Box::pin(async move {
                let id = prepare(client, may_create.load(Ordering::Relaxed)).await?;
                *found.lock().unwrap_or_else(PoisonError::into_inner) = id;
                Ok(())
            })
        });
        let pool = Pool::builder(manager)
            .max_size(settings.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CHANGING))
            .create_timeout(Some(CONNECTING))
            .post_create(prepare)
            .build()
            .expect("a pool with a runtime can wait");
        Ok(Self {
            pool,
            shown: address.to_string(),
            id,
            may_create,
        })
    }

    pub async fn identity(&self) -> Result<Identity, InventoryError> {
        self.may_create.store(true, Ordering::Relaxed);
        self.connection().await?.done();
        Ok(self.latest_identity())
    }

    /// The identity that the latest connection found.
    fn latest_identity(&self) -> Identity {
        let id = self.id.lock().unwrap_or_else(PoisonError::into_inner);
        Identity {
            id: id.clone(),
            location: self.shown.clone(),
        }
    }

    pub async fn change<R: Rule>(
        &self,
        now: SystemTime,
        placement: &Placement,
        rule: &R,
    ) -> Result<R::Answer, InventoryError> {
        self.may_create.store(true, Ordering::Relaxed);
        let connection = self.connection().await?;
        if let Err(refused) = rules::refuse_other_inventory(placement, &self.latest_identity()) {
            connection.done();
            return Err(refused);
        }
        let change = change(connection.client(), now, placement, rule);
        let changed = self.in_time("change", change).await?;
        connection.done();
        changed
    }

    pub async fn products(&self) -> Result<Vec<Product>, InventoryError> {
        let query = "select product, order_id, in_stock from inventory_stock order by product";
        let rows = self.query(query, &[]).await?;
        let product = |row: &Row| Product {
            product: row.get(0),
            order_id: row.get(1),
            in_stock: row.get::<_, i32>(2).unsigned_abs(),
        };
        Ok(rows.iter().map(product).collect())
    }

    pub async fn entries_of(&self, order_id: &str) -> Result<Vec<Entry>, InventoryError> {
        let (from, to) = keys_of(order_id);
        let rows = self.query(PAST, &[&from, &to]).await?;
        self.entries_in(&rows)
    }

    /// At most `limit` entries after the entry `after`. One that is just being written can turn up later,
    /// with a smaller number.
    pub async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, InventoryError> {
        let (after, limit) = (signed(after), signed(limit as u64));
        let query = "select * from inventory_ledger where seq > $1 order by seq limit $2";
        let rows = self.query(query, &[&after, &limit]).await?;
        self.entries_in(&rows)
    }

    fn entries_in(&self, rows: &[Row]) -> Result<Vec<Entry>, InventoryError> {
        let entries: Result<_, Error> = rows.iter().map(entry).collect();
        entries.map_err(|error| self.error("read", &error))
    }

    /// Reads everything as it was at one moment.
    pub async fn audit(&self) -> Result<Audit, InventoryError> {
        let connection = self.connection().await?;
        let audit = audit(connection.client()).await;
        let audit = audit.map_err(|error| self.error("read", &error))?;
        connection.done();
        Ok(audit)
    }

    async fn query(&self, query: &str, values: &[Value<'_>]) -> Result<Vec<Row>, InventoryError> {
        let connection = self.connection().await?;
        let client = connection.client();
        let rows = async {
            let query = client.prepare_cached(query).await?;
            client.query(&query, values).await
        };
        let rows = self.in_time("read", rows).await?;
        connection.done();
        Ok(rows)
    }

    async fn connection(&self) -> Result<Connection, InventoryError> {
        match self.pool.get().await {
            Ok(client) => Ok(Connection(Some(client))),
            Err(PoolError::PostCreateHook(HookError::Message(problem))) if problem == NO_SCHEMA => {
                Err(InventoryError::Missing {
                    location: self.shown.clone(),
                })
            }
            Err(error) => Err(InventoryError::Database {
                action: "connect to",
                location: self.shown.clone(),
                reason: match &error {
                    PoolError::Backend(error)
                    | PoolError::PostCreateHook(HookError::Backend(error)) => reason(error),
                    PoolError::PostCreateHook(HookError::Message(problem)) => problem.to_string(),
                    PoolError::Timeout(_) => {
                        "there is no connection in time; is the database running, \
                                              and does it allow as many connections?"
                            .to_owned()
                    }
                    other => other.to_string(),
                },
            }),
        }
    }

    async fn in_time<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, InventoryError> {
        match tokio::time::timeout(CHANGING, work).await {
            Ok(done) => done.map_err(|error| self.error(action, &error)),
            Err(_) => Err(InventoryError::Database {
                action,
                location: self.shown.clone(),
                reason: format!("there is no answer within {} seconds", CHANGING.as_secs()),
            }),
        }
    }

    fn error(&self, action: &'static str, error: &Error) -> InventoryError {
        InventoryError::Database {
            action,
            location: self.shown.clone(),
            reason: reason(error),
        }
    }
}

/// A connection that is on loan from the pool. Unless the work with it was [done](Self::done), it is
/// closed: a transaction may be open in it.
struct Connection(Option<Client>);

impl Connection {
    fn client(&self) -> &Client {
        self.0
            .as_ref()
            .expect("a connection is there until it is dropped")
    }

    fn done(mut self) {
        self.0.take();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}

/// Makes a connection ready, and the schema if there is none. Returns the inventory's identity.
async fn prepare(client: &mut ClientWrapper, may_create: bool) -> Result<String, HookError> {
    client
        .batch_execute(SESSION)
        .await
        .map_err(HookError::Backend)?;
    let meta = match client.query_opt(META, &[]).await {
        Ok(Some(meta)) => meta,
        Ok(None) => return Err(HookError::message("the table inventory_meta is empty")),
        Err(error) if is_undefined_table(&error) && !may_create => {
            return Err(HookError::message(NO_SCHEMA));
        }
        Err(error) if is_undefined_table(&error) => {
            create(client).await.map_err(HookError::Backend)?;
            let meta = client.query_one(META, &[]).await;
            meta.map_err(HookError::Backend)?
        }
        Err(error) => return Err(HookError::Backend(error)),
    };
    let version: i32 = meta.get(0);
    if version > VERSION {
        return Err(HookError::message(format!(
            "its schema has version {version}, and this program knows {VERSION}; use a newer program"
        )));
    }
    Ok(meta.get(1))
}

/// Makes the schema, with a first product. Of several programs that start at once, one does it.
async fn create(client: &mut tokio_postgres::Client) -> Result<(), Error> {
    let transaction = client.transaction().await?;
    let lock = "select pg_advisory_xact_lock(hashtextextended('inventory_meta', 0))";
    transaction.batch_execute(lock).await?;
    let exists = "select to_regclass('inventory_meta') is not null";
    if !transaction.query_one(exists, &[]).await?.get::<_, bool>(0) {
        transaction.batch_execute(OWN_SCHEMA).await?;
        transaction.batch_execute(SCHEMA).await?;
        let id = Identity::new_id();
        let meta = "insert into inventory_meta (version, id) values ($1, $2)";
        transaction.execute(meta, &[&VERSION, &id]).await?;
        let first = "select nextval('inventory_seq'), now()";
        let first = transaction.query_one(first, &[]).await?;
        let stock = Some(FIRST_STOCK);
        let seq = first.get::<_, i64>(0).unsigned_abs();
        let entry = rules::adjusted(seq, first.get(1), FIRST_ORDER, DEFAULT_PRODUCT, None, stock);
        let entries = Json([entry]);
        transaction.execute(APPEND, &[&entries]).await?;
    }
    transaction.commit().await
}

/// The outer error is the database's, the inner one is the rule's.
async fn change<R: Rule>(
    client: &Client,
    now: SystemTime,
    placement: &Placement,
    rule: &R,
) -> Result<Result<R::Answer, InventoryError>, Error> {
    let (lock, past) = tokio::try_join!(client.prepare_cached(LOCK), client.prepare_cached(PAST))?;
    let (from, to) = keys_of(&placement.order_id);
    let (order_id, keys): ([Value<'_>; 1], [Value<'_>; 2]) = ([&placement.order_id], [&from, &to]);
    let (_, locked, past) = tokio::try_join!(
        biased;
        client.batch_execute("begin"),
        client.query_one(&lock, &order_id),
        client.query(&past, &keys),
    )?;
    let entries = past.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let order = OrderPast {
        placement,
        entries: &entries,
    };
    let products = rule.products(&order);
    let mut facts = Facts {
        order,
        stock: Default::default(),
        numbers: vec![locked.get::<_, i64>(1).unsigned_abs()],
        now,
    };
    if !products.is_empty() {
        let stock = client.prepare_cached(STOCK).await?;
        let rows = client.query(&stock, &[&products]).await?;
        let level = |row: &Row| (row.get(0), row.get::<_, i32>(1).unsigned_abs());
        facts.stock = rows.iter().map(level).collect();
        // A product that is new has no row. The number from before serves its first entry.
        if !rows.is_empty() {
            let number = |row: &Row| row.get::<_, i64>(2).unsigned_abs();
            facts.numbers = rows.iter().map(number).collect();
        }
    }
    let decision = match rule.decide(&facts) {
        Ok(decision) if !decision.entries.is_empty() => decision,
        nothing => {
            client.batch_execute("rollback").await?;
            return Ok(nothing.map(|decision| decision.answer));
        }
    };
    let entries = Json(decision.entries);
    let entries: [Value<'_>; 1] = [&entries];
    let append = client.prepare_cached(APPEND).await?;
    tokio::try_join!(
        biased;
        client.execute(&append, &entries),
        client.batch_execute("commit"),
    )?;
    Ok(Ok(decision.answer))
}

async fn audit(client: &Client) -> Result<Audit, Error> {
    client
        .batch_execute("begin isolation level repeatable read read only")
        .await?;
    let none: [Value<'_>; 0] = [];
    let mut auditor = Auditor::default();
    let ledger = "select * from inventory_ledger order by seq";
    let rows = client.query_raw(ledger, none).await?;
    rows.try_for_each(|row| std::future::ready(entry(&row).map(|entry| auditor.read(&entry))))
        .await?;
    let stock = client
        .query("select product, in_stock from inventory_stock", &[])
        .await?;
    for row in stock {
        auditor.found(row.get(0), row.get::<_, i32>(1).unsigned_abs());
    }
    client.batch_execute("commit").await?;
    auditor.compare();
    Ok(auditor.into_audit())
}

/// The range of an order's keys: `0` follows `/`.
fn keys_of(order_id: &str) -> (String, String) {
    let from = Placement::new(order_id, "").key("");
    let from = &from[..from.len() - 1];
    (from.to_owned(), format!("{}0", &from[..from.len() - 1]))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn entry(row: &Row) -> Result<Entry, Error> {
    Ok(Entry {
        seq: row.get::<_, i64>("seq").unsigned_abs(),
        at: row.get("at"),
        order_id: row.get("order_id"),
        product_id: row.get("product_id"),
        change: row.try_get::<_, Kind>("change")?.0,
        quantity: row.get("quantity"),
        in_stock: row.get::<_, Option<i32>>("in_stock").map(i32::unsigned_abs),
        key: row.get("key"),
        confirmation: row.get("confirmation"),
        payment: row.get("payment"),
        address: row.get("address"),
        more: row.get("more"),
        removed: row.get("removed"),
    })
}

/// A change by its name. One that is unknown was written by something else.
struct Kind(Change);

impl<'a> FromSql<'a> for Kind {
    fn from_sql(
        kind: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let name = <&str>::from_sql(kind, raw)?;
        let change = Change::ALL.into_iter().find(|it| it.name() == name);
        Ok(Self(change.ok_or("a change of an unknown kind")?))
    }

    fn accepts(kind: &Type) -> bool {
        <&str as FromSql>::accepts(kind)
    }
}

fn is_undefined_table(error: &Error) -> bool {
    error.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_TABLE)
}
