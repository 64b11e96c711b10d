// Numbers on the command line, which may be arithmetic such as 8/255.
import { createRequire } from 'node:module';
import type { MathNode, OperatorNode } from 'mathjs';
import { UsageError } from '../../core/errors.ts';

const OPERATORS: readonly string[] = ['+', '-', '*', '/', '^'];
const CHARACTERS = /^[\d.e+\-*/^()\s]*$/i;
const LONGEST = 100;

/**
 * The value of an arithmetic expression such as `8/255` or `2.5*8/255/20`: numbers, + − * / ^ and parentheses, nothing
 * else.
 *
 * @param name of the flag or setting, for the message
 * @throws UsageError if the text is anything else, or its value is not finite
 */
export function parseNumber(text: string, name: string): number {
  const refuse = (what: string, cause?: unknown) =>
    new UsageError(
      `${name} must be a number or arithmetic such as 8/255, got ${what}. Write numbers, + - * / ^ and parentheses.`,
      { cause },
    );
  const trimmed = text.trim();
  if (trimmed === '') throw refuse('nothing');
  if (trimmed.length > LONGEST) throw refuse(`a text of ${trimmed.length} characters`);
  const value = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed) ? Number(trimmed) : evaluate(trimmed, refuse);
  if (!Number.isFinite(value)) throw refuse(`${trimmed}, which is not finite`);
  return value;
}

function evaluate(text: string, refuse: (what: string, cause?: unknown) => UsageError): number {
  if (!CHARACTERS.test(text)) throw refuse(text);
  // In one file, mathjs loads several times faster than in its thousand modules.
  const { parse }: typeof import('mathjs') = createRequire(import.meta.url)('mathjs/lib/browser/math.js');
  let tree: MathNode;
  try {
    tree = parse(text);
  } catch (error) {
    throw refuse(text, error);
  }
  if (!isArithmetic(tree)) throw refuse(text);
  return tree.evaluate();
}

function isArithmetic(node: MathNode): boolean {
  switch (node.type) {
    case 'ConstantNode':
      return 'value' in node && typeof node.value === 'number';
    case 'ParenthesisNode':
      return 'content' in node && isArithmetic(node.content as MathNode);
    case 'OperatorNode': {
      const { op, args, implicit } = node as OperatorNode;
      return OPERATORS.includes(op) && !implicit && args.every(isArithmetic);
    }
    default:
      return false;
  }
}
