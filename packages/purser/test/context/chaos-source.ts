import type { SourceFunction, SourceOptions } from '../../src/options/context-section.ts'
import type { HandClock } from '../../src/testing/hand-clock.ts'

/** What a source can do to its caller. */
export const BEHAVIORS = ['never', 'late', 'rejects', 'throws', 'wrong', 'twice', 'blocks', 'well'] as const
export type Behavior = (typeof BEHAVIORS)[number]

export interface ChaosSource {
  behavior: Behavior
  readonly source: SourceFunction
  calls: number
  /** Calls that have not ended. */
  unsettled: number
  mostUnsettled: number
  /** How long it has blocked the event loop, in all. */
  blockedMs: number
}

const LATE_MS = 700
const BLOCK_MS = 90

/** A source with selectable behavior, on a clock that the test moves. `data` makes the result of a successful call. */
export function createChaosSource(clock: HandClock, data: (user: string) => unknown): ChaosSource {
  const chaos: ChaosSource = {
    behavior: 'well',
    calls: 0,
    unsettled: 0,
    mostUnsettled: 0,
    blockedMs: 0,
    source(user, options) {
      chaos.calls += 1
      const result = behave(user, options)
      if (result instanceof Promise) {
        chaos.unsettled += 1
        chaos.mostUnsettled = Math.max(chaos.mostUnsettled, chaos.unsettled)
        const onSettled = (): void => {
          chaos.unsettled -= 1
        }
        result.then(onSettled, onSettled)
      }
      return result as Promise<object>
    },
  }

  function behave(user: string, { signal }: SourceOptions): unknown {
    switch (chaos.behavior) {
      case 'never':
        return new Promise(() => undefined)
      case 'late':
        return new Promise((resolve) => clock.setTimer(() => resolve(data(user)), LATE_MS))
      case 'rejects':
        return Promise.reject(signal.aborted ? signal.reason : new Error('source down'))
      case 'throws':
        throw new Error('source broken')
      case 'wrong':
        return chaos.calls % 2 === 0 ? 42 : { deep: createCircle() }
      case 'twice':
        return createBrokenThenable(data(user))
      case 'blocks':
        clock.advance(BLOCK_MS)
        chaos.blockedMs += BLOCK_MS
        return data(user)
      default:
        return Promise.resolve(data(user))
    }
  }
  return chaos
}

function createCircle(): unknown {
  const circle: Record<string, unknown> = {}
  circle.self = circle
  return circle
}

/** A thenable that resolves twice and then rejects. */
function createBrokenThenable(data: unknown): unknown {
  const name = 'then'
  return {
    [name](resolve: (value: unknown) => void, reject: (error: unknown) => void) {
      resolve(data)
      resolve({ name: 'second' })
      reject(new Error('third'))
    },
  }
}
