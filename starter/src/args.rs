//! What the command line takes.

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand};
use inventory::{DEFAULT_PRODUCT, Order};
use rand::{Rng, RngExt};
use temporal::{ConnectArgs, UiArgs};

/// Units that an order without arguments asks for: one less than the first stock, as in the Go
/// demo.
pub const DEFAULT_QUANTITY: u32 = 999;

/// The payment info of an order without arguments.
pub const DEFAULT_PAYMENT_INFO: &str = "VISA-123456";

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
    /// Print an order's history as JSON, as the replay tests take it
    History(HistoryArgs),
    /// Check by the ledger and the inventory file that everything adds up; needs no server
    Audit(AuditArgs),
}

/// The order to place.
#[derive(Debug, ClapArgs)]
pub struct OrderArgs {
    /// Order number; 11235 becomes order-11235 [default: random]
    #[arg(requires_all = ["product", "quantity", "payment_info"])]
    pub order_number: Option<u64>,
    /// Product [default: 123456]
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub product: Option<String>,
    /// Units, at least 1 [default: 999]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub quantity: Option<u32>,
    /// Payment info [default: VISA-123456]
    pub payment_info: Option<String>,
    /// Have the order wait this long before its shipment is prepared, such as 20s
    #[arg(long, value_name = "TIME", value_parser = whole_seconds)]
    pub pause: Option<Duration>,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// An order to follow.
#[derive(Debug, ClapArgs)]
pub struct FollowArgs {
    /// The order's ID, such as order-11235
    pub order_id: String,
    /// Settings that all subcommands take.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Whose history to print.
#[derive(Debug, ClapArgs)]
pub struct HistoryArgs {
    /// The order's ID, such as order-11235
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
    /// The inventory file, with its ledger beside it
    #[arg(long, env = "DATABASE", default_value = inventory::DEFAULT_PATH)]
    pub database: PathBuf,
    /// As one JSON object, for programs
    #[arg(long)]
    pub json: bool,
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
    #[arg(long, env = "ORDER_MANAGEMENT_TASK_QUEUE", default_value = workflows::TASK_QUEUE)]
    pub task_queue: String,
    /// How the order is shown.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How the order is shown.
#[derive(Debug, ClapArgs)]
pub struct OutputArgs {
    /// One JSON object a line, for programs
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
        Order {
            order_id: format!("order-{number}"),
            item: given(&self.product, DEFAULT_PRODUCT),
            quantity: self.quantity.unwrap_or(DEFAULT_QUANTITY),
            payment_info: given(&self.payment_info, DEFAULT_PAYMENT_INFO),
            pause_seconds: self.pause.map(|pause| pause.as_secs()),
        }
    }
}

/// What is wrong with a command line, and how one looks. Clap leaves the usage out where a value is
/// wrong, and fills it with what the environment sets where one is missing.
pub fn with_usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let wrong = text.split("\n\nUsage:").next().unwrap_or_default();
    let wrong = wrong.split("\n\nFor more").next().unwrap_or_default();
    let usage = Args::command().render_usage();
    format!("{wrong}\n\n{usage}\n\nFor more information, try '--help'.")
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time.subsec_nanos() == 0 {
        Ok(time)
    } else {
        Err("an order pauses for whole seconds".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

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
            (&["1", "123456", "-1", "VISA-1"], ErrorKind::UnknownArgument),
            (&["1", "123456", "1"], ErrorKind::MissingRequiredArgument),
            (&["1", "123456"], ErrorKind::MissingRequiredArgument),
            (&["1"], ErrorKind::MissingRequiredArgument),
            (&["1", "", "1", "VISA-1"], ErrorKind::InvalidValue),
            (
                &["1", "123456", "1", "VISA-1", "more"],
                ErrorKind::ArgumentConflict,
            ),
            (&["--pause", "1500ms"], ErrorKind::ValueValidation),
        ] {
            let error = parsed(words).expect_err(&format!("{words:?}"));
            assert_eq!(error.kind(), kind, "{words:?}: {error}");
        }
    }
}
