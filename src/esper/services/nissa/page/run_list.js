// All runs as a table: sorted, filtered, selected to be compared.
const bestLoss = row => isNumber(row.best_val_loss) ? row.best_val_loss : row.val_loss;
const runColumns = [
  {key: "id", name: "run", value: row => row.id},
  {key: "state", name: "state", value: row => row.state},
  {key: "epochs", name: "epoch", value: row => row.epochs, show: number},
  {key: "steps", name: "step", value: row => row.steps, show: number},
  {key: "val_loss", name: "val loss", value: row => row.val_loss, show: loss},
  {key: "best_val_loss", name: "best", value: bestLoss, show: loss},
  {key: "val_accuracy", name: "val accuracy", value: row => row.val_accuracy, show: percent},
  {key: "test_loss", name: "test loss", value: row => row.test_loss, show: loss},
  {key: "parameters", name: "parameters", value: row => row.parameters, show: number},
  {key: "flops_total", name: "FLOPs", value: row => row.flops_total, show: number},
  {key: "wall_seconds", name: "time", value: row => row.wall_seconds, show: duration},
  {key: "seeds", name: "seeds kept", value: row => row.seeds?.fossilized,
   show: (_, row) => row.seeds ? `${number(row.seeds.fossilized)} of ` +
     number(row.seeds.germinated) : "–"},
  {key: "written", name: "written", value: row => row.written, show: x => ago(x)},
];

// `state:x`-like terms: key=value, key!=value, key<number, key>number; other words are looked for in
// the run's name, state and task. A key is a column's, `alerts` (how many), or one of the configuration
// (its end will do).
function parseFilter(text) {
  return text.split(/\s+/).filter(Boolean).map(word => {
    const term = word.match(/^([\w.]+)(!=|<|>|=)(.+)$/);
    return term ? {key: term[1], op: term[2], value: term[3]} : {word: word.toLowerCase()};
  });
}
const alertsOf = row => (row.alerts || []).length;
// `epoch`, `epochs`, `val_loss`, `FLOPs`: a column's key, or its heading.
const columnOf = key => runColumns.find(c => c.key === key) || runColumns.find(c =>
  c.name.replaceAll(" ", "_").toLowerCase() === key.toLowerCase());
const within = (row, path) => path.split(".").reduce((part, key) =>
  part !== null && typeof part === "object" && Object.hasOwn(part, key) ? part[key] : undefined, row);
function valueOf(row, key, settings) {
  const column = columnOf(key);
  if (column) return column.value(row);
  if (key === "alerts") return alertsOf(row);
  const own = settings?.[row.id] || {};
  return within(row, key) ?? own[Object.hasOwn(own, key) ? key
    : Object.keys(own).find(k => k.endsWith("." + key))];
}
function passes(row, terms, settings) {
  return terms.every(term => {
    if (term.word) return [row.id, row.name, row.state, row.task].some(text =>
      String(text || "").toLowerCase().includes(term.word));
    const value = valueOf(row, term.key, settings);
    if (value === undefined || value === null) return term.op === "!=";
    const same = String(value) === term.value || (term.value !== "" && +value === +term.value);
    return {"=": same, "!=": !same, "<": +value < +term.value, ">": +value > +term.value}[term.op];
  });
}

class RunList {
  constructor(address) {
    this.address = address;
    this.selected = new Set((address.get("select") || "").split(",").filter(Boolean));
    this.most = 200;
    this.filter = h("input", {type: "search", id: "filter", value: address.get("filter") || "",
      placeholder: "filter: words, state=running, val_loss<2, learning_rate=0.002",
      "aria-label": "filter the runs", oninput: () => this.take(), onsearch: () => this.take()});
    this.count = h("span", {class: "soft", role: "status"});
    this.alarm = h("a", {class: "bad", href: "#/?filter=" + encodeURIComponent("alerts>0")});
    this.compare = h("button", {type: "button", onclick: () => this.openComparison()}, "Compare");
    this.body = h("tbody");
    this.head = h("tr");
    this.more = h("button", {type: "button", onclick: () => {
      this.most *= 5;
      this.draw();
    }}, "Show more");
    this.element = h("div", {}, h("h1", {}, "Runs"),
      h("p", {class: "controls"}, this.filter, this.compare, this.count, this.alarm),
      h("div", {class: "card scroll"},
        h("table", {class: "runs"}, h("thead", {}, this.head), this.body), this.more));
    this.rows = new Map();
    this.drawSoon = onceAFrame(() => this.draw());
    this.stop = server.listen(() => this.drawSoon());
    this.timer = setInterval(() => this.drawSoon(), 5000);
    this.draw();
  }

  // Also called by the browser's own ways to empty the box.
  take() {
    if (this.filter.value === (this.address.get("filter") || "")) return;
    this.address.set("filter", this.filter.value);
    this.draw();
  }

  get sort() { return runColumns.find(c => c.key === this.address.get("sort")) || runColumns[0]; }
  get falls() { return this.address.get("order") === "falls"; }

  drawHead() {
    this.head.replaceChildren(h("th", {}, h("span", {class: "hidden"}, "select")),
      ...runColumns.map(column => {
        const is = column === this.sort;
        return h("th", {scope: "col", "aria-sort": is ? (this.falls ? "descending" : "ascending")
          : "none"}, h("button", {type: "button", class: "sort", onclick: () => {
            this.address.set("order", is && !this.falls ? "falls" : "");
            this.address.set("sort", column.key === "id" ? "" : column.key);
            this.draw();
          }}, column.name, is ? (this.falls ? " ↓" : " ↑") : ""));
      }));
  }

  chosen() {
    const terms = parseFilter(this.filter.value);
    const isOfConfig = ({key}) => key && key !== "alerts" && !columnOf(key);
    if (terms.some(isOfConfig) && !this.settings) {
      this.settings = {};
      server.get("api/v1/settings").then(all => {
        this.settings = all;
        this.drawSoon();
      }, () => {});
    }
    const isKnown = ({key}) => !key || [...server.runs.values()].some(row =>
      (valueOf(row, key, this.settings) ?? null) !== null);
    this.unknown = terms.filter(term => !isKnown(term)).map(term => term.key);
    const {value} = this.sort, sign = this.falls ? -1 : 1;
    const compare = (a, b) => {
      const x = value(a), y = value(b);
      const missing = (x ?? null) === null ? ((y ?? null) === null ? 0 : 1)
        : (y ?? null) === null ? -1 : null;
      if (missing !== null) return missing;
      return sign * (typeof x === "number" ? x - y
        : String(x).localeCompare(String(y), undefined, {numeric: true}));
    };
    return [...server.runs.values()].filter(row => passes(row, terms, this.settings)).sort(compare);
  }

  draw() {
    this.drawHead();
    const all = this.chosen(), shown = all.slice(0, this.most);
    const kept = new Map();
    const lines = shown.map(row => {
      const text = JSON.stringify(row) + this.selected.has(row.id) + ago(row.written);
      const old = this.rows.get(row.id);
      const line = old?.text === text ? old : {text, element: this.line(row)};
      kept.set(row.id, line);
      return line.element;
    });
    const focus = document.activeElement?.closest?.("tr")?.dataset.id;
    this.rows = kept;
    this.body.replaceChildren(...lines);
    if (focus && kept.has(focus)) kept.get(focus).element.querySelector("a").focus();
    this.more.hidden = all.length <= shown.length;
    const n = server.runs.size;
    this.count.textContent = !server.isLoaded() ? "Loading …" : !n
      ? "No runs here yet. 'esper train' makes one; it appears by itself."
      : `${all.length} of ${plural(n, "run")}` +
        (this.unknown.length ? `; no run has ${this.unknown.map(key => `'${key}'`).join(", ")}` : "");
    const troubled = [...server.runs.values()].filter(alertsOf).length;
    this.alarm.hidden = !troubled;
    this.alarm.textContent = troubled ? `⚠ ${plural(troubled, "run")} with alerts` : "";
    this.compare.disabled = this.selected.size < 2;
    this.compare.textContent = `Compare ${this.selected.size || ""}`;
  }

  line(row) {
    const box = h("input", {type: "checkbox", checked: this.selected.has(row.id),
      "aria-label": `select ${row.id}`, onchange: () => this.toggle(row.id)});
    return h("tr", {"data-id": row.id}, h("td", {}, box), runColumns.map(column => {
      if (column.key === "id") return h("td", {class: "name"},
        h("a", {href: `#/run/${encodeURIComponent(row.id)}`}, row.id));
      if (column.key === "state") return h("td", {}, stateBadge(row.state),
        (row.alerts || []).length ? h("span", {class: "bad", title: row.alerts.map(a =>
          `${a.kind}: ${a.text}`).join("\n")}, " ⚠ ", row.alerts.map(a => a.kind).join(", ")) : null);
      return h("td", {class: "number"}, column.show(column.value(row), row));
    }));
  }

  toggle(id) {
    if (!this.selected.delete(id)) this.selected.add(id);
    this.address.set("select", [...this.selected].join(","));
    this.draw();
  }
  openComparison() {
    if (this.selected.size > 1)
      location.hash = "#/compare?runs=" + encodeURIComponent(JSON.stringify([...this.selected]));
  }

  key(event) {
    const links = [...this.body.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "/") this.filter.focus();
    else if (event.key === "j") links[Math.min(at + 1, links.length - 1)]?.focus();
    else if (event.key === "k") links[Math.max(at - 1, 0)]?.focus();
    else if (event.key === "x" && at >= 0)
      this.toggle(document.activeElement.closest("tr").dataset.id);
    else if (event.key === "c") this.openComparison();
    else return false;
    return true;
  }
  remove() {
    this.stop();
    clearInterval(this.timer);
  }
}
