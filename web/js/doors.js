// The two forms that lead into a room: start a session, join one. They ask the server and hand its admission on; the server's words on
// what is wrong stand at the field they are about.

import * as api from './api.js';
import { $, view, write } from './elements.js';
import { keepName, lastName } from './seats.js';
import { why } from './words.js';

/** Shows the form to start a session. @param {(admission: any) => void} enter */
export function start(enter) {
  view('start');
  document.title = 'WatchParty';
  const form = $('create');
  form.elements.display_name.value ||= lastName();
  handle(form, (data) => api.create({ ...data, max_participants: Number(data.max_participants) }), enter);
}

/**
 * Shows the form to join one.
 * @param {string} id
 * @param {(admission: any) => void} enter
 */
export function join(id, enter) {
  view('join');
  document.title = 'Join · WatchParty';
  const form = $('join-form');
  form.elements.display_name.value ||= lastName();
  handle(form, (data) => api.join({ ...data, session_id: id }), enter);
  void about(id);
}

/** Who is there, before one joins: whatever anybody with the link may know. */
async function about(id) {
  try {
    const { name, participants, max_participants, locked } = await api.look(id);
    write($('join-title'), `Join “${name}”`);
    const there = participants === 1 ? '1 person is there' : `${participants} people are there`;
    const full = participants >= max_participants ? ' Every seat is taken right now.' : '';
    write($('join-about'), locked ? 'The host has locked this session: nobody new may join.' : `${there}, of ${max_participants} seats.${full}`);
  } catch (error) {
    write($('join-about'), error.code === 'session_not_found' ? 'This session is over, or the link is not whole.' : why(error));
  }
}

function handle(form, ask, enter) {
  const wrong = form.querySelector('.wrong');
  const button = form.querySelector('button.primary');
  form.onsubmit = async (event) => {
    event.preventDefault();
    const data = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, name === 'password' ? String(value) : String(value).trim()]));
    const missing = [...form.elements].find((field) => field.willValidate && !field.checkValidity());
    if (missing) return complain(form, wrong, [{ field: missing.name, message: missing.validationMessage }]);
    button.disabled = true;
    try {
      const admission = await ask(data);
      keepName(data.display_name);
      complain(form, wrong, []);
      form.elements.password.value = '';
      enter(admission);
    } catch (error) {
      complain(form, wrong, error.errors?.length ? error.errors : [{ field: 'password', message: why(error) }]);
    } finally {
      button.disabled = false;
    }
    return undefined;
  };
}

function complain(form, wrong, errors) {
  for (const field of form.elements) field.removeAttribute('aria-invalid');
  wrong.hidden = errors.length === 0;
  write(wrong, errors.map(({ message }) => message).join(' '));
  for (const { field } of errors) form.elements[field]?.setAttribute('aria-invalid', 'true');
  if (errors.length > 0) form.elements[errors[0].field]?.focus();
}
