// One sentence for the last row: what happened, said only of what the server and the ledger show.

import { say } from "./dom.js";
import { actInView, nameOf, state } from "./store.js";
import { count, statusWords, stepName } from "./words.js";

/** Builds the headline. */
export function headline(element) {
  return function update() {
    const [kind, text] = sentence();
    element.dataset.kind = kind;
    say(element, text);
  };
}

function sentence() {
  if (state.connected === null) return ["plain", "Connecting…"];
  if (!state.connected) return ["bad", "This page has lost the program behind it, and shows what was last known. Start the program again, and the page goes on."];
  const { temporal, inventory, workers } = state.reach;
  const dead = state.stage?.processes.find((it) => it.kind === "server" && it.state !== "alive");
  if (dead || temporal) return ["bad", "The Temporal server is down. Every order is safe on its disk."];
  if (inventory) return ["bad", `The inventory cannot be read: ${inventory}`];
  const act = actInView();
  if (act) return [act.shown === undefined ? "plain" : act.shown ? "good" : "bad", act.text];
  if (state.order) return ofOrder(state.order);
  const kill = state.stage ? ", kill the worker that processes it, and see what becomes of it." : ", and watch it.";
  return workers ? ["bad", "No worker is running. Orders wait for one."] : ["plain", `Place an order${kill}`];
}

function ofOrder(order) {
  const paidOnce = order.proof.charged === 1;
  const steps = order.steps;
  const running = order.execution === "Running";
  const orphan = steps.find((step) => step.workerGone);
  if (running && orphan) {
    const name = unbroken(nameOf(orphan.worker) ?? "Its worker");
    return ["bad", `${name} died during “${stepName(orphan.step)}”. The server remembers the order.`];
  }
  const found = steps.find((step) => step.found && step.step === "Charge");
  if (found && paidOnce && order.status === "Completed") {
    return ["good", paidOnceInSpite(found)];
  }
  const retrying = steps.find((step) => step.state === "retrying");
  if (running && retrying) return ["waiting", `“${stepName(retrying.step)}” failed: ${retrying.error}. It is tried again.`];
  if (running && order.waiting) return ["waiting", `The order waits for ${order.waiting.what}. No process has to stay alive for it.`];
  if (running && state.reach.workers) return ["waiting", "No worker is running. The order waits for one, and is not lost."];
  if (running && order.status === "Undoing") return ["waiting", "Everything is being undone, last step first."];
  if (found && paidOnce && running) {
    return ["good", `${workerName(found)} found the charge, and did not charge again.`];
  }
  if (running) return ["plain", `${order.orderID} is under way.`];
  if (order.status === "Completed" && paidOnce) return ["good", "Reserved once, charged once, shipped once."];
  if (order.status === "Duplicate") return ["good", duplicate(order)];
  if (order.status === "Cancelled") return ["plain", undone(order)];
  if (order.status === "Rejected") return ["plain", "It was not approved, and nothing was charged."];
  if (order.status === "Failed") return ["bad", `It failed for good. ${undone(order)}`];
  return ["plain", `${order.orderID}: ${statusWords(order.status)}.`];
}

const workerName = (step) => unbroken(nameOf(step.worker) ?? "A worker");

/** A name that is not broken between two lines. */
const unbroken = (name) => name.replaceAll("-", "\u2011");

function paidOnceInSpite(found) {
  return found.died
    ? `${unbroken(found.died)} died. The order did not. ${workerName(found)} found the charge: the customer paid once.`
    : `An earlier attempt had charged. ${workerName(found)} found that: the customer paid once.`;
}

/** Whoever uses an ID again for something else may not expect that nothing happens. */
function duplicate({ items, first }) {
  const listed = (items) => items.map((it) => `${count(it.quantity, "unit")} of product ${it.productID}`).join(", ");
  return first && listed(first) !== listed(items)
    ? `This ID was used before, for ${listed(first)}. That order counts, and nothing happened again.`
    : "It was placed before, so nothing happened again.";
}

function undone(order) {
  const { reserved, charged, shipped } = order.proof;
  return reserved || charged || shipped ? "Everything that it had done was undone." : "There was nothing to undo.";
}
