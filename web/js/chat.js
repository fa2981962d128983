// The chat: the timeline with its past, the line to write in, answers, and who is typing.

import { $, write } from './elements.js';
import { Timeline } from './timeline.js';
import { list, why } from './words.js';

/** @import { Room } from './room.js' */

const PAGE = 100;
/** Typing is told so often, is believed so long, and is nobody's business in a crowd. */
const TELL_MS = 2_500;
const BELIEVED_MS = 5_000;
const CROWD = 50;

/** @param {Room} room */
export function chat(room) {
  const { party, names } = room;
  /** @type {any} */
  let asked = null;
  const reply = (entry) => {
    asked = entry;
    $('reply').hidden = !entry;
    if (!entry) return;
    write($('reply-text'), `To ${names.name(entry.from)}: ${entry.data.text}`);
    $('say').focus();
  };
  const timeline = new Timeline({ place: $('timeline'), scroll: $('chat-scroll'), names, answer: reply });
  const typing = typists(room);
  past(room, timeline);

  $('reply-drop').onclick = () => (reply(null), $('say').focus());
  // Not the value of an expression: a handler that returns false undoes the key.
  $('say').onkeydown = (event) => {
    if (event.key === 'Escape' && asked) reply(null);
  };
  $('say').oninput = () => typing.tell($('say').value !== '');
  $('compose').onsubmit = (event) => {
    event.preventDefault();
    const text = $('say').value.trim();
    if (!text) return;
    $('say').value = '';
    typing.tell(false);
    const became = timeline.pend(text);
    party.publish('chat', { text, ...(asked && { reply_to: asked.seq }) }).then(() => became(null), (error) => became(why(error)));
    reply(null);
  };
  reply(null);
  const off = party.on('entry', (entry) => {
    timeline.add([entry]);
    if (entry.type === 'chat') typing.stopped(entry.from);
  });
  return () => {
    off();
    typing.stop();
  };
}

/** Reads the past: at first, further back when asked, and anew where continuity broke. @param {Room} room @param {Timeline} timeline */
function past({ party, banners }, timeline) {
  const read = async (before) => {
    try {
      const { entries } = await party.history({ limit: PAGE, ...(before && { before }) });
      timeline.add(entries);
      const first = timeline.first ?? 1;
      const end = first <= 1 || entries.length === 0;
      $('earlier').hidden = end;
      $('beginning').hidden = !end;
      write($('beginning'), first <= 1 ? 'The session begins here.' : 'What came before is no longer kept.');
      if (!before) timeline.end();
    } catch (error) {
      // Offline: the next connection reads it.
      if (error.code !== 'offline') banners.refused(error);
    }
  };
  let whole = false;
  party.on('reset', () => {
    timeline.clear();
    whole = false;
  });
  party.on('state', async (state) => {
    if (state !== 'live' || whole) return;
    await read(undefined);
    whole = timeline.first !== undefined;
  });
  $('earlier').onclick = () => read(timeline.first);
}

/** Who is typing, here and elsewhere. @param {Room} room */
function typists({ party, names }) {
  /** @type {Map<string, any>} */
  const who = new Map();
  let told = -Infinity;
  let on = false;
  const draw = () => {
    const others = [...who.keys()].map((id) => names.name(id));
    write($('typing'), others.length === 0 ? '' : `${list(others)} ${others.length === 1 ? 'is' : 'are'} typing …`);
  };
  const stopped = (id) => {
    clearTimeout(who.get(id));
    who.delete(id);
    draw();
  };
  const off = party.on('notify', ({ from, data }) => {
    if (data.topic !== 'typing' || !from || from === party.id) return;
    stopped(from);
    if (!data.body?.on) return;
    who.set(from, setTimeout(() => stopped(from), BELIEVED_MS));
    draw();
  });
  draw();
  return {
    /** @param {boolean} now */
    tell(now) {
      if (party.total > CROWD || (now === on && performance.now() - told < TELL_MS)) return;
      if (!now && !on) return;
      on = now;
      told = performance.now();
      party.notify('typing', { on });
    },
    stopped,
    stop() {
      off();
      for (const timer of who.values()) clearTimeout(timer);
    },
  };
}
