// One peer connection of a call, for one purpose: `cam` carries microphone and camera both ways, `screen` a screen one way. It negotiates by
// signals, takes whatever order they come in, and mends itself. Who is called, and when, is `mesh.js`'s business.
//
// A camera's link has one place for sound and one for pictures from the start; turning something on or off changes what is in the place and
// negotiates nothing.

/** Candidates are told together: about six messages a pair instead of eighteen. */
const TRICKLE_MS = 50;

/**
 * @typedef {object} Wiring
 * @property {RTCIceServer[]} servers
 * @property {boolean} offers this side made it
 * @property {boolean} polite gives way where both offer at once
 * @property {Record<string, MediaStreamTrack | null>} tracks what goes out, by `audio` and `video`; nothing for a screen that is watched
 * @property {boolean} oneWay
 * @property {(kind: 'offer' | 'answer' | 'candidate' | 'restart' | 'bye', payload?: any) => void} send
 * @property {(track: MediaStreamTrack) => void} track something comes in
 */

export class Link {
  #pc;
  #wiring;
  #making = false;
  /** @type {any[]} */
  #candidates = [];
  /** @type {any} */
  #timer = null;
  /** What was heard is worked off in order. */
  #turn = Promise.resolve();

  /** @param {Wiring} wiring */
  constructor(wiring) {
    this.#wiring = wiring;
    const pc = (this.#pc = new RTCPeerConnection({ iceServers: wiring.servers }));
    pc.ontrack = ({ track }) => wiring.track(track);
    pc.onicecandidate = ({ candidate }) => this.#trickle(candidate);
    pc.onnegotiationneeded = () => void this.#offer();
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === 'failed') this.restart();
    };
    if (wiring.offers) this.#place();
  }

  get state() {
    return this.#pc.connectionState;
  }

  /** @param {'audio' | 'video'} kind @param {MediaStreamTrack | null} track */
  async use(kind, track) {
    this.#wiring.tracks[kind] = track;
    const place = this.#pc.getTransceivers().find(({ receiver }) => receiver.track.kind === kind);
    await place?.sender.replaceTrack(track);
  }

  /** A path that broke: who made the link looks for another, the other side asks them to. */
  restart() {
    if (this.#wiring.offers) this.#pc.restartIce();
    else this.#wiring.send('restart');
  }

  /** @param {string} kind @param {any} payload */
  hear(kind, payload) {
    this.#turn = this.#turn.then(() => this.#heard(kind, payload)).catch((error) => {
      // A link may close, or be given up for the other side's offer, while something of it is on its way.
      if (this.#pc.signalingState !== 'closed') console.warn('call:', error);
    });
  }

  close() {
    clearTimeout(this.#timer);
    this.#pc.close();
  }

  #place() {
    const { tracks, oneWay } = this.#wiring;
    for (const kind of ['audio', 'video']) {
      const track = tracks[kind] ?? null;
      if (oneWay && !track) continue;
      const place = this.#pc.addTransceiver(kind, { direction: oneWay ? 'sendonly' : 'sendrecv' });
      void place.sender.replaceTrack(track);
    }
  }

  async #offer() {
    try {
      this.#making = true;
      await this.#pc.setLocalDescription();
      this.#wiring.send('offer', this.#pc.localDescription);
    } catch (error) {
      if (this.#pc.signalingState !== 'closed') console.warn('call:', error);
    } finally {
      this.#making = false;
    }
  }

  async #heard(kind, payload) {
    const pc = this.#pc;
    if (kind === 'restart') return this.restart();
    if (kind === 'candidate') {
      for (const candidate of payload) await pc.addIceCandidate(candidate ?? undefined);
      return undefined;
    }
    if (kind === 'answer') return pc.signalingState === 'have-local-offer' ? pc.setRemoteDescription(payload) : undefined;
    if (kind !== 'offer') return undefined;
    if (!this.#wiring.polite && (this.#making || pc.signalingState !== 'stable')) return undefined;
    await pc.setRemoteDescription(payload);
    if (!this.#wiring.oneWay) await this.#reply();
    await pc.setLocalDescription();
    this.#wiring.send('answer', pc.localDescription);
    return undefined;
  }

  /** What this side has goes into the places the other side made. */
  async #reply() {
    for (const place of this.#pc.getTransceivers()) {
      place.direction = 'sendrecv';
      await place.sender.replaceTrack(this.#wiring.tracks[place.receiver.track.kind] ?? null);
    }
  }

  #trickle(candidate) {
    this.#candidates.push(candidate?.toJSON() ?? null);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#wiring.send('candidate', this.#candidates.splice(0));
    }, TRICKLE_MS);
  }
}
