// The SDK stays small: all modules of the public entry together, comment lines and indentation removed, gzip -9.
// Nothing is minified, as nothing is built.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const here = new URL('../', import.meta.url);
const MOST_BYTES = 8 * 1024;

function modules() {
  const found = new Set(['index.js']);
  for (const name of found) {
    const text = readFileSync(new URL(name, here), 'utf8');
    for (const [, other] of text.matchAll(/^(?:import|export)[^'"]*from '\.\/([a-z]+\.js)';/gm)) found.add(other);
  }
  return [...found];
}

function code(text) {
  const lines = text.replaceAll(/^\s*\/\*\*(?:[^*]|\*(?!\/))*\*\/[ \t]*$/gm, '').split('\n').map((line) => line.trim());
  return lines.filter((line) => line && !line.startsWith('//')).join('\n');
}

test('all modules together are under 8 KiB', (t) => {
  const texts = modules().map((name) => readFileSync(new URL(name, here), 'utf8'));
  const bytes = gzipSync(texts.map(code).join('\n'), { level: 9 }).length;
  const raw = gzipSync(texts.join('\n'), { level: 9 }).length;
  t.diagnostic(`gzip -9 of ${texts.length} modules: ${bytes} B without comments, ${raw} B as they are`);
  assert.ok(bytes < MOST_BYTES, `${bytes} B`);
});

test('every module is part of it, apart from the one that has types alone', () => {
  const files = readdirSync(here).filter((name) => name.endsWith('.js'));
  assert.deepEqual([...modules(), 'frames.js'].sort(), files.sort());
});
