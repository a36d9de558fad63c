// The library of this machine: every kernel, who vouches for it, and how fast it was measured.
class LibraryView {
  constructor() {
    this.element = h("div", {}, h("h1", {}, "Library of kernels"), h("p", {class: "soft"}, "Loading …"));
    this.load();
  }

  async load() {
    let library;
    try {
      library = await server.get("api/v1/library");
    } catch (error) {
      library = {library: "", kernels: [], problem: error.message};
    }
    const {kernels, problem} = library;
    const count = status => kernels.filter(kernel => kernel.status === status).length;
    const tiles = [...new Set(kernels.map(kernel => kernel.status))].sort().map(status =>
      h("div", {class: "tile"}, h("b", {}, number(count(status))), h("span", {}, status)));
    this.element.replaceChildren(h("h1", {}, "Library of kernels"),
      h("p", {}, "Folder: ", h("code", {}, library.library)),
      problem ? h("p", {class: "soft"}, problem) : "",
      h("div", {class: "tiles"}, tiles),
      kernels.length ? kernelTable(kernels, "Kernels")
        : h("p", {class: "soft"}, "It has no kernels; runs with growth.kernels=true, and ",
            h("code", {}, "esper forge"), ", make some."),
      h("p", {class: "small soft"}, "Each condition that a kernel met: ",
        h("code", {}, "esper library why KERNEL"), "; every change: ",
        h("code", {}, "esper library ledger")));
  }

  key() { return false; }
  remove() { this.element.remove(); }
}
