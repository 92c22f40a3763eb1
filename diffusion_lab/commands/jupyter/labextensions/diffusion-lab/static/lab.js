// What this course asks of JupyterLab beside its settings: a page that holds still, and slides that turn one by one.
// Written by hand as the "remote entry" that JupyterLab's loader expects, so that nothing needs to be built.
(() => {
  "use strict";
  const here = document.currentScript.src;
  let shared; // the modules of JupyterLab, by name and version

  async function activate(app) {
    const { shell, commands } = app;
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("lab.css", here) }));
    const [found] = Object.values(shared["@jupyterlab/notebook"]);
    const { NotebookActions } = (await found.get())();
    NotebookActions.executionScheduled.connect((_, { cell }) => {
      ran.add(cell.model);
      working(cell);
    });
    NotebookActions.executed.connect((_, { cell }) => done(cell));
    new MutationObserver(named).observe(document.body, { childList: true, subtree: true });
    const notebook = () => shell.currentWidget?.content;

    // "Run All" marks the last cell and would scroll to it: the quiz, before anything was seen.
    commands.commandExecuted.connect((_, { id }) => {
      if (id === "notebook:run-cell-and-select-next") pastNotes(notebook());
      if (id !== "notebook:run-all-cells" || !notebook()) return;
      notebook().activeCellIndex = 0;
      notebook().scrollToItem(0, "start").catch(() => {});
    });
    commands.addCommand("slides:turn", { label: "Turn the Slides", execute: ({ by }) => turn(notebook(), by) });
    commands.addCommand("slides:run", {
      label: "Run the Marked Cell of a Slide, or Its First One, and What It Needs",
      execute: async () => {
        if (!runnable(notebook())) return;
        const panel = shell.currentWidget, { cells, active } = slideOf(notebook());
        working(cells[active]);
        for (const cell of cells.slice(0, active + 1).filter(runs))
          if (cell === cells[active] || !ran.has(cell.model))
            await NotebookActions.runCells(panel.content, [cell], panel.sessionContext);
      },
    });
    app.restored.then(() => {
      shell.collapseLeft?.();
      shell.currentChanged.connect((_, { newValue }) => opened(newValue, commands));
      opened(shell.currentWidget, commands);
    });
  }

  // A notebook opens on its title, and Shift+Enter would walk over words: what it runs first is marked instead.
  const met = new WeakSet();

  async function opened(panel, commands) {
    await panel?.context?.ready;
    await panel?.revealed;
    const notebook = panel?.content;
    if (!notebook?.widgets || met.has(panel)) return;
    met.add(panel);
    if (notebook.widgets.some(staged)) return present(panel, commands);
    const first = notebook.widgets.findIndex((cell) => cell.model.type === "code");
    if (notebook.activeCellIndex === 0 && first > 0) notebook.activeCellIndex = first;
  }

  // Nothing is seen of a speaker's notes, so no key stops at them.
  function pastNotes(notebook) {
    const notes = (cell) => cell?.model.type === "markdown" && cell.model.sharedModel.getSource().startsWith("<!-- speaker notes");
    while (notes(notebook?.widgets[notebook.activeCellIndex + 1] && notebook.activeCell)) notebook.activeCellIndex += 1;
  }

  // The handle of a widget's slider is called as the slider is.
  function named() {
    for (const handle of document.querySelectorAll(".noUi-handle:not([aria-label])")) {
      const label = handle.closest(".widget-slider")?.querySelector(".widget-label");
      if (label?.textContent) handle.setAttribute("aria-label", label.textContent);
    }
  }

  // While a cell waits or runs it says so, and its output keeps the height that it had or has reached.
  const held = new WeakMap();

  function working(cell) {
    const box = cell.node.querySelector(".jp-Cell-outputWrapper"), area = cell.outputArea?.node;
    if (!box || !area) return;
    held.get(cell)?.disconnect();
    let height = 0;
    cell.node.style.boxSizing = "border-box";
    cell.node.style.minHeight = cell.node.offsetHeight + "px";
    const keep = () => {
      height = Math.max(height, area.offsetHeight);
      box.style.minHeight = height + "px";
    };
    const sizes = new ResizeObserver(keep);
    height = box.offsetHeight;
    keep();
    sizes.observe(area);
    held.set(cell, sizes);
    cell.addClass("dl-working");
  }

  async function done(cell) {
    const sizes = held.get(cell);
    cell.removeClass("dl-working");
    await Promise.allSettled([...cell.node.querySelectorAll(".jp-OutputArea img")].map((image) => image.decode()));
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    if (!sizes || held.get(cell) !== sizes) return; // it runs again
    sizes.disconnect();
    held.delete(cell);
    for (const node of [cell.node, cell.node.querySelector(".jp-Cell-outputWrapper")]) node.style.minHeight = "";
  }

  // Slides. Which cells are on one is told by their metadata, as the Deck mode reads it.
  const begins = (cell) => cell.model.getMetadata("slideshow")?.slide_type === "slide";
  const staged = (cell) => cell.model.id === "dl-stage";
  const runs = (cell) => cell.model.type === "code" && !staged(cell);
  const hidden = (cell) => cell.model.getMetadata("slideshow")?.slide_type === "skip";
  let begun = false, ran = new WeakSet(); // what this kernel has run: a cell needs those above it, hidden ones too

  function present(panel, commands) {
    if (begun) return;
    begun = true;
    panel.sessionContext.statusChanged.connect((_, status) => {
      if (["restarting", "autorestarting", "dead"].includes(status)) ran = new WeakSet();
    });
    commands.execute("deck:start"); // also where the slides were left before the page was loaded again
  }

  function slideOf(notebook) {
    const cells = notebook.widgets, active = notebook.activeCellIndex;
    const first = cells.findLastIndex((cell, i) => i <= active && begins(cell));
    const next = cells.findIndex((cell, i) => i > Math.max(0, first) && begins(cell));
    return { cells, active, first: Math.max(0, first), end: next < 0 ? cells.length : next, last: next < 0 };
  }

  function turn(notebook, by) {
    if (!notebook?.widgets) return;
    const { cells, first, end, last } = slideOf(notebook);
    notebook.mode = "command";
    const target = by > 0 ? (last ? first : end) : cells.findLastIndex((cell, i) => i < first && begins(cell));
    notebook.activeCellIndex = Math.max(0, target);
    notebook.activeCell.node.focus({ preventScroll: true });
  }

  // Marks what Shift+Enter runs: the marked cell, or where words are marked, the first code cell of their slide.
  function runnable(notebook) {
    const { cells, active, first, end } = slideOf(notebook);
    const shown = (cell) => runs(cell) && !hidden(cell);
    if (shown(cells[active])) return true;
    const found = cells.findIndex((cell, i) => i >= first && i < end && shown(cell));
    if (found < 0) return false;
    notebook.activeCellIndex = found;
    return true;
  }

  const plugin = { id: "diffusion-lab:lab", autoStart: true, activate };
  (window._JUPYTERLAB ??= {})["diffusion-lab"] = {
    init(modules) { shared = modules; },
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
