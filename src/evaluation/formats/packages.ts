import { InputError } from '../../core/errors.ts';

/**
 * Loads a package that only some models need.
 *
 * @param load imports it
 * @throws InputError that says how to install it
 */
export async function needing<Package>(name: string, load: () => Promise<Package>): Promise<Package> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new InputError(`This model needs the package ${name}, which is not installed: npm install ${name}@4.22`);
  }
}
