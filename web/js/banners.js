// What everybody must know about the connection, in lines over the room: one per subject, the newest word on it.

import { make, write } from './elements.js';
import { why } from './words.js';

/** @import { Party } from '/sdk/index.js' */

/** Good news need not stay. */
const NEWS_MS = 5_000;

export class Banners {
  #place;
  /** @type {Map<string, { element: any, text: any, timer?: any }>} */
  #shown = new Map();

  /** @param {HTMLElement} place a live region */
  constructor(place) {
    this.#place = place;
    place.replaceChildren();
  }

  /**
   * @param {string} subject
   * @param {'good' | 'fair' | 'bad'} kind
   * @param {string} text
   * @param {boolean} [passing] it goes by itself
   */
  set(subject, kind, text, passing = false) {
    let banner = this.#shown.get(subject);
    if (!banner) {
      const line = make('span');
      banner = { element: make('p', { class: 'banner', 'data-subject': subject }, line), text: line };
      this.#shown.set(subject, banner);
      this.#place.append(banner.element);
    }
    clearTimeout(banner.timer);
    banner.element.dataset.kind = kind;
    write(banner.text, text);
    if (passing) banner.timer = setTimeout(() => this.clear(subject), NEWS_MS);
  }

  /** @param {string} subject */
  clear(subject) {
    const banner = this.#shown.get(subject);
    if (!banner) return;
    clearTimeout(banner.timer);
    banner.element.remove();
    this.#shown.delete(subject);
  }

  /** Something a person did was refused. @param {any} error */
  refused(error) {
    this.set('refused', 'fair', why(error), true);
  }

  /**
   * Something a person did to the film: where it cannot go out they learn of it now, not when it has come too late.
   * @param {Party} party
   * @param {Promise<any>} outcome
   */
  sent(party, outcome) {
    const held = party.state !== 'live' || party.backend === 'degraded';
    if (held) this.set('refused', 'fair', 'Not sent yet: if the server does not take it within two seconds, it is given up.');
    outcome.then(() => held && this.clear('refused'), (error) => this.refused(error));
  }
}

/**
 * Tells of the connection as it comes and goes.
 * @param {Party} party
 * @param {Banners} banners
 */
export function connection(party, banners) {
  let was = /** @type {string} */ ('connecting');
  let seq = 0;
  banners.set('connection', 'fair', 'Connecting …');
  party.on('state', (state, { in_ms, reason }) => {
    if (state === 'retrying' && was === 'live') seq = party.position?.seq ?? 0;
    if (state === 'retrying' && reason === 'unknown') {
      // Given up by the SDK itself: nothing was wrong with it.
      banners.set('connection', 'fair', 'Connecting anew, to be sure of what arrived and what did not.');
    } else if (state === 'retrying') {
      const wait = Math.ceil((in_ms ?? 0) / 1000);
      banners.set('connection', 'bad', `Connection lost. ${wait > 1 ? `Trying again in ${wait} s` : 'Trying again'}; the film goes on, nothing you write is lost.`);
    }
    if (state === 'live') {
      const missed = (party.welcome?.head ?? 0) - seq;
      banners.clear('goaway');
      if (was === 'connecting') banners.clear('connection');
      else banners.set('connection', 'good', `Connected again${party.welcome?.recovered ? `, ${missed === 0 ? 'nothing was missed' : `${missed} missed ${missed === 1 ? 'entry' : 'entries'} caught up`}` : ''}.`, true);
    }
    if (state !== 'connecting') was = state;
  });
  party.on('goaway', () => banners.set('goaway', 'fair', 'This server is about to stop: moving to another one.'));
  party.on('reset', () => banners.set('reset', 'fair', 'Some of the past could not be caught up with; what is shown is how things are now.', true));
  party.on('status', ({ backend }) => {
    if (backend === 'degraded') banners.set('backend', 'fair', 'The server cannot take anything right now. What you write waits here and goes out when it can; what you do to the film does not.');
    else banners.clear('backend');
  });
  party.on('lost', ({ type, reason, acked }) => {
    // Whoever was never told that it arrived is told by the promise they hold.
    if (!acked) return;
    const what = type === 'chat' ? 'A message' : type ? `“${type}”` : 'Something you said';
    banners.set('lost', 'bad', reason === 'late' ? `“${type}” was lost by the server, and is too old to be sent again.` : `${what} may not have arrived.`, true);
  });
}
