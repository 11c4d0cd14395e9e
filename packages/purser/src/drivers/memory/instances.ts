import type { Effects } from '../../core/effects.ts'
import type { InstanceStore } from '../../storage/instance-store.ts'

/** Instances in the memory of this process. */
export function createMemoryInstances({ monotonic }: Pick<Effects, 'monotonic'>): InstanceStore {
  const rows = new Map<string, { readonly value: string; readonly writtenAt: number }>()
  return {
    async publish({ id, value }, deadAfterMs) {
      const now = monotonic()
      for (const [other, { writtenAt }] of rows) if (now - writtenAt > deadAfterMs) rows.delete(other)
      rows.set(id, { value, writtenAt: now })
    },
    async list({ maxAgeMs, limit }) {
      const now = monotonic()
      return Array.from(rows, ([id, { value, writtenAt }]) => ({ id, value, ageMs: now - writtenAt }))
        .filter(({ ageMs }) => ageMs <= maxAgeMs)
        .toSorted((left, right) => (left.id < right.id ? -1 : 1))
        .slice(0, limit)
    },
    async remove(id) {
      rows.delete(id)
    },
  }
}
