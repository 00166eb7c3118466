// Tables that sort, search, page and download. The rows are those of the files on disk.
const PAGE = 12;
const LONG = 72;

// A long text is cut, so that rows keep their height; a button shows the rest.
function long(value) {
  const cell = el("td", { class: "long" }, clip(value, LONG));
  const more = el("button", { type: "button", class: "more", "aria-label": "more of this text" }, "more");
  more.addEventListener("click", () => { cell.textContent = clip(value, 5000); cell.tabIndex = -1; cell.focus(); });
  cell.append(more);
  return cell;
}

// First come the columns that matter most, with what says whether a row may be trusted; a button shows all.
const FIRST = ["signature", "contrast", "endpoint", "model", "adjusted_for", "metric", "hr", "hr_low", "hr_high", "odds_ratio", "value", "hedges_g", "nes", "p", "p_moderated", "q", "null_p", "valid"];
function dataTable(holder, table, name, printed) {
  const file = Object.keys(table.columns);
  const names = [...FIRST.filter((n) => file.includes(n)), ...file.filter((n) => !FIRST.includes(n))];
  const columns = names.map((n) => table.columns[n]);
  const count = columns.length ? (columns[0].numbers || columns[0].codes).length : 0;
  const few = printed ? names.filter((n) => [...printed, "method", "valid", "reason"].includes(n)) : names;
  let shownColumns = new Set(few.length ? few.map((n) => names.indexOf(n)) : names.keys());
  const view = { order: [...Array(count).keys()], sort: null, down: false, text: "", shown: PAGE };
  const status = el("span", { class: "note", "aria-live": "polite" });
  const search = el("input", { type: "search", placeholder: "any text", "aria-label": `Search ${name}` });
  const more = el("button", { type: "button", class: "quiet" });
  const body = el("tbody");
  const heads = names.map((n, j) => {
    const head = el("th", { scope: "col", "aria-sort": "none", class: columns[j].numbers ? "num" : "" });
    head.append(el("button", { type: "button", onclick: () => sortBy(j) }, clip(n, 40)));
    return head;
  });
  // Short words stay on one line; long ones get room and may break anywhere.
  const looks = columns.map((c) => (c.numbers ? "num" : c.levels.every((v) => v.length <= 44) ? "short" : "long"));
  const haystack = new Array(count);
  function rowText(i) {
    haystack[i] ??= columns.map((c) => String(cellOf(c, i) ?? "")).join("\t").toLowerCase();
    return haystack[i];
  }
  function sortBy(j) {
    view.down = view.sort === j ? !view.down : false;
    view.sort = j;
    heads.forEach((h, k) => h.setAttribute("aria-sort", k === j ? (view.down ? "descending" : "ascending") : "none"));
    refresh();
  }
  function matching() {
    const wanted = view.text.toLowerCase();
    const rows = wanted ? view.order.filter((i) => rowText(i).includes(wanted)) : [...view.order];
    if (view.sort == null) return rows;
    const column = columns[view.sort];
    const sign = view.down ? -1 : 1;
    return rows.sort((a, b) => {
      const [x, y] = [cellOf(column, a), cellOf(column, b)];
      if (x == null || y == null) return (x == null) - (y == null) || a - b;
      if (typeof x === "number") return sign * (x - y) || a - b;
      return sign * x.localeCompare(y, undefined, { numeric: true }) || a - b;
    });
  }
  function refresh() {
    const rows = matching();
    const part = rows.slice(0, view.shown);
    body.replaceChildren(...part.map((i) => el("tr", {}, ...columns.map((c, j) => {
      if (!shownColumns.has(j)) return null;
      const value = cellOf(c, i);
      if (typeof value === "number") return el("td", { class: looks[j] }, fmt(value));
      return typeof value === "string" && value.length > LONG ? long(value) : el("td", { class: looks[j] }, clip(value ?? "", LONG));
    }))));
    status.textContent = `${part.length} of ${rows.length} rows` + (table.rows > count ? `; the first ${count} of ${table.rows} are here, all of them in the file` : "");
    more.hidden = rows.length <= view.shown;
    more.textContent = `Show ${Math.min(rows.length - view.shown, 4 * PAGE)} more`;
  }
  search.addEventListener("input", () => { view.text = search.value; view.shown = view.text ? 4 * PAGE : PAGE; refresh(); });
  more.addEventListener("click", () => { view.shown += 4 * PAGE; refresh(); });
  const download = el("button", { type: "button", class: "quiet", onclick: () => saveTable(file, file.map((n) => table.columns[n]), matching(), name) }, "Download TSV");
  const wide = el("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => {
    const all = wide.getAttribute("aria-pressed") === "false";
    wide.setAttribute("aria-pressed", String(all));
    shownColumns = new Set(all ? names.keys() : few.map((n) => names.indexOf(n)));
    head.replaceChildren(...heads.filter((_, j) => shownColumns.has(j)));
    refresh();
  } }, `All ${names.length} columns`);
  const head = el("tr", {}, ...heads.filter((_, j) => shownColumns.has(j)));
  wide.hidden = shownColumns.size === names.length;
  const box = el("div", { class: "live-table", tabindex: "0", role: "region", "aria-label": name });
  box.append(el("table", {}, el("thead", {}, head), body));
  holder.append(el("div", { class: "js-table" }, el("div", { class: "tools" }, el("label", {}, "Search", search), download, wide, status), box, more));
  // At first the rows with the smallest p stand on top.
  const p = table.columns.p || table.columns.p_moderated;
  if (p) view.order.sort((a, b) => (cellOf(p, a) ?? 2) - (cellOf(p, b) ?? 2) || a - b);
  refresh();
}

function saveTable(names, columns, rows, name) {
  saveText(tsvOf(names, rows.map((i) => columns.map((c) => cellOf(c, i)))), `${name}.tsv`, "text/tab-separated-values");
}
