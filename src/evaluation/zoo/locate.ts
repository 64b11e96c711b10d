// Names of the zoo, such as `zoo:vgg16-99`, wherever the path of a model is expected.

import { sha256Of } from '../../checkpoints/files/digest.ts';
import { largestWeights, readWhole } from '../../checkpoints/files/inside.ts';
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { InputError, UsageError } from '../../core/errors.ts';
import { zooCards, zooFile, zooFolder } from './cards.ts';

const ZOO = 'zoo:';

/**
 * The path of a model: of a name of the zoo that of its file, and of everything else the text itself.
 *
 * @throws UsageError if the zoo has no such network, or it does not come with Equipoise
 * @throws InputError if its file is missing, or not the one of its card
 */
export async function locate(source: string): Promise<string> {
  if (!source.startsWith(ZOO)) return source;
  const folder = zooFolder();
  const cards = await zooCards(folder);
  const names = cards.map(({ name }) => name);
  const wanted = source.slice(ZOO.length);
  const card = cards.find(({ name }) => name === wanted);
  if (card === undefined) {
    throw new UsageError(
      `Expected ${ZOO} and one of ${names.join(', ')}, got ${source}.${suggestion(didYouMean(wanted, names))} equipoise models lists these networks.`,
    );
  }
  if (card.made === null) {
    throw new UsageError(`${source} does not come with Equipoise. Train it with:\n  ${card.command}`);
  }
  const path = zooFile(folder, wanted);
  const digest = sha256Of(await readWhole(path, largestWeights()));
  if (digest !== card.made.sha256) {
    throw new InputError(
      `${path} is not the file of its card: expected SHA-256 ${card.made.sha256}, got ${digest}. Install Equipoise again.`,
    );
  }
  return path;
}
