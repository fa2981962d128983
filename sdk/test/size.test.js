// The SDK stays small: all modules of the public entry in one, minified, gzip -9. Nothing of what ships is built; this is what somebody
// who bundles it gets, and it is measured with esbuild because a measure needs some minifier.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { buildSync } from 'esbuild';

const here = new URL('../', import.meta.url);
const MOST_BYTES = 8 * 1024;

const gzip = (text) => gzipSync(text, { level: 9 }).length;

function bundle() {
  const { outputFiles, metafile } = buildSync({
    entryPoints: [fileURLToPath(new URL('index.js', here))],
    bundle: true, minify: true, write: false, metafile: true, format: 'esm', target: 'es2022',
  });
  return { code: outputFiles[0].text, modules: Object.keys(metafile.inputs).map((path) => path.split('/').at(-1)) };
}

test('all modules together are under 8 KiB, minified and compressed', (t) => {
  const { code, modules } = bundle();
  const sources = modules.map((name) => readFileSync(new URL(name, here), 'utf8')).join('\n');
  t.diagnostic(`${modules.length} modules: ${gzip(code)} B minified and gzip -9; ${gzip(sources)} B as they are, with comments and types`);
  assert.ok(gzip(code) < MOST_BYTES, `${gzip(code)} B`);
});

test('every module is part of it, apart from the one that has types alone; none imports anything else', () => {
  const files = readdirSync(here).filter((name) => name.endsWith('.js'));
  assert.deepEqual([...bundle().modules, 'frames.js'].sort(), files.sort());
  for (const name of files) {
    const text = readFileSync(new URL(name, here), 'utf8');
    for (const [, from] of text.matchAll(/^(?:import|export)\b[^'"]*from ['"]([^'"]+)['"]/gm)) assert.match(from, /^\.\/[a-z]+\.js$/, name);
  }
});
