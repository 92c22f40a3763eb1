// A slide's content `box` inside its `frame`: shrunk until nothing is cut off; where there is room, its figures grow.
// `largest` is the scale at which a slide of 1280 x 720 fills the frame.
function fitBox(box, frame, largest) {
  const room = frame.getBoundingClientRect();
  const right = (element) => element.getBoundingClientRect().right;
  const fits = (zoom, figures = 1) => {
    box.style.zoom = zoom;
    box.style.width = frame.offsetWidth / zoom + "px";
    box.style.setProperty("--figure", figures);
    const wide = Math.max(right(box), ...[...box.querySelectorAll("figure, pre, table, .dl-player")].map(right));
    return box.getBoundingClientRect().height <= room.height + 0.5 && wide <= room.right + 0.5;
  };
  if (fits(largest)) return void [1.8, 1.5, 1.25, 1].find((figures) => fits(largest, figures));
  let small = largest * 0.3, large = largest;
  while (large - small > 0.01) fits((small + large) / 2) ? (small = (small + large) / 2) : (large = (small + large) / 2);
  fits(small);
}
