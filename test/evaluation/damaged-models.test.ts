// Damaged and hostile models of TensorFlow.js and checkpoints: each is refused at once with a clear error, whatever it names.
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { input, type LayersModel, layers, model as makeModel, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { importModel } from '../../src/checkpoints/exchange/import.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/checkpoints/safetensors/encode.ts';
import { encodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { paramsBelow, parseCheckpoint } from '../../src/checkpoints/safetensors/stored.ts';
import { InputError } from '../../src/core/errors.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { saveGraphModel, saveLayersModel, smallLayersModel, withFolder } from './models.ts';

// biome-ignore lint/suspicious/noExplicitAny: these tests break the JSON in every way.
type Json = any;

const images = { name: 'digits', imageShape: [4, 4, 1], classes: ['a', 'b'] } as const;

/** A model of two branches that are added, with a nested model in one of them. */
function branched(): LayersModel {
  const image = input({ shape: [4, 4, 1], name: 'image' });
  const flat = layers.flatten({ name: 'flat' }).apply(image) as SymbolicTensor;
  const inner = input({ shape: [16], name: 'inner' });
  const nested = makeModel({
    name: 'nested',
    inputs: inner,
    outputs: layers.dense({ units: 2, name: 'deep' }).apply(inner) as SymbolicTensor,
  });
  const branches = [
    layers.dense({ units: 2, name: 'left' }).apply(flat) as SymbolicTensor,
    nested.apply(flat) as SymbolicTensor,
  ];
  return makeModel({ inputs: image, outputs: layers.add({ name: 'sum' }).apply(branches) as SymbolicTensor });
}

const editJson =
  (edit: (json: Json) => void) =>
  async (folder: string): Promise<void> => {
    const file = join(folder, 'model.json');
    const json = JSON.parse(await readFile(file, 'utf8'));
    edit(json);
    await writeFile(file, JSON.stringify(json));
  };

const configOf = (json: Json): Json => (json.modelTopology.model_config ?? json.modelTopology).config;
const layerOf = (json: Json, name: string): Json => configOf(json).layers.find((layer: Json) => layer.name === name);
const weightOf = (json: Json, index: number): Json => json.weightsManifest[0].weights[index];
const nodeOf = (json: Json, name: string): Json => json.modelTopology.node.find((node: Json) => node.name === name);

type Damage = readonly [what: string, damage: (folder: string) => Promise<void>, message: RegExp];

/** What either kind of model may suffer. */
const BOTH: readonly Damage[] = [
  ['no weights manifest', editJson((json) => delete json.weightsManifest), /has no weightsManifest/],
  ['a null manifest', editJson((json) => Object.assign(json, { weightsManifest: null })), /weightsManifest/],
  ['a manifest that is an object', editJson((json) => Object.assign(json, { weightsManifest: {} })), /weightsManifest/],
  [
    'an empty manifest',
    editJson((json) => Object.assign(json, { weightsManifest: [] })),
    /fewer values than its layers need|is not in the weightsManifest/,
  ],
  [
    'a weight declared twice',
    editJson((json) => Object.assign(weightOf(json, 1), { name: weightOf(json, 0).name })),
    /declares the weight .* twice/,
  ],
  [
    'a file of weights named twice',
    editJson((json) => {
      const [group] = json.weightsManifest;
      group.paths = group.paths.map(() => group.paths[0]);
    }),
    /names the file of weights group1-shard1of2\.bin twice/,
  ],
  [
    'a renamed weight',
    editJson((json) => Object.assign(weightOf(json, 0), { name: 'other' })),
    /other|not in the weightsManifest/,
  ],
  ['a shape that is a text', editJson((json) => Object.assign(weightOf(json, 0), { shape: 'x' })), /shape/],
  ['a negative extent', editJson((json) => Object.assign(weightOf(json, 0), { shape: [-1, -4] })), /shape/],
  [
    'an extent beyond memory',
    editJson((json) => Object.assign(weightOf(json, 0), { shape: [2 ** 40, 2 ** 12] })),
    /names weights of/,
  ],
  ['a type that is unknown', editJson((json) => Object.assign(weightOf(json, 0), { dtype: 'float8' })), /dtype/],
  [
    'texts without end',
    editJson((json) => Object.assign(weightOf(json, 0), { dtype: 'string', shape: [2 ** 40] })),
    /at least/,
  ],
  [
    'a quantization without scale',
    editJson((json) => Object.assign(weightOf(json, 0), { quantization: { dtype: 'uint8' } })),
    /quantization/,
  ],
  [
    'a weight too many',
    async (folder) => {
      await editJson((json) => {
        json.weightsManifest.push({ paths: ['more.bin'], weights: [{ name: 'more', shape: [2], dtype: 'float32' }] });
      })(folder);
      await writeFile(join(folder, 'more.bin'), new Uint8Array(8));
    },
    /more/,
  ],
  [
    'a path out of the folder',
    editJson((json) => Object.assign(json.weightsManifest[0], { paths: ['../../dev/zero'] })),
    /lies outside/,
  ],
  [
    'an absolute path',
    editJson((json) => Object.assign(json.weightsManifest[0], { paths: ['/dev/zero'] })),
    /lies outside/,
  ],
  [
    'a link out of the folder',
    async (folder) => {
      await rm(join(folder, 'group1-shard2of2.bin'));
      await symlink('/dev/zero', join(folder, 'group1-shard2of2.bin'));
    },
    /lies outside/,
  ],
  [
    'a linked folder out of the folder',
    async (folder) => {
      await symlink('/dev', join(folder, 'dev'));
      await editJson((json) => Object.assign(json.weightsManifest[0], { paths: ['dev/zero'] }))(folder);
    },
    /lies outside/,
  ],
  [
    'a folder in place of weights',
    async (folder) => {
      await rm(join(folder, 'group1-shard2of2.bin'));
      await mkdir(join(folder, 'group1-shard2of2.bin'));
    },
    /not a regular file|names weights of/,
  ],
  ['a signature that is a list', editJson((json) => Object.assign(json, { signature: [] })), /signature/],
  [
    'metadata that are a text',
    editJson((json) => Object.assign(json, { userDefinedMetadata: 'x' })),
    /userDefinedMetadata/,
  ],
  ['a topology that is a list', editJson((json) => Object.assign(json, { modelTopology: [] })), /modelTopology/],
];

const LAYERS: readonly Damage[] = [
  [
    'a layer that is missing',
    editJson((json) => {
      layerOf(json, 'sum').inbound_nodes[0][0][0] = 'gone';
    }),
    /layer sum names the layer gone, which is missing/,
  ],
  [
    'an input that is inherited by objects',
    editJson((json) => {
      layerOf(json, 'sum').inbound_nodes[0][0][0] = 'toString';
    }),
    /toString, which is missing/,
  ],
  [
    'layers that wait for each other',
    editJson((json) => {
      layerOf(json, 'left').inbound_nodes[0][0][0] = 'sum';
    }),
    /wait for the outputs of each other/,
  ],
  [
    'a call that is missing',
    editJson((json) => {
      layerOf(json, 'sum').inbound_nodes[0][0][1] = 3;
    }),
    /wait for the outputs of each other, or for calls/,
  ],
  [
    'a layer without inputs',
    editJson((json) => {
      layerOf(json, 'left').inbound_nodes = [];
    }),
    /wait for/,
  ],
  [
    'a layer with an empty list of inputs',
    editJson((json) => {
      layerOf(json, 'left').inbound_nodes = [[]];
    }),
    /wait for/,
  ],
  [
    'inputs as a text',
    editJson((json) => {
      layerOf(json, 'left').inbound_nodes = [['flat']];
    }),
    /not described as Keras 2/,
  ],
  [
    'two layers of one name',
    editJson((json) => {
      const other = layerOf(json, 'left');
      other.name = 'flat';
      other.config.name = 'flat';
    }),
    /two of its layers are named flat/,
  ],
  [
    'a layer of two names',
    editJson((json) => {
      layerOf(json, 'left').config.name = 'right';
    }),
    /left is also named right/,
  ],
  [
    'an output layer that is missing',
    editJson((json) => {
      configOf(json).output_layers[0][0] = 'gone';
    }),
    /list of outputs names the layer gone/,
  ],
  [
    'an input layer that is missing',
    editJson((json) => {
      configOf(json).input_layers[0][0] = 'gone';
    }),
    /list of inputs names the layer gone/,
  ],
  [
    'an output call that is missing',
    editJson((json) => {
      configOf(json).output_layers[0][1] = 5;
    }),
    /name call 5 of layer sum/,
  ],
  [
    'a cycle in a nested model',
    editJson((json) => {
      layerOf(json, 'nested').config.layers[1].inbound_nodes[0][0][0] = 'deep';
    }),
    /layers deep wait for/,
  ],
  [
    'a width beyond memory',
    editJson((json) => {
      layerOf(json, 'left').config.units = 2 ** 40;
    }),
    /layer left needs a weight kernel \[16, 1099511627776\]/,
  ],
  [
    'an image beyond memory',
    editJson((json) => {
      layerOf(json, 'image').config.batch_input_shape = [null, 2 ** 20, 2 ** 20, 1];
    }),
    /fewer values than its layers need/,
  ],
  [
    'layers without an end of nesting',
    editJson((json) => {
      let deep: Json = {};
      for (let i = 0; i < 300; i++) deep = { config: deep };
      layerOf(json, 'left').config.extra = deep;
    }),
    /nested deeper/,
  ],
];

/** Changes what the manifest of the graph says of a weight. */
const declare = (name: string, change: object) =>
  editJson((json) =>
    Object.assign(
      json.weightsManifest.flatMap((group: Json) => group.weights).find((weight: Json) => weight.name === name),
      change,
    ),
  );

const GRAPH: readonly Damage[] = [
  [
    'a weight of another type',
    declare('conv/bias', { dtype: 'int32' }),
    /has conv\/bias as int32 \[4\]; its node is float32 \[4\]/,
  ],
  [
    'a weight of another shape',
    declare('conv/kernel', { shape: [1, 9, 1, 4] }),
    /has conv\/kernel as float32 \[1,9,1,4\]; its node is float32 \[3,3,1,4\]/,
  ],
  ['a weight of more axes', declare('dense/bias', { shape: [2, 1] }), /as float32 \[2,1\]; its node is float32 \[2\]/],
  [
    'a weight in the place of an operation',
    async (folder) => {
      await editJson((json) => {
        json.weightsManifest.push({
          paths: ['mean.bin'],
          weights: [{ name: 'mean', shape: [1, 4], dtype: 'float32' }],
        });
      })(folder);
      await writeFile(join(folder, 'mean.bin'), new Uint8Array(16));
    },
    /names mean, which is no constant of the graph/,
  ],
  [
    'a constant that is an input',
    editJson((json) => {
      nodeOf(json, 'dense/kernel').op = 'Placeholder';
    }),
    /names dense\/kernel, which is no constant of the graph/,
  ],
  [
    'a node that is missing',
    editJson((json) => {
      nodeOf(json, 'relu').input = ['gone'];
    }),
    /node relu takes the output of gone, which is missing/,
  ],
  [
    'nodes that wait for each other',
    editJson((json) => {
      nodeOf(json, 'relu').input = ['mean'];
    }),
    /wait for each other/,
  ],
  [
    'a node that waits for itself',
    editJson((json) => {
      nodeOf(json, 'relu').input = ['relu'];
    }),
    /nodes relu/,
  ],
  [
    'two nodes of one name',
    editJson((json) => {
      nodeOf(json, 'relu').name = 'mean';
    }),
    /same name/,
  ],
  [
    'an output that is missing',
    editJson((json) => {
      json.signature.outputs.output.name = 'gone:0';
    }),
    /output gone:0 is missing/,
  ],
  [
    'nodes that are no list',
    editJson((json) => {
      json.modelTopology.node = {};
    }),
    /is no graph/,
  ],
  [
    'a node without an operation',
    editJson((json) => {
      delete nodeOf(json, 'relu').op;
    }),
    /is no graph/,
  ],
];

describe('a damaged model of TensorFlow.js', () => {
  before(() => useBackend('cpu'));

  for (const [kind, save, damages] of [
    ['LayersModel', (folder: string) => saveLayersModel(branched(), folder), [...BOTH, ...LAYERS]],
    ['GraphModel', (folder: string) => saveGraphModel(folder), [...BOTH, ...GRAPH]],
  ] as const) {
    for (const [what, damage, message] of damages) {
      it(`is refused as a ${kind} with ${what}`, () =>
        withFolder(async (folder) => {
          await save(folder);
          await damage(folder);
          const before = tf.memory().numTensors;
          const error = await rejection(loadTarget(folder, { images }));
          expect(error).to.be.instanceOf(InputError);
          expect(error.message).to.match(message);
          expect(tf.memory().numTensors).to.equal(before);
        }));
    }
  }

  it('whole and branched, gives what it gave before it was saved', () =>
    withFolder(async (folder) => {
      const model = branched();
      await saveLayersModel(model, folder);
      const target = await loadTarget(folder, { images });
      const batch = tf.ones([3, 4, 4, 1]) as tf.Tensor4D;
      expect([...target.classify(batch).dataSync()]).to.deep.equal([...(model.predict(batch) as tf.Tensor).dataSync()]);
      target.dispose();
    }));

  it('may be a link to a folder, or be named by its file', () =>
    withFolder(async (folder) => {
      await saveLayersModel(smallLayersModel({ inputShape: [4, 4, 1] }), join(folder, 'real'));
      await symlink(join(folder, 'real'), join(folder, 'link'));
      for (const path of ['link', 'real/model.json', 'link/model.json']) {
        (await loadTarget(join(folder, path), { images })).dispose();
      }
      await rename(join(folder, 'real/model.json'), join(folder, 'model.json'));
      await symlink(join(folder, 'model.json'), join(folder, 'real/model.json'));
      expect((await rejection(loadTarget(join(folder, 'real'), { images }))).message).to.contain('lies outside');
    }));

  it('is refused by import as well', () =>
    withFolder(async (folder) => {
      await saveLayersModel(branched(), folder);
      await editJson((json) => Object.assign(json.weightsManifest[0], { paths: ['../../dev/zero'] }))(folder);
      const error = await rejection(importModel(folder, { out: join(folder, 'out.safetensors') }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain('lies outside');
    }));
});

describe('weights that name a network', () => {
  before(() => useBackend('cpu'));

  const cases: readonly [string, Json, RegExp][] = [
    ['too wide', { name: 'wrn-10-1', width: 1e9 }, /has .* weights .*at most/],
    ['of an infinite width', { name: 'wrn-10-1', width: 1e308 }, /at most/],
    ['too deep', { name: 'wrn-1000000000-1' }, /DEPTH must be 6n \+ 4 .* at most 1000/],
    ['of huge images', { name: 'mlp', inputShape: [2 ** 30, 2 ** 30, 3] }, /at most/],
    ['of a billion classes', { name: 'mlp', classes: 2 ** 40 }, /at most/],
    ['of no images', { name: 'mlp', inputShape: [0, 0, 0] }, /three positive whole numbers/],
    ['of an unknown name', { name: '__proto__' }, /There is no model/],
  ];
  for (const [what, change, message] of cases) {
    it(`${what} is refused before anything is allocated`, () =>
      withFolder(async (folder) => {
        const model = { name: 'mlp', width: 1, inputShape: [4, 4, 1], classes: 2, ...change };
        const path = join(folder, 'net.safetensors');
        const weights = { 'fc1.weight': { dtype: 'F32', shape: [1], data: Float32Array.of(1) } } as const;
        await writeFile(path, encodeSafetensors(weights, { format: 'pt', equipoise_model: JSON.stringify(model) }));
        for (const read of [
          () => loadTarget(path, { images }),
          () => importModel(path, { out: join(folder, 'out.safetensors') }),
        ]) {
          const error = await rejection(read());
          expect(error).to.be.instanceOf(InputError);
          expect(error.message).to.match(message);
        }
      }));
  }

  it('is refused where its metadata are null, or no JSON', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'net.safetensors');
      for (const [metadata, message] of [
        ['null', /metadata other than a map of strings/],
        ['[1]', /metadata other than a map of strings/],
        ['{"equipoise_model":"{"}', /damaged metadata/],
        ['{"equipoise_model":"null"}', /damaged metadata/],
        ['{"equipoise_model":"3"}', /damaged metadata/],
      ] as const) {
        const header = Buffer.from(`{"__metadata__":${metadata}}`.padEnd(64));
        const length = Buffer.alloc(8);
        length.writeUInt32LE(header.length);
        await writeFile(path, Buffer.concat([length, header]));
        const error = await rejection(loadTarget(path, { images }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(message);
      }
    }));

  const sealed = async () => {
    const values = tf.tensor1d([1, 2]);
    const positions = Int32Array.of(0, 3);
    const checkpoint = {
      config: {},
      model: { name: 'mlp', width: 1, inputShape: [4, 4, 1], classes: 2 } as const,
      epoch: 1,
      step: 1,
      progress: {},
      params: { 'fc1.kernel': { structure: { shape: [2, 2], positions }, values } },
      state: {},
      optimizer: {},
      average: null,
      snapshot: null,
      meanGradient: {},
      explored: { 'fc1.kernel': Uint8Array.of(1) },
      grownAt: { 'fc1.kernel': Int32Array.of(0, 7) },
    };
    const bytes = await encodeCheckpoint(checkpoint);
    values.dispose();
    return decodeCheckpoint(bytes, 'it');
  };
  const metadata = (shapes: unknown) => ({
    format: 'equipoise-checkpoint',
    format_version: '1',
    config: '{}',
    model: '{"name":"mlp","width":1,"inputShape":[4,4,1],"classes":2}',
    epoch: '1',
    step: '1',
    progress: '{}',
    shapes: JSON.stringify(shapes),
    sha256: '0'.repeat(64),
  });
  const SHAPES = { 'params/fc1.kernel': [2, 2] };
  const bytes = (...data: number[]) => ({ dtype: 'U8', shape: [data.length], data: Uint8Array.from(data) });
  const HALF = { dtype: 'F16', shape: [1], data: Uint16Array.of(0) };
  const packedAs =
    (gaps: Json) =>
    (t: Json): Json => {
      const { 'params/fc1.kernel.positions': _, ...others } = t as Record<string, Json>;
      return { ...others, 'params/fc1.kernel.gaps': gaps };
    };
  const resealed: readonly [string, (tensors: Json) => Json, unknown, RegExp][] = [
    [
      'weights as I64',
      (t) => ({ ...t, 'params/fc1.kernel': { dtype: 'I64', shape: [2], data: BigInt64Array.of(1n, 2n) } }),
      SHAPES,
      /is I64, expected F32/,
    ],
    [
      'positions as F32',
      (t) => ({ ...t, 'params/fc1.kernel.positions': { dtype: 'F32', shape: [2], data: Float32Array.of(0, 3) } }),
      SHAPES,
      /is F32, expected I32/,
    ],
    [
      'explored weights as F16',
      (t) => ({ ...t, 'explored/fc1.kernel': { dtype: 'F16', shape: [1], data: Uint16Array.of(1) } }),
      SHAPES,
      /is F16, expected U8/,
    ],
    [
      'the ages of weights as F32',
      (t) => ({ ...t, 'grownAt/fc1.kernel': { dtype: 'F32', shape: [2], data: Float32Array.of(0, 7) } }),
      SHAPES,
      /is F32, expected I32/,
    ],
    [
      'the ages of other weights',
      (t) => ({ ...t, 'grownAt/fc1.kernel': { dtype: 'I32', shape: [3], data: Int32Array.of(0, 7, 7) } }),
      SHAPES,
      /grownAt\/fc1\.kernel has the shape \[3\] and its weights have \[2\]/,
    ],
    [
      'more positions than values',
      (t) => ({ ...t, 'params/fc1.kernel.positions': { dtype: 'I32', shape: [3], data: Int32Array.of(0, 1, 3) } }),
      SHAPES,
      /has the shape \[3\]/,
    ],
    ['gaps beside positions', (t) => ({ ...t, 'params/fc1.kernel.gaps': bytes(0, 2) }), SHAPES, /holds no gaps/],
    [
      'a gap that does not end',
      packedAs(bytes(0, 2, 255)),
      SHAPES,
      /holds no gaps: expected bytes, the last below 255/,
    ],
    ['gaps as I32', packedAs({ dtype: 'I32', shape: [2], data: Int32Array.of(0, 2) }), SHAPES, /holds no gaps/],
    ['more gaps than values', packedAs(bytes(0, 0, 1)), SHAPES, /positions has the shape \[3\]/],
    ['statistics in half precision', (t) => ({ ...t, 'state/bn.mean': HALF }), SHAPES, /is F16, expected F32/],
    ['positions without a shape', (t) => t, {}, /belongs to no sparse tensor/],
    ['a shape without positions', ({ 'params/fc1.kernel.positions': _, ...t }) => t, SHAPES, /has no positions/],
  ];
  for (const [what, change, shapes, message] of resealed) {
    it(`as a checkpoint with ${what} is refused`, async () => {
      const { tensors } = await sealed();
      expect(() => parseCheckpoint({ metadata: metadata(shapes), tensors: change(tensors) }, 'it'))
        .to.throw(InputError)
        .with.property('message')
        .that.matches(message);
    });
  }

  it('as a checkpoint with gaps that lead out of the kernel is refused when it is restored', async () => {
    const { tensors } = await sealed();
    const stored = parseCheckpoint({ metadata: metadata(SHAPES), tensors: packedAs(bytes(0, 3))(tensors) }, 'it');
    expect(() => paramsBelow(stored, 'params/'))
      .to.throw(InputError)
      .with.property('message')
      .that.matches(/strictly ascending positions below 4, got 4 after 0/);
  });
});
