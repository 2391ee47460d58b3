// One sentence for the last row: what happened, said only of what the server and the ledger show.

import { say } from "./dom.js";
import { isOrphaned } from "./order.js";
import { state, workerOf } from "./store.js";
import { UNDOES, stepName } from "./words.js";

/** Builds the headline. */
export function headline(element) {
  return function update() {
    const [kind, text] = sentence();
    element.dataset.kind = kind;
    say(element, text);
  };
}

function sentence() {
  if (!state.connected) return ["bad", "This page lost its server. It connects again by itself."];
  const { temporal, inventory, workers } = state.reach;
  const dead = state.stage?.processes.find((it) => it.kind === "server" && it.state !== "alive");
  if (dead || temporal) return ["bad", "The Temporal server is down. Every order waits on its disk."];
  if (inventory) return ["bad", `The inventory cannot be read: ${inventory}`];
  return ofOrder() ?? (workers ? ["bad", "No worker runs. Orders wait for one."] : ["plain", "Place an order. Kill what runs it. See what it costs."]);
}

function ofOrder() {
  const order = state.order;
  if (!order) return undefined;
  const paidOnce = order.proof.charged === 1;
  const steps = order.steps;
  const running = order.execution === "Running";
  const orphan = steps.find(isOrphaned);
  if (running && orphan) {
    const name = processName(orphan, "Its worker");
    state.died.set(`${order.orderID} ${orphan.number}`, name);
    return ["bad", `${name} died during “${stepName(orphan.step)}”. The server remembers the order.`];
  }
  const found = steps.find((step) => step.found && step.step === "Charge");
  if (found && paidOnce && order.status === "Completed") {
    return ["good", paidOnceInSpite(order, found)];
  }
  const retrying = steps.find((step) => step.state === "retrying");
  if (running && retrying) return ["waiting", `“${stepName(retrying.step)}” failed: ${retrying.error}. It is tried again.`];
  if (running && order.waiting) return ["waiting", `The order waits for ${order.waiting.what}. No process waits with it.`];
  if (running && state.reach.workers) return ["waiting", "No worker runs. The order waits for one, and is not lost."];
  if (running && order.status === "Undoing") return ["waiting", "Everything is being undone, last step first."];
  if (found && paidOnce && running) {
    return ["good", `${workerName(found)} found the charge, and did not charge again.`];
  }
  if (running) return ["plain", `${order.orderID} is under way.`];
  if (order.status === "Completed" && paidOnce) return ["good", "Reserved once, charged once, shipped once."];
  if (order.status === "Duplicate") return ["good", "It was placed before, so nothing happened again."];
  if (order.status === "Cancelled") return ["plain", undone(order)];
  if (order.status === "Rejected") return ["plain", "It was not approved, and nothing was charged."];
  if (order.status === "Failed") return ["bad", `It failed for good. ${undone(order)}`];
  return undefined;
}

const workerName = (step) => processName(step, "A worker");

/** A name that is not broken between two lines. */
function processName(step, unknown) {
  return workerOf(step.worker)?.name.replaceAll("-", "\u2011") ?? unknown;
}

function paidOnceInSpite(order, found) {
  const dead = state.died.get(`${order.orderID} ${found.number}`);
  return dead
    ? `${dead} died. The order did not. ${workerName(found)} found the charge: the customer paid once.`
    : `An earlier attempt had charged. ${workerName(found)} found that: the customer paid once.`;
}

function undone(order) {
  const undoing = order.steps.filter((step) => UNDOES[step.step] && step.state === "completed");
  return undoing.length ? "What was done is undone." : "There was nothing to undo.";
}
