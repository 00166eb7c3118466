// The page's controls, and what each figure redraws on.
function picker(label, key, options, extra = {}) {
  const select = el("select", { id: `pick-${key}` });
  const fill = (groups) => {
    select.replaceChildren(...groups.map(([group, items]) => {
      const made = items.map(([value, text]) => el("option", { value }, clip(text, 70)));
      return group ? el("optgroup", { label: clip(group, 60) }, ...made) : made[0] && items.length === 1 ? made[0] : el("optgroup", { label: " " }, ...made);
    }));
    select.value = state[key] == null ? "" : String(state[key]);
    select.disabled = select.options.length < 2;
    if (select.parentElement) select.parentElement.hidden = !select.options.length;
  };
  const update = () => fill(options());
  select.addEventListener("change", () => change({ [key]: key === "cohort" ? Number(select.value) : select.value }));
  watchers.push(update);
  const box = el("label", extra, label, select);
  update();
  return box;
}

const plain = (items) => items.map((item) => [null, [item]]);

function signatureGroups() {
  const groups = new Map();
  for (const name of tableNow().keys()) {
    const branch = (SIGNATURES.get(name) || {}).branch || "user";
    if (!groups.has(branch)) groups.set(branch, []);
    groups.get(branch).push([name, name]);
  }
  return [...groups].map(([branch, items]) => [DATA.branches[branch] || branch, items]);
}

function buildControls() {
  const bar = document.getElementById("controls");
  const chosen = el("span", { "aria-live": "polite" });
  const clear = el("button", { type: "button", class: "quiet", onclick: () => change({ selected: new Set(), cut: state.cut === "selection" ? "median" : state.cut }) }, "Clear selection");
  bar.append(
    picker("Cohort", "cohort", () => plain(DATA.cohorts.map((c, i) => [String(i), c.name + (c.simulated ? " (simulated)" : "")]))),
    picker("Method", "method", () => plain(DATA.methods.filter((m) => cohortNow().scores[m]).map((m) => [m, m]))),
    picker("Endpoint", "endpoint", () => plain(Object.keys(cohortNow().endpoints).map((e) => [e, e]))),
    picker("Signature, by branch", "signature", signatureGroups, { class: "grow" }),
    el("div", { class: "selection" }, chosen, clear),
  );
  buildFind(bar);
  const update = () => {
    chosen.parentElement.hidden = !state.selected.size;
    chosen.textContent = state.selected.size ? `${counted(state.selected.size)} selected` : "";
    clear.hidden = !state.selected.size;
  };
  watchers.push(update);
  update();
}

function showCohort() {
  for (const part of document.querySelectorAll("[data-cohort]")) part.hidden = Number(part.dataset.cohort) !== state.cohort;
}

function aboutSignature(holder) {
  const s = SIGNATURES.get(state.signature);
  holder.replaceChildren();
  if (!s) return;
  const direction = s.sign > 0 ? "It rises with the branch's activity." : s.sign < 0 ? "It falls with the branch's activity." : "No direction with mTOR activity is claimed.";
  const box = el("div", { class: "about" }, el("h3", {}, clip(s.id, 90)));
  if (s.title) box.append(el("p", {}, s.title));
  if (s.level) box.append(el("p", {}, `${DATA.branches[s.branch] || s.branch}. What it can mean: ${DATA.levels[s.level] || s.level}. ${s.branch === "confounder" ? "A confounder, not an mTOR branch." : direction}`));
  else box.append(el("p", {}, "A gene list of your own: the library says nothing about it."));
  if (DATA.noReadout[s.branch]) box.append(el("p", { class: "caveat" }, DATA.noReadout[s.branch]));
  if (s.caveat) box.append(el("p", { class: "caveat" }, s.caveat));
  if (s.graded) box.append(el("p", { class: "note" }, `What it was shown to read: ${s.graded}. ${s.genes} genes.`));
  holder.append(box);
}

function buildTheme() {
  const button = document.getElementById("theme");
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const update = () => { styles.clear(); button.textContent = dark() ? "Light colours" : "Dark colours"; };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    update();
    redraw({ theme: true });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { update(); redraw({ theme: true }); });
  update();
}

// A figure is drawn when it is first near the screen, and again when something that it shows changes.
const FIGURES = [
  ["heatmap", drawHeatmap, ["cohort", "method", "signature", "rows", "order", "selected"]],
  ["strip", drawStrip, ["cohort", "method", "signature", "selected"]],
  ["scatter", drawScatter, ["cohort", "method", "signature", "other", "colour", "selected"]],
  ["umap", drawEmbedding, ["cohort", "method", "signature", "paint", "selected"]],
  ["celltypes", drawCellTypes, ["cohort", "method", "signature"]],
  ["forest", drawForest, ["cohort", "method", "endpoint", "signature", "rows", "sort"]],
  ["km", drawKm, ["cohort", "method", "endpoint", "signature", "cut", "selected"]],
  ["null", drawModels, ["cohort", "method", "endpoint", "signature"]],
  ["calibration", drawCalibration, ["cohort", "method", "endpoint", "predicted"]],
  ["decision", drawDecision, ["cohort", "method", "endpoint", "predicted"]],
  ["gsea", drawGsea, ["cohort", "comparison"]],
  ["correlation", drawCorrelation, ["cohort", "method"]],
  ["meta", drawMeta, ["method", "endpoint", "signature"]],
];
const live = [];

function redraw(patch) {
  for (const figure of live) {
    if (patch.theme || patch.size || figure.needs.some((n) => n in patch)) figure.stale = true;
    if (figure.stale && figure.near) paint(figure);
  }
}

function paint(figure) {
  figure.stale = false;
  figure.draw(figure.holder);
  // What was guessed of the matrix stands below every figure of it.
  if (guessNow()) figure.holder.append(el("p", { class: "note guess" }, guessNow()));
}

function guessNow() { return cohortNow().guessed ? `Guessed, not declared: ${clip(cohortNow().guessed, 200)}.` : ""; }

// Work in pieces: after some milliseconds the browser has its turn.
function inPieces(jobs) {
  const end = performance.now() + 16;
  while (jobs.length && performance.now() < end) jobs.shift()();
  if (jobs.length) setTimeout(() => inPieces(jobs));
}

function start() {
  settle();
  document.documentElement.classList.add("js");
  for (const node of document.querySelectorAll(".needs-js")) node.hidden = false;
  buildTheme();
  buildControls();
  showCohort();
  const about = document.querySelector('[data-view="about"]');
  aboutSignature(about);
  watchers.push((patch) => { if ("cohort" in patch) showCohort(); aboutSignature(about); redraw(patch); });
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const figure = live.find((f) => f.root === entry.target);
      figure.near = entry.isIntersecting;
      if (figure.near && figure.stale) paint(figure);
    }
  }, { rootMargin: "600px" });
  for (const [name, draw, needs] of FIGURES) {
    const root = document.querySelector(`.live[data-view="${name}"]`);
    if (!root) continue;
    const figure = { root, holder: root.querySelector(".view"), draw, needs, stale: true, near: false };
    live.push(figure);
    seen.observe(root);
  }
  const build = (node) => {
    if (node.dataset.done) return;
    node.dataset.done = "yes";
    const cohort = DATA.cohorts[Number(node.dataset.cohortTable)];
    dataTable(node, cohort.tables[node.dataset.table], `${cohort.name} ${node.dataset.table}`, DATA.printed[node.dataset.table]);
  };
  const across = () => {
    const holder = document.querySelector('[data-table="meta"]');
    if (holder && DATA.meta) dataTable(holder, DATA.meta, `${DATA.run} across cohorts`, DATA.printed.meta);
  };
  const shown = () => [...document.querySelectorAll(`[data-cohort-table="${state.cohort}"]`)];
  // What is not near the screen is made once the first screen stands, a piece at a time so that the page answers
  // meanwhile, and before the address is followed so that links land where they point.
  const later = () => inPieces([
    ...live.map((figure) => () => { if (figure.stale) paint(figure); }),
    across,
    ...shown().map((node) => () => build(node)),
    buildSaves,
    () => {
      watchers.push((patch) => { if ("cohort" in patch) shown().forEach(build); });
      watchers.push((patch) => { if ("cohort" in patch || "method" in patch || "selected" in patch) drawSample(); });
      buildMaps();
      buildAddress();
      document.documentElement.dataset.ready = "yes";
    },
  ]);
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).innerText);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
        button.textContent = "Selected: copy with your keyboard";
      }
    });
  }
  // Paper cannot be clicked: checklists are open on it.
  const closed = [];
  addEventListener("beforeprint", () => {
    hideTip(); for (const d of document.querySelectorAll("details:not([open], .meanings)")) { d.open = true; closed.push(d); } });
  addEventListener("afterprint", () => { for (const d of closed.splice(0)) d.open = false; });
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw({ size: true }); } });
  requestAnimationFrame(() => setTimeout(later));
}
start();
