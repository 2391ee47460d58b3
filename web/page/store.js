// All that the page knows, and who wants to hear of changes.

const listeners = [];

export const state = {
  about: null,
  /** Whether the stream of events is connected. */
  connected: false,
  /** By order ID. */
  orders: new Map(),
  total: 0,
  ledger: [],
  stock: [],
  totals: null,
  reach: {},
  stage: null,
  comparison: null,
  /** The ID of the order in view, and the order itself once it is known. */
  viewed: null,
  order: null,
  /** Why the order in view cannot be shown. */
  missing: null,
  /** What each worker's identity was called, also after the process has ended. */
  workers: new Map(),
  /** Which workers this page saw die at a step, by `ORDER NUMBER`. */
  died: new Map(),
};

/** Calls `listener` with the names of what changed, at most once for each picture on the screen. */
export function onChange(listener) {
  listeners.push(listener);
}

let pending = null;

/** Takes over new values. */
export function change(values) {
  Object.assign(state, values);
  if (!pending) {
    pending = new Set();
    // A hidden page draws no pictures.
    const draw = document.hidden ? (then) => setTimeout(then, 50) : requestAnimationFrame;
    draw(() => {
      const changed = pending;
      pending = null;
      for (const listener of listeners) listener(changed);
    });
  }
  for (const name of Object.keys(values)) pending.add(name);
}

/** What a worker is called here: by its process, if the stage knows it. */
export function workerOf(identity) {
  return state.workers.get(identity);
}
