//! What the command line takes.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use activities::faults::FaultRate;
use clap::{Arg, Args as ClapArgs, Parser, Subcommand};
use inventory::Location;
use temporal::{ConnectArgs, UI_PORT_OFFSET, UiArgs, args::whole};

/// Shows what Temporal does for an order, one command for each demo.
///
/// Without a command, it shows the first order. You need not set anything up: if no Temporal server
/// is running, the demo starts one and stops it at the end.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
pub struct Args {
    /// Which demo.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How it is shown.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One of the demos.
    #[command(flatten)]
    Demo(Demo),
    /// List the demos
    #[command(args(hidden()))]
    List,
    /// Start the dev server with its Web UI, until Ctrl-C
    #[command(args(hidden()))]
    Server(ServerArgs),
}

/// The demos.
#[derive(Clone, Debug, Subcommand)]
pub enum Demo {
    /// A page on which you place orders and kill their workers; until Ctrl-C
    Live(LiveArgs),
    /// An order goes through its steps, and the inventory changes
    FirstOrder,
    /// Workers are killed in the middle of an order, and it completes
    KillWorker,
    /// Another order number, product, quantity or payment info
    Order(OrderArgs),
    /// The same order while more and more attempts fail
    Errors,
    /// An order that is placed twice is processed once
    DuplicateOrder,
    /// Orders report their status, and are listed by it
    Progress,
    /// A running order waits for another address and gets it
    ChangeAddress,
    /// A large order waits for a person's approval
    Approval,
    /// A cancelled order is undone, although its worker dies
    Cancel,
    /// The order waits while the payment service is down
    PaymentDown,
    /// A declined card is not retried, and the stock is released
    DeclinedCard,
    /// An order of three products is reserved as a whole or not at all
    SeveralItems,
    /// An order is placed every second, by a schedule
    RecurringOrder,
    /// Orders are stuck on a bug until a worker with the fix starts
    FixABug,
    /// Replays show whether running orders work with changed code
    ChangeCode,
    /// Builds are deployed while orders run, and a bad one is taken back
    Deploy,
    /// A machine is cut off in the middle of a charge, and another goes on
    SeveralMachines,
    /// The same steps as plain function calls, compared with Temporal
    WithoutTemporal(WithoutTemporalArgs),
    /// Many orders, while workers and the server are killed at random
    Chaos(ChaosArgs),
    /// All of these, one after the other, except live
    All,
}

/// What is on the page.
#[derive(Clone, Debug, ClapArgs)]
pub struct LiveArgs {
    /// The address of this machine to serve the page at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8088")]
    pub listen: SocketAddr,
    /// How many attempts at an activity fail at random, at the start: from 0 up to, but not including, 1
    #[arg(long, value_name = "RATE", default_value_t = FaultRate::DEFAULT)]
    pub fault_rate: FaultRate,
}

/// What to order.
#[derive(Clone, Debug, ClapArgs)]
pub struct OrderArgs {
    /// Order number; 2718 becomes order-2718
    #[arg(default_value_t = 2718, value_parser = starter::args::order_number)]
    pub order_number: u64,
    /// Product
    #[arg(default_value = inventory::DEFAULT_PRODUCT, value_parser = starter::args::product)]
    pub product: String,
    /// Units, at least 1
    #[arg(default_value_t = 500, value_parser = starter::args::units, allow_negative_numbers = true)]
    pub quantity: u32,
    /// Payment info
    #[arg(default_value = starter::args::DEFAULT_PAYMENT_INFO)]
    pub payment_info: String,
}

/// What to compare.
#[derive(Clone, Debug, ClapArgs)]
pub struct WithoutTemporalArgs {
    /// Orders on each side
    #[arg(long, default_value_t = 60, value_parser = whole(1..=u32::MAX))]
    pub orders: u32,
    /// Processes to kill on each side
    #[arg(long, default_value_t = 6, value_parser = whole(0..=u32::MAX))]
    pub kills: u32,
    /// How many attempts at a step fail at random: from 0 up to, but not including, 1
    #[arg(long, value_name = "RATE", default_value_t = FaultRate::DEFAULT)]
    pub fault_rate: FaultRate,
    /// Makes the choices and the faults repeatable
    #[arg(long, value_name = "NUMBER", default_value_t = 37, value_parser = whole(0..=u64::MAX))]
    pub seed: u64,
    /// Draw the result into this SVG file
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
}

/// Orders as plain function calls.
#[derive(Clone, Debug, Parser)]
#[command(name = "plain")]
pub struct PlainArgs {
    /// The first order's number
    #[arg(long)]
    pub from: u32,
    /// The last order's number
    #[arg(long)]
    pub to: u32,
    /// How many steps fail at random
    #[arg(long)]
    pub fault_rate: FaultRate,
    /// What the faults are drawn from
    #[arg(long)]
    pub seed: u64,
    /// The inventory
    #[arg(long, env = "DATABASE")]
    pub database: Location,
}

/// How much chaos.
#[derive(Clone, Debug, ClapArgs)]
pub struct ChaosArgs {
    /// Orders to place; every fifth also a second time at once, and a third when it is done
    #[arg(long, default_value_t = 60, value_parser = whole(1..=u32::MAX))]
    pub orders: u32,
    /// Worker processes at a time
    #[arg(long, default_value_t = 3, value_parser = whole(1..=u32::MAX))]
    pub workers: u32,
    /// Processes to kill; every fifth is the server
    #[arg(long, default_value_t = 10, value_parser = whole(0..=u32::MAX))]
    pub kills: u32,
    /// How many attempts at an activity fail at random: from 0 up to, but not including, 1
    #[arg(long, value_name = "RATE", default_value_t = FaultRate::DEFAULT)]
    pub fault_rate: FaultRate,
    /// Makes the choices and the faults repeatable [default: random, and printed]
    #[arg(long, value_name = "NUMBER", value_parser = whole(0..=u64::MAX))]
    pub seed: Option<u64>,
    /// Write what happened to every order into this HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// How a demo is shown, and on what. Each flag may stand before the demo's name or after it.
#[derive(Clone, Debug, ClapArgs)]
#[command(mut_args(|arg| arg.global(true)))]
pub struct ShowArgs {
    /// Wait for Enter before each step
    #[arg(long)]
    pub step: bool,
    /// Wait this long before each step, such as 3s
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub slow: Option<Duration>,
    /// Keep the demo's own server and its Web UI when the demo is over, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    /// Where the demo's inventory is made: in a folder of its own beside this file, or in a schema of
    /// its own of this PostgreSQL database [default: in a temporary folder]
    #[arg(long, env = "DATABASE", hide_env_values = true)]
    pub database: Option<Location>,
    /// The task queue [default: one of the demo's own]
    #[arg(long, env = "ORDER_MANAGEMENT_TASK_QUEUE")]
    pub task_queue: Option<String>,
    /// The Temporal server to use, where one listens.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Where the Web UI is.
    #[command(flatten)]
    pub ui: UiArgs,
}

/// The default port of the dev server.
pub const DEFAULT_PORT: u16 = 7233;

/// The dev server's settings.
#[derive(Clone, Debug, ClapArgs)]
pub struct ServerArgs {
    /// The port for workers and starters; the Web UI is 1000 above it
    #[arg(long, default_value_t = DEFAULT_PORT, value_parser = whole(1..=u16::MAX - UI_PORT_OFFSET))]
    pub port: u16,
    /// The file with the server's state [default: .temporal/dev-server.db in the
    /// project's folder; one of its own for each other port]
    #[arg(long, value_name = "FILE", conflicts_with = "in_memory")]
    pub state: Option<PathBuf>,
    /// Keep the state in memory: it is lost with the server
    #[arg(long)]
    pub in_memory: bool,
}

/// The flags of [`ShowArgs`], for a command whose help is shorter without them: nothing is shown.
fn hidden() -> Vec<Arg> {
    let flags = ShowArgs::augment_args(clap::Command::new("demo"));
    let flags = flags.get_arguments().cloned();
    flags.map(|flag| flag.hide(true)).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(words: &[&str]) -> Args {
        Args::try_parse_from(std::iter::once("demo").chain(words.iter().copied())).unwrap()
    }

    #[test]
    fn a_flag_may_stand_before_the_demo_and_after_it() {
        for words in [
            ["--address", "127.0.0.1:1", "errors"],
            ["errors", "--address", "127.0.0.1:1"],
        ] {
            let address = parsed(&words).show.connect.address;
            assert_eq!(address.as_deref(), Some("127.0.0.1:1"), "{words:?}");
        }
        let ui = parsed(&["order", "--ui-address", "http://127.0.0.1:2"])
            .show
            .ui;
        assert_eq!(ui.address("localhost:7233"), "http://127.0.0.1:2");
        assert!(parsed(&["chaos", "--step"]).show.step);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        for (words, expected) in [
            (&["order", "4711", "", "12"][..], "expected a product"),
            (&["order", "4711", "123456", "0"], "at least 1"),
            (&["order", "4711", "123456", "-1"], "at least 1"),
            (&["server", "--port", "abc"], "from 1 to 64535"),
        ] {
            let words = [&["demo"], words].concat();
            let text = Args::try_parse_from(words).unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn the_servers_help_has_the_servers_flags_only() {
        let mut command = Args::command();
        command.build();
        let server = command.find_subcommand_mut("server").unwrap();
        let help = server.render_long_help().to_string();
        assert!(help.contains("--port"), "{help}");
        for flag in ["--address", "--api-key", "--step", "--database"] {
            assert!(!help.contains(flag), "{help}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
