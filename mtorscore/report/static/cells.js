// Single cells: the embedding, and one point per sample and cell type.
function drawEmbedding(holder) {
  const cohort = cohortNow();
  const places = cohort.embedding;
  if (!places) return nothing(holder, cohort.unit === "cell" ? "There is no embedding of these cells." : "This cohort is not of single cells.");
  const values = tableNow().get(state.signature);
  const columns = Object.keys(cohort.tracks).filter((t) => t !== "sample_type" && cohort.tracks[t].levels);
  const tools = el("div", { class: "tools" }, small("Colour", "paint", [["signature", "the chosen signature"], ...columns.map((t) => [t, t.replaceAll("_", " ")])]));
  const column = cohort.tracks[state.paint];
  const sorted = values ? finite(values).sort((a, b) => a - b) : [];
  const [low, middle, high] = sorted.length ? [0.02, 0.5, 0.98].map((q) => quantile(sorted, q)) : [0, 0, 0];
  const reach = Math.max(high - middle, middle - low) || 1;
  const colour = (i) => (column ? trackColour(column, i) : values && Number.isFinite(values[i]) ? shade(DIVERGING, 0.5 + (values[i] - middle) / (2 * reach)) : css("--line"));
  const marks = places.x.map((x, i) => ({ i, x, y: places.y[i], colour: colour(i) })).filter((m) => m.x != null && m.y != null);
  if (!column && values) marks.sort((a, b) => Math.abs(values[a.i] - middle) - Math.abs(values[b.i] - middle));
  const name = column ? state.paint.replaceAll("_", " ") : clip(state.signature || "", 50);
  const axis = places.made.split(":")[0];
  holder.replaceChildren(tools);
  holder.append(points(holder, {
    label: `${axis} of ${counted(marks.length)} coloured by ${name}. Arrow keys read points.`,
    x: padded(places.x), y: padded(places.y), marks, xlabel: `${axis} 1`, ylabel: `${axis} 2`, bare: true,
    text: (m) => (values ? `${clip(state.signature, 40)}: ${fmt(values[m.i])}` : ""),
  }));
  const key = el("div", { class: "key" });
  if (!column) for (const [text, share] of [["low", 0], ["median", 0.5], ["high", 1]]) key.append(el("span", { style: `--c:${shade(DIVERGING, share)}` }, text));
  else column.levels.slice(0, 16).forEach((v, k) => key.append(el("span", { style: `--c:${levelColour(column, k)}` }, clip(v, 30))));
  const some = cohort.total > marks.length ? `${marks.length} of ${cohort.total} cells are drawn, the same share of every sample and type. ` : "";
  holder.append(key, el("p", { class: "note" }, `${some}${places.made}.`));
}

function drawCellTypes(holder) {
  const cohort = cohortNow();
  const table = cohort.tables.cells;
  if (!table) return nothing(holder, cohort.unit === "cell" ? cohort.missing.cells || "No group has ten cells." : "This cohort is not of single cells.");
  const c = table.columns;
  const rows = [];
  for (let i = 0; i < (c.method.codes || []).length; i++) {
    if (cellOf(c.method, i) !== state.method || cellOf(c.signature, i) !== state.signature) continue;
    rows.push({ sample: String(cellOf(c.sample, i)), type: String(cellOf(c.cell_type, i)), n: cellOf(c.n_cells, i), mean: cellOf(c.mean, i), sd: c.sd ? cellOf(c.sd, i) : null });
  }
  const shown = rows.filter((r) => Number.isFinite(r.mean));
  if (!shown.length) return nothing(holder, "No group of this signature has ten cells.");
  const types = [...new Set(shown.map((r) => r.type))].map((type) => {
    const means = shown.filter((r) => r.type === type).map((r) => r.mean).sort((a, b) => a - b);
    return { type, middle: quantile(means, 0.5), n: means.length };
  }).sort((a, b) => b.middle - a.middle);
  const narrow = (holder.clientWidth || 560) < 480;
  const wide = narrow ? 380 : 560;
  const edge = { left: narrow ? 110 : 160, right: 14 };
  const high = 30;
  const total = types.length * high + 52;
  const [low, top] = padded(shown.map((r) => r.mean));
  const xs = (v) => edge.left + ((v - low) / (top - low || 1)) * (wide - edge.left - edge.right);
  const spoken = types.slice(0, 12).map((t) => `${t.type} median ${fmt(t.middle)} of ${t.n} samples`).join("; ");
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${total}`, role: "img", "aria-label": `Mean ${clip(state.signature, 50)} by cell type and sample: ${clip(spoken, 500)}.` });
  for (const v of ticks(low, top, narrow ? 3 : 5)) picture.append(svg("line", { class: "grid", x1: xs(v), x2: xs(v), y1: 4, y2: total - 44 }), svg("text", { class: "small", x: xs(v), y: total - 28, "text-anchor": "middle" }, fmt(v)));
  picture.append(svg("text", { class: "small", x: (edge.left + wide) / 2, y: total - 8, "text-anchor": "middle" }, `mean of ${clip(state.signature, 44)}`));
  const largest = Math.max(...shown.map((r) => r.n));
  types.forEach((t, k) => {
    const y = 20 + k * high;
    const column = cohort.tracks.cell_type;
    const colour = column?.levels ? levelColour(column, column.levels.indexOf(t.type)) : css("--normal");
    picture.append(svg("text", { x: edge.left - 10, y: y + 4, "text-anchor": "end" }, clip(t.type, narrow ? 15 : 22)));
    picture.append(svg("line", { class: "axis", x1: xs(t.middle), x2: xs(t.middle), y1: y - 11, y2: y + 11, "stroke-width": 2 }));
    for (const r of shown.filter((q) => q.type === t.type)) {
      const dot = svg("circle", { cx: xs(r.mean), cy: y, r: 3 + 4 * Math.sqrt(r.n / largest), fill: colour, "fill-opacity": 0.65, stroke: css("--paper"), "stroke-width": 0.8 });
      dot.addEventListener("pointermove", (e) => showTip(`${clip(r.sample, 60)}, ${clip(r.type, 40)}\nmean ${fmt(r.mean)}${r.sd == null ? "" : `, SD ${fmt(r.sd)}`} over ${r.n} cells`, e.clientX, e.clientY));
      dot.addEventListener("pointerleave", hideTip);
      picture.append(dot);
    }
  });
  holder.replaceChildren(picture, el("p", { class: "note" }, "Bars are medians over samples. The table below holds the same numbers."));
}
