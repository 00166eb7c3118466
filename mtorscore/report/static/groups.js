// Figures of prediction, of enrichment between groups, and of the correlation between scores.
function tableRows(table, keep) {
  if (!table) return [];
  const names = Object.keys(table.columns);
  if (!names.length) return [];
  const first = table.columns[names[0]];
  const n = (first.numbers || first.codes).length;
  const out = [];
  for (let i = 0; i < n; i++) {
    const row = {};
    for (const name of names) row[name] = cellOf(table.columns[name], i);
    if (!keep || keep(row)) out.push(row);
  }
  return out;
}

// A lead bears its branch's name, a confounder its title, any other signature its own.
function titled(name) {
  const s = SIGNATURES.get(name);
  if (!s || !leadsHere().includes(name) || s.branch === "user") return name;
  if (s.branch === "confounder") return s.title || name;
  return DATA.branches[s.branch] || name;
}

function frame(wide, tall, edge, x, y, words, label) {
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": label });
  const xs = (v) => edge.left + ((v - x[0]) / (x[1] - x[0] || 1)) * (wide - edge.left - edge.right);
  const ys = (v) => tall - edge.bottom - ((v - y[0]) / (y[1] - y[0] || 1)) * (tall - edge.top - edge.bottom);
  for (const v of ticks(...y)) picture.append(svg("line", { class: "grid", x1: edge.left, x2: wide - edge.right, y1: ys(v), y2: ys(v) }), svg("text", { class: "small", x: edge.left - 7, y: ys(v) + 4, "text-anchor": "end" }, fmt(v)));
  for (const v of ticks(...x)) picture.append(svg("text", { class: "small", x: xs(v), y: tall - edge.bottom + 16, "text-anchor": "middle" }, fmt(v)));
  picture.append(svg("text", { class: "small", x: (edge.left + wide - edge.right) / 2, y: tall - edge.bottom + 34, "text-anchor": "middle" }, words[0]));
  const middle = (tall - edge.bottom + edge.top) / 2;
  picture.append(svg("text", { class: "small", x: 13, y: middle, "text-anchor": "middle", transform: `rotate(-90 13 ${middle})` }, words[1]));
  return [picture, xs, ys];
}

const STRATEGIES = ["all", "none", "clinical", "score", "clinical + score"];
const STRATEGY_SHADES = { clinical: "--soft", score: "--accent", "clinical + score": "--mark", all: "--line", none: "--ink" };
const DASHES = { all: "2 3", none: "7 3", clinical: "7 3", score: null, "clinical + score": "9 3 2 3" };

function predictedNow(name) {
  const table = cohortNow().tables[name];
  const every = tableRows(table);
  const outcomes = [...new Set(every.map((r) => String(r.endpoint)))];
  if (!outcomes.includes(state.predicted)) state.predicted = outcomes.includes(state.endpoint) ? state.endpoint : outcomes[0] || null;
  const rows = every.filter((r) => String(r.endpoint) === state.predicted);
  const methods = [...new Set(rows.map((r) => r.method))];
  const method = methods.includes(state.method) ? state.method : methods[0];
  return { rows: rows.filter((r) => r.method === method), method, outcomes };
}

function byHorizon(rows) {
  const horizon = rows.map((r) => r.horizon).find((v) => v != null);
  return horizon == null ? "" : ` by ${fmt(horizon / YEAR)} years`;
}

function predictionNote(found) {
  return `${state.predicted}${byHorizon(found.rows)}, ${found.method}${found.method === state.method ? "" : " (the one method that was used to predict)"}`;
}

function drawCalibration(holder) {
  const found = predictedNow("calibration");
  if (!found.rows.length) return nothing(holder, "No risk was predicted in this cohort.");
  const models = STRATEGIES.filter((m) => found.rows.some((r) => r.model === m));
  const smooth = predictedNow("smooth_calibration").rows;
  const most = Math.min(1, Math.max(...found.rows.flatMap((r) => [r.predicted, r.high]).filter(Number.isFinite)) * 1.04);
  const wide = wideOf(holder);
  const label = `Calibration of the predicted risk of ${state.predicted}: ${models.join(", ")}`;
  const [picture, xs, ys] = frame(wide, 330, { left: 50, right: 12, top: 10, bottom: 44 }, [0, most], [0, most], ["predicted risk", "observed risk"], label);
  picture.append(svg("line", { class: "axis", x1: xs(0), y1: ys(0), x2: xs(most), y2: ys(most), "stroke-dasharray": "3 3" }));
  models.forEach((m, k) => {
    const colour = css(STRATEGY_SHADES[m] || "--ink");
    const line = smooth.filter((r) => r.model === m && r.predicted <= most);
    if (line.length) picture.append(svg("path", { d: line.map((r, j) => `${j ? "L" : "M"}${xs(r.predicted).toFixed(1)},${ys(Math.min(r.observed, most)).toFixed(1)}`).join(""), fill: "none", stroke: colour, "stroke-width": 1.4, "stroke-opacity": 0.6 }));
    for (const r of found.rows.filter((q) => q.model === m)) {
      const x = xs(r.predicted) + 3 * (k - (models.length - 1) / 2);
      if (Number.isFinite(r.low)) picture.append(svg("line", { x1: x, x2: x, y1: ys(Math.max(r.low, 0)), y2: ys(Math.min(r.high, most)), stroke: colour, "stroke-width": 1.4 }));
      picture.append(svg("circle", { cx: x, cy: ys(Math.min(r.observed, most)), r: 4, fill: k ? colour : css("--paper"), stroke: colour, "stroke-width": 1.8 }));
    }
  });
  const n = models.map((m) => found.rows.filter((r) => r.model === m).reduce((a, r) => a + (r.n || 0), 0));
  const key = el("div", { class: "key" }, ...models.map((m) => el("span", { style: `--c:${css(STRATEGY_SHADES[m] || "--ink")}` }, m)));
  holder.replaceChildren(el("div", { class: "tools" }, small("Outcome", "predicted", found.outcomes.map((e) => [e, e]))), picture, key,
    el("p", { class: "note" }, `${predictionNote(found)}: fifths of ${Math.max(...n)} held-out patients by predicted risk, with 95% intervals${smooth.length ? "; lines: a smooth model of the same" : ""}.`));
}

function drawDecision(holder) {
  const found = predictedNow("decision");
  if (!found.rows.length) return nothing(holder, "No decision curve: no risk was predicted in this cohort.");
  const models = STRATEGIES.filter((m) => found.rows.some((r) => r.model === m));
  const values = found.rows.filter((r) => r.model !== "all" && r.model !== "none").map((r) => r.net_benefit).filter(Number.isFinite);
  const top = Math.max(...found.rows.map((r) => r.net_benefit).filter(Number.isFinite), 0.02) * 1.05;
  const low = Math.max(Math.min(...values, 0), -0.25 * top) - 0.02 * top;
  const reach = Math.max(...found.rows.map((r) => r.threshold));
  const wide = wideOf(holder);
  const [picture, xs, ys] = frame(wide, 330, { left: 56, right: 12, top: 10, bottom: 44 }, [0, reach], [low, top], ["risk above which one would act", "net benefit per patient"], `Decision curve of ${state.predicted}: ${models.join(", ")}`);
  for (const m of models) {
    // A line ends at the frame.
    let pen = false;
    const path = found.rows.filter((r) => r.model === m && Number.isFinite(r.net_benefit)).map((r) => {
      if (r.net_benefit < low) { pen = false; return ""; }
      const step = `${pen ? "L" : "M"}${xs(r.threshold).toFixed(1)},${ys(r.net_benefit).toFixed(1)}`;
      pen = true;
      return step;
    }).join("");
    picture.append(svg("path", { d: path, fill: "none", stroke: css(m === "all" ? "--soft" : STRATEGY_SHADES[m] || "--ink"), "stroke-width": 2, "stroke-dasharray": DASHES[m] ?? null }));
  }
  const key = el("div", { class: "key" }, ...models.map((m) => el("span", { style: `--c:${css(m === "all" ? "--soft" : STRATEGY_SHADES[m] || "--ink")}` }, m === "all" || m === "none" ? `act on ${m}` : m)));
  holder.replaceChildren(picture, key, el("p", { class: "note" }, `${predictionNote(found)}; no interval is drawn: it would need the models fitted anew in resampled patients, and one of these fixed predictions is too narrow. Small differences between lines mean little.`));
}

function drawGsea(holder) {
  const cohort = cohortNow();
  const every = tableRows(cohort.tables.gsea);
  if (!every.length) return nothing(holder, cohort.missing.gsea || "No enrichment was computed.");
  const comparisons = [...new Set(every.map((r) => String(r.comparison)))];
  if (!comparisons.includes(state.comparison)) state.comparison = comparisons[0];
  const of = every.filter((r) => String(r.comparison) === state.comparison && Number.isFinite(r.nes));
  const leads = leadsHere().filter((n) => of.some((r) => r.signature === n));
  const names = leads.length ? leads : [...new Set(of.map((r) => r.signature))].slice(0, 25);
  const tools = el("div", { class: "tools" }, small("Comparison", "comparison", comparisons.map((c) => [c, c.replaceAll("_", " ")])));
  if (!names.length) { holder.replaceChildren(tools, el("p", { class: "missing" }, "No gene set could be tested.")); return; }
  const narrow = (holder.clientWidth || 900) < 620;
  const wide = narrow ? 400 : 860;
  const [left, right] = narrow ? [146, wide - 76] : [270, wide - 190];
  const high = 22;
  const tall = names.length * high + 62;
  const reach = Math.max(...of.filter((r) => names.includes(r.signature)).map((r) => Math.abs(r.nes)), 1) * 1.06;
  const xs = (v) => (left + right) / 2 + (v / reach) * ((right - left) / 2);
  const one = of[0];
  const groups = `${one.contrast}, ${one.n_first} and ${one.n_second} samples`;
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": `Normalised enrichment scores of ${names.length} signatures, ${clip(groups, 100)}` });
  for (const v of ticks(-reach, reach, 6)) picture.append(svg("line", { class: v === 0 ? "axis" : "grid", x1: xs(v), x2: xs(v), y1: 20, y2: tall - 38 }), svg("text", { class: "small", x: xs(v), y: tall - 22, "text-anchor": "middle" }, fmt(v)));
  picture.append(svg("text", { class: "small", x: (left + right) / 2, y: tall - 5, "text-anchor": "middle" }, "normalised enrichment score"), svg("text", { class: "small", x: right + 10, y: 13 }, narrow ? "q" : "q (genes found)"));
  const floor = Math.min(...of.map((r) => r.q).filter((q) => q > 0));
  names.forEach((name, k) => {
    const y = 20 + high * k + high / 2;
    picture.append(svg("text", { x: left - 10, y: y + 4, "text-anchor": "end" }, clip(titled(name), narrow ? 20 : 38)));
    const rows = of.filter((r) => r.signature === name);
    rows.forEach((r) => {
      const sure = r.q < 0.05;
      const colour = css(r.nes > 0 ? "--tumour" : "--normal");
      const shape = r.direction === "down" ? svg("path", { d: `M${xs(r.nes)} ${y + 5}l5 -9h-10z`, fill: sure ? colour : css("--paper"), stroke: colour, "stroke-width": 1.6 }) : svg("circle", { cx: xs(r.nes), cy: y, r: 4.6, fill: sure ? colour : css("--paper"), stroke: colour, "stroke-width": 1.6 });
      picture.append(shape);
    });
    const q = (r) => (r.q <= floor * 1.0001 ? `\u2264 ${fmt(r.q, 2)}` : fmt(r.q, 2));
    picture.append(svg("text", { class: "small", x: right + 10, y: y + 4 }, rows.map((r) => `${q(r)}${narrow ? "" : ` (${fmt(r.n_genes)})`}`).join(", ")));
  });
  holder.replaceChildren(tools, picture, el("p", { class: "note" }, `${groups}; ${one.permutation || "sample"}s permuted. Circles: genes that rise with the signature; triangles: genes that fall with it, on the same row. Filled: q < 0.05. \u2264: no smaller q can be shown by so many permutations. One matrix, so the choice of scoring method changes nothing here.`));
}

const PURPLES = [[64, 40, 120], [150, 130, 190], [247, 247, 247], [150, 190, 130], [30, 100, 40]];

function drawCorrelation(holder) {
  const cohort = cohortNow();
  const table = tableNow();
  const names = leadsHere().filter((n) => table.has(n)).slice(0, 20);
  const kind = cohort.tracks.sample_type;
  const at = [...cohort.observations.keys()].filter((i) => !kind || kind.levels[kind.codes[i]] !== "normal");
  if (names.length < 2 || at.length < 3) return nothing(holder, "A correlation needs two signatures and three samples.");
  const values = names.map((n) => { const v = table.get(n); return at.map((i) => v[i]); });
  const narrow = (holder.clientWidth || 900) < 620;
  const [cell, left, top] = narrow ? [15, 150, 20] : [30, 240, 22];
  const wide = left + cell * names.length + 8;
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${top + cell * names.length + 6}`, role: "img", "aria-label": `Spearman correlations between ${names.length} scores over ${counted(at.length)}`, style: `max-width:${wide}px` });
  names.forEach((a, j) => {
    picture.append(svg("text", { class: "small", x: left - 8, y: top + cell * j + cell / 2 + 4, "text-anchor": "end" }, `${clip(titled(a), narrow ? 22 : 34)} ${j + 1}`), svg("text", { class: "small", x: left + cell * (j + 0.5), y: top - 6, "text-anchor": "middle" }, String(j + 1)));
    names.forEach((b, k) => {
      if (k > j) return;
      const rho = j === k ? 1 : spearman(values[j], values[k]);
      const box = svg("rect", { x: left + cell * k, y: top + cell * j, width: cell - 1, height: cell - 1, fill: Number.isFinite(rho) ? shade(PURPLES, (rho + 1) / 2) : css("--line") });
      box.append(svg("title", {}, `${clip(titled(a), 60)} and ${clip(titled(b), 60)}: ${fmt(rho, 2)}`));
      picture.append(box);
      if (!narrow && j !== k && Math.abs(rho) >= 0.5) picture.append(svg("text", { class: "small", x: left + cell * (k + 0.5), y: top + cell * (j + 0.5) + 4, "text-anchor": "middle", style: `fill:${Math.abs(rho) > 0.62 ? "#fff" : "#111"}` }, rho.toFixed(1)));
    });
  });
  holder.replaceChildren(picture, el("div", { class: "key" }, ramp(PURPLES, "\u22121 to +1")), el("p", { class: "note" }, `Spearman's correlation over ${counted(at.length)}${kind ? " that are not normal tissue" : ""}, ${state.method}; coefficients of 0.5 or more are written.`));
}
