// Which view is shown, from the address: #/ all runs, #/run/ID/VIEW, #/compare?runs=[…], #/library.
const address = {
  parameters: new URLSearchParams(),
  get(key) { return this.parameters.get(key); },
  set(key, value) {
    if (value) this.parameters.set(key, value);
    else this.parameters.delete(key);
    const query = this.parameters.toString();
    history.replaceState(null, "", (location.hash.split("?")[0] || "#/") + (query ? "?" + query : ""));
  },
};
let shown = null;

function show() {
  const [path, query] = (location.hash.slice(1) || "/").split("?");
  const parts = path.split("/").slice(1).map(part => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  address.parameters = new URLSearchParams(query || "");
  shown?.remove();
  const where = document.getElementById("path");
  if (parts[0] === "run" && parts[1]) {
    shown = new RunPage(parts[1], parts[2], address);
    where.replaceChildren(" › ", h("a", {href: `#/run/${encodeURIComponent(parts[1])}`}, parts[1]));
  } else if (parts[0] === "compare") {
    shown = new Comparison(address);
    where.textContent = " › compare";
  } else if (parts[0] === "library") {
    shown = new LibraryView();
    where.textContent = " › library";
  } else if (parts[0]) {
    shown = {element: h("div", {}, h("h1", {}, "There is no such view"),
      h("p", {}, `The address names '${parts[0]}'. There are `, h("a", {href: "#/"}, "all runs"),
        ", ", h("a", {href: "#/library"}, "the library"), ", and a page for each run.")),
      key: () => false, remove() {}};
    where.textContent = "";
  } else {
    shown = new RunList(address);
    where.textContent = "";
  }
  document.title = parts[1] ? `${parts[1]} – Esper` : "Esper";
  document.getElementById("view").replaceChildren(shown.element);
}

function changeTheme(to) {
  if (to) document.documentElement.dataset.theme = to;
  try {
    if (to) localStorage.setItem("theme", to);
  } catch {
    // A browser that keeps nothing.
  }
}
const isDark = () => (document.documentElement.dataset.theme ||
  (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
function toggleTheme() {
  changeTheme(isDark() ? "light" : "dark");
  show();
}

document.getElementById("theme").addEventListener("click", toggleTheme);
document.getElementById("help").addEventListener("click", () =>
  document.getElementById("keys").showModal());
addEventListener("hashchange", show);
addEventListener("keydown", event => {
  const {target, key} = event;
  const isTyping = target.matches?.("input:not([type=checkbox]):not([type=range]), select, textarea");
  if (isTyping && key === "Escape") {
    event.preventDefault();  // some browsers would empty the box, and tell nobody
    target.blur();
  }
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey ||
      document.querySelector("dialog[open]")) return;
  if (key === "r") location.hash = "#/";
  else if (key === "l") location.hash = "#/library";
  else if (key === "d") toggleTheme();
  else if (key === "?") document.getElementById("keys").showModal();
  else if (!shown.key(event)) return;
  event.preventDefault();
});
try {
  changeTheme(localStorage.getItem("theme"));
} catch {
  // A browser that keeps nothing.
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
server.start();
show();
