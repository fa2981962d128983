// The wire between the page and the gateway: a WebSocket that can be cut on purpose, to show what recovery looks like, and that remembers
// the last frames for the numbers panel. The SDK takes it for the browser's own.

const KEPT = 60;
const SHOWN = 220;
/** A token or a password is nobody's to read, not even over somebody's shoulder. */
const SECRET = /^\{"type":"(hello|refresh|session\.update)"/;

export class Network {
  /** Newest last: which way, when, what. @type {{ way: '↑' | '↓', at: number, text: string }[]} */
  frames = [];
  cutUntil = 0;
  /** @type {Set<any>} */
  #open = new Set();

  /** Nothing comes through for so long; `online` tells the SDK when it does again, as the browser would. @param {number} ms */
  cut(ms) {
    this.cutUntil = performance.now() + ms;
    for (const socket of [...this.#open]) socket.cut();
    return new Promise((resolve) => {
      setTimeout(() => {
        this.cutUntil = 0;
        dispatchEvent(new Event('online'));
        resolve(undefined);
      }, ms);
    });
  }

  note(way, text) {
    this.frames.push({ way, at: performance.now(), text: text.slice(0, SHOWN) });
    if (this.frames.length > KEPT) this.frames.shift();
  }

  /** A class like WebSocket. */
  get WebSocket() {
    const network = this;
    const open = this.#open;
    return class {
      onopen = () => {};
      onmessage = (/** @type {any} */ _) => {};
      onclose = (/** @type {any} */ _) => {};
      onerror = () => {};
      #socket;

      constructor(url, protocol) {
        if (network.cutUntil > 0) {
          setTimeout(() => this.onclose({ code: 1006, reason: '' }), 20);
          return;
        }
        const socket = (this.#socket = new WebSocket(url, protocol));
        open.add(this);
        socket.onopen = () => this.onopen();
        socket.onerror = () => this.onerror();
        socket.onmessage = (event) => {
          network.note('↓', event.data);
          this.onmessage(event);
        };
        socket.onclose = (event) => {
          open.delete(this);
          this.onclose(event);
        };
      }

      /** As a socket's; one that was never opened is closed (3). */
      get readyState() {
        return this.#socket?.readyState ?? 3;
      }

      send(text) {
        network.note('↑', SECRET.test(text) ? text.slice(0, text.indexOf(',')) : text);
        this.#socket?.send(text);
      }

      close() {
        this.#release()?.close();
      }

      cut() {
        this.#release()?.close();
        this.onclose({ code: 1006, reason: '' });
      }

      /** Whatever the socket still has to say is not heard. */
      #release() {
        const socket = this.#socket;
        open.delete(this);
        if (socket) socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
        return socket;
      }
    };
  }
}
