import { isObject } from './validate.ts'

/** Any JSON object; a patch and its target have the same shape. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * Applies a JSON merge patch (RFC 7396) and returns a new object: null removes a member, objects are merged, other values
 * replace. A member that is `undefined` counts as absent.
 */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map(Object.entries(target))
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue
    if (value === null) merged.delete(name)
    else if (isObject(value)) {
      const current = merged.get(name)
      merged.set(name, mergePatch(isObject(current) ? current : {}, value))
    } else merged.set(name, value)
  }
  return Object.fromEntries(merged)
}

/** Freezes a JSON value at all levels and returns it. A value that is frozen already is not searched. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}
