// The builds of the workers: how many new orders each gets, and how many are under way on it. The panel lies over
// the page and stays there, so that the orders can be watched meanwhile.

import { post } from "./api.js";
import { each, el, mark, say, show } from "./dom.js";
import { state } from "./store.js";

/** A share of the new orders, in percent. */
const QUARTER = 25;
const ALL = 100;

/** Fills the panel. `attempt` carries out what a button does, and tells what went wrong. */
export function buildsPanel(panel, attempt) {
  const rows = el("ul");
  const close = el("button", { type: "button", textContent: "Close", className: "quiet", onclick: () => panel.hidePopover() });
  panel.append(el("div", { className: "heading" }, el("h2", { textContent: "Builds" }), close), rows);
  return function update() {
    if (!state.stage) return;
    each(rows, state.stage.builds, (it) => it.id, (it) => createRow(it, attempt), updateRow);
  };
}

function createRow({ id, hasBug }, attempt) {
  const button = (action, text, body, className = "") => {
    const made = el("button", { type: "button", textContent: text, className, data: { action } });
    made.setAttribute("aria-label", `${text}: build ${id}`);
    made.addEventListener("click", async () => {
      made.disabled = true;
      await attempt(() => post(`/api/stage/builds/${id}/${action}`, body));
      made.disabled = false;
    });
    return made;
  };
  return el(
    "li",
    { data: { build: id } },
    el("strong", { textContent: `Build ${id}${hasBug ? ", with a bug" : ""}` }),
    el("span", { className: "share" }),
    el("span", { className: "orders" }),
    el(
      "div",
      { className: "buttons" },
      button("start", "Start a worker"),
      button("deploy", "A quarter", { percent: QUARTER }),
      button("deploy", "All", { percent: ALL }),
      button("take-back", "Take back", undefined, "danger"),
    ),
  );
}

function updateRow(row, { id, runs, percent }) {
  const [, share, orders] = row.children;
  const [start, quarter, all, takeBack] = row.querySelectorAll("button");
  mark(row, { runs });
  say(share, runs ? `gets ${percent} % of the new orders` : "no worker");
  const own = [...state.orders.values()].filter((order) => order.build === id);
  const underWay = own.filter((order) => order.execution === "Running").length;
  say(orders, `${underWay} under way, ${own.length - underWay} ended`);
  show(start, !runs);
  // The build that gets all the others cannot get a share.
  show(quarter, runs && percent < QUARTER);
  show(all, runs && percent < ALL);
  show(takeBack, runs && id !== state.stage.builds[0].id && (percent > 0 || underWay > 0));
}
