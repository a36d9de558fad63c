// Several runs beside each other: what differs in their configurations, and their curves over each
// other.
const mostCompared = 20;
class Comparison {
  constructor(address) {
    this.address = address;
    let ids = [];
    try {
      ids = JSON.parse(address.get("runs") || "[]").map(String);
    } catch {
      // An address that somebody has cut.
    }
    this.named = [...new Set(ids)];
    this.head = h("h1");
    this.note = h("p", {class: "soft", role: "status"});
    this.differences = h("div", {class: "card scroll"}, "Loading …");
    this.element = h("div", {}, this.head, this.note);
    this.drawSoon = onceAFrame(() => this.draw());
    this.stop = server.listen(change => {
      if (change.all || change.gone) this.open();
      else if (change.row && this.ids?.includes(change.id)) this.drawSoon();
    });
    this.open();
  }

  // With the runs that are there; again when that changes.
  open() {
    if (!server.isLoaded()) return;
    const ids = this.named.filter(id => server.runs.has(id)).slice(0, mostCompared);
    const unknown = this.named.filter(id => !server.runs.has(id));
    this.note.replaceChildren(
      unknown.length ? `There is no run ${unknown.map(id => `'${id}'`).join(", ")} here. ` : "",
      ids.length < this.named.length - unknown.length
        ? `Only the first ${mostCompared} of ${this.named.length} are compared. ` : "",
      ids.length ? "" : ["Mark runs in ", h("a", {href: "#/"}, "the list"), " and press Compare."]);
    if (JSON.stringify(ids) === JSON.stringify(this.ids)) return this.drawSoon();
    this.ids = ids;
    this.curves?.remove();
    this.settings = null;
    this.head.replaceChildren(...ids.length ? [plural(ids.length, "run"), " compared"]
      : ["Nothing to compare"]);
    this.element.replaceChildren(this.head, this.note);
    if (!ids.length) return;
    this.curves = new CurvesView(ids, this.address);
    this.element.append(h("section", {}, h("h2", {}, "What differs"), this.differences),
      h("section", {}, h("h2", {}, "Curves"), this.curves.element));
    server.get("api/v1/settings?" + ids.map(id => "run=" + encodeURIComponent(id)).join("&"))
      .then(all => {
        this.settings = all;
        this.draw();
      }, error => this.differences.replaceChildren(error.message));
  }

  draw() {
    const {ids, settings} = this;
    if (!settings) return;
    const keys = [...new Set(ids.flatMap(id => Object.keys(settings[id] || {})))].sort()
      .filter(key => new Set(ids.map(id => settings[id]?.[key])).size > 1);
    const figures = ["state", "epochs", "val_loss", "best_val_loss", "val_accuracy", "test_loss",
                     "parameters", "flops_total", "wall_seconds", "seeds"];
    const line = (name, cells) => h("tr", {}, h("th", {scope: "row"}, name),
      cells.map(cell => h("td", {}, cell)));
    const figure = (id, key) => {
      const row = server.runs.get(id), column = runColumns.find(c => c.key === key);
      return row ? (column.show || String)(column.value(row), row) : "–";
    };
    this.differences.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, h("td"),
      ids.map((id, i) => h("th", {scope: "col"}, h("a", {href: `#/run/${encodeURIComponent(id)}`,
        style: `border-bottom:3px solid ${lineColour(i)}`}, id))))),
      h("tbody", {}, figures.map(key => line(runColumns.find(c => c.key === key).name,
        ids.map(id => figure(id, key)))),
        keys.map(key => line(key, ids.map(id => settings[id]?.[key] ?? "–"))))),
      keys.length ? "" : h("p", {class: "soft"}, "Their configurations are the same."));
  }
  key() { return false; }
  remove() {
    this.stop();
    this.curves?.remove();
  }
}
