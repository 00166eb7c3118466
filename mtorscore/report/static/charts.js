// Figures. Each draws into its holder from the state and calls change() when it is used.
const DIVERGING = [[27, 79, 138], [74, 140, 196], [169, 203, 229], [247, 247, 247], [244, 177, 131], [217, 102, 43], [140, 45, 4]];
const BLUES = [[218, 230, 242], [156, 195, 227], [59, 131, 189], [11, 60, 107]];

function shade(scale, share) {
  const at = Math.min(Math.max(share, 0), 1) * (scale.length - 1);
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
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = `12px ${css("--sans")}`;
  return [canvas, context];
}

function levelColour(column, code) {
  return column.ordered ? shade(BLUES, 0.15 + (0.85 * code) / Math.max(column.levels.length - 1, 1)) : groupColour(column.levels[code], code);
}

function trackColour(column, i) {
  const value = cellOf(column, i);
  if (value == null) return css("--line");
  if (column.numbers) {
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
  const tracks = Object.keys(cohort.tracks).filter((t) => t !== "age" && !(cohort.unit === "cell" && t === "sample_type")).slice(0, 8);
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
    }, clip(name, 60)));
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
  const z = rows.map((name) => {
    const values = table.get(name);
    const [mean, sd] = meanSd(values);
    return Float64Array.from(values, (v) => (v - mean) / (sd || 1));
  });
  z.forEach((values, k) => order.forEach((i, x) => {
    c.fillStyle = Number.isFinite(values[i]) ? shade(DIVERGING, (values[i] + 2.5) / 5) : css("--line");
    c.fillRect(x * cell, top + k * high, wide, high - 1);
  }));
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
  for (const [text, share] of [["\u22122.5 SD", 0], ["mean", 0.5], ["+2.5 SD", 1]]) key.append(el("span", { style: `--c:${shade(DIVERGING, share)}` }, text));
  for (const t of tracks) {
    const column = cohort.tracks[t];
    if (!column.levels || column.levels.length > 6) continue;
    column.levels.forEach((v, k) => key.append(el("span", { style: `--c:${levelColour(column, k)}` }, clip(`${t.replaceAll("_", " ")} ${v}`, 40))));
  }
  holder.append(key);
}

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
  const height = 330;
  const edge = { left: 58, right: 12, top: 10, bottom: 46 };
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
  if (spec.groups) spec.groups.forEach((g, k) => c.fillText(clip(`${g.name} (${g.n})`, Math.floor(90 / spec.groups.length)), xs(k), height - edge.bottom + 8));
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
  holder.replaceChildren(points(holder, {
    label: `Distribution of ${name} by ${cohort.group.replaceAll("_", " ")}: ${groups.map((g) => `${g.name} median ${fmt(quantile(g.sorted, 0.5))}, ${counted(g.n)}`).join("; ")}. Arrow keys read points.`,
    x: [-0.6, levels.length - 0.4], y: padded(values), groups, marks, ylabel: "score",
    text: (m) => `${name}: ${fmt(m.y)}`,
    over(c, xs, ys) {
      c.strokeStyle = css("--ink");
      groups.forEach((g, k) => {
        if (g.n < 3) return;
        c.lineWidth = 2;
        for (const [q, w] of [[0.25, 0.2], [0.5, 0.36], [0.75, 0.2]]) { const y = ys(quantile(g.sorted, q)); c.beginPath(); c.moveTo(xs(k - w), y); c.lineTo(xs(k + w), y); c.stroke(); }
        c.lineWidth = 1;
      });
    },
  }), el("p", { class: "note" }, cohort.unit === "cell" ? "Lines are the quartiles over cells; compare samples, not cells." : "Lines are the quartiles. A difference between tumour and normal mixes activity with lineage and cell composition."));
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
  holder.append(key, el("p", { class: "note" }, `Spearman's correlation over ${tumours.length} ${cohort.unit === "cell" ? "cells" : "tumours"}: ${fmt(rho, 2) || "not defined"}. Signatures that share genes correlate for that reason alone.`));
}

function drawKm(holder) {
  const found = groupsNow();
  if (!found) return nothing(holder, "This cohort has no survival endpoint with an event.");
  const tools = el("div", { class: "tools" }, small("Groups", "cut", [["median", "above and below the median"], ["tertiles", "thirds"], ...(state.selected.size ? [["selection", "selected against others"]] : [])]));
  const { endpoint, groups } = found;
  if (groups.length < 2) { holder.replaceChildren(tools, el("p", { class: "missing" }, "The score does not split these patients into two groups.")); return; }
  const curves = groups.map((g, k) => ({ ...g, ...productLimit(endpoint, g.members), colour: groups.length === 3 && k === 1 ? css("--soft") : g.name === "selected" ? css("--mark") : g.name === "others" ? css("--soft") : groupColour(g.name, k) }));
  const last = Math.max(...curves.map((c) => c.times[c.times.length - 1])) / YEAR;
  const wide = wideOf(holder);
  const edge = { left: 74, right: 14, top: 12 };
  const tall = wide < 500 ? 230 : 270;
  const total = tall + 66 + 18 * curves.length;
  const xs = (v) => edge.left + (v / (last || 1)) * (wide - edge.left - edge.right);
  const ys = (v) => tall - v * (tall - edge.top);
  const p = logRank(endpoint, groups);
  const words = curves.map((c) => `${c.name} ${c.members.length} patients, ${c.events} events`).join("; ");
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${total}`, role: "img", "aria-label": `Kaplan-Meier curves of ${state.endpoint} by ${clip(state.signature, 50)}: ${words}. Log-rank p ${pText(p)}.` });
  for (const v of [0, 0.25, 0.5, 0.75, 1]) picture.append(svg("line", { class: "grid", x1: edge.left, x2: wide - edge.right, y1: ys(v), y2: ys(v) }), svg("text", { class: "small", x: edge.left - 8, y: ys(v) + 4, "text-anchor": "end" }, fmt(v)));
  const years = ticks(0, last, 6);
  for (const v of years) picture.append(svg("text", { class: "small", x: xs(v), y: tall + 16, "text-anchor": "middle" }, fmt(v)));
  picture.append(svg("text", { x: (wide + edge.left) / 2, y: tall + 33, "text-anchor": "middle" }, "years"), svg("text", { class: "small", x: edge.left, y: tall + 48 }, "at risk"));
  curves.forEach((c, k) => {
    const path = c.steps.map((s, j) => (j ? `H${xs(s.time / YEAR).toFixed(1)}V${ys(s.survival).toFixed(1)}` : `M${xs(0)},${ys(1)}`)).join("");
    picture.append(svg("path", { d: path, fill: "none", stroke: c.colour, "stroke-width": 2.2, "stroke-dasharray": k === 1 && curves.length === 2 ? null : k === 0 ? "7 3" : k === 1 ? "2 3" : null }));
    picture.append(svg("path", { d: c.lost.map((s) => `M${xs(s.time / YEAR).toFixed(1)},${(ys(s.survival) - 4).toFixed(1)}v8`).join(""), stroke: c.colour, "stroke-width": 1 }));
    const y = tall + 62 + 18 * k;
    picture.append(svg("text", { x: edge.left - 18, y, "text-anchor": "end", style: `fill:${c.colour};font-size:11px` }, c.name));
    for (const v of years) picture.append(svg("text", { x: xs(v), y, "text-anchor": "middle", style: `fill:${c.colour}` }, String(c.times.filter((t) => t >= v * YEAR - 1e-6).length)));
  });
  const line = svg("line", { class: "axis", y1: edge.top, y2: tall, "stroke-dasharray": "3 3", visibility: "hidden" });
  picture.append(line);
  picture.addEventListener("pointermove", (e) => {
    const box = picture.getBoundingClientRect();
    const year = (((e.clientX - box.left) / box.width) * wide - edge.left) / (wide - edge.left - edge.right) * last;
    if (year < 0 || year > last) { line.setAttribute("visibility", "hidden"); hideTip(); return; }
    line.setAttribute("x1", xs(year));
    line.setAttribute("x2", xs(year));
    line.setAttribute("visibility", "visible");
    const rows = curves.map((c) => { const past = c.steps.filter((s) => s.time <= year * YEAR); return `${c.name}: ${fmt(100 * past[past.length - 1].survival)}% (${c.times.filter((t) => t >= year * YEAR).length} at risk)`; });
    showTip(`${fmt(year, 2)} years\n${rows.join("\n")}`, e.clientX, e.clientY);
  });
  picture.addEventListener("pointerleave", () => { line.setAttribute("visibility", "hidden"); hideTip(); });
  const key = el("div", { class: "key" }, ...curves.map((c) => el("span", { style: `--c:${c.colour}` }, `${c.name}: ${c.members.length} patients, ${c.events} events`)));
  const note = state.cut === "selection" ? "A group chosen by looking at the figures: its p value proves nothing." : "The p value is of this one signature and not adjusted for the others.";
  holder.replaceChildren(tools, picture, key, el("p", { class: "note" }, `${state.endpoint}, log-rank p ${pText(p)}. ${note}`));
}

function fixed(v) { return v == null || !Number.isFinite(v) ? "" : v >= 100 ? fmt(v) : v.toFixed(2); }
function ratioText(r) { return `${fixed(r.hr)} (${fixed(r.hr_low)}\u2013${fixed(r.hr_high)})`; }

const MODEL_SHADES = ["--normal", "--tumour", "--mark", "--soft"];

function ratioScale(rows, left, right) {
  const logs = rows.flatMap((r) => [r.hr_low, r.hr_high]).filter((v) => v > 0 && Number.isFinite(v)).map((v) => Math.abs(Math.log(v)));
  const middle = rows.map((r) => Math.abs(Math.log(r.hr))).filter(Number.isFinite);
  const reach = Math.min(Math.max(...logs, Math.log(1.5)), Math.max(...middle, 0) + Math.log(6)) * 1.05;
  const at = (v) => (left + right) / 2 + (Math.min(Math.max(Math.log(v), -reach), reach) / reach) * ((right - left) / 2);
  const marks = [0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 1, 1.5, 2, 3, 5, 10, 20].filter((v) => Math.abs(Math.log(v)) <= reach);
  return [at, marks.length > 7 ? marks.filter((v) => ![0.33, 0.67, 1.5, 3].includes(v)) : marks];
}

function interval(picture, row, y, at, colour) {
  if (!(row.hr > 0)) return;
  if (row.hr_low > 0 && row.hr_high > 0) picture.append(svg("line", { x1: at(row.hr_low), x2: at(row.hr_high), y1: y, y2: y, stroke: colour, "stroke-width": 1.8 }));
  picture.append(svg("circle", { cx: at(row.hr), cy: y, r: 4, fill: row.valid === "False" ? css("--paper") : colour, stroke: colour, "stroke-width": 1.6 }));
}

function drawForest(holder) {
  const cohort = cohortNow();
  const found = associationsNow();
  if (!found.size) return nothing(holder, cohort.missing.associations || `Nothing was related to ${state.endpoint || "an outcome"} with this method.`);
  let names = chosenRows(state.rows).filter((n) => found.has(n));
  const first = (n) => found.get(n).find((r) => r.shown === "unadjusted") || found.get(n)[0];
  if (state.sort === "hr") names = [...names].sort((a, b) => first(b).hr - first(a).hr);
  if (state.sort === "p") names = [...names].sort((a, b) => first(a).p - first(b).p);
  const models = [...new Set([...found.values()].flat().map((r) => r.shown))].slice(0, 4);
  const tools = el("div", { class: "tools" },
    small("Rows", "rows", [["leads", "One per branch, and confounders"], ["branch", "All of this branch"], ["all", "All signatures"]]),
    small("Sort", "sort", [["branch", "by branch"], ["hr", "by hazard ratio"], ["p", "by p value"]]));
  const narrow = (holder.clientWidth || 900) < 620;
  const wide = narrow ? 400 : 980;
  const [left, right] = narrow ? [146, wide - 10] : [270, wide - 330];
  const step = 9;
  const high = Math.max(24, 10 + step * models.length);
  const total = names.length * high + 60;
  const rows = names.flatMap((n) => found.get(n));
  const [at, marks] = ratioScale(rows, left, right);
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${total}`, role: "group", "aria-label": `Forest plot of hazard ratios for ${state.endpoint} of ${names.length} signatures; each row is a button.` });
  for (const v of marks) picture.append(svg("line", { class: v === 1 ? "axis" : "grid", x1: at(v), x2: at(v), y1: 22, y2: total - 34 }), svg("text", { class: "small", x: at(v), y: total - 18, "text-anchor": "middle" }, fmt(v)));
  picture.append(svg("text", { class: "small", x: (left + right) / 2, y: total - 3, "text-anchor": "middle" }, "hazard ratio per SD (95% interval)"));
  if (!narrow) for (const [x, text] of [[right + 14, "HR unadjusted"], [right + 168, "q"], [right + 232, "random sets"]]) picture.append(svg("text", { class: "small", x, y: 14 }, text));
  names.forEach((name, k) => {
    const top = 22 + k * high;
    const one = first(name);
    if (name === state.signature) picture.append(svg("rect", { class: "row-on", x: 0, y: top, width: wide, height: high }));
    picture.append(svg("text", { x: left - 10, y: top + high / 2 + 4, "text-anchor": "end", style: name === state.signature ? "font-weight:700" : null }, clip(name, narrow ? 16 : 36)));
    models.forEach((m, j) => {
      const row = found.get(name).find((r) => r.shown === m);
      if (row) interval(picture, row, top + high / 2 + (j - (models.length - 1) / 2) * step, at, css(MODEL_SHADES[j]));
    });
    if (!narrow) {
      const texts = [[right + 14, ratioText(one)], [right + 168, pText(one.q)], [right + 232, one.null_p == null ? "not tested" : `p ${pText(one.null_p)}`]];
      for (const [x, text] of texts) picture.append(svg("text", { x, y: top + high / 2 + 4 }, text));
    }
    const lines = models.map((m) => found.get(name).find((r) => r.shown === m)).filter(Boolean).map((r) => `${r.shown}: HR ${ratioText(r)}, p ${pText(r.p)}, q ${pText(r.q)}${r.reason ? ` \u2014 ${clip(r.reason, 120)}` : ""}`);
    const hit = svg("rect", { class: "row-hit", x: 0, y: top, width: wide, height: high, tabindex: "0", role: "button", "aria-pressed": name === state.signature, "aria-label": `${name}. ${lines.join(". ")}` });
    const choose = () => { change({ signature: name }); [...holder.querySelectorAll(".row-hit")][k]?.focus(); };
    hit.addEventListener("click", choose);
    hit.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); choose(); } });
    hit.addEventListener("pointermove", (e) => showTip([clip(name, 60), ...lines].join("\n"), e.clientX, e.clientY));
    hit.addEventListener("pointerleave", hideTip);
    picture.append(hit);
  });
  const one = rows[0];
  const key = el("div", { class: "key" }, ...models.map((m, j) => el("span", { style: `--c:${css(MODEL_SHADES[j])}` }, m)));
  holder.replaceChildren(tools, key, picture, el("p", { class: "note" }, `${state.endpoint}: ${one.n} patients, ${one.events} events. Hollow points are not to be trusted; point at a row for the reason.`));
}

function drawModels(holder) {
  const rows = associationsNow().get(state.signature);
  if (!rows) return nothing(holder, "This signature was not related to this endpoint.");
  const share = (r) => r.null_percentile;
  const wide = wideOf(holder);
  const at = (v) => 20 + (v / 100) * (wide - 40);
  const shown = rows.filter((r) => share(r) != null);
  const parts = [];
  const nulls = nullsNow();
  if (nulls.length) parts.push(drawNulls(nulls.map((n) => ({ ...n, percentile: rows.find((r) => r.shown === n.shown)?.null_percentile })), wide));
  else if (shown.length) {
    const tall = 64 + 20 * shown.length;
    const picture = svg("svg", { viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": `Share of random signatures with a weaker effect: ${shown.map((r) => `${r.shown} ${fmt(share(r))}%`).join("; ")}` });
    picture.append(svg("rect", { x: at(0), y: 8, width: at(95) - at(0), height: tall - 44, fill: css("--band") }));
    for (const v of [0, 25, 50, 75, 100]) picture.append(svg("line", { class: "grid", x1: at(v), x2: at(v), y1: 8, y2: tall - 36 }), svg("text", { class: "small", x: at(v), y: tall - 20, "text-anchor": "middle" }, String(v)));
    picture.append(svg("text", { class: "small", x: wide / 2, y: tall - 4, "text-anchor": "middle" }, `stronger than this share of ${fmt(shown[0].n_null)} random signatures, % (shaded: below 95)`));
    shown.forEach((r, k) => {
      const y = 26 + 20 * k;
      const right = share(r) > 50;
      picture.append(svg("circle", { cx: at(share(r)), cy: y, r: 5, fill: css(MODEL_SHADES[Math.min(k, 3)]) }), svg("text", { x: at(share(r)) + (right ? -10 : 10), y: y + 4, "text-anchor": right ? "end" : "start" }, clip(r.shown, 40)));
    });
    parts.push(picture);
  } else parts.push(el("p", { class: "missing" }, `No random signatures stand beside this one${rows[0].reason ? ` (${clip(rows[0].reason, 160)})` : ""}.`));
  const heads = ["model", "HR", "95% interval", "p", "q", "random p", "PH test p", "C"];
  const body = rows.map((r) => [r.shown, fixed(r.hr), `${fixed(r.hr_low)}\u2013${fixed(r.hr_high)}`, pText(r.p), pText(r.q), pText(r.null_p), pText(r.ph_p), fmt(r.c_index)]);
  parts.push(el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Models of this signature" }, el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((h, j) => el("th", { scope: "col", class: j ? "num" : "" }, h)))),
    el("tbody", {}, ...body.map((cells) => el("tr", {}, ...cells.map((t, j) => el(j ? "td" : "th", j ? { class: "num" } : { scope: "row" }, clip(t, 60)))))))));
  const why = [...new Set(rows.map((r) => r.reason).filter(Boolean))];
  if (why.length) parts.push(el("p", { class: "note" }, `Notes: ${why.map((w) => clip(w, 200)).join("; ")}.`));
  holder.replaceChildren(...parts);
}

// The random signatures' statistics of the chosen signature, from their quantiles: each bar holds the same share.
function nullsNow() {
  const table = cohortNow().tables.null;
  if (!table || !table.columns.quantiles) return [];
  const c = table.columns;
  const out = [];
  for (let i = 0; i < c.signature.codes.length; i++) {
    if (cellOf(c.signature, i) !== state.signature || cellOf(c.endpoint, i) !== state.endpoint || cellOf(c.method, i) !== state.method) continue;
    const quantiles = String(cellOf(c.quantiles, i)).split(" ").map(Number);
    const by = c.adjusted_for ? cellOf(c.adjusted_for, i) : null;
    out.push({ quantiles, observed: cellOf(c.statistic, i), n: cellOf(c.n_null, i), shown: cellOf(c.model, i) === "unadjusted" ? "unadjusted" : `adjusted for ${String(by ?? "").replaceAll("_", " ")}` });
  }
  return out.filter((n) => n.quantiles.every(Number.isFinite)).slice(0, 4);
}

function histogram(quantiles, bins, top) {
  // Cumulative share by linear interpolation between quantiles, then differences over equal steps.
  const last = quantiles.length - 1;
  const below = (v) => {
    if (v >= quantiles[last]) return 1;
    let k = 0;
    while (k < last && quantiles[k + 1] <= v) k++;
    if (v <= quantiles[0]) return 0;
    const gap = quantiles[k + 1] - quantiles[k];
    return (k + (gap > 0 ? (v - quantiles[k]) / gap : 0)) / last;
  };
  return Array.from({ length: bins }, (_, b) => below(((b + 1) * top) / bins) - below((b * top) / bins));
}

function drawNulls(nulls, wide) {
  const each = 92;
  const total = nulls.length * each + 40;
  const top = Math.max(...nulls.flatMap((n) => [n.quantiles[n.quantiles.length - 1], n.observed])) * 1.04;
  const at = (v) => 14 + (v / top) * (wide - 28);
  const at95 = (n) => n.quantiles[Math.round(0.95 * (n.quantiles.length - 1))];
  const weaker = (n) => fmt(n.percentile ?? 100 * histogram(n.quantiles, 1, Math.max(n.observed, 1e-9))[0], 3);
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${total}`, role: "img", "aria-label": `Test statistics of random signatures, with this one marked: ${nulls.map((n) => `${n.shown} ${fmt(n.observed)}, stronger than ${weaker(n)}% of ${n.n}`).join("; ")}` });
  nulls.forEach((n, k) => {
    const base = k * each + 80;
    const bars = histogram(n.quantiles, 48, top);
    const most = Math.max(...bars);
    const step = (wide - 28) / bars.length;
    picture.append(svg("rect", { x: at(0), y: base - 58, width: at(at95(n)) - at(0), height: 58, fill: css("--band") }));
    bars.forEach((v, b) => { if (v > 0) picture.append(svg("rect", { x: 14 + b * step, y: base - (52 * v) / most, width: Math.max(step - 1, 1), height: (52 * v) / most, fill: css("--soft"), "fill-opacity": 0.75 })); });
    const x = at(n.observed);
    picture.append(
      svg("line", { class: "axis", x1: 14, x2: wide - 14, y1: base, y2: base }),
      svg("line", { x1: x, x2: x, y1: base - 62, y2: base, stroke: css("--tumour"), "stroke-width": 3 }),
      svg("text", { x: 14, y: base - 66 }, clip(n.shown, 34)),
      svg("text", { x: wide - 14, y: base - 66, "text-anchor": "end", style: `fill:${css("--tumour")};font-weight:600` }, `stronger than ${weaker(n)}%`));
  });
  for (const v of ticks(0, top, 6)) picture.append(svg("text", { class: "small", x: at(v), y: total - 22, "text-anchor": "middle" }, fmt(v)));
  picture.append(svg("text", { class: "small", x: wide / 2, y: total - 5, "text-anchor": "middle" }, `|z| of ${fmt(nulls[0].n)} random signatures${wide < 500 ? "" : " of the same size and expression"} (shaded: the weaker 95%)`));
  return picture;
}

function combinedNow() {
  if (!DATA.meta) return null;
  const c = DATA.meta.columns;
  const n = (c.signature.codes || c.signature.numbers).length;
  for (let i = 0; i < n; i++) {
    if (cellOf(c.signature, i) !== state.signature || cellOf(c.method, i) !== state.method || cellOf(c.endpoint, i) !== state.endpoint) continue;
    return Object.fromEntries(Object.keys(c).map((name) => [name, cellOf(c[name], i)]));
  }
  return null;
}

function drawMeta(holder) {
  const rows = DATA.cohorts.map((cohort) => {
    const found = associationsNow(cohort).get(state.signature);
    return found && { cohort, row: found.find((r) => r.shown === "unadjusted") };
  }).filter((r) => r && r.row && r.row.hr > 0);
  if (!rows.length) return nothing(holder, "No cohort relates this signature to this endpoint.");
  const pooled = combinedNow();
  const narrow = (holder.clientWidth || 900) < 620;
  const wide = narrow ? 400 : 760;
  const [left, right] = narrow ? [120, wide - 12] : [230, wide - 230];
  const total = (rows.length + (pooled ? 1 : 0)) * 30 + 56;
  const [at, marks] = ratioScale([...rows.map((r) => r.row), ...(pooled ? [pooled] : [])], left, right);
  const spoken = rows.map((r) => `${r.cohort.name} ${fixed(r.row.hr)}`).join("; ") + (pooled ? `; combined ${ratioText(pooled)}` : "");
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${total}`, role: "img", "aria-label": `Hazard ratios of ${clip(state.signature, 50)} for ${state.endpoint}: ${spoken}` });
  for (const v of marks) picture.append(svg("line", { class: v === 1 ? "axis" : "grid", x1: at(v), x2: at(v), y1: 6, y2: total - 34 }), svg("text", { class: "small", x: at(v), y: total - 18, "text-anchor": "middle" }, fmt(v)));
  picture.append(svg("text", { class: "small", x: (left + right) / 2, y: total - 3, "text-anchor": "middle" }, "hazard ratio per SD (95% interval)"));
  rows.forEach(({ cohort, row }, k) => {
    const y = 22 + k * 30;
    picture.append(svg("text", { x: left - 12, y: y + 4, "text-anchor": "end" }, clip(cohort.name + (cohort.simulated ? " (simulated)" : ""), narrow ? 15 : 34)));
    interval(picture, row, y, at, css("--normal"));
    if (!narrow) picture.append(svg("text", { x: right + 14, y: y + 4 }, `${ratioText(row)}, ${row.events} events`));
  });
  if (pooled) {
    const y = 26 + rows.length * 30;
    const colour = css("--tumour");
    if (pooled.prediction_low > 0) picture.append(svg("line", { x1: at(pooled.prediction_low), x2: at(pooled.prediction_high), y1: y, y2: y, stroke: colour }));
    picture.append(...[
      svg("path", { d: `M${at(pooled.hr_low)},${y}L${at(pooled.hr)},${y - 8}L${at(pooled.hr_high)},${y}L${at(pooled.hr)},${y + 8}Z`, fill: colour }),
      svg("text", { x: left - 12, y: y + 4, "text-anchor": "end", style: "font-weight:700" }, "combined"),
      narrow ? null : svg("text", { x: right + 14, y: y + 4 }, `${ratioText(pooled)}, I\u00b2 ${fmt(100 * pooled.i2, 2)}%`),
    ].filter(Boolean));
  }
  holder.replaceChildren(el("p", { class: "note" }, `${clip(state.signature, 80)}, ${state.endpoint}, ${state.method}, unadjusted. Diamond: combined; thin line: where a further cohort would be expected.`), picture);
}
