/** Whether JSON text may have a member that changes the prototype of an object. Escapes can hide its name. */
export function mayHideNames(text: string): boolean {
  return text.includes('__proto__') || text.includes('constructor') || text.includes('\\u00')
}

/** Whether a copy of the value, member by member, would change the prototype of an object. */
export function hasForbiddenName(value: unknown): boolean {
  const pending = isObject(value) ? [value] : []
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (Object.hasOwn(node, '__proto__') || hasPrototype(node)) return true
    for (const member of Object.values(node)) if (isObject(member)) pending.push(member)
  }
  return false
}

function hasPrototype(node: object): boolean {
  if (!Object.hasOwn(node, 'constructor')) return false
  const named: unknown = node.constructor
  return isObject(named) && Object.hasOwn(named, 'prototype')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
