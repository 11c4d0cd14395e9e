/**
 * The fields and methods of an object of a class as an object of functions, which is what drivers return: a caller can
 * copy it and replace single functions.
 */
export function bindMethods<Part extends object>(part: Part): Part {
  const bound: Record<string, unknown> = Object.fromEntries(Object.entries(part))
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(part))) {
    const member: unknown = Reflect.get(part, name)
    if (name !== 'constructor' && typeof member === 'function') bound[name] = member.bind(part)
  }
  return bound as Part
}
