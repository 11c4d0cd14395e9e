/**
 * One text for one JSON value: object keys in code-unit order, no spaces, and what JSON leaves out is left out
 * (undefined members, functions). Equal values in any key order give the same text.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (isPlainObject(member) ? sorted(member) : member)) ?? 'null'
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sorted(object: Record<string, unknown>): Record<string, unknown> {
  const keys = Object.keys(object)
  // Most objects that come here again were made in the same order; an already sorted one is taken as it is.
  if (keys.every((key, index) => index === 0 || (keys[index - 1] as string) < key)) return object
  return Object.fromEntries(keys.sort().map((key) => [key, object[key]]))
}
