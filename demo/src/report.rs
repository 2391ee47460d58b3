//! What happened to many orders, as a page of HTML that is complete in itself.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, SystemTime},
};

use anstream::adapter::strip_str;
use anyhow::Context;
use futures::{StreamExt, stream};
use inventory::{Audit, Entry, Inventory};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use starter::{
    follow::{self, OrderHandle, Watch},
    progress::{OrderEvent, StepChange, StepState},
    show::text,
};

/// How many orders are read at a time.
const AT_A_TIME: usize = 16;

/// Lines of the ledger on the page at most. Above it, the page would be too large to be read.
const MOST_LINES: usize = 10_000;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
       color: #1e293b; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid #e2e8f0; vertical-align: top }
th { color: #64748b; font-weight: 500 }
pre { background: #f1f5f9; padding: .7rem; overflow-x: auto; white-space: pre-wrap }
summary { cursor: pointer; padding: .15rem 0 } details table { margin: 0 0 .8rem 1.2rem; width: calc(100% - 1.2rem) }
.good { color: #15803d } .bad { color: #b91c1c } .kill td { background: #fef2f2; color: #b91c1c }
@media (prefers-color-scheme: dark) {
  body { color: #e2e8f0; background: #0f172a } th, td { border-color: #334155 } pre { background: #1e293b }
  .good { color: #4ade80 } .bad { color: #f87171 } .kill td { background: #450a0a; color: #fca5a5 } }
";

/// A process that was killed.
#[derive(Clone, Debug)]
pub struct Killed {
    /// When.
    pub at: SystemTime,
    /// Which one.
    pub what: String,
}

/// What a report is about.
pub struct About {
    /// Its title.
    pub title: String,
    /// The command that repeats it, if one does.
    pub command: Option<String>,
    /// What else there is to say, by name.
    pub facts: Vec<(&'static str, String)>,
    /// What was killed, oldest first.
    pub kills: Vec<Killed>,
}

/// Reads what happened to these orders, and writes the page. An order that has told no end within `patience` is
/// under way.
///
/// # Errors
/// Returns an error if the inventory cannot be read.
pub async fn page(
    about: &About,
    orders: impl IntoIterator<Item = OrderHandle>,
    inventory: &Inventory,
    patience: Duration,
) -> anyhow::Result<String> {
    let told = stream::iter(orders)
        .map(|order| told(order, patience))
        .buffered(AT_A_TIME);
    let mut told: Vec<Told> = told.collect().await;
    told.sort_by_key(Told::began);
    let ledger = inventory.ledger(0, MOST_LINES).await?;
    let audit = inventory.audit().await?;
    Ok(written(about, &told, &ledger, &audit).into_string())
}

/// Makes sure that a report can be written to this file, before there is anything to report.
///
/// # Errors
/// Returns an error that names the file.
pub fn check_writable(file: &Path) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.append(true).create(true).open(file);
    opened.map(drop).with_context(|| cannot_write(file))
}

/// Writes a report.
///
/// # Errors
/// Returns an error that names the file.
pub fn write(file: &Path, page: &str) -> anyhow::Result<()> {
    std::fs::write(file, page).with_context(|| cannot_write(file))
}

fn cannot_write(file: &Path) -> String {
    format!(
        "cannot write the report to {}: choose another file with --report",
        file.display()
    )
}

/// What an order tells of itself.
struct Told {
    order_id: String,
    steps: BTreeMap<usize, StepChange>,
    asked: Vec<String>,
    /// None if it is under way.
    end: Option<String>,
}

impl Watch for Told {
    fn event(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Step(step) | OrderEvent::Taken(step) => {
                self.steps.insert(step.number, step.clone());
            }
            OrderEvent::Asked(what) => self.asked.push(what.clone()),
            OrderEvent::CodeFailed(_) | OrderEvent::DecidedAgain(_) | OrderEvent::PickedUp => {}
        }
    }

    fn say(&mut self, _: &str) {}
}

impl Told {
    fn began(&self) -> Option<SystemTime> {
        self.steps.values().find_map(|step| step.started_at)
    }
}

async fn told(order: OrderHandle, patience: Duration) -> Told {
    let mut told = Told {
        order_id: order.info().workflow_id.clone(),
        steps: BTreeMap::new(),
        asked: Vec::new(),
        end: None,
    };
    let following = tokio::time::timeout(patience, follow::follow(&order, &mut told)).await;
    told.end = match following {
        Ok(Ok(followed)) => Some(plain(&text::ended(&followed, usize::MAX))),
        Ok(Err(error)) => Some(format!("{error:#}")),
        Err(_) => None,
    };
    told
}

fn written(about: &About, orders: &[Told], ledger: &[Entry], audit: &Audit) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (about.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (about.title) }
                (verdict(audit))
                table {
                    @for (name, value) in &about.facts {
                        tr { th { (name) } td { (value) } }
                    }
                }
                @if let Some(command) = &about.command {
                    p { "This command repeats it:" }
                    pre { (command) }
                }
                h2 { (counted(about.kills.len(), "kill")) }
                table {
                    @for kill in &about.kills {
                        tr { td { (time(kill.at)) } td { (kill.what) } }
                    }
                }
                h2 { (counted(orders.len(), "order")) }
                @for order in orders { (timeline(order, &about.kills)) }
                h2 { "The ledger: " (counted(ledger.len(), "line")) }
                (lines(ledger))
                h2 { "The audit" }
                pre { (starter::audit::report(audit)) }
            }
        }
    }
}

fn verdict(audit: &Audit) -> Markup {
    html! {
        @if audit.is_clean() {
            p.good { "✓ Everything adds up: no effect happened twice, and nothing is missing." }
        } @else {
            p.bad { "✗ It does not add up: see the audit below." }
        }
    }
}

/// An order's steps in the order in which they began, and what was killed meanwhile.
fn timeline(order: &Told, kills: &[Killed]) -> Markup {
    let first = order.began();
    let ends = order
        .steps
        .values()
        .filter_map(|it| Some(it.started_at? + it.took_ms?));
    let last = ends.max();
    let meanwhile = |kill: &&Killed| {
        first.is_some_and(|first| first <= kill.at)
            && (order.end.is_none() || last.is_some_and(|last| kill.at <= last))
    };
    let mut rows: Vec<(Option<SystemTime>, Markup)> = order
        .steps
        .values()
        .map(|step| (step.started_at, row(step, first)))
        .collect();
    rows.extend(kills.iter().filter(meanwhile).map(|kill| {
        let row = html! {
            tr.kill { td { (since(first, Some(kill.at))) } td colspan="5" { "killed: " (kill.what) } }
        };
        (Some(kill.at), row)
    }));
    // A step without a time, such as a local activity, stays behind the one before it.
    let mut at = first;
    for (begun, _) in &mut rows {
        at = (*begun).or(at);
        *begun = at;
    }
    rows.sort_by_key(|(at, _)| *at);
    html! {
        details {
            summary { b { (order.order_id) } " " (order.end.as_deref().unwrap_or("under way")) }
            table {
                tr { th { "at" } th { "step" } th { "attempts" } th { "took" } th { "worker" } th {} }
                @for (_, row) in rows { (row) }
            }
            @if !order.asked.is_empty() { p { "Told: " (order.asked.join(", ")) } }
        }
    }
}

fn row(step: &StepChange, first: Option<SystemTime>) -> Markup {
    let answer = &step.answer;
    let state = match &step.state {
        StepState::Running => Some("running".to_owned()),
        StepState::Retrying { error } | StepState::Failed { error } => Some(error.clone()),
        StepState::Skipped => Some("skipped".to_owned()),
        StepState::Completed => None,
    };
    let found = answer
        .found
        .then(|| "found: an earlier attempt did it".to_owned());
    let stock = answer
        .stock
        .map(|it| format!("stock {} → {}", it.before, it.after));
    let said = [
        answer.confirmation.clone(),
        stock,
        answer.remark.clone(),
        found,
        state,
    ];
    let said: Vec<String> = step
        .about
        .clone()
        .into_iter()
        .chain(said.into_iter().flatten())
        .collect();
    html! {
        tr {
            td { (since(first, step.started_at)) }
            td { (step.step) }
            // A local activity does not tell how often it was tried.
            td { @if step.attempts > 0 { (step.attempts) } }
            td { (step.took_ms.map(text::readable).unwrap_or_default()) }
            td { (step.worker.as_deref().unwrap_or_default()) }
            td { (said.join("; ")) }
        }
    }
}

fn lines(ledger: &[Entry]) -> Markup {
    html! {
        table {
            tr {
                th { "line" } th { "at" } th { "order" } th { "what" } th { "units" } th { "product" }
                th { "in stock" } th { "confirmation" }
            }
            @for entry in ledger {
                tr {
                    td { (entry.seq) }
                    td { (time(entry.at)) }
                    td { (entry.order_id) }
                    td { (entry.change.name()) }
                    td { (entry.quantity) }
                    td { (entry.product_id) }
                    td { (entry.in_stock.map(|units| units.to_string()).unwrap_or_default()) }
                    td { (entry.confirmation.as_deref().unwrap_or_default()) }
                }
            }
        }
    }
}

/// A moment as the time since the order began: "+1.3 s".
fn since(first: Option<SystemTime>, at: Option<SystemTime>) -> String {
    let since = at
        .zip(first)
        .and_then(|(at, first)| at.duration_since(first).ok());
    since.map_or_else(String::new, |since| format!("+{}", text::readable(since)))
}

fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn plain(text: &str) -> String {
    strip_str(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_order_says_is_text_and_not_html() {
        let bad = "<script>alert(1)</script>";
        let mut step = StepChange::new(
            bad,
            1,
            StepState::Failed {
                error: bad.to_owned(),
            },
            1,
        );
        step.about = Some(bad.to_owned());
        step.worker = Some(bad.to_owned());
        (step.started_at, step.took_ms) = (Some(SystemTime::UNIX_EPOCH), Some(Duration::ZERO));
        let order = Told {
            order_id: bad.to_owned(),
            steps: BTreeMap::from([(1, step)]),
            asked: vec![bad.to_owned()],
            end: Some(bad.to_owned()),
        };
        let about = About {
            title: bad.to_owned(),
            command: Some(bad.to_owned()),
            facts: vec![("seed", bad.to_owned())],
            kills: vec![Killed {
                at: SystemTime::UNIX_EPOCH,
                what: bad.to_owned(),
            }],
        };
        let audit = Audit {
            lines: 0,
            orders: Vec::new(),
            products: Vec::new(),
            findings: Vec::new(),
            pending: None,
        };
        let page = written(&about, &[order], &[], &audit).into_string();
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }

    #[test]
    fn a_kill_stands_between_the_steps_of_the_order_that_it_hit() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let step = |name: &str, number, begun| {
            let mut step = StepChange::new(name, number, StepState::Completed, 1);
            step.started_at = Some(at(begun));
            step.took_ms = Some(Duration::from_secs(1));
            step
        };
        let order = Told {
            order_id: "order-1".to_owned(),
            steps: BTreeMap::from([(1, step("Charge", 1, 10)), (2, step("Ship", 2, 15))]),
            asked: Vec::new(),
            end: Some("completed".to_owned()),
        };
        let kill = |seconds, what: &str| Killed {
            at: at(seconds),
            what: what.to_owned(),
        };
        let kills = [
            kill(9, "too early"),
            kill(12, "in time"),
            kill(17, "too late"),
        ];
        let page = timeline(&order, &kills).into_string();
        let places: Vec<_> = ["Charge", "in time", "Ship"]
            .map(|it| page.find(it).unwrap())
            .into();
        assert!(places.is_sorted(), "{page}");
        assert!(!page.contains("too "), "{page}");
    }
}
