// Keeps the page up to date by server-sent events. Each event carries a current value, so a connection that
// broke needs no more than to be made again.

import { get, orderPath } from "./api.js";
import { change, state } from "./store.js";

const AGAIN_AFTER = 1000;
const LONG_HIDDEN = 20000;
const LEDGER_LINES = 100;

let everything = null;
let ofOrder = null;

/** Opens the stream of everything that is not one order. */
export function watchEverything() {
  everything?.close();
  everything = new EventSource("/api/events");
  const on = (name, take) => everything.addEventListener(name, (event) => take(JSON.parse(event.data)));
  everything.onopen = () => {
    change({ connected: true });
    if (!state.about) get("/api/about").then((about) => change({ about }), () => {});
  };
  everything.onerror = () => {
    change({ connected: false });
    again(everything, watchEverything);
  };
  on("orders", ({ orders, total, whole }) => {
    const known = whole ? new Map() : state.orders;
    for (const order of orders) known.set(order.orderID, order);
    change({ orders: known, total });
  });
  on("ledger", ({ lines, last }) => {
    const newest = state.ledger.at(-1)?.seq ?? 0;
    // An inventory that was replaced counts from the beginning.
    const kept = last < newest ? [] : state.ledger;
    const known = new Set(kept.map((line) => line.seq));
    const all = [...kept, ...lines.filter((line) => !known.has(line.seq))];
    change({ ledger: all.slice(-LEDGER_LINES) });
  });
  on("stock", (stock) => change({ stock: stock.products }));
  on("totals", (totals) => change({ totals }));
  on("reach", (reach) => change({ reach }));
  on("comparison", (comparison) => change({ comparison }));
  on("stage", (stage) => change({ stage }));
}

/** Shows another order, or none. */
export function watchOrder(id) {
  if (id !== state.viewed) change({ viewed: id, order: null, missing: null });
  ofOrder?.close();
  ofOrder = null;
  if (!id) return;
  const source = new EventSource(`${orderPath(id)}/events`);
  ofOrder = source;
  source.addEventListener("order", (event) => {
    change({ order: JSON.parse(event.data), missing: null });
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED && !state.order) {
      get(orderPath(id)).catch((error) => state.viewed === id && change({ missing: error.message }));
    }
    again(source, () => source === ofOrder && watchOrder(id));
  };
}

/** A browser gives up a stream that was answered with an error; a server that starts answers so. */
function again(source, open) {
  if (source.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_AFTER);
}

// After a closed lid, a connection may be dead without anybody having noticed.
let hiddenAt = null;
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenAt = Date.now();
  else if (hiddenAt && Date.now() - hiddenAt > LONG_HIDDEN) reconnect();
});
window.addEventListener("online", reconnect);

function reconnect() {
  watchEverything();
  watchOrder(state.viewed);
}
