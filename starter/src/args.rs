//! What the command line takes.

use std::time::Duration;

use clap::{
    Args as ClapArgs, CommandFactory, Parser, Subcommand,
    builder::NonEmptyStringValueParser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use inventory::{CAPACITY, DEFAULT_PRODUCT, Location};
use orders::{
    ADDRESS_RULE, ApprovalRule, Item, MAX_MESSAGE, Order, ShipBy, is_address, limits::MAX_PRODUCT,
    quoted, shortened, within,
};
use rand::{Rng, RngExt};
use temporal::{ConnectArgs, UiArgs, args::whole, names::check_name};
use workflows::{OrderStatus, standing_order::RENEW_AFTER};

/// Units that an order without arguments asks for: one less than the first stock, as in the Go
/// demo.
pub const DEFAULT_QUANTITY: u32 = 999;

/// The payment info of an order without arguments.
pub const DEFAULT_PAYMENT_INFO: &str = "VISA-123456";

/// What stands before an order's number in its ID.
const ORDER_PREFIX: &str = "order-";

/// Words that are this much alike, from 0 to 1, are one word and a misspelling of it.
const ALIKE: f64 = 0.8;

/// Order numbers that are drawn at random end here, for they are read aloud.
const HIGHEST_RANDOM_NUMBER: u64 = 99_999_999;

/// Places an order and follows it until it is done.
///
/// Without arguments it orders 999 units of product 123456 under a random order number. Needs a
/// Temporal server (`cargo run -p demo -- server`) and a worker (`cargo run -p worker`).
#[derive(Debug, Parser)]
#[command(name = "starter", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    cargo run -p starter\n  \
    cargo run -p starter -- 11235813 123456 1 VISA-123456    order-11235813: 1 unit\n  \
    cargo run -p starter -- 37005 123456 999 VISA-123456     pauses 15 s: kill the worker\n  \
    cargo run -p starter -- follow order-11235813            follow it again\n  \
    cargo run -p starter -- status order-11235813            how does it stand?\n  \
    cargo run -p starter -- list                             and all the others?\n  \
    cargo run -p starter -- cancel order-11235813            undo it\n  \
    cargo run -p starter -- audit                            does everything add up?")]
pub struct Args {
    /// What to do other than placing an order.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The order to place.
    #[command(flatten)]
    pub order: OrderArgs,
}

/// What to do other than placing an order.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow an order that was placed before, until it is done
    Follow(Box<FollowArgs>),
    /// Show an order's status: its steps, attempts and confirmations
    Status(Box<FollowArgs>),
    /// List the last orders by status, with counts
    List(Box<ListArgs>),
    /// Change the delivery address of an order that has not shipped
    ChangeAddress(Box<ChangeAddressArgs>),
    /// Approve an order that waits for approval
    Approve(Box<MessageArgs>),
    /// Reject an order that waits for approval
    Reject(Box<ReasonArgs>),
    /// Cancel an order that has not shipped, and undo its steps
    Cancel(Box<ReasonArgs>),
    /// End an order at once without undoing its steps; it takes no worker
    Terminate(Box<ReasonArgs>),
    /// Manage orders that a schedule on the server places again and again
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Manage orders that a workflow places again and again
    #[command(subcommand)]
    StandingOrder(StandingCommand),
    /// Say which build of the workers gets new orders, and take a bad one back
    #[command(subcommand)]
    Builds(BuildsCommand),
    /// Place many orders at once and measure how they fare
    Load(Box<LoadArgs>),
    /// Print an order's history as JSON, as the replay tests take it
    History(HistoryArgs),
    /// Check that everything adds up and, if a server answers, that no order was left behind
    Audit(Box<AuditArgs>),
    /// List the orders that were left behind with stock or money, and undo them
    Reconcile(Box<ReconcileArgs>),
    /// Show the stock of each product; needs no server
    Stock(StockArgs),
}

/// What to do about recurring orders.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Make a recurring order
    Create(Box<ScheduleCreateArgs>),
    /// List the recurring orders
    List(Box<ScheduleListArgs>),
    /// Place no more orders, until it is resumed
    Pause(ScheduleNameArgs),
    /// Place orders again
    Resume(ScheduleNameArgs),
    /// Delete a recurring order; the orders that it placed stay
    Delete(ScheduleNameArgs),
}

/// What to do about standing orders.
#[derive(Debug, Subcommand)]
pub enum StandingCommand {
    /// Make a standing order; it places the first order at once
    Create(Box<StandingCreateArgs>),
    /// Show how many orders it placed, and when the next is due; it takes a worker
    Status(StandingStatusArgs),
    /// Place no more orders, until it is resumed
    Pause(ScheduleNameArgs),
    /// Place orders again
    Resume(ScheduleNameArgs),
    /// End a standing order; the orders that it placed go on
    End(ScheduleNameArgs),
}

/// What to do about the builds of the workers.
#[derive(Debug, Subcommand)]
pub enum BuildsCommand {
    /// List the builds, how many new orders each gets, and how many are under way on it
    List(BuildsListArgs),
    /// Give new orders to a build, all of them or a share
    Deploy(DeployArgs),
    /// Give no more new orders to a build, and move those under way on it to another build
    TakeBack(TakeBackArgs),
}

/// The order to place.
#[derive(Debug, ClapArgs)]
pub struct OrderArgs {
    /// Order number; 11235 becomes order-11235. Give all four, or none [default: a random one]
    #[arg(value_parser = order_number, requires_all = ["product", "quantity", "payment_info"])]
    pub order_number: Option<u64>,
    /// Product [without all four: 123456]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub product: Option<String>,
    /// Units, at least 1 [without all four: 999]
    #[arg(value_parser = units, allow_negative_numbers = true)]
    pub quantity: Option<u32>,
    /// Payment info [without all four: VISA-123456]
    pub payment_info: Option<String>,
    /// If the order was placed before, do not place it again. In either case, show how it stands and do not
    /// follow it
    #[arg(long, requires = "order_number")]
    pub or_status: bool,
    /// What the order asks for besides.
    #[command(flatten)]
    pub wishes: WishArgs,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What an order asks for besides a product.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct WishArgs {
    /// A further item of the order, such as 654321:2; may be given several times
    #[arg(long = "item", value_name = "PRODUCT:QUANTITY", value_parser = item)]
    pub items: Vec<Item>,
    /// Ship each item in a workflow of its own
    #[arg(long)]
    pub ship_apart: bool,
    /// Have another team's shipping service ship the order, called through Temporal Nexus; `cargo run
    /// -p worker -- shipping-service` runs it
    #[arg(long, value_name = "WHO", conflicts_with = "ship_apart", value_parser = ship_by)]
    pub ship_by: Option<ShipBy>,
    /// Check for fraud by a local activity, within the workflow's own task: faster, but less of it
    /// is visible
    #[arg(long)]
    pub local_check: bool,
    /// Where to deliver, such as "12 Main Street"
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub deliver_to: Option<String>,
    /// Have the order wait for another address before it ships, at most this long, such as 1m
    #[arg(long, value_name = "TIME", value_parser = whole_seconds)]
    pub await_address: Option<Duration>,
    /// Have an order of more units than this wait for approval
    #[arg(long, value_name = "QUANTITY", value_parser = whole(0..=u32::MAX), allow_negative_numbers = true)]
    pub approval_above: Option<u32>,
    /// How long the approval may take
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10m",
        value_parser = whole_seconds,
        requires = "approval_above"
    )]
    pub approval_within: Option<Duration>,
    /// Have the order wait this long before its shipment is prepared, such as 20s
    #[arg(long, value_name = "TIME", value_parser = whole_seconds)]
    pub pause: Option<Duration>,
}

/// An order to look at.
#[derive(Debug, ClapArgs)]
pub struct FollowArgs {
    /// The order, such as 11235 or order-11235
    #[arg(value_parser = order_id)]
    pub order_id: String,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Which orders to list.
#[derive(Debug, ClapArgs)]
pub struct ListArgs {
    /// Only those of this status, such as AwaitingApproval
    #[arg(long, value_parser = status)]
    pub status: Option<OrderStatus>,
    /// How many to list at most, up to 10000; all are counted
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = whole(1..=10_000_u32))]
    pub limit: u32,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Where an order is to go.
#[derive(Debug, ClapArgs)]
pub struct ChangeAddressArgs {
    /// The order, such as 11235 or order-11235
    #[arg(value_parser = order_id)]
    pub order_id: String,
    /// The new address, such as "12 Main Street"
    #[arg(value_name = "ADDRESS")]
    pub deliver_to: String,
    /// Send it without waiting for an answer
    #[arg(long)]
    pub no_reply: bool,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// An order to say something to.
#[derive(Debug, ClapArgs)]
pub struct MessageArgs {
    /// The order, such as 11235 or order-11235
    #[arg(value_parser = order_id)]
    pub order_id: String,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// An order to end, and why.
#[derive(Debug, ClapArgs)]
pub struct ReasonArgs {
    /// The order, such as 11235 or order-11235
    #[arg(value_parser = order_id)]
    pub order_id: String,
    /// Why
    #[arg(long, default_value = "no reason was given")]
    pub reason: String,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// A recurring order.
#[derive(Debug, ClapArgs)]
pub struct ScheduleCreateArgs {
    /// The recurring order's name; its orders are named after it and the time
    #[arg(value_parser = recurring)]
    pub name: String,
    /// How often, such as 1h
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub every: Duration,
    /// Product
    #[arg(long, default_value = DEFAULT_PRODUCT)]
    pub product: String,
    /// Units, at least 1
    #[arg(long, default_value_t = 10, value_parser = units, allow_negative_numbers = true)]
    pub quantity: u32,
    /// Payment info
    #[arg(long, default_value = DEFAULT_PAYMENT_INFO)]
    pub payment_info: String,
    /// What each order asks for besides.
    #[command(flatten)]
    pub wishes: WishArgs,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// A standing order.
#[derive(Debug, ClapArgs)]
pub struct StandingCreateArgs {
    /// What it orders, and how often.
    #[command(flatten)]
    pub what: ScheduleCreateArgs,
    /// After how many orders the workflow begins a new history
    #[arg(long, value_name = "NUMBER", default_value_t = RENEW_AFTER, value_parser = whole(1..=u32::MAX))]
    pub renew_after: u32,
}

/// A standing order to look at.
#[derive(Debug, ClapArgs)]
pub struct StandingStatusArgs {
    /// Which one.
    #[command(flatten)]
    pub of: ScheduleNameArgs,
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Which server's recurring orders to list.
#[derive(Debug, ClapArgs)]
pub struct ScheduleListArgs {
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// A recurring order.
#[derive(Debug, ClapArgs)]
pub struct ScheduleNameArgs {
    /// The recurring order's name
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Where the Temporal server is.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// How much load.
#[derive(Debug, ClapArgs)]
pub struct LoadArgs {
    /// Orders to place
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = whole(1..=1_000_000_u32))]
    pub orders: u32,
    /// Orders under way at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = whole(1..=10_000_u32))]
    pub concurrency: u32,
    /// Have the orders' fraud checks done within the workflow's own task
    #[arg(long)]
    pub local_check: bool,
    /// The workers' inventory, a file or a database, whose ledger is checked at the end
    #[arg(long, env = "DATABASE", hide_env_values = true, default_value = inventory::DEFAULT_PATH)]
    pub database: Location,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Whose history to print.
#[derive(Debug, ClapArgs)]
pub struct HistoryArgs {
    /// The order, such as 11235 or order-11235
    #[arg(value_parser = order_id)]
    pub order_id: String,
    /// Which run of it [default: the newest]
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,
    /// Where the Temporal server is.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What to check.
#[derive(Debug, ClapArgs)]
pub struct AuditArgs {
    /// Which inventory.
    #[command(flatten)]
    pub inventory: InventoryArgs,
    /// Print a line for each order, too
    #[arg(long)]
    pub orders: bool,
    /// Print one JSON object, for programs
    #[arg(long)]
    pub json: bool,
    /// Where the Temporal server is.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What to do about orders that were left behind.
#[derive(Debug, ClapArgs)]
pub struct ReconcileArgs {
    /// Which inventory.
    #[command(flatten)]
    pub inventory: InventoryArgs,
    /// Undo them, which takes a worker
    #[arg(long)]
    pub apply: bool,
    /// With --apply, also undo orders that the server does not know, because no other server runs them
    #[arg(long, requires = "apply")]
    pub orders_are_gone: bool,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Which builds to list.
#[derive(Debug, ClapArgs)]
pub struct BuildsListArgs {
    /// Whose builds.
    #[command(flatten)]
    pub deployment: DeploymentArgs,
    /// Print one JSON array, for programs
    #[arg(long)]
    pub json: bool,
}

/// Which build gets new orders.
#[derive(Debug, ClapArgs)]
pub struct DeployArgs {
    /// The build, as its workers are told by --build-id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub build: String,
    /// How many of the new orders go to it; the others go to the build that got all before
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = whole(1..=100_u8))]
    pub percent: u8,
    /// Whose build.
    #[command(flatten)]
    pub deployment: DeploymentArgs,
}

/// Which build to take back.
#[derive(Debug, ClapArgs)]
pub struct TakeBackArgs {
    /// The build to take back
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub build: String,
    /// The build that continues its orders, whose code must be able to
    #[arg(long, value_name = "BUILD", value_parser = NonEmptyStringValueParser::new())]
    pub to: String,
    /// Whose builds.
    #[command(flatten)]
    pub deployment: DeploymentArgs,
}

/// The workers of all builds.
#[derive(Debug, ClapArgs)]
pub struct DeploymentArgs {
    /// The deployment that the workers belong to
    #[arg(long, env = "TEMPORAL_DEPLOYMENT_NAME", value_name = "NAME", default_value = "orders", value_parser = NonEmptyStringValueParser::new())]
    pub deployment_name: String,
    /// Where the Temporal server is.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Whose stock to show.
#[derive(Debug, ClapArgs)]
pub struct StockArgs {
    /// What to do other than showing it.
    #[command(subcommand)]
    pub command: Option<StockCommand>,
    /// Which inventory.
    #[command(flatten)]
    pub inventory: InventoryArgs,
    /// Print one JSON array, for programs
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do about the stock.
#[derive(Debug, Subcommand)]
pub enum StockCommand {
    /// Set the stock of a product, which is added if it is new
    Set(StockSetArgs),
}

/// A product and its stock.
#[derive(Debug, ClapArgs)]
pub struct StockSetArgs {
    /// The product, such as 654321
    #[arg(value_parser = product)]
    pub product: String,
    /// Units in stock, at most 10000
    #[arg(value_parser = whole(0..=CAPACITY), allow_negative_numbers = true)]
    pub units: u32,
}

/// Which inventory.
#[derive(Debug, ClapArgs)]
pub struct InventoryArgs {
    /// The workers' inventory: a file, with its ledger beside it, or a database as
    /// postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, global = true, env = "DATABASE", hide_env_values = true, default_value = inventory::DEFAULT_PATH)]
    pub database: Location,
}

/// Settings that all subcommands take.
#[derive(Debug, ClapArgs)]
pub struct CommonArgs {
    /// Where the Temporal server is.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Where the Web UI is.
    #[command(flatten)]
    pub ui: UiArgs,
    /// The workers' task queue
    #[arg(long, env = "ORDER_MANAGEMENT_TASK_QUEUE", default_value = workflows::TASK_QUEUE, value_parser = temporal::task_queue)]
    pub task_queue: String,
    /// How the order is shown.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How the order is shown.
#[derive(Debug, ClapArgs)]
pub struct OutputArgs {
    /// Print one JSON object per line, for programs
    #[arg(long)]
    pub json: bool,
}

impl OrderArgs {
    /// The order, with what was not given filled in.
    pub fn order(&self, random: &mut impl Rng) -> Order {
        let number = self
            .order_number
            .unwrap_or_else(|| random.random_range(1..=HIGHEST_RANDOM_NUMBER));
        let given = |value: &Option<String>, default: &str| {
            value.clone().unwrap_or_else(|| default.to_owned())
        };
        self.wishes.add_to(Order::new(
            format!("{ORDER_PREFIX}{number}"),
            given(&self.product, DEFAULT_PRODUCT),
            self.quantity.unwrap_or(DEFAULT_QUANTITY),
            given(&self.payment_info, DEFAULT_PAYMENT_INFO),
        ))
    }
}

impl WishArgs {
    /// The order, with what it asks for besides.
    pub fn add_to(&self, order: Order) -> Order {
        Order {
            pause_seconds: self.pause.map(|pause| pause.as_secs()),
            more_items: self.items.clone(),
            ship_apart: self.ship_apart,
            ship_by: self.ship_by,
            local_check: self.local_check,
            address: self.deliver_to.clone(),
            await_address_seconds: self.await_address.map(|time| time.as_secs()),
            approval: self.approval_above.zip(self.approval_within).map(
                |(above_quantity, within)| ApprovalRule {
                    above_quantity,
                    within_seconds: within.as_secs(),
                },
            ),
            ..order
        }
    }
}

/// What is wrong with a command line, and how one of the subcommand that was meant looks. Clap leaves
/// the usage out where a value is wrong, and fills it with what the environment sets where one is
/// missing.
pub fn with_usage<'a>(error: &clap::Error, given: impl IntoIterator<Item = &'a str>) -> String {
    let text = error.to_string();
    let wrong = text.split("\n\nUsage:").next().unwrap_or_default();
    let wrong = wrong.split("\n\nFor more").next().unwrap_or_default();
    let mut command = Args::command();
    // To clap, an argument too many is a subcommand.
    let wrong = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word))
            if error.kind() == ErrorKind::ArgumentConflict
                && command.find_subcommand(word).is_none() =>
        {
            &format!("error: unexpected argument '{word}' found")
        }
        _ => wrong,
    };
    let wrong = shortened(wrong, 2 * MAX_MESSAGE);
    command.build();
    let mut meant = &mut command;
    for word in given {
        if meant.find_subcommand(word).is_none() {
            break;
        }
        meant = meant.find_subcommand_mut(word).expect("it was found");
    }
    let usage = meant.render_usage();
    let names: Vec<_> = meant.get_subcommands().map(|it| it.get_name()).collect();
    let subcommands = if names.is_empty() {
        String::new()
    } else {
        format!("\nCommands: {}", names.join(", "))
    };
    format!("{wrong}\n\n{usage}{subcommands}\n\nFor more information, try '--help'.")
}

/// An order's number: 11235, or order-11235.
///
/// # Errors
/// Returns what is wrong with it, and the command that was probably meant.
pub fn order_number(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix(ORDER_PREFIX).unwrap_or(text);
    number.parse().map_err(|_| {
        let command = Args::command();
        let names = command.get_subcommands().map(|it| it.get_name());
        let nearest = names
            .map(|name| (strsim::jaro_winkler(text, name), name))
            .filter(|(likeness, _)| *likeness > ALIKE)
            .max_by(|(left, _), (right, _)| left.total_cmp(right));
        match nearest {
            Some((_, name)) => format!("there is no such command; did you mean '{name}'?"),
            None => "expected an order number, such as 11235 or order-11235, or a command".into(),
        }
    })
}

/// An order's ID: a number stands for the order of that number, and recurring orders have names.
fn order_id(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("expected an order, such as 11235 or order-11235".to_owned());
    }
    Ok(match text.parse::<u64>() {
        Ok(number) => format!("{ORDER_PREFIX}{number}"),
        Err(_) => text.to_owned(),
    })
}

fn item(text: &str) -> Result<Item, String> {
    let (product, quantity) = text
        .split_once(':')
        .filter(|(product, _)| !product.is_empty())
        .ok_or("an item is PRODUCT:QUANTITY, as in 234567:2")?;
    Ok(Item::new(product, units(quantity)?))
}

/// A number of units, at least 1.
///
/// # Errors
/// Returns what is wrong with it.
pub fn units(text: &str) -> Result<u32, String> {
    let not_units = || {
        let quoted = quoted(text);
        format!("{quoted} is not a quantity: expected a whole number of at least 1")
    };
    let parsed = text.parse().ok().filter(|units| *units > 0);
    parsed.ok_or_else(not_units)
}

/// A product, such as 654321.
///
/// # Errors
/// Returns what is wrong with it.
pub fn product(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("expected a product, such as 654321".to_owned());
    }
    within("product", text, MAX_PRODUCT).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

fn address(text: &str) -> Result<String, String> {
    if is_address(text) {
        Ok(text.to_owned())
    } else {
        Err(ADDRESS_RULE.to_owned())
    }
}

fn ship_by(text: &str) -> Result<ShipBy, &'static str> {
    match text {
        "nexus" => Ok(ShipBy::Nexus),
        _ => Err("the only choice is nexus; leave the flag out to have the worker ship"),
    }
}

fn status(text: &str) -> Result<OrderStatus, String> {
    let mut all = OrderStatus::ALL.into_iter();
    all.find(|status| status.to_string().eq_ignore_ascii_case(text))
        .ok_or_else(|| {
            let names = OrderStatus::ALL.map(|status| status.to_string());
            format!("the statuses are {}", names.join(", "))
        })
}

fn recurring(text: &str) -> Result<String, String> {
    check_name(text).map_err(|problem| format!("the name {problem}"))?;
    Ok(text.to_owned())
}

fn interval(text: &str) -> Result<Duration, &'static str> {
    match whole_seconds(text)? {
        Duration::ZERO => Err("a recurring order needs at least a second between two orders"),
        time => Ok(time),
    }
}

fn whole_seconds(text: &str) -> Result<Duration, &'static str> {
    let time = humantime::parse_duration(text).ok();
    time.filter(|time| time.subsec_nanos() == 0)
        .ok_or("expected a time of whole seconds, such as 20s or 10m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("starter").chain(words.iter().copied()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn no_arguments_order_999_units_under_a_random_number() {
        let args = parsed(&[]).unwrap().order;
        let order = args.order(&mut rand::rng());
        assert_eq!((order.item.as_str(), order.quantity), ("123456", 999));
        assert!(
            order
                .order_id
                .strip_prefix("order-")
                .unwrap()
                .parse::<u64>()
                .is_ok()
        );
    }

    #[test]
    fn a_number_and_an_id_name_the_same_order() {
        for name in ["11235", "order-11235"] {
            let args = parsed(&[name, "123456", "1", "VISA-1"]).unwrap().order;
            assert_eq!(args.order_number, Some(11235));
            assert_eq!(order_id(name).as_deref(), Ok("order-11235"));
        }
        let recurring = "hourly-2026-11-24T12:00:00Z";
        assert_eq!(order_id(recurring).as_deref(), Ok(recurring));
        assert!(parsed(&["follow", ""]).is_err());
    }

    #[test]
    fn a_misspelt_command_gets_a_suggestion() {
        for (misspelt, meant) in [("statsu", "status"), ("aprove", "approve"), ("lst", "list")] {
            let error = parsed(&[misspelt, "order-1"]).unwrap_err().to_string();
            assert!(
                error.contains(&format!("did you mean '{meant}'")),
                "{error}"
            );
        }
        let error = parsed(&["first", "123456", "1", "VISA-1"]).unwrap_err();
        assert!(!error.to_string().contains("did you mean"), "{error}");
    }

    #[test]
    fn four_arguments_are_an_order() {
        let args = parsed(&["11235813", "123456", "1", "VISA-123456"])
            .unwrap()
            .order;
        let order = args.order(&mut rand::rng());
        assert_eq!(order.order_id, "order-11235813");
        assert_eq!((order.item.as_str(), order.quantity), ("123456", 1));
        assert_eq!(order.payment_info, "VISA-123456");
    }

    #[test]
    fn what_an_order_asks_for_besides_is_taken_along() {
        let args = parsed(&[
            "--item",
            "234567:2",
            "--ship-apart",
            "--local-check",
            "--deliver-to",
            "12 Main Street",
            "--await-address",
            "1m",
            "--approval-above",
            "500",
        ]);
        let order = args.unwrap().order.order(&mut rand::rng());
        assert_eq!(order.more_items, [Item::new("234567", 2)]);
        assert!(order.ship_apart && order.local_check);
        assert_eq!(order.address.as_deref(), Some("12 Main Street"));
        assert_eq!(order.await_address_seconds, Some(60));
        let approval = ApprovalRule {
            above_quantity: 500,
            within_seconds: 600,
        };
        assert_eq!(order.approval, Some(approval));
        let plain = parsed(&[]).unwrap().order.order(&mut rand::rng());
        assert_eq!(plain.approval, None);
    }

    #[test]
    fn an_argument_too_many_is_not_called_a_subcommand() {
        for (last, called) in [
            ("more", "unexpected argument 'more'"),
            ("status", "the subcommand 'status' cannot be used with"),
        ] {
            let words = ["1", "123456", "1", "VISA-1", last];
            let text = with_usage(&parsed(&words).unwrap_err(), words);
            assert!(text.contains(called), "{text}");
        }
    }

    #[test]
    fn every_number_is_of_the_type_that_its_field_has() {
        for words in [
            &["list"][..],
            &["load"],
            &["builds", "deploy", "2"],
            &["stock", "set", "8", "20"],
            &["standing-order", "create", "x", "--every", "1h"],
            &["--approval-above", "500"],
        ] {
            assert!(parsed(words).is_ok(), "{words:?}");
        }
    }

    #[test]
    fn a_value_that_is_refused_is_named_with_its_range() {
        for (words, range) in [
            (&["--approval-above", "x"][..], "from 0 to"),
            (&["--approval-above", "-1"], "from 0 to"),
            (&["1", "123456", "-1", "VISA-1"], "at least 1"),
            (&["list", "--limit", "many"], "from 1 to 10000"),
            (&["stock", "set", "8", "-1"], "from 0 to 10000"),
            (&["--pause", "soon"], "whole seconds"),
        ] {
            let text = parsed(words).unwrap_err().to_string();
            assert!(text.contains(range), "{words:?}: {text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (words, kind) in [
            (
                &["1", "123456", "0", "VISA-1"][..],
                ErrorKind::ValueValidation,
            ),
            (
                &["1", "123456", "many", "VISA-1"],
                ErrorKind::ValueValidation,
            ),
            (
                &["first", "123456", "1", "VISA-1"],
                ErrorKind::ValueValidation,
            ),
            (&["1", "123456", "-1", "VISA-1"], ErrorKind::ValueValidation),
            (&["1", "123456", "1"], ErrorKind::MissingRequiredArgument),
            (&["1", "123456"], ErrorKind::MissingRequiredArgument),
            (&["1"], ErrorKind::MissingRequiredArgument),
            (&["1", "", "1", "VISA-1"], ErrorKind::InvalidValue),
            (
                &["1", "123456", "1", "VISA-1", "more"],
                ErrorKind::ArgumentConflict,
            ),
            (&["--pause", "1500ms"], ErrorKind::ValueValidation),
            (&["--item", "234567"], ErrorKind::ValueValidation),
            (&["--item", "234567:0"], ErrorKind::ValueValidation),
            (&["--deliver-to", "Main Street"], ErrorKind::ValueValidation),
            (
                &["--approval-within", "1m"],
                ErrorKind::MissingRequiredArgument,
            ),
            (&["list", "--status", "Lost"], ErrorKind::ValueValidation),
            (
                &["schedule", "create", "x", "--every", "0s"],
                ErrorKind::ValueValidation,
            ),
            (
                &["schedule", "create", "", "--every", "1s"],
                ErrorKind::ValueValidation,
            ),
            (
                &["schedule", "create", "a\nb", "--every", "1s"],
                ErrorKind::ValueValidation,
            ),
            (&["schedule", "delete", ""], ErrorKind::InvalidValue),
            (&["schedule", "pause", ""], ErrorKind::InvalidValue),
            (&["--task-queue", ""], ErrorKind::ValueValidation),
            (&["follow", ""], ErrorKind::ValueValidation),
            (&["list", "--limit", "0"], ErrorKind::ValueValidation),
            (&["load", "--orders", "9999999"], ErrorKind::ValueValidation),
        ] {
            let error = parsed(words).expect_err(&format!("{words:?}"));
            assert_eq!(error.kind(), kind, "{words:?}: {error}");
        }
    }
}
