// The dialogs: place an order, send it elsewhere, give a reason, and the keys.

import { UNREACHABLE } from "./api.js";
import { el, say } from "./dom.js";
import { state } from "./store.js";

/** A dialog with a form. `send` is called with the form's values, and its error is shown in the dialog. */
function dialog(title, fields, button, send) {
  const error = el("p", { className: "error", attr: { role: "alert" } });
  const submit = el("button", { type: "submit", textContent: button });
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", { textContent: title, id: `dialog-${++dialogs}` }),
    ...fields,
    error,
    el(
      "div",
      { className: "buttons" },
      submit,
      el("button", { type: "button", textContent: "Close", className: "quiet", onclick: () => box.close() }),
    ),
  );
  const box = el("dialog", { attr: { "aria-labelledby": `dialog-${dialogs}` } }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say(error, "");
    // The answer takes seconds while the server is down.
    submit.disabled = true;
    say(submit, "Waiting for the server…");
    try {
      await send(Object.fromEntries(new FormData(form)));
      box.close();
    } catch (refused) {
      say(error, refused instanceof TypeError ? UNREACHABLE : refused.message);
    }
    submit.disabled = false;
    say(submit, button);
  });
  document.body.append(box);
  return {
    form,
    open() {
      form.reset();
      say(error, "");
      box.showModal();
    },
  };
}

let dialogs = 0;

function field(name, label, properties = {}, input = el("input", { name, autocomplete: "off", ...properties })) {
  input.name = name;
  input.id = `field-${name}-${dialogs}`;
  return el("p", { className: "field" }, el("label", { htmlFor: input.id, textContent: label }), input);
}

/** The dialog that places an order. `place` takes the order as the API does. */
export function placeDialog(place) {
  const payment = el("select");
  const box = dialog(
    "Place an order",
    [
      el(
        "div",
        { className: "grid" },
        field("item", "Product", { defaultValue: "123456", required: true, maxLength: 100 }),
        field("quantity", "Units", { type: "number", min: 1, max: 4294967295, defaultValue: 100, required: true }),
        field("payment", "Payment", {}, payment),
        field("address", "Deliver to (optional)", { maxLength: 200, placeholder: "12 Main Street" }),
        field("more", "More items (optional)", { placeholder: "654321:2, 123456:1" }),
        field("orderID", "Order ID", { maxLength: 100, required: true }),
        field("pause", "Pause, in seconds (optional)", { type: "number", min: 0, max: 2419200 }),
        field("await", "Wait for an address, in seconds (optional)", { type: "number", min: 0, max: 2419200 }),
      ),
      el(
        "p",
        { className: "check" },
        el("input", { type: "checkbox", name: "approval", id: "field-approval" }),
        el("label", { htmlFor: "field-approval", textContent: "Needs a person's approval, within 10 minutes" }),
      ),
    ],
    "Place the order",
    (values) => place(newOrder(values)),
  );
  return {
    open() {
      const offered = state.about?.payments ?? [];
      payment.replaceChildren(...offered.map(({ label, value }) => el("option", { textContent: label, value })));
      box.open();
      // It is the idempotency key: if the answer is lost, the same form places the same order.
      box.form.elements.orderID.value = `order-${crypto.getRandomValues(new Uint32Array(1))[0] % 100_000_000}`;
    },
  };
}

function newOrder(values) {
  const seconds = (text) => (text ? Number(text) : undefined);
  return {
    orderID: values.orderID,
    item: values.item,
    quantity: Number(values.quantity),
    paymentInfo: values.payment,
    address: values.address || undefined,
    moreItems: moreItems(values.more),
    pauseSeconds: seconds(values.pause),
    awaitAddressSeconds: seconds(values.await),
    approval: values.approval ? { aboveQuantity: 0, withinSeconds: 600 } : undefined,
  };
}

function moreItems(text) {
  const items = text.split(",").map((item) => item.trim()).filter(Boolean);
  return items.map((item) => {
    const [product, quantity] = item.split(":");
    if (!(Number(quantity) > 0)) throw new Error(`“${item.slice(0, 40)}” is not PRODUCT:UNITS, as in 654321:2`);
    return { product: product.trim(), quantity: Number(quantity) };
  });
}

/** A dialog with one line of text. */
export function textDialog(title, label, button, properties, send) {
  const line = field("text", label, { required: true, ...properties });
  return dialog(title, [line], button, ({ text }) => send(text));
}

/** The dialog that explains the keys. */
export function keysDialog(keys) {
  const rows = keys.flatMap(([key, what]) => [el("dt", {}, el("kbd", { textContent: key })), el("dd", { textContent: what })]);
  return dialog("Keys", [el("dl", { className: "keys" }, ...rows)], "OK", () => {});
}
