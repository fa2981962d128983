// Who holds a seat, and how they fare: a card each, changed in place so that focus and open menus stay where they are. The host can do
// something about each of the others.

import { Question } from './ask.js';
import { $, icon, make, write } from './elements.js';
import { signed, status } from './words.js';

/** @import { Room } from './room.js' */

/** How often one's own state is looked at. */
const DRAW_MS = 1_000;

/** @param {Room} room */
export function people(room) {
  const { party, names, sync } = room;
  const place = $('people');
  /** @type {Map<string, ReturnType<typeof card>>} */
  const cards = new Map();
  place.replaceChildren();
  const removal = remover(room);

  const draw = () => {
    const list = party.participants;
    const { total } = party;
    const most = party.session?.max_participants ?? total;
    write($('people-count'), list.length < total ? `${total} of ${most}, ${list.length} shown` : `${total} of ${most}`);
    const here = new Set(list.map(({ id }) => id));
    for (const [id, { element }] of cards) {
      if (here.has(id)) continue;
      element.remove();
      cards.delete(id);
    }
    for (const person of list) {
      let one = cards.get(person.id);
      if (!one) {
        one = card(room, person.id, removal.ask);
        cards.set(person.id, one);
        place.append(one.element);
      }
      // One's own is known here before any node has heard of it.
      const own = person.id === party.id && { status: sync.status, drift_ms: sync.drift, rtt_ms: party.clock.rtt };
      one.draw({ ...person, ...own });
    }
  };
  names.self = room.seat.participant_id;
  const close = (/** @type {any} */ event) => {
    for (const menu of place.querySelectorAll('.menu')) if (!menu.contains(event.target)) shut(menu);
  };
  addEventListener('pointerdown', close);
  const offs = [party.on('participants', draw), party.on('host', draw), party.on('session', draw)];
  const timer = setInterval(draw, DRAW_MS);
  return () => {
    clearInterval(timer);
    removeEventListener('pointerdown', close);
    removal.close();
    offs.forEach((off) => off());
  };
}

/**
 * Asks the host how somebody is to be removed: with a new password, as only that keeps them out. It comes first, or they could be back before it.
 * @param {Room} room
 */
function remover({ party, names }) {
  const box = $('remove-box');
  const { password } = $('remove-form').elements;
  const question = new Question(box);
  const label = () => write(box.querySelector('.danger'), password.value ? 'Change it and remove' : 'Remove');
  password.oninput = () => {
    box.querySelector('.wrong').hidden = true;
    label();
  };
  return {
    close: () => question.close(),
    /** @param {string} id */
    ask(id) {
      write($('remove-title'), `Remove ${names.name(id)}?`);
      password.value = '';
      label();
      question.ask(async () => {
        if (password.value) await party.publish('session.update', { password: password.value });
        await party.publish('kick', { participant_id: id });
      });
    },
  };
}

/** @param {Room} room @param {string} id @param {(id: string) => void} remove asks how */
function card(room, id, remove) {
  const { party, names } = room;
  const avatar = make('span', { class: 'avatar', 'aria-hidden': 'true' });
  const [name, note, state] = [make('span'), make('small'), make('p', { class: 'state' })];
  const crown = make('span', { title: 'Host' }, icon('crown'), make('span', { class: 'sr' }, 'host'));
  const menu = actions(room, id, remove);
  const element = make('li', { class: 'person', 'data-id': id }, avatar, make('div', { class: 'who' }, make('p', { class: 'name' }, name, crown, note), state), menu);
  const draw = (/** @type {any} */ person) => {
    write(name, person.name);
    name.title = person.name;
    write(note, id === party.id ? 'you' : '');
    write(avatar, names.letters(id));
    avatar.style.setProperty('--hue', String(names.hue(id)));
    crown.hidden = id !== party.session?.host_id;
    menu.hidden = !room.host() || id === party.id;
    menu.querySelector('button').setAttribute('aria-label', `What to do about ${person.name}`);
    element.classList.toggle('away', person.connection === 'reconnecting');
    write(state, fares(person));
  };
  return { element, draw };
}

function fares({ connection, status: how, drift_ms, rtt_ms }) {
  if (connection === 'reconnecting') return 'reconnecting …';
  const parts = [status(how) || 'here'];
  if (how === 'playing' && drift_ms !== undefined && drift_ms !== null) parts.push(signed(drift_ms));
  if (rtt_ms !== undefined && rtt_ms !== null) parts.push(`RTT ${Math.round(rtt_ms)} ms`);
  return parts.join(' · ');
}

/** @param {Room} room @param {string} id @param {(id: string) => void} remove */
function actions({ party, names, banners }, id, remove) {
  const act = (text, run) =>
    make('li', {}, make('button', {
      type: 'button',
      onclick: () => {
        shut(menu);
        run()?.catch((/** @type {any} */ error) => banners.refused(error));
      },
    }, text));
  const list = make('ul', { hidden: true },
    act('Make host', () => party.publish('host.transfer', { participant_id: id })),
    act('Remove: may come back', () => party.publish('kick', { participant_id: id, ban_seconds: 0 })),
    act('Remove and keep out …', () => remove(id)));
  const button = make('button', {
    type: 'button', class: 'round', 'aria-expanded': 'false', 'aria-label': `What to do about ${names.name(id)}`,
    onclick: () => {
      list.hidden = !list.hidden;
      button.setAttribute('aria-expanded', String(!list.hidden));
      if (!list.hidden) list.querySelector('button').focus();
    },
  }, icon('more'));
  const menu = make('div', {
    class: 'menu', hidden: true,
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'Escape' || list.hidden) return;
      shut(menu);
      button.focus();
    },
  }, button, list);
  return menu;
}

/** @param {Element} menu */
function shut(menu) {
  /** @type {any} */ (menu.querySelector('ul')).hidden = true;
  menu.querySelector('button')?.setAttribute('aria-expanded', 'false');
}
