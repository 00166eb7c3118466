// Figures of outcome: Kaplan-Meier, hazard ratios, random signatures, several cohorts.
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
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${total}`, role: "img", "aria-label": `${curves[0].rising ? "Cumulative incidence" : "Kaplan-Meier curves"} of ${state.endpoint} by ${clip(state.signature, 50)}: ${words}. Log-rank p ${pText(p)}.` });
  for (const v of [0, 0.25, 0.5, 0.75, 1]) picture.append(svg("line", { class: "grid", x1: edge.left, x2: wide - edge.right, y1: ys(v), y2: ys(v) }), svg("text", { class: "small", x: edge.left - 8, y: ys(v) + 4, "text-anchor": "end" }, fmt(v)));
  const years = ticks(0, last, 6);
  for (const v of years) picture.append(svg("text", { class: "small", x: xs(v), y: tall + 16, "text-anchor": "middle" }, fmt(v)));
  picture.append(svg("text", { x: (wide + edge.left) / 2, y: tall + 33, "text-anchor": "middle" }, "years"), svg("text", { class: "small", x: edge.left, y: tall + 48 }, "at risk"));
  curves.forEach((c, k) => {
    const path = c.steps.map((s, j) => (j ? `H${xs(s.time / YEAR).toFixed(1)}V${ys(s.height).toFixed(1)}` : `M${xs(0)},${ys(s.height)}`)).join("");
    picture.append(svg("path", { d: path, fill: "none", stroke: c.colour, "stroke-width": 2.2, "stroke-dasharray": k === 1 && curves.length === 2 ? null : k === 0 ? "7 3" : k === 1 ? "2 3" : null }));
    picture.append(svg("path", { d: c.lost.map((s) => `M${xs(s.time / YEAR).toFixed(1)},${(ys(s.height) - 4).toFixed(1)}v8`).join(""), stroke: c.colour, "stroke-width": 1 }));
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
    const rows = curves.map((c) => { const past = c.steps.filter((s) => s.time <= year * YEAR); return `${c.name}: ${fmt(100 * past[past.length - 1].height)}% (${c.times.filter((t) => t >= year * YEAR).length} at risk)`; });
    showTip(`${fmt(year, 2)} years\n${rows.join("\n")}`, e.clientX, e.clientY);
  });
  picture.addEventListener("pointerleave", () => { line.setAttribute("visibility", "hidden"); hideTip(); });
  const key = el("div", { class: "key" }, ...curves.map((c) => el("span", { style: `--c:${c.colour}` }, `${c.name}: ${c.members.length} patients, ${c.events} events`)));
  const beside = curves[0].rising ? " Cumulative incidence beside competing events (Aalen-Johansen); the test is of the cause-specific hazards." : "";
  const note = state.cut === "selection" ? "A group chosen by looking at the figures: its p value proves nothing." : "The p value is of this one signature and not adjusted for the others.";
  holder.replaceChildren(tools, picture, key, el("p", { class: "note" }, `${state.endpoint}, log-rank p ${pText(p)}. ${note}${beside}`));
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
  if (!one) { holder.replaceChildren(tools, el("p", { class: "missing" }, "None of these signatures was related to this endpoint.")); return; }
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
  } else parts.push(el("p", { class: "missing" }, `This signature was not compared with random signatures${rows[0].reason ? ` (${clip(rows[0].reason, 160)})` : ""}.`));
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
