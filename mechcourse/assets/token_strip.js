// The text of an attention explorer: hover over a token, or move to it with the arrow keys, and the
// others darken by the attention between them. It runs in the browser alone, so it follows at once.

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 };

function render({ model, el }) {
  const strip = document.createElement("div");
  strip.className = "mechcourse-tokens";
  strip.tabIndex = 0;
  strip.setAttribute("role", "listbox");
  strip.setAttribute("aria-label", "Tokens: the arrow keys move, Escape lets go of a held token");
  strip.dataset.lmSuppressShortcuts = "true"; // the arrow keys belong to us, not to the notebook
  const note = document.createElement("p");
  note.className = "mechcourse-note";
  note.setAttribute("aria-live", "polite");
  el.append(strip, note);

  let held = false;
  let weights = new Float32Array();
  const size = () => model.get("texts").length;
  const label = (i) => model.get("texts")[i].replaceAll("\n", "");

  function attention(i) {
    const n = size();
    const outward = model.get("direction") === "out";
    return Array.from({ length: n }, (_, j) => weights[outward ? i * n + j : j * n + i]);
  }

  function paint() {
    const n = strip.children.length;
    if (n !== size() || weights.length !== n ** 2) return; // the rest of a new text is to come
    const chosen = model.get("selected");
    const ok = chosen >= 0 && chosen < size();
    const seen = ok ? attention(chosen) : [];
    [...strip.children].forEach((token, i) => {
      const weight = ok ? seen[i] : 0;
      token.style.backgroundColor = `rgba(33, 102, 172, ${weight.toFixed(3)})`;
      token.classList.toggle("dark", weight > 0.5);
      token.classList.toggle("chosen", i === chosen);
      token.setAttribute("aria-selected", i === chosen);
    });
    strip.classList.toggle("held", held);
    if (ok) strip.setAttribute("aria-activedescendant", strip.children[chosen].id);
    note.textContent = ok ? sentence(chosen, seen) : "Hover over a token.";
  }

  function sentence(chosen, seen) {
    const outward = model.get("direction") === "out";
    const most = seen
      .map((weight, i) => [weight, i])
      .filter(([weight]) => weight >= 0.01)
      .sort((a, b) => b[0] - a[0])
      .slice(0, 5)
      .map(([weight, i]) => `“${label(i)}” at ${i}: ${weight.toFixed(2)}`);
    const says = outward ? "looks at" : "is looked at by";
    return `“${label(chosen)}” at ${chosen} ${says} ${most.join(", ") || "nothing above 0.01"}`;
  }

  function choose(i) {
    if (i < 0 || i >= size()) return;
    model.set("selected", i);
    model.save_changes();
  }

  function rebuild() {
    const id = `mechcourse-${Math.random().toString(36).slice(2)}`;
    held = false;
    strip.replaceChildren(
      ...model.get("texts").map((text, i) => {
        const token = document.createElement("span");
        token.id = `${id}-${i}`;
        token.textContent = text;
        token.setAttribute("role", "option");
        token.addEventListener("mouseenter", () => held || choose(i));
        token.addEventListener("click", () => {
          held = !(held && model.get("selected") === i);
          choose(i);
          paint();
        });
        return token;
      }),
    );
    reread();
  }

  function reread() {
    const view = model.get("pattern"); // a copy, since floats must start at a multiple of 4 bytes
    weights = new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    paint();
  }

  strip.addEventListener("keydown", (event) => {
    if (event.key in STEPS) choose(model.get("selected") + STEPS[event.key]);
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(size() - 1);
    else if (event.key === "Escape") held = false;
    else return;
    event.preventDefault();
    event.stopPropagation();
    paint();
  });
  model.on("change:texts", rebuild);
  model.on("change:pattern", reread);
  model.on("change:selected", paint);
  model.on("change:direction", paint);
  rebuild();
}

export default { render };
