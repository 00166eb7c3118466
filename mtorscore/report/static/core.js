"use strict";
// Data, state and arithmetic. All text from the data reaches the page through textContent or canvas text only.
const DATA = JSON.parse(document.getElementById("payload").textContent);
// Long columns come packed: codes as runs, numbers as single precision. Each is unpacked when it is first read.
function unpackedCodes(runs) {
  const codes = [];
  for (let k = 0; k < runs.length; k += 2) for (let i = 0; i < runs[k + 1]; i++) codes.push(runs[k]);
  return codes;
}
function unpackedNumbers(column) {
  const bytes = Uint8Array.from(atob(column.single), (c) => c.charCodeAt(0));
  const values = new Float32Array(bytes.buffer);
  if (!column.known) return values;
  // Of a column with many gaps the known values alone come, beside a bit for each row.
  const bits = Uint8Array.from(atob(column.known), (c) => c.charCodeAt(0));
  let k = 0;
  return Float32Array.from({ length: column.rows }, (_, i) => (bits[i >> 3] & (128 >> (i & 7)) ? values[k++] : NaN));
}
function readLater(column, name, make) {
  Object.defineProperty(column, name, { configurable: true, enumerable: true, get() {
    const value = make();
    Object.defineProperty(column, name, { value, enumerable: true });
    return value;
  } });
}
for (const table of [...DATA.cohorts.flatMap((c) => Object.values(c.tables)), ...DATA.boards, ...(DATA.meta ? [DATA.meta] : [])]) {
  for (const column of Object.values(table.columns)) {
    if (column.runs) readLater(column, "codes", () => unpackedCodes(column.runs));
    if (column.single) readLater(column, "numbers", () => unpackedNumbers(column));
  }
}
const SIGNATURES = new Map(DATA.signatures.map((s) => [s.id, s]));
const MISSING = 65535;
const STEPS = 65534;
const YEAR = 365.25;

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c != null));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c != null));
  return node;
}

function fmt(value, digits = 3) {
  if (value == null || !Number.isFinite(value)) return "";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value).replace("-", "\u2212");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(1).replace("-", "\u2212");
  return Number(value.toPrecision(digits)).toString().replace("-", "\u2212");
}

function pText(p) {
  if (p == null || !Number.isFinite(p)) return "not available";
  return p < 1e-4 ? "< 0.0001" : fmt(p, 2);
}

function clip(text, most) {
  const plain = Array.from(text, (c) => (/\p{C}/u.test(c) ? " " : c));
  return plain.length <= most ? plain.join("") : plain.slice(0, most - 1).join("") + "\u2026";
}

// Colours are read once per theme: each reading may make the browser compute every style anew.
const styles = new Map();
function css(name) {
  if (!styles.has(name)) styles.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return styles.get(name);
}

const CYCLE = ["#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A8A", "#B8A800", "#0072B2", "#D55E00"];
function groupColour(name, i) {
  if (name === "tumour" || name === "high") return css("--tumour");
  if (name === "normal" || name === "low") return css("--normal");
  return CYCLE[i % CYCLE.length];
}

// Scores are unpacked when a method is first shown.
function scoresOf(cohort, method) {
  const packed = cohort.scores[method];
  if (!packed) return new Map();
  if (!packed.table) {
    const bytes = Uint8Array.from(atob(packed.data), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const n = cohort.observations.length;
    packed.table = new Map(packed.names.map((name, j) => {
      const out = new Float64Array(n);
      const low = packed.low[j];
      const span = packed.high[j] - low;
      for (let i = 0; i < n; i++) {
        const step = view.getUint16(2 * (j * n + i), true);
        out[i] = step === MISSING ? NaN : low + (span * step) / STEPS;
      }
      return [name, out];
    }));
  }
  return packed.table;
}

// A column as text or number per row, whatever its packing.
function cellOf(column, i) {
  if (column.single) return Number.isNaN(column.numbers[i]) ? null : Number(column.numbers[i].toPrecision(6));
  if (column.numbers) return column.numbers[i];
  return column.codes[i] < 0 ? null : column.levels[column.codes[i]];
}

const state = {
  cohort: 0, method: DATA.methods[0] || null, endpoint: null, signature: null, other: null,
  rows: "leads", order: "signature", cut: "median", sort: "branch", colour: "sample_type", paint: "signature", selected: new Set(),
  predicted: null, comparison: null, map: null,
};
const watchers = [];

// The leads of the cohort at hand: in another tissue a branch may have another.
function leadsHere() {
  const column = DATA.boards[state.cohort]?.columns.signature;
  const own = column ? new Set(column.levels) : null;
  return DATA.leads.filter((n) => !own || own.has(n) || SIGNATURES.get(n)?.branch === "confounder");
}

function groupNow() { return cohortNow().tracks[cohortNow().group]; }
function counted(n) { return `${n} ${cohortNow().unit}${n === 1 ? "" : "s"}`; }
function cohortNow() { return DATA.cohorts[state.cohort]; }
function tableNow() { return scoresOf(cohortNow(), state.method); }

function settle() {
  const cohort = cohortNow();
  const methods = DATA.methods.filter((m) => cohort.scores[m]);
  if (!methods.includes(state.method)) state.method = methods[0] || null;
  const endpoints = Object.keys(cohort.endpoints);
  if (!endpoints.includes(state.endpoint)) state.endpoint = endpoints[0] || null;
  if (!cohort.tracks[state.colour]) state.colour = cohort.group;
  if (state.paint !== "signature" && !cohort.tracks[state.paint]) state.paint = "signature";
  const names = [...tableNow().keys()];
  if (!names.includes(state.signature)) state.signature = leadsHere().find((n) => names.includes(n)) || names[0] || null;
  if (!names.includes(state.other) || state.other === state.signature) {
    const wanted = ["META_PCNA", "HEPATOCYTE_IDENTITY", ...names];
    state.other = wanted.find((n) => names.includes(n) && n !== state.signature) || null;
  }
}

function change(patch) {
  if ("cohort" in patch && patch.cohort !== state.cohort) state.selected = new Set();
  Object.assign(state, patch);
  settle();
  for (const watch of watchers) watch(patch);
}

function chosenRows(which) {
  const names = [...tableNow().keys()];
  if (which === "all") return names;
  if (which === "branch") {
    const branch = (SIGNATURES.get(state.signature) || {}).branch;
    return names.filter((n) => SIGNATURES.get(n).branch === branch);
  }
  const leads = leadsHere().filter((n) => names.includes(n));
  if (state.signature && !leads.includes(state.signature)) leads.unshift(state.signature);
  return leads.length ? leads : names.slice(0, 20);
}

function finite(values) { return Array.from(values).filter(Number.isFinite); }

function quantile(sorted, q) {
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

function meanSd(values) {
  const kept = finite(values);
  const mean = kept.reduce((a, b) => a + b, 0) / kept.length;
  const variance = kept.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(kept.length - 1, 1);
  return [mean, Math.sqrt(variance)];
}

function spearman(x, y) {
  const both = [];
  for (let i = 0; i < x.length; i++) if (Number.isFinite(x[i]) && Number.isFinite(y[i])) both.push(i);
  if (both.length < 3) return NaN;
  const ranks = (values) => {
    const order = both.map((_, k) => k).sort((a, b) => values[both[a]] - values[both[b]]);
    const out = new Float64Array(both.length);
    for (let s = 0; s < order.length;) {
      let e = s;
      while (e + 1 < order.length && values[both[order[e + 1]]] === values[both[order[s]]]) e++;
      for (let k = s; k <= e; k++) out[order[k]] = (s + e) / 2;
      s = e + 1;
    }
    return out;
  };
  const [a, b] = [ranks(x), ranks(y)];
  const middle = (both.length - 1) / 2;
  let [top, left, right] = [0, 0, 0];
  for (let k = 0; k < both.length; k++) {
    top += (a[k] - middle) * (b[k] - middle);
    left += (a[k] - middle) ** 2;
    right += (b[k] - middle) ** 2;
  }
  return top / Math.sqrt(left * right);
}

// Groups of the patients of the endpoint: at or below a cut counts as below it, as in the tables on disk.
function groupsNow() {
  const cohort = cohortNow();
  const endpoint = cohort.endpoints[state.endpoint];
  const scores = tableNow().get(state.signature);
  if (!endpoint || !scores) return null;
  const at = [];
  for (let i = 0; i < scores.length; i++) {
    if (endpoint.time[i] != null && endpoint.time[i] >= 0 && endpoint.event[i] != null && Number.isFinite(scores[i])) at.push(i);
  }
  let label;
  let names;
  if (state.cut === "selection" && state.selected.size) {
    names = ["others", "selected"];
    label = (i) => (state.selected.has(i) ? 1 : 0);
  } else {
    const sorted = at.map((i) => scores[i]).sort((a, b) => a - b);
    const cuts = (state.cut === "tertiles" ? [1 / 3, 2 / 3] : [0.5]).map((q) => quantile(sorted, q));
    names = cuts.length === 2 ? ["low", "middle", "high"] : ["low", "high"];
    label = (i) => cuts.filter((c) => scores[i] > c).length;
  }
  const members = names.map(() => []);
  for (const i of at) members[label(i)].push(i);
  return { endpoint, groups: names.map((name, k) => ({ name, members: members[k] })).filter((g) => g.members.length) };
}

// Kaplan-Meier, or with competing events the cumulative incidence (Aalen-Johansen), as `height`.
function productLimit(endpoint, members) {
  const kind = (i) => (endpoint.event[i] === 1 ? 1 : endpoint.competing && endpoint.competing[i] === 1 ? 2 : 0);
  const rows = members.map((i) => [endpoint.time[i], kind(i)]).sort((a, b) => a[0] - b[0]);
  const rising = rows.some((r) => r[1] === 2) || (endpoint.competing || []).includes(1);
  const steps = [{ time: 0, survival: 1, height: rising ? 0 : 1, risk: rows.length }];
  const lost = [];
  let [survival, incidence] = [1, 0];
  for (let k = 0; k < rows.length;) {
    const time = rows[k][0];
    let [events, others, gone] = [0, 0, 0];
    const risk = rows.length - k;
    while (k < rows.length && rows[k][0] === time) { if (rows[k][1] === 1) events++; else if (rows[k][1]) others++; else gone++; k++; }
    incidence += (survival * events) / risk;
    if (events + others) survival *= 1 - (events + others) / risk;
    const height = rising ? incidence : survival;
    steps.push({ time, survival: rising ? 1 - incidence : survival, height, risk });
    if (gone) lost.push({ time, height });
  }
  return { steps, lost, rising, times: rows.map((r) => r[0]), events: rows.filter((r) => r[1] === 1).length };
}

function logRank(endpoint, groups) {
  const k = groups.length;
  const all = groups.flatMap((g, j) => g.members.map((i) => [endpoint.time[i], endpoint.event[i] === 1, j]));
  all.sort((a, b) => a[0] - b[0]);
  const risk = groups.map((g) => g.members.length);
  const difference = new Array(k).fill(0);
  const variance = Array.from({ length: k }, () => new Array(k).fill(0));
  for (let s = 0; s < all.length;) {
    const died = new Array(k).fill(0);
    const leaving = new Array(k).fill(0);
    const time = all[s][0];
    while (s < all.length && all[s][0] === time) { leaving[all[s][2]]++; if (all[s][1]) died[all[s][2]]++; s++; }
    const n = risk.reduce((a, b) => a + b, 0);
    const d = died.reduce((a, b) => a + b, 0);
    if (d) {
      for (let a = 0; a < k; a++) {
        difference[a] += died[a] - (d * risk[a]) / n;
        if (n > 1) {
          const scale = (d * (n - d)) / (n - 1);
          for (let b = 0; b < k; b++) variance[a][b] += scale * ((a === b ? risk[a] / n : 0) - (risk[a] * risk[b]) / (n * n));
        }
      }
    }
    for (let a = 0; a < k; a++) risk[a] -= leaving[a];
  }
  if (k === 2) return chance(difference[0] ** 2 / variance[0][0], 1);
  if (k === 3) {
    const [[a, b], [c, d]] = [[variance[0][0], variance[0][1]], [variance[1][0], variance[1][1]]];
    const [u, v] = difference;
    return chance((d * u * u - (b + c) * u * v + a * v * v) / (a * d - b * c), 2);
  }
  return NaN;
}

function chance(statistic, df) {
  if (!Number.isFinite(statistic)) return NaN;
  if (df === 2) return Math.exp(-statistic / 2);
  // Complementary error function, Numerical Recipes' rational form: relative error below 1.2e-7.
  const z = Math.sqrt(statistic / 2);
  const t = 1 / (1 + z / 2);
  const c = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  return t * Math.exp(-z * z + c.reduceRight((sum, value) => sum * t + value, 0));
}

// Associations of the chosen cohort, method and endpoint, by signature.
function associationsNow(cohort = cohortNow()) {
  const wanted = [state.method, state.endpoint].join("\t");
  if (cohort.related?.wanted !== wanted) cohort.related = { wanted, rows: associationsOf(cohort) };
  return cohort.related.rows;
}

function associationsOf(cohort) {
  const table = cohort.tables.associations;
  const out = new Map();
  if (!table || !table.columns.hr) return out;
  const c = table.columns;
  const get = (name, i) => (c[name] ? cellOf(c[name], i) : null);
  const n = (c.signature.codes || c.signature.numbers).length;
  for (let i = 0; i < n; i++) {
    if (get("method", i) !== state.method || get("endpoint", i) !== state.endpoint) continue;
    const row = {};
    for (const name of Object.keys(c)) row[name] = cellOf(c[name], i);
    row.shown = row.model === "unadjusted" ? "unadjusted" : `adjusted for ${String(row.adjusted_for ?? "").replaceAll("_", " ")}`;
    const key = String(row.signature);
    if (!out.has(key)) out.set(key, []);
    out.get(key).push(row);
  }
  return out;
}

const tip = document.getElementById("tip");
function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(x + 14, innerWidth - box.width - 8);
  const top = y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}
function hideTip() { tip.hidden = true; }

function describeSample(i) {
  const cohort = cohortNow();
  const lines = [clip(cohort.observations[i], 80)];
  for (const [name, column] of Object.entries(cohort.tracks)) {
    const value = cellOf(column, i);
    if (value != null) lines.push(`${clip(name.replaceAll("_", " "), 30)}: ${clip(typeof value === "number" ? fmt(value) : value, 60)}`);
  }
  return lines.slice(0, 9).join("\n");
}
