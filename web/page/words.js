// What things are called on the page.

/** The five steps of every order. */
export const STEPS = ["CheckFraud", "PrepareShipment", "Charge", "Ship", "SupplierOrder"];

const NAMES = {
  CheckFraud: "Check fraud",
  PrepareShipment: "Prepare shipment",
  SupplierOrder: "Supplier order",
  LookUpItems: "Look up items",
  ShipItem: "Ship",
};

/** Which step each undoing takes back, and what that is called. */
export const UNDOES = {
  Recall: ["Ship", "recalled"],
  Refund: ["Charge", "refunded"],
  Release: ["PrepareShipment", "released"],
};

/** A step's name. A wait is named for what it waits for. */
export function stepName(step, about) {
  if (step === "Pause") return about ? about[0].toUpperCase() + about.slice(1) : "Pause";
  return NAMES[step] ?? step;
}

/** A status such as AwaitingApproval in words. */
export function statusWords(status = "") {
  const words = status.replace(/[()]/g, "").replace(/([a-z])([A-Z])/g, "$1 $2");
  return words ? words[0] + words.slice(1).toLowerCase() : "";
}

/** A number with its unit in the right form. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** The time until a moment, as 9:32 or 1.4 s; empty once it is over. */
export function left(until, now = Date.now()) {
  const seconds = (Date.parse(until) - now) / 1000;
  if (!(seconds > 0)) return "";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours} h ${minutes} min` : `${minutes}:${rest}`;
}

/** A duration in milliseconds, as 84 ms or 2.1 s. */
export function took(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** An order's ID without what most of them begin with, where there is little room. */
export function shortID(orderID) {
  return orderID.replace(/^order-/, "");
}

/** A worker as it calls itself, such as `order-management-worker 4711@host`, made short. */
export function shortIdentity(identity) {
  const found = /(\d+)@/.exec(identity);
  return found ? `worker ${found[1]}` : identity.slice(0, 24);
}
