// The presenter's script: scenes with what to say, one button each, and what came of it.

import { each, el, mark, say, show } from "./dom.js";
import { state } from "./store.js";

/** Builds the side panel. `play` is called with a scene's ID. */
export function scriptPanel(aside, play) {
  const busy = el("p", { className: "busy", attr: { role: "status" } });
  const list = el("ol", { className: "scenes" });
  aside.append(el("h2", { textContent: "Script" }), busy, list);
  return function update() {
    const { scenes = [], busy: what } = state.stage ?? {};
    say(busy, what ?? "");
    show(busy, Boolean(what));
    each(list, scenes, (it) => it.id, (scene) => create(scene, play), updateScene);
  };
}

function create(scene, play) {
  const button = el("button", { type: "button", textContent: scene.button, data: { scene: scene.id } });
  button.addEventListener("click", () => play(scene.id));
  return el(
    "li",
    {},
    el("h3", { textContent: scene.title }),
    el("p", { textContent: scene.say }),
    button,
    el("p", { className: "outcome" }),
  );
}

function updateScene(item, { outcome }) {
  const line = item.lastElementChild;
  mark(line, { shown: outcome && (outcome.shown ? "yes" : "no") });
  say(line, outcome ? `${outcome.shown ? "✓" : "✕"} ${outcome.text}` : "");
}
