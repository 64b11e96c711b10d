// Image files, sound and damaged, against the pixels that Pillow reads (made by scripts/data_fixtures.py).
import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { decodePicture } from '../../src/data/pictures/decode.ts';
import { rejection } from '../rejection.ts';
import { decoded, pictureFile, pictures } from './fixtures.ts';

describe('a picture', () => {
  for (const { name, file, shape, pixels } of pictures.sound) {
    it(`gives the pixels that Pillow reads: ${name}`, async () => {
      const picture = await decodePicture({ name: 'a file', bytes: decoded(file) });
      expect([picture.height, picture.width, picture.channels]).to.deep.equal(shape);
      expect(picture.pixels).to.deep.equal(decoded(pixels));
    });
  }

  for (const { name, file, says } of pictures.refused) {
    it(`is refused: ${name}`, async () => {
      const error = await rejection(decodePicture({ name: 'a file', bytes: decoded(file) }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message)
        .to.match(/^a file /)
        .and.include(says);
    });
  }

  it('is decoded rightly beside and after damaged ones', async () => {
    const [whole, cut] = ['jpeg 4:4:4', 'jpeg cut in its data'].map((name) => ({ name, bytes: pictureFile(name) }));
    const alone = await decodePicture(whole);
    const outcomes = await Promise.allSettled([cut, whole, cut, whole].map((file) => decodePicture(file)));
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') expect(outcome.value).to.deep.equal(alone);
    }
  });

  it('may have a profile of many megabytes', async () => {
    const png = Buffer.from(pictureFile('png orientation 1'));
    const text = Buffer.from(`tEXtRaw profile type exif\0\nexif\n30000000\n${'ab'.repeat(15_000_000)}\n`, 'latin1');
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(text.length - 4);
    checksum.writeUInt32BE(crc32(text));
    // Its own EXIF data would be asked first, so they are left out.
    const start = png.indexOf('eXIf') - 4;
    const end = start + 12 + png.readUInt32BE(start);
    const bytes = Buffer.concat([png.subarray(0, start), length, text, checksum, png.subarray(end)]);
    const plain = await decodePicture({ name: 'a file', bytes: png });
    expect(await decodePicture({ name: 'a file', bytes })).to.deep.equal(plain);
  });
});
