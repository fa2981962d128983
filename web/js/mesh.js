// Who is in the call, and a link to each of them: everybody to everybody, which is good for six. Signals go through the gateway, which sets
// who they are from; pictures and sound do not.
//
// Of two, the one with the smaller id makes the link between them; the other one, hearing of them, says that they are there. A screen's
// link is made by whoever shows it.

import { Link } from './link.js';

/** @import { Party } from '/sdk/index.js' */
/** @typedef {{ on: boolean, audio: boolean, video: boolean, screen: boolean }} Said */

/** Each sends to each of the others: more than this no laptop's line can do. */
export const MOST = 6;
/** It is said again after these, then each so often: notices may be lost, and who joins late has heard none. */
const AGAIN_MS = [2_000, 5_000];
const EVERY_MS = 30_000;
/** Relays are asked for again when so much of their time is over. */
const STALE = 0.8;

/**
 * @typedef {object} Told
 * @property {(id: string, said: Said | null) => void} peer somebody in the call, or no longer
 * @property {(id: string, purpose: 'cam' | 'screen', track: MediaStreamTrack) => void} track
 * @property {(id: string, purpose: 'cam' | 'screen') => void} gone
 */

export class Mesh {
  /** @type {Said} */
  said = { on: false, audio: false, video: false, screen: false };
  /** Who else is in the call. @type {Map<string, Said>} */
  peers = new Map();
  #party;
  #relays;
  #told;
  /** By peer and name. @type {Map<string, { id: string, purpose: 'cam' | 'screen', name: string, own: boolean, link: Link }>} */
  #links = new Map();
  /** @type {Record<string, MediaStreamTrack | null>} */
  #cam = { audio: null, video: null };
  /** @type {Record<string, MediaStreamTrack | null> | null} */
  #screen = null;
  #servers = { list: [], until: 0 };
  /** @type {any} */
  #timer = null;
  #offs;

  /** @param {Party} party @param {() => Promise<any>} relays asks for `/ice` @param {Told} told */
  constructor(party, relays, told) {
    this.#party = party;
    this.#relays = relays;
    this.#told = told;
    this.#offs = [
      party.on('notify', ({ from, data }) => data.topic === 'call' && from && from !== party.id && this.#noticed(from, data.body)),
      party.on('signal', (frame) => void this.#signal(frame)),
      party.on('participants', (list, entry) => this.#roster(list, entry)),
      party.on('state', (state) => state === 'live' && this.said.on && this.#say()),
    ];
  }

  /** Enters the call, or changes what one brings to it. @param {'audio' | 'video'} kind @param {MediaStreamTrack | null} track */
  async bring(kind, track) {
    this.#cam[kind] = track;
    this.said = { ...this.said, on: true, [kind]: track !== null };
    await this.#fresh();
    for (const { purpose, link } of this.#links.values()) if (purpose === 'cam') await link.use(kind, track);
    this.#tell();
  }

  /** @param {Record<string, MediaStreamTrack | null> | null} tracks null: no longer */
  async show(tracks) {
    this.#screen = tracks;
    this.said = { ...this.said, on: true, screen: tracks !== null };
    await this.#fresh();
    for (const [key, { purpose, own }] of [...this.#links]) if (purpose === 'screen' && own) this.#end(key, true);
    for (const id of this.peers.keys()) this.#reach(id);
    this.#tell();
  }

  /** Hangs up. */
  leave() {
    if (!this.said.on) return;
    clearTimeout(this.#timer);
    this.said = { on: false, audio: false, video: false, screen: false };
    this.#cam = { audio: null, video: null };
    this.#screen = null;
    for (const key of [...this.#links.keys()]) this.#end(key, true);
    this.#say();
  }

  stop() {
    this.leave();
    for (const off of this.#offs) off();
  }

  /** Says it now, and again a few times. */
  #tell() {
    clearTimeout(this.#timer);
    this.#say();
    const since = performance.now();
    const next = () => {
      const gone = performance.now() - since;
      const due = AGAIN_MS.find((at) => at > gone);
      this.#timer = setTimeout(() => {
        this.#say();
        next();
      }, due === undefined ? EVERY_MS : due - gone);
    };
    next();
  }

  /** @param {string} [to] */
  #say(to) {
    this.#party.notify('call', this.said, to);
  }

  #noticed(id, body) {
    const said = { on: body?.on === true, audio: body?.audio === true, video: body?.video === true, screen: body?.screen === true };
    if (!said.on) return this.#forget(id);
    const known = this.peers.has(id);
    this.peers.set(id, said);
    this.#told.peer(id, said);
    if (!this.said.on) return undefined;
    if (!known && id < this.#party.id) this.#say(id);
    this.#reach(id);
    return undefined;
  }

  /** Makes the links that are this side's to make. */
  #reach(id) {
    if (!this.said.on) return;
    const has = (wanted, mine) => [...this.#links.values()].some(({ id: peer, purpose, own }) => peer === id && purpose === wanted && (!mine || own));
    if (this.#party.id < id && !has('cam', false)) this.#open(id, 'cam', `cam.${crypto.getRandomValues(new Uint32Array(1))[0]}`, true);
    if (this.#screen && !has('screen', true)) this.#open(id, 'screen', `screen.${crypto.getRandomValues(new Uint32Array(1))[0]}`, true);
  }

  #open(id, purpose, name, own) {
    const oneWay = purpose === 'screen';
    const link = new Link({
      servers: this.#servers.list, offers: own, polite: this.#party.id > id, oneWay,
      tracks: oneWay ? { ...(own && this.#screen) } : { ...this.#cam },
      send: (kind, payload) => this.#party.signal(id, { kind, link: name, payload: payload ?? null }),
      track: (track) => this.#told.track(id, purpose, track),
    });
    this.#links.set(`${id} ${name}`, { id, purpose, name, own, link });
    return link;
  }

  /** @param {any} frame a `signal`, which has a sender and data */
  async #signal({ from, data }) {
    const { kind, link: name, payload } = data;
    if (!from || !this.said.on) return;
    const key = `${from} ${name}`;
    if (kind === 'bye') return this.#end(key, false);
    let link = this.#links.get(key)?.link;
    // Only an offer begins something; anything else belongs to a link that is gone.
    if (!link && kind === 'offer') {
      const purpose = name.startsWith('screen.') ? 'screen' : 'cam';
      const old = [...this.#links].find(([, one]) => one.id === from && one.purpose === purpose && (purpose === 'cam' || !one.own));
      if (old) this.#end(old[0], false);
      link = this.#open(from, purpose, name, false);
    }
    link?.hear(kind, payload);
    return undefined;
  }

  /** @param {string} key @param {boolean} bye whether the other side has to be told */
  #end(key, bye) {
    const found = this.#links.get(key);
    if (!found) return;
    this.#links.delete(key);
    found.link.close();
    if (bye) this.#party.signal(found.id, { kind: 'bye', link: found.name, payload: null });
    if (!(found.own && found.purpose === 'screen')) this.#told.gone(found.id, found.purpose);
  }

  #forget(id) {
    for (const [key, one] of [...this.#links]) if (one.id === id) this.#end(key, false);
    if (this.peers.delete(id)) this.#told.peer(id, null);
  }

  #roster(list, entry) {
    const here = new Set(list.map(({ id }) => id));
    // A list that is cut short says nothing of who is not on it.
    if (this.#party.total <= list.length) for (const id of [...this.peers.keys()]) if (!here.has(id)) this.#forget(id);
    if (entry?.type === 'participant.joined' && this.said.on) this.#say(entry.data.id);
  }

  async #fresh() {
    if (performance.now() < this.#servers.until) return;
    try {
      const { ice_servers, expires_at } = await this.#relays();
      this.#servers = { list: ice_servers, until: performance.now() + STALE * (expires_at - this.#party.clock.now()) };
    } catch {
      // Without a relay a call still works where people can reach each other.
      this.#servers = { list: [], until: 0 };
    }
  }
}
