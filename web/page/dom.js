// Makes and changes elements. Text is only ever set as text, so nothing that an order says becomes markup.

/** Creates an element with properties, attributes (after `attr`) and children. */
export function el(tag, properties = {}, ...children) {
  const { attr = {}, data = {}, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(attr)) element.setAttribute(name, value);
  Object.assign(element.dataset, data);
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Creates an SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets a text if it changed, so that animations and selections are left alone. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets `data-…` attributes; `undefined` takes one away. */
export function mark(element, values) {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === false) delete element.dataset[name];
    else if (element.dataset[name] !== String(value)) element.dataset[name] = value;
  }
}

/** Shows or hides. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/**
 * Keeps one child for each item, in the items' order: creates, moves and removes children, and leaves the
 * others where they are.
 */
export function each(parent, items, key, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = known.get(name);
    if (child) known.delete(name);
    else {
      child = create(item);
      child.dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const child of known.values()) child.remove();
}
