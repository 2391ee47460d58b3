// All that the page knows, and who wants to hear of changes.

const listeners = [];

export const state = {
  about: null,
  /** Whether the stream of events is connected; null until the first attempt has ended. */
  connected: null,
  /** By order ID. */
  orders: new Map(),
  total: 0,
  ledger: [],
  stock: [],
  totals: null,
  reach: {},
  stage: null,
  comparison: null,
  /** The number of the act that this viewer has turned away from. */
  passed: null,
  /** Whether the presenter's script is shown. */
  withScript: false,
  /** The ID of the order in view, and the order itself once it is known. */
  viewed: null,
  order: null,
  /** Why the order in view cannot be shown. */
  missing: null,
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

/** What takes a while, while it is under way and until something else begins or this viewer turns away. */
export function actInView() {
  const act = state.stage?.act;
  return act && act.number !== state.passed ? act : undefined;
}

/** What the stage calls a worker, if it knows it. */
export function nameOf(identity) {
  return state.stage?.names[identity];
}
