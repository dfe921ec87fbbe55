// Sends a photo, or the id of a sample, and shows what is like it. No library, no request to anywhere else.
"use strict";

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en-GB");
let limits = { most_bytes: 10_000_000, most_pixels: 36_000_000 };
let asked = null; // { file } or { item }: what is searched for now
let running = null; // the request under way, so that a newer one ends it
let shownUrl = null;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function photo(item) {
  if (!item.picture) return element("span", { class: "photo" }, item.title);
  return element("img", { class: "photo", src: item.picture, alt: "", loading: "lazy" });
}

function say(text, trouble = "") {
  $("status").textContent = text;
  $("error").textContent = trouble;
  $("error").hidden = !trouble;
}

function showQuery(source, words, alt) {
  if (shownUrl) URL.revokeObjectURL(shownUrl);
  shownUrl = source && source.startsWith("blob:") ? source : null;
  $("preview").hidden = !source;
  $("invitation").hidden = Boolean(source);
  if (source) $("preview").src = source;
  else $("preview").removeAttribute("src");
  $("preview").alt = alt;
  $("drop").classList.toggle("full", Boolean(source));
  $("query").textContent = words;
  $("clear").hidden = !source;
}

// A photo that is larger than the server takes is made smaller here; it looks at far fewer pixels anyway.
async function fitting(file) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return file; // the server says what is wrong with it
  }
  const pixels = picture.width * picture.height;
  if (file.size <= limits.most_bytes && pixels <= limits.most_pixels) return file;
  const scale = Math.min(1, 1600 / Math.max(picture.width, picture.height), Math.sqrt(limits.most_pixels / pixels));
  const canvas = element("canvas");
  canvas.width = Math.max(1, Math.floor(picture.width * scale));
  canvas.height = Math.max(1, Math.floor(picture.height * scale));
  const paper = canvas.getContext("2d");
  paper.fillStyle = "#fff";
  paper.fillRect(0, 0, canvas.width, canvas.height);
  paper.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob((smaller) => done(smaller || file), "image/jpeg", 0.92));
}

function card(match) {
  const words = element("span", { class: "words" }, element("b", {}, `${match.percent} %`), element("i"),
    element("span", {}, match.title), element("small", {}, match.item_id));
  words.querySelector("i").style.setProperty("--share", `${match.percent}%`);
  const button = element("button", { type: "button", "aria-label": `${match.title}, ${match.percent} % similar. Find what is like it.` },
    photo(match), words);
  button.addEventListener("click", () => askItem(match));
  return element("li", {}, button);
}

async function search() {
  if (!asked) return;
  if (running) running.abort();
  const mine = (running = new AbortController());
  const options = new URLSearchParams({ k: $("k").value, label_aware: $("aware").checked });
  say("Looking …");
  $("matches").classList.add("waiting");
  try {
    let answer;
    if (asked.file) {
      const body = await fitting(asked.file);
      answer = await fetch(`api/similar?${options}`, {
        method: "POST", body, signal: mine.signal, headers: { "Content-Type": body.type || "application/octet-stream" },
      });
    } else {
      options.set("item", asked.item.item_id);
      answer = await fetch(`api/similar?${options}`, { signal: mine.signal });
    }
    const told = await answer.json();
    if (mine !== running) return;
    if (!answer.ok) {
      $("matches").replaceChildren();
      say("", told.error);
      return;
    }
    $("matches").replaceChildren(...told.matches.map(card));
    const sure = told.label_probability === null ? "" : `, ${Math.round(100 * told.label_probability)} % sure`;
    const kind = told.label ? ` ${sure ? "Taken for" : "Kind"}: ${told.label}${sure}.` : "";
    say(`${told.matches.length} garments in ${number.format(Math.max(1, Math.round(told.took_ms)))} ms.${kind}`);
  } catch (error) {
    if (error.name === "AbortError" || mine !== running) return;
    $("matches").replaceChildren();
    say("", "The server does not answer, or broke off. Action: look whether `trendloom serve` still runs, then try again.");
  } finally {
    if (mine === running) $("matches").classList.remove("waiting");
  }
}

function askFile(file) {
  if (!file) return;
  asked = { file };
  showQuery(URL.createObjectURL(file), file.name || "pasted photo", `Your photo: ${file.name || "pasted"}`);
  search();
}

function askItem(item) {
  asked = { item };
  $("file").value = "";
  showQuery(item.picture, `${item.title} (${item.item_id})`, item.title);
  $("ask").scrollIntoView({ block: "nearest" });
  search();
}

function clear() {
  if (running) running.abort();
  asked = running = null;
  $("file").value = "";
  $("matches").replaceChildren();
  $("matches").classList.remove("waiting");
  showQuery(null, "", "");
  say("Choose a photo, or try one of the samples below.");
  $("file").focus();
}

async function loadSamples(seed) {
  try {
    const samples = await (await fetch(`api/samples?count=12&seed=${seed}`)).json();
    $("samples").replaceChildren(...samples.map((item) => {
      const button = element("button", { type: "button", "aria-label": `Try: ${item.title}`, title: item.title }, photo(item));
      button.addEventListener("click", () => askItem(item));
      return element("li", {}, button);
    }));
  } catch {
    $("samples").replaceChildren(element("li", { class: "hint" }, "No samples: the server does not answer."));
  }
}

async function start() {
  $("file").addEventListener("change", () => askFile($("file").files[0]));
  $("preview").addEventListener("error", () => { $("preview").hidden = true; $("invitation").hidden = false; });
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    askFile(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => askFile(event.clipboardData.files[0]));
  $("k").addEventListener("change", search);
  $("aware").addEventListener("change", search);
  $("clear").addEventListener("click", clear);
  $("others").addEventListener("click", () => loadSamples(Math.floor(Math.random() * 1e9)));
  loadSamples(1);
  try {
    limits = await (await fetch("api/about")).json();
    $("about").textContent = `Find garments that look like a photo: ${number.format(limits.items)} in the catalogue ${limits.catalogue}.`;
    $("credit").textContent = limits.credit ? `Pictures: ${limits.credit}` : "";
  } catch {
    $("about").textContent = "The server does not answer.";
  }
}
start();
