//! Without Temporal: the same steps as plain function calls, beside the Temporal ones.

use std::{
    process::Stdio,
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use inventory::{Inventory, Location, OrderAudit, Standing, SubmissionAudit};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    args::WithoutTemporalArgs,
    demos::{
        fate::Fate,
        storm::{self, Storm},
    },
    parts::Part,
    plain::QUANTITY,
    process::this_program,
    sample::numbered_order,
    stage::Stage,
};

/// What came of orders of one item each.
#[derive(Default)]
pub struct Outcome {
    /// Orders that were reserved, charged and shipped.
    pub completed: u32,
    /// Orders that were charged, and are not shipped.
    pub charged_not_shipped: u32,
    /// Orders of which an effect happened more than once.
    pub doubled: u32,
    /// Units that were reserved for orders that are not shipped.
    pub units_lost: u32,
}

impl Outcome {
    /// What the ledger tells of these orders.
    pub fn of<'a>(orders: impl IntoIterator<Item = &'a OrderAudit>) -> Self {
        let mut outcome = Self::default();
        for order in orders {
            let sum = |what: fn(&SubmissionAudit) -> u32| {
                let each = order.submissions.iter().map(what);
                each.sum::<u32>()
            };
            let reserved = sum(|it| it.reserved);
            let charged = sum(|it| it.charged);
            let shipped = sum(|it| it.shipped);
            outcome.completed += u32::from(order.standing() == Standing::Completed);
            outcome.charged_not_shipped += u32::from(charged > 0 && shipped == 0);
            outcome.doubled += u32::from(reserved.max(charged).max(shipped) > 1);
            if reserved > 0 && shipped == 0 {
                outcome.units_lost += sum(|it| it.units.try_into().unwrap_or(0));
            }
        }
        outcome
    }

    fn rows(&self) -> [(&'static str, u32); 3] {
        [
            ("orders completed", self.completed),
            ("charged, never shipped", self.charged_not_shipped),
            ("units gone from stock for nothing", self.units_lost),
        ]
    }
}

/// Plays it.
pub async fn play(stage: &mut Stage, args: &WithoutTemporalArgs) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title(
        "without-temporal",
        "the same steps, the same faults, the same kills",
    );

    voice
        .scene(&format!(
            "Run {} orders as plain function calls; fault rate {}; {} kills.",
            args.orders, args.fault_rate, args.kills
        ))
        .await;
    let own = format!("plain_{:08x}", rand::random::<u32>());
    let location = stage.inventory().location().apart(&own);
    let plain_inventory = Inventory::open(&location, SystemTime::now).await?;
    let bar = voice.bar(args.orders.into(), "orders begun");
    let killed = plain(&location, 1, args, |begun| bar.set_position(begun.into())).await?;
    bar.finish_and_clear();
    voice.checked(&format!("The process was killed {killed} times."));
    let without = Outcome::of(&plain_inventory.audit().await?.orders);

    voice
        .scene(&format!(
            "Run {} orders on Temporal; fault rate {}; {} kills.",
            args.orders, args.fault_rate, args.kills
        ))
        .await;
    let storm = Storm {
        orders: (1..=args.orders)
            .map(|number| (numbered_order(number, QUANTITY), Fate::Placed))
            .collect(),
        workers: 1,
        kills: args.kills,
        server_every: None,
        fault_rate: args.fault_rate,
        seed: args.seed,
    };
    storm::run(stage, &storm).await?;
    let with = Outcome::of(&stage.inventory().audit().await?.orders);

    voice.scene("Compare the two ledgers.").await;
    let mut table = vec![format!("{:<36} {:>10} {:>10}", "", "without", "with")];
    for ((what, left), (_, right)) in without.rows().into_iter().zip(with.rows()) {
        table.push(format!("{what:<36} {left:>10} {right:>10}"));
    }
    voice.table(&table);
    if let Some(file) = &args.picture {
        std::fs::write(file, picture(args, &without, &with))
            .with_context(|| format!("cannot write {}", file.display()))?;
        voice.say(&format!("Drawn into {}.", file.display()));
    }

    stage.check_audit().await?;
    let all = args.orders;
    ensure!(
        with.completed == all,
        "{} of {all} orders completed on Temporal",
        with.completed
    );
    ensure!(
        with.charged_not_shipped == 0,
        "an order on Temporal was charged and never shipped"
    );
    ensure!(
        without.completed < all,
        "without Temporal all orders completed too: there were no faults and no kills to show"
    );
    voice.shown(
        "the steps are the same; without Temporal, a killed process leaves orders half done.",
    );
    Ok(())
}

/// Processes the orders in processes that are killed, each going on with the order after the one
/// that was under way, and says of each how many were begun. Their numbers begin with `first`. Returns how
/// often a process was killed.
///
/// # Errors
/// Returns an error if a process cannot be started, or says something else than expected.
pub async fn plain(
    location: &Location,
    first: u32,
    args: &WithoutTemporalArgs,
    begun: impl Fn(u32),
) -> anyhow::Result<u32> {
    let mut random = StdRng::seed_from_u64(args.seed);
    let (mut next, mut killed) = (first, 0);
    let last = first + args.orders - 1;
    while next <= last {
        let mut child = this_program(Part::Plain, None)?
            .args([
                "--from",
                &next.to_string(),
                "--to",
                &last.to_string(),
            ])
            .args(["--fault-rate", &args.fault_rate.to_string()])
            .args(["--seed", &args.seed.to_string()])
            // A command line can be read by others, and it may hold a password.
            .env("DATABASE", location.reveal())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the plain orders")?;
        let lines = child.stdout.take().context("plain orders without output")?;
        let mut lines = BufReader::new(lines).lines();
        let is_left = killed < args.kills;
        let mut due = is_left.then(|| first + args.orders * (killed + 1) / (args.kills + 1));
        while let Some(line) = lines.next_line().await? {
            let Some(number) = line.strip_prefix("begin ") else {
                continue;
            };
            next = number.parse::<u32>()? + 1;
            begun(next - first);
            if due.take_if(|due| next >= *due).is_some() {
                // Somewhere in the order, which takes some 75 ms. Meanwhile the next one may begin, which is
                // still to be read.
                tokio::time::sleep(Duration::from_millis(random.random_range(5..70))).await;
                child.kill().await?;
                killed += 1;
            }
        }
        child.wait().await?;
    }
    Ok(killed)
}

/// The result as a picture: a pair of bars for each figure.
fn picture(args: &WithoutTemporalArgs, without: &Outcome, with: &Outcome) -> String {
    const LEFT: u32 = 330;
    const WIDTH: u32 = 430;
    let mut bars = String::new();
    let pairs = without.rows().into_iter().zip(with.rows());
    for (index, ((what, left), (_, right))) in pairs.enumerate() {
        let top = 110 + 100 * index as u32;
        let most = left.max(right).max(1);
        bars += &format!(
            "  <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{what}</text>\n",
            LEFT - 16,
            top + 34
        );
        for (row, value, class) in [(0, left, "without"), (1, right, "with")] {
            let (y, width) = (top + 30 * row, WIDTH * value / most);
            bars += &format!(
                "  <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width}\" height=\"24\" \
                 rx=\"4\"/>\n  <text x=\"{}\" y=\"{}\">{value}</text>\n",
                LEFT + width + 10,
                y + 18
            );
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 400\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"17\">\n\
         \x20 <title>Orders with and without Temporal</title>\n\
         \x20 <style>.without {{ fill: #c2410c }} .with {{ fill: #4f46e5 }} text {{ fill: #1e293b }}</style>\n\
         \x20 <rect width=\"860\" height=\"400\" rx=\"14\" fill=\"#f8fafc\"/>\n\
         \x20 <text x=\"30\" y=\"44\" font-size=\"21\" font-weight=\"600\">{} orders, fault rate {}, {} kills</text>\n\
         \x20 <rect class=\"without\" x=\"30\" y=\"62\" width=\"16\" height=\"16\" rx=\"3\"/>\n\
         \x20 <text x=\"54\" y=\"75\">plain function calls</text>\n\
         \x20 <rect class=\"with\" x=\"240\" y=\"62\" width=\"16\" height=\"16\" rx=\"3\"/>\n\
         \x20 <text x=\"264\" y=\"75\">on Temporal (each pair has its own scale)</text>\n{bars}</svg>\n",
        args.orders, args.fault_rate, args.kills
    )
}
