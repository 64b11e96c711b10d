// The address of a queue's server: how it is read, and how it is shown without its password.
import { UsageError } from '../../core/errors.ts';

/** Where a queue is. The password is in no text that is made of this but `password` itself. */
export interface QueueAddress {
  readonly host: string;
  readonly port: number;
  /** The number of the database on the server. */
  readonly database: number;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
}

/** Schemes of Redis and of Valkey, each with whether it is encrypted. */
const SCHEMES: Readonly<Record<string, boolean>> = {
  'redis:': false,
  'rediss:': true,
  'valkey:': false,
  'valkeys:': true,
};

/** Environment variables that a queue is read from: its address, and a password that is kept out of the address. */
export const QUEUE_VARIABLE = 'EQUIPOISE_QUEUE';
export const PASSWORD_VARIABLE = 'EQUIPOISE_QUEUE_PASSWORD';

const EXPECTED = 'a queue is redis://HOST:PORT or, encrypted, rediss://HOST:PORT, with /N behind it for database N';

/**
 * The address that a URL names.
 *
 * @param password used if the URL has none
 * @throws UsageError that does not show the URL, since it may hold a password
 */
export function parseAddress(url: string, password?: string): QueueAddress {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const tls = parsed === null ? undefined : SCHEMES[parsed.protocol];
  if (parsed === null || tls === undefined || parsed.hostname === '') {
    throw new UsageError(`--queue: ${EXPECTED}, got ${describe(url)}. ${remedy(url)}`);
  }
  if (!/^\/?\d*\/?$/.test(parsed.pathname) || parsed.search !== '' || parsed.hash !== '') {
    throw new UsageError(`--queue: ${EXPECTED}, got something else after host and port. ${remedy(url)}`);
  }
  const secret = parsed.password === '' ? password : decoded(parsed.password);
  return {
    // IPv6 addresses are in brackets only in a URL.
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? 6379 : Number(parsed.port),
    database: Number(parsed.pathname.replaceAll('/', '')),
    tls,
    ...(parsed.username !== '' && { username: decoded(parsed.username) }),
    ...(secret !== undefined && secret !== '' && { password: secret }),
  };
}

/** What a URL is that names no queue, without any part that may be a password. */
function describe(url: string): string {
  const scheme = /^([a-z][a-z+]*):\/\//i.exec(url)?.[1];
  if (scheme === undefined) return 'an address without a scheme';
  if (Object.hasOwn(SCHEMES, `${scheme.toLowerCase()}:`)) return 'an address whose host or port cannot be read';
  return `an address of the scheme ${scheme}`;
}

/** What to do about a URL that names no queue. The usual reason is a password with a character that ends the host. */
const remedy = (url: string): string =>
  url.includes('@')
    ? `Check the address. In a user name or a password write / as %2F, ? as %3F and # as %23, or give the password in ${PASSWORD_VARIABLE}.`
    : 'Check the address.';

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    const message = '--queue: the user name or the password has a % that is not followed by two digits. Write %25.';
    throw new UsageError(message, { cause: error });
  }
}

/** The address for people, without user and password. */
export function showAddress({ host, port, database, tls }: QueueAddress): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return `${tls ? 'rediss' : 'redis'}://${name}:${port}${database === 0 ? '' : `/${database}`}`;
}
