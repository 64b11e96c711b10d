// Runs the suite of queues with a real server, which each test starts on loopback in a temporary folder.
//
//   npm run test:queue [-- --all]
//
// It needs redis-server or valkey-server; where neither is installed and apt can, it installs redis-server. With --all it
// injects 50 faults in place of 15.
import { spawnSync } from 'node:child_process';
import { argv, env, execPath, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ args: argv.slice(2), options: { all: { type: 'boolean', default: false } } });

const SERVERS = ['redis-server', 'valkey-server'];
const root = fileURLToPath(new URL('../..', import.meta.url));

const installed = (): string | undefined =>
  [env.EQUIPOISE_TEST_REDIS ?? '', ...SERVERS].find(
    (name) => name !== '' && spawnSync(name, ['--version']).status === 0,
  );

function install(): string | undefined {
  console.log('-- apt-get install redis-server');
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo'];
  for (const args of [
    ['apt-get', 'update', '-qq'],
    ['apt-get', 'install', '-y', '-qq', 'redis-server'],
  ]) {
    const [file, ...rest] = [...asRoot, ...args];
    spawnSync(file, rest, { stdio: 'inherit', env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } });
  }
  return installed();
}

const server = installed() ?? install();
if (server === undefined) {
  console.error(`test:queue cannot run: none of ${SERVERS.join(', ')} is installed, and apt could not install one.`);
  exit(1);
}
// A test that fails leaves its connections open, which would keep the process alive for ever: so --exit.
const { status } = spawnSync(
  execPath,
  ['node_modules/mocha/bin/mocha.js', '--no-config', '--exit', '--timeout', '900000', 'dist/test/queue/*.queue.js'],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...env, EQUIPOISE_TEST_REDIS: server, EQUIPOISE_QUEUE_FAULTS: options.all ? '50' : '15' },
  },
);
exit(status ?? 1);
