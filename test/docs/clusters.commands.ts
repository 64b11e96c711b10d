// The files of docs/clusters.md: their fields held against those that the systems know, and their commands run.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parse } from 'yaml';
import { z } from 'zod';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const MAIN = join(root, 'dist/src/cli/main.js');
const page = readFileSync(join(root, 'docs/clusters.md'), 'utf8');

/** The files that the page shows, by name. */
const files = Object.fromEntries(
  [...page.matchAll(/^```\w+ file=(\S+)\n([\s\S]*?)^```$/gm)].map(([, name, text]) => [name, text]),
);

/** Fields of batch/v1 Job, as far as the page uses them, by their names in the reference of the Kubernetes API. */
const jobSchema = z.strictObject({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('Job'),
  metadata: z.strictObject({ name: z.string().regex(/^[a-z0-9-]{1,63}$/) }),
  spec: z.strictObject({
    completionMode: z.enum(['Indexed', 'NonIndexed']),
    completions: z.int().positive(),
    parallelism: z.int().positive(),
    backoffLimit: z.int().min(0),
    podFailurePolicy: z.strictObject({
      rules: z.array(
        z.strictObject({
          action: z.enum(['Ignore', 'FailJob', 'FailIndex', 'Count']),
          onExitCodes: z
            .strictObject({
              containerName: z.string(),
              operator: z.enum(['In', 'NotIn']),
              values: z.array(z.int().min(1).max(255)).min(1),
            })
            .optional(),
          onPodConditions: z
            .array(z.strictObject({ type: z.string(), status: z.enum(['True', 'False']).optional() }))
            .optional(),
        }),
      ),
    }),
    template: z.strictObject({
      spec: z.strictObject({
        // A policy for failures of pods allows no other.
        restartPolicy: z.literal('Never'),
        terminationGracePeriodSeconds: z.int().positive(),
        containers: z.array(
          z.strictObject({
            name: z.string(),
            image: z.string(),
            command: z.array(z.string()),
            args: z.array(z.string()),
            resources: z.strictObject({ requests: z.strictObject({ cpu: z.string(), memory: z.string() }) }),
            volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })),
          }),
        ),
        volumes: z.array(
          z.strictObject({ name: z.string(), persistentVolumeClaim: z.strictObject({ claimName: z.string() }) }),
        ),
      }),
    }),
  }),
});

/** Fields of the Compose specification, as far as the page uses them. */
const composeSchema = z.strictObject({
  services: z.record(
    z.string(),
    z.strictObject({
      image: z.string(),
      command: z.array(z.string()),
      deploy: z.strictObject({ replicas: z.int().positive() }).optional(),
      stop_grace_period: z
        .string()
        .regex(/^\d+[smh]$/)
        .optional(),
      restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']).optional(),
      depends_on: z.array(z.string()).optional(),
      volumes: z.array(z.string().regex(/^[a-z]+:\/[a-z]+$/)).optional(),
    }),
  ),
  volumes: z.record(z.string(), z.null()),
});

describe('the page about clusters', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-clusters-'));
  const bin = join(folder, 'bin');
  const environment = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  before(() => {
    mkdirSync(bin);
    writeProgram('equipoise', `exec "${process.execPath}" "${MAIN}" "$@"`);
    writeFileSync(join(folder, 'sweep.yaml'), files['sweep.yaml']);
  });
  after(() => rmSync(folder, { recursive: true }));

  function writeProgram(name: string, script: string): void {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** Runs a command line in the folder, which stands for /runs. */
  function run(command: string, env: Readonly<Record<string, string>> = {}) {
    const line = command.replaceAll('/runs/', `${folder}/`);
    return spawnSync('sh', ['-c', line], { cwd: folder, encoding: 'utf8', env: { ...environment, ...env } });
  }

  it('shows every file that it names', () => {
    expect(Object.keys(files)).to.have.members(['sweep.sh', 'sweep.yaml', 'job.yaml', 'Dockerfile', 'compose.yaml']);
  });

  it('has a job of Kubernetes whose fields exist, and whose command makes each part once', () => {
    const { spec } = jobSchema.parse(parse(files['job.yaml']));
    const [container] = spec.template.spec.containers;
    for (const { onExitCodes } of spec.podFailurePolicy.rules) {
      if (onExitCodes) expect(onExitCodes.containerName).to.equal(container.name);
    }
    expect(spec.podFailurePolicy.rules[0]).to.deep.include({ action: 'Ignore' });
    expect(spec.podFailurePolicy.rules[0].onExitCodes?.values).to.deep.equal([75]);
    expect(container.volumeMounts.map(({ name }) => name)).to.deep.equal(
      spec.template.spec.volumes.map(({ name }) => name),
    );
    const [command] = container.args;
    expect(command)
      .to.match(/^exec equipoise /)
      .and.to.contain(`/${spec.completions}"`);
    const { status, stdout, stderr } = run(`${command} --print-config`, { JOB_COMPLETION_INDEX: '3' });
    expect(status, stderr).to.equal(0);
    expect(JSON.parse(stdout)).to.have.length(12);
    expect(run(`${command} --print-config`, { JOB_COMPLETION_INDEX: '4' }).status).to.equal(2);
  });

  it('has services of Docker Compose whose fields exist and whose commands are taken', () => {
    const { services, volumes } = composeSchema.parse(parse(files['compose.yaml']));
    for (const { depends_on: others = [], volumes: mounts = [] } of Object.values(services)) {
      for (const other of others) expect(services).to.have.property(other);
      for (const mount of mounts) expect(volumes).to.have.property(mount.split(':')[0]);
    }
    expect(services.queue.command.join(' ')).to.contain('--maxmemory-policy noeviction');
    const planned = run(`${services.sweep.command.join(' ')} --print-config`);
    expect(planned.status, planned.stderr).to.equal(0);
    expect(JSON.parse(planned.stdout)).to.have.length(6);
    // Nothing listens on port 1: the command gets as far as the server.
    const away = run(services.worker.command.join(' ').replace('queue:6379', '127.0.0.1:1'));
    expect([away.status, away.stderr]).to.deep.equal([
      1,
      'No server answers at redis://127.0.0.1:1 (ECONNREFUSED). Start Redis or Valkey there, or check the address.\n',
    ]);
  });

  it('has a Dockerfile whose package is that of this version', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const lines = files.Dockerfile.trimEnd()
      .split('\n')
      .filter((line) => line !== '');
    for (const line of lines) expect(line).to.match(/^(FROM|WORKDIR|COPY|RUN|ENV|USER|CMD) /);
    const packages = [...files.Dockerfile.matchAll(/equipoise-([\d.]+)\.tgz/g)].map(([, found]) => found);
    expect(packages).to.deep.equal([version, version]);
    const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    for (const [, name, major] of files.Dockerfile.matchAll(/ (bullmq|ioredis)@(\d+)/g)) {
      expect(peerDependencies[name]).to.match(new RegExp(`^\\^${major}\\.`));
    }
  });

  it('has a Dockerfile that packs the command', () => {
    const [, script, into] = /^RUN npm ci && npm run (\S+) -- (\S+)$/m.exec(files.Dockerfile) ?? [];
    const [, packed] = /^COPY --from=build (\S+) /m.exec(files.Dockerfile) ?? [];
    expect(dirname(packed)).to.equal(into);
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    // The build that comes before it is there already.
    const pack = scripts[script].split(' && ').at(-1);
    const { status, stderr } = spawnSync('sh', ['-c', `${pack} '${folder}'`], { cwd: root, encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    const { stdout } = spawnSync('tar', ['tzf', join(folder, basename(packed))], { encoding: 'utf8' });
    expect(stdout.split('\n')).to.include('package/dist/src/cli/main.js');
  });

  describe('has a script for Slurm that', () => {
    const requeued = join(folder, 'requeued');
    const slurm = { SLURM_ARRAY_TASK_ID: '2', SLURM_ARRAY_TASK_COUNT: '2', SLURM_CPUS_PER_TASK: '1' };
    const job = { SLURM_JOB_ID: '8', SLURM_ARRAY_JOB_ID: '7' };
    before(() => {
      writeFileSync(join(folder, 'sweep.sh'), files['sweep.sh']);
      writeProgram('scontrol', `echo "$@" >> "${requeued}"`);
    });

    /** Starts the script on a sweep of so many short epochs, in a folder of its own. */
    function start(name: string, epochs: number, state: string) {
      rmSync(requeued, { force: true });
      writeProgram('squeue', `echo ${state}`);
      const cwd = join(folder, name);
      mkdirSync(cwd);
      const grid = `dataset: synthetic\nmodel: mlp\nwidth: 0.1\ntrainLimit: 64\ntestLimit: 20\nsteps: 1\nattacks: fgsm\nbackend: cpu\n`;
      writeFileSync(join(cwd, 'sweep.yaml'), `${grid}epochs: ${epochs}\nsparsity: [0, 0.5]\n`);
      const child = spawn('bash', [join(folder, 'sweep.sh')], { cwd, env: { ...environment, ...slurm, ...job } });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const trains = async (): Promise<void> => {
        while (!said.includes('epoch 1')) {
          expect(child.exitCode, said).to.equal(null);
          await delay(10);
          if (existsSync(join(cwd, 'runs/grid')) && said.includes('[1/1]')) return;
        }
      };
      return { child, trains, ended: once(child, 'close').then(([code]) => code as number) };
    }

    it('makes its part and ends', async () => {
      const { ended } = start('whole', 1, 'RUNNING');
      expect(await ended).to.equal(0);
      expect(existsSync(requeued)).to.equal(false);
    });

    it('hands SIGTERM on and queues itself again once its work is saved', async () => {
      const { child, trains, ended } = start('preempted', 100_000, 'RUNNING');
      await trains();
      child.kill('SIGTERM');
      expect(await ended).to.equal(75);
      expect(readFileSync(requeued, 'utf8')).to.equal('requeue 7_2\n');
    });

    it('stays cancelled where somebody cancelled it', async () => {
      const { child, trains, ended } = start('cancelled', 100_000, 'COMPLETING');
      await trains();
      child.kill('SIGTERM');
      expect(await ended).to.equal(75);
      expect(existsSync(requeued)).to.equal(false);
    });
  });
});
