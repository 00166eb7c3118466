// What can be taken away: figures as SVG and PNG, their tables as TSV, texts and references.
function saveText(text, name, type) {
  saveBlob(new Blob([text], { type }), name);
}

function saveBlob(blob, name) {
  const link = el("a", { download: name.replace(/[^\w.-]+/g, "-").slice(0, 110) });
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// A spreadsheet runs a cell that begins with one of these; an apostrophe marks it as text.
function safeCell(value) {
  if (value == null) return "NA";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "NA";
  const text = String(value).replace(/[\t\r\n]/g, " ");
  return /^\s*[=+\-@]/.test(text) && !Number.isFinite(Number(text)) ? `'${text}` : text;
}

function tsvOf(names, rows) {
  return [names.map(safeCell).join("\t"), ...rows.map((r) => r.map(safeCell).join("\t"))].join("\n") + "\n";
}

const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "fill-opacity", "font-size", "font-weight", "font-family", "text-anchor", "visibility"];

// A figure that stands alone: the page's styles are written into its elements.
function standalone(picture, marked = true) {
  const copy = picture.cloneNode(true);
  const [from, to] = [[picture, ...picture.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  from.forEach((node, k) => {
    const style = getComputedStyle(node);
    to[k].removeAttribute("style");
    for (const name of KEPT) if (node.tagName !== "svg") to[k].setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "role"]) to[k].removeAttribute(name);
  });
  const box = picture.viewBox.baseVal;
  const [wide, tall] = [box.width, box.height];
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", wide);
  copy.setAttribute("height", tall);
  copy.setAttribute("color", css("--ink"));
  const room = marked && guessNow() ? 18 : 0;
  if (room) {
    copy.append(svg("text", { x: box.x + 4, y: box.y + tall + 13, "font-size": 10, "font-family": "sans-serif", fill: css("--ink") }, clip(guessNow(), Math.floor(wide / 5.4))));
    copy.setAttribute("viewBox", `${box.x} ${box.y} ${wide} ${tall + room}`);
    copy.setAttribute("height", tall + room);
  }
  copy.prepend(svg("rect", { x: box.x, y: box.y, width: wide, height: tall + room, fill: css("--paper") }));
  return [new XMLSerializer().serializeToString(copy), wide, tall + room];
}

// A canvas's drawing is noted while it is drawn again, and told as SVG.
let recorder = null;
function recording(context, width, height) {
  if (!recorder) return context;
  const out = svg("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, width, height });
  recorder.pictures.push(out);
  let path = "";
  let moves = [];
  const saved = [];
  let done = false;
  const put = (tag, attributes, text) => { if (!done) out.append(svg(tag, { ...attributes, opacity: context.globalAlpha < 1 ? context.globalAlpha : null, transform: moves.join(" ") || null }, text)); };
  out.append(svg("rect", { x: 0, y: 0, width, height, fill: css("--paper") }));
  const notes = {
    fillRect: (x, y, w, h) => put("rect", { x: x.toFixed(2), y: y.toFixed(2), width: w.toFixed(2), height: h.toFixed(2), fill: context.fillStyle }),
    strokeRect: (x, y, w, h) => put("rect", { x, y, width: w, height: h, fill: "none", stroke: context.strokeStyle }),
    beginPath: () => { path = ""; },
    moveTo: (x, y) => { path += `M${x.toFixed(1)} ${y.toFixed(1)}`; },
    lineTo: (x, y) => { path += `L${x.toFixed(1)} ${y.toFixed(1)}`; },
    arc: (x, y, r) => { path += `M${(x - r).toFixed(1)} ${y.toFixed(1)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`; },
    fill: () => put("path", { d: path, fill: context.fillStyle }),
    stroke: () => put("path", { d: path, fill: "none", stroke: context.strokeStyle, "stroke-width": context.lineWidth }),
    fillText: (text, x, y) => put("text", {
      x, y, fill: context.fillStyle, "font-size": 12, "font-family": "sans-serif",
      "text-anchor": { center: "middle", right: "end" }[context.textAlign] || "start",
      "dominant-baseline": { middle: "middle", top: "hanging" }[context.textBaseline] || null,
    }, text),
    save: () => saved.push([...moves]),
    restore: () => { moves = saved.pop() || []; },
    translate: (x, y) => moves.push(`translate(${x} ${y})`),
    rotate: (a) => moves.push(`rotate(${(a * 180) / Math.PI})`),
    getImageData: () => { done = true; },
  };
  return new Proxy(context, {
    get(target, name) {
      const value = target[name];
      if (typeof value !== "function") return value;
      return (...given) => { notes[name]?.(...given); return value.apply(target, given); };
    },
    set(target, name, value) { target[name] = value; return true; },
  });
}

function pictureOf(figure) {
  const drawn = figure.holder.querySelector("svg");
  if (drawn) return standalone(drawn);
  recorder = { pictures: [] };
  try { figure.draw(figure.holder); } finally { var found = recorder.pictures; recorder = null; }
  figure.draw(figure.holder);
  if (!found.length) return null;
  const box = found[0].viewBox.baseVal;
  const names = [...figure.holder.querySelectorAll(".heat .names > *")];
  if (!names.length) return [new XMLSerializer().serializeToString(found[0]), box.width, box.height];
  // The heat map's names stand beside its canvas.
  const whole = svg("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `-230 0 ${box.width + 230} ${box.height}`, width: box.width + 230, height: box.height });
  whole.append(svg("rect", { x: -230, y: 0, width: box.width + 230, height: box.height, fill: css("--paper") }), ...found[0].childNodes);
  let y = 0;
  for (const name of names) {
    const tall = parseFloat(name.style.height);
    whole.append(svg("text", { x: -6, y: y + tall / 2 + 4, "text-anchor": "end", "font-size": 11, "font-family": "sans-serif", fill: css("--ink") }, name.textContent));
    y += tall;
  }
  return [new XMLSerializer().serializeToString(whole), box.width + 230, box.height];
}

function savePng(text, wide, tall, name) {
  const image = new Image();
  const scale = Math.max(2, Math.min(4, 2400 / wide));
  image.addEventListener("load", () => {
    const canvas = el("canvas", { width: Math.round(wide * scale), height: Math.round(tall * scale) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(image.src);
    canvas.toBlob((blob) => { if (blob) saveBlob(blob, name); }, "image/png");
  });
  image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
}

// The rows behind each figure, as the reader's choices have them.
const scoreRows = (names) => {
  const cohort = cohortNow();
  const table = tableNow();
  const tracks = Object.keys(cohort.tracks);
  return [["observation", ...tracks, ...names], cohort.observations.map((o, i) => [o, ...tracks.map((t) => cellOf(cohort.tracks[t], i)), ...names.map((n) => table.get(n)?.[i])])];
};
const recordRows = (rows) => (rows.length ? [Object.keys(rows[0]), rows.map((r) => Object.values(r))] : [[], []]);
const ROWS = {
  heatmap: () => scoreRows(chosenRows(state.rows)),
  strip: () => scoreRows([state.signature]),
  scatter: () => scoreRows([state.signature, state.other]),
  umap: () => { const p = cohortNow().embedding; const [names, rows] = scoreRows([state.signature]); return p ? [[...names, "x", "y"], rows.map((r, i) => [...r, p.x[i], p.y[i]])] : [names, rows]; },
  celltypes: () => recordRows(tableRows(cohortNow().tables.cells, (r) => r.method === state.method && r.signature === state.signature)),
  forest: () => recordRows(chosenRows(state.rows).flatMap((n) => associationsNow().get(n) || [])),
  null: () => recordRows(associationsNow().get(state.signature) || []),
  km: () => { const f = groupsNow(); return [["group", "days", "estimate", "at_risk"], f ? f.groups.flatMap((g) => productLimit(f.endpoint, g.members).steps.map((s) => [g.name, s.time, s.height, s.risk])) : []]; },
  meta: () => recordRows(tableRows(DATA.meta, (r) => r.method === state.method && r.endpoint === state.endpoint)),
  calibration: () => recordRows(predictedNow("calibration").rows),
  decision: () => recordRows(predictedNow("decision").rows),
  gsea: () => recordRows(tableRows(cohortNow().tables.gsea, (r) => String(r.comparison) === state.comparison)),
  correlation: () => { const names = leadsHere().filter((n) => tableNow().has(n)); return scoreRows(names); },
};

function saveButtons(picture, rows, name) {
  const button = (text, label, act) => el("button", { type: "button", class: "quiet save", "aria-label": label, onclick: act }, text);
  const title = () => `${DATA.run}-${name()}`;
  return el("span", { class: "saves" },
    button("SVG", `SVG of ${name()}`, () => { const p = picture(); if (p) saveText(p[0], `${title()}.svg`, "image/svg+xml"); }),
    button("PNG", `PNG of ${name()}`, () => { const p = picture(); if (p) savePng(...p, `${title()}.png`); }),
    button("TSV", `TSV of ${name()}`, () => saveText(tsvOf(...rows()), `${title()}.tsv`, "text/tab-separated-values")));
}

function buildSaves() {
  for (const figure of live) {
    const [name] = FIGURES.find((f) => f[1] === figure.draw);
    if (ROWS[name]) figure.root.querySelector("h3").append(saveButtons(() => pictureOf(figure), ROWS[name], () => [name, cohortNow().name, state.method].join("-")));
  }
  document.querySelectorAll("svg.pathway").forEach((map) => {
    const caption = map.parentElement.querySelector("figcaption");
    const k = Number(map.closest("[data-cohort]").dataset.cohort);
    caption.append(" ", saveButtons(() => standalone(map), () => recordRows(tableRows(DATA.boards[k])), () => `map-${DATA.cohorts[k].name}`));
  });
  document.querySelectorAll(".answer[data-cohort] table.board").forEach((table) => {
    const k = Number(table.closest("[data-cohort]").dataset.cohort);
    const note = table.closest(".scroll");
    note.after(saveButtons(() => boardPicture(table), () => recordRows(tableRows(DATA.boards[k])), () => `board-${DATA.cohorts[k].name}`));
  });
  for (const button of document.querySelectorAll("[data-cite]")) {
    const kind = button.dataset.cite;
    button.addEventListener("click", () => saveText(DATA.citations[kind], `${DATA.run}-references.${kind === "ris" ? "ris" : "bib"}`, "text/plain"));
  }
}

// The board is a table of texts and small pictures: both are laid out where they stand on the page.
function boardPicture(table) {
  const box = table.getBoundingClientRect();
  const out = svg("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${box.width} ${box.height}`, width: box.width, height: box.height });
  out.append(svg("rect", { x: 0, y: 0, width: box.width, height: box.height, fill: css("--paper") }));
  for (const row of table.querySelectorAll("tr")) { const r = row.getBoundingClientRect(); out.append(svg("line", { x1: 0, x2: box.width, y1: r.bottom - box.top, y2: r.bottom - box.top, stroke: css("--line") })); }
  for (const strip of table.querySelectorAll("svg")) {
    const r = strip.getBoundingClientRect();
    const [text] = standalone(strip, false);
    const inner = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    for (const [key, value] of [["x", r.left - box.left], ["y", r.top - box.top], ["width", r.width], ["height", r.height]]) inner.setAttribute(key, value);
    out.append(inner);
  }
  const walker = document.createTreeWalker(table, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.trim() || node.parentElement.closest("svg, .visually-hidden, .on-phone")) continue;
    const style = getComputedStyle(node.parentElement);
    for (const [line, r] of lines(node)) out.append(svg("text", { x: r.left - box.left, y: r.bottom - box.top - r.height * 0.24, fill: style.color, "font-size": style.fontSize, "font-weight": style.fontWeight, "font-family": style.fontFamily }, line));
  }
  return [new XMLSerializer().serializeToString(out), box.width, box.height];
}

function lines(node) {
  const out = [];
  const range = document.createRange();
  for (const word of node.data.matchAll(/\S+\s*/g)) {
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].trimEnd().length);
    const r = range.getBoundingClientRect();
    const last = out[out.length - 1];
    if (last && Math.abs(last[1].top - r.top) < 3) last[0] += word[0];
    else out.push([word[0], r]);
  }
  return out;
}
