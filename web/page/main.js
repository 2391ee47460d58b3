// Puts the page together: its address, its panels, its keys.

import { UNREACHABLE, orderPath, post } from "./api.js";
import { buildsPanel } from "./builds.js";
import { el, say, show } from "./dom.js";
import { fieldPanel } from "./field.js";
import { headline } from "./headline.js";
import { orderPanel, tellState } from "./order.js";
import { keysDialog, placeDialog, textDialog } from "./place.js";
import { processPanel } from "./processes.js";
import { comparisonPanel, proofPanel, totalsPanel } from "./proof.js";
import { scriptPanel } from "./script.js";
import { change, onChange, state } from "./store.js";
import { watchEverything, watchOrder } from "./streams.js";

const $ = (id) => document.getElementById(id);

const NOTICE_FOR = 12000;
const TICK = 100;

// The address: each order has one of its own.

function viewedByAddress() {
  const found = /^\/orders\/([^/]+)$/.exec(location.pathname);
  try {
    return found ? decodeURIComponent(found[1]) : null;
  } catch {
    return null;
  }
}

function open(id) {
  if (!id) return;
  change({ passed: state.stage?.act?.number ?? null });
  if (id === viewedByAddress()) return;
  history.pushState(null, "", `/orders/${encodeURIComponent(id)}`);
  watchOrder(id);
}

window.addEventListener("popstate", () => watchOrder(viewedByAddress()));

// What goes wrong is told at the bottom, and goes away.

let noticeTimer;

function notice(text) {
  say($("notice"), text);
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => say($("notice"), ""), NOTICE_FOR);
}

async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    notice(error instanceof TypeError ? UNREACHABLE : error.message);
    return undefined;
  }
}

// What the buttons do.

/** The orders as this page placed them, to place them again; the API never tells what one was paid with. */
const placed = new Map();

async function place(order) {
  const { orderID } = await post("/api/orders", order);
  placed.set(orderID, { ...order, orderID });
  open(orderID);
}

async function placeAgain() {
  const order = state.order;
  const [first, ...more] = order.items;
  const again = placed.get(order.orderID) ?? {
    orderID: order.orderID,
    item: first.productID,
    quantity: first.quantity,
    moreItems: more.map((it) => ({ product: it.productID, quantity: it.quantity })),
    paymentInfo: state.about.payments[0].value,
    address: order.address,
  };
  await place(again);
  watchOrder(order.orderID);
}

const tell = (what, body) => post(`${orderPath(state.viewed)}/${what}`, body);

const stopDialog = (what, title, button) =>
  textDialog(title, "Why? (optional)", button, { maxLength: 300, required: false }, (reason) => tell(what, { reason: reason || undefined }));

const dialogs = {
  place: placeDialog(place),
  address: textDialog("Change the address", "Deliver to", "Send", { maxLength: 200, placeholder: "12 Main Street" }, (address) =>
    tell("address", { address }),
  ),
  reject: stopDialog("reject", "Reject the order", "Reject"),
  cancel: stopDialog("cancel", "Cancel the order", "Cancel the order"),
};

function ask(name) {
  if (name === "approve") return attempt(() => tell("approve", {}));
  if (name === "again") return attempt(placeAgain);
  return dialogs[name].open();
}

async function play(scene) {
  const playing = await attempt(() => post(`/api/stage/scenes/${scene}`));
  open(playing?.orderID);
}

const placeMany = (count) => attempt(() => post("/api/stage/orders", { count }));

// The bar at the bottom.

function bar(footer) {
  const button = (text, action, key, needsStage = false) => {
    const made = el("button", { type: "button", textContent: text, onclick: action, attr: { "aria-keyshortcuts": key } });
    footer.append(made);
    return [made, needsStage];
  };
  const buttons = [
    button("Place an order", () => dialogs.place.open(), "o"),
    button("10 orders", () => placeMany(10), "1", true),
    button("50 orders", () => placeMany(50), "5", true),
    button("200 orders", () => placeMany(200), "2", true),
    button("Without Temporal", () => attempt(() => post("/api/stage/comparison", { orders: 40, kills: 4 })), "w", true),
    button("Builds", () => $("builds").togglePopover(), "b", true),
    button("Script", toggleScript, "s", true),
    button("Save a report", () => location.assign("/api/stage/report"), "r", true),
    button("Keys", () => keys.open(), "?"),
  ];
  return () => buttons.forEach(([made, needsStage]) => show(made, !needsStage || Boolean(state.stage)));
}

function toggleScript() {
  const hidden = $("script").hidden;
  show($("script"), hidden);
  document.body.classList.toggle("with-script", hidden);
  (hidden ? $("script").querySelector("[data-scene]") : $("bar").querySelector("[aria-keyshortcuts=s]")).focus();
  change({ withScript: hidden });
}

// Keys: a letter each, where no text is being typed.

const KEYS = [
  ["o", "place an order"],
  ["1", "place 10 orders"],
  ["5", "place 50 orders"],
  ["2", "place 200 orders"],
  ["k", "kill the worker that makes the next charge, right after it"],
  ["x", "start every dead process"],
  ["w", "compare with plain function calls"],
  ["b", "show the builds, or hide them"],
  ["s", "show the script, or hide it"],
  ["r", "save a report"],
  ["?", "show the keys"],
];

const keys = keysDialog(KEYS);

const startDead = () =>
  attempt(async () => {
    const dead = state.stage?.processes.filter((it) => it.state === "dead") ?? [];
    for (const { name } of dead) await post(`/api/stage/processes/${name}/start`);
  });

/** Nobody knows which worker will make the next charge. The first one that does dies, and the others go on. */
const killAfterCharge = () =>
  attempt(async () => {
    const alive = state.stage.processes.filter((it) => it.kind === "worker" && it.state === "alive");
    for (const { name } of alive) await post(`/api/stage/processes/${name}/kill-after-charge`);
  });

const actions = { k: killAfterCharge, x: startDead };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, select, textarea")) return;
  const key = event.key.toLowerCase();
  const button = $("bar").querySelector(`[aria-keyshortcuts="${CSS.escape(key)}"]:not([hidden])`);
  const action = button ? () => button.click() : state.stage && actions[key];
  if (!action) return;
  // Otherwise a dialog that it opens would have the letter typed into its first field.
  event.preventDefault();
  action();
});

// The panels, each with what it is drawn from.

const panels = [
  [headline($("headline")), ["connected", "reach", "stage", "order", "viewed", "passed"]],
  [totalsPanel($("totals")), ["totals", "total", "stage"]],
  [scriptPanel($("script"), play, toggleScript), ["stage"]],
  [orderPanel($("order"), ask), ["order", "viewed", "missing", "stage"]],
  [processPanel($("processes"), attempt), ["stage", "connected"]],
  [buildsPanel($("builds"), attempt), ["stage", "orders"]],
  [comparisonPanel($("comparison")), ["comparison", "stage", "passed"]],
  [fieldPanel($("field"), open), ["orders", "order", "viewed", "withScript"]],
  [proofPanel($("proof")), ["order", "stock", "ledger", "viewed"]],
  [bar($("bar")), ["stage"]],
];

onChange((changed) => {
  for (const [update, needs] of panels) {
    if (needs.some((name) => changed.has(name))) update();
  }
  document.title = state.viewed ? `${state.viewed} · Orders` : "Orders";
  document.body.dataset.stage = state.stage ? "yes" : "no";
  document.body.dataset.current = state.connected === false ? "no" : "yes";
  if (!state.viewed && changed.has("orders")) showNewest();
});

/** Without an order in the address, the newest one is shown, and stays. */
function showNewest() {
  const newest = [...state.orders.values()].sort((a, b) => (a.placedAt ?? "").localeCompare(b.placedAt ?? "")).at(-1);
  if (newest) watchOrder(newest.orderID);
}

setInterval(() => {
  for (const element of document.querySelectorAll(".tile .state[data-until]")) tellState(element);
}, TICK);

for (const [update] of panels) update();
watchEverything();
watchOrder(viewedByAddress());
