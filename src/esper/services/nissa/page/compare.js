// Several runs beside each other: what differs in their configurations, and their curves over each
// other.
class Comparison {
  constructor(address) {
    let ids = [];
    try {
      ids = JSON.parse(address.get("runs") || "[]").map(String).slice(0, 20);
    } catch {
      // An address that somebody has cut.
    }
    const unknown = ids.filter(id => server.isLoaded() && !server.runs.has(id));
    if (!ids.length || unknown.length) {
      this.element = h("div", {}, h("h1", {}, "Nothing to compare"), h("p", {}, unknown.length
        ? `There is no run ${unknown.map(id => `'${id}'`).join(", ")} here. ` : "No run is named. ",
        "Mark runs in ", h("a", {href: "#/"}, "the list"), " and press Compare."));
      this.curves = {remove() {}};
      return;
    }
    this.differences = h("div", {class: "card scroll"}, "Loading …");
    this.curves = new CurvesView(ids, address);
    this.element = h("div", {}, h("h1", {}, plural(ids.length, "run"), " compared"),
      h("section", {}, h("h2", {}, "What differs"), this.differences),
      h("section", {}, h("h2", {}, "Curves"), this.curves.element));
    server.get("api/v1/settings?" + ids.map(id => "run=" + encodeURIComponent(id)).join("&"))
      .then(all => this.show(ids, all), error => this.differences.replaceChildren(error.message));
  }

  show(ids, settings) {
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
  remove() { this.curves.remove(); }
}
