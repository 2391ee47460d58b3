// What proves it: how often each effect happened, the sums of everything, the stock over time, and the ledger.

import { each, el, mark, say, show, svg } from "./dom.js";
import { actInView, change, state } from "./store.js";
import { count, shortID } from "./words.js";

const LINES_SHOWN = 12;

/** Builds the four counters, the stock and the ledger. */
export function proofPanel(aside) {
  const counters = el("dl", { className: "counters" });
  for (const name of ["reserved", "charged", "shipped", "undone"]) {
    counters.append(el("div", { data: { name } }, el("dt", { textContent: name }), el("dd")));
  }
  const stock = el("div", { className: "stock" });
  const ledger = el("ol", { className: "ledger", attr: { "aria-label": "The ledger's newest lines" } });
  const question = el("h2");
  aside.append(
    question,
    counters,
    el("h2", { textContent: "Units in stock" }),
    stock,
    el("h2", { textContent: "The ledger" }),
    ledger,
  );
  return function update() {
    const proof = state.order?.proof;
    say(question, state.order?.first ? "How often, in the first submission?" : "How often did it happen?");
    for (const counter of counters.children) {
      const times = proof?.[counter.dataset.name];
      say(counter.lastElementChild, times === undefined ? "–" : String(times));
      mark(counter, { times: times > 1 ? "many" : times });
    }
    each(stock, state.stock.slice(0, 3), (it) => it.productID, createStock, updateStock);
    each(ledger, state.ledger.slice(-LINES_SHOWN).toReversed(), (line) => line.seq, createLine, updateLine);
  };
}

function createLine(line) {
  const units = line.inStock === undefined ? "" : `→ ${line.inStock.toLocaleString("en")}`;
  return el(
    "li",
    { data: { change: line.change } },
    el("span", { className: "seq", textContent: line.seq }),
    el("span", { className: "change", textContent: line.change }),
    el("span", { className: "of", textContent: shortID(line.orderID) }),
    el("span", { className: "units", textContent: units }),
  );
}

function updateLine(element, line) {
  mark(element, { own: line.orderID === state.viewed });
}

function createStock({ productID }) {
  return el(
    "figure",
    {},
    el("figcaption", {}, el("span", { textContent: `product ${productID}` }), el("strong")),
    svg("svg", { viewBox: "0 0 300 48", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path", { class: "area" }), svg("path", { class: "line" })),
  );
}

function updateStock(figure, { inStock, history }) {
  say(figure.querySelector("strong"), inStock.toLocaleString("en"));
  const points = history.length ? history.map((it) => it.inStock) : [inStock];
  // The capacity is the picture's height, unless somebody put more on the shelf.
  const most = Math.max(10000, ...points);
  const across = (index) => (300 * index) / Math.max(1, points.length);
  const up = (units) => 46 - (44 * units) / most;
  let line = `M0 ${up(points[0])}`;
  points.forEach((units, index) => {
    line += `H${across(index).toFixed(1)}V${up(units).toFixed(1)}`;
  });
  line += "H300";
  figure.querySelector(".line").setAttribute("d", line);
  figure.querySelector(".area").setAttribute("d", `${line}V48H0Z`);
}

/** The sums of everything so far. */
export function totalsPanel(list) {
  const names = ["orders", "deaths", "retries", "lost", "doubled"];
  for (const name of names) {
    list.append(el("div", { data: { name } }, el("dt", { textContent: name }), el("dd", { textContent: "–" })));
  }
  return function update() {
    const totals = state.totals;
    for (const item of list.children) {
      const { name } = item.dataset;
      // The list is late, and the ledger does not tell of orders that only began.
      const orders = Math.max(state.total, totals?.orders ?? 0);
      const number = name === "orders" ? orders : totals?.[name];
      say(item.lastElementChild, number === undefined ? "–" : number.toLocaleString("en"));
      mark(item, { wrong: ["lost", "doubled"].includes(name) && number > 0 });
      if (name === "deaths") show(item, Boolean(state.stage));
    }
    const findings = totals?.findings ?? [];
    list.title = findings.length ? `The audit found: ${findings.join("; ")}` : totals ? "The audit found nothing wrong" : "";
    mark(list, { wrong: findings.length > 0 });
  };
}

/** The comparison with the same steps as plain function calls. */
export function comparisonPanel(section) {
  const title = el("h2");
  const sides = el("div", { className: "sides" });
  const close = el("button", { type: "button", textContent: "Close", className: "quiet" });
  close.addEventListener("click", () => change({ passed: state.comparison.act }));
  section.append(el("div", { className: "heading" }, title, close), sides);
  return function update() {
    const comparison = state.comparison;
    show(section, Boolean(comparison) && comparison.act === actInView()?.number);
    if (!comparison) return;
    const done = comparison.state === "done";
    say(title, `The same orders, ${count(comparison.kills, "kill")} on each side${done ? "" : " …"}`);
    const all = [
      ["with Temporal", comparison.temporal],
      ["plain function calls", comparison.plain],
    ];
    each(sides, all, ([name]) => name, createSide, updateSide);
  };
}

function createSide([name]) {
  return el(
    "div",
    { className: "side" },
    el("h3", { textContent: name }),
    el("div", { className: "meter" }, el("span", { className: "good" }), el("span", { className: "bad" })),
    el("p", { className: "result" }),
  );
}

function updateSide(side, [, { orders, completed, lost, doubled, chargedNotShipped }]) {
  const [, meter, result] = side.children;
  const share = (number) => `${(100 * number) / Math.max(1, orders)}%`;
  meter.children[0].style.width = share(completed);
  meter.children[1].style.width = share(lost);
  const paid = chargedNotShipped ? ` (${chargedNotShipped} paid)` : "";
  say(result, `${completed} of ${orders} completed · ${lost} lost${paid} · ${doubled} doubled`);
}
