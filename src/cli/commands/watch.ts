// The command that shows runs in a browser while they are made.
import { watchFolder } from '../../reporting/live/server.ts';
import { foldersOfRuns } from '../../reporting/runs/runs.ts';
import { defineCommand } from '../command.ts';

export const watch = defineCommand({
  positionals: [
    { name: 'folder', description: "a run's folder, or the one that holds a sweep's runs", required: true },
  ],
  flags: {
    port: { kind: 'number', description: 'port on 127.0.0.1; default: any free one', whole: [0, 65535] },
    title: { kind: 'text', description: "the page's title" },
  },
  examples: [['equipoise watch runs/sweep', 'curves, what runs now, the time left and the log, as they change']],
  async run({ positionals: [folder], flags, line, json }, terminal) {
    await foldersOfRuns(folder);
    const { url, close } = await watchFolder(folder, {
      port: flags.port ?? 0,
      title: flags.title,
      command: line,
    });
    terminal.print(json ? JSON.stringify({ url }) : url);
    terminal.note('Open this address in a browser of this machine. Ctrl-C ends.');
    await new Promise<void>((stop) => {
      if (terminal.signal.aborted) stop();
      terminal.signal.addEventListener('abort', () => stop(), { once: true });
    });
    await close();
  },
});
