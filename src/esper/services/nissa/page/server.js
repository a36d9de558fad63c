// What the server knows, and what it says has changed.
const server = (() => {
  const runs = new Map();        // id → its row in the list
  const listeners = new Set();   // called with {id, row, rows, columns, again, growth, gone}
  let isLoaded = false;

  // A link's token stands after its #, which no browser sends; this tab and its copies keep it.
  let token = "";
  try {
    token = sessionStorage.getItem("token") || "";
    const found = location.hash.match(/^#token=(\w+)(\/.*)?$/);
    if (found) {
      token = found[1];
      sessionStorage.setItem("token", token);
      history.replaceState(null, "", "#" + (found[2] || "/"));
    }
  } catch {
    // A browser that keeps nothing.
  }
  async function ask(path, options = {}) {
    const headers = {Accept: "application/json", ...options.headers};
    if (token) headers.Authorization = `Bearer ${token}`;
    const response = await fetch(path, {...options, headers});
    const body = await response.json();
    if (!response.ok)
      throw Object.assign(new Error(body.detail || response.statusText), {status: response.status});
    return body;
  }
  const get = path => ask(path);

  // What is heard while the list is on its way is newer than the list, and only the list that was
  // asked for last counts.
  let loading = null;  // id → its row, or null where it is gone: heard since the list was asked for
  async function loadRuns() {
    const heard = loading = new Map();
    const all = await get("api/v1/runs");
    if (heard !== loading) return;
    loading = null;
    runs.clear();
    for (const row of all.runs) runs.set(row.id, row);
    for (const [id, row] of heard) row ? runs.set(id, row) : runs.delete(id);
    isLoaded = true;
    tell({all: true});
  }
  // Asked until there is an answer: whoever missed what happened would not know.
  function loadRunsAgain() {
    loadRuns().catch(error => error.status < 500 || setTimeout(loadRunsAgain, 1000));
  }

  function tell(change) {
    for (const listener of [...listeners]) listener(change);
  }

  function take(kind, text) {
    const change = JSON.parse(text);
    if (kind === "gone") {
      runs.delete(change.id);
      loading?.set(change.id, null);
      change.gone = true;
    } else if (change.row) {
      runs.set(change.id, change.row);
      loading?.set(change.id, change.row);
    }
    tell(change);
  }

  // One tab holds the connection for all tabs of this browser, since a browser keeps few of them
  // open to one server; the others hear what it hears. When it goes another one takes over.
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("esper events") : null;
  const show = state => {
    const place = document.getElementById("live");
    place.textContent = state;
    place.dataset.state = state;
  };
  function hear(message) {
    if (message.kind === "state") show(message.text);
    else if (message.kind === "ended") {
      show("ended");
      document.getElementById("problem").textContent = message.text;
    }
    else if (message.kind === "load") loadRunsAgain();
    else take(message.kind, message.text);
  }
  if (channel) channel.onmessage = event => {
    if (event.data.kind !== "who") hear(event.data);
    else if (source) channel.postMessage({kind: "state", text: stateOf()});
  };
  let source = null;
  const stateOf = () => source.readyState === EventSource.OPEN ? "live" : "reconnecting";
  function say(message) {
    hear(message);
    if (channel) channel.postMessage(message);
  }
  function connect() {
    source = new EventSource("api/v1/events" + (token ? `?token=${token}` : ""));
    source.onopen = () => say({kind: "state", text: "live"});
    source.onerror = () => {
      say({kind: "state", text: "reconnecting"});
      // After an answer that is no stream, e.g. from a server that is just ending, or for a link
      // that is no longer good.
      if (source.readyState === EventSource.CLOSED) get("api/v1/access").then(
        () => setTimeout(connect, 1000),
        error => error.status === 401 ? say({kind: "ended", text: error.message})
          : setTimeout(connect, 1000));
    };
    // What happened before a new connection has to be asked for; one that was only interrupted gets
    // what it missed.
    let isNew = true;
    source.addEventListener("hello", () => {
      if (isNew) say({kind: "load"});
      isNew = false;
    });
    source.addEventListener("resync", () => say({kind: "load"}));
    for (const kind of ["run", "gone"])
      source.addEventListener(kind, event => say({kind, text: event.data}));
  }
  function start() {
    loadRuns().catch(error => document.getElementById("problem").textContent = error.message);
    if (!navigator.locks) return connect();
    if (channel) channel.postMessage({kind: "who"});
    navigator.locks.request("esper events", () => {
      connect();
      return new Promise(() => {});
    });
  }

  return {
    runs, get, start,
    act: (id, action) => ask(`api/v1/runs/${encodeURIComponent(id)}/actions`, {method: "POST",
      headers: {"Content-Type": "application/json"}, body: JSON.stringify({action})}),
    mayAct: token ? get("api/v1/access").then(access => access.actions, () => false)
      : Promise.resolve(false),
    isLoaded: () => isLoaded,
    // Returns the function that ends it.
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ofRun: (id, what) => get(`api/v1/runs/${encodeURIComponent(id)}${what}`),
  };
})();
