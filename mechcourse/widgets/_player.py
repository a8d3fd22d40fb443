"""A button that counts: ipywidgets' own player has buttons without names."""

import anywidget
import traitlets

SCRIPT = """
function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "jupyter-widgets jupyter-button widget-button mechcourse-player";
  button.style.width = "80px";
  el.appendChild(button);
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  const count = (value) => {
    model.set("value", value);
    model.save_changes();
  };
  const tick = () => {
    const next = model.get("value") + 1;
    if (next <= model.get("max")) count(next);
    if (next >= model.get("max")) stop();
  };
  button.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (model.get("value") >= model.get("max")) count(0);
    timer = setInterval(tick, model.get("interval"));
    button.textContent = "Stop";
  });
  stop();
  return stop;
}
export default { render };
"""


class Player(anywidget.AnyWidget):
    """A button, "Play", that raises `value` by 1 in equal times until it is `max`, or stopped.

    At the end it begins again at 0.
    """

    _esm = SCRIPT
    value = traitlets.Int(0).tag(sync=True)
    max = traitlets.Int(0).tag(sync=True)
    interval = traitlets.Int(500).tag(sync=True)  # milliseconds
