// Figures of outcome: Kaplan-Meier, hazard ratios, random signatures, several cohorts.
function drawKm(holder) {
  const found = groupsNow();
  if (!found) return nothing(holder, "This cohort has no survival endpoint with an event.");
  const tools = el("div", { class: "tools" }, small("Groups", "cut", [["median", "above and below the median"], ["tertiles", "thirds"], ...(state.selected.size ? [["selection", "selected against others"]] : [])]));
  const { endpoint, groups } = found;
  if (groups.length < 2) { holder.replaceChildren(tools, el("p", { class: "missing" }, "The score does not split these patients into two groups.")); return; }
  const curves = groups.map((g, k) => ({ ...g, ...productLimit(endpoint, g.members), colour: groups.length === 3 && k === 1 ? css("--soft") : g.name === "selected" ? css("--mark") : g.name === "others" ? css("--soft") : groupColour(g.name, k) }));
  const last = lastTime(curves) / YEAR;
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
  picture.append(svg("text", { x: (wide + edge.left) / 2, y: tall + 33, "text-anchor": "middle" }, "years"), svg("text", { class: "small", x: 13, y: tall / 2, "text-anchor": "middle", transform: `rotate(-90 13 ${tall / 2})` }, clip(curves[0].rising ? `incidence of ${state.endpoint}` : DATA.endpointNames[state.endpoint] || `without ${state.endpoint}`, 40)), svg("text", { class: "small", x: edge.left, y: tall + 48 }, "at risk"));
  curves.forEach((c, k) => {
    const path = c.steps.filter((s) => s.time <= last * YEAR + 1e-6).map((s, j) => (j ? `H${xs(s.time / YEAR).toFixed(1)}V${ys(s.height).toFixed(1)}` : `M${xs(0)},${ys(s.height)}`)).join("");
    picture.append(svg("path", { d: band(c, xs, ys), fill: c.colour, "fill-opacity": 0.13, stroke: "none" }));
    picture.append(svg("path", { d: path, fill: "none", stroke: c.colour, "stroke-width": 2.2, "stroke-dasharray": k === 1 && curves.length === 2 ? null : k === 0 ? "7 3" : k === 1 ? "2 3" : null }));
    picture.append(svg("path", { d: c.lost.filter((s) => s.time <= last * YEAR).map((s) => `M${xs(s.time / YEAR).toFixed(1)},${(ys(s.height) - 4).toFixed(1)}v8`).join(""), stroke: c.colour, "stroke-width": 1 }));
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
  holder.replaceChildren(tools, picture, key, el("p", { class: "note" }, `${outcomeName(state.endpoint)}; ${clip(state.signature, 60)}, ${state.method}. Log-rank p ${pText(p)}${perSd()}. ${note} Bands: 95% (log-log); ticks: censored; curves end where fewer than a tenth are at risk.${beside}`));
}

// Curves end where fewer than a tenth of a group, or five patients, are at risk.
function lastTime(curves) {
  return Math.max(...curves.map((c) => c.times[Math.max(0, c.times.length - Math.max(5, Math.ceil(c.times.length / 10)))]));
}

// Greenwood's variance on the log-log scale; none for cumulative incidences.
function band(curve, xs, ys) {
  if (curve.rising) return "";
  let sum = 0;
  let before = 1;
  const [upper, lower] = [[], []];
  const end = lastTime([curve]) ;
  for (const s of curve.steps) {
    if (s.time > end) break;
    const died = s.survival < before ? Math.round(s.risk * (1 - s.survival / before)) : 0;
    if (died && s.risk > died) sum += died / (s.risk * (s.risk - died));
    before = s.survival;
    const reach = s.survival > 0 && s.survival < 1 ? (1.959964 * Math.sqrt(sum)) / Math.abs(Math.log(s.survival)) : 0;
    const [low, high] = [s.survival ** Math.exp(reach), s.survival ** Math.exp(-reach)];
    const x = xs(s.time / YEAR).toFixed(1);
    if (upper.length) { upper.push(`H${x}`); lower.push([x, lower[lower.length - 1][1]]); }
    upper.push(`${upper.length ? "V" : `M${x},`}${ys(high).toFixed(1)}`);
    lower.push([x, ys(low).toFixed(1)]);
  }
  return `${upper.join("")}${lower.reverse().map(([x, y]) => `L${x},${y}`).join("")}Z`;
}

function outcomeName(endpoint) { return DATA.endpointNames[endpoint] ? `${endpoint}, ${DATA.endpointNames[endpoint]}` : String(endpoint); }

function perSd() {
  const row = (associationsNow().get(state.signature) || []).find((r) => r.shown === "unadjusted");
  return row && row.hr > 0 ? `; hazard ratio per SD ${ratioText(row)}, q ${pText(row.q)}${row.valid === "False" ? ", not to be trusted" : ""}` : "";
}

function fixed(v) { return v == null || !Number.isFinite(v) ? "" : v >= 100 ? fmt(v) : v.toFixed(2); }
function ratioText(r) { return `${fixed(r.hr)} (${fixed(r.hr_low)}\u2013${fixed(r.hr_high)})`; }

const MODEL_SHADES = ["--ink", "--mark", "--accent", "--soft", "--loud", "--green"];

function ratioScale(rows, left, right) {
  const logs = rows.flatMap((r) => [r.hr_low, r.hr_high]).filter((v) => v > 0 && Number.isFinite(v)).map((v) => Math.abs(Math.log(v)));
  const middle = rows.map((r) => Math.abs(Math.log(r.hr))).filter(Number.isFinite);
  const reach = Math.min(Math.max(...logs, Math.log(1.5)), Math.max(...middle, 0) + Math.log(6)) * 1.05;
  const at = (v) => (left + right) / 2 + (Math.min(Math.max(Math.log(v), -reach), reach) / reach) * ((right - left) / 2);
  const marks = [0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 1, 1.5, 2, 3, 5, 10, 20].filter((v) => Math.abs(Math.log(v)) <= reach);
  at.beyond = (v) => Math.abs(Math.log(v)) > reach;
  return [at, marks.length > 7 ? marks.filter((v) => ![0.33, 0.67, 1.5, 3].includes(v)) : marks];
}

function interval(picture, row, y, at, colour) {
  if (!(row.hr > 0)) return;
  if (row.hr_low > 0 && row.hr_high > 0) {
    picture.append(svg("line", { x1: at(row.hr_low), x2: at(row.hr_high), y1: y, y2: y, stroke: colour, "stroke-width": 1.8 }));
    // What ends beyond the axis ends in an arrow.
    for (const [v, way] of [[row.hr_low, -1], [row.hr_high, 1]]) if (at.beyond(v)) picture.append(svg("path", { d: `M${at(v) + 5 * way} ${y}l${-6 * way} -3.5v7z`, fill: colour }));
  }
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
  const models = [...new Set([...found.values()].flat().map((r) => r.shown))].slice(0, 6);
  const tools = el("div", { class: "tools" },
    small("Rows", "rows", [["leads", "One per branch, and confounders"], ["branch", "All of this branch"], ["all", "All signatures"]]),
    small("Sort", "sort", [["branch", "by branch"], ["hr", "by hazard ratio"], ["p", "by p value"]]));
  const narrow = (holder.clientWidth || 900) < 620;
  const wide = narrow ? 400 : 980;
  const [left, right] = narrow ? [140, wide - 84] : [270, wide - 330];
  const step = 9;
  const high = Math.max(24, 10 + step * models.length);
  const total = names.length * high + 60;
  const rows = names.flatMap((n) => found.get(n));
  const [at, marks] = ratioScale(rows, left, right);
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${total}`, role: "group", "aria-label": `Forest plot of hazard ratios for ${state.endpoint} of ${names.length} signatures; each row is a button.` });
  for (const v of marks) picture.append(svg("line", { class: v === 1 ? "axis" : "grid", x1: at(v), x2: at(v), y1: 22, y2: total - 34 }), svg("text", { class: "small", x: at(v), y: total - 18, "text-anchor": "middle" }, fmt(v)), svg("text", { class: "small", x: at(v), y: 14, "text-anchor": "middle" }, fmt(v)));
  picture.append(svg("text", { class: "small", x: (left + right) / 2, y: total - 3, "text-anchor": "middle" }, "hazard ratio per SD (95% interval)"));
  if (narrow) picture.append(svg("text", { class: "small", x: right + 6, y: 14 }, "HR, q"));
  else for (const [x, text] of [[right + 14, "HR unadjusted"], [right + 168, "q"], [right + 232, "empirical p"]]) picture.append(svg("text", { class: "small", x, y: 14 }, text));
  names.forEach((name, k) => {
    const top = 22 + k * high;
    const one = first(name);
    if (name === state.signature) picture.append(svg("rect", { class: "row-on", x: 0, y: top, width: wide, height: high }));
    picture.append(svg("text", { x: left - 10, y: top + high / 2 + 4, "text-anchor": "end", style: name === state.signature ? "font-weight:700" : null }, clip(titled(name), narrow ? 20 : 38)));
    models.forEach((m, j) => {
      const row = found.get(name).find((r) => r.shown === m);
      if (row) interval(picture, row, top + high / 2 + (j - (models.length - 1) / 2) * step, at, css(MODEL_SHADES[j]));
    });
    if (narrow) picture.append(svg("text", { class: "small", x: right + 6, y: top + high / 2 }, fixed(one.hr)), svg("text", { class: "small", x: right + 6, y: top + high / 2 + 11 }, `q ${pText(one.q)}`));
    else {
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
  holder.replaceChildren(tools, key, picture, el("p", { class: "note" }, `${outcomeName(state.endpoint)}, ${state.method}: ${one.n} patients, ${one.events} events; Cox models, q by Benjamini and Hochberg. Hollow points are not to be trusted; point at a row for the reason. Arrows: the interval goes on.`));
}

function drawModels(holder) {
  const rows = associationsNow().get(state.signature);
  if (!rows) return nothing(holder, "This signature was not related to this endpoint.");
  const share = (r) => r.null_percentile;
  const wide = wideOf(holder);
  const at = (v) => 20 + (v / 100) * (wide - 40);
  const shown = rows.filter((r) => share(r) != null);
  const parts = [];
  if (shown.length) {
    const tall = 64 + 20 * shown.length;
    const picture = svg("svg", { viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": `Share of random signatures with a weaker effect: ${shown.map((r) => `${r.shown} ${fmt(share(r))}%`).join("; ")}` });
    picture.append(svg("rect", { x: at(0), y: 8, width: at(95) - at(0), height: tall - 44, fill: css("--band") }));
    for (const v of [0, 25, 50, 75, 100]) picture.append(svg("line", { class: "grid", x1: at(v), x2: at(v), y1: 8, y2: tall - 36 }), svg("text", { class: "small", x: at(v), y: tall - 20, "text-anchor": "middle" }, String(v)));
    picture.append(svg("text", { class: "small", x: wide / 2, y: tall - 4, "text-anchor": "middle" }, `${wide < 480 ? "above this % of" : "stronger than this share of"} ${fmt(shown[0].n_null)} random signatures${wide < 480 ? "" : ", %"} (shaded: below 95)`));
    shown.forEach((r, k) => {
      const y = 26 + 20 * k;
      const right = share(r) > 50;
      picture.append(svg("circle", { cx: at(share(r)), cy: y, r: 5, fill: css(MODEL_SHADES[k % 6]) }), svg("text", { x: at(share(r)) + (right ? -10 : 10), y: y + 4, "text-anchor": right ? "end" : "start" }, clip(r.shown, 40)));
    });
    parts.push(picture);
  } else parts.push(el("p", { class: "missing" }, `This signature was not compared with random signatures${rows[0].reason ? ` (${clip(rows[0].reason, 160)})` : ""}.`));
  const heads = ["model", "HR", "95% interval", "p", "q", "empirical p", "PH test p", "C"];
  const body = rows.map((r) => [r.shown, fixed(r.hr), `${fixed(r.hr_low)}\u2013${fixed(r.hr_high)}`, pText(r.p), pText(r.q), pText(r.null_p), pText(r.ph_p), fmt(r.c_index)]);
  parts.push(el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Models of this signature" }, el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((h, j) => el("th", { scope: "col", class: j ? "num" : "" }, h)))),
    el("tbody", {}, ...body.map((cells) => el("tr", {}, ...cells.map((t, j) => el(j ? "td" : "th", j ? { class: "num" } : { scope: "row" }, clip(t, 60)))))))));
  const why = [...new Set(rows.map((r) => r.reason).filter(Boolean))];
  if (why.length) parts.push(el("p", { class: "note" }, `Notes: ${why.map((w) => clip(w, 200)).join("; ")}.`));
  holder.replaceChildren(...parts);
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
    interval(picture, row, y, at, css("--ink"));
    if (!narrow) picture.append(svg("text", { x: right + 14, y: y + 4 }, `${ratioText(row)}, ${row.events} events`));
  });
  if (pooled) {
    const y = 26 + rows.length * 30;
    const colour = css("--mark");
    if (pooled.prediction_low > 0) picture.append(svg("line", { x1: at(pooled.prediction_low), x2: at(pooled.prediction_high), y1: y, y2: y, stroke: colour }));
    picture.append(...[
      svg("path", { d: `M${at(pooled.hr_low)},${y}L${at(pooled.hr)},${y - 8}L${at(pooled.hr_high)},${y}L${at(pooled.hr)},${y + 8}Z`, fill: colour }),
      svg("text", { x: left - 12, y: y + 4, "text-anchor": "end", style: "font-weight:700" }, "combined"),
      narrow ? null : svg("text", { x: right + 14, y: y + 4 }, `${ratioText(pooled)}, I\u00b2 ${fmt(100 * pooled.i2, 2)}%`),
    ].filter(Boolean));
  }
  holder.replaceChildren(el("p", { class: "note" }, `${clip(state.signature, 80)}, ${state.endpoint}, ${state.method}, unadjusted. Diamond: combined${pooled?.prediction_low > 0 ? "; thin line: where a further cohort would be expected" : "; with so few cohorts no interval for a further one can be given"}. The choice of cohort changes nothing here.`), picture);
}
