import { expect } from 'chai';
import { yamlValue } from '../../src/core/parse-yaml.ts';
import { rejection } from '../rejection.ts';

describe('a text of YAML', () => {
  it('may be JSON', async () => {
    expect(await yamlValue('sparsity: [0.9, 0.95]\nmodel: vgg16')).to.deep.equal({
      sparsity: [0.9, 0.95],
      model: 'vgg16',
    });
    expect(await yamlValue('{"model": "vgg16"}')).to.deep.equal({ model: 'vgg16' });
  });

  it('is refused in one line that says where it is wrong', async () => {
    for (const text of ['a: [1, 2', 'a: 1\na: 2', 'a: 1\n---\nb: 2']) {
      expect((await rejection(yamlValue(text))).message, text).to.match(/^[^\n]+$/);
    }
  });

  // The parser reads each of them as something, and only warns: `100 %` becomes a text, and the alias one of the name "b:".
  it('is refused where the parser would guess', async () => {
    expect((await rejection(yamlValue('epochs: !whole 3'))).message).to.match(/tag.*at line 1, column 9$/i);
    expect((await rejection(yamlValue('a: &b: 1\nc: *b:'))).message).to.match(/ambiguous at line/);
  });

  it('is refused in little time if it is long, nested deeply or full of faults', async () => {
    const faults = {
      'nested more than 100 levels': [
        '['.repeat(20_000),
        '- '.repeat(20_000),
        '? '.repeat(20_000),
        '{"a":'.repeat(20_000),
      ],
      'characters, more than 131072': [Array.from({ length: 20_000 }, (_, i) => `a${i}: 1`).join('\n')],
      'Unexpected flow-map-end token': [`}}${'{"a":'.repeat(20_000)}`, '}\n'.repeat(60_000)],
    };
    for (const [message, texts] of Object.entries(faults)) {
      for (const text of texts) expect((await rejection(yamlValue(text))).message).to.contain(message);
    }
  }).timeout(20_000);
});
