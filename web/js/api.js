// The gateway's HTTP calls that the page needs. A failed one throws an `ApiError` with the problem's code (docs/PROTOCOL.md, "Problems"),
// or `network` when there was no answer.

export class ApiError extends Error {
  /** @param {string} code @param {any} [problem] */
  constructor(code, problem) {
    super(problem?.detail ?? problem?.title ?? code);
    this.code = code;
    /** @type {{ field: string, message: string }[]} */
    this.errors = problem?.errors ?? [];
  }
}

async function call(method, path, body, token) {
  const headers = {};
  if (body) headers['content-type'] = 'application/json';
  if (token) headers.authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new ApiError('network');
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(answer?.code ?? 'unavailable', answer);
  return answer;
}

export const create = (form) => call('POST', '/api/sessions/create', form);
export const join = (form) => call('POST', '/api/sessions/join', form);
export const look = (id) => call('GET', `/api/sessions/${id}`);
export const renew = (id, token) => call('POST', `/api/sessions/${id}/token`, undefined, token);
export const relays = (id, token) => call('GET', `/api/sessions/${id}/ice`, undefined, token);
