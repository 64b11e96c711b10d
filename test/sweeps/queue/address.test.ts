import { inspect } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { InputError, UsageError } from '../../../src/core/errors.ts';
import { parseAddress, showAddress } from '../../../src/sweeps/queue/address.ts';
import { checkInfo, explain } from '../../../src/sweeps/queue/open.ts';

describe('the address of a queue', () => {
  it('is read with its port, database, encryption, user and password', () => {
    expect(parseAddress('redis://server')).to.deep.equal({ host: 'server', port: 6379, database: 0, tls: false });
    expect(parseAddress('valkeys://me:a%2Fb@10.0.0.7:7000/3')).to.deep.equal({
      host: '10.0.0.7',
      port: 7000,
      database: 3,
      tls: true,
      username: 'me',
      password: 'a/b',
    });
    expect(parseAddress('redis://[::1]:6380').host).to.equal('::1');
  });

  it('takes the password of the environment unless it has one', () => {
    expect(parseAddress('redis://server', 'secret').password).to.equal('secret');
    expect(parseAddress('redis://:own@server', 'secret').password).to.equal('own');
    expect(parseAddress('redis://server', '')).to.not.have.property('password');
  });

  it('is shown without user and password', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{12}$/), fc.stringMatching(/^[a-z0-9]{12}$/), (user, password) => {
        const address = parseAddress(`rediss://${user}:${password}@server:7000/2`);
        expect(showAddress(address)).to.equal('rediss://server:7000/2');
      }),
    );
    expect(showAddress(parseAddress('redis://[::1]:6380'))).to.equal('redis://[::1]:6380');
  });

  for (const url of [
    'server:6379',
    'secret@server',
    'http://user:secret@server',
    'redis://',
    'redis://user:secret@server:port',
    'redis://user:secret@server/queue',
    'redis://server?password=secret',
    'redis://user:secret/1@server',
    'redis://user:secret#1@server',
    'redis://user:1/secret@server',
    'redis://user:1?secret@server',
    'redis://user:secret%@server',
  ]) {
    it(`is refused without its password where it is ${url.replaceAll('secret', '…')}`, () => {
      expect(() => parseAddress(url))
        .to.throw(UsageError)
        .with.property('message')
        .that.contains('--queue')
        .and.not.contains('secret');
    });
  }

  it('is refused with how to write a password that has characters of an address', () => {
    for (const url of ['redis://user:a/b@server', 'redis://user:1/b@server', 'redis://user:a#b@server']) {
      expect(() => parseAddress(url)).to.throw(UsageError, 'write / as %2F, ? as %3F and # as %23');
    }
    expect(() => parseAddress('redis://server:99999')).to.throw(UsageError, 'whose host or port cannot be read. Check');
  });

  const address = parseAddress('redis://user:secret@server:7000/20');
  const failed = (message: string, code?: string) =>
    Object.assign(new Error(message), { code, command: { name: 'auth', args: ['user', 'secret'] } });
  for (const [what, error, says] of [
    ['that is down', failed('connect ECONNREFUSED', 'ECONNREFUSED'), 'No server answers at redis://server:7000/20'],
    ['that does not exist', failed('getaddrinfo ENOTFOUND', 'ENOTFOUND'), 'There is no host server'],
    ['that wants a password', failed('NOAUTH Authentication required.'), 'EQUIPOISE_QUEUE_PASSWORD'],
    ['with another password', failed('WRONGPASS invalid username-password pair'), 'does not accept the user'],
    ['that forbids the queue', failed("NOPERM this user has no permissions to run 'info'"), 'equipoise:*'],
    ['without the database', failed('ERR DB index is out of range'), 'no database 20'],
    ['of another kind', failed('Protocol error, got "H" as reply type byte'), 'does not speak'],
    ['that this machine does not trust', failed('self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'), 'NODE_EXTRA_CA_CERTS'],
    ['of another name', failed('Host: server. is not', 'ERR_TLS_CERT_ALTNAME_INVALID'), 'name in the certificate'],
    ['that is encrypted otherwise', failed('SSL routines:wrong version number', 'ERR_SSL_WRONG'), 'rediss://'],
  ] as const) {
    it(`of a server ${what} gets an error that says what to do`, () => {
      const text = explain(error, address);
      expect(text).to.contain(says);
      expect(inspect(text)).not.to.contain('secret');
    });
  }
});

describe('an address with encryption', () => {
  it('gets a hint where no server answers, since one without encryption does not', () => {
    const timeout = Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' });
    expect(explain(timeout, parseAddress('rediss://server'))).to.contain('only at redis://');
    expect(explain(timeout, parseAddress('redis://server'))).not.to.contain('rediss://');
  });
});

describe('a server', () => {
  const info = (fields: string) => `# Server\r\n${fields.replaceAll(' ', '\r\n')}\r\n`;

  it('is taken from version 6.2 on if it keeps all keys', () => {
    checkInfo(info('redis_version:6.2.0 maxmemory_policy:noeviction'), 'redis://server');
    checkInfo(info('redis_version:7.2.4 valkey_version:8.1.0 maxmemory_policy:noeviction'), 'redis://server');
  });

  it('of an older version is refused', () => {
    for (const version of ['6.0.16', '5.0.7', '']) {
      expect(() => checkInfo(info(`redis_version:${version} maxmemory_policy:noeviction`), 'redis://server')).to.throw(
        InputError,
        'Redis 6.2 or later',
      );
    }
  });

  it('that removes keys is refused with the reason and the remedy', () => {
    expect(() => checkInfo(info('redis_version:7.0.15 maxmemory_policy:allkeys-lru'), 'redis://server')).to.throw(
      InputError,
      /maxmemory-policy allkeys-lru.*CONFIG SET maxmemory-policy noeviction/,
    );
  });
});
