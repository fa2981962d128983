// One's own name and colour, and what a host may change about the session: name, seats, password, lock, who moves the film, its end.

import { Question } from './ask.js';
import { $, write } from './elements.js';
import { keepName } from './seats.js';
import { why } from './words.js';

/** @import { Room } from './room.js' */

/** @param {Room} room */
export function settings(room) {
  const { party, names } = room;
  const [box, form] = [$('settings-box'), $('settings-form')];
  const field = form.elements;
  const wrong = form.querySelector('.wrong');
  let color = '';

  $('settings').onclick = () => {
    const { session } = party;
    if (!session) return;
    field.display_name.value = names.name(party.id);
    field.color.value = color = names.color(party.id) ?? '#7c5cff';
    field.name.value = session.name;
    field.max_participants.value = String(session.max_participants);
    field.password.value = '';
    field.locked.checked = session.locked;
    field.host_controls.checked = session.control === 'host';
    $('host-only').disabled = !room.host();
    wrong.hidden = true;
    box.showModal();
  };
  $('settings-done').onclick = () => box.close();
  const end = new Question($('end-box'));
  $('end').onclick = () => end.ask(() => party.publish('session.end'));

  const say = async (...sent) => {
    try {
      await Promise.all(sent);
      box.close();
    } catch (error) {
      wrong.hidden = false;
      write(wrong, why(error));
    }
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    const sent = [];
    const profile = {};
    const name = field.display_name.value.trim();
    if (name && name !== names.name(party.id)) profile.name = name;
    if (field.color.value !== color) profile.color = field.color.value;
    if (Object.keys(profile).length > 0) sent.push(party.publish('profile', profile));
    if (profile.name) keepName(name);
    const change = room.host() && party.session ? changes(party.session, field) : {};
    if (Object.keys(change).length > 0) sent.push(party.publish('session.update', change));
    void say(...sent);
  };
  return () => {
    end.close();
    box.close();
  };
}

function changes(session, field) {
  const wanted = {
    name: field.name.value.trim(), max_participants: Number(field.max_participants.value), locked: field.locked.checked,
    control: field.host_controls.checked ? 'host' : 'everyone', password: field.password.value || undefined,
  };
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => session[key] !== value));
}
