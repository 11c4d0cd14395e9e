import type { Shelf } from '../../src/auth/cas-document.ts'

/** A shelf without a store. */
export function memoryShelf(): Shelf {
  const texts = new Map<string, string>()
  return {
    get: async (name) => texts.get(name),
    async compareAndSet(name, expected, value) {
      if (texts.get(name) !== expected) return false
      texts.set(name, value)
      return true
    },
  }
}
