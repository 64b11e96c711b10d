// Reading of YAML, of which JSON is a part, that a user wrote.

/**
 * The value that a YAML text holds. What a parser would only warn of is refused too, such as a tag that it does not know: the
 * value would be another one than its author meant.
 *
 * @throws Error whose message says in one line what is wrong and where
 */
export async function yamlValue(text: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem === undefined) return document.toJS();
  throw new Error(problem.message.split('\n')[0].replace(/:$/, ''), { cause: problem });
}
