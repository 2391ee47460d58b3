// The presenter's script: one scene at a time, with what to say, its button, and what came of it.

import { el, mark, say, show } from "./dom.js";
import { state } from "./store.js";

/** Builds the strip. `play` is called with a scene's ID, and `close` to hide the strip. */
export function scriptPanel(aside, play, close) {
  let shown = 0;
  const button = (text, label, action) => el("button", { type: "button", textContent: text, ariaLabel: label, onclick: action });
  const scene = el("select", { ariaLabel: "Scene" });
  const act = button("", null, () => play(act.dataset.scene));
  const line = el("p");
  const outcome = el("p", { className: "outcome", attr: { role: "status" } });
  const go = (to) => {
    shown = to;
    update();
  };
  const back = button("‹", "The scene before", () => go(shown - 1));
  const next = button("›", "The next scene", () => go(shown + 1));
  scene.addEventListener("change", () => go(scene.selectedIndex));
  aside.append(el("div", {}, back, scene, next, act, button("Hide the script", null, close)), line, outcome);

  function update() {
    const { scenes = [], act: underWay } = state.stage ?? {};
    if (!scenes.length) return;
    if (scene.length !== scenes.length) {
      scene.replaceChildren(...scenes.map(({ title }, index) => el("option", { textContent: `${index + 1}. ${title}` })));
    }
    const { id, say: what, button: text, outcome: found } = scenes[shown];
    scene.selectedIndex = shown;
    back.disabled = shown === 0;
    next.disabled = shown === scenes.length - 1;
    say(act, text);
    mark(act, { scene: id });
    say(line, what);
    mark(outcome, { shown: found && (found.shown ? "yes" : "no") });
    say(outcome, found ? `${found.shown ? "✓" : "✕"} ${found.text}` : underWay?.shown === undefined ? (underWay?.text ?? "") : "");
  }
  return update;
}
