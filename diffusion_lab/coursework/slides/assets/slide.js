// A slide's content `box` inside its `frame`, where `rolls` scrolls. At the scale `full` a slide of 1280 x 720 fills the
// frame. Where there is room, figures grow, or the words of a slide on which nothing will change; where there is none,
// words yield to a player, figures are shrunk a little, then all (letters down to 18 px, by the style sheet), until
// nothing is cut off. What a fold shows shrinks nothing: the slide scrolls (data-over). The style sheet divides by --zoom
// what must stay on every slide: the title's size and place. On paper all stops of a slider, and what
// stands for a player, are as large as there is room for, and words keep their size.
function fitBox(box, frame, full, { least = 0.4, rolls = frame, paper = false } = {}) {
  const room = frame.getBoundingClientRect();
  const right = (element) => element.getBoundingClientRect().right;
  const elsewhere = ".jp-Cell:not(.jp-deck-mod-visible)"; // JupyterLab keeps the cells of other slides in the same box
  const shown = (what) => [...box.querySelectorAll(what)].filter((element) => !element.closest(elsewhere));
  const fits = (zoom, figures = 1, words = 1, stops = 1) => {
    box.style.zoom = zoom * full;
    box.style.width = frame.offsetWidth / (zoom * full) + "px";
    box.style.setProperty("--zoom", zoom);
    box.style.setProperty("--figure", figures);
    box.style.setProperty("--words", words);
    box.style.setProperty("--stops", stops);
    const wide = Math.max(right(box), ...shown("figure, pre, table, .dl-player").map(right));
    return box.getBoundingClientRect().height <= room.height + 0.5 && wide <= room.right + 0.5;
  };
  const place = rolls.scrollTop;
  box.toggleAttribute("data-measured", true); // as if every fold were closed
  settle();
  box.toggleAttribute("data-measured", false);
  const over = box.getBoundingClientRect().height > room.height + 1;
  box.toggleAttribute("data-over", over);
  rolls.scrollTop = over ? place : 0;

  function largest(small, large, fit) {
    while (large - small > 0.01) {
      const middle = (small + large) / 2;
      if (fit(middle)) small = middle;
      else large = middle;
    }
    return fit(small);
  }

  function settle() {
    const many = paper && shown(".dl-stops, .dl-still, .dl-touch").length;
    if (many && [0.76, 0.68].some((words) => largest(0.05, 1.6, (stops) => fits(1, 1, words, stops)))) return;
    const wordsOnly = !shown("img, details, .dl-player, .dl-box, .jupyter-widgets").length;
    if (fits(1)) return void (wordsOnly ? [1.3, 1.2, 1.1, 1].find((zoom) => fits(zoom))
      : [1.8, 1.6, 1.4, 1.25, 1.1, 1].find((figures) => fits(1, figures)));
    const words = shown(".dl-player").length ? 0.68 : 1; // 19 px: a player's own letters have 18
    if (words < 1 && [0.86, 0.76, words].some((each) => fits(1, 1, each))) return;
    if ([0.92, 0.85].some((figures) => fits(1, figures))) return;
    largest(least, 1, (zoom) => fits(zoom, 0.85, words));
  }
}

// The way a key turns the slides whatever has the focus, 1 on and -1 back: a clicker's keys always, the right arrow
// where a slider or player has come to its last stop. 0: the key is for somebody else.
function turning(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return 0;
  if (event.key === "PageDown" || event.key === "PageUp") return event.key === "PageDown" ? 1 : -1;
  const handle = event.key === "ArrowRight" && event.target.closest?.("input[type=range], [role=slider]");
  if (!handle) return 0;
  const [now, last] = handle.matches("input") ? [handle.value, handle.max] : ["now", "max"].map((at) => handle.getAttribute("aria-value" + at));
  return Number(now) === Number(last) ? 1 : 0;
}

// Up and Down move a slide on which more was opened than it can hold. True where it moved.
function scrolls(event, frame) {
  const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!way || event.target.closest?.("input, textarea, select, .cm-editor, [role=slider]")) return false;
  const before = frame.scrollTop;
  frame.scrollTop += way * 120;
  return frame.scrollTop !== before;
}

// What was opened comes into sight: whole, or its beginning.
function reveal(fold, frame) {
  if (!fold.open) return;
  const tall = fold.getBoundingClientRect().height > frame.getBoundingClientRect().height * 0.9;
  fold.scrollIntoView({ block: tall ? "start" : "nearest" });
}

// A quiz on a slide: one question at a time, in large letters, and a button for each.
function oneByOne(where) {
  for (const quiz of where.querySelectorAll(".dl-quiz:not([data-now])")) {
    const questions = [...quiz.querySelectorAll("ol > li")];
    const bar = quiz.appendChild(document.createElement("div"));
    const show = (now) => {
      quiz.dataset.now = now;
      questions.forEach((question, i) => question.toggleAttribute("data-shown", i === now));
      [...bar.children].forEach((button, i) => button.setAttribute("aria-pressed", i === now));
      bar.dispatchEvent(new Event("toggle"));
    };
    bar.className = "dl-questions";
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Questions");
    questions.forEach((question, i) => {
      question.value = i + 1;
      const button = bar.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = `Question ${i + 1}`;
      button.addEventListener("click", () => show(i));
    });
    show(0);
  }
}
