// Asking the API. The key comes in the part of the address that no browser sends, #code=KEY, or from whoever types it; from
// ?code=KEY as well, as Azure writes addresses. It is taken out of the address at once, kept for this tab alone, and sent in a
// header.

const BASE = location.pathname.replace(/\/monitor\/?$/, "");
const clock = { ahead: 0 };

class Problem extends Error {
  constructor(body) {
    super(body.message);
    this.body = body;
  }
}

const KEPT = `comboi key of ${BASE}`;
const functionKey = () => sessionStorage.getItem(KEPT);

function keepKey(key) {
  sessionStorage.setItem(KEPT, key.trim());
}

// Takes a key out of the address; tells whether there was one.
function takeKey() {
  const [search, hash] = [location.search, location.hash].map((part) => new URLSearchParams(part.slice(1).replaceAll("+", "%2B")));
  const key = hash.get("code") ?? search.get("code");
  if (key === null) return false;
  for (const part of [search, hash]) part.delete("code");
  history.replaceState(null, "", location.pathname + (String(search) && `?${search}`) + (String(hash) && `#${hash}`));
  if (key.trim()) keepKey(key);
  return true;
}

// Asks for the key where the app wants one.
function keyForm() {
  const typed = el("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false", id: "key" });
  return el("form", {
    class: "box", id: "key-form",
    onsubmit: (event) => {
      event.preventDefault();
      keepKey(typed.value);
      wake(true);
    },
  }, el("label", {}, "The app's key ", typed), " ", el("button", { type: "submit", class: "main" }, "Use it"),
  el("p", { class: "soft" }, "It is kept for this tab until you close it."));
}

async function call(path, { method = "GET", body = null, once = null, read = JSON.parse } = {}) {
  const key = functionKey();
  const headers = {
    ...(key ? { "x-functions-key": key } : {}),
    ...(body ? { "content-type": "application/json" } : {}),
    ...(once ? { "idempotency-key": once } : {}),
  };
  let answer;
  try {
    answer = await fetch(`${BASE}/${path}`, { method, headers, body: body && JSON.stringify(body), cache: "no-store", referrerPolicy: "no-referrer" });
  } catch {
    throw new Problem({ code: "no_answer", message: "The function app does not answer.", remedy: "Check that it runs and that this machine reaches it; this page tries again by itself.", transient: true });
  }
  const text = await answer.text();
  let found = null;
  try {
    found = (answer.ok ? read : JSON.parse)(text);
  } catch { /* told below */ }
  if (answer.ok && found !== null) return found;
  if (found?.code) throw new Problem({ ...found, message: found.detail ?? found.message });
  const told = {
    401: ["The function app wants its key.", "Type it below, or open this page with #code=KEY behind its address. The portal has it under App keys; of `comboi serve` it is in the address that the command prints."],
    403: ["The function app refuses this request.", "Check the key and the app's access restrictions."],
    404: ["The function app has no such address.", "Deploy a comboi that has it; this page and the API belong together."],
  }[answer.status] ?? [text.slice(0, 500) || "The answer is empty.", "Look into the function app's log."];
  throw new Problem({ code: `http_${answer.status}`, message: told[0], remedy: told[1] });
}
