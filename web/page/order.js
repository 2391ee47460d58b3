// The order in view, large: its steps from left to right, and what can be asked of it.

import { each, el, mark, say, show } from "./dom.js";
import { nameOf, state } from "./store.js";
import { STEPS, UNDOES, count, left, shortIdentity, statusWords, stepName, took } from "./words.js";

/** Builds the panel. `ask` is called with the name of what a button asks for. */
export function orderPanel(section, ask) {
  const title = el("h1", { id: "order-title" });
  const status = el("span", { className: "status" });
  const about = el("p", { className: "about" });
  const link = el("a", { textContent: "Timeline in the Web UI", target: "_blank", rel: "noopener" });
  const buttons = el("div", { className: "buttons" });
  const steps = el("ol", { className: "steps" });
  const remark = el("p", { className: "waiting" });
  const button = (name, text) => {
    const made = el("button", { type: "button", textContent: text, data: { ask: name } });
    made.addEventListener("click", () => ask(name));
    buttons.append(made);
    return made;
  };
  const offered = {
    approve: button("approve", "Approve"),
    reject: button("reject", "Reject"),
    address: button("address", "Change address"),
    cancel: button("cancel", "Cancel"),
    again: button("again", "Place again"),
  };
  section.append(
    el("div", { className: "heading" }, title, buttons),
    el("div", { className: "heading" }, status, about, link),
    steps,
    remark,
  );

  return function update() {
    const order = state.order;
    const id = state.viewed;
    const running = order?.execution === "Running";
    say(title, id ?? "No order yet");
    say(status, order ? statusWords(order.status) : "");
    mark(status, { kind: order && kindOf(order) });
    say(about, order ? aboutOrder(order) : missing());
    show(link, Boolean(order));
    if (order) link.href = order.link;
    drawSteps(steps, order);
    // What it waits for is in the headline, and the step counts down.
    const remarked = order?.reason ?? (running ? order.notices.at(-1) : undefined) ?? "";
    say(remark, remarked);
    show(remark, Boolean(remarked));
    show(offered.approve, running && order.status === "AwaitingApproval");
    show(offered.reject, running && order.status === "AwaitingApproval");
    show(offered.address, Boolean(running));
    show(offered.cancel, Boolean(running));
    show(offered.again, Boolean(order));
  };
}

function missing() {
  if (state.missing) return state.missing;
  if (state.viewed) return "Looking it up…";
  return "Place one with the button below, or with the key O.";
}

function aboutOrder(order) {
  const items = order.items.map((item) => `${count(item.quantity, "unit")} of product ${item.productID}`);
  const parts = [items.join(", ")];
  if (order.address) parts.push(`to ${order.address}`);
  if (order.build) parts.push(`build ${order.build}`);
  return parts.filter(Boolean).join(" · ");
}

/** The one word that decides an order's colour. */
export function kindOf({ status, execution }) {
  if (execution === "Running" && status !== "Undoing") return "running";
  if (["Completed", "Duplicate"].includes(status) && execution === "Completed") return "done";
  if (status === "Undoing" || status === "Cancelled" || status === "Rejected") return "undone";
  return execution === "Completed" ? "done" : "failed";
}

// The steps.

function drawSteps(list, order) {
  each(list, tiles(order), (tile) => tile.key, createTile, updateTile);
}

/** What there is to show of each step: those that began, then those that every order still has before it. */
function tiles(order) {
  const begun = [];
  for (const step of order?.steps ?? []) {
    const undoes = UNDOES[step.step];
    if (undoes) {
      // A step that failed before it did anything has nothing to undo.
      const target = order.proof[EFFECTS[undoes[0]]] && begun.findLast((tile) => tile.step === undoes[0] && !tile.undoing);
      if (target) Object.assign(target, { undoing: step, undone: undoes[1] });
      continue;
    }
    const name = step.step === "ShipItem" ? "Ship" : step.step;
    const last = begun.at(-1);
    if (last?.step === name && name !== "Pause") last.parts.push(step);
    else begun.push({ key: step.number, step: name, parts: [step] });
  }
  const ended = order && order.execution !== "Running";
  const undoing = begun.some((tile) => tile.undoing);
  if (ended || undoing) return begun;
  const known = begun.filter((tile) => STEPS.includes(tile.step) && tile.step !== "SupplierOrder");
  const shipped = known.at(-1)?.step === "Ship" && begun.at(-1)?.step === "SupplierOrder";
  const next = shipped ? STEPS.length : STEPS.indexOf(known.at(-1)?.step) + 1;
  const ahead = STEPS.slice(next).map((step) => ({ key: `ahead-${step}`, step, parts: [] }));
  return [...begun, ...ahead];
}

function createTile() {
  const tile = el("li", { className: "tile" });
  for (const name of ["glyph", "name", "state", "detail", "worker"]) {
    tile.append(el("span", { className: name }));
  }
  tile.firstElementChild.role = "img";
  return tile;
}

function updateTile(element, tile) {
  const step = current(tile);
  const kind = tileKind(tile, step);
  const attempt = step?.attempts ?? 0;
  mark(element, { kind, step: tile.step, attempt, found: step?.found || undefined });
  const [glyph, name, stateLine, detail, worker] = element.children;
  say(glyph, GLYPHS[kind]);
  glyph.ariaLabel = kind;
  say(name, stepName(tile.step, step?.about));
  mark(stateLine, { until: untilOf(tile, step), wait: step?.endsAt !== undefined });
  stateLine.dataset.text = stateText(tile, step, kind);
  tellState(stateLine);
  const [text, tone] = detailText(tile, step, kind);
  say(detail, text);
  mark(detail, { tone });
  say(worker, workerText(step, kind));
  mark(worker, { from: step?.died });
}

const GLYPHS = { ahead: "○", running: "●", retrying: "↻", orphaned: "‖", done: "✓", failed: "✕", undone: "↶", undoing: "↶", skipped: "–" };

const isOver = ({ state }) => state === "completed" || state === "skipped";

/** Of several parts, the one to look at. */
function current({ parts }) {
  const order = ["failed", "retrying", "running", "completed", "skipped"];
  return parts.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state))[0];
}

function tileKind({ undoing }, step) {
  if (undoing) return undoing.state === "completed" ? "undone" : "undoing";
  if (!step) return "ahead";
  if (step.state === "completed") return "done";
  if (step.state === "skipped") return "skipped";
  if (step.state === "failed") return "failed";
  if (step.workerGone) return "orphaned";
  return step.state === "retrying" ? "retrying" : "running";
}

function untilOf({ undoing }, step) {
  if (undoing) return undefined;
  if (step?.state === "retrying") return step.nextAttemptAt;
  return step?.state === "running" ? step.endsAt : undefined;
}

function stateText({ undone, undoing, parts }, step, kind) {
  if (kind === "undone") return undone;
  if (kind === "undoing") return `undoing, attempt ${Math.max(1, undoing.attempts)}`;
  if (kind === "ahead") return "";
  const several = parts.length > 1 ? `${parts.filter(isOver).length} of ${parts.length} · ` : "";
  if (kind === "orphaned") return "remembered by the server";
  if (kind === "failed") return "failed for good";
  if (kind === "skipped") return "skipped";
  if (kind === "done") {
    const attempts = step.attempts > 1 ? `attempt ${step.attempts}` : "";
    return several + (attempts || (step.tookMs !== undefined ? took(step.tookMs) : ""));
  }
  if (kind === "retrying") return `${several}attempt ${Math.max(1, step.attempts)}`;
  return several + (step.attempts > 1 ? `attempt ${step.attempts}` : "");
}

/** Tells a state with the time that is left, which changes by itself. */
export function tellState(element) {
  const { text, until, wait } = element.dataset;
  const rest = until ? left(until) : "";
  say(element, [text, rest && (wait ? `${rest} left` : `next in ${rest}`)].filter(Boolean).join(", "));
}

/** The effect of each step that has one, as the ledger and the counters call it. */
const EFFECTS = { PrepareShipment: "reserved", Charge: "charged", Ship: "shipped", SupplierOrder: "restocked" };

function detailText(tile, step, kind) {
  const { undoing } = tile;
  if (undoing) return [undoing.confirmation ?? undoing.error ?? undoing.remark ?? "", "plain"];
  if (!step) return ["", "plain"];
  if (kind === "done" && step.found) {
    return [`found, not ${EFFECTS[tile.step] ?? "done"} again`, "found"];
  }
  if (kind === "done" || kind === "skipped") return [step.confirmation ?? step.remark ?? stockText(step.stock), "plain"];
  if (kind === "orphaned") return [alreadyText(step), "plain"];
  return [step.error ?? "", "error"];
}

/** What the ledger has of a step whose worker died before it could report it. */
function alreadyText({ step }) {
  const effect = EFFECTS[step];
  return state.order.proof[effect] ? `${effect}, but never reported` : "";
}

function stockText(stock) {
  return stock ? `${stock.before.toLocaleString("en")} → ${stock.after.toLocaleString("en")}` : "";
}

/** Who is at a step or did it, and who died at it before. */
function workerText(step, kind) {
  if (!step?.worker || kind === "ahead") return "";
  const worker = (nameOf(step.worker) ?? shortIdentity(step.worker)).replaceAll(" ", "\u00a0");
  if (kind === "orphaned") return `✕ ${worker}`;
  return step.died ? `✕ ${step.died} → ${worker}` : worker;
}
