// The pictures of a call: one of each person in it, one of each screen that is shown; a round picture with letters where there is no camera.

import { make, write } from './elements.js';

/** @import { Names } from './names.js' */

export class Tiles {
  /** @type {Map<string, { element: any, video: HTMLVideoElement, stream: MediaStream, avatar: any, name: any, mute: any }>} */
  #tiles = new Map();
  #place;
  #names;

  /** @param {HTMLElement} place @param {Names} names */
  constructor(place, names) {
    this.#place = place;
    this.#names = names;
    place.replaceChildren();
  }

  /**
   * @param {string} id
   * @param {'cam' | 'screen'} purpose
   * @param {{ audio?: boolean, video?: boolean }} said
   */
  show(id, purpose, said) {
    const tile = this.#tile(id, purpose);
    const own = id === this.#names.self;
    const name = own ? 'You' : this.#names.name(id);
    write(tile.name, purpose === 'screen' ? `${own ? 'Your' : `${name}’s`} screen` : name);
    write(tile.avatar, this.#names.letters(id));
    tile.avatar.style.setProperty('--hue', String(this.#names.hue(id)));
    tile.element.classList.toggle('dark', purpose === 'cam' && !said.video);
    tile.mute.hidden = purpose === 'screen' || said.audio === true;
  }

  /** @param {string} id @param {'cam' | 'screen'} purpose @param {MediaStreamTrack} track in place of another of its kind */
  put(id, purpose, track) {
    const { stream, video } = this.#tile(id, purpose);
    for (const old of stream.getTracks()) if (old.kind === track.kind && old !== track) stream.removeTrack(old);
    stream.addTrack(track);
    // An element that was given up by autoplay rules stays still; the click that entered the call allows it.
    video.play().catch(() => {});
  }

  /** @param {string} id @param {'cam' | 'screen'} purpose */
  drop(id, purpose) {
    const key = `${id} ${purpose}`;
    this.#tiles.get(key)?.element.remove();
    this.#tiles.delete(key);
  }

  clear() {
    this.#tiles.clear();
    this.#place.replaceChildren();
  }

  #tile(id, purpose) {
    const key = `${id} ${purpose}`;
    const known = this.#tiles.get(key);
    if (known) return known;
    const video = make('video', { playsinline: true, autoplay: true, tabindex: '-1' });
    const stream = new MediaStream();
    video.srcObject = stream;
    video.muted = id === this.#names.self;
    const avatar = make('span', { class: 'avatar', 'aria-hidden': 'true' });
    const name = make('span');
    const mute = make('small', {}, 'muted');
    const element = make('li', { class: `tile ${purpose}${id === this.#names.self && purpose === 'cam' ? ' own' : ''}`, 'data-id': id }, video, avatar, make('p', {}, name, mute));
    const tile = { element, video, stream, avatar, name, mute };
    this.#tiles.set(key, tile);
    this.#place.append(element);
    return tile;
  }
}
