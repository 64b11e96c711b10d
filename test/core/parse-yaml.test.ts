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
});
