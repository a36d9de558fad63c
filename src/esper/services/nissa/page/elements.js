// DOM elements. Text becomes text nodes, so nothing in a run's files can become an element.
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter(c => c !== null && c !== undefined && c !== false)
    .map(c => typeof c === "object" && !(c instanceof Node) ? JSON.stringify(c) : c));
  return element;
}

// A value of a run's files, whatever it is, in one line.
const asText = value => value !== null && typeof value === "object"
  ? Object.entries(value).map(([key, inner]) => `${key} ${asText(inner)}`).join(", ")
  : String(value);

// HTML whose values have passed through escape() or number().
function fromHtml(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

const colourOf = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Colours that people with any colour vision tell apart (Okabe and Ito 2008), with dashes once they
// are used up.
const lineColours = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8a8a"];
const lineColour = i => lineColours[i % lineColours.length];
const lineDash = i => [[], [8, 4], [2, 3], [10, 3, 2, 3]][Math.floor(i / lineColours.length) % 4];

const ago = (milliseconds, now = Date.now()) => {
  const seconds = Math.max(0, (now - milliseconds) / 1000);
  return seconds < 5 ? "now" : seconds < 100 ? `${Math.round(seconds)} s ago`
    : seconds < 6000 ? `${Math.round(seconds / 60)} min ago`
    : seconds < 172800 ? `${Math.round(seconds / 3600)} h ago`
    : `${Math.round(seconds / 86400)} days ago`;
};

// Calls `action` at most once a frame.
function onceAFrame(action) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      action();
    });
  };
}

const stateTone = {running: "born", done: "kept", stopped: "soft", failed: "bad", killed: "bad",
                   stalled: "culled", unreadable: "bad"};
const stateBadge = state =>
  h("span", {class: `badge ${stateTone[state] || "soft"}`}, state || "?");
const alertList = alerts => (alerts || []).map(alert =>
  h("p", {class: `alert ${alert.kind === "rollback" ? "mild" : ""}`, role: "alert"},
    h("b", {}, alert.kind), " ", alert.text));
