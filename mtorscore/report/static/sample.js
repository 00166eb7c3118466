// The address keeps the reader's choices; search finds samples, genes and signatures; one sample is a view of its own.
const KEPT_STATE = ["cohort", "method", "endpoint", "signature", "other", "rows", "sort", "cut", "map"];
let anchor = "";

function writeAddress() {
  const parts = [`cohort=${encodeURIComponent(cohortNow().name)}`];
  for (const key of KEPT_STATE.slice(1)) if (state[key] && state[key] !== START[key]) parts.push(`${key}=${encodeURIComponent(state[key])}`);
  if (state.selected.size === 1) parts.push(`sample=${encodeURIComponent(cohortNow().observations[[...state.selected][0]])}`);
  try { history.replaceState(null, "", `#${[anchor, ...parts].filter(Boolean).join("&")}`); } catch { /* an address that may not be changed, as within a frame */ }
}

function readAddress() {
  const patch = {};
  anchor = "";
  for (const part of location.hash.slice(1).split("&")) {
    const at = part.indexOf("=");
    if (at < 0) { anchor = /^[\w-]+$/.test(part) && document.getElementById(part) ? part : anchor; continue; }
    const key = part.slice(0, at);
    let value;
    try { value = decodeURIComponent(part.slice(at + 1)); } catch { continue; }
    if (key === "cohort") { const k = DATA.cohorts.findIndex((c) => c.name === value); if (k >= 0) patch.cohort = k; } else if (key === "sample" || KEPT_STATE.includes(key)) patch[key] = value;
  }
  const { sample, ...rest } = patch;
  const cohort = DATA.cohorts[patch.cohort ?? state.cohort];
  const i = sample == null ? -1 : cohort.observations.indexOf(sample);
  return i >= 0 ? { ...rest, selected: new Set([i]) } : rest;
}

const START = { ...state };

function buildAddress() {
  const allowed = { cut: ["median", "tertiles"], rows: ["leads", "branch", "all"], sort: ["branch", "hr", "p"], map: ["shift", "effect", "sample"] };
  const clean = (patch) => { for (const key of Object.keys(allowed)) if (key in patch && !allowed[key].includes(patch[key])) delete patch[key]; return patch; };
  const patch = clean(readAddress());
  const { selected, ...rest } = patch;
  if (Object.keys(rest).length) change(rest);
  if (selected) change(patch.map ? { selected, map: patch.map } : { selected });
  if (!("cohort" in patch)) chooseCohortOf(anchor);
  unfold(anchor);
  document.addEventListener("click", followRow);
  watchers.push(writeAddress);
  addEventListener("hashchange", () => {
    const found = clean(readAddress());
    if (Object.keys(found).length) change(found);
    if (!("cohort" in found)) chooseCohortOf(anchor);
    unfold(anchor);
    const row = anchor ? document.getElementById(anchor) : null;
    document.querySelectorAll(".board tr.found").forEach((r) => r.classList.remove("found"));
    if (row?.matches(".board tr")) { row.classList.add("found"); choose(row.dataset.signature); }
    writeAddress();
  });
}

// What a link leads to is unfolded: itself, what it stands in, or all that its section holds.
const FOLDED = ["data", "coverage", "provenance"];
function unfold(id) {
  const target = id ? document.getElementById(id) : null;
  if (!target) return;
  const inside = FOLDED.includes(id) ? target.querySelector("details") : null;
  for (let node = inside || target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  target.scrollIntoView();
}

// What belongs to a cohort that is not shown is shown before a link leads to it.
function chooseCohortOf(id) {
  const part = id ? document.getElementById(id)?.closest("[data-cohort]") : null;
  if (part?.hidden) change({ cohort: Number(part.dataset.cohort) });
}

// A row of a board leads to its signature; a cell of several cohorts, to the signature in that cohort.
function followRow(event) {
  const cell = event.target.closest("table.board tbody th, table.board tbody td");
  if (!cell || !getSelection().isCollapsed) return;
  if (cell.dataset.of) change({ cohort: Number(cell.dataset.of) });
  choose(cell.dataset.lead || cell.parentElement.dataset.signature);
  if (!event.target.closest("a")) jump("signature");
}

function choose(signature) { if (signature && tableNow().has(signature)) change({ signature }); }

function buildFind(bar) {
  const input = el("input", { type: "search", id: "find", autocomplete: "off", placeholder: "sample, gene, signature", "aria-controls": "found" });
  const found = el("div", { id: "found", role: "region", "aria-label": "Found", hidden: true });
  const row = (text, act) => el("button", { type: "button", onclick: () => { act(); found.hidden = true; input.value = ""; } }, text);
  const look = () => {
    const wanted = input.value.trim().toLowerCase();
    const hits = [];
    if (wanted.length > 1) {
      DATA.cohorts.forEach((cohort, k) => {
        for (let i = 0; i < cohort.observations.length && hits.length < 8; i++) if (cohort.observations[i].toLowerCase().includes(wanted)) hits.push(row(`Sample ${clip(cohort.observations[i], 60)}, ${clip(cohort.name, 30)}`, () => { change({ cohort: k }); showSample(i); }));
      });
      const genes = [...SIGNATURES.keys()].filter((n) => (DATA.genes[n] || "").toLowerCase().split(" ").includes(wanted));
      if (genes.length) hits.push(el("p", {}, `Gene ${wanted.toUpperCase()} is in ${genes.length} signature${genes.length === 1 ? "" : "s"}:`), ...genes.slice(0, 14).map((n) => row(clip(n, 60), () => { choose(n); jump("signature"); })));
      for (const s of SIGNATURES.values()) if (hits.length < 22 && `${s.id} ${s.title}`.toLowerCase().includes(wanted)) hits.push(row(`Signature ${clip(s.id, 60)}`, () => { choose(s.id); jump("signature"); }));
    }
    found.replaceChildren(...(hits.length ? hits : [el("p", {}, wanted.length > 1 ? "Nothing of that name." : "Write two letters or more.")]));
    found.hidden = !wanted;
  };
  input.addEventListener("input", look);
  input.addEventListener("keydown", (e) => { if (e.key === "Escape") { input.value = ""; found.hidden = true; } if (e.key === "Enter") found.querySelector("button")?.click(); });
  bar.append(el("div", { class: "find" }, el("label", {}, "Find", input), found));
}

function jump(id) { anchor = id; document.getElementById(id).scrollIntoView(); writeAddress(); }
function showSample(i) { change({ selected: new Set([i]) }); jump("sample"); }

// Each lead's score of one sample, and its place among the samples that are not normal tissue.
function placesOf(i) {
  const cohort = cohortNow();
  const kind = cohort.tracks.sample_type;
  const others = [...cohort.observations.keys()].filter((j) => !kind || kind.levels[kind.codes[j]] !== "normal");
  return leadsHere().filter((n) => tableNow().has(n)).map((name) => {
    const values = tableNow().get(name);
    const among = finite(others.map((j) => values[j]));
    const [mean, sd] = meanSd(among);
    const below = among.filter((v) => v < values[i]).length + 0.5 * among.filter((v) => v === values[i]).length;
    return { name, value: values[i], z: sd > 0 ? (values[i] - mean) / sd : NaN, place: (100 * below) / among.length, n: among.length };
  });
}

// The genes of a signature that are furthest from the cohort's mean in one sample, with their SD.
function carriersOf(name, i) {
  const packed = cohortNow().carriers[name];
  if (!packed) return [];
  packed.order ??= new DataView(Uint8Array.from(atob(packed.at), (c) => c.charCodeAt(0)).buffer);
  packed.tenths ??= Int8Array.from(atob(packed.sd), (c) => c.charCodeAt(0));
  return Array.from({ length: packed.each }, (_, k) => {
    const at = i * packed.each + k;
    const gene = packed.genes[packed.order.getUint16(2 * at, true)];
    const z = packed.tenths[at] / 10;
    return `${gene.endsWith("-") ? `${gene.slice(0, -1)} (down)` : gene} ${z > 0 ? "+" : ""}${fmt(z, 2)}`;
  });
}

function drawSample() {
  const section = document.getElementById("sample");
  const one = state.selected.size === 1 ? [...state.selected][0] : null;
  section.hidden = one == null;
  if (one == null) return;
  const cohort = cohortNow();
  const name = cohort.observations[one];
  const places = placesOf(one).filter((p) => Number.isFinite(p.value));
  const facts = Object.entries(cohort.tracks).map(([t, column]) => [t.replaceAll("_", " "), cellOf(column, one)]).filter(([, v]) => v != null);
  const heads = ["branch and signature", "score", `place among ${places[0]?.n ?? 0} (percentile)`, "SD from their mean", ...(Object.keys(cohort.carriers).length ? ["genes furthest from their mean (SD)"] : [])];
  const carried = (p) => carriersOf(p.name, one).join(", ");
  const bar = (p) => svg("svg", { viewBox: "0 0 104 10", class: "place", role: "img", "aria-label": `percentile ${fmt(p.place, 2)}` }, svg("line", { class: "grid", x1: 2, x2: 102, y1: 5, y2: 5 }), svg("circle", { cx: 2 + p.place, cy: 5, r: 4, fill: css("--mark") }));
  const rows = places.map((p) => el("tr", {}, el("th", { scope: "row" }, clip(titled(p.name), 50), " ", el("button", { type: "button", class: "quiet link", onclick: () => { choose(p.name); jump("signature"); } }, clip(p.name, 50))), el("td", { class: "num" }, fmt(p.value)), el("td", {}, bar(p), ` ${fmt(p.place, 2)}`), el("td", { class: "num" }, Number.isFinite(p.z) ? fmt(p.z, 2) : ""), heads.length > 4 ? el("td", { class: "genes" }, carried(p)) : null));
  const table = () => [["sample", "branch", "signature", "score", "percentile", "sd_from_mean", "n", "genes"], places.map((p) => [name, titled(p.name), p.name, p.value, p.place, p.z, p.n, carried(p)])];
  const quoted = /^[\w.:-]+$/.test(name) ? name : "SAMPLE";
  section.querySelector("[data-view=sample]").replaceChildren(
    el("h3", {}, clip(name, 90), " ", el("button", { type: "button", class: "quiet save", onclick: () => saveText(tsvOf(...table()), `${DATA.run}-sample.tsv`, "text/tab-separated-values") }, "TSV"), " ", el("button", { type: "button", class: "quiet save", onclick: () => change({ selected: new Set() }) }, "Close")),
    el("p", { class: "note" }, `${clip(cohort.name, 40)}, ${state.method}. ${facts.slice(0, 8).map(([t, v]) => `${clip(t, 30)} ${clip(typeof v === "number" ? fmt(v) : v, 40)}`).join("; ")}. The map above may be coloured by this sample.`),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Places of this sample" }, el("table", { class: "places" }, el("thead", {}, el("tr", {}, ...heads.map((h) => el("th", { scope: "col" }, h)))), el("tbody", {}, ...rows))),
    el("p", { class: "note" }, "A place without an interval says little of one patient. The genes are those of the signature whose expression is furthest from the mean of the samples that are not normal tissue, whatever the scoring method (down: it falls with the signature); what each contributes to a score, and intervals, are in the passport: ", el("code", {}, `mtorscore passport ${quoted} --reference COUNTS`), ". Research use only."));
}

// The maps show the shift or effect that they were drawn with, or the place of the one chosen sample: the reader's choice.
function wayOf(map) {
  const select = map.parentElement.querySelector("select[data-map]");
  const here = Number(select.dataset.map) === state.cohort;
  const known = [...select.options].map((o) => o.value);
  const wanted = here || state.map !== "sample" ? state.map : null;
  return known.includes(wanted) ? wanted : map.dataset.way;
}

function colourMaps() {
  const one = state.selected.size === 1 ? [...state.selected][0] : null;
  const places = one == null ? null : new Map(placesOf(one).map((p) => [p.name, p.z]));
  for (const map of document.querySelectorAll("svg.pathway")) {
    const select = map.parentElement.querySelector("select[data-map]");
    const sample = select.querySelector("option[value=sample]");
    const here = places && Number(select.dataset.map) === state.cohort;
    if (here && !sample) select.append(el("option", { value: "sample" }, "the chosen sample"));
    if (!here) sample?.remove();
    const way = wayOf(map);
    select.value = way;
    select.parentElement.hidden = select.options.length < 2;
    map.setAttribute("aria-label", `Pathway, coloured by ${way === "sample" ? "the chosen sample" : way}`);
    const note = map.parentElement.querySelector(".map-note");
    note.textContent = way === "sample" ? `${clip(cohortNow().observations[one], 60)}, ${state.method}: SD from the mean of the samples that are not normal tissue; red above, blue below.` : JSON.parse(note.dataset.notes)[way];
    for (const node of map.querySelectorAll("a")) {
      const looks = JSON.parse(node.dataset.looks);
      paintNode(node, way !== "sample" ? looks[way] : node.dataset.signature ? placed(places.get(node.dataset.signature)) : looks[map.dataset.way]);
    }
  }
}

function placed(z) {
  if (!Number.isFinite(z)) return { kind: "unknown", strength: 1, words: "no value", sure: false };
  return { kind: z > 0 ? "up" : "down", strength: (0.6 * Math.min(Math.abs(z), 3)) / 3, words: `${z > 0 ? "+" : ""}${fmt(z, 2)} SD`, sure: false };
}

function paintNode(node, look) {
  const [frame, fill, words] = [".node", ".fill", ".small"].map((s) => node.querySelector(s));
  frame.classList.toggle("sure", look.sure);
  fill.setAttribute("class", `fill ${look.kind}`);
  fill.setAttribute("fill-opacity", look.strength);
  words.textContent = look.words;
  node.setAttribute("aria-label", `${node.dataset.name} ${look.words}${node.dataset.rest}`);
}

function buildMaps() {
  for (const select of document.querySelectorAll("select[data-map]")) select.addEventListener("change", () => change({ map: select.value }));
  watchers.push((patch) => {
    if ("selected" in patch && !("map" in patch)) state.map = state.selected.size === 1 ? "sample" : state.map === "sample" ? null : state.map;
    if (["map", "selected", "cohort", "method"].some((k) => k in patch)) colourMaps();
  });
  colourMaps();
}
