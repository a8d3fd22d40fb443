// The text of an induction explorer: click on a token, or move to it with the arrow keys, and its
// earlier copies and what followed them are marked. Python says which they are.

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 };

function render({ model, el }) {
  const strip = document.createElement("div");
  strip.className = "mechcourse-tokens mechcourse-followers";
  strip.tabIndex = 0;
  strip.setAttribute("role", "listbox");
  strip.setAttribute(
    "aria-label",
    "Tokens: the arrow keys move, n and p go to the next and previous one that came before",
  );
  strip.dataset.lmSuppressShortcuts = "true"; // the keys belong to us, not to the notebook
  el.append(strip);
  const size = () => model.get("texts").length;

  function paint() {
    const chosen = model.get("selected");
    const [copies, followers] = [model.get("copies"), model.get("followers")];
    const repeated = new Set(model.get("repeated"));
    [...strip.children].forEach((token, i) => {
      const is = {
        chosen: i === chosen,
        copy: copies.includes(i),
        follower: followers.includes(i),
        last: followers.length > 0 && i === followers.at(-1),
        repeated: repeated.has(i),
      };
      for (const [name, on] of Object.entries(is)) token.classList.toggle(name, on);
      token.setAttribute("aria-selected", is.chosen);
      const said = [is.copy && "an earlier copy", is.follower && "followed an earlier copy"];
      token.title = [`position ${i}`, ...said.filter(Boolean)].join(", ");
    });
    const at = strip.children[chosen];
    if (at) strip.setAttribute("aria-activedescendant", at.id);
  }

  function choose(i) {
    if (i < 0 || i >= size()) return;
    model.set("selected", i);
    model.save_changes();
  }

  function rebuild() {
    const id = `mechcourse-${Math.random().toString(36).slice(2)}`;
    strip.replaceChildren(
      ...model.get("texts").map((text, i) => {
        const token = document.createElement("span");
        token.id = `${id}-${i}`;
        token.textContent = text;
        token.setAttribute("role", "option");
        token.addEventListener("click", () => choose(i));
        return token;
      }),
    );
    paint();
  }

  strip.addEventListener("keydown", (event) => {
    const chosen = model.get("selected");
    const repeated = model.get("repeated");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in STEPS) choose(chosen + STEPS[event.key]);
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(size() - 1);
    else if (event.key === "n") choose(repeated.find((i) => i > chosen) ?? chosen);
    else if (event.key === "p") choose(repeated.findLast((i) => i < chosen) ?? chosen);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  model.on("change:texts", rebuild);
  for (const name of ["selected", "copies", "followers", "repeated"]) {
    model.on(`change:${name}`, paint);
  }
  rebuild();
}

export default { render };
