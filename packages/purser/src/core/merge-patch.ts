/** Any JSON object; a patch and what it is applied to have the same shape. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * Applies a JSON merge patch (RFC 7396) and returns a new object: null removes, objects are merged, all else
 * replaces. A member that is `undefined` counts as absent.
 */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map(Object.entries(target))
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue
    if (value === null) merged.delete(name)
    else if (isJsonObject(value)) {
      const below = merged.get(name)
      merged.set(name, mergePatch(isJsonObject(below) ? below : {}, value))
    } else merged.set(name, value)
  }
  return Object.fromEntries(merged)
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Freezes a JSON value all the way down and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}
