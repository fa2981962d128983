// What `npm pack` makes is a package: it has what it should and no more, it runs, and TypeScript knows its types.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('../', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'watchparty-pack-'));
const installed = join(home, 'node_modules', '@watchparty', 'sdk');
const run = (program, args, cwd = home) => execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

before(() => {
  run('npm', ['pack', '--silent', '--pack-destination', home], here);
  const [archive] = readdirSync(home).filter((name) => name.endsWith('.tgz'));
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', archive, '-C', installed, '--strip-components', '1']);
});
after(() => rmSync(home, { recursive: true, force: true }));

const modules = () => readdirSync(here).filter((name) => name.endsWith('.js'));

test('it has the modules, their types, a readme and a licence', () => {
  const types = modules().map((name) => name.replace('.js', '.d.ts'));
  assert.deepEqual(readdirSync(installed).sort(), [...modules(), 'LICENSE', 'README.md', 'package.json', 'types'].sort());
  assert.deepEqual(readdirSync(join(installed, 'types')).sort(), types.sort());
  const { dependencies, version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  assert.equal(dependencies, undefined);
  assert.equal(version, /^version = "(.+)"$/m.exec(readFileSync(join(here, '..', 'Cargo.toml'), 'utf8'))[1]);
});

test('it runs under its name, and says its version', () => {
  const said = run(process.execPath, ['--input-type=module', '-e', `
    import * as sdk from '@watchparty/sdk';
    console.log(JSON.stringify([Object.keys(sdk).sort(), sdk.VERSION]));
  `]);
  const { version } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
  assert.deepEqual(JSON.parse(said), [['Party', 'PartyError', 'Sync', 'VERSION', 'VideoPlayer', 'connect', 'follow'], version]);
});

test('an application in TypeScript has its types', () => {
  writeFileSync(join(home, 'app.ts'), readFileSync(join(here, 'test', 'usage.ts'), 'utf8').replace("'../index.js'", "'@watchparty/sdk'"));
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
  cpSync(join(here, 'tsconfig.json'), join(home, 'base.json'));
  const options = { noEmit: true, allowJs: false, checkJs: false };
  writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ extends: './base.json', compilerOptions: options, include: ['app.ts'] }));
  run(join(here, 'node_modules', '.bin', 'tsc'), ['--project', home]);
});
