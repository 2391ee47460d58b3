// Asks the server for something. What goes wrong is an Error in the server's own words.

/** What a request that got no answer is told as. */
export const UNREACHABLE = "The page’s server cannot be reached. Try again when it is back.";

export async function get(path) {
  return answer(await fetch(path, { headers: { Accept: "application/json" } }));
}

export async function post(path, body) {
  const options = { method: "POST" };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  return answer(await fetch(path, options));
}

async function answer(response) {
  const value = await response.json().catch(() => ({}));
  if (response.ok) return value;
  const error = new Error(value.detail ?? `the server answered with status ${response.status}`);
  error.status = response.status;
  throw error;
}

export const orderPath = (id) => `/api/orders/${encodeURIComponent(id)}`;
