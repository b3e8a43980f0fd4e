// The form asks the server's own REST API, with the request that the curl command shows.
"use strict";

const TOKEN = "waybill-token";
const MISSING_INT = "-9223372036854775808";
const SHOWN_CLASSES = 12;
const LONG_CHARACTERS = 8000;
const PER_SECOND = {s: 1n, ms: 1000n, us: 1000000n, ns: 1000000000n};
const content = document.getElementById("content");
const failure = document.getElementById("failure");
const wantsToken = "wantsToken" in document.body.dataset;
let examples = [], shown = -1, asking = null;

const token = () => (wantsToken ? sessionStorage.getItem(TOKEN) || "" : "");
const headers = () => (token() ? {Authorization: `Bearer ${token()}`} : {});
const byId = (id) => document.getElementById(id);
const make = (tag, text = "", className = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
};
const tell = (text) => {
  failure.textContent = text;
  failure.hidden = !text;
  if (text) failure.scrollIntoView({block: "nearest"});
};

// What a failed answer means for whoever looks at the page.
const MEANINGS = {
  401: "The server does not accept this token.",
  404: "The server does not serve this any more.",
  413: "This is more than the server takes in one request.",
  429: "The server is busy. Try again in a moment.",
  503: "The server is busy or starting. Try again in a moment.",
  504: "The model took too long.",
};

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, {...options, headers: {...headers(), ...options.headers}, cache: "no-store"});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let said = text;
  try { said = JSON.parse(text).error || text; } catch { /* not every answer is JSON */ }
  if (answer.status === 401) sessionStorage.removeItem(TOKEN);
  const meaning = MEANINGS[answer.status];
  throw new Error(meaning ? `${meaning} (${said.trim()})` : said.trim() || `The server answers ${answer.status}.`);
}

async function show(query) {
  try {
    const answer = await ask(`/page/content${query}`);
    // Made by the server's own template, in which everything foreign is escaped.
    content.innerHTML = await answer.text();
    tell("");
    byId("token-form")?.setAttribute("hidden", "");
    history.replaceState(null, "", query || "/");
    begin();
  } catch (error) {
    byId("token-form")?.removeAttribute("hidden");
    tell(error.message);
  }
}

const query = () => {
  const picked = new URLSearchParams();
  const model = byId("model")?.value || byId("form")?.dataset.model || new URLSearchParams(location.search).get("model");
  if (model) picked.set("model", model);
  const [kind, value] = (byId("target")?.value || "").split("=");
  if (value) picked.set(kind, value);
  const text = picked.toString();
  return text ? `?${text}` : "";
};

// --- the request, as text: JavaScript's numbers do not hold every int64, and NaN is none of JSON's.

class Wrong extends Error {}

function number(text, dtype) {
  text = text.trim();
  if (!text) return dtype === "int" ? MISSING_INT : "NaN";
  if (dtype === "int") {
    if (!/^[+-]?\d+$/.test(text)) throw new Wrong(`${text} is not a whole number.`);
    const value = BigInt(text.replace("+", ""));
    if (BigInt.asIntN(64, value) !== value) throw new Wrong(`${text} does not fit into 64 bits.`);
    return value.toString();
  }
  if (/^[+-]?nan$/i.test(text)) return "NaN";
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Wrong(`${text} is not a number.`);
  return String(value);
}

function time(text, field) {
  if (!text) return number("", field.dataset.dtype);
  const ms = Date.parse(`${text}Z`);
  if (Number.isNaN(ms)) throw new Wrong("This is no time.");
  const unit = field.dataset.unit;
  const value = unit === "days"
    ? BigInt(Math.floor(ms / 86400000))
    : (BigInt(ms) * PER_SECOND[unit]) / 1000n;
  return value.toString();
}

function token_of(field) {
  const {dtype, widget} = field.dataset;
  if (widget === "image") return field.dataset.content ? `{"b64": "${field.dataset.content}"}` : '""';
  const text = field.value;
  if (field.validity.badInput) throw new Wrong("This cannot be read.");
  if (widget === "time") return time(text, field);
  if (widget === "json") {
    try { return JSON.stringify(JSON.parse(text || "null")); } catch { throw new Wrong("This is not JSON."); }
  }
  const scalar = (part) => {
    if (dtype === "bytes") return JSON.stringify(part);
    if (dtype === "bool") return part === "true" ? "true" : "false";
    return number(part, dtype);
  };
  if (widget === "list") {
    const parts = text.trim() ? text.trim().split(/\s+/) : [""];
    return `[${parts.map((part) => scalar(part)).join(", ")}]`;
  }
  return scalar(text);
}

function body(form) {
  const parts = [];
  let first = null;
  for (const field of form.querySelectorAll("[data-input]")) {
    const note = byId(`${field.id}-error`);
    try {
      parts.push(`${JSON.stringify(field.dataset.input)}: ${token_of(field)}`);
      note.textContent = "";
      field.removeAttribute("aria-invalid");
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      note.textContent = error.message;
      field.setAttribute("aria-invalid", "true");
      first = first || field;
    }
  }
  const signature = JSON.stringify(form.dataset.signature);
  return {first, text: `{"signature_name": ${signature}, "instances": [{${parts.join(", ")}}]}`};
}

const url = (form) => {
  const {model, label, version} = form.dataset;
  const which = version ? `/versions/${version}` : label ? `/labels/${encodeURIComponent(label)}` : "";
  return `/v1/models/${encodeURIComponent(model)}${which}:predict`;
};

function writeCurl(form) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const auth = wantsToken ? ' -H "Authorization: Bearer $TOKEN"' : "";
  const {text} = body(form);
  const isLong = text.length > LONG_CHARACTERS;
  const sent = isLong ? "@request.json" : quoted(text);
  byId("curl").textContent = `curl${auth} ${quoted(location.origin + url(form))} \\\n  -d ${sent}`;
  const link = byId("body");
  if (link.href) URL.revokeObjectURL(link.href);
  link.removeAttribute("href");
  link.hidden = !isLong;
  if (isLong) link.href = URL.createObjectURL(new Blob([text], {type: "application/json"}));
}

// --- the answer

function bars(names, scores) {
  const list = make("ul", "", "bars");
  const order = scores.map((score, index) => [score, index]).sort((a, b) => b[0] - a[0]);
  for (const [score, index] of order.slice(0, SHOWN_CLASSES)) {
    const item = make("li");
    const head = make("div", "", "name");
    head.append(make("bdi", names[index] || "(no name)"), make("span", `${(100 * score).toFixed(2)} %`, "number"));
    const track = make("div", "", "track");
    const fill = make("div", "", "fill");
    fill.style.width = `${Math.max(0, Math.min(100, 100 * score))}%`;
    track.append(fill);
    item.append(head, track);
    list.append(item);
  }
  return list;
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const only = (value) => (Array.isArray(value) && value.length === 1 ? only(value[0]) : value);

function writeAnswer(prediction, version, ms) {
  const box = byId("result-body");
  box.replaceChildren();
  byId("result-note").hidden = true;
  const named = prediction !== null && typeof prediction === "object" && !Array.isArray(prediction);
  const outputs = named ? {...prediction} : {prediction};
  const facts = make("dl");
  if (Array.isArray(outputs.scores) && Array.isArray(outputs.classes) && outputs.scores.length === outputs.classes.length) {
    const best = outputs.scores.indexOf(Math.max(...outputs.scores));
    box.append(make("p", plain(outputs.label ?? outputs.classes[best]), "value"));
    box.append(bars(outputs.classes.map(plain), outputs.scores));
    for (const name of ["scores", "classes", "label", "probability"]) delete outputs[name];
  } else if ("prediction" in outputs) {
    box.append(make("p", plain(only(outputs.prediction)), "value"));
    delete outputs.prediction;
  }
  for (const [name, value] of Object.entries(outputs)) facts.append(make("dt", name), make("dd", plain(only(value))));
  facts.append(make("dt", "version"), make("dd", version || "not told"));
  facts.append(make("dt", "time"), make("dd", `${ms.toFixed(ms < 10 ? 1 : 0)} ms, from this browser and back`));
  box.append(facts);
}

async function predict(form) {
  const {first, text} = body(form);
  writeCurl(form);
  if (first) {
    first.focus();
    return;
  }
  asking?.abort();
  asking = new AbortController();
  const button = byId("predict");
  button.disabled = true;
  const started = performance.now();
  try {
    const answer = await ask(url(form), {method: "POST", body: text, signal: asking.signal, headers: {"Content-Type": "application/json"}});
    // NaN and Infinity are answered as such, and JSON has no word for them.
    const document = JSON.parse((await answer.text()).replace(/(?<=[[,:\s])(-?Infinity|NaN)(?=[\],}\s])/g, '"$1"'));
    writeAnswer(document.predictions[0], answer.headers.get("model-version"), performance.now() - started);
    tell("");
  } catch (error) {
    if (error.name === "AbortError") return;
    byId("result-body").replaceChildren();
    byId("result-note").hidden = false;
    byId("result-note").textContent = "No prediction.";
    tell(error.message);
    if (wantsToken && !token()) byId("token-form").removeAttribute("hidden");
  } finally {
    button.disabled = false;
  }
}

// --- the fields

function setImage(field, content, type) {
  field.dataset.content = content;
  const preview = field.parentElement.querySelector(".preview");
  preview.hidden = !content;
  if (content) preview.src = `data:${type};base64,${content}`;
  else preview.removeAttribute("src");
}

function readImage(field, form) {
  const file = field.files[0];
  if (!file) return;
  const reader = new FileReader();
  reader.onload = () => {
    setImage(field, reader.result.split(",")[1] || "", file.type || "image/png");
    writeCurl(form);
  };
  reader.readAsDataURL(file);
}

function fill(form, example) {
  for (const field of form.querySelectorAll("[data-input]")) {
    const value = example ? example[field.dataset.input] : "";
    if (field.dataset.widget === "image") {
      field.value = "";
      const [head, data] = value ? value.split(";base64,") : ["", ""];
      setImage(field, data, head.replace("data:", ""));
    } else if (field.dataset.widget === "time" && value) {
      const unit = field.dataset.unit;
      const ms = unit === "days" ? Number(value) * 86400000 : (Number(value) * 1000) / Number(PER_SECOND[unit]);
      const date = new Date(ms);
      field.value = Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, date.getMilliseconds() ? 23 : 19);
    } else if (field.tagName === "SELECT") {
      const word = value.toLowerCase();
      const no = ["0", "false", "no", "off", "f", "n"], yes = ["1", "true", "yes", "on", "t", "y"];
      const wanted = yes.includes(word) ? yes : no.includes(word) ? no : [];
      field.value = [...field.options].find((option) => wanted.includes(option.value))?.value ?? "";
    } else {
      field.value = value;
    }
  }
}

function next(form) {
  shown = (shown + 1) % examples.length;
  fill(form, examples[shown]);
  writeCurl(form);
}

function begin() {
  for (const id of ["model", "target"]) {
    byId(id)?.addEventListener("change", () => {
      if (id === "model" && byId("target")) byId("target").value = "";
      show(query());
    });
  }
  byId("refresh")?.addEventListener("click", () => show(query()));
  for (const link of document.querySelectorAll("a.card")) if (wantsToken) openWithToken(link);
  const form = byId("form");
  if (!form) return;
  examples = JSON.parse(byId("examples").textContent);
  shown = -1;
  if (examples.length) next(form);
  else writeCurl(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    predict(form);
  });
  form.addEventListener("input", (event) => {
    if (event.target.type === "file") readImage(event.target, form);
    else writeCurl(form);
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    fill(form, null);
    writeCurl(form);
  });
  byId("example")?.addEventListener("click", () => next(form));
  byId("copy").addEventListener("click", copy);
}

async function copy() {
  const button = byId("copy");
  try {
    await navigator.clipboard.writeText(byId("curl").textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(byId("curl"));
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// A link sends no token: the card is fetched as text and shown below the table.
function openWithToken(link) {
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      const answer = await ask(link.getAttribute("href").replace(/html$/, "md"));
      let box = byId("card");
      if (!box) {
        box = make("pre");
        box.id = "card";
        box.tabIndex = 0;
        link.closest("section").append(box);
      }
      box.textContent = await answer.text();
      box.focus();
    } catch (error) {
      tell(error.message);
    }
  });
}

byId("token-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId("token").value.trim());
  byId("token").value = "";
  show(location.search);
});
if (wantsToken) {
  if (token()) show(location.search);
} else {
  begin();
}
