// The workers and the server as cards: alive or dead, what each is doing, and the buttons to kill and start
// them. Beside them, the trouble that can be made.

import { post } from "./api.js";
import { each, el, mark, say, show } from "./dom.js";
import { state } from "./store.js";
import { shortID, stepName } from "./words.js";

/** Builds the panel. `attempt` carries out what a button does, and tells what went wrong. */
export function processPanel(section, attempt) {
  const cards = el("div", { className: "cards" });
  const later = el("div", { className: "later" });
  const trouble = troubleCard(attempt);
  section.append(cards, later, trouble.element);
  return function update() {
    show(section, Boolean(state.stage));
    if (!state.stage) return;
    const { processes } = state.stage;
    const fill = (place, shown) => each(place, shown, (it) => it.name, (it) => createCard(it, attempt), updateCard);
    fill(cards, processes.filter((it) => !isOfLaterBuild(it)));
    fill(later, processes.filter((it) => isOfLaterBuild(it) && it.state !== "unstarted"));
    show(later, later.hasChildNodes());
    trouble.update();
  };
}

/** Whether it is a worker of a build after the first, which has a smaller card. */
const isOfLaterBuild = ({ name }) => name.startsWith("build-");

function createCard({ name, kind }, attempt) {
  const path = `/api/stage/processes/${name}`;
  const button = (action, className, ...content) => {
    const made = el("button", { type: "button", className, data: { action } }, ...content);
    made.setAttribute("aria-label", `${made.textContent} ${name}`);
    made.addEventListener("click", () => attempt(() => post(`${path}/${action}`)));
    return made;
  };
  const buttons = [button("kill", "danger", "Kill"), button("start", "", "Start")];
  if (kind === "worker" && !isOfLaterBuild({ name })) {
    const verb = el("span", { className: "verb", textContent: "Kill " });
    buttons.splice(1, 0, button("kill-after-charge", "danger", verb, "after charge"));
  }
  return el(
    "article",
    { className: "card", attr: { "aria-label": name } },
    el("h2", { textContent: kind === "server" ? "server" : name }),
    el("span", { className: "pid" }),
    el("p", { className: "state" }),
    el("p", { className: "doing" }),
    el("div", { className: "buttons" }, ...buttons),
  );
}

const STATES = { unknown: "? not known", starting: "starting…", alive: "● alive", dead: "✕ dead" };

function updateCard(card, process) {
  const shown = state.connected === false ? { kind: process.kind, state: "unknown" } : process;
  mark(card, { state: shown.state, armed: shown.armed || undefined });
  const [, pid, stateLine, doing] = card.children;
  say(pid, shown.pid ? `pid ${shown.pid}` : shown.state === "unknown" ? "" : "no process");
  say(stateLine, shown.armed ? "◎ dies after a charge" : shown.byItself ? "✕ ended by itself" : STATES[shown.state]);
  say(doing, doingText(shown));
  const runs = process.state === "alive" || process.state === "starting";
  for (const button of card.querySelectorAll("button")) {
    const { action } = button.dataset;
    show(button, action === "start" ? !runs : runs);
    if (action === "kill-after-charge") button.disabled = process.armed;
  }
}

function doingText({ kind, state: is, doing, armed }) {
  if (is === "unknown") return "";
  if (kind === "server") return is === "dead" ? "keeps orders on disk" : "remembers every order";
  // Another worker may get the next one.
  if (armed && !doing) return "needs an order to charge";
  if (!doing) return is === "alive" ? "waiting for a step" : "";
  // The number alone fits beside the longest step.
  return `${stepName(doing.step)} · ${shortID(doing.orderID)}`;
}

/** The fault rate and the payment service. */
function troubleCard(attempt) {
  const slider = el("input", { type: "range", id: "fault-rate", min: 0, max: 90, step: 10 });
  const value = el("output", { className: "rate", htmlFor: "fault-rate" });
  const payments = el("button", { type: "button" });
  let held = false;
  slider.addEventListener("input", () => {
    held = true;
    say(value, `${slider.value} %`);
  });
  slider.addEventListener("change", async () => {
    await attempt(() => post("/api/stage/faults", { rate: Number(slider.value) / 100 }));
    held = false;
  });
  payments.addEventListener("click", () =>
    attempt(() => post("/api/stage/payments", { up: !state.stage.paymentsUp })),
  );
  const element = el(
    "article",
    { className: "card trouble", attr: { "aria-label": "Trouble to make" } },
    el("label", { htmlFor: "fault-rate", textContent: "faults" }),
    value,
    slider,
    payments,
  );
  function update() {
    const { faultRate, paymentsUp } = state.stage;
    if (!held) {
      slider.value = Math.round(faultRate * 100);
      say(value, `${Math.round(faultRate * 100)} %`);
    }
    mark(element, { payments: paymentsUp ? "up" : "down" });
    say(payments, paymentsUp ? "Take payments down" : "✕ Bring payments back");
  }
  return { element, update };
}
