// What the browser makes of our socket by itself, beneath the SDK: the extension it agrees on.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Person } from './support/people.js';
import { chromium, home } from './support/stage.js';

test('Chromium agrees on compression and inflates what it is sent', async () => {
  const ada = await Person.arrive(chromium, 'Ada');
  await ada.open(home.doors[0].base);
  const heard = await ada.page.evaluate(async (body) => {
    const answer = await fetch('/api/sessions/create', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Long words', password: 'open sesame' }),
    });
    const { id, token } = await answer.json();
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws/${id}`);
    const event = await new Promise((resolve, reject) => {
      socket.onclose = ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`));
      socket.onopen = () => socket.send(JSON.stringify({ type: 'hello', token }));
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.type === 'welcome') socket.send(JSON.stringify({ type: 'event', data: { topic: 'long', body } }));
        if (frame.type === 'event') resolve(frame.data.body);
      };
    });
    socket.onclose = null;
    socket.close();
    return { extensions: socket.extensions, event };
  }, 'films and words, '.repeat(500));
  assert.match(heard.extensions, /^permessage-deflate/);
  assert.equal(heard.event, 'films and words, '.repeat(500));
  ada.content();
  await ada.go();
});
