// Building the document. Whatever comes from data becomes text, never markup.

const byId = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const node = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "place") Object.assign(node.style, value); // the page's policy allows no style attributes
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const data = (text, tag = "span", attributes = {}) => el(tag, { class: "data", ...attributes }, String(text));

// Replaces a container's content, if it is other than before, and puts the focus and open details back.
function show(container, key, make) {
  if (container.shownKey === key) return;
  container.shownKey = key;
  const active = container.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const open = new Set([...container.querySelectorAll("details[open]")].map((one) => one.dataset.focus));
  const scrolled = [...container.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
  container.replaceChildren(...[make()].flat(Infinity).filter(Boolean));
  for (const one of container.querySelectorAll("details")) one.open = open.has(one.dataset.focus);
  [...container.querySelectorAll(".scroll")].forEach((one, place) => {
    if (scrolled[place]) [one.scrollLeft, one.scrollTop] = scrolled[place];
  });
  if (active) [...container.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === active)?.focus();
}

const STATES = {
  succeeded: { sign: "✓" }, short: { sign: "▲", word: "succeeded with shortfalls" }, failed: { sign: "✕" }, partial: { sign: "◐" }, running: { sign: "▸" },
  pending: { sign: "·" }, queued: { sign: "…", kind: "pending" },
  skipped: { sign: "–" }, cancelled: { sign: "■" }, unfinished: { sign: "?" }, unreadable: { sign: "?", kind: "unfinished" },
};
const stateOf = (status) => ({ sign: "?", word: status, kind: STATES[status] ? status : "unfinished", ...STATES[status] });
// A success of which readers do not see every row is no plain success; a run has the number, an item the list.
const shownStatus = (one) => (one.status === "succeeded" && (one.shortfalls?.length ?? one.shortfalls) ? "short" : one.status);
const badge = (status) => el("span", { class: `badge is-${stateOf(status).kind}` }, `${stateOf(status).sign} ${stateOf(status).word}`);

const number = (value) => (typeof value === "number" ? value.toLocaleString("en") : "");
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

function seconds(value) {
  if (typeof value !== "number") return "";
  if (value < 9.95) return `${Math.max(value, 0).toFixed(1)} s`;
  if (value < 59.5) return `${Math.round(value)} s`;
  const minutes = Math.round(value / 60);
  if (minutes < 60) return value < 600 ? `${Math.floor(value / 60)} min ${Math.round(value % 60)} s` : `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  return `${Math.round(minutes / 1440)} days`;
}

const bytes = (value) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), units.length - 1);
  return `${(value / 1000 ** step).toFixed(step ? 1 : 0)} ${units[step]}`;
};

function moment(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return data(iso);
  const today = at.toDateString() === new Date().toDateString();
  const shown = at.toLocaleString("en-GB", { ...(today ? {} : { day: "numeric", month: "short" }), hour: "2-digit", minute: "2-digit" });
  return el("time", { datetime: iso, title: at.toISOString() }, shown);
}

const since = (iso) => (Date.now() + clock.ahead - Date.parse(iso)) / 1000; // by the server's clock
const ago = (iso) => (since(iso) < 5 ? "just now" : `${seconds(since(iso))} ago`);

function said(text) {
  byId("said").textContent = text;
}

function problemBox(problem, title) {
  return el("div", { class: "box" },
    title && el("h4", {}, title),
    el("p", {}, data(problem.code ?? "error", "code"), " ", problem.transient ? el("span", { class: "soft" }, "(may pass by itself)") : null),
    data(problem.message ?? "", "p"),
    problem.remedy ? el("p", { class: "remedy" }, "What to do: ", data(problem.remedy)) : null);
}
