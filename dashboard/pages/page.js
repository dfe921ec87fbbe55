// Asks for the state every second and draws it. No library, no request to anywhere else.
"use strict";

const COLOURS = ["#a3195b", "#2a7f9e", "#e0a030", "#5b8c3e", "#6b5fb5", "#d2603a", "#3f5f7f", "#b98cc4", "#8a8a6a", "#2fa58a"];
const colourOf = new Map(); // part of the score -> colour, in order of appearance
const cards = new Map(); // list -> its card, so that pictures do not flicker
const number = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const $ = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function photo(itemId, items) {
  const item = items[itemId];
  const title = item ? item.title : itemId;
  if (!item || !item.picture) return element("span", { class: "photo" }, title);
  const made = element("img", { class: "photo", src: "thumbs/" + encodeURIComponent(itemId), alt: title, title });
  made.addEventListener("error", () => made.replaceWith(element("span", { class: "photo" }, title)), { once: true });
  return made;
}

const titleOf = (itemId, items) => (items[itemId] ? items[itemId].title : itemId);

function colour(part) {
  if (!colourOf.has(part)) {
    colourOf.set(part, COLOURS[colourOf.size % COLOURS.length]);
    const dot = element("i");
    dot.style.background = colourOf.get(part);
    $("legend").append(element("li", {}, dot, part.replaceAll("_", " ")));
  }
  return colourOf.get(part);
}

function bar(entry, best) {
  const made = element("div", { class: "bar" });
  const parts = Object.entries(entry.parts).filter(([, value]) => value > 0).sort((a, b) => b[1] - a[1]);
  made.title = parts.map(([name, value]) => `${name.replaceAll("_", " ")} ${value.toFixed(3)}`).join("\n");
  for (const [name, value] of parts) {
    const piece = element("i");
    piece.style.width = `${(100 * value) / best}%`;
    piece.style.background = colour(name);
    made.append(piece);
  }
  return made;
}

function listCard(list, items) {
  const best = Math.max(...list.entries.map((entry) => entry.score), 1e-9);
  const shown = element("div", { class: "shown" });
  for (const entry of list.entries) {
    const title = titleOf(entry.item_id, items);
    shown.append(element("div", {}, photo(entry.item_id, items), bar(entry, best), element("b", { title }, title)));
  }
  const took = list.sent_at === null ? "" : `list after ${number.format(list.received_ms - list.sent_at)} ms`;
  const title = titleOf(list.cause.item_id, items);
  const said = element("p", {}, element("b", { title }, title));
  for (const line of [list.customer_id, `purchase ${list.version.number}`, `trendiness ${list.trendiness.toFixed(2)}`, took]) {
    if (line) said.append(line, element("br"));
  }
  const bought = element("div", { class: "bought" }, photo(list.cause.item_id, items), said);
  return element("article", { class: "list new" }, bought, shown);
}

function drawRecent(state) {
  const wanted = new Map();
  for (const list of state.recent) {
    const key = `${list.customer_id} ${list.version.epoch} ${list.version.number}`;
    wanted.set(key, cards.get(key) || listCard(list, state.items));
  }
  for (const [key, card] of cards) if (!wanted.has(key)) card.remove();
  cards.clear();
  let before = null;
  for (const [key, card] of wanted) {
    cards.set(key, card);
    const place = before ? before.nextSibling : $("recent").firstChild;
    if (card !== place) $("recent").insertBefore(card, place);
    before = card;
  }
}

const rows = new Map(); // rising item -> its row
function drawRising(state) {
  const wanted = state.rising.slice(0, 12);
  const keep = new Set(wanted.map((item) => item.item_id));
  for (const [itemId, row] of rows) if (!keep.has(itemId)) { row.remove(); rows.delete(itemId); }
  for (const item of wanted) {
    let row = rows.get(item.item_id);
    if (!row) {
      const title = titleOf(item.item_id, state.items);
      const kind = state.items[item.item_id] ? state.items[item.item_id].kind : "";
      row = element("li", {}, photo(item.item_id, state.items),
        element("div", {}, element("b", { title }, title), element("small")), element("em"));
      row.dataset.kind = kind;
      rows.set(item.item_id, row);
    }
    const sold = `${number.format(item.purchases)} ${item.purchases === 1 ? "purchase" : "purchases"}`;
    row.querySelector("small").textContent = sold;
    row.querySelector("em").textContent = `×${item.rising.toFixed(2)}`;
    $("rising").append(row);
  }
  if (!wanted.length) $("rising").replaceChildren(element("p", { class: "hint" }, "The first snapshot comes in a moment."));
  else $("rising").querySelector("p")?.remove();
}

function drawFigures(state) {
  $("status").textContent = `${state.status} for ${number.format(state.running_s)} s · preset ${state.preset}` +
    (state.dead_letters ? ` · ${number.format(state.dead_letters)} dead letters` : "");
  $("status").className = state.status === "done" ? "gone" : "";
  $("rate").textContent = number.format(state.purchases_per_s);
  for (const name of ["p50", "p99"]) {
    const value = state.freshness_ms[name];
    $(name).textContent = value === null ? "–" : number.format(value);
  }
  $("lists").textContent = number.format(state.lists_published);
  $("awaited").textContent = number.format(state.awaited);
  const counts = state.lists_each_s;
  const top = Math.max(...counts, 1);
  const points = counts.map((count, i) => `${(100 * i) / Math.max(counts.length - 1, 1)},${26 - (24 * count) / top}`);
  $("spark").firstElementChild.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
}

async function refresh() {
  try {
    const answer = await fetch("state.json", { cache: "no-store" });
    const state = await answer.json();
    drawFigures(state);
    drawRising(state);
    drawRecent(state);
  } catch {
    $("status").textContent = "the run has ended";
    $("status").className = "gone";
  }
  setTimeout(refresh, 1000);
}
refresh();
