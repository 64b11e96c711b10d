// Reading of YAML, of which JSON is a part, that a user wrote.

/** The largest text that is read, in bytes or characters: what the parser takes grows with the square of the number of keys. */
export const LARGEST_YAML = 2 ** 17;

/** Deeper values overflow the stack of what reads them; no file of ours is near it. */
const DEEPEST = 100;

/**
 * The value that a YAML text holds. What a parser would only warn of is refused too, such as a tag that it does not know: the
 * value would be another one than its author meant.
 *
 * @throws Error whose message says in one line what is wrong and where
 */
export async function yamlValue(text: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(await soundPart(text));
  const [problem] = [...document.errors, ...document.warnings];
  if (problem === undefined) return document.toJS();
  throw new Error(problem.message.split('\n')[0].replace(/:$/, ''), { cause: problem });
}

/**
 * The text up to its first unexpected token, so that no time goes into a list of all of them.
 *
 * @throws Error if the text is too long, or its values are nested too deeply
 */
async function soundPart(text: string): Promise<string> {
  if (text.length > LARGEST_YAML) throw new Error(`it has ${text.length} characters, more than ${LARGEST_YAML}`);
  const { Lexer, Parser } = await import('yaml');
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error') return text.slice(0, token.offset + token.source.length);
    }
    if (parser.stack.length > DEEPEST) throw new Error(`it is nested more than ${DEEPEST} levels deep`);
  }
  return text;
}
