// Writes the outlines of all commands into the built package, for help and completion. The build runs it.
import { writeFileSync } from 'node:fs';
import { MANIFEST } from '../src/cli/help/manifest.ts';
import { outlineCommands } from '../src/cli/help/outline.ts';

writeFileSync(MANIFEST, JSON.stringify(await outlineCommands()));
