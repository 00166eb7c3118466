// Figures. Each draws into its holder from the state and calls change() when it is used.
const DIVERGING = [[27, 79, 138], [74, 140, 196], [169, 203, 229], [247, 247, 247], [244, 177, 131], [217, 102, 43], [140, 45, 4]];
const BLUES = [[218, 230, 242], [156, 195, 227], [59, 131, 189], [11, 60, 107]];

const SHADES = new Map();
function shade(scale, share) {
  if (!SHADES.has(scale)) SHADES.set(scale, Array.from({ length: 257 }, (_, i) => mixed(scale, i / 256)));
  return SHADES.get(scale)[Math.round(Math.min(Math.max(share, 0), 1) * 256)];
}

function mixed(scale, share) {
  const at = share * (scale.length - 1);
  const k = Math.min(Math.floor(at), scale.length - 2);
  return `rgb(${scale[k].map((c, j) => Math.round(c + (at - k) * (scale[k + 1][j] - c))).join(",")})`;
}

function small(label, key, items) {
  const select = el("select", {}, ...items.map(([value, text]) => el("option", { value }, clip(text, 60))));
  select.value = state[key];
  if (select.selectedIndex < 0 && items.length) select.selectedIndex = 0;
  select.addEventListener("change", () => { change({ [key]: select.value }); });
  return el("label", {}, label, select);
}

function ticks(low, high, wanted = 5) {
  if (!(high > low)) return [low];
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const out = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) out.push(Number(v.toPrecision(12)));
  return out;
}

function nothing(holder, why) { holder.replaceChildren(el("p", { class: "missing" }, why)); }

function wideOf(holder) { return (holder.clientWidth || 560) < 480 ? 380 : 560; }

function surface(width, height, label) {
  const canvas = el("canvas", { role: "img", tabindex: "0", "aria-label": label });
  const ratio = Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.aspectRatio = `${width} / ${height}`;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.scale(ratio, ratio);
  context.font = `12px ${css("--sans")}`;
  return [canvas, recording(context, width, height)];
}

function levelColour(column, code) {
  return column.ordered ? shade(BLUES, 0.15 + (0.85 * code) / Math.max(column.levels.length - 1, 1)) : groupColour(column.levels[code], code);
}

function trackColour(column, i) {
  const value = cellOf(column, i);
  if (value == null) return css("--line");
  if (column.numbers) {
    if (isBinary(column)) return shade(BLUES, value);
    const kept = (column.range ??= finite(column.numbers.map((v) => v ?? NaN)));
    column.low ??= kept.reduce((a, b) => Math.min(a, b), Infinity);
    column.high ??= kept.reduce((a, b) => Math.max(a, b), -Infinity);
    return shade(BLUES, (value - column.low) / (column.high - column.low || 1));
  }
  return levelColour(column, column.codes[i]);
}

function sampleOrder() {
  const cohort = cohortNow();
  const all = [...cohort.observations.keys()];
  const kind = groupNow();
  const type = (i) => (kind ? kind.codes[i] : 0);
  const key = cohort.tracks[state.order];
  const scores = tableNow().get(state.signature);
  const value = key ? (i) => (key.numbers ? key.numbers[i] : key.codes[i]) ?? -1 : (i) => (scores ? scores[i] : i);
  return all.sort((a, b) => type(a) - type(b) || (value(a) || 0) - (value(b) || 0) || a - b);
}

function drawHeatmap(holder) {
  const cohort = cohortNow();
  const table = tableNow();
  if (!table.size) return nothing(holder, cohort.missing.scores || "There are no scores.");
  const rows = chosenRows(state.rows);
  const order = sampleOrder();
  const tracks = Object.keys(cohort.tracks).filter((t) => t !== "age" && !tooMany(cohort.tracks[t]) && !(cohort.unit === "cell" && t === "sample_type")).slice(0, 8);
  const focus = document.activeElement && holder.contains(document.activeElement) ? document.activeElement.dataset.row : null;
  const tools = el("div", { class: "tools" },
    small("Rows", "rows", [["leads", "One per branch, and confounders"], ["branch", "All of this branch"], ["all", "All signatures"]]),
    small(`Order ${cohort.unit}s by`, "order", [["signature", "the chosen signature"], ...Object.keys(cohort.tracks).filter((t) => t !== cohort.group && t !== "sample_type").map((t) => [t, t.replaceAll("_", " ")])]));
  const [high, thin] = [rows.length > 40 ? 13 : 17, 13];
  const top = tracks.length * thin + 6;
  const grid = el("div", { class: "heat" });
  const labels = el("div", { class: "names" });
  for (const t of tracks) labels.append(el("div", { style: `height:${thin}px;line-height:${thin}px` }, clip(t.replaceAll("_", " "), 30)));
  labels.append(el("div", { style: "height:6px" }));
  for (const name of rows) {
    labels.append(el("button", {
      type: "button", "data-row": name, "aria-pressed": name === state.signature, title: name, style: `height:${high}px;line-height:${high}px`,
      onclick: () => change({ signature: name }),
    }, clip(titled(name), 60)));
  }
  const place = el("div");
  grid.append(labels, place);
  holder.replaceChildren(tools, grid);
  if (focus) [...labels.querySelectorAll("button")].find((b) => b.dataset.row === focus)?.focus();
  const width = Math.max(place.clientWidth, 120);
  const height = top + rows.length * high + 8;
  const [canvas, c] = surface(width, height, `Heat map: ${rows.length} signatures by ${counted(order.length)}. Arrow keys read cells of the map, Enter selects.`);
  place.append(canvas);
  const cell = width / order.length;
  const wide = Math.max(cell, 1) + 0.4;
  tracks.forEach((t, k) => order.forEach((i, x) => { c.fillStyle = trackColour(cohort.tracks[t], i); c.fillRect(x * cell, k * thin, wide, thin - 2); }));
  const kinds = cohort.tracks.sample_type;
  const own = kinds?.levels.includes("tumour") ? (i) => kinds.levels[kinds.codes[i]] !== "normal" : null;
  const z = rows.map((name) => {
    const values = table.get(name);
    // The scale is that of the samples that are not normal tissue, so that their share moves no colour.
    const [mean, sd] = meanSd(values.filter((_, i) => !own || own(i)));
    return Float64Array.from(values, (v) => (v - mean) / (sd || 1));
  });
  z.forEach((values, k) => order.forEach((i, x) => {
    c.fillStyle = Number.isFinite(values[i]) ? shade(DIVERGING, (values[i] + 2.5) / 5) : css("--line");
    c.fillRect(x * cell, top + k * high, wide, high - 1);
  }));
  const split = groupNow();
  if (split) order.forEach((i, x) => { if (x && split.codes[i] !== split.codes[order[x - 1]]) { c.fillStyle = css("--paper"); c.fillRect(x * cell - 1.5, 0, 3, height); } });
  c.fillStyle = css("--mark");
  order.forEach((i, x) => { if (state.selected.has(i)) c.fillRect(x * cell, height - 7, wide, 6); });
  const base = c.getImageData(0, 0, canvas.width, canvas.height);
  const cursor = { x: 0, y: 0 };
  function read(x, y, px, py) {
    const i = order[x];
    const name = rows[y];
    const what = y >= 0 && name ? `${clip(name, 60)}: ${fmt(table.get(name)[i])} (${fmt(z[y][i], 2)} SD)\n` : "";
    showTip(what + describeSample(i), px, py);
  }
  function outline(x, y, from = null) {
    c.putImageData(base, 0, 0);
    c.strokeStyle = css("--ink");
    c.lineWidth = 1.5;
    if (from != null) c.strokeRect(Math.min(from, x) * cell, top - 1, (Math.abs(x - from) + 1) * cell, rows.length * high + 1);
    else if (y >= 0) c.strokeRect(x * cell - 0.5, top + y * high - 0.5, Math.max(cell, 3), high);
  }
  const where = (e) => {
    const box = canvas.getBoundingClientRect();
    const k = width / box.width;
    return [Math.min(order.length - 1, Math.max(0, Math.floor(((e.clientX - box.left) * k) / cell))), Math.floor(((e.clientY - box.top) * k - top) / high)];
  };
  let from = null;
  canvas.addEventListener("pointerdown", (e) => { if (e.button === 0) { from = where(e)[0]; canvas.setPointerCapture(e.pointerId); } });
  canvas.addEventListener("pointermove", (e) => {
    const [x, y] = where(e);
    outline(x, y, from);
    if (y < rows.length) read(x, y, e.clientX, e.clientY);
  });
  canvas.addEventListener("pointerup", (e) => {
    if (from == null) return;
    const x = where(e)[0];
    pick(order.slice(Math.min(from, x), Math.max(from, x) + 1), e.shiftKey);
    from = null;
  });
  canvas.addEventListener("pointercancel", () => { from = null; });
  canvas.addEventListener("pointerleave", () => { if (from == null) { c.putImageData(base, 0, 0); hideTip(); } });
  canvas.addEventListener("blur", hideTip);
  canvas.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (e.key === "Enter" || e.key === " ") { e.preventDefault(); pick([order[cursor.x]], true); refocus(holder); return; }
    if (e.key === "Escape") { hideTip(); return; }
    if (!step) return;
    e.preventDefault();
    cursor.x = Math.min(order.length - 1, Math.max(0, cursor.x + step[0]));
    cursor.y = Math.min(rows.length - 1, Math.max(0, cursor.y + step[1]));
    outline(cursor.x, cursor.y);
    const box = canvas.getBoundingClientRect();
    read(cursor.x, cursor.y, box.left + cursor.x * cell, box.top + top + cursor.y * high);
  });
  const key = el("div", { class: "key" });
  const group = (name, ...parts) => key.append(el("div", {}, el("b", {}, name), ...parts));
  const chip = (colour, text) => el("span", { style: `--c:${colour}` }, text);
  group("score", ramp(DIVERGING, "\u22122.5 to +2.5 SD"));
  const scale = own ? "0 and the SD are those of the samples that are not normal tissue" : "0 and the SD are those of all that is shown";
  const binary = tracks.filter((t) => isBinary(cohort.tracks[t]));
  for (const t of tracks) {
    const column = cohort.tracks[t];
    const name = clip(t.replaceAll("_", " "), 40);
    if (column.levels && column.levels.length <= 8) group(name, ...column.levels.map((v, k) => chip(levelColour(column, k), clip(v, 40))));
    else if (column.numbers && !binary.includes(t)) {
      trackColour(column, column.numbers.findIndex((v) => v != null));
      group(name, ramp(BLUES, `${fmt(column.low)} to ${fmt(column.high)}`));
    }
  }
  if (binary.length) group(clip(binary.map((t) => t.replaceAll("_", " ")).join(", "), 60), chip(shade(BLUES, 0), "no"), chip(shade(BLUES, 1), "yes"));
  if (tracks.length) key.append(chip(css("--line"), "not known"));
  holder.append(key, el("p", { class: "note" }, `${state.method}; ${counted(order.length)}; ${scale}. White lines part the groups.`));
}

// A track of many names would be as many colours that nobody can tell apart.
function tooMany(column) { return Boolean(column.levels) && column.levels.length > 10; }

function isBinary(column) {
  column.binary ??= Boolean(column.numbers) && column.numbers.every((v) => v == null || v === 0 || v === 1);
  return column.binary;
}
function ramp(scale, text) { return el("span", { class: "ramp", style: `--c:linear-gradient(to right, ${scale.map((c) => `rgb(${c.join(",")})`).join(",")})` }, text); }

function refocus(holder) { holder.querySelector("canvas")?.focus(); }

function pick(samples, add) {
  const selected = new Set(add ? state.selected : []);
  if (add && samples.length === 1 && selected.has(samples[0])) selected.delete(samples[0]);
  else samples.forEach((i) => selected.add(i));
  change({ selected });
}

// Points on a canvas, with the nearest one named under the pointer and a rectangle that selects.
function points(holder, spec) {
  const width = Math.max(Math.min(holder.clientWidth || 520, 640), 240);
  const height = spec.groups && spec.groups.length > 6 ? 400 : 330;
  // Many groups have their names aslant, as far as there is room for names at all.
  const aslant = spec.groups && spec.groups.length > 6;
  const edge = { left: 66, right: 12, top: 10, bottom: aslant ? 108 : 46 };
  const [canvas, c] = surface(width, height, spec.label);
  const xs = (v) => edge.left + ((v - spec.x[0]) / (spec.x[1] - spec.x[0] || 1)) * (width - edge.left - edge.right);
  const ys = (v) => height - edge.bottom - ((v - spec.y[0]) / (spec.y[1] - spec.y[0] || 1)) * (height - edge.top - edge.bottom);
  c.strokeStyle = css("--line");
  c.fillStyle = css("--soft");
  c.textAlign = "right";
  c.textBaseline = "middle";
  if (!spec.bare) for (const v of ticks(...spec.y)) { c.beginPath(); c.moveTo(edge.left, ys(v)); c.lineTo(width - edge.right, ys(v)); c.stroke(); c.fillText(fmt(v), edge.left - 6, ys(v)); }
  c.textAlign = "center";
  c.textBaseline = "top";
  if (aslant) {
    c.textAlign = "right";
    const every = Math.ceil((spec.groups.length * 11) / (width - edge.left - edge.right));
    spec.groups.forEach((g, k) => {
      if (k % every) return;
      c.save();
      c.translate(xs(k) + 5, height - edge.bottom + 8);
      c.rotate(-Math.PI / 4);
      c.fillText(clip(`${g.name} (${g.n})`, 20), 0, 0);
      c.restore();
    });
    c.textAlign = "center";
  } else if (spec.groups) spec.groups.forEach((g, k) => c.fillText(clip(`${g.name} (${g.n})`, Math.floor(90 / spec.groups.length)), xs(k), height - edge.bottom + 8));
  else if (!spec.bare) for (const v of ticks(...spec.x)) c.fillText(fmt(v), xs(v), height - edge.bottom + 6);
  c.fillStyle = css("--ink");
  if (spec.xlabel) c.fillText(clip(spec.xlabel, Math.floor(width / 8)), (width + edge.left) / 2, height - 18);
  c.save();
  c.translate(12, (height - edge.bottom) / 2);
  c.rotate(-Math.PI / 2);
  c.fillText(clip(spec.ylabel, 40), 0, -4);
  c.restore();
  const marks = spec.marks.map((m) => ({ ...m, px: xs(m.x), py: ys(m.y) }));
  const some = state.selected.size > 0;
  for (const m of marks) {
    const on = state.selected.has(m.i);
    c.globalAlpha = some && !on ? 0.18 : 0.72;
    c.fillStyle = m.colour;
    c.beginPath();
    c.arc(m.px, m.py, on ? 4.2 : marks.length > 1500 ? 1.6 : 3, 0, 7);
    c.fill();
    if (on) { c.globalAlpha = 1; c.strokeStyle = css("--mark"); c.lineWidth = 1.6; c.stroke(); c.lineWidth = 1; }
  }
  c.globalAlpha = 1;
  spec.over?.(c, xs, ys);
  const base = c.getImageData(0, 0, canvas.width, canvas.height);
  const at = (e) => { const box = canvas.getBoundingClientRect(); const k = width / box.width; return [(e.clientX - box.left) * k, (e.clientY - box.top) * k]; };
  const nearest = (x, y, most = 14) => {
    let [best, gap] = [null, most * most];
    for (const m of marks) { const d = (m.px - x) ** 2 + (m.py - y) ** 2; if (d < gap) [best, gap] = [m, d]; }
    return best;
  };
  const read = (m, x, y) => showTip(spec.text(m) + "\n" + describeSample(m.i), x, y);
  let from = null;
  canvas.addEventListener("pointerdown", (e) => { if (e.button === 0) { from = at(e); canvas.setPointerCapture(e.pointerId); } });
  canvas.addEventListener("pointermove", (e) => {
    const [x, y] = at(e);
    c.putImageData(base, 0, 0);
    if (from) { c.strokeStyle = css("--mark"); c.setLineDash([4, 3]); c.strokeRect(from[0], from[1], x - from[0], y - from[1]); c.setLineDash([]); return; }
    const m = nearest(x, y);
    if (!m) { hideTip(); return; }
    c.strokeStyle = css("--ink");
    c.strokeRect(m.px - 4.5, m.py - 4.5, 9, 9);
    read(m, e.clientX, e.clientY);
  });
  canvas.addEventListener("pointerup", (e) => {
    if (!from) return;
    const [x, y] = at(e);
    const [a, b] = from;
    from = null;
    if (Math.abs(x - a) + Math.abs(y - b) < 6) { const m = nearest(x, y); if (m) pick([m.i], e.shiftKey); return; }
    const inside = marks.filter((m) => m.px >= Math.min(a, x) && m.px <= Math.max(a, x) && m.py >= Math.min(b, y) && m.py <= Math.max(b, y));
    if (inside.length) pick(inside.map((m) => m.i), e.shiftKey);
  });
  canvas.addEventListener("pointercancel", () => { from = null; });
  canvas.addEventListener("pointerleave", () => { if (!from) { c.putImageData(base, 0, 0); hideTip(); } });
  canvas.addEventListener("blur", hideTip);
  const sorted = [...marks].sort((a, b) => a.px - b.px || a.py - b.py);
  let cursor = -1;
  canvas.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[e.key];
    if ((e.key === "Enter" || e.key === " ") && sorted[cursor]) { e.preventDefault(); pick([sorted[cursor].i], true); refocus(holder); return; }
    if (e.key === "Escape") { hideTip(); return; }
    if (!step || !sorted.length) return;
    e.preventDefault();
    cursor = Math.min(sorted.length - 1, Math.max(0, cursor + step));
    const m = sorted[cursor];
    c.putImageData(base, 0, 0);
    c.strokeStyle = css("--ink");
    c.strokeRect(m.px - 5, m.py - 5, 10, 10);
    const box = canvas.getBoundingClientRect();
    read(m, box.left + m.px, box.top + m.py);
  });
  return canvas;
}

function padded(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  const gap = (high - low || Math.abs(high) || 1) * 0.05;
  return [low - gap, high + gap];
}

function drawStrip(holder) {
  const cohort = cohortNow();
  const values = tableNow().get(state.signature);
  if (!values) return nothing(holder, "There are no scores.");
  const kind = groupNow();
  const levels = kind && kind.levels ? kind.levels : ["samples"];
  const groups = levels.map((name, k) => {
    const members = [...values.keys()].filter((i) => Number.isFinite(values[i]) && (!kind || kind.codes[i] === k));
    return { name, members, n: members.length, sorted: members.map((i) => values[i]).sort((a, b) => a - b) };
  });
  const marks = groups.flatMap((g, k) => g.members.map((i) => ({ i, x: k + 0.3 * (((i * 0.618034) % 1) * 2 - 1), y: values[i], colour: groupColour(g.name, k) })));
  const name = clip(state.signature, 50);
  const paired = cohort.group === "sample_type" ? cohort.pairs : [];
  const place = new Map(marks.map((m) => [m.i, m]));
  holder.replaceChildren(points(holder, {
    label: `Distribution of ${name} by ${cohort.group.replaceAll("_", " ")}: ${groups.map((g) => `${g.name} median ${fmt(quantile(g.sorted, 0.5))}, ${counted(g.n)}`).join("; ")}. Arrow keys read points.`,
    x: [-0.6, levels.length - 0.4], y: padded(values), groups, marks, ylabel: `score (${state.method}${cohortNow().guessed ? "; units guessed" : ""})`,
    text: (m) => `${name}: ${fmt(m.y)}`,
    over(c, xs, ys) {
      if (paired.length) {
        c.strokeStyle = css("--soft");
        c.globalAlpha = 0.35;
        for (const [a, b] of paired) { const [p, q] = [place.get(a), place.get(b)]; if (p && q) { c.beginPath(); c.moveTo(xs(p.x), ys(p.y)); c.lineTo(xs(q.x), ys(q.y)); c.stroke(); } }
        c.globalAlpha = 1;
      }
      c.strokeStyle = css("--ink");
      groups.forEach((g, k) => {
        if (g.n < 3) return;
        c.lineWidth = 2;
        for (const [q, w] of [[0.25, 0.2], [0.5, 0.36], [0.75, 0.2]]) { const y = ys(quantile(g.sorted, q)); c.beginPath(); c.moveTo(xs(k - w), y); c.lineTo(xs(k + w), y); c.stroke(); }
        c.lineWidth = 1;
      });
    },
  }), el("p", { class: "note" }, cohort.unit === "cell" ? "Lines are the quartiles over cells; compare samples, not cells." : `${state.method}. Lines are the quartiles${paired.length ? `; thin lines join tumour and normal tissue of ${paired.length} patients` : ""}. A difference between tumour and normal mixes activity with lineage and cell composition.`));
}

function drawScatter(holder) {
  const cohort = cohortNow();
  const table = tableNow();
  const [x, y] = [table.get(state.other), table.get(state.signature)];
  if (!x || !y) return nothing(holder, "A second score is needed.");
  const tracks = Object.keys(cohort.tracks).filter((t) => cohort.tracks[t].levels || t === "age");
  const column = cohort.tracks[state.colour];
  const marks = [...x.keys()].filter((i) => Number.isFinite(x[i]) && Number.isFinite(y[i]))
    .map((i) => ({ i, x: x[i], y: y[i], colour: column ? trackColour(column, i) : css("--normal") }));
  const kind = cohort.tracks.sample_type;
  const tumours = marks.filter((m) => !kind || kind.levels[kind.codes[m.i]] !== "normal").map((m) => m.i);
  const rho = spearman(tumours.map((i) => x[i]), tumours.map((i) => y[i]));
  const tools = el("div", { class: "tools" },
    small("Against", "other", [...table.keys()].filter((n) => n !== state.signature).map((n) => [n, n])),
    small("Colour", "colour", tracks.map((t) => [t, t.replaceAll("_", " ")])));
  holder.replaceChildren(tools);
  holder.append(points(holder, {
    label: `Scatter of ${clip(state.signature, 50)} against ${clip(state.other, 50)}; Spearman correlation ${fmt(rho, 2)} over ${tumours.length} ${cohort.unit === "cell" ? "cells" : "tumours"}. Arrow keys read points.`,
    x: padded(x), y: padded(y), marks, xlabel: state.other, ylabel: state.signature,
    text: (m) => `${clip(state.signature, 40)}: ${fmt(m.y)}\n${clip(state.other, 40)}: ${fmt(m.x)}`,
  }));
  const key = el("div", { class: "key" });
  if (column?.levels && column.levels.length <= 8) column.levels.forEach((v, k) => key.append(el("span", { style: `--c:${levelColour(column, k)}` }, clip(v, 30))));
  holder.append(key, el("p", { class: "note" }, `${state.method}. Spearman's correlation over ${tumours.length} ${cohort.unit === "cell" ? "cells" : "tumours"}: ${fmt(rho, 2) || "not defined"}. Signatures that share genes correlate for that reason alone.`));
}
