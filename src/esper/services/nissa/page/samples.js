// What the network makes, as the run noted it: text that it wrote, and images with what it took them
// for.
const mostSide = 64;

function picture(item, height, width, channels) {
  const says = item.class === item.taken_for ? `${item.class}, recognised`
    : `${item.class}, taken for ${item.taken_for}`;
  const canvas = h("canvas", {width, height, role: "img", "aria-label": says});
  const pixels = typeof item.pixels === "string" && /^[0-9a-f]*$/.test(item.pixels) &&
    item.pixels.length === 2 * height * width * channels ? item.pixels : "";
  if (pixels) {
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    const at = i => parseInt(pixels.slice(2 * i, 2 * i + 2), 16);
    for (let i = 0; i < height * width; ++i) {
      for (let c = 0; c < 3; ++c)
        image.data[4 * i + c] = at(channels === 3 ? 3 * i + c : i);
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }
  return h("figure", {}, pixels ? canvas : "", h("figcaption", {class: "small"},
    h("b", {class: item.class === item.taken_for ? "kept" : "bad"}, String(item.taken_for)),
    isNumber(item.probability) ? ` ${percent(item.probability)}` : "", h("br"),
    h("span", {class: "soft"}, `is ${item.class}; loss ${loss(item.loss)}; ${item.why}`)));
}

function picturesCard(event) {
  const {height, width, channels} = event;
  const fits = [height, width].every(n => Number.isInteger(n) && n > 0 && n <= mostSide) &&
    (channels === 1 || channels === 3);
  const items = Array.isArray(event.pictures) ? event.pictures.filter(p => p && fits) : [];
  const group = (title, some) => some.length ? [h("h4", {}, title), h("div", {class: "pictures"},
    some.slice(0, 64).map(item => picture(item, height, width, channels)))] : "";
  return h("div", {class: "card"}, h("h3", {}, `Images ${event.when} (step ${event.step})`),
    group("The first of the validation part", items.filter(item => item.why === "first")),
    group("Those of the greatest loss", items.filter(item => item.why !== "first")));
}

const textCard = event => h("div", {class: "card"},
  h("h3", {}, `${event.when} (step ${event.step})`), h("pre", {}, event.text));

// The newest first; the others wait to be opened, so that a long run stays quick to draw.
function samplesView(events) {
  const open = 4, most = 200;
  const parts = [[events.filter(e => e.event === "pictures"), picturesCard],
                 [events.filter(e => e.event === "sample"), textCard]];
  if (parts.every(([some]) => !some.length)) return [h("p", {class: "soft"}, "This run has noted " +
    "neither text nor images; with telemetry.samples=N it does so every N epochs.")];
  return parts.flatMap(([some, card]) => {
    const newest = some.slice(-most).reverse();
    return [...newest.slice(0, open).map(card), newest.length > open
      ? h("details", {}, h("summary", {}, `${newest.length - open} earlier ones`),
          newest.slice(open).map(card)) : ""];
  });
}
