// All orders as a field of small ones. Each fills up as it goes on; a click makes it the large one.

import { each, el, mark } from "./dom.js";
import { kindOf } from "./order.js";
import { state } from "./store.js";
import { statusWords } from "./words.js";

const MOST = 200;
/** Above the script there is room for two rows. */
const MOST_WITH_SCRIPT = 60;
const MARKS = { done: "✓", undone: "↶", failed: "✕", running: "" };

/** Builds the field. `open` is called with the ID of the order to show. */
export function fieldPanel(section, open) {
  const heading = el("h2");
  const field = el("ul", { className: "field" });
  section.append(heading, field);
  field.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(link.dataset.order);
  });
  return function update() {
    const known = new Map(state.orders);
    // The order in view is known sooner than the list.
    if (state.order && known.has(state.order.orderID)) known.set(state.order.orderID, state.order);
    const orders = [...known.values()].sort((a, b) => (a.placedAt ?? "").localeCompare(b.placedAt ?? ""));
    const shown = orders.slice(state.withScript ? -MOST_WITH_SCRIPT : -MOST);
    const running = shown.filter((order) => order.execution === "Running").length;
    heading.textContent = running ? `All orders · ${running} under way` : "All orders";
    mark(section, { many: shown.length > 30, crowd: shown.length > 120 });
    each(field, shown, (order) => order.orderID, create, updateOrder);
  };
}

function create({ orderID }) {
  const link = el("a", { href: `/orders/${encodeURIComponent(orderID)}`, data: { order: orderID } });
  return el("li", {}, link);
}

function updateOrder(item, order) {
  const link = item.firstElementChild;
  const kind = kindOf(order);
  mark(link, { kind, own: order.orderID === state.viewed });
  const filled = kind === "running" ? (order.percent ?? 0) : 100;
  link.style.setProperty("--filled", `${filled}%`);
  link.textContent = MARKS[kind];
  const build = order.build ? `, on build ${order.build}` : "";
  const name = `${order.orderID}: ${statusWords(order.status)}${build}`;
  if (link.title !== name) {
    link.title = name;
    link.setAttribute("aria-label", name);
  }
}
