// A property of an object, such as a method of a foreign library, in place of which another one is used for a while.

/** Runs `work`, which is synchronous, while a property of an object is another; it is put back whatever happens. */
export function replaced<Owner extends object, Name extends keyof Owner, Result>(
  owner: Owner,
  name: Name,
  value: Owner[Name],
  work: () => Result,
): Result {
  const own = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, { value, configurable: true, writable: true, enumerable: true });
  try {
    return work();
  } finally {
    if (own) Object.defineProperty(owner, name, own);
    else Reflect.deleteProperty(owner, name);
  }
}
