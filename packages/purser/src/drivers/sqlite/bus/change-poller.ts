import type { LocalBus } from '../../local-bus.ts'
import type { Writer } from '../worker/threads.ts'

/*
 * Finds commits of other processes. Their rows are unknown, so all users of the watched namespaces count as changed.
 */

export interface ChangePoller {
  /** Watches a namespace from now on: this process caches rows of it. */
  watch(namespace: string): void
  /** Looks for commits of other processes since the last poll, and notifies the local listeners. */
  poll(): Promise<void>
}

export function createChangePoller(
  writer: Writer,
  local: LocalBus,
  newestPosition: (namespace: string) => number,
): ChangePoller {
  const positions = new Map<string, number>()
  return {
    watch(namespace) {
      if (!positions.has(namespace)) positions.set(namespace, newestPosition(namespace))
    },
    async poll() {
      if (!(await writer.call('hasForeignCommits'))) return
      for (const [namespace, known] of positions) {
        const position = newestPosition(namespace)
        positions.set(namespace, position)
        local.deliver({ topic: 'user', namespace })
        if (position > known) local.deliver({ topic: 'events', namespace })
      }
    },
  }
}
