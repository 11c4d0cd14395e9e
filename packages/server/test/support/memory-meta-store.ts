import type { MetaStore } from 'purser'

export function createMemoryMetaStore(): MetaStore {
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
