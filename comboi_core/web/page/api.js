// Asking the API. The function key is read from the page's own address for each request and kept nowhere.

const BASE = location.pathname.replace(/\/monitor\/?$/, "");
const clock = { ahead: 0 };

class Problem extends Error {
  constructor(body) {
    super(body.message);
    this.body = body;
  }
}

const functionKey = () => new URLSearchParams(location.search).get("code");

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
    401: ["The function app wants a key.", "Open this page with ?code=KEY; the key is in the portal under App keys."],
    403: ["The function app refuses this request.", "Check the key after ?code= and the app's access restrictions."],
    404: ["The function app has no such address.", "Deploy a comboi that has it; this page and the API belong together."],
  }[answer.status] ?? [text.slice(0, 500) || "The answer is empty.", "Look into the function app's log."];
  throw new Problem({ code: `http_${answer.status}`, message: told[0], remedy: told[1] });
}
