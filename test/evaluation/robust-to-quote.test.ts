// Which robust accuracy of several is quoted.
import { expect } from 'chai';
import { accuracyOf } from '../../src/evaluation/intervals.ts';
import { packBits } from '../../src/evaluation/results/bits.ts';
import { unionOf } from '../../src/evaluation/results/union.ts';
import { robustToQuote } from '../../src/evaluation/robust-to-quote.ts';
import { inNorm, type Threat } from '../../src/evaluation/threat.ts';
import type { AttackResult } from '../../src/evaluation/types.ts';

const N = 8;

/** A result of an attack that some of the images survive. */
const resultAt = ({ norm, epsilon }: Threat, correct: number): AttackResult => ({
  attack: 'pgd-10',
  norm,
  epsilon,
  steps: 10,
  stepSize: 0.01,
  restarts: 1,
  robust: accuracyOf(correct, N),
  survived: packBits(Uint8Array.from({ length: N }, (_, i) => (i < correct ? 1 : 0))),
  forwardPasses: 10,
  inputGradients: 10,
});

/** An evaluation at several threats: an attack that nothing survives, and unions that `correct` images survive. */
const evaluationAt = (threats: readonly Threat[], correct: number) => ({
  attacks: threats.flatMap((threat) => [resultAt(threat, 0), unionOf([resultAt(threat, correct)])]),
});

describe('the robust accuracy that is quoted', () => {
  const threats = [...inNorm('linf', [0, 0.05, 0.1]), ...inNorm('l2', [0.1, 0.5])];
  const quoted = (trained: Partial<Threat>) => robustToQuote([evaluationAt(threats, 4)], trained);

  it('is that under the union of attacks at the radius of training, in its norm', () => {
    expect(quoted({ norm: 'linf', epsilon: 0.1 })).to.include({ attack: 'union', norm: 'linf', epsilon: 0.1 });
    expect(quoted({ norm: 'l2', epsilon: 0.1 })).to.include({ attack: 'union', norm: 'l2', epsilon: 0.1 });
  });

  it('is at the first radius above 0 where training was against none of them', () => {
    expect(quoted({ norm: 'linf', epsilon: 0.3 })).to.include({ norm: 'linf', epsilon: 0.05 });
    expect(quoted({})).to.include({ norm: 'linf', epsilon: 0.05 });
    expect(robustToQuote([evaluationAt(inNorm('linf', [0]), 4)], {})).to.equal(undefined);
    expect(robustToQuote([], {})).to.equal(undefined);
  });

  it('is the last one measured at that radius', () => {
    const [first, again] = [evaluationAt(threats, 4), evaluationAt(inNorm('linf', [0.05]), 3)];
    expect(robustToQuote([first, again], {})?.robust.value).to.equal(3 / N);
    expect(robustToQuote([first, again], { norm: 'l2', epsilon: 0.5 })?.robust.value).to.equal(4 / N);
  });

  it('is that under all norms together where it was measured', () => {
    const across = { threats: [threats[2], threats[4]], robust: accuracyOf(1, N), survived: packBits([1]) };
    const evaluation = { ...evaluationAt(threats, 4), acrossNorms: [across] };
    expect(robustToQuote([evaluation], { norm: 'linf', epsilon: 0.1 })).to.equal(across);
  });
});
